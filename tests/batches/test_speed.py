"""However many operations there are, the database is asked a handful of times."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.journals import changes_of, latest_seq
from tests.support.people import Person
from tests.support.statements import count_statements

from dutiful.database.session import Database

COUNT = 300

Make = Callable[[dict[str, int]], dict[str, Any]]


def operation(op: str, **data: Any) -> dict[str, Any]:
    return {"op": op, "type": "task"} | ({"data": data} if data else {})


@pytest.mark.parametrize(
    "make",
    [
        lambda _: operation("update", title="new") | {"version": 1},
        lambda _: operation("update", labels_add=["home", "work"], labels_remove=["old"]),
        lambda names: operation("update", assignee_id=names["user"]),
        lambda names: operation("update", project_id=names["project"]),
        lambda names: operation("move", project_id=names["project"]),
        lambda names: operation("move", section_id=names["section"]),
        lambda names: operation("move", parent_id=names["task"]),
        lambda names: operation("move", before=names["neighbour"]),
        lambda _: operation("delete"),
    ],
    ids=["title", "labels", "person", "place", "project", "section", "parent", "neighbour", "delete"],
)
async def test_operations_of_a_kind_take_a_handful_of_statements(
    ana: Person, database: Database, make: Make
) -> None:
    project = await ana.make("/projects", name="Papers")
    section = await ana.make("/sections", name="One", project_id=project["id"])
    parent = await ana.make("/tasks", title="parent")
    items = (await ana.post("/tasks/batch", [{"title": "x"}] * COUNT)).json()["items"]
    ids = [item["id"] for item in items]
    names = {
        "project": project["id"],
        "section": section["id"],
        "task": parent["id"],
        "user": ana.user_id,
    }
    names["neighbour"] = ids.pop()
    seq = await latest_seq(database, ana.workspace_id)
    with count_statements(database) as statements:
        response = await ana.post("/batch", [make(names) | {"id": task_id} for task_id in ids])
    assert response.status_code == 200, response.text
    assert len(statements) <= 25, len(statements)
    changes = await changes_of(database, ana.workspace_id, seq)
    assert {change.entity_id for change in changes if change.entity == "task"} >= set(ids[:-1])
