"""Removing many rows in small transactions."""

import asyncio
from collections.abc import Awaitable, Callable

from dutiful.database.session import Database, Writer

ROWS = 1000
"""In one transaction, about: its locks should not be felt."""

SECONDS_BETWEEN = 0.1

Bite = Callable[[Writer], Awaitable[int]]
"""Removes up to `ROWS` rows and gives their number; none when there are no more."""


async def remove_all(database: Database, bite: Bite) -> int:
    removed = 0
    while rows := await database.write(bite):
        removed += rows
        await asyncio.sleep(SECONDS_BETWEEN)
    return removed
