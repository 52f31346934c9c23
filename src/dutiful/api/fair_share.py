"""So that one person's slow requests leave database connections to others."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from dutiful.errors import Unavailable
from dutiful.settings import Settings


class FairShare:
    """A line for each person, of whose requests at most half of the connections of a process are held at once."""

    def __init__(self, settings: Settings) -> None:
        connections = settings.db_pool_size + settings.db_max_overflow
        self._most = max(1, connections // 2)
        self._patience = settings.db_pool_timeout
        # One lives as long as somebody has a place in it or waits for it.
        self._lines: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def place(self, caller: Hashable | None) -> AsyncIterator[None]:
        """Raises Unavailable when it is not free in time. Strangers, who can ask for little, need none."""
        if caller is None:
            yield
            return
        line = self._lines.get(caller)
        if line is None:
            line = self._lines[caller] = asyncio.Semaphore(self._most)
        await self._enter(line)
        try:
            yield
        finally:
            line.release()

    async def _enter(self, line: asyncio.Semaphore) -> None:
        if not line.locked():
            await line.acquire()
            return
        try:
            async with asyncio.timeout(self._patience):
                await line.acquire()
        except TimeoutError as error:
            raise Unavailable(
                "You have as many requests running as one person may. Wait for some of them, then try again."
            ) from error
