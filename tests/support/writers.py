"""Many who write in the same workspaces at once."""

import asyncio
import random

from sqlalchemy import select
from tests.support.people import Person

from dutiful.access import Actor, get_for_write
from dutiful.changes import journal
from dutiful.database.session import Database, Writer, before_commit
from dutiful.errors import DutifulError
from dutiful.models import Change, Workspace

WRITERS = 20
WRITES = 6


async def write(database: Database, person: Person, workspace_ids: list[int], seed: int) -> None:
    """Renames a workspace, sometimes two in one transaction, holding the locks for a while before and after the
    changes are numbered; some transactions are given up."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    for number in range(WRITES):
        chosen = sorted(chance.sample(workspace_ids, k=chance.choice([1, 1, 2])))
        gives_up = chance.random() < 0.2

        async def work(session: Writer, chosen: list[int] = chosen, gives_up: bool = gives_up) -> None:
            actor = person.actor()
            for workspace_id in chosen:
                await rename(session, actor, workspace_id, f"{seed}-{number}")  # noqa: B023 - run before the next
            await asyncio.sleep(chance.random() * 0.02)

            async def hold() -> None:
                await asyncio.sleep(chance.random() * 0.02)
                if gives_up:
                    raise GivenUp("on purpose")

            before_commit(session, hold)

        try:
            await database.write(work)
        except GivenUp:
            continue


class GivenUp(DutifulError):
    pass


async def rename(session: Writer, actor: Actor, workspace_id: int, name: str) -> None:
    workspace = await get_for_write(session, actor, Workspace, workspace_id)
    before = workspace.state()
    workspace.name = name
    journal.record(session, actor, "workspace.updated", workspace, before)


async def all_changes(database: Database, workspace_ids: list[int]) -> list[tuple[int, int]]:
    statement = (
        select(Change.workspace_id, Change.seq)
        .where(Change.workspace_id.in_(workspace_ids))
        .order_by(Change.workspace_id, Change.seq)
    )
    async with database.read() as session:
        return [(workspace_id, seq) for workspace_id, seq in await session.execute(statement)]
