"""Tasks as the driver gives them, and as JSON: what `TaskOut` makes of the model, without either."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Self

import orjson
from sqlalchemy import ColumnElement, type_coerce
from sqlalchemy.types import NULLTYPE

from dutiful.database.direct import Record
from dutiful.database.types import JsonObject
from dutiful.models import Priority, Status, Task
from dutiful.models.journaled import as_json as as_journal
from dutiful.models.when import format_time
from dutiful.tasks.series import told

NAMES = (
    *(
        "id",
        "workspace_id",
        "project_id",
        "section_id",
        "parent_id",
        "title",
        "description",
        "status",
        "priority",
    ),
    *("label_ids", "assignee_id", "start_date", "start_time", "start_timezone"),
    *("due_date", "due_time", "due_timezone", "recurrence", "series_id", "position", "uid", "version"),
    *("created_at", "created_by", "updated_at", "completed_at", "deleted_at"),
)
COLUMNS: tuple[ColumnElement[Any], ...] = tuple(Task.__table__.c[name] for name in NAMES)
WIDTH = len(COLUMNS)
in_order = itemgetter(*NAMES)
"""The row of columns that are given by name."""
# For SQLAlchemy, whose types would make of them what the model has.
UNTYPED: tuple[ColumnElement[Any], ...] = tuple(type_coerce(column, NULLTYPE) for column in COLUMNS)

_RANKED = list(Priority)
_RANKS = {priority: rank for rank, priority in enumerate(Priority)}
_WORDS = list(map(str, Priority))


def as_json(row: Sequence[Any]) -> dict[str, Any]:
    """Of a row that begins with `COLUMNS`."""
    # By position: to look each up by its name would take longer than all the rest.
    (
        task_id,
        workspace_id,
        project_id,
        section_id,
        parent_id,
        title,
        description,
        status,
        priority,
        label_ids,
        assignee_id,
        start_date,
        start_time,
        start_timezone,
        due_date,
        due_time,
        due_timezone,
        recurrence,
        series_id,
        position,
        uid,
        version,
        created_at,
        created_by,
        updated_at,
        completed_at,
        deleted_at,
        *_,
    ) = row
    return {
        "id": task_id,
        "workspace_id": workspace_id,
        "project_id": project_id,
        "section_id": section_id,
        "parent_id": parent_id,
        "title": title,
        "description": description,
        "status": status,
        "priority": _WORDS[priority],
        "label_ids": label_ids,
        "assignee_id": assignee_id,
        "start": start_date and _when(start_date, start_time, start_timezone),
        "due": due_date and _when(due_date, due_time, due_timezone),
        "recurrence": recurrence and told(_loaded(recurrence)),
        "series_id": series_id and str(series_id),
        "position": position,
        "uid": uid,
        "version": version,
        "created_at": created_at,
        "created_by": created_by,
        "updated_at": updated_at,
        "completed_at": completed_at,
        "deleted_at": deleted_at,
    }


def _loaded(json: Any) -> Any:
    """The driver's own connections give JSON as text, the engine's as what it means."""
    return orjson.loads(json) if isinstance(json, str) else json


def _when(day: Any, at: Any, zone: str | None) -> dict[str, Any]:
    return {"date": day, "time": None if at is None else format_time(at), "timezone": zone}


class Draft:
    """The columns of a task, with those rules of `Task` that look at nothing else. Made in a tenth of the time."""

    status: Status
    priority: Priority
    version: int
    workspace_id: int
    title: str
    description: str

    # The rules themselves, not copies of them.
    start: Any = Task.start
    due: Any = Task.due
    set_status: Any = Task.set_status

    @classmethod
    def of(cls, row: Record) -> Self:
        draft = cls()
        columns = draft.__dict__
        columns.update(zip(NAMES, row, strict=False))
        columns["status"] = Status(columns["status"])
        columns["priority"] = _RANKED[columns["priority"]]
        # Kept with the due date by its setter; nobody reads it before.
        columns["due_at"] = None if draft.due is None else draft.due.instant()
        return draft

    def columns(self) -> dict[str, Any]:
        """By name, as the driver takes them."""
        return self.__dict__ | {"priority": _RANKS[self.priority]}

    def journal(self) -> JsonObject:
        return {name: as_journal(getattr(self, name)) for name in Task.journal_fields}

    def as_json(self) -> dict[str, Any]:
        return as_json(in_order(self.columns()))


def rank(priority: Priority) -> int:
    return _RANKS[priority]
