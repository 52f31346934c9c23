"""The ids of what a filter names: projects, labels, workspaces and people, among those that whoever asks may see."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    String,
    bindparam,
    column,
    func,
    literal,
    select,
    union,
)
from sqlalchemy.dialects.postgresql import ARRAY

from dutiful.access import VIEWER, Actor, is_visible_to, workspaces_of
from dutiful.database.session import Reader, Writer, fetch
from dutiful.filtering.quoting import quoted
from dutiful.filtering.tree import FilterError, Kind, Named
from dutiful.models import Label, Member, Project, User, Workspace
from dutiful.vocabulary import BIGGEST_ID

MOST_CANDIDATES = 200
LONGEST_CANDIDATE = 40
"""Of these names the closest is suggested for one that is not there. To compare them takes under 1 ms; made to be as
much alike as possible, and so long, 50 ms, in which nobody else is served."""

Ids = Mapping[tuple[Kind, str], Sequence[int]]


async def find(session: Reader | Writer, actor: Actor, wanted: Sequence[Named]) -> Ids:
    """All that have a name or an id, in whatever workspace. Raises FilterError for the first that nothing has. One
    statement, if anything is wanted."""
    if not wanted:
        return {}
    names: dict[Kind, set[str]] = defaultdict(set)
    for named in wanted:
        names[named.kind].add(named.name)
    values: dict[str, Any] = {"viewer": actor.user_id}
    for kind, given in names.items():
        values[f"{kind}_names"] = list(given)
        values[f"{kind}_ids"] = [_id(name) for name in given]
    ids: dict[tuple[Kind, str], list[int]] = defaultdict(list)
    for kind, name, found in await fetch(session, _find(frozenset(names)), values):
        ids[kind, name].append(found)
    for named in wanted:
        if not ids[named.kind, named.name]:
            raise await _unknown(session, actor, named)
    return ids


def _id(name: str) -> int | None:
    is_number = name.isascii() and name.isdigit()
    return int(name) if is_number and int(name) <= BIGGEST_ID else None


async def _unknown(session: Reader | Writer, actor: Actor, named: Named) -> FilterError:
    rows = await fetch(session, _candidates(named.kind), {"viewer": actor.user_id})
    candidates = {name.casefold(): name for (name,) in rows}
    what = f"there is no {named.kind} “{named.name}”"
    if named.kind == "person":
        what = f"nobody in your workspaces has the address “{named.name}”"
    is_comparable = len(named.name) <= LONGEST_CANDIDATE
    close = get_close_matches(named.name.casefold(), candidates, n=1) if is_comparable else []
    if not close:
        return FilterError(f"{what}, or you may not see it" if named.kind != "person" else what, named.place)
    name = candidates[close[0]]
    return FilterError(f"{what}; did you mean “{name}”?", named.place, named.sign + quoted(name, named.sign))


@dataclass(frozen=True, slots=True)
class _Source:
    id: ColumnElement[int]
    name: ColumnElement[Any]
    is_seen: ColumnElement[bool]


def _source(kind: Kind) -> _Source:
    if kind == "person":
        # Whose addresses are in the lists of members that the viewer can read.
        beside = select(Member.user_id).where(Member.workspace_id.in_(workspaces_of(VIEWER)))
        return _Source(User.__table__.c.id, User.__table__.c.email, User.id.in_(beside))
    is_seen, columns = _THINGS[kind]
    return _Source(columns.id, columns.name, is_seen)


_THINGS: Mapping[Kind, tuple[ColumnElement[bool], Any]] = {
    "project": (is_visible_to(VIEWER, Project), Project.__table__.c),
    "label": (is_visible_to(VIEWER, Label), Label.__table__.c),
    "workspace": (is_visible_to(VIEWER, Workspace), Workspace.__table__.c),
}


@cache
def _find(kinds: Collection[Kind]) -> CompoundSelect[Any]:
    return union(*(part for kind in sorted(kinds) for part in _having(kind)))


def _having(kind: Kind) -> tuple[Select[Any], Select[Any]]:
    """By name and by id: a condition for both at once would use no index."""
    source = _source(kind)
    arrays = (
        bindparam(f"{kind}_names", type_=ARRAY(String)),
        bindparam(f"{kind}_ids", type_=ARRAY(BigInteger)),
    )
    given = func.unnest(*arrays).table_valued(
        column("name", String), column("id", BigInteger), name=f"given_{kind}"
    )
    given = given.render_derived()
    found = select(literal(kind).label("kind"), given.c.name, source.id.label("found")).where(source.is_seen)
    return (
        found.where(func.lower(source.name) == func.lower(given.c.name)),
        found.where(source.id == given.c.id),
    )


@cache
def _candidates(kind: Kind) -> Select[Any]:
    source = _source(kind)
    # That of somebody without an address is NULL.
    is_short = func.length(source.name) <= LONGEST_CANDIDATE
    return select(source.name).where(source.is_seen, is_short).limit(MOST_CANDIDATES)
