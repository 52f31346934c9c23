"""Within this process one after the other, for what would only hinder each other in the database."""

import asyncio
from collections.abc import Hashable
from types import TracebackType
from weakref import WeakValueDictionary


class _Turn(asyncio.Lock):
    waiting = 0
    """How many wait for it."""

    async def is_had_within(self, seconds: float) -> bool:
        if not self.locked() and not self.waiting:
            return await self.acquire()
        self.waiting += 1
        try:
            async with asyncio.timeout(seconds):
                return await self.acquire()
        except TimeoutError:
            return False
        finally:
            self.waiting -= 1


class Turns:
    def __init__(self, patience: float) -> None:
        """`patience`: seconds to wait for a turn."""
        self._patience = patience
        # One lives as long as somebody has it or waits for it.
        self._turns: WeakValueDictionary[Hashable, _Turn] = WeakValueDictionary()

    def take(self, name: Hashable) -> "_Taking":
        """For `async with`, which gives False when the turn did not come in time."""
        turn = self._turns.get(name)
        if turn is None:
            turn = self._turns[name] = _Turn()
        return _Taking(turn, self._patience)


class _Taking:
    def __init__(self, turn: _Turn, patience: float) -> None:
        self._turn = turn
        self._patience = patience
        self._is_mine = False

    async def __aenter__(self) -> bool:
        self._is_mine = await self._turn.is_had_within(self._patience)
        return self._is_mine

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_mine:
            self._turn.release()
        if error is None and self._turn.waiting:
            # The next one's statement is on its way before this one's answer is made.
            await asyncio.sleep(0)
