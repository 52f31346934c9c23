import logging
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import URL, text, update
from tests.conftest import MakePerson
from tests.support.people import API, Person
from tests.support.problems import pointers, problem
from tests.support.searching import holds
from tests.support.servers import running
from tests.support.sharing import account_events
from tests.support.signing_in import (
    ANOTHER,
    PASSWORD,
    give_password,
    new_address,
    sign_in,
    signed_in,
    visitor_at,
)
from tests.support.statements import count_statements

from dutiful import clock
from dutiful.accounts.passwords import _NOBODYS_HASH, is_outdated
from dutiful.accounts.visitors import Visitor
from dutiful.database.session import Database, Writer
from dutiful.models import Token, User
from dutiful.settings import Settings


async def test_a_password_gets_a_token_that_may_do_everything(door: httpx.AsyncClient, eve: Person) -> None:
    response = await sign_in(door, eve.email.upper())
    assert response.status_code == 201, response.text
    body = response.json()
    assert body["token"].startswith("dtf_")
    assert body["user"]["id"] == eve.user_id
    assert timedelta(days=29) < _moment(body["expires_at"]) - clock.now() < timedelta(days=31)
    person = eve.with_token(body["token"])
    assert (await person.get("/users/me")).json()["email"] == eve.email
    assert (await person.post("/tokens", {"name": "phone", "scopes": ["admin"]})).status_code == 201


def _moment(value: str) -> Any:
    return Token.created_at.type.python_type.fromisoformat(value)


async def test_nobody_is_told_why_they_do_not_come_in(
    door: httpx.AsyncClient,
    app: FastAPI,
    database: Database,
    eve: Person,
    new_person: MakePerson,
    checks: list[str],
) -> None:
    """One answer, and one check of a hash, for each reason there is."""
    without_password, disabled = await new_person("Without"), await new_person("Disabled")
    await give_password(database, disabled)
    await _set(database, disabled, disabled_at=clock.now())
    checks.clear()
    answers, statements = [], []
    for email, password in [
        (eve.email, ANOTHER),
        ("nobody@example.org", PASSWORD),
        (without_password.email, PASSWORD),
        (disabled.email, PASSWORD),
        (disabled.email, ANOTHER),
    ]:
        async with visitor_at(app) as client:
            with count_statements(database) as counted:
                response = await sign_in(client, email, password)
        answers.append({**problem(response, 401), "request_id": None})
        assert response.headers["www-authenticate"] == "Bearer"
        statements.append(len(counted))
    assert answers[1:] == answers[:-1]
    assert len(checks) == 5
    assert checks.count(_NOBODYS_HASH) == 4
    assert len(set(statements)) == 1, statements


def test_the_hash_of_nobody_takes_as_long_as_others() -> None:
    assert not is_outdated(_NOBODYS_HASH)


async def _set(database: Database, person: Person, **values: Any) -> None:
    async def work(session: Writer) -> None:
        await session.execute(update(User).where(User.id == person.user_id).values(values))

    await database.write(work)


async def test_my_sign_ins_are_listed_and_no_api_tokens(app: FastAPI, eve: Person) -> None:
    address = new_address()
    async with visitor_at(app, address, "Browser/1.0") as client, visitor_at(app, "2001:db8::7") as other:
        first, second = await signed_in(client, eve), await signed_in(other, eve)
        [shown, another] = await first.all("/sessions")
        assert (shown["address"], shown["user_agent"]) == (address, "Browser/1.0")
        assert (shown["is_current"], another["is_current"]) == (True, False)
        assert another["address"] == "2001:db8::7"
        assert "token" not in shown
        assert [session["is_current"] for session in await second.all("/sessions")] == [False, True]
        assert [token["name"] for token in await first.all("/tokens")] == ["tests"]
        for method in (first.get, first.delete):
            problem(await method(f"/tokens/{another['id']}"), 404)
        assert (await second.get("/users/me")).status_code == 200


async def test_signing_out_ends_this_sign_in_and_no_other(door: httpx.AsyncClient, eve: Person) -> None:
    first, second = await signed_in(door, eve), await signed_in(door, eve)
    assert (await first.delete("/sessions/current")).status_code == 204
    problem(await first.get("/users/me"), 401)
    assert (await second.get("/users/me")).status_code == 200
    problem(await eve.delete("/sessions/current"), 404)
    assert (await eve.get("/users/me")).status_code == 200


async def test_a_sign_in_is_ended_from_another(door: httpx.AsyncClient, eve: Person, bob: Person) -> None:
    lost, here, third = [await signed_in(door, eve) for _ in range(3)]
    [one, *_] = await here.all("/sessions")
    problem(await bob.delete(f"/sessions/{one['id']}"), 404)
    assert (await lost.get("/users/me")).status_code == 200
    assert (await here.delete(f"/sessions/{one['id']}")).status_code == 204
    problem(await lost.get("/users/me"), 401)
    problem(await here.delete(f"/sessions/{one['id']}"), 404)
    assert (await here.delete("/sessions")).status_code == 204
    problem(await third.get("/users/me"), 401)
    assert [session["is_current"] for session in await here.all("/sessions")] == [True]
    assert (await eve.get("/users/me")).status_code == 200, "API tokens stay"


async def test_a_lesser_token_ends_no_sign_in(door: httpx.AsyncClient, eve: Person) -> None:
    person = await signed_in(door, eve)
    [one] = await person.all("/sessions")
    made = await eve.make("/tokens", name="writer", scopes=["write"])
    writer = eve.with_token(made["token"])
    for path in (f"/sessions/{one['id']}", "/sessions"):
        problem(await writer.delete(path), 403)
    problem(await writer.post("/users/me/password", {"new_password": ANOTHER}), 403)
    assert (await person.get("/users/me")).status_code == 200


async def test_sign_ins_are_in_the_log_of_the_account(
    door: httpx.AsyncClient, eve: Person, admin: Person, bob: Person
) -> None:
    await sign_in(door, eve.email, ANOTHER)
    person = await signed_in(door, eve)
    await person.delete("/sessions/current")
    events = await eve.all("/users/me/events", limit=2)
    assert [event["verb"] for event in events[:3]] == ["session.ended", "session.created", "session.failed"]
    assert events[1]["details"]["user_agent"] == "a test"
    assert events[2]["actor_id"] is None
    assert events[2]["details"]["address"] == events[1]["details"]["address"]
    assert await admin.all(f"/users/{eve.user_id}/events") == events
    problem(await bob.get(f"/users/{eve.user_id}/events"), 403)
    problem(await admin.get("/users/999999999/events"), 404)


async def test_an_old_hash_is_made_anew(door: httpx.AsyncClient, eve: Person, database: Database) -> None:
    old = "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$"
    hasher = __import__("argon2").PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
    await _set(database, eve, password_hash=hasher.hash(PASSWORD))
    assert (await sign_in(door, eve.email)).status_code == 201
    async with database.read() as session:
        stored = await session.scalar(
            text("SELECT password_hash FROM users WHERE id = :id"), {"id": eve.user_id}
        )
    assert not stored.startswith(old[:20])
    assert not is_outdated(stored)
    assert (await sign_in(door, eve.email)).status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "a@example.org"}, "/password"),
        ({"email": "a@example.org", "password": ""}, "/password"),
        ({"email": "a@example.org", "password": 12345678}, "/password"),
        ({"email": "no address", "password": PASSWORD}, "/email"),
        ({"email": "a@example.org", "password": PASSWORD, "is_admin": True}, "/is_admin"),
    ],
)
async def test_what_is_no_sign_in_is_refused_by_name(
    door: httpx.AsyncClient, body: Any, pointer: str
) -> None:
    response = await door.post(f"{API}/sessions", json=body)
    assert pointers(response) == [pointer]
    assert PASSWORD not in response.text


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"email":"a@b","password":"\\ud800"}'])
async def test_what_is_no_json_is_refused(door: httpx.AsyncClient, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = await door.post(f"{API}/sessions", content=content, headers=headers)
    assert response.status_code in {400, 422}, response.text


async def test_no_connection_is_held_while_passwords_are_checked(
    settings: Settings, database_url: URL, eve: Person
) -> None:
    """With a pool of one, each step that held a connection while another is needed would wait for ever."""
    small = settings.model_copy(update={"db_pool_size": 1, "db_pool_timeout": 3.0})
    async with running(small, database_url) as server, visitor_at(server.app) as client:
        person = await signed_in(client, eve)
        body = {"current_password": PASSWORD, "new_password": ANOTHER}
        assert (await person.post("/users/me/password", body)).status_code == 204
        assert (await person.delete("/sessions")).status_code == 204


async def test_no_secret_is_logged_or_kept(
    door: httpx.AsyncClient, eve: Person, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    person = await signed_in(door, eve)
    body = {"current_password": PASSWORD, "new_password": ANOTHER}
    key = {"Idempotency-Key": "new password"}
    assert (await person.post("/users/me/password", body, headers=key)).status_code == 204
    again = await person.post("/users/me/password", body, headers=key)
    assert (again.status_code, again.headers.get("idempotency-replayed")) == (204, "true")
    problem(await person.post("/users/me/password", {**body, "new_password": "x"}, headers=key), 422)
    for secret in (PASSWORD, ANOTHER, person.token):
        assert secret not in caplog.text
        assert not await holds(database, secret)


async def test_the_search_for_secrets_finds_them(eve: Person, database: Database) -> None:
    assert await holds(database, eve.email) == ["users.email"]


async def test_events_of_a_person_who_signed_in_are_theirs(eve: Person, database: Database) -> None:
    assert [event.verb for event in await account_events(database, eve)] == [
        "user.created",
        "token.created",
        "password.set",
    ]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.4", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("/run/socket", None, True),
    ],
)
def test_networks(one: str, other: str | None, is_same: bool) -> None:
    assert (Visitor.of(one, None).network == Visitor.of(other, None).network) is is_same
