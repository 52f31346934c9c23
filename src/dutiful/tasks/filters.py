"""Which tasks a list shows, and in which order."""

import datetime as dt
from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    SQLColumnExpression,
    String,
    and_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from dutiful.access import VIEWER, is_visible_to
from dutiful.database.types import AwareDateTime
from dutiful.filtering.days import moment_of
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


_BY_DUE = (Sort.DUE, Sort.DUE_DESCENDING)

EQUAL = ("workspace_id", "project_id", "section_id", "parent_id", "assignee_id", "status", "priority")
"""What narrows to the rows that have just this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """What is left None does not narrow. A date as a bound means its first moment in `timezone`.

    There are many filters and few kinds of them. A statement is written for a kind, with a parameter for each value: to
    write one takes SQLAlchemy longer than to run it.
    """

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
    # Left to `search` and `compiling`, which ask the database first.
    q: str | None = None
    expression: str | None = None
    sort: Sort = Sort.ID

    def values(self) -> dict[str, Any]:
        """Of the parameters that `conditions` and `order` name."""
        values: dict[str, Any] = {name: getattr(self, name) for name in (*EQUAL, "label", "updated_after")}
        if self.label is not None and self.label.isascii() and self.label.isdigit():
            values["label_id"] = int(self.label) if int(self.label) <= BIGGEST_ID else None
        if self.due_before is not None:
            values["due_before"] = moment_of(self.due_before, self.timezone)
            values["due_before_day"] = last_day_before(values["due_before"])
        if self.due_after is not None:
            values["due_after"] = moment_of(self.due_after, self.timezone)
            values["due_after_day"] = first_day_from(values["due_after"])
        given = {name: value for name, value in values.items() if value is not None}
        return given | {"timezone": self.timezone}

    def order(self) -> Order:
        # A cursor of the order by due date holds for one time zone only.
        label = f"{self.sort}@{self.timezone}" if self.sort in _BY_DUE else str(self.sort)
        return Order(label, _key(self.sort), Task.__table__.c.id, descending=self.sort.startswith("-"))


def last_day_before(moment: dt.datetime) -> dt.date:
    """Lets the index on the day narrow first; a zone moves a day by less than two."""
    return moment.date() + dt.timedelta(days=2)


def first_day_from(moment: dt.datetime) -> dt.date:
    return moment.date() - dt.timedelta(days=2)


def conditions(parameters: Container[str]) -> Iterator[ColumnElement[bool]]:
    """Of a filter that gives these values."""
    for name in EQUAL:
        if name in parameters:
            yield getattr(Task, name) == bindparam(name)
    if "label" in parameters:
        yield _labelled(by_id="label_id" in parameters)
    if "due_before" in parameters:
        yield is_due_before("due_before", "due_before_day")
    if "due_after" in parameters:
        yield is_due_from("due_after", "due_after_day")
    if "updated_after" in parameters:
        yield Task.updated_at >= bindparam("updated_after")


def is_due_before(moment: str, day: str) -> ColumnElement[bool]:
    """By the names of two parameters, of which the second is `last_day_before` the first."""
    return (due_instant() < bindparam(moment)) & (Task.due_date <= bindparam(day))


def is_due_from(moment: str, day: str) -> ColumnElement[bool]:
    """By the names of two parameters, of which the second is `first_day_from` the first."""
    return (due_instant() >= bindparam(moment)) & (Task.due_date >= bindparam(day))


def _labelled(*, by_id: bool) -> ColumnElement[bool]:
    is_meant = func.lower(Label.name) == func.lower(bindparam("label", type_=String))
    if by_id:
        is_meant |= Label.id == bindparam("label_id")
    meant = select(Label.id).where(is_visible_to(VIEWER, Label), is_meant)
    return has_labels(func.array(meant.scalar_subquery()))


def has_labels(ids: ColumnElement[Any]) -> ColumnElement[bool]:
    """At least one of them."""
    # What the index leaves out must be left out in so many words for it to be used.
    return and_(literal_column("tasks.label_ids <> '{}'", Boolean), Task.label_ids.overlap(ids))


@cache
def _key(sort: Sort) -> ColumnElement[Any]:
    if sort in _BY_DUE:
        # Tasks without a date come last, whichever the direction.
        never = literal(BEFORE_ALL if sort.startswith("-") else AFTER_ALL, AwareDateTime())
        return func.coalesce(due_instant(), never, type_=AwareDateTime())
    column: ColumnElement[Any] = Task.__table__.c[sort.removeprefix("-")]
    return column


def due_instant() -> ColumnElement[dt.datetime]:
    """When a task is due, for somebody in `timezone`: all-day ends with its day, floating means the time there.

    A floating time that the clock there shows twice means the second (PostgreSQL's rule).
    """
    wall = at_the_latest(Task.due_date, Task.due_time)
    there = func.timezone(bindparam("timezone", type_=String), cast(wall, TIMESTAMP))
    return func.coalesce(Task.due_at, there, type_=AwareDateTime())


def at_the_latest(day: SQLColumnExpression[Any], time: SQLColumnExpression[Any]) -> ColumnElement[Any]:
    """A timestamp without zone; of a day without time its end."""
    return day + func.coalesce(time, text("time '23:59:59.999999'"))
