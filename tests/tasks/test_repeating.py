"""Tasks that repeat: done, one leaves exactly one next one behind."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.people import Person
from tests.support.problems import pointers, problem

from dutiful import clock

TODAY = datetime(2026, 1, 31, 10, tzinfo=UTC)
MONTHLY = {"rrule": "FREQ=MONTHLY"}
DONE = {"status": "done"}


@pytest.fixture
def turn(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets the clock."""

    def turn(now: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: now)

    turn(TODAY)
    return turn


Turn = Callable[[datetime], None]


async def open_ones(ana: Person) -> list[Any]:
    return await ana.all("/tasks", status="open")


async def the_next(ana: Person) -> Any:
    (task,) = await open_ones(ana)
    return task


async def done(ana: Person, task: Any) -> Any:
    response = await ana.patch(f"/tasks/{task['id']}", DONE)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_recurrence_is_told_with_its_rule_in_words(ana: Person, turn: Turn) -> None:
    task = await ana.make("/tasks", title="rent", due={"date": "2026-01-31"}, recurrence=MONTHLY)
    assert task["recurrence"]["rrule"] == "FREQ=MONTHLY;BYMONTHDAY=31"
    assert task["recurrence"]["anchor"] == "schedule"
    assert "31st" in task["recurrence"]["text"]
    assert set(task["recurrence"]) == {"rrule", "anchor", "text"}
    assert task["series_id"]
    assert (await ana.get(f"/tasks/{task['id']}")).json() == task
    assert await open_ones(ana) == [task]


async def test_done_it_stays_done_and_the_next_is_open(ana: Person, turn: Turn) -> None:
    task = await ana.make(
        "/tasks", title="rent", description="**all**", priority="high", labels_add=["bank"], recurrence=MONTHLY,
        due={"date": "2026-01-31", "time": "09:00", "timezone": "Europe/Berlin"}, start={"date": "2026-01-29"},
    )  # fmt: skip
    finished = await done(ana, task)
    assert (finished["status"], finished["due"]) == ("done", task["due"])
    following = await the_next(ana)
    same = ("series_id", "title", "description", "priority", "label_ids", "project_id", "recurrence")
    assert [following[name] for name in same] == [task[name] for name in same]
    assert following["id"] != task["id"]
    assert following["uid"] != task["uid"]
    assert following["due"] == task["due"] | {"date": "2026-02-28"}
    assert following["start"]["date"] == "2026-02-26"
    assert following["completed_at"] is None


async def test_a_month_end_never_drifts(ana: Person, turn: Turn) -> None:
    task = await ana.make("/tasks", title="rent", due={"date": "2026-01-31"}, recurrence=MONTHLY)
    dates = []
    for _ in range(5):
        await done(ana, task)
        task = await the_next(ana)
        dates.append(task["due"]["date"])
        turn(datetime.fromisoformat(f"{dates[-1]}T12:00:00Z"))
    assert dates == ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"]


@pytest.mark.parametrize(
    ("recurrence", "due", "following"),
    [
        ({"rrule": "FREQ=DAILY"}, "2026-01-20", "2026-02-01"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=MO"}, "2026-01-05", "2026-02-02"),
        ({"rrule": "FREQ=DAILY;INTERVAL=3", "anchor": "completion"}, "2026-01-20", "2026-02-03"),
        ({"rrule": "FREQ=DAILY;INTERVAL=3", "anchor": "completion"}, "2026-03-20", "2026-02-03"),
        ({"rrule": "FREQ=YEARLY"}, "2024-02-29", "2026-02-28"),
    ],
)
async def test_the_next_lies_ahead_however_late_it_was(
    ana: Person, turn: Turn, recurrence: Any, due: str, following: str
) -> None:
    task = await ana.make("/tasks", title="x", due={"date": due}, recurrence=recurrence)
    await done(ana, task)
    assert (await the_next(ana))["due"]["date"] == following


async def test_without_a_date_it_begins_on_the_first_that_fits(ana: Person, turn: Turn) -> None:
    task = await ana.make("/tasks", title="x", recurrence={"rrule": "FREQ=WEEKLY;BYDAY=TU"})
    assert task["due"] == {"date": "2026-02-03", "time": None, "timezone": None}


@pytest.mark.parametrize("end", ["COUNT=2", "UNTIL=20260201"])
async def test_a_series_ends(ana: Person, turn: Turn, end: str) -> None:
    rule = {"rrule": f"FREQ=DAILY;{end}"}
    task = await ana.make("/tasks", title="x", due={"date": "2026-01-31"}, recurrence=rule)
    await done(ana, task)
    last = await the_next(ana)
    assert last["due"]["date"] == "2026-02-01"
    await done(ana, last)
    assert await open_ones(ana) == []


async def test_ten_who_press_at_once_make_one_next(ana: Person, turn: Turn) -> None:
    task = await ana.make("/tasks", title="x", due={"date": "2026-01-31"}, recurrence=MONTHLY)
    answers = await asyncio.gather(*(ana.patch(f"/tasks/{task['id']}", DONE) for _ in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert len(await open_ones(ana)) == 1
    batch = [{"op": "update", "type": "task", "id": task["id"], "data": DONE}] * 2
    assert (await ana.post("/batch", batch)).status_code in (200, 422)
    assert len(await open_ones(ana)) == 1


async def test_subtasks_come_along_open_again(ana: Person, turn: Turn) -> None:
    task = await ana.make(
        "/tasks", title="pack", due={"date": "2026-01-31"}, recurrence={"rrule": "FREQ=DAILY"}
    )
    bag = await ana.make("/tasks", title="bag", parent_id=task["id"], due={"date": "2026-01-30"})
    await ana.make("/tasks", title="lace", parent_id=bag["id"])
    gone = await ana.make("/tasks", title="gone", parent_id=task["id"])
    await ana.make("/tasks", title="no", parent_id=task["id"], status="cancelled")
    await ana.delete(f"/tasks/{gone['id']}")
    await done(ana, bag)
    await done(ana, task)
    following = {one["title"]: one for one in await open_ones(ana) if one["id"] > task["id"] + 4}
    assert following.keys() == {"pack", "bag", "lace"}
    assert following["bag"]["parent_id"] == following["pack"]["id"]
    assert following["lace"]["parent_id"] == following["bag"]["id"]
    assert following["bag"]["due"]["date"] == "2026-01-31"


async def test_the_next_takes_the_place_of_the_last(ana: Person, turn: Turn) -> None:
    titles = []
    for title in ("first", "second", "third"):
        rule = MONTHLY if title == "second" else None
        due = {"date": "2026-01-31"}
        titles.append(
            await ana.make("/tasks", title=title, due=due, **({"recurrence": rule} if rule else {}))
        )
    await done(ana, titles[1])
    ordered = await ana.all("/tasks", sort="position", project_id=ana.inbox_id, status="open")
    assert [task["title"] for task in ordered] == ["first", "second", "third"]


async def test_opened_again_it_takes_its_next_back_unless_somebody_worked_on_it(
    ana: Person, turn: Turn
) -> None:
    task = await ana.make("/tasks", title="x", due={"date": "2026-01-31"}, recurrence=MONTHLY)
    for _ in range(2):
        await done(ana, task)
        await ana.patch(f"/tasks/{task['id']}", {"status": "open"})
        assert [one["id"] for one in await open_ones(ana)] == [task["id"]]
    await done(ana, task)
    following = await the_next(ana)
    await ana.patch(f"/tasks/{following['id']}", {"title": "y"})
    await ana.patch(f"/tasks/{task['id']}", {"status": "open"})
    assert len(await open_ones(ana)) == 2
    await done(ana, task)
    assert [one["id"] for one in await open_ones(ana)] == [following["id"]]


async def test_undo_of_the_request_takes_both_back(ana: Person, turn: Turn) -> None:
    task = await ana.make("/tasks", title="x", due={"date": "2026-01-31"}, recurrence=MONTHLY)
    await done(ana, task)
    changes = (await ana.get(f"/workspaces/{ana.workspace_id}/changes", params={"limit": 1000})).json()[
        "items"
    ]
    assert [change["verb"] for change in changes[-2:]] == ["task.created", "task.completed"]
    undone = await ana.post(f"/changes/{changes[-1]['id']}/undo", {"request": True})
    assert undone.status_code == 200, undone.text
    again = await the_next(ana)
    assert again == task | {"version": again["version"], "updated_at": again["updated_at"]}
    await done(ana, task)
    assert (await the_next(ana))["due"]["date"] == "2026-02-28"


async def test_a_change_is_for_this_one_or_for_all_that_follow(ana: Person, turn: Turn) -> None:
    task = await ana.make("/tasks", title="rent", due={"date": "2026-01-31"}, recurrence=MONTHLY)
    path = f"/tasks/{task['id']}"
    await ana.patch(path, {"due": {"date": "2026-02-02"}})
    await ana.patch(path, {"title": "rent, in cash", "apply_to": "this"})
    await ana.patch(path, {"priority": "high"})
    await done(ana, task)
    following = await the_next(ana)
    assert (following["title"], following["priority"]) == ("rent", "high")
    assert following["due"]["date"] == "2026-02-28"
    moved = {"due": {"date": "2026-03-05", "time": "08:00"}, "apply_to": "following"}
    changed = (await ana.patch(f"/tasks/{following['id']}", moved)).json()
    assert changed["recurrence"]["rrule"] == "FREQ=MONTHLY;BYMONTHDAY=31"
    await done(ana, following)
    last = await the_next(ana)
    assert last["due"] == {"date": "2026-03-31", "time": "08:00", "timezone": None}


async def test_this_one_is_skipped(ana: Person, turn: Turn) -> None:
    rule = {"rrule": "FREQ=WEEKLY;COUNT=3"}
    task = await ana.make("/tasks", title="x", due={"date": "2026-01-31"}, recurrence=rule)
    path = f"/tasks/{task['id']}/skip"
    assert (await ana.post(path)).json()["due"]["date"] == "2026-02-07"
    assert (await ana.post(path)).json()["due"]["date"] == "2026-02-14"
    assert problem(await ana.post(path), 409)["code"] == "last_of_series"
    assert len(await open_ones(ana)) == 1
    plain = await ana.make("/tasks", title="y")
    assert problem(await ana.post(f"/tasks/{plain['id']}/skip"), 409)["code"] == "no_series"
    await done(ana, task)
    assert problem(await ana.post(path), 409)["code"] == "not_open"


async def test_a_series_is_begun_changed_and_ended_by_a_patch(ana: Person, turn: Turn) -> None:
    task = await ana.make("/tasks", title="x", due={"date": "2026-02-02"})
    path = f"/tasks/{task['id']}"
    assert pointers(await ana.patch(path, {"recurrence": {"anchor": "completion"}})) == ["/recurrence/rrule"]
    begun = (await ana.patch(path, {"recurrence": {"rrule": "FREQ=DAILY"}})).json()
    changed = (await ana.patch(path, {"recurrence": {"anchor": "completion"}})).json()
    assert changed["recurrence"]["rrule"] == "FREQ=DAILY"
    assert changed["recurrence"]["anchor"] == "completion"
    assert changed["series_id"] != begun["series_id"]
    assert pointers(await ana.patch(path, {"due": None})) == ["/due"]
    ended = (await ana.patch(path, {"recurrence": None, "due": None})).json()
    assert (ended["recurrence"], ended["due"]) == (None, None)
    await done(ana, task)
    assert await open_ones(ana) == []


@pytest.mark.parametrize(
    "rrule",
    ["", "x", "FREQ=HOURLY", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;COUNT=2;UNTIL=20270101", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYDAY=MO,XX"],
)  # fmt: skip
async def test_a_rule_that_is_none_is_refused_by_name(ana: Person, rrule: str) -> None:
    body = {"title": "x", "due": {"date": "2026-01-31"}, "recurrence": {"rrule": rrule}}
    assert pointers(await ana.post("/tasks", body)) == ["/recurrence/rrule"]
    assert pointers(await ana.post("/tasks/batch", [{"title": "y"}, body])) == ["/1/recurrence/rrule"]
    task = await ana.make("/tasks", title="x")
    refused = await ana.patch(f"/tasks/{task['id']}", {"recurrence": {"rrule": rrule}})
    assert pointers(refused) == ["/recurrence/rrule"]
    assert await ana.all("/tasks") == [task]


async def test_whose_change_it_is_must_be_said_only_of_what_repeats(ana: Person) -> None:
    task = await ana.make("/tasks", title="x")
    refused = await ana.patch(f"/tasks/{task['id']}", {"title": "y", "apply_to": "this"})
    assert pointers(refused) == ["/apply_to"]


async def test_in_a_batch_it_goes_on_as_alone(ana: Person, turn: Turn) -> None:
    task = await ana.make("/tasks", title="x", due={"date": "2026-01-31"}, recurrence=MONTHLY)
    operations = [
        {"op": "update", "type": "task", "id": task["id"], "data": DONE},
        {"op": "create", "type": "task", "ref": "a", "data": {"title": "a"}},
        *({"op": "move", "type": "task", "id": "$a", "data": {"after": task["id"]}} for _ in range(12)),
    ]
    answer = await ana.post("/batch", operations)
    assert answer.status_code == 200, answer.text
    ordered = await ana.all("/tasks", sort="position", project_id=ana.inbox_id)
    assert [one["title"] for one in ordered] == ["x", "a", "x"]


async def test_the_clock_is_the_person_s(ana: Person, turn: Turn) -> None:
    await ana.patch("/users/me", {"timezone": "Pacific/Auckland"})
    task = await ana.make("/tasks", title="x", recurrence={"rrule": "FREQ=DAILY"})
    assert task["due"]["date"] == "2026-01-31"
    turn(datetime(2026, 1, 31, 12, tzinfo=UTC))
    assert clock.now() == datetime(2026, 1, 31, 12, tzinfo=UTC)
    await done(ana, task)
    assert (await the_next(ana))["due"]["date"] == "2026-02-02"
