"""A network that fails on purpose, between the server and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from pathlib import Path

from sqlalchemy import URL, make_url


class Fault(Enum):
    """What happens to the next COMMIT, or to whatever else is marked."""

    LOSE_REQUEST = auto()
    """It never arrives: PostgreSQL sees the connection end and rolls back."""
    LOSE_REPLY = auto()
    """It is done, and the answer is lost with the connection."""
    HOLD_REPLY = auto()
    """It is done, and the answer does not come, as with a cut that nobody notices."""


class CommitCuttingProxy:
    """Passes bytes on between a loopback port and PostgreSQL's socket, until it is told to fail."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.fault: Fault | None = None
        self.mark = b"COMMIT;"
        """What it happens to: bytes that are sent to PostgreSQL with it."""
        self.spare = 0
        """How many of those come before the one it happens to."""
        self.faults_done = 0
        self.lets_through = asyncio.Event()
        """Cleared, nothing gets through in either direction, and nobody is told: a cable that was pulled out."""
        self.lets_through.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_unix_connection(self.socket)
        fault: Fault | None = None

        async def to_server() -> None:
            nonlocal fault
            while data := await reader.read(65_536):
                await self.lets_through.wait()
                if self.fault is not None and self.mark in data and not self._spares():
                    fault, self.fault = self.fault, None
                    self.faults_done += 1
                    if fault is Fault.LOSE_REQUEST:
                        return
                upstream_writer.write(data)
                await upstream_writer.drain()

        async def to_client() -> None:
            while data := await upstream_reader.read(65_536):
                await self.lets_through.wait()
                if fault is Fault.LOSE_REPLY:
                    return
                if fault is None:
                    writer.write(data)
                    await writer.drain()

        await _until_one_ends(to_server, to_client)
        for end in (writer, upstream_writer):
            end.transport.abort()

    def _spares(self) -> bool:
        self.spare -= 1
        return self.spare >= 0


async def _until_one_ends(*works: Callable[[], Awaitable[None]]) -> None:
    tasks = [asyncio.ensure_future(work()) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        with suppress(OSError):
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def proxied(url: URL | str) -> AsyncIterator[tuple[CommitCuttingProxy, URL]]:
    """A proxy in front of the PostgreSQL at `url`, and the URL that leads through it."""
    direct = make_url(url)
    proxy = CommitCuttingProxy(_socket_in(str(direct.query["host"])))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        # Unencrypted, so that the proxy can read along.
        yield proxy, direct.set(host="127.0.0.1", port=port, query={"ssl": "disable"})


def _socket_in(folder: str) -> Path:
    return next(Path(folder).glob(".s.PGSQL.*[0-9]"))
