"""Counts what a request asks of PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from dutiful.database.session import Database


@contextmanager
def count_statements(database: Database) -> Iterator[list[str]]:
    """The statements sent while the block runs, in their order; BEGIN and COMMIT are not among them.

    One `executemany` is one statement. Everything on this engine counts, so nothing else may run meanwhile.
    """
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)
