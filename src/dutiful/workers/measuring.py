"""Keeps the figures of this process fresh, for whichever process is asked for those of all."""

import asyncio

from dutiful import metrics
from dutiful.database.session import Database
from dutiful.settings import Settings

SECONDS_BETWEEN = 5.0


async def keep_measuring(database: Database, settings: Settings) -> None:
    while True:
        metrics.sample(database.engine.pool)
        await asyncio.sleep(SECONDS_BETWEEN)
