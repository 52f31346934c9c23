"""Random UUIDs (version 4) from the system's randomness, fetched for many at a time: asking for it takes longer than all
the rest, and every request has one."""

import os
import uuid

_AT_A_TIME = 256
_waiting: list[bytes] = []


def new() -> uuid.UUID:
    if not _waiting:
        fetched = os.urandom(16 * _AT_A_TIME)
        _waiting.extend(fetched[at : at + 16] for at in range(0, len(fetched), 16))
    return uuid.UUID(bytes=_waiting.pop(), version=4)


def _forget() -> None:
    _waiting.clear()


# Two processes must not go on with the same.
os.register_at_fork(after_in_child=_forget)
