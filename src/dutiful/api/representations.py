"""Which public schema shows which thing."""

from typing import Any

from dutiful.accounts.administration import Account
from dutiful.accounts.schemas import AccountOut, UserOut
from dutiful.labels.schemas import LabelOut
from dutiful.models import Label, Member, Project, Section, Task, User
from dutiful.projects.schemas import ProjectOut, SectionOut
from dutiful.tasks.schemas import TaskOut
from dutiful.vocabulary import Output
from dutiful.workspaces.queries import SeenWorkspace
from dutiful.workspaces.schemas import MemberOut, WorkspaceOut

SCHEMAS: dict[type, type[Output]] = {
    User: UserOut,
    Account: AccountOut,
    SeenWorkspace: WorkspaceOut,
    Member: MemberOut,
    Project: ProjectOut,
    Section: SectionOut,
    Label: LabelOut,
    Task: TaskOut,
}


def represent(thing: object) -> dict[str, Any]:
    return SCHEMAS[type(thing)].model_validate(thing).model_dump(mode="json")
