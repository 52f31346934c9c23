import asyncio
from datetime import timedelta

from sqlalchemy import update
from tests.conftest import MakePerson
from tests.support.journals import changes_of
from tests.support.people import Person
from tests.support.sharing import account_events, journal, share, verbs
from tests.support.statements import count_statements

from dutiful import clock
from dutiful.database.session import Database, Writer
from dutiful.models import Workspace
from dutiful.settings import Settings


async def bin_(person: Person) -> list[int]:
    return [workspace["id"] for workspace in await person.all("/workspaces", deleted=True)]


async def deleted(owner: Person, *others: Person, role: str = "editor") -> int:
    workspace_id = await share(owner, *others, role=role)
    assert (await owner.delete(f"/workspaces/{workspace_id}")).status_code == 204
    return workspace_id


async def delete_earlier(database: Database, workspace_id: int, age: timedelta) -> None:
    async def work(session: Writer) -> None:
        statement = update(Workspace).where(Workspace.id == workspace_id)
        await session.execute(statement.values(deleted_at=clock.now() - age))

    await database.write(work)


async def test_an_owner_brings_a_deleted_workspace_back_with_all_in_it(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob, role="viewer")
    task = await ana.make("/tasks", title="Sweep", workspace_id=workspace_id, assignee_id=bob.user_id)
    before = (await ana.get(f"/workspaces/{workspace_id}")).json()
    members = await ana.all(f"/workspaces/{workspace_id}/members")
    await ana.delete(f"/workspaces/{workspace_id}")
    response = await ana.post(f"/workspaces/{workspace_id}/restore")
    assert (response.status_code, response.json()) == (200, before)
    assert response.headers["ETag"] == (await ana.get(f"/workspaces/{workspace_id}")).headers["ETag"]
    assert await bob.all(f"/workspaces/{workspace_id}/members") == members
    assert (await bob.get(f"/tasks/{task['id']}")).json() == task
    assert (await bob.post("/tasks", {"title": "x", "workspace_id": workspace_id})).status_code == 403


async def test_restoring_is_told_in_the_workspace_at_every_home_and_in_every_audit_log(
    ana: Person, bob: Person, database: Database
) -> None:
    workspace_id = await deleted(ana, bob)
    cursor = (await bob.get("/changes", params={"after": "latest"})).json()["next_cursor"]
    assert (await ana.post(f"/workspaces/{workspace_id}/restore")).status_code == 200
    changes = await changes_of(database, workspace_id)
    assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
    assert [change.verb for change in changes[-2:]] == ["workspace.deleted", "workspace.restored"]
    assert (changes[-1].before, changes[-1].after) == (None, changes[-2].before)
    for person, role in ((ana, "owner"), (bob, "editor")):
        joined = (await journal(person, person.workspace_id))[-1]
        assert (joined["verb"], joined["entity_id"], joined["user_id"]) == (
            "workspace.joined",
            workspace_id,
            ana.user_id,
        )
        assert joined["after"]["role"] == role
        event = (await account_events(database, person))[-1]
        assert (event.verb, event.actor_id) == ("workspace.restored", ana.user_id)
    news = (await bob.get("/changes", params={"after": cursor})).json()["items"]
    assert [change["seq"] for change in news if change["workspace_id"] == workspace_id] == [
        change.seq for change in changes
    ]


async def test_what_may_be_restored_is_listed_for_owners_alone(
    ana: Person, bob: Person, new_person: MakePerson
) -> None:
    eva = await new_person("Eva")
    first, second = await deleted(ana, bob), await deleted(ana, bob, role="owner")
    assert await bin_(ana) == [first, second]
    assert await bin_(bob) == [second]
    assert await bin_(eva) == []
    shown = (await ana.get("/workspaces", params={"deleted": True, "limit": 1})).json()["items"][0]
    assert shown["deleted_at"] is not None
    assert [each["id"] for each in await ana.all("/workspaces")] == [ana.workspace_id]
    assert (await bob.post(f"/workspaces/{second}/restore")).status_code == 200
    assert await bin_(ana) == [first]
    assert await ana.all("/workspaces", deleted=True, limit=1) == [shown]


async def test_nobody_else_restores(ana: Person, bob: Person, new_person: MakePerson) -> None:
    """Not even those who were in it: they cannot see it, so it is the answer of what never was."""
    eva, gone = await new_person("Eva"), await new_person("Gone")
    workspace_id = await share(ana, bob, gone)
    await ana.patch(f"/workspaces/{workspace_id}/members/{gone.user_id}", {"role": "owner"})
    await ana.delete(f"/workspaces/{workspace_id}/members/{gone.user_id}")
    await ana.delete(f"/workspaces/{workspace_id}")
    path = f"/workspaces/{workspace_id}/restore"
    absent = (await eva.post("/workspaces/9000000000/restore")).json()["detail"]
    for person in (bob, eva, gone):
        response = await person.post(path)
        assert (response.status_code, response.json()["detail"]) == (404, absent)
    writer = ana.with_token((await ana.make("/tokens", name="writer"))["token"])
    assert (await writer.post(path)).status_code == 403
    assert (await ana.with_token("dtf_" + "x" * 43).post(path)).status_code == 401
    for closed in ("", "/members", "/changes", "/invitations"):
        assert (await ana.get(f"/workspaces/{workspace_id}{closed}")).status_code == 404
    assert (await ana.post(path)).status_code == 200


async def test_what_is_not_deleted_is_not_restored(ana: Person) -> None:
    for workspace_id in (await share(ana), ana.workspace_id):
        assert (await ana.post(f"/workspaces/{workspace_id}/restore")).status_code == 404


async def test_what_was_deleted_too_long_ago_is_gone(
    ana: Person, database: Database, settings: Settings
) -> None:
    in_time, late = await deleted(ana), await deleted(ana)
    kept = timedelta(days=settings.trash_days)
    await delete_earlier(database, in_time, kept - timedelta(minutes=5))
    await delete_earlier(database, late, kept + timedelta(seconds=1))
    assert await bin_(ana) == [in_time]
    assert (await ana.post(f"/workspaces/{late}/restore")).status_code == 404
    assert (await ana.post(f"/workspaces/{in_time}/restore")).status_code == 200


async def test_a_stale_restore_is_told_the_current_workspace(ana: Person) -> None:
    workspace_id = await share(ana)
    stale = (await ana.get(f"/workspaces/{workspace_id}")).headers["ETag"]
    await ana.patch(f"/workspaces/{workspace_id}", {"name": "House"})
    await ana.delete(f"/workspaces/{workspace_id}")
    response = await ana.post(f"/workspaces/{workspace_id}/restore", headers={"If-Match": stale})
    assert (response.status_code, response.json()["current"]["name"]) == (412, "House")


async def test_of_two_owners_who_restore_at_once_one_does(ana: Person, bob: Person) -> None:
    for _ in range(5):
        workspace_id = await deleted(ana, bob, role="owner")
        path = f"/workspaces/{workspace_id}/restore"
        answers = await asyncio.gather(ana.post(path), bob.post(path))
        assert sorted(answer.status_code for answer in answers) == [200, 404]
        assert (await verbs(ana, workspace_id)).count("workspace.restored") == 1


async def test_a_repeated_keyed_restoring_is_answered_as_the_first(ana: Person) -> None:
    path = f"/workspaces/{await deleted(ana)}/restore"
    key = {"Idempotency-Key": "restore"}
    first, again = await ana.post(path, headers=key), await ana.post(path, headers=key)
    assert (again.status_code, again.json()) == (200, first.json())


async def test_a_list_of_deleted_workspaces_takes_the_same_statements_whatever_its_length(
    ana: Person, database: Database
) -> None:
    counts = []
    await ana.get("/workspaces")
    for _ in range(2):
        await deleted(ana)
        with count_statements(database) as statements:
            await ana.get("/workspaces", params={"deleted": True})
        counts.append(len(statements))
    assert counts == [2, 2]
