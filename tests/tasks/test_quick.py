"""A task from one line of text."""

from typing import Any

import pytest
from tests.support.people import Person
from tests.support.problems import pointers, problem
from tests.support.sharing import make_shared

NOW = "2026-11-25T10:00:00"
RENT = "Pay rent every 1st at 9:00 #home @bank @Flat !high //from the joint account"


async def preview(ana: Person, text: str, **fields: Any) -> Any:
    response = await ana.post("/tasks/quick", {"text": text, "preview": True, "now": NOW, **fields})
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_preview_tells_what_is_understood_and_writes_nothing(ana: Person) -> None:
    told = await preview(ana, RENT)
    assert told["task"] == {
        "title": "Pay rent",
        "description": "from the joint account",
        "priority": "high",
        "project": "home",
        "labels": ["bank", "Flat"],
        "due": {"date": "2026-12-01", "time": "09:00", "timezone": None},
        "recurrence": {
            "rrule": "FREQ=MONTHLY;BYMONTHDAY=1",
            "anchor": "schedule",
            "text": told["task"]["recurrence"]["text"],
        },
    }
    kinds = {RENT[span["start"] : span["end"]]: span["kind"] for span in told["spans"]}
    assert kinds["#home"] == "project"
    assert kinds["@bank"] == "label"
    assert kinds["!high"] == "priority"
    assert "recurrence" in kinds.values()
    assert await ana.all("/tasks") == []
    assert await ana.all("/labels") == []


async def test_it_becomes_the_task_it_says(ana: Person) -> None:
    home = await ana.make("/projects", name="Home")
    answer = await ana.post("/tasks/quick", {"text": RENT, "timezone": "Europe/Berlin"})
    assert answer.status_code == 201, answer.text
    task = answer.json()["task"]
    assert answer.headers["location"] == f"/api/v1/tasks/{task['id']}"
    assert (await ana.get(f"/tasks/{task['id']}")).json() == task
    assert (task["title"], task["project_id"], task["priority"]) == ("Pay rent", home["id"], "high")
    assert task["due"]["timezone"] == "Europe/Berlin"
    assert task["recurrence"]["rrule"] == "FREQ=MONTHLY;BYMONTHDAY=1"
    labels = {label["id"]: label["name"] for label in await ana.all("/labels")}
    assert sorted(labels[label_id] for label_id in task["label_ids"]) == ["Flat", "bank"]


@pytest.mark.parametrize(
    "title", ["Read chapter 12", "Email May about the 3 reports", "Buy 2 litres of milk"]
)
async def test_a_title_stays_as_it_is(ana: Person, title: str) -> None:
    told = await preview(ana, title)
    assert (told["task"]["title"], told["task"]["due"], told["spans"]) == (title, None, [])


async def test_quotes_keep_words_out_of_the_dates(ana: Person) -> None:
    told = await preview(ana, 'Watch "The day after tomorrow" tomorrow')
    assert "The day after tomorrow" in told["task"]["title"]
    assert told["task"]["due"]["date"] == "2026-11-26"


async def test_a_moment_is_a_time_on_the_wall_of_the_person(ana: Person) -> None:
    await ana.patch("/users/me", {"timezone": "Pacific/Auckland"})
    told = await preview(ana, "x tomorrow", now="2026-11-25T12:00:00Z")
    assert told["task"]["due"]["date"] == "2026-11-27"


async def test_a_project_that_is_not_there_is_named_where_it_stands(ana: Person) -> None:
    await ana.make("/projects", name="House")
    refused = await ana.post("/tasks/quick", {"text": "x #hose"})
    (fault,) = problem(refused, 422)["errors"]
    assert (fault["pointer"], fault["code"]) == ("/text", "not_found")
    assert (fault["position"], fault["length"], fault["suggestion"]) == (2, 5, "#House")
    assert await ana.all("/tasks") == []


async def test_the_project_of_another_workspace_is_found_and_that_of_strangers_is_not(
    ana: Person, bob: Person
) -> None:
    shared = await make_shared(ana, bob)
    project = await ana.make("/projects", name="Team", workspace_id=shared.id)
    made = await bob.post("/tasks/quick", {"text": "x #team"})
    assert made.json()["task"]["project_id"] == project["id"]
    await ana.make("/projects", name="Secret")
    refused = problem(await bob.post("/tasks/quick", {"text": "x #secret"}), 422)
    nothing = problem(await bob.post("/tasks/quick", {"text": "x #secrex"}), 422)
    assert refused["errors"][0]["detail"] == nothing["errors"][0]["detail"].replace("secrex", "secret")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"text": "tomorrow"}, "/text"),
        ({"text": "#home"}, "/text"),
        ({"text": " "}, "/text"),
        ({"text": "x" * 501}, "/text"),
        ({"text": "x @" + "y" * 101}, "/text"),
        ({"text": "x " + " ".join(f"@a{number}" for number in range(101))}, "/text"),
        ({"text": "x 9999-12-31"}, "/text"),
        ({"text": "x every day 0001-01-01"}, "/text"),
        ({"text": "x", "now": NOW}, ""),
        ({"text": "x", "preview": True, "now": "tomorrow"}, "/now"),
        ({"text": "x", "preview": True, "now": "9999-12-31T10:00:00"}, "/now"),
        ({"text": "x", "timezone": "Mars/Base"}, "/timezone"),
        ({"text": "x", "workspace_id": 2**40}, "/workspace_id"),
    ],
)
async def test_what_makes_no_task_is_refused(ana: Person, body: Any, pointer: str) -> None:
    assert pointers(await ana.post("/tasks/quick", body)) == [pointer]
    assert await ana.all("/tasks") == []


# --- the preview of a recurrence --------------------------------------------------------------------------------------


async def dates(ana: Person, **body: Any) -> list[str]:
    response = await ana.post("/recurrence/preview", body)
    assert response.status_code == 200, response.text
    return [when["date"] for when in response.json()["items"]]


async def test_a_rule_is_told_in_words_with_its_next_dates(ana: Person) -> None:
    due = {"date": "2026-01-31", "time": "09:00", "timezone": "Europe/Berlin"}
    response = await ana.post("/recurrence/preview", {"rrule": "FREQ=MONTHLY", "due": due, "count": 3})
    told = response.json()
    assert told["items"] == [due | {"date": date} for date in ("2026-01-31", "2026-02-28", "2026-03-31")]
    assert "31st" in told["text"]
    assert told["rrule"] == "FREQ=MONTHLY;BYMONTHDAY=31"


async def test_words_are_understood_as_in_a_line(ana: Person) -> None:
    due = {"date": "2026-11-27"}
    assert await dates(ana, text="every last friday", due=due, count=2) == ["2026-11-27", "2026-12-25"]
    told = (await ana.post("/recurrence/preview", {"text": "every! 3 days", "due": due})).json()
    assert (told["rrule"], told["anchor"]) == ("FREQ=DAILY;INTERVAL=3", "completion")
    assert len(told["items"]) == 5


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"rrule": "FREQ=DAILY", "text": "daily"}, ""),
        ({"rrule": "FREQ=SECONDLY"}, "/rrule"),
        ({"text": "milk"}, "/text"),
        ({"text": "tomorrow"}, "/text"),
        ({"rrule": "FREQ=DAILY", "count": 101}, "/count"),
    ],
)
async def test_what_is_no_rule_is_refused(ana: Person, body: Any, pointer: str) -> None:
    assert pointers(await ana.post("/recurrence/preview", body)) == [pointer]
