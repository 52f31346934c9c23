import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import URL, select, update
from tests.support.people import Person
from tests.support.servers import running
from tests.support.sharing import account_events
from tests.support.statements import count_statements

from dutiful import clock
from dutiful.database.session import Database, Writer
from dutiful.models import Token
from dutiful.settings import Settings


async def test_a_new_token_shows_its_secret_once(ana: Person) -> None:
    response = await ana.post("/tokens", {"name": "phone"})
    made = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/tokens/{made['id']}"
    assert made["token"].startswith("dtf_")
    assert made["scopes"] == ["read", "write"]
    shown = (await ana.get(f"/tokens/{made['id']}")).json()
    assert shown == {name: value for name, value in made.items() if name != "token"}
    assert (await ana.with_token(made["token"]).get("/users/me")).json()["id"] == ana.user_id


async def test_only_a_hash_of_the_secret_is_stored(ana: Person, database: Database) -> None:
    made = await ana.make("/tokens", name="phone")
    async with database.read() as session:
        token = await session.get_one(Token, made["id"])
    assert len(token.hash) == 32
    assert made["token"].encode() not in token.hash


async def test_tokens_are_listed_page_by_page_and_only_ones_own(ana: Person, bob: Person) -> None:
    await bob.make("/tokens", name="bob's")
    ids = [(await ana.make("/tokens", name=f"token {n}"))["id"] for n in range(5)]
    assert [token["id"] for token in await ana.all("/tokens", limit=2)][1:] == ids
    skipped = (await ana.get("/tokens", params={"skip": 2, "limit": 2})).json()
    assert [token["id"] for token in skipped["items"]] == ids[1:3]
    assert all("token" not in token for token in await ana.all("/tokens"))


async def test_a_list_of_tokens_takes_the_same_statements_whatever_its_length(
    ana: Person, database: Database
) -> None:
    counts = []
    await ana.get("/tokens")
    for _ in range(2):
        with count_statements(database) as statements:
            await ana.get("/tokens")
        counts.append(len(statements))
        for number in range(3):
            await ana.make("/tokens", name=str(number))
    assert counts == [2, 2]


async def test_a_token_of_somebody_else_is_not_there(ana: Person, bob: Person) -> None:
    made = await ana.make("/tokens", name="phone")
    for method in ("GET", "DELETE"):
        response = await bob.request(method, f"/tokens/{made['id']}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert (await ana.with_token(made["token"]).get("/users/me")).status_code == 200


async def test_a_revoked_token_is_refused_at_once(ana: Person, database: Database) -> None:
    made = await ana.make("/tokens", name="phone")
    phone = ana.with_token(made["token"])
    assert (await ana.delete(f"/tokens/{made['id']}")).status_code == 204
    assert (await phone.get("/users/me")).status_code == 401
    assert (await phone.patch("/users/me", {"name": "Thief"})).status_code == 401
    assert (await ana.delete(f"/tokens/{made['id']}")).status_code == 404
    made_event, revoked = (await account_events(database, ana))[-2:]
    assert (made_event.verb, revoked.verb) == ("token.created", "token.revoked")
    assert revoked.details == {"token_id": made["id"], "name": "phone"}


async def test_an_expired_token_is_refused(ana: Person, database: Database) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    made = await ana.make("/tokens", name="guest", expires_at=soon)
    guest = ana.with_token(made["token"])
    assert (await guest.get("/users/me")).status_code == 200
    await expire(database, made["id"])
    assert (await guest.get("/users/me")).status_code == 401
    assert (await guest.patch("/users/me", {"name": "Late"})).status_code == 401


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2999-01-01T00:00:00"}, "/expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "/expires_at"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["root"]}, "/scopes/0"),
        ({"name": ""}, "/name"),
        ({"user_id": 1}, "/user_id"),
    ],
)
async def test_a_token_that_makes_no_sense_is_refused(ana: Person, body: Any, pointer: str) -> None:
    response = await ana.post("/tokens", {"name": "x", **body})
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("scopes", [["read"], ["read", "write"], ["write"]])
async def test_a_lesser_token_makes_and_revokes_no_tokens(ana: Person, scopes: list[str]) -> None:
    lesser = ana.with_token((await ana.make("/tokens", name="lesser", scopes=scopes))["token"])
    victim = await ana.make("/tokens", name="victim")
    for response in (
        await lesser.post("/tokens", {"name": "better", "scopes": ["admin"]}),
        await lesser.post("/tokens", {"name": "same", "scopes": scopes}),
        await lesser.delete(f"/tokens/{victim['id']}"),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert (await ana.get(f"/tokens/{victim['id']}")).status_code == 200


async def test_a_read_only_token_changes_nothing(ana: Person) -> None:
    reader = ana.with_token((await ana.make("/tokens", name="reader", scopes=["read"]))["token"])
    assert (await reader.get("/workspaces")).status_code == 200
    for response in (
        await reader.patch("/users/me", {"name": "x"}),
        await reader.post("/workspaces", {"name": "x"}),
    ):
        assert response.status_code == 403


@pytest.mark.parametrize("scopes", [["read"], ["write"], ["admin"]])
async def test_any_token_may_revoke_itself(ana: Person, scopes: list[str]) -> None:
    made = await ana.make("/tokens", name="lost", scopes=scopes)
    lost = ana.with_token(made["token"])
    assert (await lost.delete(f"/tokens/{made['id']}")).status_code == 204
    assert (await lost.get("/users/me")).status_code == 401


async def test_a_repeated_keyed_request_makes_one_token_and_hides_its_secret(ana: Person) -> None:
    key = {"Idempotency-Key": "one token"}
    assert (await ana.post("/tokens", {"name": "phone"}, headers=key)).status_code == 201
    again = await ana.post("/tokens", {"name": "phone"}, headers=key)
    assert (again.status_code, again.json()["code"]) == (409, "answer_not_kept")
    assert "dtf_" not in again.text
    assert (await ana.post("/tokens", {"name": "other"}, headers=key)).status_code == 422
    assert [token["name"] for token in await ana.all("/tokens")] == ["tests", "phone"]


async def test_a_refused_request_keeps_no_key(ana: Person) -> None:
    key = {"Idempotency-Key": "second try"}
    assert (await ana.post("/tokens", {"name": ""}, headers=key)).status_code == 422
    assert (await ana.post("/tokens", {"name": "phone"}, headers=key)).status_code == 201


async def test_of_two_who_revoke_a_token_one_is_told_it_is_gone(ana: Person) -> None:
    made = await ana.make("/tokens", name="phone")
    answers = await asyncio.gather(*(ana.delete(f"/tokens/{made['id']}") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 7


async def test_a_token_leaves_no_successor_behind_while_it_is_revoked(
    ana: Person, database: Database
) -> None:
    """The thief's request has passed the sign-in when the revocation comes."""
    stolen = await ana.make("/tokens", name="stolen", scopes=["admin"])
    thief = ana.with_token(stolen["token"])
    revoking = asyncio.Event()
    tried = asyncio.Event()

    async def revoke(session: Writer) -> None:
        token = await session.get_one(Token, stolen["id"])
        await session.delete(token)
        await session.flush()
        revoking.set()
        await tried.wait()

    async def steal() -> int:
        await revoking.wait()
        asyncio.get_running_loop().call_later(0.3, tried.set)
        return (await thief.post("/tokens", {"name": "successor", "scopes": ["admin"]})).status_code

    _, status = await asyncio.gather(database.write(revoke), steal())
    assert status == 401
    assert [token["name"] for token in await ana.all("/tokens")] == ["tests"]


async def test_the_last_use_of_a_token_is_noted_at_most_once_a_minute(
    ana: Person, database: Database
) -> None:
    made = await ana.make("/tokens", name="phone")
    assert made["last_used_at"] is None
    phone = ana.with_token(made["token"])
    await phone.get("/users/me")
    first = (await ana.get(f"/tokens/{made['id']}")).json()["last_used_at"]
    with count_statements(database) as statements:
        await phone.get("/users/me")
    assert first is not None
    assert not [statement for statement in statements if statement.startswith("UPDATE")]


async def expire(database: Database, token_id: int) -> None:
    async def work(session: Writer) -> None:
        past = clock.now() - timedelta(seconds=1)
        await session.execute(update(Token).where(Token.id == token_id).values(expires_at=past))
        assert await session.scalar(select(Token.expires_at).where(Token.id == token_id)) == past

    await database.write(work)


async def test_more_people_may_revoke_at_once_than_there_are_connections(
    ana: Person, settings: Settings, database_url: URL
) -> None:
    few = settings.model_copy(update={"db_pool_size": 2, "db_pool_timeout": 3})
    ids = [(await ana.make("/tokens", name=f"token {n}"))["id"] for n in range(10)]
    async with running(few, database_url) as server:
        person = server.serve(ana)
        answers = await asyncio.gather(*(person.delete(f"/tokens/{token_id}") for token_id in ids))
    assert [answer.status_code for answer in answers] == [204] * len(ids)
