"""A memory that cannot grow without end."""

from typing import TypeVar

_MOST_TOKENS = 10_000

V = TypeVar("V")


class Lately(dict[bytes, V]):
    """What was learnt with a token, by its hash. All of it is forgotten when it would become too much."""

    def __setitem__(self, token_hash: bytes, value: V) -> None:
        if len(self) >= _MOST_TOKENS:
            self.clear()
        super().__setitem__(token_hash, value)
