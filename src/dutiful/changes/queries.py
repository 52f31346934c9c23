"""The feed: what happened since a position, in order and without holes.

The seqs of a workspace are contiguous and were given in the order of commit, so "everything up to seq n" says all.
Two statements, each with a view of its own: first how far every journal is, then the changes. What is written in
between only adds to the second; what is cleared away in between leaves a hole that is seen.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Select, TableValuedAlias, bindparam, column, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from dutiful.access import Actor, not_found, visible_workspaces
from dutiful.changes.cursor import decode_cursor, encode_cursor
from dutiful.database.session import Reader
from dutiful.database.types import any_of
from dutiful.errors import Gone
from dutiful.models import Change, Member, Workspace, WorkspaceCounter

Positions = dict[int, int]

LATEST = "latest"
"""Instead of a cursor: from now on."""


@dataclass(frozen=True, slots=True)
class News:
    """Changes, and the cursor behind the last of them."""

    items: Sequence[Change]
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
    for change in changes:
        if change.seq != reached[change.workspace_id] + 1:
            cleared = [each for each in standings if each.workspace_id == change.workspace_id]
            raise _gone(cleared, start, encode)
        reached[change.workspace_id] = change.seq
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
    here, counter = _positions_table(after), WorkspaceCounter
    following = (
        select(func.min(Change.seq))
        .where(Change.workspace_id == counter.workspace_id, Change.seq > func.coalesce(here.c.seq, -1))
        .scalar_subquery()
    )
    statement = (
        select(counter.workspace_id, counter.seq, following)
        .outerjoin(here, here.c.workspace_id == counter.workspace_id)
        .where(counter.workspace_id.in_(visible_workspaces(actor)))
        .order_by(counter.workspace_id)
    )
    if workspace_id is not None:
        statement = statement.where(counter.workspace_id == workspace_id)
    return [Standing(*row) for row in await session.execute(statement)]


async def _changes(session: Reader, actor: Actor, after: Positions, limit: int) -> Sequence[Change]:
    return (await session.scalars(_merged(actor, after, limit))).all()


def _merged(actor: Actor, after: Positions, limit: int) -> Select[Any]:
    """By time, but never out of a workspace's own order, whatever the clocks of several servers say: each change
    counts as no earlier than those before it."""
    here = _positions_table(after)
    told_at = func.max(Change.at).over(order_by=Change.seq).label("told_at")
    news = (
        select(Change, told_at)
        .where(Change.workspace_id == here.c.workspace_id, Change.seq > here.c.seq)
        .order_by(Change.seq)
        .limit(limit)
        .lateral("news")
    )
    return (
        select(aliased(Change, news))
        .select_from(here.join(news, true()))
        .where(here.c.workspace_id.in_(visible_workspaces(actor)))
        .order_by(news.c.told_at, news.c.workspace_id, news.c.seq)
        .limit(limit)
    )


def _positions_table(positions: Mapping[int, int]) -> TableValuedAlias:
    """The positions as a table, in two arrays: one statement whatever their number."""
    arrays = (
        bindparam(None, list(positions), ARRAY(BigInteger)),
        bindparam(None, list(positions.values()), ARRAY(BigInteger)),
    )
    columns = (column("workspace_id", BigInteger), column("seq", BigInteger))
    return func.unnest(*arrays).table_valued(*columns).render_derived()


# --- for all the streams of a process at once -------------------------------------------------------------------------


async def changes_behind(session: Reader, positions: Mapping[int, int], limit: int) -> Sequence[Change]:
    """The changes behind each position, in order, at most `limit` of each workspace. Whose they are is not asked:
    who may be told is the caller's to know."""
    here = _positions_table(positions)
    news = (
        select(Change)
        .where(Change.workspace_id == here.c.workspace_id, Change.seq > here.c.seq)
        .order_by(Change.seq)
        .limit(limit)
        .lateral("news")
    )
    found = aliased(Change, news)
    statement = select(found).select_from(here.join(news, true())).order_by(found.workspace_id, found.seq)
    return (await session.scalars(statement)).all()


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
