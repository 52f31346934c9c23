"""How many requests a minute somebody may send, counted in the memory of each process.

They count for the person, whatever the token, and for the address as long as the person is not known. Whose a token is
was learnt from its last answer: before anything is read or asked, this is all there is to go by. It decides about
limits and waiting, and never about rights.
"""

from collections.abc import Hashable
from functools import lru_cache
from hashlib import sha256
from math import ceil
from operator import itemgetter
from time import monotonic

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from dutiful.accounts.visitors import Visitor
from dutiful.api.lately import Lately
from dutiful.api.observing import PROBES
from dutiful.api.problems import answer_known
from dutiful.api.this_machine import is_from_this_machine
from dutiful.errors import TooManyRequests

_MOST_BUCKETS = 10_000
_MINUTE = 60.0


class RateLimits:
    """Middleware that refuses what is too much, and leaves behind in `scope` who asks, as far as that is known:
    `caller` is the id of the user, or the hash of a token that nobody came with lately, or None without a token."""

    def __init__(self, app: ASGIApp, per_user: int | None, per_address: int | None) -> None:
        """Requests a minute; None for no limit."""
        self.app = app
        self._of_users = None if per_user is None else Buckets(per_user)
        self._of_addresses = None if per_address is None else Buckets(per_address)
        self._users = Lately[int]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        token_hash = _token_hash(scope)
        user_id = None if token_hash is None else self._users.get(token_hash)
        scope["state"]["caller"] = token_hash if user_id is None else user_id
        wait = 0.0 if is_from_this_machine(scope) else self._take(scope, user_id)
        if wait:
            await _refuse(scope, receive, send, wait, is_known=user_id is not None)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            if token_hash is not None:
                self._learn(token_hash, user_id, scope)

    def _take(self, scope: Scope, user_id: int | None) -> float:
        """The seconds to wait; 0 for a request that may pass."""
        if user_id is not None:
            return self._of_users.take(user_id) if self._of_users else 0.0
        if self._of_addresses is None:
            return 0.0
        client = scope["client"]
        return self._of_addresses.take(_network(client[0] if client else None))

    def _learn(self, token_hash: bytes, known: int | None, scope: Scope) -> None:
        actor = scope["state"].get("actor")
        if actor is None:
            # Perhaps it was revoked: whoever has it shall not use up what its person may send.
            self._users.pop(token_hash, None)
        elif known is None:
            self._users[token_hash] = actor.user_id


class Buckets:
    """A bucket of a minute's requests for each name. What is taken out flows back evenly."""

    def __init__(self, per_minute: int) -> None:
        self._seconds_each = _MINUTE / per_minute
        # When each would be full again. One that is full is as good as none.
        self._full_at: dict[Hashable, float] = {}

    def take(self, name: Hashable) -> float:
        """Takes one out and gives 0; or takes nothing, and gives the seconds until there is one."""
        now = monotonic()
        known = self._full_at.get(name, 0.0)
        full_at = max(known, now) + self._seconds_each
        wait = full_at - now - _MINUTE
        # What is less is the rounding of a clock that went on for years.
        if wait > 0.000_1:
            return wait
        if not known and len(self._full_at) >= _MOST_BUCKETS:
            self._forget(now)
        self._full_at[name] = full_at
        return 0.0

    def _forget(self, now: float) -> None:
        """The full ones; and if many are left, the fuller half of them."""
        left = sorted(((name, at) for name, at in self._full_at.items() if at > now), key=itemgetter(1))
        self._full_at = dict(left[-_MOST_BUCKETS // 2 :])


def _token_hash(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return sha256(value).digest()
    return None


@lru_cache(maxsize=_MOST_BUCKETS)
def _network(host: str | None) -> str:
    return Visitor.of(host, None).network


async def _refuse(scope: Scope, receive: Receive, send: Send, wait: float, *, is_known: bool) -> None:
    seconds = ceil(wait)
    whose = "you" if is_known else "your address, without a token that was used lately"
    error = TooManyRequests(
        f"Too many requests from {whose}. Wait {seconds} second{'s' if seconds != 1 else ''}, then send fewer: "
        "up to 1,000 operations go into one POST /api/v1/batch, and GET /api/v1/changes/stream tells what is new.",
        code="rate_limited",
        retry_after=seconds,
    )
    response = await answer_known(Request(scope), error)
    await response(scope, receive, send)
