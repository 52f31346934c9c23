"""The audit log of accounts: appended to in the transaction of what it tells of."""

from typing import Any

from sqlalchemy import delete, insert, literal, select

from dutiful import clock
from dutiful.database.session import Writer
from dutiful.models import AccountEvent, User


def record(session: Writer, user_id: int, actor_id: int | None, verb: str, **details: Any) -> None:
    """Notes what happened to the account of `user_id`; `actor_id` is None for the server's own command line, and for
    whoever has not signed in."""
    session.add(AccountEvent(user_id=user_id, actor_id=actor_id, verb=verb, details=details))


async def record_if_exists(session: Writer, user_id: int | None, verb: str, **details: Any) -> int | None:
    """For what strangers ask of an account. The same statement when there is none: how long it takes must not tell.
    Gives the event's id for `take_back`: an attempt is noted as failed before it is known."""
    columns = (AccountEvent.at, AccountEvent.user_id, AccountEvent.verb, AccountEvent.details)
    values = (
        literal(clock.now(), AccountEvent.at.type),
        User.id,
        literal(verb),
        literal(details, AccountEvent.details.type),
    )
    # No account has the id 0.
    event = select(*values).where(User.id == (user_id or 0), User.erased_at.is_(None))
    statement = insert(AccountEvent).from_select(columns, event, include_defaults=False)
    event_id: int | None = await session.scalar(statement.returning(AccountEvent.id))
    return event_id


async def take_back(session: Writer, event_id: int | None) -> None:
    """The attempt did not fail after all."""
    await session.execute(delete(AccountEvent).where(AccountEvent.id == (event_id or 0)))
