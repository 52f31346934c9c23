"""One client that follows the changes live: how far it is, what waits to be sent, and how that looks on the wire.

`take` is the only way in, for what all streams are told and for what this one reads for itself when it is behind. It
takes the change that comes next in its workspace and no other: hence no gap and nothing twice, whatever the order in
which the two arrive.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from dutiful.access import Actor
from dutiful.changes import rows
from dutiful.changes.cursor import encode_cursor
from dutiful.changes.queries import Positions
from dutiful.changes.rows import Row
from dutiful.database.types import encode_json

# A client that does not read gets no more memory than this; it catches up from its own position afterwards.
MOST_WAITING = 200
MOST_BYTES_WAITING = 1_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """A change as it is sent, encoded once for all the streams of a process."""

    workspace_id: int
    seq: int
    data: bytes

    @classmethod
    def of(cls, change: Row) -> Self:
        return cls(*rows.place(change), encode_json(rows.as_json(change)))


class Stream:
    def __init__(self, actor: Actor, since: float, positions: Positions, latest: Positions) -> None:
        """`since` is when the actor's rights were read, by the loop's clock; `latest` how far the journals were then."""
        self.actor = actor
        self.since = since
        self.latest = latest
        # Up to here it has taken changes; up to `_sent` it has sent them.
        self.reached = dict(positions)
        self.is_behind = False
        self.has_news = asyncio.Event()
        # Set when its rights were read anew, and when it ends: for whoever waits for them.
        self.may_go_on = asyncio.Event()
        self.ending: bytes | None = None
        self._sent = dict(positions)
        self._waiting: deque[Line] = deque()
        self._bytes_waiting = 0

    def take(self, line: Line) -> None:
        reached = self.reached.get(line.workspace_id)
        if reached is None or line.seq <= reached:
            return
        if line.seq > reached + 1 or self._is_full():
            self.is_behind = True
        else:
            self._waiting.append(line)
            self._bytes_waiting += len(line.data)
            self.reached[line.workspace_id] = line.seq
        self.has_news.set()

    def _is_full(self) -> bool:
        return len(self._waiting) >= MOST_WAITING or self._bytes_waiting >= MOST_BYTES_WAITING

    @property
    def is_waiting(self) -> bool:
        return bool(self._waiting)

    def take_out(self) -> bytes:
        """All that waits, as events. Each id is the cursor behind its change."""
        events = []
        while self._waiting:
            line = self._waiting.popleft()
            self._sent[line.workspace_id] = line.seq
            events.append(_event(b"change", line.data, encode_cursor(self._sent)))
        self._bytes_waiting = 0
        return b"".join(events)

    def position(self) -> bytes:
        """Where it is, for a client that has got nothing yet."""
        return _event(b"position", b"{}", encode_cursor(self._sent))

    # --- what the actor may see ---------------------------------------------------------------------------------------

    def join(self, positions: Mapping[int, int]) -> None:
        """The actor sees these workspaces too, and is told of them from these positions on."""
        self.reached |= positions
        self._sent |= positions
        self.is_behind = True
        self.has_news.set()

    def leave(self, workspace_ids: Iterable[int]) -> None:
        """Nothing of these is sent any more, not even what waits already."""
        for workspace_id in workspace_ids:
            self.reached.pop(workspace_id, None)
            self._sent.pop(workspace_id, None)
        self._waiting = deque(line for line in self._waiting if line.workspace_id in self.reached)
        self._bytes_waiting = sum(len(line.data) for line in self._waiting)

    def end(self, code: str, detail: str, **more: Any) -> None:
        """The first reason counts."""
        if self.ending is None:
            self.ending = _event(b"end", orjson.dumps({"code": code, "detail": detail, **more}))
            self.has_news.set()
            self.may_go_on.set()


def _event(name: bytes, data: bytes, cursor: str | None = None) -> bytes:
    """`data` must be one line, which JSON without indents is."""
    identity = b"" if cursor is None else b"id: " + cursor.encode() + b"\n"
    return identity + b"event: " + name + b"\ndata: " + data + b"\n\n"
