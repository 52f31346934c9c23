"""Clears away what nobody can use any more: once for all processes and replicas, in small bites.

A chore belongs to whoever sets its time in `chores`, in one statement. No lock is held while it is done: each bite is a
transaction of its own that decides anew what may go, so a chore that is killed is done again when it is next due, and
two that meet do no harm.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert

from dutiful import clock, metrics
from dutiful.database.session import Database, Writer
from dutiful.models import Chore
from dutiful.settings import Settings
from dutiful.workers import expiry, purging

SECONDS_BETWEEN_LOOKS = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Duty:
    """`work` gives the number of rows it removed."""

    name: str
    every: timedelta
    work: Callable[[Database, Settings], Awaitable[int]]


# The trash before the journal: to bring a label back, the journal of its deletion is needed.
DUTIES = (
    Duty("trash", timedelta(hours=1), purging.purge_trash),
    Duty("workspaces", timedelta(hours=1), purging.purge_workspaces),
    Duty("journal", timedelta(hours=1), expiry.clear_journal),
    Duty("idempotency_keys", timedelta(minutes=10), expiry.clear_idempotency_keys),
    Duty("sign_ins", timedelta(hours=1), expiry.clear_sign_ins),
    Duty("password_resets", timedelta(hours=1), expiry.clear_password_resets),
    Duty("sign_in_throttles", timedelta(hours=1), expiry.clear_throttles),
    Duty("invitations", timedelta(hours=1), expiry.clear_invitations),
)


async def keep_house(database: Database, settings: Settings) -> None:
    # Not all at the same moment: workers and replicas start together.
    await asyncio.sleep(random.uniform(0.1, 0.3) * SECONDS_BETWEEN_LOOKS)  # noqa: S311 - no secret
    while True:
        await do_what_is_due(database, settings)
        await asyncio.sleep(random.uniform(0.8, 1.2) * SECONDS_BETWEEN_LOOKS)  # noqa: S311 - no secret


async def do_what_is_due(database: Database, settings: Settings) -> dict[str, int]:
    """The chores that this process did, and how many rows each removed."""
    done = {}
    for duty in DUTIES:
        if await claim(database, duty):
            done[duty.name] = await _do(duty, database, settings)
    return done


async def claim(database: Database, duty: Duty) -> bool:
    """True for one caller each time the chore is due."""

    async def work(session: Writer) -> bool:
        now = clock.now()
        statement = insert(Chore).values(name=duty.name, last_run_at=now)
        due = or_(Chore.last_run_at.is_(None), Chore.last_run_at <= now - duty.every)
        claimed = statement.on_conflict_do_update(
            index_elements=[Chore.name], set_={"last_run_at": now}, where=due
        ).returning(Chore.name)
        return await session.scalar(claimed) is not None

    return await database.write(work)


async def _do(duty: Duty, database: Database, settings: Settings) -> int:
    """A chore that fails is told and left until it is next due: the others have nothing to do with it."""
    removed, result = 0, "failed"
    try:
        removed = await duty.work(database, settings)
        result = "done"
    except Exception:
        log.exception("The chore %s failed; it is tried again in %s", duty.name, duty.every)
    metrics.HOUSEKEEPING_RUNS.labels(duty.name, result).inc()
    metrics.HOUSEKEEPING_REMOVED.labels(duty.name).inc(removed)
    if removed:
        log.info("The chore %s removed %d rows", duty.name, removed)
    return removed
