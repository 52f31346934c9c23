"""Writes of workspaces and their members."""

from sqlalchemy import func, select

from dutiful import positions
from dutiful.access import Actor, locked_workspaces
from dutiful.changes import journal
from dutiful.database.session import Writer
from dutiful.models import Member, Project, Role, User, Workspace, WorkspaceCounter


async def create(session: Writer, actor: Actor, name: str) -> Workspace:
    """A workspace owned by the actor, with its Inbox."""
    return await _found(session, actor, Workspace(name=name))


async def create_personal_workspace(session: Writer, user: User) -> Workspace:
    """The workspace every user has from the start. They act for themselves, so the journal names them."""
    workspace = Workspace(name=user.name, personal_of=user.id)
    actor = Actor(user.id, user.timezone, user.is_admin, personal_workspace_id=0, inbox_id=0)
    return await _found(session, actor, workspace)


async def _found(session: Writer, actor: Actor, workspace: Workspace) -> Workspace:
    """Workspace, counter, first member and Inbox. Workspace and Inbox name each other, so one id is drawn ahead."""
    workspace.inbox_id = (await session.scalars(select(func.nextval("projects_id_seq")))).one()
    session.add(workspace)
    await session.flush()
    member = Member(workspace_id=workspace.id, user_id=actor.user_id, role=Role.OWNER)
    inbox = Project(
        id=workspace.inbox_id,
        workspace_id=workspace.id,
        name="Inbox",
        position=positions.FIRST,
        created_by=actor.user_id,
    )
    session.add_all([WorkspaceCounter(workspace_id=workspace.id), member, inbox])
    await session.flush()
    # Nobody else can see the new counter, so holding its row is holding its lock.
    locked_workspaces(session).add(workspace.id)
    journal.record(session, actor, "workspace.created", workspace, None)
    journal.record(session, actor, "member.added", member, None)
    journal.record(session, actor, "project.created", inbox, None)
    return workspace
