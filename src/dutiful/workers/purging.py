"""The end of what was in the trash for its time, and of deleted workspaces."""

import asyncio
import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from sqlalchemy import TextClause, Uuid, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError

from dutiful import clock
from dutiful.access import lock_workspaces
from dutiful.changes import journal
from dutiful.database.failures import is_lock_timeout
from dutiful.database.session import Database, Writer
from dutiful.models import Workspace
from dutiful.settings import Settings
from dutiful.workers import bites, expiry

GROUPS = 500
"""How many groups of the trash are looked up at a time."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Group:
    """What went into the trash together. It came in one transaction, and it goes in one: whoever restores it gets
    all of it or nothing."""

    workspace_id: int
    trash_id: uuid.UUID
    size: int


# --- the trash --------------------------------------------------------------------------------------------------------


async def purge_trash(database: Database, settings: Settings) -> int:
    until = clock.now() - settings.trash_age
    removed = 0
    # What cannot go in this run. The next looks at it again.
    kept: set[uuid.UUID] = set()
    while groups := await _find_groups(database, until, kept):
        for batch in _batches(groups):
            removed += await _purge_batch(database, batch, kept)
            await asyncio.sleep(bites.SECONDS_BETWEEN)
    return removed


async def _find_groups(database: Database, until: datetime, kept: set[uuid.UUID]) -> list[Group]:
    """The oldest first: what is inside a thing went to the trash with it or before."""
    values = {"until": until, "kept": list(kept), "groups": GROUPS}
    async with database.read() as session:
        return [Group(*row) for row in await session.execute(_EXPIRED_GROUPS, values)]


def _batches(groups: Iterable[Group]) -> Iterator[list[Group]]:
    """Of one workspace each, and of about `bites.ROWS` things."""
    for _, of_workspace in groupby(sorted(groups, key=_workspace), key=_workspace):
        batch: list[Group] = []
        for group in of_workspace:
            if batch and sum(one.size for one in batch) + group.size > bites.ROWS:
                yield batch
                batch = []
            batch.append(group)
        yield batch


def _workspace(group: Group) -> int:
    return group.workspace_id


async def _purge_batch(database: Database, batch: list[Group], kept: set[uuid.UUID]) -> int:
    wanted = {group.trash_id for group in batch}
    workspace_id = batch[0].workspace_id

    async def work(session: Writer) -> tuple[set[uuid.UUID], int]:
        return await _purge(session, workspace_id, wanted)

    try:
        purged, removed = await database.write(work)
    except DBAPIError as error:
        if not is_lock_timeout(error):
            raise
        log.info("Workspace %d is busy; its trash is emptied another time", workspace_id)
        purged, removed = set(), 0
    # Those that are gone are not found again; those restored meanwhile are not either.
    kept |= wanted - purged
    return removed


async def _purge(session: Writer, workspace_id: int, trash_ids: set[uuid.UUID]) -> tuple[set[uuid.UUID], int]:
    """The groups that went, and how many things they were."""
    await lock_workspaces(session, [workspace_id])
    going = await _without_holders(session, workspace_id, trash_ids)
    # They go together, as what one request did.
    request_id, removed = uuid.uuid4(), 0
    for entity, statement in _REMOVALS.items():
        values = {"workspace_id": workspace_id, "going": list(going)}
        for thing_id, version in await session.execute(statement, values):
            journal.record_purge(session, request_id, entity, thing_id, workspace_id, version)
            removed += 1
    return going, removed


async def _without_holders(session: Writer, workspace_id: int, trash_ids: set[uuid.UUID]) -> set[uuid.UUID]:
    """Without those groups that hold something that stays. Foreign keys would take that along."""
    going = set(trash_ids)
    while going:
        values = {"workspace_id": workspace_id, "going": list(going)}
        holding = set(await session.scalars(_HOLDERS, values))
        if not holding:
            break
        going -= holding
    return going


_UUIDS = ARRAY(Uuid)

_EXPIRED_GROUPS = text("""
    SELECT workspace_id, trash_id, count(*)
    FROM (
        SELECT workspace_id, trash_id, deleted_at FROM tasks WHERE trash_id IS NOT NULL
        UNION ALL SELECT workspace_id, trash_id, deleted_at FROM sections WHERE trash_id IS NOT NULL
        UNION ALL SELECT workspace_id, trash_id, deleted_at FROM projects WHERE trash_id IS NOT NULL
        UNION ALL SELECT workspace_id, trash_id, deleted_at FROM labels WHERE trash_id IS NOT NULL
    ) AS thing
    WHERE deleted_at < :until AND trash_id <> ALL (:kept)
    GROUP BY workspace_id, trash_id
    ORDER BY min(deleted_at), trash_id
    LIMIT :groups
""").bindparams(bindparam("kept", type_=_UUIDS))

_HOLDERS = text("""
    SELECT parent.trash_id FROM tasks AS parent JOIN tasks AS child ON child.parent_id = parent.id
    WHERE parent.workspace_id = :workspace_id AND parent.trash_id = ANY (:going)
      AND NOT coalesce(child.trash_id = ANY (:going), false)
    UNION SELECT section.trash_id FROM sections AS section
        JOIN tasks AS child ON child.project_id = section.project_id AND child.section_id = section.id
    WHERE section.workspace_id = :workspace_id AND section.trash_id = ANY (:going)
      AND NOT coalesce(child.trash_id = ANY (:going), false)
    UNION SELECT project.trash_id FROM projects AS project JOIN tasks AS child ON child.project_id = project.id
    WHERE project.workspace_id = :workspace_id AND project.trash_id = ANY (:going)
      AND NOT coalesce(child.trash_id = ANY (:going), false)
    UNION SELECT project.trash_id FROM projects AS project JOIN sections AS child ON child.project_id = project.id
    WHERE project.workspace_id = :workspace_id AND project.trash_id = ANY (:going)
      AND NOT coalesce(child.trash_id = ANY (:going), false)
""").bindparams(bindparam("going", type_=_UUIDS))

# What is inside goes first. All subtasks of a task are in the same statement.
_REMOVALS: Mapping[str, TextClause] = {
    entity: text(
        f"DELETE FROM {entity}s WHERE workspace_id = :workspace_id AND trash_id = ANY (:going) "  # noqa: S608 - our own
        "RETURNING id, version"
    ).bindparams(bindparam("going", type_=_UUIDS))
    for entity in ("task", "section", "project", "label")
}


# --- deleted workspaces -----------------------------------------------------------------------------------------------


async def purge_workspaces(database: Database, settings: Settings) -> int:
    """With all they hold, the journal included: nobody is left who may read it."""
    until = clock.now() - settings.trash_age
    async with database.read() as session:
        statement = select(Workspace.id).where(Workspace.deleted_at < until).order_by(Workspace.id)
        workspace_ids = (await session.scalars(statement)).all()
    removed = 0
    for workspace_id in workspace_ids:
        if not await _end(database, workspace_id, until):
            # Somebody restored it meanwhile.
            continue
        removed += await _remove_tasks(database, workspace_id)
        removed += await expiry.remove_changes(
            database, workspace_id, datetime.max.replace(tzinfo=until.tzinfo)
        )
        removed += await _remove_workspace(database, workspace_id, until)
    return removed


async def _end(database: Database, workspace_id: int, until: datetime) -> bool:
    """From here on nobody restores it, however many days the trash is kept for: half of it may be gone."""

    async def work(session: Writer) -> bool:
        await lock_workspaces(session, [workspace_id])
        values = {"workspace_id": workspace_id, "until": until, "long_ago": datetime.fromtimestamp(0, UTC)}
        return (await session.execute(_END_WORKSPACE, values)).first() is not None

    return await database.write(work)


async def _remove_tasks(database: Database, workspace_id: int) -> int:
    async def bite(session: Writer) -> int:
        await lock_workspaces(session, [workspace_id])
        values = {"workspace_id": workspace_id, "rows": bites.ROWS}
        return len((await session.execute(_REMOVE_LEAVES, values)).all())

    return await bites.remove_all(database, bite)


async def _remove_workspace(database: Database, workspace_id: int, until: datetime) -> int:
    async def work(session: Writer) -> int:
        await lock_workspaces(session, [workspace_id])
        values = {"workspace_id": workspace_id, "until": until}
        return len((await session.execute(_REMOVE_WORKSPACE, values)).all())

    return await database.write(work)


_END_WORKSPACE = text("""
    UPDATE workspaces SET deleted_at = :long_ago WHERE id = :workspace_id AND deleted_at < :until RETURNING id
""")

# Those without subtasks, so that no row takes thousands of others along.
_REMOVE_LEAVES = text("""
    DELETE FROM tasks WHERE id IN (
        SELECT id FROM tasks AS task
        WHERE workspace_id = :workspace_id
          AND NOT EXISTS (SELECT FROM tasks AS child WHERE child.parent_id = task.id)
        LIMIT :rows
    )
    RETURNING id
""")

_REMOVE_WORKSPACE = text("""
    DELETE FROM workspaces WHERE id = :workspace_id AND deleted_at < :until RETURNING id
""")
