"""Tasks that repeat, when many are at them at once, or somebody is at what comes with them."""

import asyncio
import uuid
from typing import Any

import pytest
from tests.support.journals import changes_of
from tests.support.people import Person
from tests.support.problems import pointers, problem
from tests.support.replaying import replay, state_of_tables
from tests.support.undoing import undo

from dutiful import positions
from dutiful.database.session import Database

DAILY = {"rrule": "FREQ=DAILY"}
TODAY = {"date": "2026-01-31"}
DONE = {"status": "done"}
OPEN = {"status": "open"}


async def open_ones(ana: Person) -> list[Any]:
    return await ana.all("/tasks", status="open")


async def repeating(ana: Person, **fields: Any) -> Any:
    return await ana.make("/tasks", **{"title": "x", "due": TODAY, "recurrence": DAILY} | fields)


async def patch(ana: Person, task: Any, fields: Any) -> Any:
    response = await ana.patch(f"/tasks/{task['id']}", fields)
    assert response.status_code == 200, response.text
    return response.json()


async def complete(ana: Person, task: Any) -> Any:
    """The next one."""
    known = {one["id"] for one in await open_ones(ana)}
    await patch(ana, task, DONE)
    (made,) = [
        one for one in await open_ones(ana) if one["id"] not in known and one["title"] == task["title"]
    ]
    return made


async def changes(ana: Person) -> list[Any]:
    params = {"limit": 1000}
    return list((await ana.get(f"/workspaces/{ana.workspace_id}/changes", params=params)).json()["items"])


def in_batch(op: str, task: Any, **data: Any) -> Any:
    return {"op": op, "type": "task", "id": task["id"], **({"data": data} if data else {})}


# --- what was made, and who worked on it ------------------------------------------------------------------------------


async def test_a_subtask_that_somebody_added_to_the_next_is_work_on_it(ana: Person) -> None:
    task = await repeating(ana)
    following = await complete(ana, task)
    added = await ana.make("/tasks", title="mine", parent_id=following["id"])
    await patch(ana, task, OPEN)
    assert added["id"] in {one["id"] for one in await open_ones(ana)}


async def test_what_an_undo_brought_back_nobody_has_worked_on(ana: Person) -> None:
    task = await repeating(ana)
    await complete(ana, task)
    taken_back = await undo(ana, (await changes(ana))[-1]["id"], request=True)
    await undo(ana, taken_back["items"][-1]["id"], request=True)
    assert (await ana.get(f"/tasks/{task['id']}")).json()["status"] == "done"
    await patch(ana, task, OPEN)
    assert [one["id"] for one in await open_ones(ana)] == [task["id"]]


async def test_another_place_in_the_list_is_no_work_on_the_next(ana: Person) -> None:
    task = await repeating(ana)
    following = await complete(ana, task)
    await ana.post(f"/tasks/{following['id']}/move", {"before": task["id"]})
    await patch(ana, task, OPEN)
    assert [one["id"] for one in await open_ones(ana)] == [task["id"]]


async def test_done_and_opened_until_all_get_new_keys_the_journal_still_tells_it_all(
    ana: Person, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "LONG", 6)
    task = await repeating(ana)
    for number in range(100):
        await patch(ana, task, (DONE, OPEN)[number % 2])
    told = list(await changes_of(database, ana.workspace_id))
    assert "task.moved" in {change.verb for change in told}
    assert replay(told) == await state_of_tables(database, ana.workspace_id)


# --- the next is gone -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["while done", "while open again"])
async def test_if_the_next_was_deleted_the_task_goes_on_by_itself(ana: Person, when: str) -> None:
    task = await repeating(ana)
    following = await complete(ana, task)
    if when == "while open again":
        await patch(ana, following, {"title": "y"})
        await patch(ana, task, OPEN)
    await ana.delete(f"/tasks/{following['id']}")
    await patch(ana, task, OPEN)
    skipped = await ana.post(f"/tasks/{task['id']}/skip")
    assert skipped.status_code == 200, skipped.text
    weekly = await patch(ana, task, {"recurrence": {"rrule": "FREQ=WEEKLY"}})
    assert weekly["recurrence"]["rrule"] == "FREQ=WEEKLY"
    await complete(ana, task)


async def test_completed_again_with_the_next_deleted_it_makes_another(ana: Person) -> None:
    task = await repeating(ana)
    following = await complete(ana, task)
    await ana.delete(f"/tasks/{following['id']}")
    await patch(ana, task, OPEN)
    await complete(ana, task)
    assert len(await open_ones(ana)) == 1


async def test_a_later_one_of_the_series_is_a_next_too(ana: Person) -> None:
    first = await repeating(ana)
    second = await complete(ana, first)
    third = await complete(ana, second)
    await ana.delete(f"/tasks/{second['id']}")
    await patch(ana, first, OPEN)
    await patch(ana, first, DONE)
    assert [one["id"] for one in await open_ones(ana)] == [third["id"]]


async def test_a_series_begins_though_other_tasks_are_later(ana: Person) -> None:
    task = await ana.make("/tasks", title="x")
    await ana.make("/tasks", title="y")
    await repeating(ana)
    begun = await patch(ana, task, {"recurrence": DAILY})
    ended = await patch(ana, task, {"recurrence": None})
    assert (begun["recurrence"]["rrule"], ended["recurrence"]) == ("FREQ=DAILY", None)


async def test_a_next_back_from_the_trash_is_the_next_again(ana: Person) -> None:
    task = await repeating(ana)
    following = await complete(ana, task)
    await patch(ana, task, OPEN)
    await ana.post(f"/tasks/{following['id']}/restore")
    await patch(ana, task, DONE)
    assert [one["id"] for one in await open_ones(ana)] == [following["id"]]


# --- undo of one change -----------------------------------------------------------------------------------------------


async def test_a_completion_is_taken_back_with_the_next_or_not_at_all(ana: Person) -> None:
    task = await repeating(ana)
    following = await complete(ana, task)
    made, completed = (await changes(ana))[-2:]
    refused = problem(await ana.post(f"/changes/{completed['id']}/undo"), 409)
    assert refused["code"] == "series"
    await undo(ana, made["id"])
    await undo(ana, completed["id"])
    assert [one["id"] for one in await open_ones(ana)] == [task["id"]]
    again = await complete(ana, task)
    assert again["id"] != following["id"]


async def test_a_completion_that_made_no_next_is_taken_back_alone(ana: Person) -> None:
    task = await repeating(ana)
    following = await complete(ana, task)
    await patch(ana, task, OPEN)
    await ana.post(f"/tasks/{following['id']}/restore")
    await patch(ana, task, DONE)
    await undo(ana, (await changes(ana))[-1]["id"], request=True)
    assert {one["id"] for one in await open_ones(ana)} == {task["id"], following["id"]}


async def test_a_reopening_is_taken_back_with_the_next_or_not_at_all(ana: Person) -> None:
    task = await repeating(ana)
    following = await complete(ana, task)
    await patch(ana, task, OPEN)
    reopened = (await changes(ana))[-1]
    assert problem(await ana.post(f"/changes/{reopened['id']}/undo"), 409)["code"] == "series"
    await undo(ana, reopened["id"], request=True)
    assert [one["id"] for one in await open_ones(ana)] == [following["id"]]
    await patch(ana, task, OPEN)
    assert [one["id"] for one in await open_ones(ana)] == [task["id"]]


# --- batches ----------------------------------------------------------------------------------------------------------


async def test_in_a_batch_the_next_goes_with_what_is_above_it(ana: Person) -> None:
    above = await ana.make("/tasks", title="above")
    task = await repeating(ana, parent_id=above["id"])
    await ana.make("/tasks", title="below", parent_id=task["id"])
    answer = await ana.post("/batch", [in_batch("update", task, **DONE), in_batch("delete", above)])
    assert answer.status_code == 200, answer.text
    assert await ana.all("/tasks") == []


async def test_in_a_batch_the_next_moves_with_what_is_above_it(ana: Person) -> None:
    home = await ana.make("/projects", name="home")
    above = await ana.make("/tasks", title="above")
    task = await repeating(ana, parent_id=above["id"])
    await ana.make("/tasks", title="below", parent_id=task["id"])
    move = in_batch("move", above, project_id=home["id"])
    answer = await ana.post("/batch", [in_batch("update", task, **DONE), move])
    assert answer.status_code == 200, answer.text
    assert {one["project_id"] for one in await ana.all("/tasks")} == {home["id"]}
    assert len(await ana.all("/tasks")) == 5


async def test_a_batch_moves_behind_in_front_and_around_what_repeats(ana: Person) -> None:
    tasks = [await repeating(ana, title=f"{number}") for number in range(6)]
    operations = []
    for number, task in enumerate(tasks):
        operations += [
            in_batch("move", task, before=tasks[number - 1]["id"]) if number else in_batch("update", task, title="0"),
            in_batch("update", task, **DONE),
            in_batch("move", task, after=tasks[(number + 3) % 6]["id"]),
            in_batch("update", task, **OPEN),
            in_batch("update", task, **DONE),
        ]  # fmt: skip
    answer = await ana.post("/batch", operations)
    assert answer.status_code == 200, answer.text
    assert sorted(one["title"] for one in await open_ones(ana)) == list("012345")


# --- a change of the series -------------------------------------------------------------------------------------------


async def test_the_same_rule_once_more_changes_nothing(ana: Person) -> None:
    task = await repeating(ana, recurrence={"rrule": "FREQ=WEEKLY;COUNT=3"})
    path = f"/tasks/{task['id']}"
    moved = await patch(ana, task, {"due": {"date": "2026-02-02"}})
    same = {name: moved["recurrence"][name] for name in ("rrule", "anchor")}
    for recurrence in ({}, same, {"rrule": same["rrule"]}, {"anchor": "schedule"}):
        for send in (ana.patch, ana.put):
            assert (await send(path, {"recurrence": recurrence})).json() == moved
    assert pointers(await ana.patch(path, {"recurrence": {"rrule": None}})) == ["/recurrence/rrule"]


async def test_a_rest_of_a_series_that_is_put_off_has_as_many_as_were_left(ana: Person) -> None:
    task = await repeating(ana, due={"date": "2040-01-02"}, recurrence={"rrule": "FREQ=WEEKLY;COUNT=3"})
    await ana.post(f"/tasks/{task['id']}/skip")
    changed = await patch(ana, task, {"due": {"date": "2040-01-10"}, "apply_to": "following"})
    assert changed["recurrence"]["rrule"] == "FREQ=WEEKLY;COUNT=2"
    following = await complete(ana, task)
    assert following["due"]["date"] == "2040-01-17"
    await patch(ana, following, DONE)
    assert await open_ones(ana) == []


async def test_what_was_changed_for_this_one_alone_stays_so_when_the_rule_changes(ana: Person) -> None:
    task = await repeating(ana, title="rent")
    await patch(ana, task, {"title": "rent, in cash", "apply_to": "this"})
    await patch(ana, task, {"recurrence": {"rrule": "FREQ=WEEKLY"}, "priority": "high", "apply_to": "this"})
    await patch(ana, task, DONE)
    (following,) = await open_ones(ana)
    assert (following["title"], following["priority"]) == ("rent", "none")


# --- many at once -----------------------------------------------------------------------------------------------------


async def test_many_who_do_all_kinds_of_things_at_once_leave_one_open(ana: Person) -> None:
    task = await repeating(ana)
    path, key = f"/tasks/{task['id']}", {"Idempotency-Key": str(uuid.uuid4())}
    tag = {"If-Match": '"1"'}
    answers = await asyncio.gather(
        *(ana.patch(path, DONE) for _ in range(5)),
        *(ana.patch(path, DONE, headers=key) for _ in range(5)),
        *(ana.patch(path, DONE, headers=tag) for _ in range(5)),
        *(ana.post("/batch", [in_batch("update", task, **DONE)]) for _ in range(5)),
        *(ana.patch(path, {"title": "y"}) for _ in range(3)),
        *(ana.post(f"{path}/skip") for _ in range(3)),
    )
    assert {answer.status_code for answer in answers} <= {200, 409, 412}
    assert len(await open_ones(ana)) == 1


@pytest.mark.parametrize("turns", range(3))
async def test_opened_and_closed_by_many_at_once_there_is_one_or_the_other(ana: Person, turns: int) -> None:
    task = await repeating(ana)
    path = f"/tasks/{task['id']}"
    for _ in range(3):
        answers = await asyncio.gather(
            *(ana.patch(path, (DONE, OPEN)[number % 2]) for number in range(10)),
            *(
                ana.post("/batch", [in_batch("update", task, **(DONE, OPEN)[number % 2])])
                for number in range(10)
            ),
        )
        assert {answer.status_code for answer in answers} == {200}
        assert len(await open_ones(ana)) == 1
