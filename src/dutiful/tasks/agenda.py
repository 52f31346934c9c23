"""What is to be done when: the open tasks that are late, and those of the days to come."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Date, Integer, Select, String, bindparam, case, cast, func, null, select

from dutiful import clock
from dutiful.access import VIEWER, Actor, is_visible_to
from dutiful.database.direct import Record
from dutiful.database.session import Reader, fetch
from dutiful.database.types import AwareDateTime, JsonObject
from dutiful.models import Status, Task
from dutiful.tasks import rows
from dutiful.tasks.filters import due_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class AgendaAsked:
    timezone: str
    days: int
    """How many, today included."""
    limit: int
    """Tasks of each part; all of them are counted."""
    workspace_id: int | None = None


async def agenda(session: Reader, actor: Actor, asked: AgendaAsked) -> JsonObject:
    """One statement. Late is what was due before now, so a day begins with what of it is still to come."""
    now = clock.now()
    today = now.astimezone(ZoneInfo(asked.timezone)).date()
    days = [today + dt.timedelta(days=number) for number in range(asked.days)]
    values = {
        "viewer": actor.user_id,
        "timezone": asked.timezone,
        "now": now,
        "last": days[-1],
        # A zone moves a day by less than two.
        "last_anywhere": days[-1] + dt.timedelta(days=2),
        "limit": asked.limit,
    }
    if asked.workspace_id is not None:
        values["workspace_id"] = asked.workspace_id
    parts: dict[dt.date | None, list[Record]] = defaultdict(list)
    for row in await fetch(session, _agenda(in_one_workspace=asked.workspace_id is not None), values):
        parts[row[rows.WIDTH]].append(row)
    return {
        "date": today,
        "timezone": asked.timezone,
        "overdue": _part(parts[None]),
        "days": [{"date": day, **_part(parts[day])} for day in days],
    }


def _part(found: list[Record]) -> JsonObject:
    return {"count": found[0][rows.WIDTH + 1] if found else 0, "items": [rows.as_json(row) for row in found]}


@cache
def _agenda(*, in_one_workspace: bool) -> Select[Any]:
    due = due_instant()
    day = cast(func.timezone(bindparam("timezone", type_=String), due), Date)
    is_late = due < bindparam("now", type_=AwareDateTime())
    part = case((is_late, null()), else_=day)
    tasks = select(
        *rows.UNTYPED,
        part.label("part"),
        func.count().over(partition_by=part).label("total"),
        func.row_number().over(partition_by=part, order_by=(due, Task.id)).label("number"),
    ).where(
        is_visible_to(VIEWER, Task),
        Task.status == Status.OPEN,
        # Lets the index on the day narrow first.
        Task.due_date <= bindparam("last_anywhere", type_=Date),
        is_late | (day <= bindparam("last", type_=Date)),
    )
    if in_one_workspace:
        tasks = tasks.where(Task.workspace_id == bindparam("workspace_id"))
    found = tasks.subquery()
    columns = [found.c[name] for name in (*rows.NAMES, "part", "total")]
    return (
        select(*columns)
        .where(found.c.number <= bindparam("limit", type_=Integer))
        .order_by(found.c.part.nulls_first(), found.c.number)
    )
