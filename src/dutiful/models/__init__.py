"""The tables. Importing this package registers every one of them on `Base.metadata`."""

from dutiful.database.base import Base
from dutiful.models.change import Change
from dutiful.models.chore import Chore
from dutiful.models.idempotency import IdempotencyKey
from dutiful.models.import_record import ImportRecord
from dutiful.models.label import Label
from dutiful.models.project import Project, Section
from dutiful.models.task import Priority, Status, Task
from dutiful.models.user import (
    AccountEvent,
    PasswordReset,
    Scope,
    SignInPlace,
    SignInThrottle,
    Token,
    TokenKind,
    User,
)
from dutiful.models.when import When
from dutiful.models.workspace import Invitation, Member, Role, Workspace, WorkspaceCounter

__all__ = [
    "AccountEvent",
    "Base",
    "Change",
    "Chore",
    "IdempotencyKey",
    "ImportRecord",
    "Invitation",
    "Label",
    "Member",
    "PasswordReset",
    "Priority",
    "Project",
    "Role",
    "Scope",
    "Section",
    "SignInPlace",
    "SignInThrottle",
    "Status",
    "Task",
    "Token",
    "TokenKind",
    "User",
    "When",
    "Workspace",
    "WorkspaceCounter",
]
