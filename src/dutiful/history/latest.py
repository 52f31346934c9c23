"""What somebody did last, request by request."""

import uuid
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    String,
    Uuid,
    cast,
    func,
    literal,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.orm import aliased

from dutiful.access import Actor, visible_workspaces, workspace_of
from dutiful.database.session import Reader
from dutiful.database.types import any_of
from dutiful.history.effects import Key, is_undoable, undone_seqs
from dutiful.history.queries import MODELS
from dutiful.history.schemas import DoneOut, RequestOut, Standing
from dutiful.models import Change, Task


@dataclass(frozen=True, slots=True)
class _Doing:
    """What a request did with one verb in one workspace."""

    request_id: uuid.UUID
    workspace_id: int
    verb: str
    entity: str
    count: int
    first: int
    last: int
    is_undo: bool
    first_thing: int
    at: datetime


async def requests(session: Reader, actor: Actor, limit: int) -> list[RequestOut]:
    """Three statements, whatever the number."""
    doings: dict[uuid.UUID, list[_Doing]] = defaultdict(list)
    for row in await session.execute(_doings(actor, limit)):
        doings[row.request_id].append(_Doing(*row))
    undone = await _count_undone(session, actor, doings)
    firsts = {(each.entity, each.first_thing) for mine in doings.values() for each in mine}
    names = await _names(session, actor, firsts)
    found = [_request(mine, undone[request_id], names) for request_id, mine in doings.items()]
    return sorted(found, key=lambda each: (each.at, each.request_id), reverse=True)


def _request(mine: Sequence[_Doing], undone: int, names: Mapping[Key, str]) -> RequestOut:
    mine = sorted(mine, key=lambda each: (each.workspace_id, each.first))
    count = sum(each.count for each in mine)
    standing = Standing.DONE if not undone else Standing.PARTLY_UNDONE if undone < count else Standing.UNDONE
    is_of_a_kind = all(is_undoable(each.verb) for each in mine)
    return RequestOut(
        request_id=mine[0].request_id,
        change_id=f"{mine[0].workspace_id}-{mine[0].first}",
        at=mine[0].at,
        workspace_ids=sorted({each.workspace_id for each in mine}),
        count=count,
        did=[
            DoneOut(verb=each.verb, count=each.count, name=names.get((each.entity, each.first_thing)))
            for each in mine
        ],
        is_undo=any(each.is_undo for each in mine),
        standing=standing,
        undoable=is_of_a_kind and standing is not Standing.UNDONE,
    )


def _doings(actor: Actor, limit: int) -> Any:
    """The index on (user, time, request) is walked from request to request: how many changes each made costs nothing
    until they are counted."""
    key = (Change.at, Change.request_id)
    is_own = (Change.user_id == actor.user_id) & Change.workspace_id.in_(visible_workspaces(actor))
    newest_first = (Change.at.desc(), Change.request_id.desc())
    newest = select(*key, literal(1).label("number")).where(is_own).order_by(*newest_first).limit(1)
    walk = newest.cte("walk", recursive=True)
    older = select(*key).where(is_own, tuple_(*key) < tuple_(walk.c.at, walk.c.request_id))
    next_one = older.order_by(*newest_first).limit(1).lateral("older")
    walk = walk.union_all(
        select(next_one.c.at, next_one.c.request_id, walk.c.number + 1)
        .select_from(walk.join(next_one, true()))
        .where(walk.c.number < limit)
    )
    groups = (
        select(
            Change.request_id,
            Change.workspace_id,
            Change.verb,
            Change.entity,
            func.count().label("count"),
            func.min(Change.seq).label("first"),
            func.max(Change.seq).label("last"),
            func.bool_or(Change.undo_of.is_not(None)).label("is_undo"),
        )
        .where(Change.request_id.in_(select(walk.c.request_id)))
        .where(Change.workspace_id.in_(visible_workspaces(actor)))
        .group_by(Change.request_id, Change.workspace_id, Change.verb, Change.entity)
        .subquery()
    )
    is_first = (Change.workspace_id == groups.c.workspace_id) & (Change.seq == groups.c.first)
    return select(*groups.c, Change.entity_id, Change.at).join(Change, is_first)


async def _count_undone(
    session: Reader, actor: Actor, doings: Mapping[uuid.UUID, Sequence[_Doing]]
) -> Counter[uuid.UUID]:
    """How many changes of each request were taken back, and not brought back since."""
    change, undo = aliased(Change), aliased(Change)
    is_undo = (undo.workspace_id == change.workspace_id) & (undo.undo_of == change.seq)
    ids = any_of(doings, Uuid)
    seen = change.workspace_id.in_(visible_workspaces(actor))
    columns = (undo.workspace_id, undo.seq, undo.undo_of)
    chain = (
        select(*columns).select_from(change).join(undo, is_undo).where(change.request_id == ids, seen)
    ).cte("chain", recursive=True)
    again = aliased(Change)
    is_undo_of_undo = (again.workspace_id == chain.c.workspace_id) & (again.undo_of == chain.c.seq)
    chain = chain.union(select(again.workspace_id, again.seq, again.undo_of).join(chain, is_undo_of_undo))
    undos: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for workspace_id, seq, undo_of in await session.execute(select(*chain.c)):
        undos[workspace_id].append((seq, undo_of))
    undone = {workspace_id: sorted(undone_seqs(mine)) for workspace_id, mine in undos.items()}
    counts: Counter[uuid.UUID] = Counter()
    for request_id, mine in doings.items():
        for workspace_id in {each.workspace_id for each in mine}:
            here = [each for each in mine if each.workspace_id == workspace_id]
            # Its changes there have numbers in a row.
            first, last = min(each.first for each in here), max(each.last for each in here)
            seqs = undone.get(workspace_id, [])
            counts[request_id] += bisect_right(seqs, last) - bisect_left(seqs, first)
    return counts


async def _names(session: Reader, actor: Actor, keys: Iterable[Key]) -> dict[Key, str]:
    """What things are called now, those in the trash too."""
    ids: dict[str, list[int]] = defaultdict(list)
    for entity, thing_id in keys:
        ids[entity].append(thing_id)
    selects = [
        select(
            literal(entity, String), model.id, cast(model.title if model is Task else model.name, String)
        ).where(model.id == any_of(ids[entity]), workspace_of(model).in_(visible_workspaces(actor)))
        for entity, model in MODELS.items()
    ]
    return {(entity, thing_id): name for entity, thing_id, name in await session.execute(union_all(*selects))}
