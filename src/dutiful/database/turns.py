"""Within this process one after the other, for what would only hinder each other in the database."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    def __init__(self, patience: float) -> None:
        """`patience`: seconds to wait for a turn."""
        self._patience = patience
        # A lock lives as long as somebody has it or waits for it.
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, name: Hashable) -> AsyncIterator[bool]:
        """Gives False when the turn did not come in time."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        is_mine = await self._acquire(lock)
        try:
            yield is_mine
        finally:
            if is_mine:
                lock.release()

    async def _acquire(self, lock: asyncio.Lock) -> bool:
        if not lock.locked():
            return await lock.acquire()
        try:
            async with asyncio.timeout(self._patience):
                return await lock.acquire()
        except TimeoutError:
            return False
