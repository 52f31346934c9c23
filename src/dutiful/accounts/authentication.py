"""Who a bearer token speaks for."""

import hashlib
import secrets
import uuid
from datetime import timedelta

from sqlalchemy import select, update

from dutiful import clock
from dutiful.access import Actor
from dutiful.database.session import Reader, Writer
from dutiful.errors import Unauthenticated
from dutiful.models import Scope, Token, User, Workspace

PREFIX = "dtf_"
# `last_used_at` is exact to this; a write for every read would be a high price for more.
LAST_USE_PRECISION = timedelta(minutes=1)


def new_secret() -> str:
    """A fresh token: the prefix lets secret scanners find it, the rest is 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


async def authenticate(session: Reader | Writer, secret: str, request_id: uuid.UUID) -> Actor:
    """The actor behind a token. One statement, and a second one at most once a minute for each token."""
    statement = (
        select(Token, User, Workspace)
        .join(User, User.id == Token.user_id)
        .join(Workspace, Workspace.personal_of == User.id)
        .where(Token.hash == hash_secret(secret))
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise not_valid()
    token, user, home = row
    _require_usable(token, user)
    await _note_use(session, token)
    return Actor(
        user_id=user.id,
        timezone=user.timezone,
        is_admin=user.is_admin,
        personal_workspace_id=home.id,
        inbox_id=home.inbox_id,
        token_id=token.id,
        scope=max((Scope(scope) for scope in token.scopes), key=list(Scope).index),
        request_id=request_id,
    )


def not_valid() -> Unauthenticated:
    return Unauthenticated("The token is not valid. It may have been revoked; make a new one.")


def _require_usable(token: Token, user: User) -> None:
    if token.is_expired(clock.now()):
        raise Unauthenticated("The token has expired. Make a new one.")
    if user.disabled_at is not None:
        raise Unauthenticated("This account is disabled. Ask the administrator of this server.")


async def _note_use(session: Reader | Writer, token: Token) -> None:
    now = clock.now()
    if token.last_used_at is None or now - token.last_used_at > LAST_USE_PRECISION:
        await session.execute(update(Token).where(Token.id == token.id).values(last_used_at=now))
