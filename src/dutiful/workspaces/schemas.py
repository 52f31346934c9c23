from datetime import datetime

from dutiful.models import Role
from dutiful.vocabulary import Email, IfSent, Input, Name, Output, Patch


class WorkspaceCreate(Input):
    name: Name


class WorkspacePatch(Patch):
    name: IfSent[Name] = None


class WorkspaceOut(Output):
    """`role` is what the person asking is there."""

    id: int
    name: str
    inbox_id: int
    is_personal: bool
    role: Role
    version: int
    created_at: datetime
    updated_at: datetime


class MemberCreate(Input):
    """`email` names somebody who has an account here."""

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
