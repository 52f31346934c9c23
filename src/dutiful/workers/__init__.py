"""Work beside the requests, in loops that live as long as the application does.

Every process of every replica runs every loop; a row in the database decides which of them does what is due, and is
the only record of it. A loop that is killed anywhere loses nothing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from dutiful.database.session import Database
from dutiful.settings import Settings

Loop = Callable[[Database, Settings], Awaitable[None]]
"""Runs until it is cancelled."""

SECONDS_AFTER_A_FAILURE = 5.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def at_work(loops: Iterable[Loop], database: Database, settings: Settings) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(_keep_running(loop, database, settings)) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_running(loop: Loop, database: Database, settings: Settings) -> None:
    while True:
        try:
            await loop(database, settings)
        except Exception:
            # The database may be away for a moment; what was due still is.
            log.exception("%s failed and starts again", loop.__module__)
        await asyncio.sleep(SECONDS_AFTER_A_FAILURE)
