"""Rows that lose their use with time: the old end of the journal, kept answers, sign-ins, links."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, inspect, select, text, tuple_

from dutiful import clock
from dutiful.access import lock_workspaces
from dutiful.database.base import Base
from dutiful.database.session import Database, Writer
from dutiful.models import IdempotencyKey, Invitation, PasswordReset, SignInThrottle, Token, TokenKind
from dutiful.settings import Settings
from dutiful.workers import bites

GRACE = timedelta(days=1)
"""What has expired is kept for this long, so that whoever comes late is told so rather than that it never was."""


async def clear_idempotency_keys(database: Database, settings: Settings) -> int:
    return await _clear(
        database,
        IdempotencyKey,
        IdempotencyKey.created_at < clock.now() - timedelta(hours=settings.idempotency_hours),
    )


async def clear_sign_ins(database: Database, settings: Settings) -> int:
    """Tokens made for programs stay: their owners see in the list that they have expired."""
    return await _clear(
        database, Token, (Token.kind == TokenKind.SIGN_IN) & (Token.expires_at < clock.now() - GRACE)
    )


async def clear_password_resets(database: Database, settings: Settings) -> int:
    return await _clear(database, PasswordReset, PasswordReset.expires_at < clock.now() - GRACE)


async def clear_invitations(database: Database, settings: Settings) -> int:
    return await _clear(database, Invitation, Invitation.expires_at < clock.now() - GRACE)


async def clear_throttles(database: Database, settings: Settings) -> int:
    """Those in force are kept, however old their last failure is."""
    now = clock.now()
    is_in_force = SignInThrottle.blocked_until.is_not(None) & (SignInThrottle.blocked_until > now)
    return await _clear(
        database, SignInThrottle, (SignInThrottle.last_failure_at < now - GRACE) & ~is_in_force
    )


async def _clear(database: Database, table: type[Base], condition: ColumnElement[bool]) -> int:
    key = inspect(table).primary_key
    # What is being written at the moment is looked at again the next time.
    old = select(*key).where(condition).limit(bites.ROWS).with_for_update(skip_locked=True)
    statement = delete(table).where(tuple_(*key).in_(old)).returning(key[0])

    async def bite(session: Writer) -> int:
        return len((await session.execute(statement)).all())

    return await bites.remove_all(database, bite)


# --- the journal ------------------------------------------------------------------------------------------------------


async def clear_journal(database: Database, settings: Settings) -> int:
    """From the oldest on, so that what is kept has no holes."""
    until = clock.now() - timedelta(days=settings.changes_retention_days)
    async with database.read() as session:
        workspace_ids = (await session.scalars(_JOURNALS_BEGUN_BEFORE, {"until": until})).all()
    removed = 0
    for workspace_id in workspace_ids:
        removed += await remove_changes(database, workspace_id, until)
    return removed


async def remove_changes(database: Database, workspace_id: int, until: datetime) -> int:
    async def bite(session: Writer) -> int:
        # An undo reads the journal under this lock.
        await lock_workspaces(session, [workspace_id])
        values = {"workspace_id": workspace_id, "until": until, "rows": bites.ROWS}
        return len((await session.execute(_REMOVE_OLDEST_CHANGES, values)).all())

    return await bites.remove_all(database, bite)


# One look into the primary key for each workspace: changes have no index by time.
_JOURNALS_BEGUN_BEFORE = text("""
    SELECT counter.workspace_id
    FROM workspace_counters AS counter,
         LATERAL (SELECT at FROM changes WHERE workspace_id = counter.workspace_id ORDER BY seq LIMIT 1) AS oldest
    WHERE oldest.at < :until
    ORDER BY counter.workspace_id
""")

# Up to the first that must stay: the clocks of several servers may have put a younger one before an older.
_REMOVE_OLDEST_CHANGES = text("""
    WITH oldest AS (
        SELECT seq, at FROM changes WHERE workspace_id = :workspace_id ORDER BY seq LIMIT :rows
    )
    DELETE FROM changes
    WHERE workspace_id = :workspace_id
      AND seq < coalesce((SELECT min(seq) FROM oldest WHERE at >= :until), (SELECT max(seq) + 1 FROM oldest))
    RETURNING seq
""")
