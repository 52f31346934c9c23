"""Random UUIDs (version 4) from the system's randomness, fetched for many at a time: asking for it takes longer than all
the rest, and every request has one. They are of the driver's kind of `uuid.UUID`, which is made and written in C."""

import os
import uuid

from asyncpg.pgproto.pgproto import UUID  # type: ignore[import-untyped]

_AT_A_TIME = 256
_waiting: list[bytes] = []


def new() -> uuid.UUID:
    if not _waiting:
        fetched = os.urandom(16 * _AT_A_TIME)
        _waiting.extend(fetched[at : at + 16] for at in range(0, len(fetched), 16))
    return _version_4(_waiting.pop())


def _version_4(random: bytes) -> uuid.UUID:
    """RFC 9562, 5.4."""
    number = int.from_bytes(random) & ~_NOT_RANDOM | 4 << 76 | 0b10 << 62
    made: uuid.UUID = UUID(number.to_bytes(16))
    return made


_NOT_RANDOM = 0xF << 76 | 0b11 << 62


def _forget() -> None:
    _waiting.clear()


# Two processes must not go on with the same.
os.register_at_fork(after_in_child=_forget)
