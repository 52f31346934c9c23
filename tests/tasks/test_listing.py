"""Lists of tasks: filters, order and pages."""

import asyncio
import base64
import json
import random
from typing import Any

import pytest
from tests.support.people import Person
from tests.support.problems import pointers, problem
from tests.support.sharing import make_shared

SORTS = ["id", "due", "priority", "position", "updated_at"]
PRIORITIES = ["none", "low", "medium", "high", "urgent"]


async def titles(person: Person, **params: Any) -> str:
    return "".join(task["title"] for task in await person.all("/tasks", **params))


async def test_each_filter_narrows(ana: Person, bob: Person) -> None:
    shared = await make_shared(ana, bob)
    project = await ana.make("/projects", name="Papers")
    section = await ana.make("/sections", name="Urgent", project_id=project["id"])
    parent = await ana.make("/tasks", title="a", labels_add=["Äpfel", "x"])
    await ana.make("/tasks", title="b", parent_id=parent["id"], priority="high")
    await ana.make("/tasks", title="c", project_id=project["id"], status="done", labels_add=["x"])
    await ana.make("/tasks", title="d", section_id=section["id"], status="cancelled")
    await ana.make("/tasks", title="e", workspace_id=shared.id, assignee_id=bob.user_id)
    label = next(one for one in await ana.all("/labels") if one["name"] == "x")
    for params, expected in (
        ({}, "abcde"),
        ({"workspace_id": ana.workspace_id}, "abcd"),
        ({"workspace_id": shared.id}, "e"),
        ({"project_id": project["id"]}, "cd"),
        ({"section_id": section["id"]}, "d"),
        ({"parent_id": parent["id"]}, "b"),
        ({"label": "äPFEL"}, "a"),
        ({"label": label["id"]}, "ac"),
        ({"label": "unknown"}, ""),
        ({"label": 2**62}, ""),
        ({"status": "open"}, "abe"),
        ({"status": "done"}, "c"),
        ({"status": "cancelled"}, "d"),
        ({"priority": "high"}, "b"),
        ({"priority": "none"}, "acde"),
        ({"assignee_id": bob.user_id}, "e"),
        ({"label": "x", "status": "done"}, "c"),
        ({"label": "x", "status": "done", "priority": "high"}, ""),
    ):
        assert await titles(ana, **params) == expected, params


async def test_a_filter_naming_what_others_have_finds_nothing(ana: Person, bob: Person) -> None:
    project = await bob.make("/projects", name="Secret")
    parent = await bob.make("/tasks", title="x", project_id=project["id"], labels_add=["secret"])
    for params in (
        {"workspace_id": bob.workspace_id},
        {"project_id": project["id"]},
        {"parent_id": parent["id"]},
        {"label": "secret"},
        {"label": parent["label_ids"][0]},
        {"q": "x"},
    ):
        assert await ana.all("/tasks", **params) == []


async def test_what_changed_since_can_be_asked_for(ana: Person) -> None:
    tasks = [await ana.make("/tasks", title=title) for title in "abc"]
    changed = (await ana.patch(f"/tasks/{tasks[0]['id']}", {"priority": "low"})).json()
    assert await titles(ana, updated_after=tasks[1]["updated_at"]) == "abc"
    assert await titles(ana, updated_after=tasks[2]["updated_at"]) == "ac"
    assert await titles(ana, updated_after=changed["updated_at"]) == "a"


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("milk", "ab"),
        ("MILK", "ab"),
        ("milk buy", "a"),
        ("äpfel", "c"),
        ("ÄPFEL", "c"),
        ("50%", "d"),
        ("5%0", ""),
        ("a_b", "e"),
        ("back\\slash", "f"),
        ("日本", "g"),
        ("nothing", ""),
        ("   ", "abcdefg"),
        ("'; drop table tasks; --", ""),
    ],
)
async def test_words_are_found_in_title_and_description(ana: Person, q: str, expected: str) -> None:
    for title, text in (
        ("a", "Buy Milk"),
        ("b", "oat-milk"),
        ("c", "Äpfel"),
        ("d", "50% off 500 things"),
        ("e", "a_b axb"),
        ("f", "back\\slash"),
        ("g", "日本語"),
    ):
        await ana.make("/tasks", title=title, description=text.replace("axb", ""))
    assert await titles(ana, q=q) == expected


async def test_a_word_of_a_title_is_found(ana: Person) -> None:
    task = await ana.make("/tasks", title="Renew passport", description="two photos")
    assert await ana.all("/tasks", q="photos RENEW") == [task]


async def make_various(person: Person, count: int) -> list[dict[str, Any]]:
    dice = random.Random(count)  # noqa: S311 - no secret
    items: list[dict[str, Any]] = [
        {
            "title": f"{number}",
            "priority": dice.choice(PRIORITIES),
            "due": dice.choice([None, {"date": f"2026-12-0{dice.randint(1, 3)}"}]),
        }
        for number in range(count)
    ]
    made: list[dict[str, Any]] = (await person.post("/tasks/batch", items)).json()["items"]
    for task in dice.sample(made, count // 4):
        await person.patch(f"/tasks/{task['id']}", {"title": "changed"})
    return made


def sort_key(task: dict[str, Any], sort: str) -> Any:
    match sort.removeprefix("-"):
        case "priority":
            return PRIORITIES.index(task["priority"]), task["id"]
        case "due":
            return (task["due"] or {"date": "9999" if sort == "due" else "0001"})["date"], task["id"]
        case name:
            return task[name], task["id"]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("direction", ["", "-"])
@pytest.mark.parametrize("limit", [200, 7])
async def test_each_order_holds_over_all_pages(ana: Person, sort: str, direction: str, limit: int) -> None:
    await make_various(ana, 30)
    tasks = await ana.all("/tasks", sort=direction + sort, limit=limit)
    expected = sorted(tasks, key=lambda task: sort_key(task, direction + sort), reverse=direction == "-")
    assert [task["id"] for task in tasks] == [task["id"] for task in expected]
    assert len(tasks) == len({task["id"] for task in tasks}) == 30


async def test_tasks_without_a_date_come_last_whichever_the_direction(ana: Person) -> None:
    for title, date in (("a", None), ("b", "2026-12-01"), ("c", "2026-12-02")):
        await ana.make("/tasks", title=title, due=date and {"date": date})
    assert await titles(ana, sort="due") == "bca"
    assert await titles(ana, sort="-due") == "cba"


async def test_all_day_comes_at_the_end_of_its_day(ana: Person) -> None:
    for title, due in (
        ("a", {"date": "2026-12-01"}),
        ("b", {"date": "2026-12-01", "time": "23:59:59"}),
        ("c", {"date": "2026-12-02", "time": "00:00"}),
        ("d", {"date": "2026-12-01", "time": "23:00", "timezone": "Europe/Berlin"}),
    ):
        await ana.make("/tasks", title=title, due=due)
    assert await titles(ana, sort="due") == "dbac"


async def test_the_order_by_due_date_depends_on_where_one_is(ana: Person) -> None:
    await ana.make("/tasks", title="a", due={"date": "2026-12-01", "time": "09:00"})
    await ana.make("/tasks", title="b", due={"date": "2026-12-01", "time": "09:30", "timezone": "UTC"})
    assert await titles(ana, sort="due", timezone="UTC") == "ab"
    assert await titles(ana, sort="due", timezone="America/New_York") == "ba"


@pytest.mark.parametrize("direction", ["", "-"])
async def test_while_others_write_every_row_is_given_once(ana: Person, bob: Person, direction: str) -> None:
    shared = await make_shared(ana, bob)
    first = [{"title": f"{number}", "workspace_id": shared.id} for number in range(60)]
    there = {task["id"] for task in (await ana.post("/tasks/batch", first)).json()["items"]}
    is_read = asyncio.Event()

    async def write() -> None:
        while not is_read.is_set():
            task = await bob.make("/tasks", title="new", workspace_id=shared.id)
            await bob.patch(f"/tasks/{min(there)}", {"title": "changed"})
            await bob.delete(f"/tasks/{task['id']}")

    writer = asyncio.create_task(write())
    try:
        seen = [task["id"] for task in await ana.all("/tasks", sort=f"{direction}id", limit=5)]
    finally:
        is_read.set()
        await writer
    assert len(seen) == len(set(seen))
    assert there <= set(seen)


async def test_pages_by_number_fit_together(ana: Person) -> None:
    made = await make_various(ana, 12)
    seen: list[int] = []
    for skip in (0, 5, 10, 15):
        page = (await ana.get("/tasks", params={"skip": skip, "limit": 5})).json()
        assert page["count"] == len(page["items"])
        assert (page["next_cursor"] is None) == (skip >= 10)
        seen += [task["id"] for task in page["items"]]
    assert seen == [task["id"] for task in made]


async def test_a_page_that_ends_the_list_has_no_cursor(ana: Person) -> None:
    await make_various(ana, 8)
    assert (await ana.get("/tasks", params={"limit": 8})).json()["next_cursor"] is None
    assert (await ana.get("/tasks", params={"limit": 7})).json()["next_cursor"] is not None


async def test_fifty_is_the_size_of_a_page(ana: Person) -> None:
    await make_various(ana, 51)
    assert (await ana.get("/tasks")).json()["count"] == 50


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"limit": 0}, "/limit"),
        ({"limit": 201}, "/limit"),
        ({"limit": "ten"}, "/limit"),
        ({"skip": -1}, "/skip"),
        ({"skip": 10_001}, "/skip"),
        ({"sort": "title"}, "/sort"),
        ({"sort": "+id"}, "/sort"),
        ({"status": "finished"}, "/status"),
        ({"priority": "9"}, "/priority"),
        ({"workspace_id": 2**63}, "/workspace_id"),
        ({"project_id": "inbox"}, "/project_id"),
        ({"timezone": "Mars/Base"}, "/timezone"),
        ({"q": "x" * 501}, "/q"),
        ({"label": "x" * 101}, "/label"),
        ({"cursor": "x" * 2001}, "/cursor"),
    ],
)
async def test_a_wrong_parameter_is_refused_by_its_name(
    ana: Person, params: dict[str, Any], pointer: str
) -> None:
    assert pointers(await ana.get("/tasks", params=params)) == [pointer]


@pytest.mark.parametrize("field", ["q", "label"])
async def test_a_nul_byte_in_a_query_is_no_failure(ana: Person, field: str) -> None:
    assert (await ana.get("/tasks", params={field: "a\x00b"})).status_code in {200, 422}


@pytest.mark.parametrize("label", [2**63 - 1, 2**63, 10**30, "٣", "²", "-1", "1.0"])
async def test_whatever_stands_for_a_label_is_no_failure(ana: Person, label: object) -> None:
    response = await ana.get("/tasks", params={"label": label})
    assert response.status_code == 422 or response.json()["items"] == []


TRUE: Any = True


def forge(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("sort", "cursor"),
    [
        ("id", "nonsense"),
        ("id", "ä"),
        ("id", "="),
        ("id", ""),
        ("id", forge()),
        ("id", forge("id", "x", "x")),
        ("id", forge("id", 1, 2**63)),
        ("id", forge("id", 1, -1)),
        ("id", forge("id", 1, 1.5)),
        ("id", forge("id", 1, TRUE)),
        ("id", forge("-id", 1, 1)),
        ("id", forge("due@UTC", "2026-12-01T00:00:00+00:00", 1)),
        ("due", forge("due@UTC", "2026-12-01", 1)),
        ("due", forge("due@UTC", "2026-12-01T00:00:00", 1)),
        ("due", forge("due@UTC", "0001-01-01T00:00:00+14:00", 1)),
        ("due", forge("due@UTC", 5, 1)),
        ("due", forge("due@UTC", None, 1)),
        ("due", forge("due@Europe/Berlin", "2026-12-01T00:00:00+00:00", 1)),
        ("updated_at", forge("updated_at", "2026-12-01T00:00:00", 1)),
        ("updated_at", forge("updated_at", "9999-12-31T23:59:59-14:00", 1)),
        ("priority", forge("priority", 10**30, 1)),
        ("priority", forge("priority", 2**31, 1)),
        ("priority", forge("priority", "high!", 1)),
        ("priority", forge("priority", TRUE, 1)),
        ("position", forge("position", 5, 1)),
        ("position", forge("position", "a\x00", 1)),
        ("position", forge("position", "\ud800", 1)),
    ],
)
async def test_a_cursor_we_have_not_made_is_refused(ana: Person, sort: str, cursor: str) -> None:
    await make_various(ana, 4)
    response = await ana.get("/tasks", params={"sort": sort, "cursor": cursor})
    if response.status_code != 200:
        problem(response, 422, "invalid")
    else:
        # Whatever it stands for, nothing but her own tasks comes.
        assert {task["created_by"] for task in response.json()["items"]} <= {ana.user_id}


@pytest.mark.parametrize("other", ["-id", "due", "priority", "position", "updated_at"])
async def test_a_cursor_of_another_order_is_refused(ana: Person, other: str) -> None:
    await make_various(ana, 4)
    cursor = (await ana.get("/tasks", params={"limit": 2})).json()["next_cursor"]
    refused = await ana.get("/tasks", params={"cursor": cursor, "sort": other})
    assert pointers(refused) == ["/cursor"]


async def test_a_cursor_of_another_zone_is_refused(ana: Person) -> None:
    await make_various(ana, 4)
    params = {"limit": 2, "sort": "due"}
    cursor = (await ana.get("/tasks", params=params)).json()["next_cursor"]
    assert pointers(
        await ana.get("/tasks", params=params | {"cursor": cursor, "timezone": "Asia/Tokyo"})
    ) == ["/cursor"]


async def test_cursors_can_stand_in_an_address_as_they_are(ana: Person) -> None:
    await make_various(ana, 8)
    for sort in SORTS:
        cursor = (await ana.get("/tasks", params={"limit": 3, "sort": sort})).json()["next_cursor"]
        assert cursor.replace("-", "").replace("_", "").isalnum()


async def test_a_label_named_like_a_number_is_found_by_its_name(ana: Person) -> None:
    task = await ana.make("/tasks", title="x", labels_add=["2026"])
    assert [found["id"] for found in await ana.all("/tasks", label="2026")] == [task["id"]]
