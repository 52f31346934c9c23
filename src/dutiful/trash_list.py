"""What is in the trash: one entry for each deletion, named by the thing that was deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, func, literal, select, union_all
from sqlalchemy.orm import aliased

from dutiful.access import Actor, visible_workspaces, workspace_of
from dutiful.database.session import Reader
from dutiful.models import Label, Project, Section, Task
from dutiful.paging import Order, Slice

_RANKS: dict[type[Any], int] = {Project: 0, Section: 1, Label: 2, Task: 3}


@dataclass(frozen=True, slots=True)
class Deletion:
    """`id` is that of the thing deleted, `along` the number of things that went with it; `purge_at` is when they go for good."""

    type: Literal["project", "section", "label", "task"]
    id: int
    workspace_id: int
    name: str
    version: int
    deleted_at: datetime
    along: int
    purge_at: datetime


async def page(
    session: Reader, actor: Actor, wanted: Slice, workspace_id: int | None, kept_for: timedelta
) -> tuple[Sequence[Deletion], str | None]:
    """The newest first. One statement."""
    entries = union_all(*(_entries(kind, actor, workspace_id) for kind in _RANKS)).subquery("entries")
    # Ids of different kinds meet; with the kind in its last digits each place in the order is one entry's.
    order = Order("-deleted_at", entries.c.deleted_at, entries.c.place, descending=True)
    statement = order.apply(select(*entries.c, _along(entries.c)))
    if wanted.cursor is not None:
        statement = statement.where(order.behind(wanted.cursor))
    rows = (await session.execute(statement.limit(wanted.limit + 1).offset(wanted.skip or None))).all()
    shown = rows[: wanted.limit]
    next_cursor = order.cursor(shown[-1].deleted_at, shown[-1].place) if len(rows) > wanted.limit else None
    return [_deletion(row, kept_for) for row in shown], next_cursor


def _entries(kind: type[Any], actor: Actor, workspace_id: int | None) -> Select[Any]:
    """The things of a kind that were deleted themselves, and not along with another."""
    columns = kind.__table__.c
    statement = select(
        literal(kind.entity).label("type"),
        columns.id,
        columns.workspace_id,
        (columns.title if kind is Task else columns.name).label("name"),
        columns.version,
        columns.deleted_at,
        columns.trash_id,
        (columns.id * len(_RANKS) + _RANKS[kind]).label("place"),
    ).where(columns.deleted_at.is_not(None), workspace_of(kind).in_(visible_workspaces(actor)))
    if workspace_id is not None:
        statement = statement.where(columns.workspace_id == workspace_id)
    return statement.where(*(~one for one in _went_along(kind)))


def _went_along(kind: type[Any]) -> list[ColumnElement[bool]]:
    """The ways for a thing to have gone with another: with its project, its section or its parent."""
    ways = []
    if kind in {Section, Task}:
        ways.append(_shares_fate(kind, Project, kind.project_id))
    if kind is Task:
        ways += [_shares_fate(Task, Section, Task.section_id), _shares_fate(Task, Task, Task.parent_id)]
    return ways


def _shares_fate(kind: type[Any], above: type[Any], above_id: Any) -> ColumnElement[bool]:
    other = aliased(above)
    return select(other.id).where(other.id == above_id, other.trash_id == kind.trash_id).exists()


def _along(entry: Any) -> ColumnElement[int]:
    """Only projects hold sections, and a section in the trash is one of its project's."""
    sections = (
        select(func.count())
        .select_from(Section)
        .where(entry.type == "project", Section.project_id == entry.id, Section.trash_id == entry.trash_id)
    )
    tasks = (
        select(func.count())
        .select_from(Task)
        .where(Task.trash_id == entry.trash_id, (entry.type != "task") | (Task.id != entry.id))
    )
    return (sections.scalar_subquery() + tasks.scalar_subquery()).label("along")


def _deletion(row: Any, kept_for: timedelta) -> Deletion:
    return Deletion(
        row.type,
        row.id,
        row.workspace_id,
        row.name,
        row.version,
        row.deleted_at,
        row.along,
        row.deleted_at + kept_for,
    )
