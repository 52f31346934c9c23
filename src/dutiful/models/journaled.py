"""What the journal sees of a thing."""

import uuid
from datetime import UTC, datetime
from enum import Enum
from typing import Any, ClassVar

from sqlalchemy.orm import Mapped, mapped_column

from dutiful import clock
from dutiful.database.types import Id, Instant, JsonObject
from dutiful.models.when import When


class Journaled:
    """A row whose every change is recorded in its workspace's journal.

    `entity` is its name there, `journal_fields` the public fields a change tells of; `version`, `created_at` and
    `updated_at` are left out, because the change itself carries them. The journal counts the version up; it may,
    because whoever writes holds the lock of the workspace and has read the row under it (`access.get_for_write`).
    """

    entity: ClassVar[str]
    journal_fields: ClassVar[tuple[str, ...]]

    # Which workspace's journal; every table has it but the workspaces themselves, whose id it is.
    workspace_id: Any

    id: Mapped[Id]
    version: Mapped[int] = mapped_column(default=1, sort_order=90)
    created_at: Mapped[Instant] = mapped_column(default=clock.now, sort_order=91)
    updated_at: Mapped[Instant] = mapped_column(default=clock.now, sort_order=92)

    @property
    def entity_id(self) -> int:
        """The id under which the journal and the API know it."""
        return self.id

    def state(self) -> JsonObject:
        """The journalled fields as JSON values, in the public vocabulary."""
        return {name: as_json(getattr(self, name)) for name in self.journal_fields}


class Trashable:
    """A row that is deleted into the trash. All that one deletion took along shares a `trash_id`."""

    deleted_at: Mapped[Instant | None] = mapped_column(sort_order=93)
    trash_id: Mapped[uuid.UUID | None] = mapped_column(sort_order=94)

    def trash(self, at: datetime, trash_id: uuid.UUID) -> None:
        self.deleted_at, self.trash_id = at, trash_id

    def untrash(self) -> None:
        self.deleted_at = self.trash_id = None


def as_json(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case When():
            return value.as_json()
        case uuid.UUID():
            return str(value)
        case Enum():
            return value.value
        case list() | tuple():
            return [as_json(item) for item in value]
        case _:
            return value
