"""Putting tasks in order and into other places."""

import random
from typing import Any

import pytest
from sqlalchemy import update
from tests.support.journals import changes_of, tasks_of
from tests.support.people import Person
from tests.support.problems import pointers, problem
from tests.support.sharing import make_shared

from dutiful.database.session import Database, Writer
from dutiful.models import Task


async def make_three(person: Person, **where: Any) -> list[int]:
    return [(await person.make("/tasks", title=title, **where))["id"] for title in "abc"]


async def order(person: Person, **where: Any) -> str:
    return "".join(task["title"] for task in await person.all("/tasks", sort="position", **where))


async def move(person: Person, task_id: int, **target: Any) -> dict[str, Any]:
    response = await person.post(f"/tasks/{task_id}/move", target)
    assert response.status_code == 200, response.text
    task: dict[str, Any] = response.json()
    assert response.headers["etag"] == f'"{task["version"]}"'
    return task


@pytest.mark.parametrize(
    ("moved", "where", "anchor", "expected"),
    [
        ("c", "before", "a", "cab"),
        ("c", "after", "a", "acb"),
        ("c", "before", "b", "acb"),
        ("a", "after", "c", "bca"),
        ("a", "after", "b", "bac"),
        ("a", "before", "b", "abc"),
        ("b", "after", "a", "abc"),
        ("b", "before", "c", "abc"),
    ],
)
async def test_a_task_goes_right_behind_or_right_ahead_of_another(
    ana: Person, moved: str, where: str, anchor: str, expected: str
) -> None:
    ids = dict(zip("abc", await make_three(ana), strict=True))
    await move(ana, ids[moved], **{where: ids[anchor]})
    assert await order(ana) == expected


async def test_a_move_to_where_it_is_makes_no_version(ana: Person) -> None:
    first, second, _ = await make_three(ana)
    assert (await move(ana, second, after=first))["version"] == 1
    assert (await move(ana, second))["version"] == 1
    assert (await move(ana, second, project_id=ana.inbox_id))["version"] == 1


async def test_hundreds_of_moves_keep_the_order_a_list_would_have(ana: Person, database: Database) -> None:
    dice = random.Random(20261122)  # noqa: S311 - no secret
    expected = [(await ana.make("/tasks", title=str(number)))["id"] for number in range(6)]
    for _ in range(150):
        task_id, anchor = dice.sample(expected, 2)
        where = dice.choice(["after", "before"])
        expected.remove(task_id)
        expected.insert(expected.index(anchor) + (where == "after"), task_id)
        await move(ana, task_id, **{where: anchor})
    tasks = await ana.all("/tasks", sort="position")
    assert [task["id"] for task in tasks] == expected
    assert len({task["position"] for task in tasks}) == len(tasks)


async def test_keys_that_grow_long_are_made_anew_as_one_change(ana: Person, database: Database) -> None:
    left, middle, right = await make_three(ana)
    first = (await ana.get(f"/tasks/{left}")).json()

    async def leave_little_room(session: Writer) -> None:
        key = first["position"] + "0" * 57 + "1"
        await session.execute(update(Task).where(Task.id == middle).values(position=key))

    await database.write(leave_little_room)
    seq = (await changes_of(database, ana.workspace_id))[-1].seq
    await move(ana, right, after=left)
    assert await order(ana) == "acb"
    changes = await changes_of(database, ana.workspace_id, seq)
    assert sorted(change.entity_id for change in changes) == [left, middle, right]
    assert len({change.request_id for change in changes}) == 1
    assert {change.verb for change in changes} == {"task.moved"}
    assert max(len(task["position"]) for task in await ana.all("/tasks")) < 5


async def test_a_task_moves_to_another_project_section_and_parent(ana: Person) -> None:
    project = await ana.make("/projects", name="Papers")
    section = await ana.make("/sections", name="Urgent", project_id=project["id"])
    parent = await ana.make("/tasks", title="Parent", section_id=section["id"])
    task = await ana.make("/tasks", title="x")

    def place(task: dict[str, Any]) -> tuple[Any, ...]:
        return task["project_id"], task["section_id"], task["parent_id"]

    assert place(await move(ana, task["id"], project_id=project["id"])) == (project["id"], None, None)
    in_section = (project["id"], section["id"], None)
    assert place(await move(ana, task["id"], section_id=section["id"])) == in_section
    below = (project["id"], section["id"], parent["id"])
    assert place(await move(ana, task["id"], parent_id=parent["id"])) == below
    assert place(await move(ana, task["id"], parent_id=None)) == in_section
    assert place(await move(ana, task["id"], section_id=None)) == (project["id"], None, None)
    assert place(await move(ana, task["id"], after=parent["id"])) == in_section


async def test_what_is_moved_without_a_neighbour_goes_to_the_end(ana: Person) -> None:
    project = await ana.make("/projects", name="Papers")
    await make_three(ana, project_id=project["id"])
    task = await ana.make("/tasks", title="x")
    await move(ana, task["id"], project_id=project["id"])
    assert await order(ana, project_id=project["id"]) == "abcx"


async def test_a_subtree_follows_its_top_each_as_a_change_of_its_own(ana: Person, database: Database) -> None:
    project = await ana.make("/projects", name="Papers")
    section = await ana.make("/sections", name="Urgent", project_id=project["id"])
    top = await ana.make("/tasks", title="top")
    child = await ana.make("/tasks", title="child", parent_id=top["id"])
    grandchild = await ana.make("/tasks", title="grandchild", parent_id=child["id"])
    seq = (await changes_of(database, ana.workspace_id))[-1].seq
    await move(ana, top["id"], section_id=section["id"])
    for task_id, parent_id in ((child["id"], top["id"]), (grandchild["id"], child["id"])):
        after = (await ana.get(f"/tasks/{task_id}")).json()
        place = (after["project_id"], after["section_id"], after["parent_id"], after["version"])
        assert place == (project["id"], section["id"], parent_id, 2)
    changes = await changes_of(database, ana.workspace_id, seq)
    assert {(change.verb, change.entity_id) for change in changes} == {
        ("task.moved", task["id"]) for task in (top, child, grandchild)
    }


async def test_a_task_cannot_go_below_itself(ana: Person) -> None:
    top = await ana.make("/tasks", title="top")
    child = await ana.make("/tasks", title="child", parent_id=top["id"])
    grandchild = await ana.make("/tasks", title="grandchild", parent_id=child["id"])
    for target in (top, child, grandchild):
        for response in (
            await ana.post(f"/tasks/{top['id']}/move", {"parent_id": target["id"]}),
            await ana.patch(f"/tasks/{top['id']}", {"parent_id": target["id"]}),
        ):
            assert pointers(response) == ["/parent_id"]
    # Nor by being put beside what is below it.
    refused = await ana.post(f"/tasks/{top['id']}/move", {"after": grandchild["id"]})
    assert problem(refused, 422)
    assert (await ana.get(f"/tasks/{top['id']}")).json() == top


async def test_a_move_cannot_nest_deeper_than_five(ana: Person) -> None:
    deep = [await ana.make("/tasks", title="0")]
    for depth in range(1, 5):
        deep.append(await ana.make("/tasks", title=str(depth), parent_id=deep[-1]["id"]))
    top = await ana.make("/tasks", title="top")
    child = await ana.make("/tasks", title="child", parent_id=top["id"])
    refused = await ana.post(f"/tasks/{top['id']}/move", {"parent_id": deep[4]["id"]})
    assert pointers(refused) == ["/parent_id"]
    await move(ana, top["id"], parent_id=deep[3]["id"])
    assert pointers(await ana.post("/tasks", {"title": "x", "parent_id": child["id"]})) == ["/parent_id"]


async def test_what_is_not_there_or_of_another_workspace_is_refused_with_its_pointer(
    ana: Person, bob: Person
) -> None:
    shared = await make_shared(ana, bob)
    task = await ana.make("/tasks", title="x")
    foreign = []
    # Of a workspace she may not see, and of one that she may see but the task is not in.
    for owner, workspace_id in ((bob, bob.workspace_id), (ana, shared.id)):
        project = await owner.make("/projects", name="Elsewhere", workspace_id=workspace_id)
        section = await owner.make("/sections", name="Elsewhere", project_id=project["id"])
        other = await owner.make("/tasks", title="Elsewhere", project_id=project["id"])
        foreign.append((project["id"], section["id"], other["id"]))
    for project_id, section_id, task_id in (*foreign, (2**62,) * 3):
        for field, value in (
            ("project_id", project_id),
            ("section_id", section_id),
            ("parent_id", task_id),
            ("after", task_id),
            ("before", task_id),
        ):
            assert pointers(await ana.post(f"/tasks/{task['id']}/move", {field: value})) == [f"/{field}"]
    assert (await ana.get(f"/tasks/{task['id']}")).json() == task


async def test_a_neighbour_must_be_in_the_place_it_is_named_with(ana: Person) -> None:
    project = await ana.make("/projects", name="Papers")
    there = await ana.make("/tasks", title="there", project_id=project["id"])
    here = await ana.make("/tasks", title="here")
    task = await ana.make("/tasks", title="x")
    wrong = {"project_id": project["id"], "after": here["id"]}
    assert pointers(await ana.post(f"/tasks/{task['id']}/move", wrong)) == ["/after"]
    right = {"project_id": project["id"], "after": there["id"]}
    assert (await ana.post(f"/tasks/{task['id']}/move", right)).status_code == 200


@pytest.mark.parametrize(
    ("target", "pointer"),
    [
        ({"after": 1, "before": 2}, None),
        ({"after": "1"}, "/after"),
        ({"after": 0}, "/after"),
        ({"project_id": None}, "/project_id"),
        ({"position": "a1"}, "/position"),
    ],
)
async def test_a_target_that_means_nothing_is_refused(
    ana: Person, target: dict[str, Any], pointer: str | None
) -> None:
    task = await ana.make("/tasks", title="x")
    found = pointers(await ana.post(f"/tasks/{task['id']}/move", target))
    assert pointer is None or found == [pointer]


async def test_a_task_is_no_neighbour_of_itself(ana: Person) -> None:
    task = await ana.make("/tasks", title="x")
    for field in ("after", "before"):
        assert pointers(await ana.post(f"/tasks/{task['id']}/move", {field: task["id"]})) == [f"/{field}"]


async def test_a_task_put_into_a_trashed_project_or_below_a_trashed_task_stays(ana: Person) -> None:
    project = await ana.make("/projects", name="Papers")
    parent = await ana.make("/tasks", title="Parent")
    task = await ana.make("/tasks", title="x")
    await ana.delete(f"/projects/{project['id']}")
    await ana.delete(f"/tasks/{parent['id']}")
    for field, value in (("project_id", project["id"]), ("parent_id", parent["id"]), ("after", parent["id"])):
        assert pointers(await ana.post(f"/tasks/{task['id']}/move", {field: value})) == [f"/{field}"]


async def test_order_keys_are_unique_in_a_place_the_trash_included(ana: Person, database: Database) -> None:
    first, second, third = await make_three(ana)
    await ana.delete(f"/tasks/{third}")
    fourth = await ana.make("/tasks", title="d")
    await move(ana, first, after=fourth["id"])
    await ana.post(f"/tasks/{third}/restore")
    keys = [task.position for task in await tasks_of(database, ana.workspace_id)]
    assert len(set(keys)) == len(keys)
    assert await order(ana) == "bcda"
    assert second


async def test_a_project_that_does_not_go_with_the_neighbour_is_refused(ana: Person) -> None:
    project = await ana.make("/projects", name="Garden")
    there = await ana.make("/tasks", title="there", project_id=project["id"])
    here = await ana.make("/tasks", title="here")
    response = await ana.post(f"/tasks/{here['id']}/move", {"project_id": ana.inbox_id, "after": there["id"]})
    assert pointers(response) == ["/project_id"]
    assert (await ana.get(f"/tasks/{here['id']}")).json()["project_id"] == ana.inbox_id
