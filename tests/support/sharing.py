"""Workspaces that several people share."""

from dataclasses import dataclass, replace

from tests.people import Person

from dutiful.database.session import Database, Writer
from dutiful.models import Role, Workspace
from dutiful.versions import ANY
from dutiful.workspaces import service as workspaces
from dutiful.workspaces.schemas import MemberCreate


@dataclass(frozen=True)
class Shared:
    id: int
    inbox_id: int


async def share(database: Database, owner: Person, **members: tuple[Person, Role]) -> Shared:
    """A workspace of `owner` that others are members of: `share(database, ana, bob=(bob, Role.VIEWER))`."""

    async def found(session: Writer) -> Workspace:
        return await workspaces.create(session, owner.actor(), "Together")

    workspace = await database.write(found)
    for person, role in members.values():
        await add_member(database, owner, workspace.id, person, role)
    return Shared(workspace.id, workspace.inbox_id)


async def add_member(
    database: Database, owner: Person, workspace_id: int, person: Person, role: Role
) -> None:
    async def add(session: Writer) -> None:
        wanted = MemberCreate(email=person.email, role=role)
        # Only who runs the server may add people they share no workspace with.
        actor = replace(owner.actor(), is_admin=True)
        await workspaces.add_member(session, actor, workspace_id, wanted)

    await database.write(add)


async def remove_member(database: Database, owner: Person, workspace_id: int, person: Person) -> None:
    async def remove(session: Writer) -> None:
        await workspaces.remove_member(session, owner.actor(), workspace_id, person.user_id, ANY)

    await database.write(remove)
