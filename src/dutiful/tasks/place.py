"""Where a task is kept: its project, and there its section and its parent."""

from dataclasses import dataclass
from typing import Self

from sqlalchemy import ColumnElement

from dutiful.models import Task


@dataclass(frozen=True, slots=True)
class Place:
    """Tasks of one place are in one order."""

    project_id: int
    section_id: int | None = None
    parent_id: int | None = None

    @classmethod
    def of(cls, task: Task) -> Self:
        return cls(task.project_id, task.section_id, task.parent_id)

    def holds(self) -> tuple[ColumnElement[bool], ...]:
        return (
            Task.project_id == self.project_id,
            # `==` with None is IS NULL here, which the index can use.
            Task.section_id == self.section_id,
            Task.parent_id == self.parent_id,
        )
