"""Tells the other processes of an instance that there is news, and is told of theirs (NOTIFY and LISTEN).

Only a hint, which may be lost: readers look at the counters every half second anyway. It is sent after the commit,
on a connection of its own and for many commits at once, since a NOTIFY inside the writing transactions would make them
wait for each other (9,032 → 2,369 transactions a second).
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable
from typing import NoReturn

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

CHANNEL = "dutiful_changes"
SECONDS_BETWEEN = 0.05
# PostgreSQL takes 8,000 bytes. Without names everybody looks at everything.
MOST_BYTES = 7_900
SECONDS_KEPT_OPEN = 60.0
SECONDS_BETWEEN_PROOFS = 30.0
SECONDS_FOR_PROOF = 3.0
SECONDS_WHEN_DEAF = 300.0
SECONDS_AFTER_A_FAILURE = 5.0

_PROOF = "proof"

Wake = Callable[[Iterable[int]], None]
"""Given the workspaces with news; none at all for "look everywhere"."""

log = logging.getLogger(__name__)


class Wakeups:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # Tells our own notifications, which come back to us, from those of others.
        self._name = secrets.token_hex(6)
        self._unsent: set[int] = set()
        self._has_unsent = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._has_complained = False

    def announce(self, workspace_ids: Iterable[int]) -> None:
        """Returns at once."""
        self._unsent.update(workspace_ids)
        self._has_unsent.set()
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._has_unsent.is_set():
            try:
                async with self._engine.connect() as connection:
                    await self._send_all(connection)
            except (SQLAlchemyError, OSError) as error:
                # The others find out by looking.
                log.warning("Other processes could not be told of changes: %s", type(error).__name__)
                self._take_unsent()

    async def _send_all(self, connection: AsyncConnection) -> None:
        """Keeps the connection for a while, since the next commit is often near."""
        while await _is_set_within(self._has_unsent, SECONDS_KEPT_OPEN):
            await _notify(connection, _payload(self._name, self._take_unsent()))
            await asyncio.sleep(SECONDS_BETWEEN)

    def _take_unsent(self) -> set[int]:
        taken, self._unsent = self._unsent, set()
        self._has_unsent.clear()
        return taken

    async def listen(self, wake: Wake) -> NoReturn:
        """Until it is cancelled. Where nothing can be heard, it goes on trying from time to time."""
        while True:
            try:
                async with self._engine.connect() as connection:
                    await self._listen(connection, wake)
            except _Deaf:
                self._complain("LISTEN brings nothing; is a PgBouncer in between?")
                await asyncio.sleep(SECONDS_WHEN_DEAF)
            except (SQLAlchemyError, OSError) as error:
                self._complain(type(error).__name__)
                await asyncio.sleep(SECONDS_AFTER_A_FAILURE)

    async def _listen(self, connection: AsyncConnection, wake: Wake) -> None:
        """Until nothing is heard any more."""
        heard = asyncio.Event()

        def hear(_connection: object, _pid: int, _channel: str, payload: str) -> None:
            sender, _, names = payload.partition(":")
            if payload == proof:
                heard.set()
            elif sender not in {self._name, _PROOF}:
                wake(map(int, names.split(",")) if names else ())

        proof = f"{_PROOF}:{secrets.token_hex(6)}"
        driver = (await connection.get_raw_connection()).driver_connection
        if driver is None:
            raise _Deaf
        await driver.add_listener(CHANNEL, hear)
        while True:
            await self._prove(proof, heard)
            self._has_complained = False
            # Whatever happened before we listened.
            wake(())
            heard.clear()
            await asyncio.sleep(SECONDS_BETWEEN_PROOFS)

    async def _prove(self, proof: str, heard: asyncio.Event) -> None:
        """Behind a PgBouncer in transaction mode LISTEN succeeds and nothing ever comes; over a dead line neither."""
        async with self._engine.connect() as another:
            await _notify(another, proof)
        if not await _is_set_within(heard, SECONDS_FOR_PROOF):
            raise _Deaf

    def _complain(self, cause: str) -> None:
        """Once, until it is well again."""
        if not self._has_complained:
            self._has_complained = True
            log.warning(
                "Not told of the changes of other processes (%s). Live feeds look for them every half second.",
                cause,
            )

    async def close(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        await self._engine.dispose()


class _Deaf(Exception):
    """What was sent did not arrive."""


def _payload(name: str, workspace_ids: set[int]) -> str:
    payload = f"{name}:{','.join(map(str, sorted(workspace_ids)))}"
    return payload if len(payload) <= MOST_BYTES else f"{name}:"


async def _notify(connection: AsyncConnection, payload: str) -> None:
    await connection.execute(select(func.pg_notify(CHANNEL, payload)))


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
