"""What PostgreSQL says went wrong, in the words of the domain."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

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
