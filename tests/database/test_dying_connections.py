"""A server that ends says so, to connections at rest too, and hangs up. Whoever is busy meanwhile hears it later, piece by
piece: at each of them, the connection is one that was lost."""

import asyncio
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from tests.cli.programs import execute

from dutiful.database.embedded import EmbeddedPostgres
from dutiful.database.failures import describe_failure, is_disconnect
from dutiful.errors import Unavailable

pytestmark = pytest.mark.parametrize("turns", range(4))
"""Of the event loop, since the end: by and by it hears that the server ends, and that it hung up."""


@pytest.fixture
async def engine(postgres: EmbeddedPostgres) -> AsyncEngine:
    return create_async_engine(postgres.url, poolclass=NullPool)


async def test_a_statement_meets_a_lost_connection(engine: AsyncEngine, turns: int) -> None:
    async with engine.connect() as connection:
        await _end(connection, turns)
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(text("SELECT 1"))
    _is_told_as_lost(caught.value)


async def test_a_connection_is_lost_that_is_being_opened(engine: AsyncEngine, turns: int) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _: object) -> None:
        _end_at_once(engine, connection.driver_connection.get_server_pid())
        connection.run_async(lambda _: _turn(turns))
        connection.cursor().execute("SELECT 1")

    with pytest.raises(DBAPIError) as caught:
        async with engine.connect():
            pass
    _is_told_as_lost(caught.value)


async def test_to_part_from_it_is_no_failure(
    engine: AsyncEngine, turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with engine.connect() as connection:
        await _end(connection, turns)
    # SQLAlchemy tells it to the log, with a traceback.
    assert caplog.records == []


async def _end(connection: AsyncConnection, turns: int) -> None:
    pid = await connection.scalar(text("SELECT pg_backend_pid()"))
    await connection.rollback()
    _end_at_once(connection.engine, pid or 0)
    await _turn(turns)


def _end_at_once(engine: AsyncEngine, pid: int) -> None:
    """Our loop stands still meanwhile, as that of a busy program does."""
    url = engine.url.render_as_string(hide_password=False)
    other = Thread(target=execute, args=(url, f"SELECT pg_terminate_backend({pid}, 5000)"))
    other.start()
    other.join()


async def _turn(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


def _is_told_as_lost(error: DBAPIError) -> None:
    assert is_disconnect(error)
    assert isinstance(describe_failure(error), Unavailable)
