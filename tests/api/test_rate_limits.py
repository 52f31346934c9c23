"""Too many requests are refused before they cost anything, and only to whoever sends them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from sqlalchemy import URL
from starlette.types import Message
from tests.support.live import serving
from tests.support.people import Person
from tests.support.problems import problem
from tests.support.servers import Server, running
from tests.support.signing_in import new_address, visitor_at

from dutiful.api import rate_limits
from dutiful.api.rate_limits import Buckets
from dutiful.settings import Settings

PER_USER, PER_ADDRESS = 6, 3


@dataclass
class Clock:
    now: float = 1e6

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stands still between requests."""
    clock = Clock()
    monkeypatch.setattr(rate_limits, "monotonic", clock)
    return clock


@pytest.fixture
def limited(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"rate_limit_per_user": PER_USER, "rate_limit_per_address": PER_ADDRESS}
    )


@pytest.fixture
async def server(limited: Settings, database_url: URL, clock: Clock) -> AsyncIterator[Server]:
    async with running(limited, database_url) as server:
        yield server


@pytest.fixture
async def far(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at an address of their own."""
    async with visitor_at(server.app) as client:
        yield client


async def statuses(person: Person, count: int, path: str = "/tasks") -> list[int]:
    return [(await person.get(path)).status_code for _ in range(count)]


async def known(person: Person, client: httpx.AsyncClient) -> Person:
    """The same person there, when the server knows whose the token is. It took one request of the address."""
    person = replace(person, client=client)
    assert await statuses(person, 1) == [200]
    return person


# --- whose requests they are ------------------------------------------------------------------------------------------


async def test_an_address_may_send_a_minutes_worth_at_once_and_then_waits(
    far: httpx.AsyncClient, clock: Clock
) -> None:
    signing_in = {"email": "nobody@example.org", "password": "lilac tram 82 pond"}
    for _ in range(PER_ADDRESS):
        assert (await far.post("/api/v1/sessions", json=signing_in)).status_code == 401
    refused = await far.post("/api/v1/sessions", json=signing_in)
    assert "Wait 20 seconds" in problem(refused, 429, "rate_limited")["detail"]
    assert refused.headers["Retry-After"] == "20"
    clock.now += 19
    assert (await far.get("/api/v1/tasks")).headers["Retry-After"] == "1"
    clock.now += 1
    assert (await far.get("/api/v1/tasks")).status_code == 401
    assert (await far.get("/api/v1/tasks")).status_code == 429
    clock.now += 3600
    pages = [(await far.get("/docs")).status_code for _ in range(PER_ADDRESS + 1)]
    assert pages == [200] * PER_ADDRESS + [429]


@pytest.mark.parametrize("path", ["/tasks", "/labels"])
async def test_a_person_counts_the_same_with_every_token_and_from_everywhere(
    server: Server, far: httpx.AsyncClient, ana: Person, path: str
) -> None:
    other = ana.with_token((await ana.make("/tokens", name="phone"))["token"])
    async with visitor_at(server.app) as elsewhere:
        here, there = await known(ana, far), await known(other, elsewhere)
        half = PER_USER // 2
        assert await statuses(here, half, path) + await statuses(there, half, path) == [200] * PER_USER
        for person in (here, there):
            refused = await person.get(path)
            assert "from you." in problem(refused, 429, "rate_limited")["detail"]


async def test_one_persons_requests_are_nobody_elses(
    far: httpx.AsyncClient, ana: Person, bob: Person
) -> None:
    ana, bob = await known(ana, far), await known(bob, far)
    assert await statuses(ana, PER_USER + 1) == [200] * PER_USER + [429]
    assert await statuses(bob, PER_USER) == [200] * PER_USER


async def test_tokens_that_are_wrong_count_for_the_address(far: httpx.AsyncClient, ana: Person) -> None:
    ana = await known(ana, far)
    guesses = [await ana.with_token(f"dtf_{n}").get("/tasks") for n in range(PER_ADDRESS)]
    assert [guess.status_code for guess in guesses] == [401, 401, 429]
    assert await statuses(ana, 1) == [200]


async def test_a_revoked_token_cannot_use_up_what_its_person_may_send(
    server: Server, far: httpx.AsyncClient, ana: Person
) -> None:
    made = await ana.make("/tokens", name="lost")
    async with visitor_at(server.app) as elsewhere:
        thief, here = await known(ana.with_token(made["token"]), elsewhere), await known(ana, far)
        assert (await ana.delete(f"/tokens/{made['id']}")).status_code == 204
        # The first is how the server learns of it; then there are those that the address has left.
        assert await statuses(thief, PER_USER) == [401] * PER_ADDRESS + [429] * (PER_USER - PER_ADDRESS)
        assert await statuses(here, PER_USER) == [200] * (PER_USER - 1) + [429]


# --- who is not limited -----------------------------------------------------------------------------------------------


async def test_the_machine_itself_is_not_limited_but_what_a_proxy_on_it_passes_on_is(
    server: Server, ana: Person
) -> None:
    ana = server.serve(ana)
    assert await statuses(ana, PER_USER + PER_ADDRESS + 1) == [200] * (PER_USER + PER_ADDRESS + 1)
    forwarded = {"X-Forwarded-For": "127.0.0.1"}
    passed_on = [(await ana.get("/tasks", headers=forwarded)).status_code for _ in range(PER_USER + 1)]
    assert passed_on == [200] * PER_USER + [429]


async def test_probes_are_not_limited(far: httpx.AsyncClient) -> None:
    for path, expected in (("/healthz", 200), ("/readyz", 200), ("/metrics", 401)):
        assert [(await far.get(path)).status_code for _ in range(PER_ADDRESS + 1)] == [expected] * 4


async def test_limits_can_be_off(settings: Settings, database_url: URL, clock: Clock, ana: Person) -> None:
    off = settings.model_copy(update={"rate_limit_per_user": None, "rate_limit_per_address": None})
    async with running(off, database_url) as server, visitor_at(server.app) as far:
        ana = await known(ana, far)
        assert await statuses(ana, 20) == [200] * 20
        assert [(await far.get("/api/v1/tasks")).status_code for _ in range(20)] == [401] * 20


async def test_behind_a_proxy_the_address_is_what_it_says_and_not_what_a_client_does(
    limited: Settings, database_url: URL, clock: Clock
) -> None:
    trusting = Settings(**{**limited.model_dump(), "trusted_proxies": "127.0.0.1"})
    async with serving(trusting, database_url) as live:
        # As a proxy adds to what it was sent.
        one, other = new_address(), new_address()
        said = [*(f"10.9.9.{n}, {one}" for n in range(PER_ADDRESS + 1)), other]
        answers = [await live.client.get("/api/v1/tasks", headers={"X-Forwarded-For": each}) for each in said]
        assert [answer.status_code for answer in answers] == [401] * PER_ADDRESS + [429, 401]


# --- what a refusal costs ---------------------------------------------------------------------------------------------


async def test_a_refusal_reads_no_body_and_asks_no_database(
    server: Server, far: httpx.AsyncClient, ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await known(ana, far)
    assert await statuses(ana, PER_USER) == [200] * PER_USER
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    def connect(*_: Any) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(server.database.engine.pool, "connect", connect)
    monkeypatch.setattr(server.app.state.direct_pool, "_take", connect)
    headers = {
        "authorization": f"Bearer {ana.token}",
        "content-type": "application/json",
        "content-length": "9",
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/tasks",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": (new_address(), 1),
    }
    await server.app(scope, receive, send)
    assert sent[0]["status"] == 429


async def test_a_page_elsewhere_may_read_the_refusal(
    limited: Settings, database_url: URL, clock: Clock
) -> None:
    origin = "https://board.example.org"
    app_settings = limited.model_copy(update={"cors_origins": (origin,)})
    async with running(app_settings, database_url) as server, visitor_at(server.app) as far:
        for _ in range(PER_ADDRESS):
            await far.get("/api/v1/tasks", headers={"Origin": origin})
        refused = await far.get("/api/v1/tasks", headers={"Origin": origin})
        assert refused.status_code == 429
        assert refused.headers["Access-Control-Allow-Origin"] == origin
        # A question about what is allowed is answered all the same.
        asking = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert (await far.options("/api/v1/tasks", headers=asking)).status_code == 200


# --- the buckets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_minute", [1, 7, 60, 1_000_000])
def test_a_bucket_holds_a_minutes_worth_and_fills_again_evenly(clock: Clock, per_minute: int) -> None:
    clock.now = 3e8
    buckets = Buckets(per_minute)
    at_once = min(per_minute, 1000)
    assert [buckets.take("a") for _ in range(at_once)] == [0.0] * at_once
    if per_minute == at_once:
        wait = buckets.take("a")
        assert wait == pytest.approx(60 / per_minute, abs=1e-3)
        clock.now += wait
        assert buckets.take("a") == 0
        assert buckets.take("a") > 0


def test_buckets_are_bounded_and_the_emptiest_are_remembered(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "_MOST_BUCKETS", 10)
    buckets = Buckets(2)
    assert [buckets.take("busy") for _ in range(3)][-1] > 0
    for n in range(1000):
        assert buckets.take(n) == 0
        assert len(buckets._full_at) <= 10
    assert buckets.take("busy") > 0
    clock.now += 60
    for n in range(1000, 1011):
        buckets.take(n)
    assert set(buckets._full_at) <= set(range(1000, 1011))
