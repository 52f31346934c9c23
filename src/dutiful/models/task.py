"""Tasks: the thing to do."""

import uuid
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    Time,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.orm.attributes import get_history

from dutiful import uuids, words
from dutiful.database.base import Base
from dutiful.database.types import BigInt, Instant, JsonObject, PositionKey, RankedEnum, word_enum
from dutiful.models.journaled import Journaled, Trashable
from dutiful.models.when import When


class Status(StrEnum):
    OPEN = "open"
    DONE = "done"
    CANCELLED = "cancelled"


class Priority(StrEnum):
    """From least to most pressing; stored by rank."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


def new_uid() -> str:
    return str(uuids.new())


class Task(Journaled, Trashable, Base):
    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("workspace_id", "uid"),
        # Composite keys: a project, section or parent of another workspace cannot be named, whatever the code does.
        ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(["project_id", "section_id"], ["sections.project_id", "sections.id"]),
        ForeignKeyConstraint(
            ["workspace_id", "parent_id"], ["tasks.workspace_id", "tasks.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(["workspace_id", "assignee_id"], ["members.workspace_id", "members.user_id"]),
        CheckConstraint("title <> ''", name="title_not_empty"),
        CheckConstraint("parent_id <> id", name="not_its_own_parent"),
        CheckConstraint("priority BETWEEN 0 AND 4", name="priority"),
        CheckConstraint("due_time IS NULL OR due_date IS NOT NULL", name="due_time_has_date"),
        CheckConstraint("due_timezone IS NULL OR due_time IS NOT NULL", name="due_timezone_has_time"),
        CheckConstraint("start_time IS NULL OR start_date IS NOT NULL", name="start_time_has_date"),
        CheckConstraint("start_timezone IS NULL OR start_time IS NOT NULL", name="start_timezone_has_time"),
        CheckConstraint("(deleted_at IS NULL) = (trash_id IS NULL)", name="trash"),
        Index(
            "uq_tasks_position",
            "project_id",
            "section_id",
            "parent_id",
            "position",
            unique=True,
            # Those in the trash keep their place, so that a restored task is where it was.
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_tasks_due", "workspace_id", "due_date", postgresql_where=text("due_date IS NOT NULL")),
        Index("ix_tasks_updated", "workspace_id", "updated_at", "id"),
        Index("ix_tasks_parent", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index("ix_tasks_assignee", "assignee_id", postgresql_where=text("assignee_id IS NOT NULL")),
        Index(
            "ix_tasks_label_ids",
            "label_ids",
            postgresql_using="gin",
            postgresql_where=text("label_ids <> '{}'"),
        ),
        Index("ix_tasks_series", "series_id", postgresql_where=text("series_id IS NOT NULL")),
        Index("ix_tasks_trash_id", "trash_id", postgresql_where=text("trash_id IS NOT NULL")),
        Index(
            "ix_tasks_trash",
            "workspace_id",
            "deleted_at",
            postgresql_where=text("deleted_at IS NOT NULL"),
        ),
        Index(
            "ix_tasks_search",
            "search",
            postgresql_using="gin",
            # What was written lately is read through by every search, and put in its place by some unlucky write.
            postgresql_with={"gin_pending_list_limit": 512},
        ),
    )
    entity: ClassVar = "task"
    journal_fields: ClassVar = (
        "project_id",
        "section_id",
        "parent_id",
        "title",
        "description",
        "status",
        "priority",
        "label_ids",
        "assignee_id",
        "start",
        "due",
        "recurrence",
        "series_id",
        "position",
        "uid",
        "created_by",
        "completed_at",
        "deleted_at",
    )

    workspace_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[BigInt]
    section_id: Mapped[BigInt | None]
    parent_id: Mapped[BigInt | None]
    title: Mapped[str] = mapped_column(String(500))
    description: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[Status] = mapped_column(word_enum(Status, "status"), default=Status.OPEN)
    priority: Mapped[Priority] = mapped_column(RankedEnum(Priority), default=Priority.NONE)
    # Sorted and without repeats. An array rather than a table of pairs: see docs/decisions.
    label_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), default=list)
    assignee_id: Mapped[BigInt | None]
    start_date: Mapped[date | None]
    start_time: Mapped[time | None] = mapped_column(Time)
    start_timezone: Mapped[str | None] = mapped_column(String(64))
    due_date: Mapped[date | None]
    due_time: Mapped[time | None] = mapped_column(Time)
    due_timezone: Mapped[str | None] = mapped_column(String(64))
    # Derived: the instant of a due date whose zone is known. The three columns above are the truth.
    due_at: Mapped[Instant | None]
    # What `tasks.series` keeps. Always set anew, never changed in place.
    recurrence: Mapped[JsonObject | None] = mapped_column(JSONB(none_as_null=True))
    series_id: Mapped[uuid.UUID | None]
    position: Mapped[str] = mapped_column(PositionKey)
    uid: Mapped[str] = mapped_column(String(255), default=new_uid)
    created_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    completed_at: Mapped[Instant | None]
    # Derived from title and description as they are written; never read, only searched.
    search: Mapped[str | None] = mapped_column(
        TSVECTOR, deferred=True, deferred_raiseload=True, sort_order=99
    )

    @property
    def due(self) -> When | None:
        return _when(self.due_date, self.due_time, self.due_timezone)

    @due.setter
    def due(self, value: When | None) -> None:
        self.due_date, self.due_time, self.due_timezone = when_columns(value)
        self.due_at = None if value is None else value.instant()

    @property
    def start(self) -> When | None:
        return _when(self.start_date, self.start_time, self.start_timezone)

    @start.setter
    def start(self, value: When | None) -> None:
        self.start_date, self.start_time, self.start_timezone = when_columns(value)

    def set_status(self, status: Status, at: datetime) -> bool:
        """True when it changed. Completing again keeps the first date."""
        if status is self.status:
            return False
        self.status = status
        self.completed_at = at if status is Status.DONE else None
        return True


# Here rather than in the verbs: none of them can forget it.
@event.listens_for(Task, "before_insert")
def _note_words(_mapper: Any, _connection: Any, task: Task) -> None:
    # A description left out gets its default only as it is sent.
    task.search = words.vector(task.workspace_id, task.title, task.description or "")


@event.listens_for(Task, "before_update")
def _note_new_words(mapper: Any, connection: Any, task: Task) -> None:
    if any(get_history(task, name).added for name in ("title", "description")):
        _note_words(mapper, connection, task)


def _when(day: date | None, at: time | None, zone: str | None) -> When | None:
    return None if day is None else When(day, at, zone)


def when_columns(value: When | None) -> tuple[date | None, time | None, str | None]:
    return (None, None, None) if value is None else (value.date, value.time, value.timezone)
