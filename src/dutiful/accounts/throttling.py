"""How often somebody may try a password. Counted before it is checked, and committed on its own.

Before, because a hundred guesses at once must get no more tries than one after the other. On its own, because the
request of a wrong password rolls back, and would take the count with it.

An attempt counts for the account and for the address it comes from. Where somebody has signed in before has a count of
its own for that person instead: strangers who guess elsewhere, or a colleague behind the same address, cannot lock them
out there. An unknown account is counted like a known one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import Row, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from dutiful import clock
from dutiful.accounts.visitors import Visitor, email_digest
from dutiful.database.session import Writer
from dutiful.errors import TooManyRequests
from dutiful.models import SignInPlace, SignInThrottle

FREE_TRIES = 5
# Many people may be behind one address.
FREE_TRIES_OF_AN_ADDRESS = 20
LONGEST_PAUSE = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(days=1)
KNOWN_FOR = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Counter:
    subject: str
    free: int = FREE_TRIES

    def pause_after(self, failures: int) -> timedelta | None:
        """1 s after the last free try, then twice as long each time."""
        if failures < self.free:
            return None
        return min(timedelta(seconds=2 ** min(failures - self.free, 20)), LONGEST_PAUSE)


def _of_user(user_id: int) -> str:
    """By id and not by e-mail: the same account is the same, however its address is written."""
    return f"account:{user_id}"


async def counters_of(session: Writer, user_id: int | None, email: str, visitor: Visitor) -> list[Counter]:
    """What an attempt to sign in counts for. The same statements for an account that does not exist."""
    account = f"account:{email_digest(email)}" if user_id is None else _of_user(user_id)
    is_known_here = select(SignInPlace.seen_at).where(
        # No account has the id 0.
        SignInPlace.user_id == (user_id or 0),
        SignInPlace.network == visitor.network,
        SignInPlace.seen_at > clock.now() - KNOWN_FOR,
    )
    if await session.scalar(is_known_here) is not None:
        return [Counter(f"{account}@{visitor.network}")]
    return [Counter(account), address_counter("sign-in", visitor)]


def own_counter(user_id: int, purpose: str) -> Counter:
    """For somebody who is signed in and must show the password again: not to be disturbed by those outside."""
    return Counter(f"{_of_user(user_id)}:{purpose}")


def address_counter(purpose: str, visitor: Visitor, free: int = FREE_TRIES_OF_AN_ADDRESS) -> Counter:
    return Counter(f"{purpose}:{visitor.network}", free)


async def count(session: Writer, counters: Sequence[Counter]) -> None:
    """Counts an attempt as failed, until `clear` says otherwise. Raises TooManyRequests, and counts nothing, while one
    of them is in its pause."""
    now = clock.now()
    rows = await _lock(session, [counter.subject for counter in counters], now)
    wait = max((row.blocked_until - now for row in rows.values() if row.blocked_until), default=timedelta())
    if wait > timedelta():
        raise too_many(wait)
    for_insert = [_after_one_more(counter, rows[counter.subject], now) for counter in counters]
    statement = insert(SignInThrottle).values(for_insert)
    changed = {name: statement.excluded[name] for name in ("failures", "last_failure_at", "blocked_until")}
    await session.execute(statement.on_conflict_do_update(index_elements=["subject"], set_=changed))


def too_many(wait: timedelta) -> TooManyRequests:
    seconds = ceil(wait.total_seconds())
    return TooManyRequests(f"Too many attempts. Try again in {_in_words(seconds)}.", retry_after=seconds)


async def _lock(session: Writer, subjects: Collection[str], now: datetime) -> dict[str, Row[Any]]:
    """The rows, made where missing. Always in the order of their names, so that two attempts cannot wait for each other."""
    fresh = [{"subject": subject, "failures": 0, "last_failure_at": now} for subject in sorted(subjects)]
    statement = insert(SignInThrottle).values(fresh)
    touched = statement.on_conflict_do_update(
        index_elements=["subject"], set_={"subject": statement.excluded.subject}
    ).returning(
        SignInThrottle.subject,
        SignInThrottle.failures,
        SignInThrottle.last_failure_at,
        SignInThrottle.blocked_until,
    )
    rows: list[Row[Any]] = list(await session.execute(touched))
    return {row.subject: row for row in rows}


def _after_one_more(counter: Counter, row: Row[Any], now: datetime) -> dict[str, Any]:
    failures = 1 if now - row.last_failure_at > FORGOTTEN_AFTER else row.failures + 1
    pause = counter.pause_after(failures)
    return {
        "subject": counter.subject,
        "failures": failures,
        "last_failure_at": now,
        "blocked_until": None if pause is None else now + pause,
    }


async def clear(session: Writer, counters: Sequence[Counter]) -> None:
    """The attempt that was counted succeeded. An account starts anew; an address only gets this one attempt back, or
    whoever has one account of their own could guess at others' for ever."""
    for counter in sorted(counters, key=lambda one: one.subject):
        one = update(SignInThrottle).where(SignInThrottle.subject == counter.subject)
        if counter.subject.startswith("account:"):
            await session.execute(one.values(failures=0, blocked_until=None))
            continue
        left = func.greatest(SignInThrottle.failures - 1, 0)
        until = case((left < counter.free, None), else_=SignInThrottle.blocked_until)
        await session.execute(one.values(failures=left, blocked_until=until))


async def remember_place(session: Writer, user_id: int, visitor: Visitor) -> None:
    """They signed in from here: `counters_of` will know."""
    now = clock.now()
    is_old = (SignInPlace.user_id == user_id) & (SignInPlace.seen_at < now - KNOWN_FOR)
    await session.execute(delete(SignInPlace).where(is_old))
    statement = insert(SignInPlace).values(user_id=user_id, network=visitor.network, seen_at=now)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["user_id", "network"], set_={"seen_at": now})
    )


async def forget_account(session: Writer, user_id: int) -> None:
    """Ends every pause of an account."""
    subject, of_user = SignInThrottle.subject, _of_user(user_id)
    own = or_(subject == of_user, subject.startswith(f"{of_user}:"), subject.startswith(f"{of_user}@"))
    await session.execute(delete(SignInThrottle).where(own))


def _in_words(seconds: int) -> str:
    if seconds <= 90:
        return f"{seconds} second{'s' if seconds != 1 else ''}"
    return f"{ceil(seconds / 60)} minutes"
