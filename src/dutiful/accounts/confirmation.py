"""Showing the password again: who found an open screen, or a token, must not take over the account."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from dutiful.access import Actor
from dutiful.accounts import throttling
from dutiful.accounts.passwords import is_password
from dutiful.accounts.throttling import Counter
from dutiful.changes import account_log
from dutiful.database.session import Database, Reader, Writer
from dutiful.errors import invalid
from dutiful.models import User


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What came of it, outside any transaction. `proven_hash` is None for a person without a password, who can show
    none: then their token of the scope `admin` must do."""

    is_right: bool
    proven_hash: str | None
    name: str
    email: str | None
    counter: Counter


async def confirm(database: Database, actor: Actor, password: str | None, purpose: str) -> Confirmation:
    """Raises TooManyRequests."""
    user = await database.run_read(lambda session: _read(session, actor))
    counter = throttling.own_counter(actor.user_id, purpose)
    if user.password_hash is None or password is None:
        is_right = user.password_hash is None and password is None
        return Confirmation(is_right, user.password_hash, user.name, user.email, counter)
    event_id = await database.write(lambda session: _count(session, actor, counter))
    is_right = await is_password(password, user.password_hash)
    if is_right:
        await database.write(lambda session: account_log.take_back(session, event_id))
    return Confirmation(is_right, user.password_hash, user.name, user.email, counter)


async def _read(session: Reader, actor: Actor) -> Any:
    columns = select(User.password_hash, User.name, User.email)
    return (await session.execute(columns.where(User.id == actor.user_id))).one()


async def _count(session: Writer, actor: Actor, counter: Counter) -> int | None:
    await throttling.count(session, [counter])
    return await account_log.record_if_exists(session, actor.user_id, "password.refused")


async def require(session: Writer, actor: Actor, confirmation: Confirmation, pointer: str) -> User:
    """The person, locked until the transaction ends."""
    user = await session.scalar(_unchanged(actor, confirmation)) if confirmation.is_right else None
    if user is None:
        raise invalid(pointer, "is not your password", "wrong_password")
    await throttling.clear(session, [confirmation.counter])
    return user


def _unchanged(actor: Actor, confirmation: Confirmation) -> Select[User]:
    same = User.password_hash.is_not_distinct_from(confirmation.proven_hash)
    return select(User).where(User.id == actor.user_id, same).with_for_update(key_share=True)
