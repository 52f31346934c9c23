"""Signing in and out. A sign-in is a token that a person got for their password."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, select
from sqlalchemy.orm import joinedload

from dutiful import clock, paging
from dutiful.access import Actor
from dutiful.accounts import throttling
from dutiful.accounts.authentication import PREFIX, stopping
from dutiful.accounts.passwords import hash_anew, is_outdated, is_password
from dutiful.accounts.throttling import Counter
from dutiful.accounts.visitors import Visitor
from dutiful.bearer import hash_secret, new_secret
from dutiful.changes import account_log
from dutiful.database.session import Database, OwnCommits, Reader, Writer
from dutiful.errors import NotFound, Unauthenticated
from dutiful.models import Scope, Token, TokenKind, User
from dutiful.paging import Order, Slice

# NIST SP 800-63B: show the password again after 30 days, however busy one was.
LIFETIME = timedelta(days=30)

_token_id = Token.__table__.c.id
IN_ORDER = Order("id", _token_id, _token_id)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of checking a password, outside any transaction."""

    user_id: int | None = None
    # The hash that the password fits; None when it is not right, or there is nobody to sign in.
    proven_hash: str | None = None
    # Made with today's parameters, when the stored one is not.
    better_hash: str | None = None
    counters: Sequence[Counter] = ()
    event_id: int | None = None


async def try_password(database: Database, email: str, password: str, visitor: Visitor) -> Attempt:
    """Takes the same way, and one check of a hash, whether or not there is such a person: neither the answer nor its
    time tells. Raises TooManyRequests."""
    found = await database.run_read(lambda session: _find(session, email))
    user_id, password_hash = (found.id, found.password_hash) if found else (None, None)

    async def count(session: Writer) -> tuple[list[Counter], int | None]:
        counters = await throttling.counters_of(session, user_id, email, visitor)
        await throttling.count(session, counters)
        # One event for each counted attempt: the pauses bound them.
        event_id = await account_log.record_if_exists(session, user_id, "session.failed", **_about(visitor))
        return counters, event_id

    counters, event_id = await database.write(count)
    usable_hash = password_hash if found and found.disabled_at is None else None
    if not await is_password(password, usable_hash) or usable_hash is None:
        return Attempt()
    better_hash = await hash_anew(password) if is_outdated(usable_hash) else None
    return Attempt(user_id, usable_hash, better_hash, counters, event_id)


async def _find(session: Reader, email: str) -> Any:
    columns = select(User.id, User.password_hash, User.disabled_at)
    return (await session.execute(columns.where(func.lower(User.email) == func.lower(email)))).one_or_none()


async def begin(session: Writer, attempt: Attempt, visitor: Visitor) -> tuple[Token, str, User]:
    """The sign-in, its secret and whose it is."""
    user = await session.scalar(_proven(attempt))
    if user is None:
        raise Unauthenticated("The e-mail address or the password is not right.")
    if attempt.better_hash is not None:
        user.password_hash = attempt.better_hash
    secret = new_secret(PREFIX)
    token = Token(
        user_id=user.id,
        name="Sign-in",
        kind=TokenKind.SIGN_IN,
        hash=hash_secret(secret),
        scopes=[scope.value for scope in Scope],
        expires_at=clock.now() + LIFETIME,
        address=visitor.address,
        user_agent=visitor.user_agent,
    )
    session.add(token)
    await session.flush()
    await throttling.clear(session, attempt.counters)
    await throttling.remember_place(session, user.id, visitor)
    await account_log.take_back(session, attempt.event_id)
    account_log.record(session, user.id, user.id, "session.created", token_id=token.id, **_about(visitor))
    return token, secret, user


def _proven(attempt: Attempt) -> Select[User]:
    """Who was disabled, or got another password, since the check does not come in. The lock makes a change of the
    password wait, which then ends this sign-in as well."""
    return (
        select(User)
        .options(joinedload(User.home))
        .where(User.id == (attempt.user_id or 0), User.password_hash == attempt.proven_hash)
        .where(User.disabled_at.is_(None))
        .with_for_update(of=User, key_share=True)
    )


def _about(visitor: Visitor) -> dict[str, str | None]:
    return {"address": visitor.address, "user_agent": visitor.user_agent}


# --- those there are --------------------------------------------------------------------------------------------------


async def page(session: Reader, actor: Actor, wanted: Slice) -> tuple[Sequence[Token], str | None]:
    mine = select(Token).where(of_user(actor.user_id), Token.expires_at > clock.now())
    return await paging.page(session, mine, IN_ORDER, wanted)


def of_user(user_id: int) -> ColumnElement[bool]:
    return (Token.user_id == user_id) & (Token.kind == TokenKind.SIGN_IN)


def one_of(actor: Actor, session_id: int | None) -> ColumnElement[bool]:
    """None: the one the actor came with."""
    return of_user(actor.user_id) & (Token.id == (actor.token_id if session_id is None else session_id))


def others_of(actor: Actor) -> ColumnElement[bool]:
    return of_user(actor.user_id) & (Token.id != (actor.token_id or 0))


async def stop(commits: Database | OwnCommits, which: ColumnElement[bool]) -> None:
    """Lets nobody in with these tokens any more, at once."""
    await commits.run_aside(stopping(which))


async def end(session: Writer, actor: Actor, which: ColumnElement[bool]) -> list[int]:
    """The rows go, once the writes that began under them are done."""
    ended = list(await session.scalars(delete(Token).where(which).returning(Token.id)))
    if ended:
        account_log.record(session, actor.user_id, actor.user_id, "session.ended", token_ids=sorted(ended))
    return ended


async def end_one(session: Writer, actor: Actor, session_id: int | None) -> None:
    if not await end(session, actor, one_of(actor, session_id)):
        raise NotFound(
            "There is no such sign-in, or it is not yours."
            if session_id is not None
            else "You came with an API token, which is no sign-in. Revoke it with DELETE /api/v1/tokens/{id}."
        )
