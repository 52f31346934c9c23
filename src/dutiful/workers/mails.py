"""Sends the links for forgotten passwords. The row is the order, so nothing is lost with a process.

A row belongs for a while to whoever has set the time of its next try; no lock is held while the mail server is talked
to. A process that dies between sending and noting it leaves a second mail with the same link.
"""

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, Update, select, update

from dutiful import clock, mail
from dutiful.accounts.password_resets import VALID_BY_MAIL, link_of, sign
from dutiful.database.session import Database, Writer
from dutiful.mail import Mail, MailError
from dutiful.models import PasswordReset, User
from dutiful.settings import Settings

SECONDS_BETWEEN_LOOKS = 5.0
LEASE = timedelta(minutes=2)
LONGEST_PAUSE = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(days=1)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    reset_id: int
    attempts: int
    mail: Mail


async def send_mails(database: Database, settings: Settings) -> None:
    while settings.smtp_url is not None:
        await asyncio.sleep(random.uniform(0.8, 1.2) * SECONDS_BETWEEN_LOOKS)  # noqa: S311 - no secret
        await send_due(database, settings)
    # Nothing to do, as long as this process lives.
    await asyncio.Event().wait()


async def send_due(database: Database, settings: Settings) -> int:
    """Everything that is due, one after the other. Gives how many mails were sent."""
    sent = 0
    while (order := await database.write(lambda session: _take(session, settings))) is not None:
        sent += await _send(database, settings, order)
    return sent


async def _take(session: Writer, settings: Settings) -> Order | None:
    row = (await session.execute(_due())).first()
    if row is None:
        return None
    reset, user = row
    now = clock.now()
    reset.mail_attempts += 1
    reset.mail_at = now + LEASE
    # The hour begins when the mail goes.
    reset.expires_at = now + VALID_BY_MAIL
    token = sign(settings, reset.id, user.id, user.email, user.password_hash)
    return Order(reset.id, reset.mail_attempts, _mail(settings, user, token))


def _due() -> Select[PasswordReset, User]:
    return (
        select(PasswordReset, User)
        .join(User, User.id == PasswordReset.user_id)
        .where(PasswordReset.mail_at <= clock.now(), PasswordReset.used_at.is_(None))
        .where(User.disabled_at.is_(None), User.email.is_not(None))
        .order_by(PasswordReset.mail_at)
        .limit(1)
        .with_for_update(of=PasswordReset, skip_locked=True)
    )


async def _send(database: Database, settings: Settings, order: Order) -> bool:
    assert settings.smtp_url is not None  # noqa: S101 - or nothing is sent
    try:
        await mail.send(settings.smtp_url.get_secret_value(), order.mail)
    except MailError as error:
        log.warning("The mail for password reset %d was not sent: %s", order.reset_id, error)
        await _put_off(database, order, is_final=error.is_final)
        return False
    await database.run_aside(_of(order).values(mail_at=None))
    return True


async def _put_off(database: Database, order: Order, *, is_final: bool) -> None:
    now = clock.now()
    pause = min(timedelta(minutes=2 ** min(order.attempts - 1, 10)), LONGEST_PAUSE)
    again = _of(order).values(mail_at=None if is_final else now + pause)
    await database.run_aside(again)
    too_old = _of(order).where(PasswordReset.created_at < now - GIVEN_UP_AFTER)
    await database.run_aside(too_old.values(mail_at=None))


def _of(order: Order) -> Update:
    return update(PasswordReset).where(PasswordReset.id == order.reset_id)


def _mail(settings: Settings, user: User, token: str) -> Mail:
    """Says nothing that a person typed: whoever signs up with another's address could send them what they like."""
    assert user.email is not None  # noqa: S101 - `_due` asks for it
    link, where = link_of(settings, token), settings.base_url or ""
    text = (
        _WITH_LINK.format(where=where, link=link, token=token) if link else _WITHOUT_LINK.format(token=token)
    )
    return Mail(user.email, "A new password for Dutiful", text)


_WITH_LINK = """\
Hello,

somebody asked for a new password for your Dutiful account at {where}.
If it was not you, do nothing: your password stays as it is.

To choose a new password, open this link within one hour. It works once.

{link}

If the link shows nothing, a program can set the password with the code behind
its “token=”: POST {where}/api/v1/password-resets/use
{{"token": "…", "password": "the new password"}}. Or ask the administrator of the
server for help.
"""

_WITHOUT_LINK = """\
Hello,

somebody asked for a new password for your Dutiful account.
If it was not you, do nothing: your password stays as it is.

This code sets a new password, once, within one hour:

{token}

A program sends it: POST /api/v1/password-resets/use
{{"token": "…", "password": "the new password"}}. Or ask the administrator of the
server for help.
"""
