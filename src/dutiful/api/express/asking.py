"""Who asks, as part of the one statement that answers: the rules of `accounts.authentication` and `access` in SQL."""

from collections.abc import Mapping
from datetime import datetime
from math import inf
from time import monotonic
from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, bindparam, select
from sqlalchemy.types import LargeBinary

from dutiful import clock
from dutiful.accounts.authentication import LAST_USE_PRECISION, is_usable
from dutiful.api.lately import Lately
from dutiful.bearer import hash_secret
from dutiful.database.direct import Record
from dutiful.database.types import AwareDateTime
from dutiful.models import Token, User


class Asker(NamedTuple):
    """As much of an `Actor` as is told of a request afterwards."""

    user_id: int
    token_id: int
    last_use_is_old: bool


class Askers:
    """Whose tokens came lately. That never changes, and saves asking for it with each row of a list.

    Whether a token may still be used is not remembered: each statement looks.
    """

    def __init__(self) -> None:
        self._seen = Lately[tuple[float, Asker]]()
        # The one they wrote in last, which is probably where they write next.
        self.workspaces = Lately[int]()

    def find(self, token_hash: bytes) -> Asker | None:
        """None also when it is time to note the use of the token."""
        noted_at, asker = self._seen.get(token_hash, (-inf, None))
        return asker if monotonic() - noted_at < LAST_USE_PRECISION.total_seconds() else None

    def remember(self, token_hash: bytes, asker: Asker) -> None:
        self._seen[token_hash] = (monotonic(), Asker(asker.user_id, asker.token_id, last_use_is_old=False))


def who() -> CTE:
    """The person of a token that may be used now; no row for any other."""
    now = bindparam("now", type_=AwareDateTime())
    return (
        select(Token.id.label("token_id"), Token.user_id, Token.scopes, Token.last_used_at)
        .join(User, User.id == Token.user_id)
        .where(
            Token.hash == bindparam("hash", type_=LargeBinary()), is_usable(now), User.disabled_at.is_(None)
        )
        .cte("who")
    )


ASKER = ("token_id", "user_id", "last_used_at")


def asker_columns(asking: CTE) -> list[ColumnElement[Any]]:
    return [asking.c[name] for name in ASKER]


def asker(columns: Record, now: datetime) -> Asker:
    token_id, user_id, last_used_at = columns
    return Asker(user_id, token_id, last_used_at is None or now - last_used_at > LAST_USE_PRECISION)


def credentials(secret: str) -> Mapping[str, Any]:
    """The values that `who` needs."""
    return {"hash": hash_secret(secret), "now": clock.now()}
