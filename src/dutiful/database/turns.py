"""Within this process one after the other, for what would only hinder each other in the database."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class _Turn(asyncio.Lock):
    waiting = 0
    """How many wait for it."""


class Turns:
    def __init__(self, patience: float) -> None:
        """`patience`: seconds to wait for a turn."""
        self._patience = patience
        # One lives as long as somebody has it or waits for it.
        self._turns: WeakValueDictionary[Hashable, _Turn] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, name: Hashable) -> AsyncIterator[bool]:
        """Gives False when the turn did not come in time."""
        turn = self._turns.get(name)
        if turn is None:
            turn = self._turns[name] = _Turn()
        is_mine = await self._acquire(turn)
        try:
            yield is_mine
        finally:
            if is_mine:
                turn.release()
        if turn.waiting:
            # The next one's statement is on its way before this one's answer is made.
            await asyncio.sleep(0)

    async def _acquire(self, turn: _Turn) -> bool:
        if not turn.locked() and not turn.waiting:
            return await turn.acquire()
        turn.waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                return await turn.acquire()
        except TimeoutError:
            return False
        finally:
            turn.waiting -= 1
