"""SIGTERM and Ctrl-C, for a program that must end in order."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_POLL_SECONDS = 0.05


class Stopped(Exception):
    """Raised where somebody looked, so that everything on the way out is closed in order."""


class StopRequest:
    """Whether a signal to stop came.

    Its handler only takes a note, and whoever waits looks. An exception out of a handler comes anywhere: right after
    a process was started that nobody knows yet, or in a callback of a weak reference, where Python prints it and goes on.
    """

    def __init__(self) -> None:
        self._is_made = False

    def is_made(self) -> bool:
        return self._is_made

    def check(self) -> None:
        if self._is_made:
            raise Stopped

    async def end_early(self, work: Coroutine[None, None, None]) -> None:
        """Do the work; cancel it when the signal comes. What then becomes of it matters to nobody."""
        task = asyncio.ensure_future(work)
        while not task.done():
            await asyncio.wait({task}, timeout=_POLL_SECONDS)
            if self._is_made:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise Stopped
        task.result()

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Signals are noted inside; being stopped by one is an orderly end."""
        before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        try:
            yield
        except Stopped:
            pass
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._is_made = True
