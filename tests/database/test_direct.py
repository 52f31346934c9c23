"""The driver's own connections: one statement each, taken back whatever becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy import URL, BigInteger, Integer, bindparam, cast, func, literal, select, text

from dutiful.database.direct import DirectPool, DirectStatement, NoConnection, create_direct_pool, is_undone
from dutiful.database.turns import Turns
from dutiful.settings import Settings

PATIENCE = 10
ADD = DirectStatement(select(cast(bindparam("one"), BigInteger) + literal(1, BigInteger)))
NAP = DirectStatement(text("SELECT pg_sleep(CAST(:seconds AS double precision))"))
WHO = DirectStatement(select(func.pg_backend_pid()))
FAIL = DirectStatement(select(1 / cast(bindparam("zero"), Integer)))


@pytest.fixture
async def pool(settings: Settings, database_url: URL) -> AsyncIterator[DirectPool]:
    few = settings.model_copy(update={"db_pool_size": 2, "db_pool_timeout": 0.3})
    pool = create_direct_pool(few, database_url)
    yield pool
    await pool.close()


async def test_values_are_given_by_name(pool: DirectPool) -> None:
    assert [tuple(row) for row in await pool.fetch(ADD, {"one": 41, "unused": None})] == [(42,)]


async def test_a_value_that_is_missing_is_no_null(pool: DirectPool) -> None:
    with pytest.raises(KeyError):
        await pool.fetch(ADD, {})


async def test_connections_are_used_again(pool: DirectPool) -> None:
    (one,), (other,) = [(await pool.fetch(WHO, {}))[0] for _ in range(2)]
    assert one == other


async def test_no_more_are_opened_than_there_may_be(pool: DirectPool) -> None:
    async with asyncio.timeout(PATIENCE):
        found = await asyncio.gather(*(pool.fetch(WHO, {}) for _ in range(50)))
    assert len({row[0] for (row,) in found}) <= 2


async def test_who_waits_too_long_is_told_that_nothing_was_done(pool: DirectPool) -> None:
    naps = [asyncio.create_task(pool.fetch(NAP, {"seconds": 0.8})) for _ in range(2)]
    await asyncio.sleep(0.1)
    with pytest.raises(NoConnection) as raised:
        await pool.fetch(WHO, {})
    assert is_undone(raised.value)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*naps)
        assert await pool.fetch(WHO, {})


async def test_what_the_server_refuses_costs_no_connection(pool: DirectPool) -> None:
    (before,) = await pool.fetch(WHO, {})
    for _ in range(5):
        with pytest.raises(asyncpg.DivisionByZeroError) as raised:
            await pool.fetch(FAIL, {"zero": 0})
        assert is_undone(raised.value)
    (after,) = await pool.fetch(WHO, {})
    assert tuple(before) == tuple(after)


async def test_who_is_cancelled_leaves_nothing_behind(pool: DirectPool) -> None:
    for _ in range(5):
        nap = asyncio.create_task(pool.fetch(NAP, {"seconds": 30}))
        await asyncio.sleep(0.05)
        nap.cancel()
        await asyncio.gather(nap, return_exceptions=True)
    async with asyncio.timeout(PATIENCE):
        found = await asyncio.gather(*(pool.fetch(ADD, {"one": n}) for n in range(20)))
    assert [row[0] for (row,) in found] == list(range(1, 21))


async def test_a_connection_that_was_cut_is_replaced(pool: DirectPool, database_url: URL) -> None:
    (row,) = await pool.fetch(WHO, {})
    other = create_direct_pool(Settings(), database_url)
    kill = DirectStatement(text("SELECT pg_terminate_backend(CAST(:pid AS integer))"))
    await other.fetch(kill, {"pid": row[0]})
    await other.close()
    async with asyncio.timeout(PATIENCE):
        new = await _despite_cuts(pool)
    assert new[0] != row[0]


async def _despite_cuts(pool: DirectPool) -> Any:
    while True:
        # Nobody knows of a statement that it was sent with.
        with suppress(
            asyncpg.PostgresConnectionError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
            asyncpg.AdminShutdownError,
            OSError,
        ):
            return (await pool.fetch(WHO, {}))[0]


async def test_a_table_that_changed_its_form_is_read_anew(pool: DirectPool) -> None:
    name = "direct_test"
    make = DirectStatement(text(f"CREATE TABLE {name} AS SELECT 1 AS a"))
    widen = DirectStatement(text(f"ALTER TABLE {name} ADD b int DEFAULT 2"))
    drop = DirectStatement(text(f"DROP TABLE {name}"))
    read = DirectStatement(text(f"SELECT * FROM {name}"))
    await pool.fetch(make, {})
    try:
        assert [tuple(row) for row in await pool.fetch(read, {})] == [(1,)]
        await pool.fetch(widen, {})
        with pytest.raises(asyncpg.InvalidCachedStatementError) as raised:
            await pool.fetch(read, {})
        assert is_undone(raised.value)
        assert [tuple(row) for row in await pool.fetch(read, {})] == [(1, 2)]
    finally:
        await pool.fetch(drop, {})


@pytest.mark.parametrize(("size", "is_usable"), [("100", True), ("0", False)])
async def test_who_says_how_much_is_kept_is_believed(
    settings: Settings, database_url: URL, size: str, *, is_usable: bool
) -> None:
    url = database_url.update_query_dict({"prepared_statement_cache_size": size})
    pool = create_direct_pool(settings, url)
    assert pool.is_usable is is_usable
    assert await pool.fetch(WHO, {})
    await pool.close()


@pytest.mark.parametrize(
    ("error", "undone"),
    [
        (NoConnection(), True),
        (asyncpg.UniqueViolationError(), True),
        (asyncpg.LockNotAvailableError(), True),
        (asyncpg.ConnectionDoesNotExistError(), False),
        (asyncpg.AdminShutdownError(), False),
        (asyncpg.InterfaceError("closed"), False),
        (TimeoutError(), False),
        (ConnectionResetError(), False),
    ],
)
def test_what_is_certainly_undone(error: Exception, *, undone: bool) -> None:
    assert is_undone(error) is undone


async def test_an_unreachable_server_is_no_connection(settings: Settings, database_url: URL) -> None:
    nowhere = database_url.set(host="127.0.0.1", port=1, query={})
    pool = create_direct_pool(settings, nowhere)
    with pytest.raises(NoConnection):
        await pool.fetch(WHO, {})


async def test_turns_come_one_after_the_other() -> None:
    turns = Turns(PATIENCE)
    inside = most = 0

    async def work() -> None:
        nonlocal inside, most
        async with turns.take("name") as is_mine:
            assert is_mine
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert most == 1
    assert len(turns._turns) == 0


async def test_a_turn_that_does_not_come_is_not_waited_for() -> None:
    turns = Turns(0.05)
    async with turns.take("name"), turns.take("name") as is_mine, turns.take("another") as is_mine_too:
        assert not is_mine
        assert is_mine_too
    async with turns.take("name") as is_mine:
        assert is_mine
