import asyncio

import httpx
import pytest
from sqlalchemy import func, select
from tests.conftest import MakePerson
from tests.support.journals import changes_of
from tests.support.locks import waiting
from tests.support.people import Person
from tests.support.problems import pointers, problem
from tests.support.replaying import replay, state_of_tables
from tests.support.searching import holds
from tests.support.sharing import account_events, share
from tests.support.signing_in import (
    ANOTHER,
    PASSWORD,
    give_password,
    make_admin,
    new_address,
    sign_in,
    signed_in,
    visitor_at,
)

from dutiful.accounts import administration
from dutiful.database.session import Database, Writer
from dutiful.models import Change, Invitation, Role, Task, Token, User, Workspace
from dutiful.versions import ANY
from dutiful.workspaces import service as workspaces
from dutiful.workspaces.schemas import MemberPatch


@pytest.fixture
async def zoe(new_person: MakePerson, database: Database) -> Person:
    person = await new_person("Zoe Unmistakable")
    await give_password(database, person)
    return person


async def test_nothing_tells_of_an_erased_person_and_what_they_wrote_stays(
    zoe: Person, ana: Person, admin: Person, database: Database, app: object
) -> None:
    workspace_id = await share(ana, zoe)
    key = {"Idempotency-Key": "kept answer with their name"}
    kept = await ana.post(f"/workspaces/{workspace_id}/members", {"email": zoe.email}, headers=key)
    problem(kept, 409)
    patched = await ana.patch(
        f"/workspaces/{workspace_id}/members/{zoe.user_id}", {"role": "owner"}, headers=key
    )
    assert zoe.email in patched.text
    address = new_address()
    async with visitor_at(app, address, "Zoe's browser") as client:  # type: ignore[arg-type]
        await sign_in(client, zoe.email, ANOTHER)
        person = zoe.with_token((await signed_in(client, zoe)).token)
    written = await person.make(
        "/tasks", title="written for all", workspace_id=workspace_id, assignee_id=zoe.user_id
    )
    private = await person.make("/tasks", title="private to Zoe")
    await person.make("/tokens", name="Unmistakable phone")
    name = (await zoe.get("/users/me")).json()["name"]
    assert await holds(database, zoe.email) == ["idempotency_keys.body", "users.email"]
    assert len(await holds(database, address)) == 2

    assert (await admin.delete(f"/users/{zoe.user_id}")).status_code == 204

    for trace in (zoe.email, name, address, "Zoe's browser", "Unmistakable phone", "private to Zoe"):
        assert await holds(database, trace) == [], trace
    problem(await person.get("/users/me"), 401)
    stays = (await ana.get(f"/tasks/{written['id']}")).json()
    assert (stays["title"], stays["created_by"], stays["assignee_id"]) == (
        "written for all",
        zoe.user_id,
        None,
    )
    assert [member["user_id"] for member in await ana.all(f"/workspaces/{workspace_id}/members")] == [
        ana.user_id
    ]
    changes = await changes_of(database, workspace_id)
    assert replay(list(changes)) == await state_of_tables(database, workspace_id)
    assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
    shown = (await admin.get(f"/users/{zoe.user_id}")).json()
    assert (shown["name"], shown["email"], shown["is_admin"]) == ("Deleted user", None, False)
    assert shown["erased_at"] is not None
    async with database.read() as session:
        assert await session.scalar(select(Task.id).where(Task.id == private["id"])) is None
        gone = select(func.count()).select_from(Change).where(Change.workspace_id == zoe.workspace_id)
        assert await session.scalar(gone) == 0
        assert await session.scalar(select(Token.id).where(Token.user_id == zoe.user_id)) is None
        assert await session.scalar(select(Invitation.id).where(Invitation.created_by == zoe.user_id)) is None
    events = await account_events(database, zoe)
    assert [event.verb for event in events][-2:] == ["member.removed", "user.erased"]
    assert "session.created" in {event.verb for event in events}


async def test_workspaces_that_are_theirs_alone_go_with_them(zoe: Person, database: Database) -> None:
    alone = await zoe.make("/workspaces", name="Alone")
    trashed = await zoe.make("/workspaces", name="Trashed")
    assert (await zoe.delete(f"/workspaces/{trashed['id']}")).status_code == 204
    body = {"password": PASSWORD}
    response = await zoe.request("DELETE", "/users/me", json=body)
    assert response.status_code == 204, response.text
    async with database.read() as session:
        ids = [zoe.workspace_id, alone["id"], trashed["id"]]
        assert (await session.scalars(select(Workspace.id).where(Workspace.id.in_(ids)))).all() == []
    problem(await zoe.get("/users/me"), 401)


async def test_the_last_owner_among_several_is_told_what_to_settle_first(
    zoe: Person, ana: Person, bob: Person, admin: Person
) -> None:
    workspace_id = await share(zoe, ana, bob, name="Choir")
    for attempt in (
        admin.delete(f"/users/{zoe.user_id}"),
        zoe.request("DELETE", "/users/me", json={"password": PASSWORD}),
    ):
        assert f"“Choir” ({workspace_id})" in problem(await attempt, 409, "last_owner")["detail"]
    assert (await zoe.get("/users/me")).status_code == 200, "nothing was begun"
    await zoe.patch(f"/workspaces/{workspace_id}/members/{ana.user_id}", {"role": "owner"})
    assert (await admin.delete(f"/users/{zoe.user_id}")).status_code == 204
    assert len(await ana.all(f"/workspaces/{workspace_id}/members")) == 2


async def test_a_workspace_in_the_trash_is_left_too(zoe: Person, ana: Person, database: Database) -> None:
    workspace_id = await share(ana, zoe)
    await ana.make("/tasks", title="x", workspace_id=workspace_id, assignee_id=zoe.user_id)
    assert (await ana.delete(f"/workspaces/{workspace_id}")).status_code == 204
    assert (await zoe.request("DELETE", "/users/me", json={"password": PASSWORD})).status_code == 204
    async with database.read() as session:
        assert await session.scalar(select(Task.assignee_id).where(Task.workspace_id == workspace_id)) is None
    verbs = [change.verb for change in await changes_of(database, workspace_id)]
    assert verbs[-2:] == ["task.updated", "member.removed"]


async def test_erasing_oneself_takes_the_password(zoe: Person) -> None:
    for body in ({"password": ANOTHER}, {}):
        assert pointers(await zoe.request("DELETE", "/users/me", json=body)) == ["/password"]
    assert (await zoe.delete("/users/me")).status_code == 422
    assert (await zoe.get("/users/me")).status_code == 200


async def test_an_erased_person_is_beyond_everything(
    zoe: Person, admin: Person, door: httpx.AsyncClient, database: Database
) -> None:
    answers = await asyncio.gather(*(admin.delete(f"/users/{zoe.user_id}") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]
    problem(await sign_in(door, zoe.email), 401)
    for path in ("enable", "disable", "password-reset"):
        problem(await admin.post(f"/users/{zoe.user_id}/{path}"), 409)
    problem(await admin.patch(f"/users/{zoe.user_id}", {"email": zoe.email}), 409, "erased")
    async with database.read() as session:
        row = await session.get_one(User, zoe.user_id)
    assert (row.password_hash, row.timezone, row.email) == (None, "UTC", None)


async def test_the_address_of_an_erased_person_may_be_used_again(zoe: Person, admin: Person) -> None:
    assert (await admin.delete(f"/users/{zoe.user_id}")).status_code == 204
    made = await admin.make("/users", email=zoe.email)
    assert made["id"] != zoe.user_id


async def test_of_two_administrators_who_erase_each_other_one_does(
    zoe: Person, admin: Person, database: Database
) -> None:
    await make_admin(database, zoe)
    locked, both_wait = asyncio.Event(), asyncio.Event()

    async def hold(session: Writer) -> None:
        await administration.keep_an_admin(session, 0)
        locked.set()
        await both_wait.wait()

    holding = asyncio.create_task(database.write(hold))
    await locked.wait()
    erasing = [
        asyncio.create_task(admin.delete(f"/users/{zoe.user_id}")),
        asyncio.create_task(zoe.delete(f"/users/{admin.user_id}")),
    ]
    await waiting(database, 2)
    both_wait.set()
    await holding
    answers = {(await each).status_code: person for each, person in zip(erasing, (admin, zoe), strict=True)}
    assert sorted(answers) == [204, 401]
    assert (await answers[204].get("/users/me")).status_code == 200
    shown = (await answers[204].get(f"/users/{answers[401].user_id}")).json()
    assert shown["erased_at"] is not None


@pytest.mark.parametrize("by", ["administrator", "oneself"])
async def test_who_is_not_erased_after_all_has_their_tokens_back(
    zoe: Person, ana: Person, admin: Person, database: Database, by: str
) -> None:
    """Their tokens were stopped when nothing stood in the way yet."""
    workspace_id = await share(zoe, ana, name="Choir", role="owner")
    short = await zoe.make("/tokens", name="short", expires_at="2099-01-01T00:00:00Z")
    phone = zoe.with_token(short["token"])
    demoted, commit = asyncio.Event(), asyncio.Event()

    async def demote(session: Writer) -> None:
        viewer = MemberPatch(role=Role.VIEWER)
        await workspaces.update_member(session, zoe.actor(), workspace_id, ana.user_id, viewer, ANY)
        demoted.set()
        await commit.wait()

    demoting = asyncio.create_task(database.write(demote))
    await demoted.wait()
    erasure = (
        admin.delete(f"/users/{zoe.user_id}")
        if by == "administrator"
        else zoe.request("DELETE", "/users/me", json={"password": PASSWORD})
    )
    erasing = asyncio.create_task(erasure)
    await waiting(database, 1)
    problem(await phone.get("/users/me"), 401)
    commit.set()
    await demoting
    problem(await erasing, 409, "last_owner")
    for person in (zoe, phone):
        assert (await person.get("/users/me")).status_code == 200
    expiries = {token["name"]: token["expires_at"] for token in await zoe.all("/tokens")}
    assert expiries == {"tests": None, "short": "2099-01-01T00:00:00Z"}
