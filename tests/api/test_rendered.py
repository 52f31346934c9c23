"""Lists that are made of rows, past the models and their schemas, say what those would."""

import json
from typing import Any

from sqlalchemy import text
from tests.support.journals import changes_of, tasks_of
from tests.support.people import Person

from dutiful.changes import queries
from dutiful.changes.schemas import ChangeOut
from dutiful.changes.stream import Line
from dutiful.database.session import Database, Writer
from dutiful.tasks.schemas import TaskOut

# Past the lane, which knows no order but the usual.
LIST = "/tasks?sort=-id&limit=200"
HOSTILE = 'quotes " and \\ and </script>, \u2028\u2029, \x7f\x1b\t\r\n, 🏳️‍🌈, \ufeff, İ'

MOMENTS = ("0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "infinity", "-infinity")
MORE_MOMENTS = ("2026-11-24 12:00:00+00", "2026-11-24 12:00:00.5+00", "2026-11-24 12:00:00.000001+14")


async def execute(database: Database, statement: str, **values: Any) -> None:
    async def work(session: Writer) -> None:
        await session.execute(text(statement), values)

    await database.write(work)


def told(text: str) -> str:
    """The items as text: in the same order, with the same fields in the same order."""
    return json.dumps(json.loads(text)["items"], ensure_ascii=False)


def shown(things: list[ChangeOut] | list[TaskOut]) -> str:
    return json.dumps([json.loads(thing.model_dump_json()) for thing in things], ensure_ascii=False)


async def test_a_list_of_tasks_shows_what_the_schema_says(ana: Person, database: Database) -> None:
    await ana.make("/tasks", title=HOSTILE, description=HOSTILE, priority="urgent", labels_add=["x", "ÿ"])
    await ana.make(
        "/tasks", title="x", due={"date": "0001-01-02"}, start={"date": "9999-12-30"}, status="done"
    )
    await ana.make("/tasks", title="x", due={"date": "2026-12-01", "time": "17:00"}, assignee_id=ana.user_id)
    when = {"date": "2026-12-01", "time": "00:00:30", "timezone": "Asia/Kolkata"}
    parent = await ana.make("/tasks", title="x", due=when, start=when, uid=HOSTILE.replace("\n", ""))
    for moment in (*MOMENTS, *MORE_MOMENTS):
        task = await ana.make("/tasks", title=moment, parent_id=parent["id"], status="cancelled")
        await execute(
            database,
            "UPDATE tasks SET created_at = CAST(:at AS text)::timestamptz, "
            "updated_at = CAST(:at AS text)::timestamptz, completed_at = CAST(:at AS text)::timestamptz "
            "WHERE id = :id",
            at=moment,
            id=task["id"],
        )
    expected = [TaskOut.model_validate(task) for task in reversed(await tasks_of(database, ana.workspace_id))]
    assert told((await ana.get(LIST)).text) == shown(expected)


async def test_the_feed_and_the_stream_show_what_the_schema_says(ana: Person, database: Database) -> None:
    task = await ana.make("/tasks", title=HOSTILE, due={"date": "2026-12-01", "time": "17:00"})
    await ana.patch(f"/tasks/{task['id']}", {"description": HOSTILE, "due": None})
    await ana.post(f"/changes/{ana.workspace_id}-5/undo", {})
    await ana.delete(f"/tasks/{task['id']}")
    for moment in (*MOMENTS, *MORE_MOMENTS):
        await ana.patch(f"/workspaces/{ana.workspace_id}", {"name": moment})
        await execute(
            database,
            "UPDATE changes SET at = CAST(:at AS text)::timestamptz, user_id = NULL, before = CAST(:json AS jsonb), "
            "after = 'null' WHERE workspace_id = :workspace_id AND after ->> 'name' = :at",
            at=moment,
            workspace_id=ana.workspace_id,
            json=json.dumps({"z": [1, 1.0, -0.5, 2**53], "a": {"": None, HOSTILE: HOSTILE}, "e": {}}),
        )
    kept = await changes_of(database, ana.workspace_id)
    assert len({change.undo_of for change in kept}) > 1
    expected = shown([ChangeOut.model_validate(change) for change in kept])
    assert told((await ana.get(f"/workspaces/{ana.workspace_id}/changes?after=0")).text) == expected
    news = await database.run_read(
        lambda session: queries.changes_behind(session, {ana.workspace_id: 0}, 1000)
    )
    lines = [Line.of(change) for change in news]
    assert json.dumps([json.loads(line.data) for line in lines], ensure_ascii=False) == expected
    # An event ends where a line does.
    assert not any(b"\n" in line.data or b"\r" in line.data for line in lines)
