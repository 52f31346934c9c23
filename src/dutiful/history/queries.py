"""Every SELECT of undoing. Whatever the number of changes, each is one statement, or one for each type of thing."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    String,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from dutiful.access import Actor, visible_workspaces
from dutiful.database.session import Reader, Writer
from dutiful.database.types import any_of
from dutiful.errors import Gone, NotFound
from dutiful.history.effects import Key, Thing
from dutiful.models import (
    Change,
    Label,
    Project,
    Section,
    Task,
    Workspace,
    WorkspaceCounter,
)

T = TypeVar("T", Project, Section, Label, Task)

MODELS: Mapping[str, type[Any]] = {model.entity: model for model in (Project, Section, Label, Task)}
MOST_NAMED = 100
"""Of more changes than these that are in the way, only the first are told."""


async def find_request(session: Writer, actor: Actor, workspace_id: int, seq: int) -> uuid.UUID:
    """The request of a change that the actor sees; columns only, as nothing is locked yet."""
    seen = WorkspaceCounter.workspace_id.in_(visible_workspaces(actor))
    statement = (
        select(WorkspaceCounter.seq, Change.request_id)
        .outerjoin(Change, (Change.workspace_id == WorkspaceCounter.workspace_id) & (Change.seq == seq))
        .where(WorkspaceCounter.workspace_id == workspace_id, seen)
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None or not 0 < seq <= row.seq:
        raise NotFound("There is no such change, or you may not see it.")
    if row.request_id is None:
        raise Gone("This change is not kept any more, so it cannot be taken back.")
    request_id: uuid.UUID = row.request_id
    return request_id


async def workspaces_of(session: Writer, request_id: uuid.UUID) -> set[int]:
    statement = select(Change.workspace_id).distinct().where(Change.request_id == request_id)
    return set(await session.scalars(statement))


async def verbs(session: Writer, workspace_id: int, request_id: uuid.UUID, seq: int | None) -> dict[str, str]:
    """What a request did in a workspace, or with one change; from verb to the id of the first change."""
    statement = select(Change.verb, func.min(Change.seq)).where(
        Change.workspace_id == workspace_id, Change.request_id == request_id
    )
    if seq is not None:
        statement = statement.where(Change.seq == seq)
    rows = await session.execute(statement.group_by(Change.verb))
    return {verb: f"{workspace_id}-{first}" for verb, first in rows}


async def changes_of_request(session: Writer, request_id: uuid.UUID) -> Sequence[Change]:
    statement = select(Change).where(Change.request_id == request_id)
    return (await session.scalars(statement.order_by(Change.workspace_id, Change.seq))).all()


async def is_cut_off(session: Writer, changes: Sequence[Change]) -> bool:
    """Whether older changes of this request may have been cleared away, from the oldest on."""
    firsts: dict[int, int] = {}
    for change in changes:
        firsts.setdefault(change.workspace_id, change.seq)
    before = [(workspace_id, seq - 1) for workspace_id, seq in firsts.items() if seq > 1]
    statement = select(func.count()).where(tuple_(Change.workspace_id, Change.seq).in_(before))
    return not firsts or await session.scalar(statement) != len(before)


async def find_change(session: Writer, workspace_id: int, seq: int) -> Change | None:
    return await session.get(Change, (workspace_id, seq))


async def later_changes(
    session: Writer, workspace_id: int, after: int, things: Collection[Key]
) -> Sequence[Change]:
    """What became of these things since, oldest first."""
    wanted = (
        func.unnest(
            literal([entity for entity, _ in things], ARRAY(String)),
            literal([thing_id for _, thing_id in things], ARRAY(BigInteger)),
        )
        .table_valued("entity", "entity_id")
        .render_derived()
    )
    is_of_these = (Change.entity == wanted.c.entity) & (Change.entity_id == wanted.c.entity_id)
    statement = (
        select(Change)
        .join(wanted, is_of_these)
        .where(Change.workspace_id == workspace_id, Change.seq > after)
        .order_by(Change.seq)
    )
    return (await session.scalars(statement)).all()


async def changes_between(
    session: Reader | Writer, actor: Actor, ranges: Iterable[tuple[int, int, int]]
) -> Sequence[Change]:
    """The changes of each workspace behind its first number, up to its second."""
    conditions = [
        (Change.workspace_id == workspace_id) & (Change.seq > after) & (Change.seq <= upto)
        for workspace_id, after, upto in ranges
    ]
    if not conditions:
        return []
    is_seen = Change.workspace_id.in_(visible_workspaces(actor))
    statement = select(Change).where(or_(*conditions), is_seen).order_by(Change.workspace_id, Change.seq)
    return (await session.scalars(statement)).all()


async def undone_by(session: Writer, undos: Iterable[Change]) -> Sequence[Change]:
    """The changes that these took back, oldest first."""
    seqs: dict[int, list[int]] = defaultdict(list)
    for change in undos:
        if change.undo_of is not None:
            seqs[change.workspace_id].append(change.undo_of)
    found: list[Change] = []
    for workspace_id, mine in sorted(seqs.items()):
        statement = select(Change).where(Change.workspace_id == workspace_id, Change.seq == any_of(mine))
        found += await session.scalars(statement.order_by(Change.seq))
    return found


async def things(session: Writer, keys: Iterable[Key], workspace_ids: Iterable[int]) -> dict[Key, Thing]:
    """Those that exist, the trash included."""
    ids: dict[str, list[int]] = defaultdict(list)
    for entity, thing_id in keys:
        ids[entity].append(thing_id)
    here = list(workspace_ids)
    found: dict[Key, Thing] = {}
    for entity, wanted in ids.items():
        for thing in (await by_id(session, MODELS[entity], wanted, here)).values():
            found[thing.entity, thing.id] = thing
    return found


async def by_id(
    session: Writer, model: type[T], ids: Collection[int], workspace_ids: Iterable[int]
) -> dict[int, T]:
    """Those that exist, the trash included. Those in the session stay as they are there."""
    if not ids:
        return {}
    rows = select(model).where(model.id == any_of(ids), model.workspace_id == any_of(workspace_ids))
    return {thing.id: thing for thing in await session.scalars(rows)}


# --- what would be left behind ----------------------------------------------------------------------------------------


async def living_tasks_in(
    session: Writer, projects: Collection[int], sections: Collection[int], parents: Collection[int]
) -> set[int]:
    """The living tasks directly in any of these."""
    conditions = [
        column == any_of(ids)
        for column, ids in (
            (Task.project_id, projects),
            (Task.section_id, sections),
            (Task.parent_id, parents),
        )
        if ids
    ]
    if not conditions:
        return set()
    return set(await session.scalars(select(Task.id).where(or_(*conditions), Task.deleted_at.is_(None))))


async def living_sections_in(session: Writer, projects: Collection[int]) -> set[int]:
    if not projects:
        return set()
    inside = Section.project_id == any_of(projects)
    return set(await session.scalars(select(Section.id).where(inside, Section.deleted_at.is_(None))))


async def tasks_with_labels(
    session: Writer, label_ids: Collection[int], workspace_ids: Iterable[int]
) -> Sequence[Task]:
    """The trash included."""
    if not label_ids:
        return []
    statement = select(Task).where(
        Task.workspace_id == any_of(workspace_ids),
        Task.label_ids.overlap(literal(list(label_ids), ARRAY(BigInteger))),
        # In the words of the index's own condition, or PostgreSQL does not see that it may use it.
        text("label_ids <> '{}'"),
    )
    return (await session.scalars(statement.order_by(Task.id))).all()


async def latest_changes(session: Writer, things: Collection[tuple[int, str, int]]) -> list[str]:
    """The latest change of each of these (workspace, entity, id), newest first; of the first few."""
    each = [
        select(Change.workspace_id, func.max(Change.seq).label("seq"))
        .where(Change.workspace_id == workspace_id, Change.entity == entity, Change.entity_id == thing_id)
        .group_by(Change.workspace_id)
        for workspace_id, entity, thing_id in sorted(things)[:MOST_NAMED]
    ]
    if not each:
        return []
    rows = await session.execute(union_all(*each))
    newest_first = sorted(((workspace_id, seq) for workspace_id, seq in rows), reverse=True)
    return [f"{workspace_id}-{seq}" for workspace_id, seq in newest_first]


async def inboxes_among(session: Writer, project_ids: Collection[int]) -> set[int]:
    if not project_ids:
        return set()
    return set(
        await session.scalars(select(Workspace.inbox_id).where(Workspace.inbox_id == any_of(project_ids)))
    )


# --- places in lists --------------------------------------------------------------------------------------------------


def in_task_lists(
    projects: Collection[int], parents: Collection[int], keys: Collection[str] | None = None
) -> ColumnElement[bool]:
    """Tasks right in these projects, or below these parents; with one of these order keys, if some are given."""
    here = or_(
        Task.project_id.in_(projects) & Task.parent_id.is_(None),
        Task.parent_id == any_of(parents),
    )
    return here if keys is None else here & (Task.position == any_of(keys, String))
