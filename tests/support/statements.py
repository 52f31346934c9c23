"""Counts what a request asks of PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from dutiful.database.direct import DirectPool, DirectStatement
from dutiful.database.session import Database


@contextmanager
def count_statements(database: Database) -> Iterator[list[str]]:
    """The statements sent while the block runs, in their order; BEGIN and COMMIT are not among them.

    One `executemany` is one statement. Everything on this engine counts, and on direct connections, so nothing else
    may run meanwhile.
    """
    statements: list[str] = []
    fetch = DirectPool.fetch

    async def note_and_fetch(pool: DirectPool, statement: DirectStatement, values: Any) -> Any:
        statements.append(statement.sql)
        return await fetch(pool, statement, values)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(DirectPool, "fetch", note_and_fetch)
            yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)
