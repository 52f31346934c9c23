"""Every SELECT of tasks."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Select, and_, cast, column, func, literal, or_, select, true, union_all
from sqlalchemy.dialects.postgresql import ARRAY

from dutiful import clock, filtering, paging
from dutiful.access import VIEWER, Actor, is_visible, is_visible_to, locked_workspaces
from dutiful.database.direct import Record
from dutiful.database.session import Reader, Writer, fetch, planned_for_values
from dutiful.errors import invalid_parameter
from dutiful.filtering import FilterError, Now
from dutiful.models import Change, Member, Task
from dutiful.paging import Slice
from dutiful.tasks import compiling, rows, search
from dutiful.tasks.compiling import Shape
from dutiful.tasks.filters import Sort, TaskFilter, conditions
from dutiful.tasks.place import Place

# Deep enough for people, shallow enough for every client to draw. A task of its own is at depth 0.
DEEPEST = 5

# So many statements are kept. Each has some of fifteen parameters, and one of ten orders.
KINDS_OF_LISTS = 500
# Those with a filter apart, of which whoever writes many pushes none of the others out.
KINDS_OF_FILTERED_LISTS = 200


async def page(
    session: Reader, actor: Actor, wanted: Slice, task_filter: TaskFilter
) -> tuple[Sequence[Record], str | None]:
    """Rows that begin with `rows.COLUMNS`, and the cursor of the next page."""
    order = task_filter.order()
    values = task_filter.values() | paging.values_of(wanted, order) | {"viewer": actor.user_id}
    values |= await search.values(session, actor, task_filter.q, task_filter.workspace_id)
    kind = (frozenset(values), task_filter.sort)
    shape, constants = await _filter(session, actor, task_filter)
    if shape is None:
        found = await fetch(session, _page(*kind), values)
    else:
        async with planned_for_values(session):
            found = await fetch(session, _filtered_page(*kind, shape), values | constants)
    return paging.cut(found, order, wanted)


async def _filter(
    session: Reader, actor: Actor, task_filter: TaskFilter
) -> tuple[Shape | None, dict[str, Any]]:
    """The shape of the filter in words, and its constants."""
    if task_filter.expression is None:
        return None, {}
    try:
        node = filtering.parse(task_filter.expression, Now(clock.now(), task_filter.timezone))
        if node is None:
            return None, {}
        return await compiling.bind(session, actor, node, task_filter.workspace_id)
    except FilterError as error:
        raise invalid_parameter("filter", error.detail, error.place, error.suggestion) from error


@lru_cache(KINDS_OF_FILTERED_LISTS)
def _filtered_page(parameters: frozenset[str], sort: Sort, shape: Shape) -> Select[Any]:
    return _page(parameters, sort).where(compiling.condition(shape))


@lru_cache(KINDS_OF_LISTS)
def _page(parameters: frozenset[str], sort: Sort) -> Select[Any]:
    statement = select(*rows.UNTYPED).where(is_visible_to(VIEWER, Task), *conditions(parameters))
    statement = statement.where(*search.conditions(parameters))
    # Of an order the zone is a value, and so a parameter too.
    order = TaskFilter(timezone="UTC", sort=sort).order()
    return paging.part_of(statement, order, parameters)


async def get_many(session: Reader | Writer, actor: Actor, task_ids: Collection[int]) -> Sequence[Task]:
    """Those the actor may see, in the order of `task_ids`."""
    found = await session.scalars(select(Task).where(Task.id.in_(task_ids), is_visible(actor, Task)))
    by_id = {task.id: task for task in found}
    return [by_id[task_id] for task_id in task_ids if task_id in by_id]


async def descendants(session: Writer, task: Task) -> Sequence[Task]:
    """All below `task`, parents first, those in the trash too."""
    below = select(Task.id).where(Task.parent_id == task.id).cte("below", recursive=True)
    below = below.union_all(select(Task.id).join(below, Task.parent_id == below.c.id))
    rows = await session.scalars(select(Task).where(Task.id.in_(select(below.c.id))).order_by(Task.id))
    return _parents_first(task, rows.all())


def _parents_first(top: Task, tasks: Sequence[Task]) -> list[Task]:
    children: dict[int | None, list[Task]] = {}
    for task in tasks:
        children.setdefault(task.parent_id, []).append(task)
    ordered: list[Task] = []
    level = [top]
    while level := [child for parent in level for child in children.get(parent.id, ())]:
        ordered += level
    return ordered


async def find_next(session: Writer, task: Task) -> int | None:
    """Of the series of a task that repeats: the one made when it was done, or else the first later one, that lives."""
    is_next = Task.id == (task.recurrence or {}).get("next_id")
    is_later = and_(Task.series_id == task.series_id, Task.id > task.id)
    living = select(Task.id).where(Task.workspace_id == task.workspace_id, Task.deleted_at.is_(None))
    found: int | None = await session.scalar(
        living.where(or_(is_next, is_later)).order_by(is_next.desc(), Task.id).limit(1)
    )
    return found


async def creations(session: Writer, workspace_id: int, task_ids: Collection[int]) -> Sequence[Change]:
    """What the journal still has of how these were made."""
    made = select(Change).where(
        Change.workspace_id == workspace_id,
        Change.entity == "task",
        Change.entity_id.in_(task_ids),
        Change.verb == "task.created",
    )
    return (await session.scalars(made)).all()


async def depths(session: Writer, task_ids: Collection[int]) -> dict[int, int]:
    """How many tasks are above each of these."""
    if not task_ids:
        return {}
    up = select(Task.id.label("start"), Task.parent_id).where(Task.id.in_(task_ids)).cte("up", recursive=True)
    up = up.union_all(select(up.c.start, Task.parent_id).join(up, Task.id == up.c.parent_id))
    steps = Counter(await session.scalars(select(up.c.start)))
    return {task_id: steps[task_id] - 1 for task_id in task_ids}


async def all_below(session: Writer, task_ids: Collection[int]) -> Sequence[Task]:
    """All below these, those in the trash too."""
    if not task_ids:
        return []
    below = select(Task.id).where(Task.parent_id.in_(task_ids)).cte("below", recursive=True)
    # UNION without ALL: one of them may be below another.
    below = below.union(select(Task.id).join(below, Task.parent_id == below.c.id))
    return (await session.scalars(select(Task).where(Task.id.in_(select(below.c.id))))).all()


async def all_above(session: Writer, task_ids: Collection[int]) -> Sequence[Task]:
    """These, their parents, and so on upwards."""
    if not task_ids:
        return []
    up = select(Task.id, Task.parent_id).where(Task.id.in_(task_ids)).cte("up", recursive=True)
    up = up.union(select(Task.id, Task.parent_id).join(up, Task.id == up.c.parent_id))
    return (await session.scalars(select(Task).where(Task.id.in_(select(up.c.id))))).all()


async def members(session: Writer, user_ids: Collection[int]) -> set[tuple[int, int]]:
    """Pairs of workspace and user, of the locked workspaces."""
    if not user_ids:
        return set()
    statement = select(Member.workspace_id, Member.user_id).where(
        Member.workspace_id.in_(locked_workspaces(session)), Member.user_id.in_(user_ids)
    )
    return {(workspace_id, user_id) for workspace_id, user_id in await session.execute(statement)}


def siblings(place: Place) -> Select[Task]:
    """The list of a place; those in the trash count: they keep their place."""
    return select(Task).where(*place.holds())


ListName = int | tuple[int, int | None]
"""Names the list of a place: subtasks have one for each parent, wherever that is moved."""


def list_name(place: Place) -> ListName:
    return (place.project_id, place.section_id) if place.parent_id is None else place.parent_id


async def order_keys(session: Writer, places: Collection[Place]) -> dict[ListName, list[str]]:
    """The sorted order keys of the list of each place, the trash counted in."""
    parents = {place.parent_id for place in places} - {None}
    tops = [place for place in places if place.parent_id is None]
    sections = {place.section_id for place in tops} - {None}
    projects = {place.project_id for place in tops if place.section_id is None}
    is_top = Task.parent_id.is_(None)
    conditions = (
        (parents, (Task.parent_id.in_(parents),)),
        (
            sections,
            (is_top, Task.section_id.in_(sections), Task.project_id.in_({top.project_id for top in tops})),
        ),
        (projects, (is_top, Task.section_id.is_(None), Task.project_id.in_(projects))),
    )
    keys: dict[ListName, list[str]] = {list_name(place): [] for place in places}
    for wanted, condition in conditions:
        if wanted:
            columns = select(Task.project_id, Task.section_id, Task.parent_id, Task.position)
            for row in await session.execute(columns.where(*condition).order_by(Task.position)):
                keys[list_name(Place(row.project_id, row.section_id, row.parent_id))].append(row.position)
    return keys


async def last_positions(session: Writer, places: Iterable[Place]) -> dict[Place, str]:
    """The last order key of each place that has one, the trash counted in.

    One index look-up a place. The statement is one of a few, however many places there are: one branch for each
    combination of what may be NULL, since the index finds NULL by IS NULL alone.
    """
    branches: dict[tuple[bool, bool], list[Place]] = defaultdict(list)
    for place in places:
        branches[place.section_id is None, place.parent_id is None].append(place)
    if not branches:
        return {}
    ends = [_ends(same_kind) for _, same_kind in sorted(branches.items())]
    rows = await session.execute(union_all(*ends))
    return {Place(row.project_id, row.section_id, row.parent_id): row.position for row in rows}


def _ends(places: Sequence[Place]) -> Select[Any]:
    """The last key of each of these places, which have NULL in the same columns."""
    names = [
        name for name in ("project_id", "section_id", "parent_id") if getattr(places[0], name) is not None
    ]
    arrays = [cast([getattr(place, name) for place in places], ARRAY(BigInteger)) for name in names]
    wanted = func.unnest(*arrays).table_valued(*(column(name, BigInteger) for name in names), name="wanted")
    wanted = wanted.render_derived()
    is_there = [
        Task.__table__.c[name] == (wanted.c[name] if name in names else None)
        for name in ("project_id", "section_id", "parent_id")
    ]
    last = select(Task.position).where(*is_there).order_by(Task.position.desc()).limit(1).lateral("last")
    none = literal(None, BigInteger)
    found = [
        wanted.c[name] if name in names else none.label(name)
        for name in ("project_id", "section_id", "parent_id")
    ]
    return select(*found, last.c.position).select_from(wanted).join(last, true())
