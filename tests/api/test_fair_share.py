"""Whatever one person asks for at once, others get a connection."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from fastapi import APIRouter
from sqlalchemy import URL, text
from tests.support.people import Person
from tests.support.problems import problem
from tests.support.servers import Server, running

from dutiful.api.deps import CurrentActor, ReadDb
from dutiful.api.transaction import TransactionRoute
from dutiful.settings import Settings

PATIENCE = 20
CONNECTIONS = 4


@dataclass
class Slow:
    """A route whose answers wait for `done`, each with a connection."""

    router: APIRouter = field(
        default_factory=lambda: APIRouter(prefix="/api/v1/tests", route_class=TransactionRoute)
    )
    inside: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        @self.router.get("/slow")
        async def slow(db: ReadDb, actor: CurrentActor) -> None:
            await db.execute(text("SELECT 1"))
            self.inside += 1
            await self.done.wait()
            self.inside -= 1

    async def until_inside(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.inside < count:  # noqa: ASYNC110 - many count it up
                await asyncio.sleep(0.01)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def narrow(settings: Settings) -> Settings:
    return settings.model_copy(update={"db_pool_size": CONNECTIONS - 1, "db_max_overflow": 1})


@pytest.fixture
async def server(narrow: Settings, database_url: URL, slow: Slow) -> AsyncIterator[Server]:
    async with running(narrow, database_url, slow.router) as server:
        yield server


async def test_one_person_has_at_most_half_of_the_connections(
    server: Server, slow: Slow, ana: Person, bob: Person
) -> None:
    ana, bob = server.serve(ana), server.serve(bob)
    second = ana.with_token((await ana.make("/tokens", name="phone"))["token"])
    for person in (ana, second):
        # So that the server knows whose the tokens are.
        assert (await person.get("/labels")).status_code == 200
    asking = [asyncio.create_task(person.get("/tests/slow")) for person in (ana, second) * CONNECTIONS]
    await slow.until_inside(CONNECTIONS // 2)
    async with asyncio.timeout(PATIENCE):
        for _ in range(5):
            assert (await bob.get("/labels")).status_code == 200
    assert (slow.inside, server.connections_in_use()) == (CONNECTIONS // 2, CONNECTIONS // 2)
    slow.done.set()
    assert {response.status_code for response in await asyncio.gather(*asking)} == {200}


async def test_a_token_that_is_not_known_yet_has_no_more(server: Server, slow: Slow, ana: Person) -> None:
    ana = server.serve(ana)
    asking = [asyncio.create_task(ana.get("/tests/slow")) for _ in range(CONNECTIONS)]
    await slow.until_inside(CONNECTIONS // 2)
    assert server.connections_in_use() == CONNECTIONS // 2
    slow.done.set()
    assert {response.status_code for response in await asyncio.gather(*asking)} == {200}


async def test_who_waits_too_long_in_their_own_line_is_told(
    narrow: Settings, database_url: URL, slow: Slow, ana: Person
) -> None:
    hasty = narrow.model_copy(update={"db_pool_timeout": 0.1})
    async with running(hasty, database_url, slow.router) as server:
        ana = server.serve(ana)
        asking = [asyncio.create_task(ana.get("/tests/slow")) for _ in range(CONNECTIONS // 2)]
        await slow.until_inside(CONNECTIONS // 2)
        document = problem(await ana.get("/labels"), 503, "unavailable")
        assert document["detail"].startswith("You have as many requests running")
        slow.done.set()
        assert {response.status_code for response in await asyncio.gather(*asking)} == {200}
        assert (await ana.get("/labels")).status_code == 200


async def test_who_hangs_up_while_waiting_leaves_the_line(server: Server, slow: Slow, ana: Person) -> None:
    ana = server.serve(ana)
    asking = [asyncio.create_task(ana.get("/tests/slow")) for _ in range(CONNECTIONS * 3)]
    await slow.until_inside(CONNECTIONS // 2)
    for one in asking:
        one.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    async with asyncio.timeout(PATIENCE):
        assert (await ana.get("/labels")).status_code == 200
