"""What "$a" stands for has a type, as ids have."""

from typing import Any

import pytest
from tests.support.journals import latest_seq
from tests.support.people import Person
from tests.support.problems import pointers

from dutiful.database.session import Database

P = {"op": "create", "type": "project", "ref": "p", "data": {"name": "Papers"}}
S = {"op": "create", "type": "section", "ref": "s", "data": {"name": "One", "project_id": "$p"}}
T = {"op": "create", "type": "task", "ref": "t", "data": {"title": "x"}}
L = {"op": "create", "type": "label", "ref": "l", "data": {"name": "home"}}


def update(thing: str | int, **data: Any) -> dict[str, Any]:
    return {"op": "update", "type": "task", "id": thing, "data": data}


def move(kind: str, thing: str | int, **data: Any) -> dict[str, Any]:
    return {"op": "move", "type": kind, "id": thing, "data": data}


async def test_a_ref_to_a_project_is_no_task_that_has_its_id(ana: Person) -> None:
    # Ids are counted for each type, so that of the next project may be a task's.
    made = await ana.make("/projects", name="Before")
    tasks = (await ana.post("/tasks/batch", [{"title": "keep me"}] * 300)).json()["items"]
    assert made["id"] + 1 <= tasks[-1]["id"]
    refused = await ana.post("/batch", [P, {"op": "delete", "type": "task", "id": "$p"}])
    assert pointers(refused) == ["/1/id"]
    assert len(await ana.all("/tasks", limit=200)) == 300


@pytest.mark.parametrize(
    ("operation", "pointer"),
    [
        (update("$p", title="y"), "/id"),
        (move("section", "$t", after=1), "/id"),
        ({"op": "delete", "type": "label", "id": "$t"}, "/id"),
        ({"op": "delete", "type": "project", "id": "$s"}, "/id"),
        (update("$t", project_id="$s"), "/data/project_id"),
        (update("$t", section_id="$p"), "/data/section_id"),
        (update("$t", parent_id="$p"), "/data/parent_id"),
        (update("$t", label_ids=["$t"]), "/data/label_ids/0"),
        (update("$t", labels_add=["$l", "$p"]), "/data/labels_add/1"),
        (update("$t", labels_remove=["$s"]), "/data/labels_remove/0"),
        (move("task", "$t", after="$p"), "/data/after"),
        (move("project", "$p", before="$t"), "/data/before"),
        (move("section", "$s", before="$p"), "/data/before"),
        ({"op": "create", "type": "section", "data": {"name": "x", "project_id": "$t"}}, "/data/project_id"),
        ({"op": "create", "type": "task", "data": {"title": "x", "section_id": "$l"}}, "/data/section_id"),
    ],
)
async def test_a_ref_to_another_type_is_named_before_anything_is_written(
    ana: Person, database: Database, operation: dict[str, Any], pointer: str
) -> None:
    seq = await latest_seq(database, ana.workspace_id)
    assert pointers(await ana.post("/batch", [P, S, T, L, operation])) == [f"/4{pointer}"]
    assert await latest_seq(database, ana.workspace_id) == seq
