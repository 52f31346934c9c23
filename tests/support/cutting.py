"""A way to PostgreSQL that ends at a given message, for programs with an event loop of their own."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path
from threading import Lock, Thread

_FIELDS = (b"SFATAL", b"VFATAL", b"C57P01", b"Mterminating connection due to unexpected postmaster exit")
_SAID = b"".join(field + b"\0" for field in _FIELDS) + b"\0"
_FAREWELL = b"E" + (len(_SAID) + 4).to_bytes(4, "big") + _SAID


class End(Enum):
    """How all connections end, all at once, and no new one is had."""

    UNHEARD = auto()
    """The message never arrives."""
    ANSWERED = auto()
    """It is answered, and nothing else is."""
    FAREWELL = auto()
    """It is answered, and in the same breath PostgreSQL says that it ends."""


class Way:
    """Takes connections at a socket in `folder`, and passes them on to the one of PostgreSQL."""

    def __init__(self, folder: Path, upstream: Path) -> None:
        self._upstream = str(upstream)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / upstream.name))
        self.listener.listen()
        self._lock = Lock()
        self._ends: list[socket.socket] = []
        self.open()

    def open(self, cut_at: int = 0, end: End = End.UNHEARD) -> None:
        """`cut_at`: the number of the message, of all connections together; 0 for none."""
        self.messages = 0
        self.cut_at = cut_at
        self.end = end
        self.is_cut = False

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if self.is_cut:
                    client.close()
                else:
                    Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(self._upstream)
            self._ends += client, server
            is_last = False
            while True:
                for end in select.select([client, server], [], [])[0]:
                    data = end.recv(2**20)
                    if not data:
                        return
                    if end is client:
                        is_last = self._is_the_one()
                        if is_last and self.end is End.UNHEARD:
                            self._cut()
                            return
                        server.sendall(data)
                    else:
                        client.sendall(data + _FAREWELL if is_last and self.end is End.FAREWELL else data)
                        if is_last:
                            self._cut()
                            return

    def _is_the_one(self) -> bool:
        with self._lock:
            self.messages += 1
            return self.messages == self.cut_at

    def _cut(self) -> None:
        self.is_cut = True
        while self._ends:
            with suppress(OSError):
                self._ends.pop().shutdown(socket.SHUT_RDWR)


@contextmanager
def way(folder: Path, upstream: Path) -> Iterator[Way]:
    folder.mkdir()
    way = Way(folder, upstream)
    Thread(target=way.serve, daemon=True).start()
    try:
        yield way
    finally:
        # Wakes whoever accepts.
        way.listener.shutdown(socket.SHUT_RDWR)
        way.listener.close()
