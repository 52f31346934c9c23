"""Reads what the database holds, past the API: for tests of what was written, and of what was not."""

from collections.abc import Sequence

from sqlalchemy import func, select

from dutiful.database.session import Database
from dutiful.models import AccountEvent, Change, IdempotencyKey, Task, WorkspaceCounter


async def changes_of(database: Database, workspace_id: int, after: int = 0) -> Sequence[Change]:
    """The journal of a workspace behind `after`, oldest first."""
    statement = select(Change).where(Change.workspace_id == workspace_id, Change.seq > after)
    async with database.read() as session:
        return (await session.scalars(statement.order_by(Change.seq))).all()


async def latest_seq(database: Database, workspace_id: int) -> int:
    statement = select(WorkspaceCounter.seq).where(WorkspaceCounter.workspace_id == workspace_id)
    async with database.read() as session:
        return (await session.scalars(statement)).one()


async def tasks_of(database: Database, workspace_id: int) -> Sequence[Task]:
    """Every task of a workspace, the trash included."""
    async with database.read() as session:
        return (
            await session.scalars(select(Task).where(Task.workspace_id == workspace_id).order_by(Task.id))
        ).all()


async def titles_of(database: Database, workspace_id: int) -> list[str]:
    return [task.title for task in await tasks_of(database, workspace_id)]


async def count_keys(database: Database, user_id: int) -> int:
    """How many Idempotency-Keys are kept for a person."""
    statement = select(func.count()).select_from(IdempotencyKey).where(IdempotencyKey.user_id == user_id)
    async with database.read() as session:
        return (await session.scalars(statement)).one()


async def count_account_events(database: Database, user_id: int) -> int:
    statement = select(func.count()).select_from(AccountEvent).where(AccountEvent.user_id == user_id)
    async with database.read() as session:
        return (await session.scalars(statement)).one()
