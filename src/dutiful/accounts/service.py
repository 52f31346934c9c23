"""Writes of users and tokens."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select, text

from dutiful import clock
from dutiful.access import Actor
from dutiful.accounts import queries
from dutiful.accounts.authentication import PREFIX, stopping
from dutiful.accounts.schemas import TokenCreate, UserPatch
from dutiful.bearer import hash_secret, new_secret
from dutiful.changes import account_log, journal
from dutiful.database.session import Database, OwnCommits, Reader, Writer
from dutiful.errors import NotFound, invalid
from dutiful.models import Scope, Token, TokenKind, User
from dutiful.versions import Expected
from dutiful.workspaces.service import create_personal_workspace


async def create_user(
    session: Writer,
    name: str,
    *,
    email: str | None = None,
    password_hash: str | None = None,
    timezone: str = "UTC",
    is_admin: bool = False,
    actor_id: int | None = None,
) -> User:
    """A user with a personal workspace and its Inbox. `actor_id`: who made them, if not they themselves."""
    user = User(name=name, email=email, password_hash=password_hash, timezone=timezone, is_admin=is_admin)
    session.add(user)
    await session.flush()
    home = await create_personal_workspace(session, user)
    # How far its journal is, is no business of whoever made the account.
    journal.keep_private(session, [home.id])
    account_log.record(session, user.id, actor_id or user.id, "user.created")
    return user


async def update_user(session: Writer, actor: Actor, patch: UserPatch, expected: Expected) -> User:
    user = await queries.get_user_for_update(session, actor)
    expected.check(user)
    changes = {name: value for name, value in patch.sent().items() if getattr(user, name) != value}
    if changes:
        for name, value in changes.items():
            setattr(user, name, value)
        account_log.record(session, user.id, actor.user_id, "user.updated", fields=sorted(changes))
        await session.flush()
    return user


async def issue_token(session: Writer, actor: Actor, wanted: TokenCreate) -> tuple[Token, str]:
    """A token for the actor, no mightier than the one they came with. The second is its secret."""
    for scope in wanted.scopes:
        actor.require_scope(scope)
    if wanted.expires_at is not None and wanted.expires_at <= clock.now():
        raise invalid("/expires_at", "must lie in the future")
    return await create_token(
        session, actor.user_id, wanted.name, wanted.scopes, expires_at=wanted.expires_at, actor=actor
    )


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
    secret = new_secret(PREFIX)
    token = Token(
        user_id=user_id,
        name=name,
        hash=hash_secret(secret),
        scopes=[scope.value for scope in Scope if scope in scopes],
        expires_at=expires_at,
    )
    session.add(token)
    await session.flush()
    account_log.record(
        session,
        user_id,
        None if actor is None else actor.user_id,
        "token.created",
        token_id=token.id,
        name=name,
    )
    return token, secret


async def stop_own_token(own_commit: OwnCommits, actor: Actor, token_id: int) -> None:
    """On its own, before `revoke_own_token`. Any token may stop itself; others need the scope for it."""
    if token_id != actor.token_id:
        actor.require_scope(Scope.ADMIN)
    await own_commit.run_aside(stopping(_own(actor, token_id)))


async def revoke_own_token(session: Writer, actor: Actor, token_id: int) -> None:
    """The row goes, once the writes that began under it are done."""
    deletion = delete(Token).where(_own(actor, token_id))
    name = await session.scalar(deletion.returning(Token.name))
    if name is None:
        raise queries.no_such_token()
    account_log.record(session, actor.user_id, actor.user_id, "token.revoked", token_id=token_id, name=name)


def _own(actor: Actor, token_id: int) -> ColumnElement[bool]:
    return (Token.id == token_id) & (Token.user_id == actor.user_id) & (Token.kind == TokenKind.API)


# --- for the person who runs the server: no actor, every account ------------------------------------------------------


async def make_first_user(session: Writer, *, timezone: str) -> bool:
    """The owner of a fresh instance; False when there is somebody already."""
    if await _has_users(session):
        return False
    # Replicas that start together must not make one each.
    await session.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))
    if await _has_users(session):
        return False
    await create_user(session, "Owner", timezone=timezone, is_admin=True)
    return True


async def _has_users(session: Writer) -> bool:
    return await session.scalar(select(User.id).limit(1)) is not None


async def get_first_admin(session: Reader | Writer) -> User:
    statement = select(User).where(User.is_admin, User.disabled_at.is_(None)).order_by(User.id).limit(1)
    user = (await session.scalars(statement)).one_or_none()
    if user is None:
        raise NotFound("This server has no administrator. Make one with: dutiful user create EMAIL --admin")
    return user


async def get_user(session: Reader | Writer, email: str) -> User:
    statement = select(User).where(func.lower(User.email) == func.lower(email))
    user = (await session.scalars(statement)).one_or_none()
    if user is None:
        raise NotFound(f"Nobody here has the e-mail address {email}. See: dutiful user list")
    return user


async def all_users(session: Reader) -> Sequence[User]:
    return (await session.scalars(select(User).order_by(User.id))).all()


async def all_tokens(session: Reader) -> Sequence[tuple[Token, User]]:
    statement = select(Token, User).join(User, User.id == Token.user_id).order_by(Token.id)
    return (await session.execute(statement)).all()


async def stop_token(database: Database, token_id: int) -> None:
    """As `stop_own_token`."""
    await database.run_aside(stopping(Token.id == token_id))


async def revoke_token(session: Writer, token_id: int) -> Token:
    token = await session.get(Token, token_id)
    if token is None:
        raise NotFound(f"There is no token {token_id}. See: dutiful token list")
    await session.delete(token)
    account_log.record(session, token.user_id, None, "token.revoked", token_id=token.id, name=token.name)
    return token
