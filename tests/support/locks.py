"""Locks that somebody else holds, and waits for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from dutiful.access import lock_workspaces
from dutiful.database.session import Database, Rollback, Writer


@asynccontextmanager
async def held(database: Database, workspace_id: int) -> AsyncIterator[None]:
    """The counter of a workspace, held by somebody else."""
    taken, done = asyncio.Event(), asyncio.Event()

    async def hold(session: Writer) -> None:
        await lock_workspaces(session, [workspace_id])
        taken.set()
        await done.wait()
        raise Rollback(None)

    holder = asyncio.create_task(database.write(hold))
    await taken.wait()
    try:
        yield
    finally:
        done.set()
        await holder


async def waiting(database: Database, count: int) -> None:
    """Until so many transactions wait for a lock."""
    statement = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(3), database.read() as session:
        while await session.scalar(statement) < count:  # noqa: ASYNC110 - PostgreSQL sets no event
            await asyncio.sleep(0.01)
