from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints

from dutiful.vocabulary import NO_NUL, NOT_BLANK, Color, EntityId, IfSent, Input, Output, Patch

LONGEST_NAME = 100
LabelName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME), NO_NUL, NOT_BLANK
]


class LabelCreate(Input):
    """`workspace_id` defaults to the personal workspace."""

    name: LabelName
    workspace_id: EntityId | None = None
    color: Color | None = None


class LabelPatch(Patch):
    name: IfSent[LabelName] = None
    color: Color | None = None


class LabelOut(Output):
    id: int
    workspace_id: int
    name: str
    color: str | None
    version: int
    created_at: datetime
    created_by: int | None
    updated_at: datetime
    deleted_at: datetime | None
