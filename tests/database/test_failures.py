"""What PostgreSQL says went wrong, in the words of the domain."""

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from dutiful.database import hosts
from dutiful.database.failures import describe_failure
from dutiful.database.session import Database
from dutiful.errors import Unavailable


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ("53100", "disk_full", "no space left"),
        ("58030", "disk_full", "no space left"),
        # Out of memory: a disk that was looked at would be found half empty.
        ("53200", "unavailable", "busy"),
        ("53300", "unavailable", "busy"),
        ("25006", "unavailable", "connection to the database was lost"),
    ],
)
async def test_a_state_is_told_as_what_it_is(database: Database, state: str, code: str, words: str) -> None:
    with pytest.raises(DBAPIError) as raised:
        await database.run_aside(text(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$"))
    told = describe_failure(raised.value)
    assert isinstance(told, Unavailable)
    assert told.code == code
    assert words in str(told)


async def test_a_connection_lost_before_its_first_use_is_one_that_was_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lost(*_: object, **__: object) -> None:
        # As the driver has it when the server dies between the handshake and the first statement.
        raise asyncpg.InterfaceError("connection is closed")

    monkeypatch.setattr(hosts, "connect", lost)
    engine = create_async_engine("postgresql+asyncpg://")
    with pytest.raises(DBAPIError) as caught:
        async with engine.connect():
            pass
    assert isinstance(describe_failure(caught.value), Unavailable)
