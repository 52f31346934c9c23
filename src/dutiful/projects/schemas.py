from datetime import datetime

from pydantic import StrictBool

from dutiful.vocabulary import Color, EntityId, IfSent, Input, Name, Output, Patch


class ProjectCreate(Input):
    """`workspace_id` defaults to the personal workspace."""

    name: Name
    workspace_id: EntityId | None = None
    color: Color | None = None


class ProjectPatch(Patch):
    name: IfSent[Name] = None
    color: Color | None = None
    archived: IfSent[StrictBool] = None


class ProjectOut(Output):
    id: int
    workspace_id: int
    name: str
    color: str | None
    archived: bool
    position: str
    version: int
    created_at: datetime
    created_by: int | None
    updated_at: datetime
    deleted_at: datetime | None


class SectionCreate(Input):
    name: Name
    project_id: EntityId


class SectionPatch(Patch):
    name: IfSent[Name] = None


class SectionOut(Output):
    id: int
    workspace_id: int
    project_id: int
    name: str
    position: str
    version: int
    created_at: datetime
    created_by: int | None
    updated_at: datetime
    deleted_at: datetime | None
