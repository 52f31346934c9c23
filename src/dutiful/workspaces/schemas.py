from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from dutiful.models import Role
from dutiful.vocabulary import NO_NUL, NOT_BLANK, Email, EntityId, IfSent, Input, Moment, Name, Output, Patch

MOST_DAYS = 30


class WorkspaceCreate(Input):
    name: Name


class WorkspacePatch(Patch):
    name: IfSent[Name] = None


class WorkspaceOut(Output):
    """`role` is what the person asking is there. `deleted_at` is null unless deleted workspaces were asked for."""

    id: int
    name: str
    inbox_id: int
    is_personal: bool
    role: Role
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class Transfer(Input):
    """`user_id` is the member who becomes an owner; `keep_role` what the owner who asks is from then on: null to leave."""

    user_id: EntityId
    keep_role: Literal[Role.VIEWER, Role.EDITOR] | None = Role.EDITOR


class MemberCreate(Input):
    """`email` names somebody who shares a workspace with the owner who asks already."""

    email: Email
    role: Role = Role.EDITOR


class MemberPatch(Patch):
    role: IfSent[Role] = None


class MemberOut(Output):
    workspace_id: int
    user_id: int
    name: str
    email: str | None
    role: Role
    version: int
    created_at: datetime
    updated_at: datetime


class InvitationCreate(Input):
    """It ends at `expires_at`, or after `expires_in_days`: send one of the two at most."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"role": "editor", "expires_in_days": 7, "uses": 1}]}
    )

    role: Role = Role.EDITOR
    expires_in_days: Annotated[int, Field(strict=True, ge=1, le=MOST_DAYS)] = 7
    expires_at: Moment | None = None
    uses: Annotated[int, Field(strict=True, ge=1, le=100, description="How many people may join by it.")] = 1


class InvitationOut(Output):
    id: int
    workspace_id: int
    role: Role
    uses_left: int
    expires_at: datetime
    created_at: datetime
    created_by: int | None


class InvitationCreated(InvitationOut):
    """`token` is the secret: shown here, once, and never again. `url` has it as a link, when the server knows its own
    address (DUTIFUL_BASE_URL)."""

    token: str
    url: str | None


class InvitationToken(Input):
    token: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), NO_NUL, NOT_BLANK
    ]


class InvitationShown(Output):
    """What whoever has the link may know before they join. `invited_by` is the name of whoever made it, as long as it
    is known."""

    workspace_id: int
    workspace_name: str
    role: Role
    invited_by: str | None
    expires_at: datetime
    is_member: bool
