"""Deleting and restoring."""

from typing import Any

from tests.support.journals import changes_of, tasks_of
from tests.support.people import Person
from tests.support.problems import problem

from dutiful.database.session import Database


async def make_family(person: Person) -> tuple[int, int, int]:
    """Top, child and grandchild."""
    top = await person.make("/tasks", title="top")
    child = await person.make("/tasks", title="child", parent_id=top["id"])
    grandchild = await person.make("/tasks", title="grandchild", parent_id=child["id"])
    return top["id"], child["id"], grandchild["id"]


async def titles(person: Person) -> set[str]:
    return {task["title"] for task in await person.all("/tasks")}


async def delete(person: Person, task_id: int) -> None:
    response = await person.delete(f"/tasks/{task_id}")
    assert (response.status_code, response.content) == (204, b"")


async def restore(person: Person, task_id: int) -> dict[str, Any]:
    response = await person.post(f"/tasks/{task_id}/restore")
    assert response.status_code == 200, response.text
    task: dict[str, Any] = response.json()
    assert response.headers["etag"] == f'"{task["version"]}"'
    return task


async def test_a_deleted_task_is_nowhere_to_be_found(ana: Person) -> None:
    task = await ana.make("/tasks", title="x")
    await delete(ana, task["id"])
    path = f"/tasks/{task['id']}"
    for response in (
        await ana.get(path),
        await ana.patch(path, {"title": "y"}),
        await ana.put(path, {"title": "y"}),
        await ana.post(f"{path}/move", {"project_id": ana.inbox_id}),
        await ana.delete(path),
    ):
        problem(response, 404, "not_found")
    assert await ana.all("/tasks") == []


async def test_a_task_comes_back_as_it_was(ana: Person) -> None:
    task = await ana.make("/tasks", title="x", due={"date": "2026-12-01"}, labels_add=["home"])
    await delete(ana, task["id"])
    restored = await restore(ana, task["id"])
    moving = {"version": 3, "updated_at": restored["updated_at"]}
    assert restored == task | moving
    assert await ana.all("/tasks") == [restored]


async def test_only_what_is_in_the_trash_can_be_restored(ana: Person) -> None:
    task = await ana.make("/tasks", title="x")
    problem(await ana.post(f"/tasks/{task['id']}/restore"), 404, "not_found")
    problem(await ana.post(f"/tasks/{2**62}/restore"), 404, "not_found")


async def test_subtasks_go_and_come_back_with_their_parent(ana: Person, database: Database) -> None:
    top, child, grandchild = await make_family(ana)
    await delete(ana, top)
    assert await titles(ana) == set()
    await restore(ana, top)
    assert await titles(ana) == {"top", "child", "grandchild"}
    assert (await ana.get(f"/tasks/{grandchild}")).json()["parent_id"] == child
    verbs = [change.verb for change in await changes_of(database, ana.workspace_id)][-6:]
    assert verbs == ["task.deleted"] * 3 + ["task.restored"] * 3


async def test_what_was_deleted_before_stays_in_its_own_group(ana: Person) -> None:
    top, child, _ = await make_family(ana)
    await ana.make("/tasks", title="other child", parent_id=top)
    await delete(ana, child)
    await delete(ana, top)
    await restore(ana, top)
    assert await titles(ana) == {"top", "other child"}
    await restore(ana, child)
    assert await titles(ana) == {"top", "child", "grandchild", "other child"}
    assert (await ana.get(f"/tasks/{child}")).json()["parent_id"] == top


async def test_restoring_one_of_a_group_brings_the_group(ana: Person) -> None:
    top, _, grandchild = await make_family(ana)
    await delete(ana, top)
    await restore(ana, grandchild)
    assert await titles(ana) == {"top", "child", "grandchild"}


async def test_a_child_whose_parent_is_still_in_the_trash_comes_back_on_its_own(ana: Person) -> None:
    top, child, grandchild = await make_family(ana)
    await delete(ana, child)
    await delete(ana, top)
    assert (await restore(ana, child))["parent_id"] is None
    assert await titles(ana) == {"child", "grandchild"}
    assert (await ana.get(f"/tasks/{grandchild}")).json()["parent_id"] == child
    await restore(ana, top)
    assert await titles(ana) == {"top", "child", "grandchild"}


async def test_a_restored_task_finds_its_place_among_the_others(ana: Person) -> None:
    ids = [(await ana.make("/tasks", title=title))["id"] for title in "abc"]
    await delete(ana, ids[1])
    await ana.make("/tasks", title="d")
    await restore(ana, ids[1])
    assert [task["title"] for task in await ana.all("/tasks", sort="position")] == ["a", "b", "c", "d"]


async def test_a_task_follows_its_parent_even_from_the_trash(ana: Person) -> None:
    project = await ana.make("/projects", name="Papers")
    top, child, grandchild = await make_family(ana)
    await delete(ana, child)
    await ana.post(f"/tasks/{top}/move", {"project_id": project["id"]})
    await restore(ana, child)
    for task_id in (child, grandchild):
        assert (await ana.get(f"/tasks/{task_id}")).json()["project_id"] == project["id"]


async def test_a_task_whose_project_is_in_the_trash_waits_for_it(ana: Person) -> None:
    project = await ana.make("/projects", name="Papers")
    task = await ana.make("/tasks", title="x", project_id=project["id"])
    await delete(ana, task["id"])
    assert (await ana.delete(f"/projects/{project['id']}")).status_code == 204
    problem(await ana.post(f"/tasks/{task['id']}/restore"), 409, "in_trash")
    assert (await ana.post(f"/projects/{project['id']}/restore")).status_code == 200
    # It went to the trash on its own, so it does not come back with the project.
    assert await titles(ana) == set()
    await restore(ana, task["id"])
    assert await titles(ana) == {"x"}


async def test_a_task_whose_section_is_gone_comes_back_without_it(ana: Person) -> None:
    project = await ana.make("/projects", name="Papers")
    section = await ana.make("/sections", name="Urgent", project_id=project["id"])
    task = await ana.make("/tasks", title="x", section_id=section["id"])
    await delete(ana, task["id"])
    assert (await ana.delete(f"/sections/{section['id']}")).status_code == 204
    restored = await restore(ana, task["id"])
    assert (restored["project_id"], restored["section_id"]) == (project["id"], None)


async def test_nothing_is_really_gone(ana: Person, database: Database) -> None:
    top, *_ = await make_family(ana)
    await delete(ana, top)
    tasks = await tasks_of(database, ana.workspace_id)
    assert len(tasks) == 3
    assert len({task.trash_id for task in tasks}) == 1
    assert all(task.deleted_at is not None for task in tasks)


async def test_a_restore_that_rests_on_an_old_version_is_refused(ana: Person) -> None:
    task = await ana.make("/tasks", title="x")
    await ana.delete(f"/tasks/{task['id']}")
    path = f"/tasks/{task['id']}/restore"
    assert (await ana.post(path, headers={"If-Match": '"1"'})).status_code == 412
    assert (await ana.post(path, headers={"If-Match": '"2"'})).status_code == 200
