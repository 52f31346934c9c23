"""The tables. Importing this package registers every one of them on `Base.metadata`."""

from dutiful.database.base import Base
from dutiful.models.change import Change
from dutiful.models.idempotency import IdempotencyKey
from dutiful.models.import_record import ImportRecord
from dutiful.models.label import Label
from dutiful.models.project import Project, Section
from dutiful.models.task import Priority, Status, Task
from dutiful.models.user import AccountEvent, Scope, Token, User
from dutiful.models.when import When
from dutiful.models.workspace import Member, Role, Workspace, WorkspaceCounter

__all__ = [
    "AccountEvent",
    "Base",
    "Change",
    "IdempotencyKey",
    "ImportRecord",
    "Label",
    "Member",
    "Priority",
    "Project",
    "Role",
    "Scope",
    "Section",
    "Status",
    "Task",
    "Token",
    "User",
    "When",
    "Workspace",
    "WorkspaceCounter",
]
