from datetime import datetime

from dutiful.models import Role
from dutiful.vocabulary import IfSent, Input, Name, Output, Patch


class WorkspaceCreate(Input):
    name: Name


class WorkspacePatch(Patch):
    name: IfSent[Name] = None


class WorkspaceOut(Output):
    id: int
    name: str
    inbox_id: int
    is_personal: bool
    version: int
    created_at: datetime
    updated_at: datetime


class MemberOut(Output):
    workspace_id: int
    user_id: int
    role: Role
    version: int
    created_at: datetime
    updated_at: datetime
