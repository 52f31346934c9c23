"""HTTP as bytes, for requests that no client library would send."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Headers = dict[bytes, bytes]


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Headers
    """Names in lower case."""


@dataclass
class Heard:
    """All that came back over one connection."""

    answers: list[Answer] = field(default_factory=list)
    was_closed: bool = False
    """By the server."""


def request(
    method: bytes = b"POST",
    path: bytes = b"/api/v1/tasks",
    body: bytes | None = None,
    headers: Headers | None = None,
    version: bytes = b"HTTP/1.1",
) -> bytes:
    """A proper one, if what is given is."""
    lines = {b"Host": b"test", **(headers or {})}
    if body is not None:
        lines = {b"Content-Type": b"application/json", b"Content-Length": b"%d" % len(body), **lines}
    head = b"".join(b"%s: %s\r\n" % line for line in lines.items())
    return b"%s %s %s\r\n%s\r\n%s" % (method, path, version, head, body or b"")


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


@asynccontextmanager
async def connected(
    port: int, buffer: int = 0
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Cut off at the end, without a farewell. `buffer`: about how many bytes are taken in before somebody reads them."""
    end = socket.socket()
    if buffer:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.setblocking(False)  # noqa: FBT003 - it has no keyword
    await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=end, limit=buffer or 2**24)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def send(writer: asyncio.StreamWriter, sent: bytes) -> None:
    """What the server does not want to hear any more is left unsaid."""
    try:
        writer.write(sent)
        await writer.drain()
    except OSError:
        pass


async def hear(
    reader: asyncio.StreamReader, patience: float, enough: int = 1, until: bytes | None = None
) -> Heard:
    """Until the server closes, there are `enough` answers or the one with the body `until`, or nothing came for so many
    seconds."""
    heard, data = Heard(), b""
    while len(heard.answers) < enough and not (heard.answers and heard.answers[-1].body == until):
        try:
            async with asyncio.timeout(patience):
                more = await reader.read(2**20)
        except TimeoutError:
            break
        except OSError:
            more = b""
        data += more
        heard.answers = parse(data, is_all=not more)
        if not more:
            heard.was_closed = True
            break
    return heard


def parse(data: bytes, *, is_all: bool = False) -> list[Answer]:
    """The answers that are there in full."""
    answers = []
    while b"\r\n\r\n" in data:
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        status = int(first.split(b" ")[1])
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)
        }
        if status < 200:
            data = rest
            continue
        length = 0 if status in {204, 304} else int(headers.get(b"content-length", b"-1"))
        if length < 0 and b"chunked" in headers.get(b"transfer-encoding", b""):
            end = rest.find(b"0\r\n\r\n")
            length = -1 if end < 0 else end + 5
        if length < 0:
            length = len(rest) if is_all else len(rest) + 1
        if len(rest) < length:
            break
        answers.append(Answer(status, rest[:length], headers))
        data = rest[length:]
    return answers
