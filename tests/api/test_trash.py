"""The list of what was deleted."""

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.support.people import Person
from tests.support.problems import pointers, problem
from tests.support.sharing import make_shared, remove_member

from dutiful.database.session import Database
from dutiful.models import Task
from dutiful.settings import Settings


async def trash(person: Person, **params: Any) -> list[tuple[str, str, int]]:
    """Type, name and how many went along."""
    return [(one["type"], one["name"], one["along"]) for one in await person.all("/trash", **params)]


async def delete(person: Person, path: str) -> None:
    assert (await person.delete(path)).status_code == 204


async def fill(person: Person, **where: Any) -> dict[str, int]:
    """A project with a section, four tasks and a label."""
    project = (await person.make("/projects", name="Papers", **where))["id"]
    section = (await person.make("/sections", name="Urgent", project_id=project))["id"]
    inside = (await person.make("/tasks", title="inside", section_id=section))["id"]
    await person.make("/tasks", title="below", parent_id=inside)
    top = (await person.make("/tasks", title="top", project_id=project))["id"]
    child = (await person.make("/tasks", title="child", parent_id=top))["id"]
    label = (await person.make("/labels", name="home", **where))["id"]
    return {
        "project": project,
        "section": section,
        "inside": inside,
        "top": top,
        "child": child,
        "label": label,
    }


async def test_each_deletion_is_one_entry_with_what_went_along(ana: Person) -> None:
    ids = await fill(ana)
    assert await trash(ana) == []
    await delete(ana, f"/tasks/{ids['child']}")
    await delete(ana, f"/tasks/{ids['top']}")
    await delete(ana, f"/labels/{ids['label']}")
    assert await trash(ana) == [("label", "home", 0), ("task", "top", 0), ("task", "child", 0)]
    await delete(ana, f"/sections/{ids['section']}")
    assert (await trash(ana))[0] == ("section", "Urgent", 2)
    await delete(ana, f"/projects/{ids['project']}")
    # What was there before stays an entry of its own.
    assert [name for _, name, _ in await trash(ana)] == ["Papers", "Urgent", "home", "top", "child"]
    assert (await trash(ana))[0] == ("project", "Papers", 0)


async def test_a_project_goes_with_its_sections_and_tasks(ana: Person) -> None:
    ids = await fill(ana)
    await delete(ana, f"/projects/{ids['project']}")
    assert await trash(ana) == [("project", "Papers", 5)]
    top = await ana.make("/tasks", title="top")
    await ana.make("/tasks", title="child", parent_id=top["id"])
    await delete(ana, f"/tasks/{top['id']}")
    assert await trash(ana) == [("task", "top", 1), ("project", "Papers", 5)]


async def test_an_entry_says_what_a_client_needs_to_restore_it(ana: Person, settings: Settings) -> None:
    ids = await fill(ana)
    await delete(ana, f"/tasks/{ids['top']}")
    await delete(ana, f"/labels/{ids['label']}")
    await delete(ana, f"/projects/{ids['project']}")
    for entry in await ana.all("/trash"):
        assert entry["workspace_id"] == ana.workspace_id
        deleted_at, purge_at = (dt.datetime.fromisoformat(entry[name]) for name in ("deleted_at", "purge_at"))
        assert purge_at - deleted_at == dt.timedelta(days=settings.trash_days)
        path = f"/{entry['type']}s/{entry['id']}/restore"
        restored = await ana.post(path, headers={"If-Match": f'"{entry["version"]}"'})
        assert restored.status_code == 200, restored.text
        assert restored.json()["id"] == entry["id"]
        assert restored.json().get("name", restored.json().get("title")) == entry["name"]
    assert await ana.all("/trash") == []


async def test_all_entries_account_for_everything_in_the_trash(ana: Person, database: Database) -> None:
    ids = await fill(ana)
    for path in (f"/tasks/{ids['top']}", f"/sections/{ids['section']}", f"/projects/{ids['project']}"):
        await delete(ana, path)
    tasks = sum(along + (kind == "task") for kind, _, along in await trash(ana))
    statement = select(func.count()).where(
        Task.workspace_id == ana.workspace_id, Task.deleted_at.is_not(None)
    )
    async with database.read() as session:
        assert tasks == await session.scalar(statement)


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
async def test_pages_give_each_entry_once_the_newest_first(ana: Person, limit: int) -> None:
    names = []
    for number in range(4):
        for path in ("/projects", "/labels"):
            thing = await ana.make(path, name=f"{path} {number}")
            await delete(ana, f"{path}/{thing['id']}")
            names.append(thing["name"])
    # Deleted in one transaction, and perhaps in one moment.
    tasks = [await ana.make("/tasks", title=f"{number}") for number in range(3)]
    operations = [{"op": "delete", "type": "task", "id": task["id"]} for task in tasks]
    assert (await ana.post("/batch", operations)).status_code == 200
    entries = await ana.all("/trash", limit=limit)
    assert {entry["name"] for entry in entries[:3]} == {"0", "1", "2"}
    assert [entry["name"] for entry in entries[3:]] == names[::-1]
    assert [entry["name"] for entry in await ana.all("/trash", limit=limit, skip=0)] == [
        entry["name"] for entry in entries
    ]


async def test_the_trash_of_one_workspace_can_be_asked_for(ana: Person) -> None:
    shared = await make_shared(ana)
    for workspace_id in (shared.id, ana.workspace_id):
        task = await ana.make("/tasks", title=f"{workspace_id}", workspace_id=workspace_id)
        await delete(ana, f"/tasks/{task['id']}")
    assert await trash(ana, workspace_id=shared.id) == [("task", f"{shared.id}", 0)]
    assert len(await trash(ana)) == 2


async def test_strangers_see_nothing_and_viewers_see_but_restore_nothing(ana: Person, bob: Person) -> None:
    shared = await make_shared(ana, bob, role="viewer")
    ids = await fill(ana, workspace_id=shared.id)
    secret = await ana.make("/tasks", title="secret")
    await delete(ana, f"/projects/{ids['project']}")
    await delete(ana, f"/tasks/{secret['id']}")
    assert await trash(bob) == [("project", "Papers", 5)]
    assert await trash(bob, workspace_id=ana.workspace_id) == []
    problem(await bob.post(f"/projects/{ids['project']}/restore"), 403)
    await remove_member(ana, shared.id, bob)
    assert await trash(bob) == await trash(bob, workspace_id=shared.id) == []
    problem(await bob.client.get("/api/v1/trash"), 401)
    read_only = bob.with_token((await bob.make("/tokens", name="read", scopes=["read"]))["token"])
    assert await trash(read_only) == []


async def test_a_workspace_that_was_deleted_takes_its_trash_with_it(ana: Person) -> None:
    shared = await make_shared(ana)
    task = await ana.make("/tasks", title="x", workspace_id=shared.id)
    await delete(ana, f"/tasks/{task['id']}")
    await delete(ana, f"/workspaces/{shared.id}")
    assert await trash(ana) == []


@pytest.mark.parametrize(
    ("params", "pointer"),
    [({"workspace_id": 0}, "/workspace_id"), ({"limit": 201}, "/limit"), ({"cursor": "nonsense"}, "/cursor")],
)
async def test_a_wrong_parameter_is_refused_by_its_name(
    ana: Person, params: dict[str, Any], pointer: str
) -> None:
    assert pointers(await ana.get("/trash", params=params)) == [pointer]
