import asyncio
from typing import Any

import httpx
import pytest
from tests.conftest import MakePerson
from tests.support.locks import held, waiting
from tests.support.people import Person
from tests.support.plain import PLAIN
from tests.support.problems import pointers, problem
from tests.support.signing_in import give_password, make_admin, sign_in, signed_in

from dutiful.access import Actor
from dutiful.accounts import administration
from dutiful.database.session import Database, Rollback, Writer
from dutiful.errors import Conflict, Forbidden
from dutiful.models import User


def calls(user_id: int) -> list[tuple[str, str, Any]]:
    return [
        ("GET", "/users", None),
        ("POST", "/users", {"email": "x@example.org"}),
        ("GET", f"/users/{user_id}", None),
        ("PATCH", f"/users/{user_id}", {"is_admin": True}),
        ("PUT", f"/users/{user_id}", {"is_admin": True}),
        ("GET", f"/users/{user_id}/events", None),
        ("POST", f"/users/{user_id}/disable", None),
        ("POST", f"/users/{user_id}/enable", None),
        ("POST", f"/users/{user_id}/password-reset", None),
        ("DELETE", f"/users/{user_id}", None),
    ]


async def test_nobody_else_administers_and_nobody_learns_who_exists(
    ana: Person, bob: Person, admin: Person
) -> None:
    reader = admin.with_token((await admin.make("/tokens", name="w", scopes=["write"]))["token"])
    for user_id in (bob.user_id, ana.user_id, 999_999_999):
        for method, path, body in calls(user_id):
            for person in (ana, reader):
                problem(await person.request(method, path, json=body), 403)
            assert (await person.client.request(method, f"/api/v1{path}", json=body)).status_code == 401
    assert (await bob.get("/users/me")).json()["is_admin"] is False


async def test_an_administrator_sees_accounts_and_no_workspaces(admin: Person, bob: Person) -> None:
    shown = (await admin.get(f"/users/{bob.user_id}")).json()
    assert (shown["email"], shown["has_password"], shown["disabled_at"]) == (bob.email, False, None)
    assert not {"workspace_id", "inbox_id", "password_hash"} & shown.keys()
    problem(await admin.get(f"/workspaces/{bob.workspace_id}"), 404)
    problem(await admin.get("/users/999999999"), 404)
    assert bob.user_id in {user["id"] for user in await admin.all("/users", limit=200)}


async def test_a_new_person_sets_their_password_by_link(
    admin: Person, door: httpx.AsyncClient, bob: Person
) -> None:
    made = await admin.make("/users", email=f"new-{bob.email}", timezone="Europe/Berlin")
    assert (made["name"], made["is_admin"], made["has_password"]) == (
        f"new-{bob.email.split('@')[0]}",
        False,
        False,
    )
    body = {"token": made["password_reset"]["token"], "password": "lilac tram 82 pond"}
    assert (await door.post("/api/v1/password-resets/use", json=body)).status_code == 204
    assert (await sign_in(door, made["email"])).status_code == 201
    problem(await admin.post("/users", {"email": made["email"].upper()}), 409, "taken")
    key = {"Idempotency-Key": "one person"}
    wanted = {"email": f"keyed-{bob.email}"}
    assert (await admin.post("/users", wanted, headers=key)).status_code == 201
    again = await admin.post("/users", wanted, headers=key)
    assert "dtr_" not in again.text
    problem(again, 409, "answer_not_kept")


async def test_an_administrator_changes_rights_and_addresses(admin: Person, bob: Person) -> None:
    tag = (await admin.get(f"/users/{bob.user_id}")).headers["ETag"]
    changed = await admin.patch(f"/users/{bob.user_id}", {"is_admin": True}, headers={"If-Match": tag})
    assert changed.json()["is_admin"] is True
    stale = await admin.patch(f"/users/{bob.user_id}", {"name": "x"}, headers={"If-Match": tag})
    assert problem(stale, 412)["current"] == changed.json()
    assert (await bob.get(f"/users/{admin.user_id}")).status_code == 200
    assert pointers(await admin.patch(f"/users/{bob.user_id}", {"is_admin": "yes"})) == ["/is_admin"]
    problem(await admin.patch(f"/users/{bob.user_id}", {"email": admin.email}), 409, "taken")
    await admin.patch(f"/users/{bob.user_id}", {"is_admin": False})
    problem(await bob.get("/users"), 403)
    assert [event["details"] for event in (await bob.all("/users/me/events"))[:2]] == [
        {"fields": ["is_admin"]}
    ] * 2


async def test_whoever_is_disabled_does_nothing_more_by_any_token(
    admin: Person, eve: Person, door: httpx.AsyncClient
) -> None:
    person = await signed_in(door, eve)
    shown = await admin.post(f"/users/{eve.user_id}/disable")
    assert shown.json()["disabled_at"] is not None
    for one in (person, eve):
        problem(await one.get("/users/me"), 401)
        problem(await one.post("/tasks", {"title": "x"}), 401)
    problem(await sign_in(door, eve.email), 401)
    problem(await admin.post(f"/users/{eve.user_id}/password-reset"), 409, "disabled")
    assert (await admin.post(f"/users/{eve.user_id}/enable")).json()["disabled_at"] is None
    assert (await eve.get("/users/me")).status_code == 200
    events = [event["verb"] for event in (await eve.all("/users/me/events"))]
    assert [verb for verb in events if verb.startswith("user.")] == [
        "user.enabled",
        "user.disabled",
        "user.created",
    ]


async def test_disabling_waits_for_the_writes_that_were_begun(
    admin: Person, bob: Person, database: Database
) -> None:
    async def disable() -> int:
        await admin.post(f"/users/{bob.user_id}/disable")
        async with database.read() as session:
            return (await session.get_one(User, bob.user_id)).version

    async with held(database, bob.workspace_id):
        writing = asyncio.create_task(bob.post("/tasks", {"title": "begun in time", **PLAIN}))
        await waiting(database, 1)
        disabling = asyncio.create_task(disable())
        await waiting(database, 2)
        # It is the writes begun before that are waited for; nothing new begins.
        problem(await bob.post("/tasks", {"title": "too late"}), 401)
        assert not disabling.done()
    assert (await writing).status_code == 201
    await disabling


async def test_a_person_in_steady_work_is_disabled_all_the_same(admin: Person, bob: Person) -> None:
    async def write_without_end() -> int:
        while True:
            response = await bob.post("/tasks", {"title": "again"})
            if response.status_code != 201:
                return response.status_code

    async with asyncio.timeout(20):
        writers = [asyncio.create_task(write_without_end()) for _ in range(8)]
        assert (await admin.post(f"/users/{bob.user_id}/disable")).status_code == 200
        assert await asyncio.gather(*writers) == [401] * 8


async def test_nobody_disables_or_erases_themselves_by_these(admin: Person) -> None:
    problem(await admin.post(f"/users/{admin.user_id}/disable"), 409, "oneself")
    problem(await admin.delete(f"/users/{admin.user_id}"), 409, "oneself")
    assert (await admin.get("/users/me")).status_code == 200


@pytest.mark.parametrize("end", ["disable", "demote", "erase"])
async def test_the_last_administrator_stays_one(admin: Person, database: Database, end: str) -> None:
    """Others in this database are administrators as well; for the moment of the question they are not."""

    async def ask(session: Writer) -> str:
        admins = administration._locked(User.is_admin, User.id != admin.user_id)
        for other in await session.scalars(admins.order_by(User.id)):
            other.is_admin = False
        await session.flush()
        try:
            if end == "demote":
                user = await administration.get_for_write(session, admin.user_id)
                await administration.change(session, user, {"is_admin": False}, None)
            else:
                await administration.keep_an_admin(session, admin.user_id)
        except Conflict as error:
            raise Rollback(error.code) from error
        return "allowed"

    assert await database.write(ask) == "last_administrator"


async def test_of_two_administrators_who_disable_each_other_one_does(
    admin: Person, new_person: MakePerson, database: Database
) -> None:
    other = await new_person("Other")
    await make_admin(database, other)
    answers = await asyncio.gather(
        admin.post(f"/users/{other.user_id}/disable"), other.post(f"/users/{admin.user_id}/disable")
    )
    assert sorted(answer.status_code for answer in answers) in ([200, 401], [200, 403])


async def test_a_right_that_was_taken_meanwhile_is_gone(
    admin: Person, bob: Person, database: Database
) -> None:
    """The token was read before, when they still had it."""
    stale = Actor(bob.user_id, "UTC", is_admin=True, personal_workspace_id=0, inbox_id=0)
    with pytest.raises(Exception, match="Only an administrator"):
        await administration.stop(database, stale, admin.user_id)


async def test_who_was_disabled_meanwhile_disables_nobody(
    admin: Person, bob: Person, ana: Person, database: Database
) -> None:
    await make_admin(database, bob)
    assert (await admin.post(f"/users/{bob.user_id}/disable")).status_code == 200
    stale = Actor(bob.user_id, "UTC", is_admin=True, personal_workspace_id=0, inbox_id=0)
    with pytest.raises(Forbidden):
        await administration.stop(database, stale, ana.user_id)
    assert (await ana.get("/users/me")).status_code == 200


async def test_nobody_makes_themselves_more(eve: Person, database: Database) -> None:
    await give_password(database, eve)
    for field, value in {
        "is_admin": True,
        "disabled_at": None,
        "password_hash": "x",
        "email": "x@example.org",
    }.items():
        assert pointers(await eve.patch("/users/me", {field: value})) == [f"/{field}"]
