from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from dutiful.labels.schemas import LabelName
from dutiful.models import Priority, Status
from dutiful.recurrence import Anchor
from dutiful.recurrence.parsing import LONGEST as LONGEST_RULE
from dutiful.tasks.series import shown, told
from dutiful.vocabulary import (
    NO_NUL,
    NOT_BLANK,
    EntityId,
    IfSent,
    Input,
    Output,
    Patch,
    TimeZoneName,
    WallMoment,
    WhenFields,
    WhenOut,
    WhenPatch,
)

LONGEST_TITLE = 500
LONGEST_QUICK_TEXT = 5_000
MOST_LABELS = 100
MOST_PREVIEWED = 100

Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_TITLE), NO_NUL, NOT_BLANK
]
Description = Annotated[str, StringConstraints(max_length=50_000), NO_NUL]
Uid = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), NO_NUL, NOT_BLANK
]
LabelIds = Annotated[list[EntityId], Field(max_length=MOST_LABELS)]
LabelsDelta = Annotated[list[EntityId | LabelName], Field(max_length=MOST_LABELS)]


RRule = Annotated[
    str,
    StringConstraints(max_length=LONGEST_RULE),
    NO_NUL,
    Field(
        description="A rule of RFC 5545 without DTSTART. Days that a month lacks mean its last one.",
        examples=["FREQ=MONTHLY;BYMONTHDAY=31"],
    ),
]


class RecurrenceFields(Input):
    """How a task repeats: when it is done, the next is made."""

    rrule: RRule
    anchor: Anchor = Field(
        default=Anchor.SCHEDULE,
        description="Whether the next date follows from the dates, or from the day it was done.",
    )


class RecurrencePatch(Input):
    """A merge patch of a recurrence. What differs begins a new series at the task's due date."""

    rrule: IfSent[RRule] = None
    anchor: IfSent[Anchor] = None


class RecurrenceOut(Output):
    rrule: str = Field(examples=["FREQ=MONTHLY;BYMONTHDAY=31"])
    anchor: Anchor
    text: str = Field(examples=["every 31st, or the last day of a shorter month"])


class Following(StrEnum):
    """How far a change of a task that repeats reaches."""

    THIS = "this"
    FOLLOWING = "following"


class TaskCreate(Input):
    """A title is enough: the task lands in the Inbox of the workspace, by default the personal one."""

    title: Title
    workspace_id: EntityId | None = None
    project_id: EntityId | None = None
    section_id: EntityId | None = None
    parent_id: EntityId | None = None
    description: Description = ""
    status: Status = Status.OPEN
    priority: Priority = Priority.NONE
    # Lists that are given as they are would be copied, which takes longer than to read all the rest.
    label_ids: LabelIds = Field(default_factory=list, json_schema_extra={"default": []})
    labels_add: LabelsDelta = Field(default_factory=list, json_schema_extra={"default": []})
    assignee_id: EntityId | None = None
    start: WhenFields | None = None
    due: WhenFields | None = None
    recurrence: RecurrenceFields | None = None
    uid: Uid | None = None


class TaskRecord(TaskCreate):
    """A task with a past, as an import finds it. Not part of the API."""

    created_at: datetime | None = None
    completed_at: datetime | None = None


class TaskPatch(Patch):
    """Only what is sent changes. `labels_add` and `labels_remove` take ids or names; a new name makes a label."""

    title: IfSent[Title] = None
    description: IfSent[Description] = None
    status: IfSent[Status] = None
    priority: IfSent[Priority] = None
    label_ids: IfSent[LabelIds] = None
    labels_add: IfSent[LabelsDelta] = None
    labels_remove: IfSent[LabelsDelta] = None
    assignee_id: EntityId | None = None
    start: WhenPatch | None = None
    due: WhenPatch | None = None
    recurrence: RecurrencePatch | None = None
    apply_to: IfSent[Following] = Field(
        default=None,
        description="Of a task that repeats: is title, description, priority, start or due changed for this one, or for all "
        "that follow too? By default dates for this one, the rest for all. Whatever else changes does so for all.",
    )
    project_id: IfSent[EntityId] = None
    section_id: EntityId | None = None
    parent_id: EntityId | None = None


class TaskMove(Patch):
    """Where to: what is left out stays. Without `after` or `before` a task goes to the end of a new place."""

    project_id: IfSent[EntityId] = None
    section_id: EntityId | None = None
    parent_id: EntityId | None = None
    after: EntityId | None = None
    before: EntityId | None = None


class TaskOut(Output):
    id: int
    workspace_id: int
    project_id: int
    section_id: int | None
    parent_id: int | None
    title: str
    description: str
    status: Status
    priority: Priority
    label_ids: list[int]
    assignee_id: int | None
    start: WhenOut | None
    due: WhenOut | None
    recurrence: Annotated[RecurrenceOut | None, BeforeValidator(told)]
    series_id: UUID | None = Field(description="What the tasks of one series have in common.")
    position: str
    uid: str
    version: int
    created_at: datetime
    created_by: int | None
    updated_at: datetime
    completed_at: datetime | None
    deleted_at: datetime | None


class QuickText(Input):
    """A task in one line."""

    text: Annotated[
        str,
        StringConstraints(strip_whitespace=False, min_length=1, max_length=LONGEST_QUICK_TEXT),
        NO_NUL,
        NOT_BLANK,
    ] = Field(examples=["Pay rent every 1st at 9:00 #Home @bank !high //from the joint account"])
    workspace_id: EntityId | None = Field(
        default=None,
        description="Where the task goes, and its project is looked for. By default your own, then all.",
    )
    timezone: TimeZoneName | None = Field(
        default=None, description="The zone of the times of day that are named. Without it they float."
    )
    preview: bool = Field(default=False, description="Only tell what is understood; nothing is written.")
    now: WallMoment | None = Field(
        default=None, description="For a preview: the time on the wall from which “tomorrow” is counted."
    )

    @model_validator(mode="after")
    def _now_is_for_previews(self) -> Self:
        if self.now is not None and not self.preview:
            raise ValueError("“now” is for previews only: what is written begins now")
        return self


class TextSpanOut(Output):
    """Characters of the text, from `start` to before `end`, and what they were taken for."""

    start: int
    end: int
    kind: Literal["project", "label", "priority", "description", "due", "recurrence"]
    value: str = Field(examples=["2026-12-01T09:00"])


class QuickTaskOut(Output):
    """What a text says of a task."""

    title: str
    description: str
    priority: Priority
    project: str | None = Field(description="Its name; it need not exist.", examples=["Home"])
    labels: list[str] = Field(examples=[["bank"]])
    due: WhenOut | None
    recurrence: Annotated[RecurrenceOut | None, BeforeValidator(shown)]


class QuickPreview(Output):
    task: QuickTaskOut
    spans: list[TextSpanOut]


class QuickMade(Output):
    task: TaskOut
    spans: list[TextSpanOut]


class RecurrenceAsked(Input):
    """A rule, or words for one; `due` is the first date, or where looking for it begins."""

    rrule: RRule | None = None
    text: Annotated[str, StringConstraints(max_length=LONGEST_RULE), NO_NUL] | None = Field(
        default=None, examples=["every! 2 weeks"]
    )
    anchor: Anchor | None = Field(default=None, description="By default what the text says, or `schedule`.")
    due: WhenFields | None = None
    count: Annotated[int, Field(ge=1, le=MOST_PREVIEWED)] = 5

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.rrule is None) is (self.text is None):
            raise ValueError("either “rrule” or “text” is needed")
        return self


class RecurrencePreview(RecurrenceOut):
    items: list[WhenOut]


MOST_IN_A_BATCH = 1000


class TasksMade(Output):
    created: int
    items: list[TaskOut]
