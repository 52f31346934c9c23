"""Links that let somebody set a new password, once.

The token is the row's id and a signature made with the SECRET_KEY over the row, the person's e-mail address and the
hash of their password. Nothing secret is stored: who reads the database alone can make no link of it. And once the
password or the address is another, every older link is void.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, func, insert, literal, select

from dutiful import clock
from dutiful.accounts import password_changes, sign_in, throttling
from dutiful.accounts.visitors import Visitor, email_digest
from dutiful.changes import account_log
from dutiful.database.session import Database, Reader, Writer
from dutiful.errors import Conflict, TooManyRequests, invalid
from dutiful.models import PasswordReset, User
from dutiful.settings import Settings

PREFIX = "dtr_"
VALID_BY_MAIL = timedelta(hours=1)
VALID_BY_HAND = timedelta(days=1)
FREE_MAILS = 3


@dataclass(frozen=True, slots=True)
class Link:
    """`link` is None when the server was not told under which address people reach it."""

    token: str
    link: str | None
    expires_at: datetime


# --- by hand: of an administrator -------------------------------------------------------------------------------------


async def give(session: Writer, user: User, actor_id: int | None, settings: Settings) -> Link:
    """A link to hand over."""
    if user.erased_at is not None or user.disabled_at is not None:
        raise Conflict("This account is disabled. Enable it first.", code="disabled")
    if user.email is None:
        raise Conflict("Nobody can sign in without an e-mail address. Set one first.", code="no_email")
    reset = PasswordReset(user_id=user.id, expires_at=clock.now() + VALID_BY_HAND)
    session.add(reset)
    await session.flush()
    account_log.record(session, user.id, actor_id, "password.reset_requested", reset_id=reset.id)
    token = sign(settings, reset.id, user.id, user.email, user.password_hash)
    return Link(token, link_of(settings, token), reset.expires_at)


def link_of(settings: Settings, token: str) -> str | None:
    """Behind the # so that no server, proxy or other page gets to see it. Never with a host that a request named."""
    return None if settings.base_url is None else f"{settings.base_url}/reset-password#token={token}"


def sign(
    settings: Settings, reset_id: int, user_id: int, email: str | None, password_hash: str | None
) -> str:
    assert settings.secret_key is not None  # noqa: S101 - `create_app` and the command line see to it
    parts = ("password-reset", str(reset_id), str(user_id), (email or "").lower(), password_hash or "")
    text = "\0".join(parts).encode()
    digest = hmac.new(settings.secret_key.get_secret_value().encode(), text, hashlib.sha256).digest()
    return f"{PREFIX}{reset_id}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


# --- by mail: asked for by anybody ------------------------------------------------------------------------------------


async def note_request(database: Database, email: str, visitor: Visitor) -> bool:
    """Counts it. False when this account has been asked for too often: nothing is sent, and nobody is told so. Raises
    TooManyRequests for the address it comes from."""

    async def of_address(session: Writer) -> None:
        await throttling.count(session, [throttling.address_counter("reset", visitor)])

    async def of_account(session: Writer) -> None:
        counter = throttling.Counter(f"reset-of:{email_digest(email)}", FREE_MAILS)
        await throttling.count(session, [counter])

    await database.write(of_address)
    try:
        await database.write(of_account)
    except TooManyRequests:
        return False
    return True


async def request_mail(session: Writer, email: str) -> None:
    """A row for the mail worker, if there is such a person. The same statements if not."""
    now = clock.now()
    columns = (
        PasswordReset.user_id,
        PasswordReset.created_at,
        PasswordReset.expires_at,
        PasswordReset.mail_at,
        PasswordReset.mail_attempts,
    )
    instant = PasswordReset.created_at.type
    values = (
        User.id,
        literal(now, instant),
        literal(now + VALID_BY_MAIL, instant),
        literal(now, instant),
        literal(0),
    )
    person = select(*values).where(func.lower(User.email) == func.lower(email), User.disabled_at.is_(None))
    statement = insert(PasswordReset).from_select(columns, person, include_defaults=False)
    user_id = await session.scalar(statement.returning(PasswordReset.user_id))
    await account_log.record_if_exists(session, user_id, "password.reset_requested")


# --- using one --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Use:
    """A link that was good when it was looked at, and the hash of the new password."""

    reset_id: int = 0
    token: str = ""
    new_hash: str | None = None


async def prepare_use(
    database: Database, settings: Settings, token: str, password: str, visitor: Visitor
) -> Use:
    """Raises Invalid for a password that is refused; the link stays good. Only for a good link is a password hashed."""
    found = await database.run_read(lambda session: _find(session, settings, token))
    if found is None:
        # A signature cannot be guessed; counted all the same, so that nobody makes us look for ever.
        await database.write(
            lambda session: throttling.count(session, [throttling.address_counter("reset-use", visitor)])
        )
        return Use()
    new_hash = await password_changes.hash_for("/password", password, found.name, found.email)
    await sign_in.stop(database, sign_in.of_user(found.user_id))
    return Use(found.id, token, new_hash)


async def use(session: Writer, settings: Settings, prepared: Use) -> None:
    """Of two who use one link at the same time, the second finds another password, and so a void link."""
    found = await _find(session, settings, prepared.token, lock=True) if prepared.new_hash else None
    if found is None or prepared.new_hash is None:
        raise invalid("/token", "is no longer good: it was used, has expired or was replaced", "bad_token")
    reset = await session.get_one(PasswordReset, prepared.reset_id)
    reset.used_at = clock.now()
    user = await session.get_one(User, found.user_id)
    await password_changes.replace(session, user, prepared.new_hash, None, "password.reset")


async def _find(
    session: Reader | Writer, settings: Settings, token: str, *, lock: bool = False
) -> Row[Any] | None:
    parts = re.fullmatch(re.escape(PREFIX) + r"([1-9][0-9]{0,17})\.([A-Za-z0-9_-]{43})", token)
    if parts is None:
        return None
    statement = _good(int(parts[1]))
    if lock:
        statement = statement.with_for_update(of=(PasswordReset, User), key_share=True)
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        return None
    right = sign(settings, found.id, found.user_id, found.email, found.password_hash)
    return found if hmac.compare_digest(right.encode(), token.encode()) else None


def _good(reset_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(PasswordReset.id, PasswordReset.user_id, User.name, User.email, User.password_hash)
        .join(User, User.id == PasswordReset.user_id)
        .where(PasswordReset.id == reset_id, PasswordReset.used_at.is_(None))
        .where(PasswordReset.expires_at > clock.now(), User.disabled_at.is_(None))
    )
