"""What the express lane sees of a request, and what it answers."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from starlette.types import Message, Receive, Scope

from dutiful.api.express.asking import Asker, Askers

MOST_BYTES = 1_000_000
"""Of a body. Larger ones are rare."""

_ID = re.compile(r"[1-9][0-9]{0,17}")
_JSON = frozenset({"application/json", "application/json; charset=utf-8"})
# Each of these changes what a request means.
_UNKNOWN = frozenset({"if-none-match", "transfer-encoding", "content-encoding", "range"})


@dataclass(slots=True)
class Request:
    headers: Mapping[str, str]
    query_string: bytes
    secret: str
    request_id: uuid.UUID
    takes_body: bool
    askers: Askers
    body: bytes = b""
    fingerprint: bytes = b""
    """Of one with an Idempotency-Key."""
    may_be_written: bool = False
    """Set as soon as what it asks for is sent to the database."""

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key")


class Answer(NamedTuple):
    status: int
    body: bytes
    asker: Asker
    headers: tuple[tuple[bytes, bytes], ...] = ()
    appended: Mapping[int, int] | None = None
    """Of a write: how many changes were appended to the journal of which workspace."""


def is_id(text: str) -> bool:
    """As ids are commonly written. Other ways to write a number are left to the plain path."""
    return _ID.fullmatch(text) is not None


def read(scope: Scope, askers: Askers) -> Request | None:
    """None for a request with anything uncommon about it, and one without a bearer token."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    if len(headers) != len(scope["headers"]) or not _UNKNOWN.isdisjoint(headers):
        return None
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret:
        return None
    takes_body = scope["method"] != "GET"
    if takes_body and not (_has_json(headers) and not scope["query_string"]):
        return None
    return Request(headers, scope["query_string"], secret, scope["state"]["request_id"], takes_body, askers)


def _has_json(headers: Mapping[str, str]) -> bool:
    length = headers.get("content-length", "")
    is_short = length.isdecimal() and len(length) <= 7 and int(length) <= MOST_BYTES
    return is_short and headers.get("content-type", "").lower() in _JSON


async def read_body(request: Request, receive: Receive) -> list[Message]:
    """Sets the body; gives what was received, for whoever else may have to read it."""
    messages: list[Message] = []
    while not messages or messages[-1].get("more_body"):
        messages.append(await receive())
    request.body = b"".join(message.get("body", b"") for message in messages)
    return messages


def is_whole(messages: list[Message]) -> bool:
    """Not if the client hung up: what had come by then may look like a body."""
    return bool(messages[-1]["type"] == "http.request")


def replayed(messages: list[Message], receive: Receive) -> Receive:
    """Gives these again, and then what else comes."""
    waiting = iter(messages)

    async def receive_again() -> Message:
        for message in waiting:
            return message
        return await receive()

    return receive_again
