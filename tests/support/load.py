"""Clients that ask one thing after the other, each over a connection it keeps as long as the server lets it."""

import asyncio
import json
from dataclasses import dataclass, field


@dataclass
class Load:
    """`titles` are those of the tasks answered with; `cut` are requests that were sent and not answered in full; `refused` is how often nobody listened."""

    host: str
    port: int
    token: str
    answered: list[int] = field(default_factory=list)
    titles: set[str] = field(default_factory=set)
    cut: list[str] = field(default_factory=list)
    refused: int = 0

    async def run(self, clients: int) -> None:
        """Until nobody listens any more."""
        await asyncio.gather(*(self._client(number) for number in range(clients)))

    async def _client(self, number: int) -> None:
        turn = 0
        while True:
            try:
                reader, writer = await asyncio.open_connection(self.host, self.port)
            except OSError:
                self.refused += 1
                return
            try:
                is_kept = True
                while is_kept:
                    turn += 1
                    is_kept = await self._ask(reader, writer, f"{id(self)} {number} {turn}")
            except (OSError, asyncio.IncompleteReadError) as error:
                self.cut.append(repr(error))
            finally:
                writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, title: str) -> bool:
        """Whether the connection may be used again."""
        body = json.dumps({"title": title}).encode()
        writer.write(
            b"POST /api/v1/tasks HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
            % (self.token.encode(), len(body), body)
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        status, *lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        await reader.readexactly(int(headers["content-length"]))
        self.titles.add(title)
        self.answered.append(int(status.split()[1]))
        return headers.get("connection") != "close"
