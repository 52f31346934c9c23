"""What a task that repeats keeps of its series, and what is told of it. No I/O."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Self

from dutiful.database.types import JsonObject
from dutiful.models import Task, When
from dutiful.recurrence import Anchor, Recurrence, in_words


@dataclass(frozen=True, slots=True)
class Kept:
    """What a task of a series keeps."""

    recurrence: Recurrence
    start: When
    """The due date of the series' first task."""
    occurrence: dt.date
    """The day of the series that this task stands for, also if it was moved."""
    next_id: int | None = None
    """The task that was made when this one was done."""
    usual: JsonObject = field(default_factory=dict)
    """Of fields that were changed for this one alone, what the next one has."""

    @classmethod
    def of(cls, task: Task) -> Self | None:
        kept = task.recurrence
        if kept is None:
            return None
        return cls(
            Recurrence(kept["rrule"], Anchor(kept["anchor"])),
            When.from_json(kept["start"]),
            dt.date.fromisoformat(kept["occurrence"]),
            kept["next_id"],
            kept["usual"],
        )

    def as_json(self) -> JsonObject:
        return {
            "rrule": self.recurrence.rrule,
            "anchor": self.recurrence.anchor.value,
            "start": self.start.as_json(),
            "occurrence": self.occurrence.isoformat(),
            "next_id": self.next_id,
            "usual": self.usual,
        }


def told(kept: JsonObject | None) -> JsonObject | None:
    """What the API tells of the `recurrence` of a task."""
    return None if kept is None else shown(Recurrence(kept["rrule"], Anchor(kept["anchor"])))


def shown(recurrence: Recurrence | None) -> JsonObject | None:
    if recurrence is None:
        return None
    return {"rrule": recurrence.rrule, "anchor": recurrence.anchor, "text": in_words(recurrence)}
