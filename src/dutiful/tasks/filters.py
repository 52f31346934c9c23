"""Which tasks a list shows, and in which order."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Boolean, ColumnElement, cast, func, literal, literal_column, select, text
from sqlalchemy.dialects.postgresql import TIMESTAMP

from dutiful.access import Actor, is_visible
from dutiful.database.types import AwareDateTime
from dutiful.models import Label, Priority, Status, Task
from dutiful.paging import Order
from dutiful.vocabulary import BIGGEST_ID

BEFORE_ALL = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
AFTER_ALL = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)


class Sort(StrEnum):
    ID = "id"
    ID_DESCENDING = "-id"
    DUE = "due"
    DUE_DESCENDING = "-due"
    PRIORITY = "priority"
    PRIORITY_DESCENDING = "-priority"
    POSITION = "position"
    POSITION_DESCENDING = "-position"
    UPDATED_AT = "updated_at"
    UPDATED_AT_DESCENDING = "-updated_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """What is left None does not narrow. A date as a bound means its first moment in `timezone`."""

    timezone: str
    workspace_id: int | None = None
    project_id: int | None = None
    section_id: int | None = None
    parent_id: int | None = None
    # An id or a name.
    label: str | None = None
    assignee_id: int | None = None
    status: Status | None = None
    priority: Priority | None = None
    due_before: dt.date | dt.datetime | None = None
    due_after: dt.date | dt.datetime | None = None
    updated_after: dt.datetime | None = None
    # Left to `search`, which asks the database first.
    q: str | None = None
    sort: Sort = Sort.ID

    def conditions(self, actor: Actor) -> Iterator[ColumnElement[bool]]:
        yield from self._equalities()
        yield from self._labelled(actor)
        yield from self._due_bounds()
        if self.updated_after is not None:
            yield Task.updated_at >= self.updated_after

    def order(self) -> Order:
        name = self.sort.removeprefix("-")
        descending = self.sort.startswith("-")
        # A cursor of the order by due date holds for one time zone only.
        label = f"{self.sort}@{self.timezone}" if name == "due" else str(self.sort)
        return Order(
            label, self._key(name, descending=descending), Task.__table__.c.id, descending=descending
        )

    def _equalities(self) -> Iterator[ColumnElement[bool]]:
        for name in (
            "workspace_id",
            "project_id",
            "section_id",
            "parent_id",
            "assignee_id",
            "status",
            "priority",
        ):
            value = getattr(self, name)
            if value is not None:
                yield getattr(Task, name) == value

    def _labelled(self, actor: Actor) -> Iterator[ColumnElement[bool]]:
        if self.label is None:
            return
        is_meant = func.lower(Label.name) == func.lower(self.label)
        if self.label.isascii() and self.label.isdigit() and int(self.label) <= BIGGEST_ID:
            is_meant |= Label.id == int(self.label)
        meant = select(Label.id).where(is_visible(actor, Label), is_meant)
        # What the index leaves out must be left out in so many words for it to be used.
        yield literal_column("tasks.label_ids <> '{}'", Boolean)
        yield Task.label_ids.overlap(func.array(meant.scalar_subquery()))

    def _due_bounds(self) -> Iterator[ColumnElement[bool]]:
        if self.due_before is not None:
            yield self._due_instant() < self._bound(self.due_before)
            # Lets the index on the day narrow first; a zone moves a day by less than two.
            yield Task.due_date <= _day(self.due_before) + dt.timedelta(days=2)
        if self.due_after is not None:
            yield self._due_instant() >= self._bound(self.due_after)
            yield Task.due_date >= _day(self.due_after) - dt.timedelta(days=2)

    def _bound(self, value: dt.date | dt.datetime) -> dt.datetime:
        zone = ZoneInfo(self.timezone)
        if not isinstance(value, dt.datetime):
            return dt.datetime.combine(value, dt.time(), zone).astimezone(dt.UTC)
        return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(dt.UTC)

    def _due_instant(self) -> ColumnElement[dt.datetime]:
        """When a task is due, for somebody in `timezone`: all-day ends with its day, floating means the time there.

        A floating time that the clock there shows twice means the second (PostgreSQL's rule).
        """
        last = text("time '23:59:59.999999'")
        wall = Task.due_date + func.coalesce(Task.due_time, last)
        there = func.timezone(self.timezone, cast(wall, TIMESTAMP))
        return func.coalesce(Task.due_at, there, type_=AwareDateTime())

    def _key(self, name: str, *, descending: bool) -> ColumnElement[Any]:
        if name == "due":
            # Tasks without a date come last, whichever the direction.
            never = literal(BEFORE_ALL if descending else AFTER_ALL, AwareDateTime())
            return func.coalesce(self._due_instant(), never, type_=AwareDateTime())
        return Task.__table__.c[name]


def _day(value: dt.date | dt.datetime) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value
