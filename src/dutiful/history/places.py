"""Places in lists, and names, for things that go back to where they were.

Each takes its old order key if it is free, or else one right behind whoever has it now: keys in the trash count, and
a key may have been given anew. Unique indexes look at each row as it is written, so what is going to leave a key or a
name that another one of the same undo wants gets out of the way first.
"""

import uuid
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import String, cast, func, select, update
from sqlalchemy.orm.attributes import flag_modified

from dutiful import positions
from dutiful.database.session import Writer
from dutiful.database.types import any_of
from dutiful.history.effects import PLACE_FIELDS, Thing
from dutiful.history.queries import in_task_lists
from dutiful.models import Change, Label, Project, Section, Task
from dutiful.tasks.place import Place
from dutiful.tasks.queries import list_name


@dataclass(frozen=True, slots=True)
class Spot:
    """A key in a list: the projects of a workspace, the sections of a project, the tasks of a place."""

    of: Any
    key: str


@dataclass
class Settled:
    """`keys`: where each of those that go somewhere else fits. `leaving`: those that must get out of the way first."""

    keys: dict[Thing, str] = field(default_factory=dict)
    leaving: list[Thing] = field(default_factory=list)


def old_spot(thing: Thing, changes: Iterable[Change], history: Iterable[Change]) -> Spot | None:
    """Where `thing` was before these changes of it, given newest first; None if they did not move it. `history`: all
    that became of it since, oldest first."""
    if isinstance(thing, Label):
        return None
    old: dict[str, Any] = {}
    first = 0
    for change in filter(is_move, changes):
        old |= {name: value for name, value in (change.before or {}).items() if name in _MOVING}
        first = change.seq
    now = _spot_of(thing)
    key = old.pop("position", thing.position)
    of = list_name(replace(Place.of(thing), **old)) if isinstance(thing, Task) else now.of
    if of != now.of:
        key = _key_at(first, history) or key
    was = Spot(of, key)
    return None if was == now else was


def _key_at(seq: int, history: Iterable[Change]) -> str | None:
    """The order key right before a change, None if it is the same still. A move into another list does not tell it where
    the key fitted there too."""
    since = (change.before or {} for change in history if change.seq >= seq)
    return next((before["position"] for before in since if "position" in before), None)


_MOVING = {*PLACE_FIELDS, "position"}


def is_move(change: Change) -> bool:
    return not _MOVING.isdisjoint(change.before or ())


def _spot_of(thing: Project | Section | Task) -> Spot:
    match thing:
        case Task():
            return Spot(list_name(Place.of(thing)), thing.position)
        case Section():
            return Spot(thing.project_id, thing.position)
        case _:
            return Spot(thing.workspace_id, thing.position)


async def settle(session: Writer, wanted: Mapping[Thing, Spot]) -> Settled:
    """One statement for each type, and another where a key is taken."""
    settled = Settled()
    for kind in (Project, Section, Task):
        movers = {thing: spot for thing, spot in wanted.items() if isinstance(thing, kind)}
        if movers:
            await _settle(session, kind, movers, settled)
    return settled


async def _settle(session: Writer, kind: type[Any], movers: Mapping[Any, Spot], settled: Settled) -> None:
    by_id = {thing.id: thing for thing in movers}
    lists = {spot.of for spot in movers.values()}
    holders = await _holders(session, kind, lists, {spot.key for spot in movers.values()})
    taken: list[Any] = []
    given: set[Spot] = set()
    for thing, spot in movers.items():
        holder = holders.get(spot)
        if (holder is None or holder in by_id) and spot not in given:
            settled.keys[thing] = spot.key
            given.add(spot)
        else:
            taken.append(thing)
    settled.leaving += [
        by_id[holder] for spot, holder in holders.items() if holder in by_id and spot in given
    ]
    if taken:
        everything = await _holders(session, kind, {movers[thing].of for thing in taken})
        used: dict[Any, list[str]] = defaultdict(list)
        for spot in {*everything, *given}:
            used[spot.of].append(spot.key)
        for thing in sorted(taken, key=lambda each: movers[each].key, reverse=True):
            settled.keys[thing] = _behind(movers[thing], used[movers[thing].of])


def _behind(spot: Spot, used: list[str]) -> str:
    """A free key right behind that of `spot`, which is taken. Not rebalanced: that is left to the next move there."""
    used.sort()
    at = bisect_right(used, spot.key)
    key = positions.between(spot.key, used[at] if at < len(used) else None)
    used.append(key)
    return key


async def _holders(
    session: Writer, kind: type[Any], lists: Collection[Any], keys: Collection[str] | None = None
) -> dict[Spot, int]:
    """Who has these keys in these lists, or any, the trash counted in; to id."""
    if kind is Task:
        projects = {name[0] for name in lists if isinstance(name, tuple)}
        parents = {name for name in lists if isinstance(name, int)}
        columns = select(Task.id, Task.project_id, Task.section_id, Task.parent_id, Task.position)
        rows = await session.execute(columns.where(in_task_lists(projects, parents, keys)))
        return {
            Spot(list_name(Place(row.project_id, row.section_id, row.parent_id)), row.position): row.id
            for row in rows
        }
    owner = kind.workspace_id if kind is Project else kind.project_id
    statement = select(kind.id, owner, kind.position).where(owner == any_of(lists))
    if keys is not None:
        statement = statement.where(kind.position == any_of(keys, String))
    return {Spot(row[1], row[2]): row[0] for row in await session.execute(statement)}


# --- out of the way ---------------------------------------------------------------------------------------------------


async def step_aside(session: Writer, leaving: Sequence[Thing]) -> None:
    """Gives rows keys that nobody else has, until what becomes of them is written."""
    for kind in (Project, Section, Task):
        mine = [thing for thing in leaving if isinstance(thing, kind)]
        if mine:
            key = func.concat("~", cast(kind.id, String))
            await _write(session, kind, mine, {"position": key})


async def free_names(session: Writer, leaving: Sequence[Thing]) -> None:
    """The same for the names of living things that are going to have another, or to be in the trash."""
    for kind in (Project, Section, Label):
        mine = [thing for thing in leaving if isinstance(thing, kind)]
        if mine:
            await _write(
                session, kind, mine, {"name": func.concat(f"{uuid.uuid4()} ", cast(kind.id, String))}
            )


async def _write(session: Writer, kind: type[Any], things: Sequence[Thing], values: dict[str, Any]) -> None:
    statement = update(kind).where(kind.id == any_of([thing.id for thing in things])).values(values)
    await session.execute(statement, execution_options={"synchronize_session": False})
    for thing in things:
        for name in values:
            flag_modified(thing, name)
