"""Several hosts: the one that takes writes is used, whatever the others do."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import URL, literal, select, text
from tests.cli.programs import execute, fresh_database

from dutiful.database.direct import DirectStatement, create_direct_pool
from dutiful.database.embedded import EmbeddedPostgres
from dutiful.database.engine import create_engine
from dutiful.database.failures import describe_failure
from dutiful.database_url import parse_database_url
from dutiful.errors import Unavailable
from dutiful.settings import Settings


@dataclass
class Silent:
    """A machine that takes connections and says nothing, as one that hangs."""

    port: int = 0
    asked: int = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        await reader.read()
        writer.close()


@pytest.fixture
async def silent() -> AsyncIterator[Silent]:
    silent = Silent()
    async with await asyncio.start_server(silent.take, "127.0.0.1", 0) as server:
        silent.port = server.sockets[0].getsockname()[1]
        yield silent


@pytest.fixture
def impatient(settings: Settings) -> Settings:
    return settings.model_copy(update={"db_connect_timeout": 1.0})


@pytest.fixture
def url(silent: Silent, postgres: EmbeddedPostgres) -> URL:
    return to_both(f"127.0.0.1:{silent.port}", str(postgres.socket_folder), "dutiful")


@pytest.fixture
def read_only(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Hosts that are as standbys are."""
    with fresh_database(postgres) as url:
        name = url.partition("@/")[2].partition("?")[0]
        execute(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        yield name


def to_both(first: str, second: str, database: str) -> URL:
    return parse_database_url(f"postgresql://dutiful@/{database}?host={first}&host={second}&sslmode=disable")


async def test_a_host_that_is_silent_leaves_time_for_the_next(url: URL, impatient: Settings) -> None:
    engine = create_engine(impatient, url)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


async def test_the_express_lane_finds_it_too(url: URL, impatient: Settings) -> None:
    pool = create_direct_pool(impatient, url)
    rows = await pool.fetch(DirectStatement(select(literal(1))), {})
    assert [tuple(row) for row in rows] == [(1,)]
    await pool.close()


async def test_only_the_first_connection_waits_for_it(url: URL, silent: Silent, impatient: Settings) -> None:
    engine = create_engine(impatient, url)
    for _ in range(3):
        async with engine.connect():
            pass
        await engine.dispose()
    assert silent.asked == 1


async def test_standbys_alone_are_as_good_as_nobody(
    read_only: str, postgres: EmbeddedPostgres, impatient: Settings
) -> None:
    folder = str(postgres.socket_folder)
    engine = create_engine(impatient, to_both(folder, folder, read_only))
    with pytest.raises(OSError, match=r"none takes writes now \(.*: a standby, or read-only") as raised:
        async with engine.connect():
            pass
    assert isinstance(describe_failure(raised.value), Unavailable)
