"""The two reads that most requests are, each as one statement: who asks, what they may see, and the rows."""

import re
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Select,
    Subquery,
    any_,
    bindparam,
    func,
    select,
    true,
    union_all,
)

from dutiful.access import workspaces_of
from dutiful.api.express.asking import asker, asker_columns, credentials, who
from dutiful.api.express.request import Answer, Request, is_id
from dutiful.database.direct import DirectPool, DirectStatement
from dutiful.database.types import encode_json
from dutiful.errors import Invalid
from dutiful.models import Priority, Status, Task
from dutiful.paging import MOST_ITEMS
from dutiful.tasks import rows
from dutiful.tasks.filters import TaskFilter

_ORDER = TaskFilter(timezone="UTC").order()
_LIMIT = re.compile(r"[1-9][0-9]{0,2}")
_RANKS = {str(priority): rank for rank, priority in enumerate(Priority)}
_STATUSES = frozenset(map(str, Status))
_IDS = ("workspace_id", "project_id", "section_id", "parent_id", "assignee_id")
_NARROW = frozenset({"workspace_id", "project_id", "section_id", "parent_id"})
_FEW_WORKSPACES = 20
_ROWS = bindparam("rows", type_=BigInteger())


async def get_task(pool: DirectPool, request: Request, task_id: int) -> Answer | None:
    if request.query_string:
        return None
    values = {**credentials(request.secret), "task_id": task_id}
    found = await pool.fetch(_get_statement(), values)
    if not found:
        return None
    (row,) = found
    task = rows.as_json(row)
    body = encode_json(task)
    tag = (b"etag", b'"%d"' % task["version"])
    return Answer(200, body, asker(row[rows.WIDTH :], values["now"]), (tag,))


async def list_tasks(pool: DirectPool, request: Request) -> Answer | None:
    wanted = _parse(request.query_string)
    if wanted is None:
        return None
    limit = wanted.pop("limit", 50)
    values = {**credentials(request.secret), **wanted, "rows": limit + 1}
    asking = request.askers.find(values["hash"])
    found = await pool.fetch(_list_statement(tuple(wanted), asking is None), values)
    if not found:
        return None
    if asking is None:
        asking = asker(found[0][rows.WIDTH :], values["now"])
        request.askers.remember(values["hash"], asking)
    items = [rows.as_json(row) for row in found[:limit]]
    last_id = items[-1]["id"]
    page = {
        "items": items,
        "count": len(items),
        "next_cursor": _ORDER.cursor(last_id, last_id) if len(found) > limit else None,
    }
    body = encode_json(page)
    return Answer(200, body, asking)


def _parse(query_string: bytes) -> dict[str, Any] | None:
    """The values of the filters that are columns, `limit` and `after_id`; None for anything else."""
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    given = dict(pairs)
    if len(given) != len(pairs):
        return None
    wanted: dict[str, Any] = {}
    for name, value in given.items():
        if (name in _IDS and is_id(value)) or (
            name == "limit" and _LIMIT.fullmatch(value) and int(value) <= MOST_ITEMS
        ):
            wanted[name] = int(value)
        elif name == "status" and value in _STATUSES:
            wanted[name] = value
        elif name == "priority" and value in _RANKS:
            wanted[name] = _RANKS[value]
        elif name == "cursor" and (after_id := _row_behind(value)) is not None:
            wanted["after_id"] = after_id
        else:
            return None
    return wanted


def _row_behind(cursor: str) -> int | None:
    try:
        _, row_id = _ORDER.decode(cursor)
    except Invalid:
        return None
    return row_id


@cache
def _get_statement() -> DirectStatement:
    asking = who()
    visible = workspaces_of(select(asking.c.user_id).scalar_subquery())
    return DirectStatement(
        select(*rows.COLUMNS, *asker_columns(asking)).where(
            Task.id == bindparam("task_id"), Task.deleted_at.is_(None), Task.workspace_id.in_(visible)
        )
    )


@cache
def _list_statement(names: tuple[str, ...], tells_who: bool) -> DirectStatement:
    """One for each set of filters in use, in the order they come in."""
    asking = who()
    visible = workspaces_of(select(asking.c.user_id).scalar_subquery())
    columns = Task.__table__.c
    wanted = select(*rows.COLUMNS).where(Task.deleted_at.is_(None)).order_by(Task.id).limit(_ROWS)
    for name in names:
        parameter: BindParameter[Any] = bindparam(name)
        wanted = wanted.where(Task.id > parameter if name == "after_id" else columns[name] == parameter)
    if _NARROW.isdisjoint(names):
        found = _everywhere(wanted, visible)
    else:
        found = wanted.where(Task.workspace_id.in_(visible)).subquery()
    told = asker_columns(asking) if tells_who else ()
    return DirectStatement(select(*found.c, *told).order_by(found.c.id))


def _everywhere(wanted: Select[Any], visible: Select[Any]) -> Subquery:
    """Whoever is in few workspaces gets the first rows of each, merged: what others have is not read. Whoever is in
    many soon meets rows of theirs in reading all that there are. A plan has both, and runs one."""
    mine = visible.cte("mine").prefix_with("MATERIALIZED")
    are_few = select(func.count() <= _FEW_WORKSPACES).select_from(mine).scalar_subquery()
    here = wanted.where(Task.workspace_id == mine.c.workspace_id).lateral("here")
    merged = select(here).select_from(mine.join(here, true())).where(are_few).order_by(here.c.id).limit(_ROWS)
    ids = func.array(select(mine.c.workspace_id).scalar_subquery())
    met = wanted.where(Task.workspace_id == any_(ids), ~are_few)
    both = union_all(merged, met).subquery()
    return select(both).order_by(both.c.id).limit(_ROWS).subquery()
