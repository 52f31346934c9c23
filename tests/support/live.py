"""A server on a real socket, and clients that follow its live feed."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import httpx
from fastapi import FastAPI
from sqlalchemy import URL
from tests.support.contract import hold_to_contract
from tests.support.people import Person
from tests.support.servers import connections_in_use

from dutiful.changes.live import LiveFeed
from dutiful.changes.stream import Stream
from dutiful.database.session import Database
from dutiful.server import Server, make_server
from dutiful.settings import Settings

PATIENCE = 60.0


@dataclass(frozen=True)
class Live:
    server: Server
    port: int
    client: httpx.AsyncClient

    @property
    def app(self) -> FastAPI:
        return self.server.app

    @property
    def database(self) -> Database:
        database: Database = self.app.state.database
        return database

    @property
    def feed(self) -> LiveFeed:
        feed: LiveFeed = self.app.state.live_feed
        return feed

    def serve(self, person: Person) -> Person:
        """The same person, talking to this server."""
        return replace(person, client=self.client)

    @asynccontextmanager
    async def follow(
        self, person: Person, last_id: str | None = None, **params: str
    ) -> AsyncIterator["Events"]:
        """A stream that has begun."""
        headers = {} if last_id is None else {"Last-Event-ID": last_id}
        events = await Events.open(self.port, person, headers, params)
        try:
            assert events.status == 200, await events.reader.read(1000)
            await events.next("position")
            yield events
        finally:
            events.close()

    def stream_of(self, person: Person) -> Stream:
        """The only one this person has."""
        (stream,) = [stream for stream in self.feed._streams if stream.actor.user_id == person.user_id]
        return stream

    async def until_nobody_follows(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.feed._streams or self.feed._stopped:  # noqa: ASYNC110 - what sets no event
                await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(settings: Settings, url: URL | str) -> AsyncIterator[Live]:
    """A server that must have given back every connection, and ended every task, by the end."""
    tasks = asyncio.all_tasks()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ready = asyncio.Event()
        server = make_server(settings, url, ready.set)
        running = asyncio.create_task(server._serve([listener]))
        await ready.wait()
        port = listener.getsockname()[1]
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            timeout=PATIENCE,
            event_hooks={"response": [hold_to_contract]},
        ) as client:
            live = Live(server, port, client)
            yield live
            await live.until_nobody_follows()
            assert not live.feed._followed
            assert connections_in_use(live.database) == 0
        server.should_exit = True
        async with asyncio.timeout(PATIENCE):
            await running
    # A server beside this one may have begun to tell of its commits meanwhile.
    left = asyncio.all_tasks() - tasks - {asyncio.current_task()}
    assert not [task for task in left if "Wakeups._send" not in repr(task)], left


@dataclass(frozen=True)
class Event:
    name: str
    data: Any
    id: str | None

    @property
    def change(self) -> tuple[int, int]:
        assert self.name == "change", self
        return self.data["workspace_id"], self.data["seq"]


class Events:
    """What a client of the stream reads."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.status = 0
        self.headers: dict[str, str] = {}
        self.comments = 0
        self.last_id: str | None = None

    @classmethod
    async def open(
        cls, port: int, person: Person, headers: Mapping[str, str], params: Mapping[str, str], **options: Any
    ) -> Self:
        where: dict[str, Any] = {} if "sock" in options else {"host": "127.0.0.1", "port": port}
        events = cls(*await asyncio.open_connection(**where, **options))
        query = str(httpx.QueryParams(params))
        lines = [
            f"GET /api/v1/changes/stream?{query} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {person.token}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        events.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await events._read_head()
        return events

    async def _read_head(self) -> None:
        async with asyncio.timeout(PATIENCE):
            status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
        self.status = int(status.split()[1])
        for line in lines:
            name, _, value = line.partition(": ")
            self.headers[name] = value
        self._rest = b""

    async def next(self, name: str | None = None) -> Event:
        """The next event, which must have this name."""
        async with asyncio.timeout(PATIENCE):
            while (event := _parse(await self._block())) is None:
                self.comments += 1
        self.last_id = event.id or self.last_id
        assert name in {None, event.name}, event
        return event

    async def changes(self, count: int) -> list[tuple[int, int]]:
        return [(await self.next("change")).change for _ in range(count)]

    async def until_comment(self) -> None:
        async with asyncio.timeout(PATIENCE):
            assert _parse(await self._block()) is None

    async def _block(self) -> str:
        while b"\n\n" not in self._rest:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            if size == 0:
                raise EOFError
            self._rest += (await self.reader.readexactly(size + 2))[:-2]
        block, _, self._rest = self._rest.partition(b"\n\n")
        return block.decode()

    async def is_over(self) -> bool:
        """Whether nothing comes any more but an orderly end."""
        try:
            await self.next()
        except EOFError:
            return True
        return False

    def close(self) -> None:
        self.writer.transport.abort()


def _parse(block: str) -> Event | None:
    """None for a comment."""
    fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
    return Event(fields["event"], json.loads(fields["data"]), fields.get("id")) if fields else None
