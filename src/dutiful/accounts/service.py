"""Writes of users and tokens."""

from collections.abc import Sequence
from datetime import datetime

from dutiful.access import Actor
from dutiful.accounts import events
from dutiful.accounts.authentication import hash_secret, new_secret
from dutiful.database.session import Writer
from dutiful.models import Scope, Token, User
from dutiful.workspaces.service import create_personal_workspace


async def create_user(
    session: Writer,
    name: str,
    *,
    email: str | None = None,
    password_hash: str | None = None,
    timezone: str = "UTC",
    is_admin: bool = False,
) -> User:
    """A user with a personal workspace and its Inbox."""
    user = User(name=name, email=email, password_hash=password_hash, timezone=timezone, is_admin=is_admin)
    session.add(user)
    await session.flush()
    await create_personal_workspace(session, user)
    events.record(session, user.id, user.id, "user.created")
    return user


async def create_token(
    session: Writer,
    user_id: int,
    name: str,
    scopes: Sequence[Scope],
    *,
    expires_at: datetime | None = None,
    actor: Actor | None = None,
) -> tuple[Token, str]:
    """The token's row and its secret, which is stored nowhere."""
    secret = new_secret()
    token = Token(
        user_id=user_id,
        name=name,
        hash=hash_secret(secret),
        scopes=[scope.value for scope in Scope if scope in scopes],
        expires_at=expires_at,
    )
    session.add(token)
    await session.flush()
    events.record(
        session,
        user_id,
        None if actor is None else actor.user_id,
        "token.created",
        token_id=token.id,
        name=name,
    )
    return token, secret
