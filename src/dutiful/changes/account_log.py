"""The audit log of accounts: appended to in the transaction of what it tells of."""

from typing import Any

from dutiful.database.session import Writer
from dutiful.models import AccountEvent


def record(session: Writer, user_id: int, actor_id: int | None, verb: str, **details: Any) -> None:
    """Notes what happened to the account of `user_id`; `actor_id` is None for the server's own command line."""
    session.add(AccountEvent(user_id=user_id, actor_id=actor_id, verb=verb, details=details))
