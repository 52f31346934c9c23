"""POST /batch: operations of several kinds in one transaction."""

from typing import Any

import pytest
from tests.support.journals import changes_of, latest_seq, tasks_of
from tests.support.people import Person
from tests.support.problems import pointers, problem
from tests.support.sharing import make_shared
from tests.support.statements import count_statements

from dutiful.database.session import Database


def create(kind: str, ref: str | None = None, **data: Any) -> dict[str, Any]:
    return {"op": "create", "type": kind, "data": data} | ({"ref": ref} if ref else {})


def update(kind: str, thing: int | str, version: int | None = None, **data: Any) -> dict[str, Any]:
    operation = {"op": "update", "type": kind, "id": thing, "data": data}
    return operation | ({"version": version} if version else {})


def move(kind: str, thing: int | str, **data: Any) -> dict[str, Any]:
    return {"op": "move", "type": kind, "id": thing, "data": data}


def delete(kind: str, thing: int | str) -> dict[str, Any]:
    return {"op": "delete", "type": kind, "id": thing}


async def run(person: Person, *operations: dict[str, Any]) -> list[dict[str, Any]]:
    response = await person.post("/batch", list(operations))
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["count"] == len(body["items"]) == len(operations)
    items: list[dict[str, Any]] = body["items"]
    return items


async def test_what_one_operation_makes_the_next_can_name(ana: Person) -> None:
    project, section, label, top, child, renamed = await run(
        ana,
        create("project", "p", name="Papers"),
        create("section", "s", name="Urgent", project_id="$p"),
        create("label", "l", name="home"),
        create("task", "t", title="Top", section_id="$s", label_ids=["$l"], labels_add=["$l", "$new"]),
        create("task", title="Child", parent_id="$t"),
        update("task", "$t", title="Top!"),
    )
    assert section["item"]["project_id"] == project["id"]
    assert (top["item"]["section_id"], top["item"]["title"]) == (section["id"], "Top!")
    assert label["id"] in top["item"]["label_ids"]
    assert child["item"]["parent_id"] == top["id"]
    assert renamed["id"] == top["id"]
    # In a list that takes names, "$new" is a name like any other when nothing was made as `new`.
    assert {label["name"] for label in await ana.all("/labels")} == {"home", "$new"}


async def test_each_item_is_as_it_is_after_the_whole_batch(ana: Person) -> None:
    made, changed, gone, deletion = await run(
        ana,
        create("task", "a", title="1"),
        update("task", "$a", title="2", priority="high"),
        create("task", "b", title="short-lived"),
        delete("task", "$b"),
    )
    assert made["item"] == changed["item"] == (await ana.get(f"/tasks/{made['id']}")).json()
    assert (gone["item"], deletion["item"], gone["id"]) == (None, None, deletion["id"])
    problem(await ana.get(f"/tasks/{gone['id']}"), 404)


async def test_every_verb_works_on_what_is_there(ana: Person, database: Database) -> None:
    project = await ana.make("/projects", name="Papers")
    other = await ana.make("/projects", name="Garden")
    section = await ana.make("/sections", name="One", project_id=project["id"])
    second = await ana.make("/sections", name="Two", project_id=project["id"])
    label = await ana.make("/labels", name="home")
    task = await ana.make("/tasks", title="x")
    seq = await latest_seq(database, ana.workspace_id)
    await run(
        ana,
        update("project", project["id"], name="Documents"),
        move("project", project["id"], after=other["id"]),
        update("section", section["id"], name="First"),
        move("section", section["id"], after=second["id"]),
        update("label", label["id"], color="#ff0000"),
        update("task", task["id"], status="done"),
        move("task", task["id"], section_id=section["id"]),
        delete("section", second["id"]),
        delete("label", label["id"]),
        delete("project", other["id"]),
    )
    changes = await changes_of(database, ana.workspace_id, seq)
    assert [change.verb for change in changes] == [
        "project.updated",
        "project.moved",
        "section.updated",
        "section.moved",
        "label.updated",
        "task.completed",
        "task.moved",
        "section.deleted",
        "label.deleted",
        "project.deleted",
    ]
    assert len({change.request_id for change in changes}) == 1


async def test_a_stale_version_is_412_with_its_place_and_what_is_there_now(ana: Person) -> None:
    task = await ana.make("/tasks", title="1")
    current = (await ana.patch(f"/tasks/{task['id']}", {"title": "2"})).json()
    operations = [create("task", title="new"), update("task", task["id"], version=1, title="3")]
    refused = await ana.post("/batch", operations)
    document = problem(refused, 412, "stale_version")
    assert [error["pointer"] for error in document["errors"]] == ["/1/version"]
    assert document["current"] == current
    assert refused.headers["etag"] == '"2"'
    assert await ana.all("/tasks") == [current]
    await run(ana, update("task", task["id"], version=2, title="3"))


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([create("task", title="", project_id="$p")], ["/0/data/project_id"]),
        ([create("task", title="")], ["/0/data/title"]),
        ([create("task", title="x"), create("task", title="x", tilte="y")], ["/1/data/tilte"]),
        (
            [create("task", title="x", project_id="$later"), create("project", "later", name="P")],
            ["/0/data/project_id"],
        ),
        ([create("task", "me", title="x", parent_id="$me")], ["/0/data/parent_id"]),
        ([update("task", "$nobody", title="x")], ["/0/id"]),
        ([create("task", "a", title="x"), create("task", "a", title="y")], ["/1/ref"]),
        ([create("task", "a b", title="x")], ["/0/ref"]),
        ([{"op": "create", "type": "task", "id": 5, "data": {"title": "x"}}], ["/0/id"]),
        ([{"op": "update", "type": "task", "data": {"title": "x"}}], ["/0/id"]),
        ([{"op": "delete", "type": "task"}], ["/0/id"]),
        ([{"op": "delete", "type": "task", "id": 5, "ref": "a"}], ["/0/ref"]),
        ([{"op": "delete", "type": "task", "id": 5, "data": {"x": 1}}], ["/0/data"]),
        ([{"op": "move", "type": "label", "id": 5}], ["/0/op"]),
        ([{"op": "burn", "type": "task", "id": 5}], ["/0/op"]),
        ([{"op": "create", "type": "token", "data": {}}], ["/0/type"]),
        ([{"op": "create", "type": "task", "data": []}], ["/0/data"]),
        ([create("task", title="x") | {"extra": 1}], ["/0/extra"]),
        ([create("task", title="x", label_ids=["$x"])], ["/0/data/label_ids/0"]),
        ([move("task", 5, project_id=None)], ["/0/data/project_id"]),
        ([update("task", 5, due={"date": "soon"})], ["/0/data/due/date"]),
        ([update("task", 5, version=2**40)], ["/0/version"]),
    ],
)
async def test_a_bad_operation_is_named_and_nothing_is_done(
    ana: Person, database: Database, operations: list[dict[str, Any]], expected: list[str]
) -> None:
    seq = await latest_seq(database, ana.workspace_id)
    assert pointers(await ana.post("/batch", [*operations, create("label", name="new")])) == expected
    assert await latest_seq(database, ana.workspace_id) == seq
    assert await tasks_of(database, ana.workspace_id) == []
    assert await ana.all("/labels") == []


@pytest.mark.parametrize("body", [[], {}, None, [create("task", title="x")] * 1001])
async def test_what_is_no_list_of_operations_is_refused(ana: Person, body: Any) -> None:
    problem(await ana.post("/batch", body), 422, "invalid")


async def test_a_failure_at_the_end_undoes_all_before_it(
    ana: Person, bob: Person, database: Database
) -> None:
    seq = await latest_seq(database, ana.workspace_id)
    theirs = await bob.make("/tasks", title="Secret")
    label = await bob.make("/labels", name="secret")
    before = [create("project", "p", name="Papers"), create("task", title="x", project_id="$p")]
    for operation, status, pointer in (
        (update("task", theirs["id"], title="mine"), 404, "/2"),
        (delete("task", theirs["id"]), 404, "/2"),
        (move("task", theirs["id"], project_id=ana.inbox_id), 404, "/2"),
        (delete("label", label["id"]), 404, "/2"),
        (create("task", title="x", parent_id=theirs["id"]), 422, "/2/data/parent_id"),
        (create("task", title="x", project_id=bob.inbox_id), 422, "/2/data/project_id"),
        (create("task", title="x", label_ids=[label["id"]]), 422, "/2/data/label_ids/0"),
        (create("task", title="x", workspace_id=bob.workspace_id), 422, "/2/data/workspace_id"),
        (create("project", name="x", workspace_id=bob.workspace_id), 422, "/2/data/workspace_id"),
        (create("section", name="x", project_id=bob.inbox_id), 422, "/2/data/project_id"),
        (create("label", name="x", workspace_id=bob.workspace_id), 422, "/2/data/workspace_id"),
        (create("project", name="PAPERS"), 409, "/2/data/name"),
        (delete("project", ana.inbox_id), 409, "/2"),
    ):
        refused = await ana.post("/batch", [*before, operation])
        assert pointers(refused, status) == [pointer], operation
    assert await latest_seq(database, ana.workspace_id) == seq
    assert [project["name"] for project in await ana.all("/projects")] == ["Inbox"]
    assert (await bob.get(f"/tasks/{theirs['id']}")).json() == theirs


async def test_a_viewer_may_not(ana: Person, bob: Person, database: Database) -> None:
    shared = await make_shared(ana, bob, role="viewer")
    task = await ana.make("/tasks", title="x", workspace_id=shared.id)
    for operation in (
        create("task", title="y", workspace_id=shared.id),
        update("task", task["id"], title="y"),
        move("task", task["id"], project_id=shared.inbox_id),
        delete("task", task["id"]),
    ):
        problem(await bob.post("/batch", [create("task", title="own"), operation]), 403, "forbidden")
    assert await tasks_of(database, bob.workspace_id) == []
    assert (await ana.get(f"/tasks/{task['id']}")).json() == task


async def test_a_thousand_tasks_in_a_row_are_made_at_once(ana: Person, database: Database) -> None:
    operations = [create("project", "p", name="Papers")]
    operations += [create("task", f"t{number}", title="x", project_id="$p") for number in range(999)]
    with count_statements(database) as statements:
        items = await run(ana, *operations)
    assert len(statements) <= 25, len(statements)
    assert len({item["id"] for item in items[1:]}) == 999


async def test_operations_of_every_kind_may_take_turns(ana: Person) -> None:
    operations: list[dict[str, Any]] = []
    for number in range(10):
        operations += [
            create("project", f"p{number}", name=f"Project {number}"),
            create("task", f"t{number}", title="x", project_id=f"$p{number}"),
            update("task", f"$t{number}", priority="high"),
            create("label", f"l{number}", name=f"label {number}"),
            update("task", f"$t{number}", labels_add=[f"$l{number}"]),
        ]
    items = await run(ana, *operations)
    assert {item["item"]["version"] for item in items if item["type"] == "task"} == {3}
