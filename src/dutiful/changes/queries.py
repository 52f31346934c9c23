"""The feed: what happened since a position, in order and without holes.

The seqs of a workspace are contiguous and were given in the order of commit, so "everything up to seq n" says all.
Two statements, each with a view of its own: first how far every journal is, then the changes. What is written in
between only adds to the second; what is cleared away in between leaves a hole that is seen.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    TableValuedAlias,
    bindparam,
    column,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from dutiful.access import VIEWER, Actor, not_found, workspaces_of
from dutiful.changes import rows
from dutiful.changes.cursor import decode_cursor, encode_cursor
from dutiful.changes.rows import Row
from dutiful.database.session import Reader, fetch
from dutiful.database.types import any_of
from dutiful.errors import Gone
from dutiful.models import Change, Member, Workspace, WorkspaceCounter

Positions = dict[int, int]


def _positions_table() -> TableValuedAlias:
    """The positions as a table, in two arrays: one statement whatever their number."""
    columns = (column("workspace_id", BigInteger), column("seq", BigInteger))
    arrays = [bindparam(name, type_=ARRAY(BigInteger)) for name in ("workspace_ids", "seqs")]
    return func.unnest(*arrays).table_valued(*columns).render_derived()


def _values(positions: Mapping[int, int]) -> dict[str, Any]:
    return {"workspace_ids": list(positions), "seqs": list(positions.values())}


# What the statements below are made of, once: to write one takes SQLAlchemy longer than to run it.
_HERE = _positions_table()
_ROWS = bindparam("rows", type_=Integer)

LATEST = "latest"
"""Instead of a cursor: from now on."""


@dataclass(frozen=True, slots=True)
class News:
    """Changes, and the cursor behind the last of them."""

    items: Sequence[Row]
    next_cursor: str

    @property
    def count(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a journal is, and the first change that is kept behind the position asked for."""

    workspace_id: int
    latest: int
    next: int | None

    def has(self, position: int) -> bool:
        """Whether all that came after `position` is kept. One beyond the latest is of another history, such as that
        of a server that has since gone back to a backup."""
        return position == self.latest if self.next is None else position == self.next - 1

    def oldest_position(self) -> int:
        return self.latest if self.next is None else self.next - 1


async def of_workspace(
    session: Reader, actor: Actor, workspace_id: int, after: int | None, limit: int
) -> News:
    positions = {} if after is None else {workspace_id: after}
    standings = await _standings(session, actor, positions, workspace_id)
    if not standings:
        raise not_found(Workspace)
    return await _news(
        session, actor, standings, positions, limit, lambda reached: str(reached[workspace_id])
    )


async def of_all_workspaces(session: Reader, actor: Actor, after: str | None, limit: int) -> News:
    """Of all the actor sees now. A workspace that the cursor does not name is told from its oldest change kept."""
    if after == LATEST:
        return News([], encode_cursor(_latest(await _standings(session, actor, {}))))
    positions = {} if after is None else decode_cursor(after)
    standings = await _standings(session, actor, positions)
    return await _news(session, actor, standings, positions, limit, encode_cursor)


async def read_on(session: Reader, actor: Actor, positions: Positions, limit: int) -> News:
    """The same for a stream, which is told elsewhere what else the actor sees."""
    standings = [
        each for each in await _standings(session, actor, positions) if each.workspace_id in positions
    ]
    return await _news(session, actor, standings, positions, limit, encode_cursor)


async def start_positions(session: Reader, actor: Actor, after: str | None) -> tuple[Positions, Positions]:
    """Where in each journal that the actor sees a stream starts, and how far that journal is; `after` None for now."""
    positions = {} if after is None else decode_cursor(after)
    standings = await _standings(session, actor, positions)
    latest = _latest(standings)
    return (latest if after is None else _starts(standings, positions, encode_cursor)), latest


def _latest(standings: Sequence[Standing]) -> Positions:
    return {each.workspace_id: each.latest for each in standings}


async def _news(
    session: Reader,
    actor: Actor,
    standings: Sequence[Standing],
    after: Mapping[int, int],
    limit: int,
    encode: Callable[[Positions], str],
) -> News:
    start = _starts(standings, after, encode)
    behind = {each.workspace_id: start[each.workspace_id] for each in standings if each.next is not None}
    changes = await _changes(session, actor, behind, limit) if behind else []
    reached = dict(start)
    for workspace_id, seq in map(rows.place, changes):
        if seq != reached[workspace_id] + 1:
            cleared = [each for each in standings if each.workspace_id == workspace_id]
            raise _gone(cleared, start, encode)
        reached[workspace_id] = seq
    return News(changes, encode(reached))


def _starts(
    standings: Sequence[Standing], after: Mapping[int, int], encode: Callable[[Positions], str]
) -> Positions:
    start = {each.workspace_id: after.get(each.workspace_id, each.oldest_position()) for each in standings}
    lost = [each for each in standings if not each.has(start[each.workspace_id])]
    if lost:
        raise _gone(lost, start, encode)
    return start


def _gone(lost: Sequence[Standing], start: Positions, encode: Callable[[Positions], str]) -> Gone:
    workspace_ids = [each.workspace_id for each in lost]
    names = ", ".join(map(str, workspace_ids))
    return Gone(
        f"The changes of workspace {names} since then are not kept. Read what it holds anew, then follow the feed "
        "from `next_cursor`.",
        workspace_ids=workspace_ids,
        next_cursor=encode(start | {each.workspace_id: each.latest for each in lost}),
    )


async def _standings(
    session: Reader, actor: Actor, after: Mapping[int, int], workspace_id: int | None = None
) -> list[Standing]:
    """One for each workspace the actor sees, or for the one asked for if they see it."""
    values = {"viewer": actor.user_id, **_values(after)}
    if workspace_id is not None:
        values["workspace_id"] = workspace_id
    found = await fetch(session, _standings_of(one=workspace_id is not None), values)
    return [Standing(*row) for row in found]


@cache
def _standings_of(*, one: bool) -> Select[Any]:
    counter = WorkspaceCounter
    following = (
        select(func.min(Change.seq))
        .where(Change.workspace_id == counter.workspace_id, Change.seq > func.coalesce(_HERE.c.seq, -1))
        .scalar_subquery()
    )
    statement = (
        select(counter.workspace_id, counter.seq, following)
        .outerjoin(_HERE, _HERE.c.workspace_id == counter.workspace_id)
        .where(counter.workspace_id.in_(workspaces_of(VIEWER)))
        .order_by(counter.workspace_id)
    )
    return statement.where(counter.workspace_id == bindparam("workspace_id")) if one else statement


async def _changes(session: Reader, actor: Actor, after: Positions, limit: int) -> Sequence[Row]:
    return await fetch(session, _merged(), {"viewer": actor.user_id, "rows": limit, **_values(after)})


@cache
def _merged() -> Select[Any]:
    """By time, but never out of a workspace's own order, whatever the clocks of several servers say: each change
    counts as no earlier than those before it."""
    told_at = func.max(Change.at).over(order_by=Change.seq).label("told_at")
    news = _news_of_each(told_at)
    return (
        select(*rows.columns(news))
        .select_from(_HERE.join(news, true()))
        .where(_HERE.c.workspace_id.in_(workspaces_of(VIEWER)))
        .order_by(news.c.told_at, news.c.workspace_id, news.c.seq)
        .limit(_ROWS)
    )


def _news_of_each(*more: ColumnElement[Any]) -> FromClause:
    """The changes behind each position, no more of any than are wanted in all."""
    return (
        select(*Change.__table__.c, *more)
        .where(Change.workspace_id == _HERE.c.workspace_id, Change.seq > _HERE.c.seq)
        .order_by(Change.seq)
        .limit(_ROWS)
        .lateral("news")
    )


# --- for all the streams of a process at once -------------------------------------------------------------------------


async def changes_behind(session: Reader, positions: Mapping[int, int], limit: int) -> Sequence[Row]:
    """The changes behind each position, in order, at most `limit` of each workspace. Whose they are is not asked:
    who may be told is the caller's to know."""
    return await fetch(session, _behind(), {"rows": limit, **_values(positions)})


@cache
def _behind() -> Select[Any]:
    news = _news_of_each()
    joined = _HERE.join(news, true())
    return select(*rows.columns(news)).select_from(joined).order_by(news.c.workspace_id, news.c.seq)


async def memberships(session: Reader, user_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """From person to the workspaces they see."""
    statement = (
        select(Member.user_id, func.array_agg(Member.workspace_id))
        .join(Workspace, Workspace.id == Member.workspace_id)
        .where(Member.user_id == any_of(user_ids), Workspace.deleted_at.is_(None))
        .group_by(Member.user_id)
    )
    return {user_id: frozenset(found) for user_id, found in await session.execute(statement)}


async def latest_positions(session: Reader, workspace_ids: Collection[int]) -> Positions:
    counter = WorkspaceCounter
    statement = select(counter.workspace_id, counter.seq).where(counter.workspace_id == any_of(workspace_ids))
    return {workspace_id: seq for workspace_id, seq in await session.execute(statement)}  # noqa: C416 - typed


async def oldest_positions(session: Reader, workspace_ids: Collection[int]) -> Positions:
    """The position before the oldest change kept, or the latest where none is kept."""
    counter = WorkspaceCounter
    first = select(func.min(Change.seq)).where(Change.workspace_id == counter.workspace_id).scalar_subquery()
    statement = select(counter.workspace_id, func.coalesce(first - 1, counter.seq)).where(
        counter.workspace_id == any_of(workspace_ids)
    )
    return {workspace_id: seq for workspace_id, seq in await session.execute(statement)}  # noqa: C416 - typed
