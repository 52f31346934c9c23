"""Who a bearer token speaks for."""

import uuid
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Select, Update, bindparam, select, update
from sqlalchemy.exc import SQLAlchemyError

from dutiful import clock
from dutiful.access import Actor
from dutiful.bearer import hash_secret
from dutiful.database.session import Database, Reader, Writer, fetch
from dutiful.database.types import AwareDateTime, any_of
from dutiful.errors import Unauthenticated
from dutiful.models import Scope, Token, User, Workspace

PREFIX = "dtf_"
# `last_used_at` is exact to this; a write for every read would be a high price for more.
LAST_USE_PRECISION = timedelta(minutes=1)


async def authenticate(session: Reader | Writer, secret: str, request_id: uuid.UUID) -> Actor:
    """The actor behind a token, in one statement."""
    actor = await _find_actor(session, _known(), secret, request_id)
    if actor is None:
        raise not_valid()
    return actor


async def authenticate_for_write(session: Writer, secret: str, request_id: uuid.UUID) -> Actor:
    """The same, holding token and user to the end of the transaction.

    Who revokes the token, or disables the person, waits for the writes that began under it, and no write begins under
    it after that. Disabling takes the row FOR UPDATE: a plain UPDATE does not wait for these locks.
    """
    actor = await _find_actor(session, _known_and_held(), secret, request_id)
    return actor or await authenticate(session, secret, request_id)


@cache
def _known_and_held() -> Select[*tuple[Any, ...]]:
    # What was stopped is not locked: whoever stopped it is waiting for the locks on it to go.
    return (
        _known()
        .where(is_usable(bindparam("now", type_=AwareDateTime)), User.disabled_at.is_(None))
        .with_for_update(key_share=True, read=True, of=(Token, User))
    )


# Written once: that takes SQLAlchemy as long as to run it, and every request asks.
@cache
def _known() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Token.id,
            Token.scopes,
            Token.expires_at,
            Token.last_used_at,
            User.id.label("user_id"),
            User.timezone,
            User.is_admin,
            User.disabled_at,
            Workspace.id.label("workspace_id"),
            Workspace.inbox_id,
        )
        .join(User, User.id == Token.user_id)
        .join(Workspace, Workspace.personal_of == User.id)
        .where(Token.hash == bindparam("hash"))
    )


async def _find_actor(
    session: Reader | Writer, statement: Select[*tuple[Any, ...]], secret: str, request_id: uuid.UUID
) -> Actor | None:
    found = await fetch(session, statement, {"hash": hash_secret(secret), "now": clock.now()})
    if not found:
        return None
    (row,) = found
    # Later than before: it may have waited for whoever stopped the token.
    now = clock.now()
    if row.expires_at is not None and row.expires_at <= now:
        raise Unauthenticated("The token has expired. Make a new one.")
    if row.disabled_at is not None:
        raise Unauthenticated("This account is disabled. Ask the administrator of this server.")
    return Actor(
        user_id=row.user_id,
        timezone=row.timezone,
        is_admin=row.is_admin,
        personal_workspace_id=row.workspace_id,
        inbox_id=row.inbox_id,
        token_id=row.id,
        scope=max((Scope(scope) for scope in row.scopes), key=list(Scope).index),
        request_id=request_id,
        last_use_is_old=row.last_used_at is None or now - row.last_used_at > LAST_USE_PRECISION,
    )


async def usable_tokens(session: Reader | Writer, token_ids: Collection[int]) -> set[int]:
    """Those of them that `authenticate` would still take. One statement, for what goes on after the request."""
    statement = (
        select(Token.id)
        .join(User, User.id == Token.user_id)
        .where(Token.id == any_of(token_ids))
        .where(is_usable(clock.now()), User.disabled_at.is_(None))
    )
    return set(await session.scalars(statement))


def stopping(which: ColumnElement[bool]) -> Update:
    """Lets nobody in with these tokens any more, once it is committed.

    For a commit of its own, before they are deleted: that waits for the writes that hold them, and as long as new ones
    could begin it might wait for ever.
    """
    now = clock.now()
    return update(Token).where(which, is_usable(now)).values(expires_at=now)


def is_usable(now: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    return Token.expires_at.is_(None) | (Token.expires_at > now)


class Asker(Protocol):
    """Whoever came with a token."""

    @property
    def token_id(self) -> int | None: ...
    @property
    def last_use_is_old(self) -> bool: ...


async def note_use(database: Database, actor: Asker) -> None:
    """Keeps when the token was last used, at most once a minute.

    On its own, after the work: a busy or read-only database must not fail a request over this, nor must two requests
    with one token wait for each other.
    """
    if not actor.last_use_is_old:
        return
    free = (
        select(Token.id).where(Token.id == actor.token_id).with_for_update(key_share=True, skip_locked=True)
    )
    statement = update(Token).where(Token.id == free.scalar_subquery()).values(last_used_at=clock.now())
    with suppress(SQLAlchemyError, OSError):
        await database.run_aside(statement)


def not_valid() -> Unauthenticated:
    return Unauthenticated("The token is not valid. It may have been revoked; make a new one.")
