import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.conftest import MakePerson
from tests.support.contract import hold_to_contract
from tests.support.people import API, Person
from tests.support.problems import problem
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
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from dutiful import clock
from dutiful.accounts.throttling import FREE_TRIES, FREE_TRIES_OF_AN_ADDRESS, LONGEST_PAUSE, Counter
from dutiful.database.session import Database
from dutiful.models import SignInThrottle


@contextmanager
def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    real = clock.now
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: real() + timedelta(seconds=seconds))
        yield


async def fail(client: httpx.AsyncClient, email: str, times: int = FREE_TRIES) -> None:
    for _ in range(times):
        problem(await sign_in(client, email, ANOTHER), 401)


def test_each_pause_is_twice_the_last_up_to_a_quarter_of_an_hour() -> None:
    counter = Counter("x", free=5)
    pauses = [counter.pause_after(failures) for failures in range(1, 9)]
    assert pauses == [None] * 4 + [timedelta(seconds=seconds) for seconds in (1, 2, 4, 8)]
    assert counter.pause_after(10**6) == LONGEST_PAUSE


@pytest.mark.parametrize("is_known", [True, False])
async def test_after_some_failures_there_is_a_pause_for_known_and_unknown_accounts(
    door: httpx.AsyncClient, eve: Person, is_known: bool, checks: list[str]
) -> None:
    email = eve.email if is_known else f"nobody-{eve.email}"
    await fail(door, email)
    checks.clear()
    refused = await sign_in(door, email, PASSWORD)
    told = problem(refused, 429, "too_many_requests")
    assert (refused.headers["retry-after"], told["detail"]) == (
        "1",
        "Too many attempts. Try again in 1 second.",
    )
    assert checks == [], "a refused attempt is not even looked at"


async def test_the_count_survives_the_refused_requests_and_ends_with_the_pause(
    door: httpx.AsyncClient, eve: Person, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    await fail(door, eve.email)
    with later(monkeypatch, 2):
        await fail(door, eve.email, 1)
        assert (await sign_in(door, eve.email)).headers["retry-after"] == "2"
    failed = [event for event in await account_events(database, eve) if event.verb == "session.failed"]
    assert len(failed) == FREE_TRIES + 1, "one event for each attempt that was let through"
    with later(monkeypatch, 5):
        await signed_in(door, eve)
        await fail(door, eve.email, 1)


async def test_guesses_at_once_get_no_more_tries_than_one_after_the_other(
    app: FastAPI, eve: Person, checks: list[str]
) -> None:
    async with visitor_at(app) as client:
        answers = await asyncio.gather(*(sign_in(client, eve.email, f"guess {n}") for n in range(50)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(401) == len(checks)
    # The first pause is a second long: a slow machine may let in one more each second.
    assert FREE_TRIES <= len(checks) <= FREE_TRIES + 3
    assert set(statuses) == {401, 429}


async def test_guesses_from_many_addresses_are_counted_for_the_account(app: FastAPI, eve: Person) -> None:
    for _ in range(FREE_TRIES):
        async with visitor_at(app) as client:
            await fail(client, eve.email, 1)
    async with visitor_at(app) as client:
        problem(await sign_in(client, eve.email), 429)


async def test_guesses_at_many_accounts_are_counted_for_the_address(
    door: httpx.AsyncClient, app: FastAPI, eve: Person
) -> None:
    for number in range(FREE_TRIES_OF_AN_ADDRESS):
        await fail(door, f"somebody-{number}-{eve.email}", 1)
    problem(await sign_in(door, eve.email), 429)
    async with visitor_at(app) as elsewhere:
        await signed_in(elsewhere, eve)


async def test_an_account_of_ones_own_does_not_reset_the_count_of_the_address(
    door: httpx.AsyncClient, app: FastAPI, eve: Person, new_person: MakePerson, database: Database
) -> None:
    guessers = [await new_person("Guesser") for _ in range(2)]
    for guesser in guessers:
        await give_password(database, guesser)
    for number in range(FREE_TRIES_OF_AN_ADDRESS - 1):
        await fail(door, f"victim-{number}-{eve.email}", 1)
    await signed_in(door, guessers[0])
    await fail(door, f"victim-{eve.email}", 1)
    problem(await sign_in(door, guessers[1].email), 429)


async def test_strangers_lock_nobody_out_where_they_signed_in_before(
    app: FastAPI, eve: Person, database: Database
) -> None:
    home = new_address()
    async with visitor_at(app, home) as at_home, visitor_at(app) as elsewhere, visitor_at(app) as third:
        person = await signed_in(at_home, eve)
        await fail(elsewhere, eve.email)
        problem(await sign_in(elsewhere, eve.email), 429)
        problem(await sign_in(third, eve.email), 429)
        assert (await person.get("/users/me")).status_code == 200, "who is signed in stays so"
        await signed_in(at_home, eve)
        await fail(at_home, eve.email)
        problem(await sign_in(at_home, eve.email), 429)


async def test_the_table_of_counts_tells_no_addresses(door: httpx.AsyncClient, database: Database) -> None:
    await fail(door, "typed-here@example.org", 1)
    async with database.read() as session:
        subjects = (await session.scalars(select(SignInThrottle.subject))).all()
    assert subjects
    assert not [subject for subject in subjects if "typed-here" in subject or "10." in subject]


async def test_a_forged_address_is_not_believed(app: FastAPI, eve: Person) -> None:
    async with visitor_at(app) as client:
        for number in range(FREE_TRIES_OF_AN_ADDRESS):
            client.headers["X-Forwarded-For"] = f"192.0.2.{number}"
            client.headers["Forwarded"] = f"for=192.0.2.{number}"
            client.headers["X-Real-IP"] = f"192.0.2.{number}"
            await fail(client, f"forged-{number}-{eve.email}", 1)
        problem(await sign_in(client, eve.email), 429)


async def test_behind_a_trusted_proxy_the_last_address_it_does_not_know_counts(
    app: FastAPI, eve: Person
) -> None:
    """As `server.py` sets it up."""
    proxied = ProxyHeadersMiddleware(app, trusted_hosts=["10.255.0.0/16"])  # type: ignore[arg-type]
    transport = httpx.ASGITransport(proxied, client=("10.255.0.1", 1))  # type: ignore[arg-type]
    real = new_address()
    hooks = {"response": [hold_to_contract]}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://dutiful.test", event_hooks=hooks
    ) as client:
        client.headers["X-Forwarded-For"] = f"203.0.113.9, {real}"
        person = await signed_in(client, eve)
        [session] = await person.all("/sessions")
    assert session["address"] == real


async def test_a_wrong_current_password_is_counted_apart(door: httpx.AsyncClient, eve: Person) -> None:
    person = await signed_in(door, eve)
    wrong = {"current_password": "wrong wrong", "new_password": ANOTHER}
    for _ in range(FREE_TRIES):
        problem(await person.post("/users/me/password", wrong), 422)
    right = {**wrong, "current_password": PASSWORD}
    problem(await person.post("/users/me/password", right), 429)
    assert (await sign_in(door, eve.email)).status_code == 201
    assert (
        await person.client.get(f"{API}/users/me", headers={"Authorization": f"Bearer {person.token}"})
    ).is_success


async def test_guesses_at_the_password_of_an_open_sign_in_end_before_the_account_can_be_erased(
    door: httpx.AsyncClient, eve: Person
) -> None:
    person = await signed_in(door, eve)
    for _ in range(FREE_TRIES):
        problem(await person.request("DELETE", "/users/me", json={"password": ANOTHER}), 422)
    problem(await person.request("DELETE", "/users/me", json={"password": PASSWORD}), 429)
