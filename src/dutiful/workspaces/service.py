"""Writes of workspaces and their members.

Whose set of workspaces changes is told in the journal of their personal workspace (`workspace.joined`,
`workspace.left`), so that who follows the feed knows what to read and what to drop. Its counter is locked too.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import delete as delete_rows
from sqlalchemy import func, select

from dutiful import access, clock, positions
from dutiful.access import Actor, locked_workspaces
from dutiful.changes import account_log, journal
from dutiful.database.session import Writer
from dutiful.errors import Conflict, invalid, named_by
from dutiful.models import Invitation, Member, Project, Role, Task, User, Workspace, WorkspaceCounter
from dutiful.versions import Expected
from dutiful.workspaces import queries
from dutiful.workspaces.queries import SeenWorkspace
from dutiful.workspaces.schemas import MemberCreate, MemberPatch, Transfer, WorkspacePatch


async def create(session: Writer, actor: Actor, name: str) -> Workspace:
    """A workspace owned by the actor, with its Inbox."""
    await access.lock_workspaces(session, [actor.personal_workspace_id])
    workspace, member = await _found(session, actor, Workspace(name=name))
    _tell_joined(session, actor, workspace, member, actor.personal_workspace_id)
    return workspace


async def create_personal_workspace(session: Writer, user: User) -> Workspace:
    """The workspace every user has from the start. They act for themselves, so the journal names them."""
    workspace = Workspace(name=user.name, personal_of=user.id)
    actor = Actor(user.id, user.timezone, user.is_admin, personal_workspace_id=0, inbox_id=0)
    await _found(session, actor, workspace)
    return workspace


async def _found(session: Writer, actor: Actor, workspace: Workspace) -> tuple[Workspace, Member]:
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
    locked_workspaces(session)[workspace.id] = 0
    journal.record(session, actor, "workspace.created", workspace, None)
    journal.record(session, actor, "member.added", member, None)
    journal.record(session, actor, "project.created", inbox, None)
    return workspace, member


async def update(
    session: Writer, actor: Actor, workspace_id: int, patch: WorkspacePatch, expected: Expected
) -> SeenWorkspace:
    await access.lock_workspace(session, actor, workspace_id, needs=Role.OWNER)
    membership = await queries.get_membership(session, actor, workspace_id)
    expected.check(SeenWorkspace.by(membership))
    before = membership.workspace.state()
    for name, value in patch.sent().items():
        setattr(membership.workspace, name, value)
    journal.record(session, actor, "workspace.updated", membership.workspace, before)
    return SeenWorkspace.by(membership)


async def delete(session: Writer, actor: Actor, workspace_id: int, expected: Expected) -> None:
    """Takes it out of everybody's sight."""
    access.require_role(await access.get_role(session, actor, workspace_id), Role.OWNER)
    homes = await _lock_with_all_homes(session, actor, workspace_id)
    membership = await queries.get_membership(session, actor, workspace_id)
    access.require_role(membership.role, Role.OWNER)
    expected.check(SeenWorkspace.by(membership))
    workspace = membership.workspace
    if workspace.is_personal:
        raise personal("deleted")
    workspace.deleted_at = clock.now()
    journal.record_removal(session, actor, "workspace.deleted", workspace)
    for user_id, home in homes.items():
        _tell_left(session, actor, workspace, home)
        log(session, actor, user_id, "workspace.deleted", workspace_id)


async def restore(
    session: Writer, actor: Actor, workspace_id: int, since: datetime, expected: Expected
) -> SeenWorkspace:
    """Brings back what was deleted after `since`, for all who were in it. To the journal the deletion was its end, so
    this is told as a beginning."""
    if not await queries.is_restorable(session, actor, workspace_id, since):
        raise access.not_found(Workspace)
    homes = await _lock_with_all_homes(session, actor, workspace_id)
    membership = await queries.get_restorable(session, actor, workspace_id, since)
    expected.check(SeenWorkspace.by(membership))
    workspace = membership.workspace
    workspace.deleted_at = None
    journal.record(session, actor, "workspace.restored", workspace, None)
    for member in await queries.all_members(session, workspace_id):
        _tell_joined(session, actor, workspace, member, homes[member.user_id])
        log(session, actor, member.user_id, "workspace.restored", workspace_id)
    return SeenWorkspace.by(membership)


# --- members ----------------------------------------------------------------------------------------------------------


async def add_member(session: Writer, actor: Actor, workspace_id: int, wanted: MemberCreate) -> Member:
    # Columns only: rows read before the lock would still be in the session, as they were, after it.
    access.require_role(await access.get_role(session, actor, workspace_id), Role.OWNER)
    if await queries.is_personal(session, workspace_id):
        raise personal("shared")
    home = (await _find_acquaintance(session, actor, wanted.email)).workspace_id
    membership = await _lock_with_homes(session, actor, workspace_id, home)
    access.require_role(membership.role, Role.OWNER)
    # Again: the person may have been erased, home and all, while the locks were waited for.
    user = await _find_acquaintance(session, actor, wanted.email, home)
    member = Member(workspace_id=workspace_id, user=user, role=wanted.role)
    await admit(session, actor, membership.workspace, member, user.workspace_id)
    return member


async def _find_acquaintance(session: Writer, actor: Actor, email: str, home: int | None = None) -> User:
    user = await queries.find_acquaintance(session, actor, email)
    if user is None or user.workspace_id != (home or user.workspace_id):
        raise invalid("/email", _NOT_ON_THE_SERVER if actor.is_admin else _NOT_KNOWN_TO_YOU, "unknown")
    return user


_NOT_ON_THE_SERVER = "is not the address of anybody on this server; invite them by a link"
# The same whether there is an account or not, and so no way to find out.
_NOT_KNOWN_TO_YOU = "is not the address of anybody you share a workspace with; invite them by a link"


async def admit(session: Writer, actor: Actor, workspace: Workspace, member: Member, home: int) -> None:
    """Makes somebody a member who is none. The caller asked for the right to, and locked the workspace and `home`,
    the person's own."""
    session.add(member)
    await session.flush()
    journal.record(session, actor, "member.added", member, None)
    _tell_joined(session, actor, workspace, member, home)
    log(session, actor, member.user_id, "member.added", workspace.id, role=member.role)


async def update_member(
    session: Writer, actor: Actor, workspace_id: int, user_id: int, patch: MemberPatch, expected: Expected
) -> Member:
    await access.lock_workspace(session, actor, workspace_id, needs=Role.OWNER)
    member = await queries.get_member(session, actor, workspace_id, user_id)
    expected.check(member)
    await _change_role(session, actor, member, patch.sent().get("role", member.role))
    return member


async def remove_member(
    session: Writer, actor: Actor, workspace_id: int, user_id: int, expected: Expected
) -> None:
    """Owners remove anybody, everybody may leave."""
    needed = Role.VIEWER if user_id == actor.user_id else Role.OWNER
    access.require_role(await access.get_role(session, actor, workspace_id), needed)
    home = await queries.get_home(session, workspace_id, user_id)
    membership = await _lock_with_homes(session, actor, workspace_id, home)
    access.require_role(membership.role, needed)
    member = await queries.get_member(session, actor, workspace_id, user_id)
    expected.check(member)
    await end_membership(session, actor, membership.workspace, member, home)


async def transfer(
    session: Writer, actor: Actor, workspace_id: int, wanted: Transfer, expected: Expected
) -> None:
    """Makes another member an owner, and of the actor what they want to be from then on."""
    access.require_role(await access.get_role(session, actor, workspace_id), Role.OWNER)
    if await queries.is_personal(session, workspace_id):
        raise personal("given away")
    membership = await _lock_with_homes(session, actor, workspace_id, actor.personal_workspace_id)
    access.require_role(membership.role, Role.OWNER)
    expected.check(SeenWorkspace.by(membership))
    with named_by("/user_id"):
        heir = await queries.get_member(session, actor, workspace_id, wanted.user_id)
    if heir is membership:
        raise invalid("/user_id", "is yourself; name another member")
    if heir.user.disabled_at is not None:
        raise invalid("/user_id", "has a disabled account; name another member")
    await _change_role(session, actor, heir, Role.OWNER)
    if wanted.keep_role is None:
        home = actor.personal_workspace_id
        await end_membership(session, actor, membership.workspace, membership, home)
    else:
        await _change_role(session, actor, membership, wanted.keep_role)


async def _change_role(session: Writer, actor: Actor, member: Member, role: Role) -> None:
    before = member.state()
    if role is not Role.OWNER:
        await _keep_an_owner(session, member)
        await _withdraw_invitations(session, member)
    member.role = role
    if journal.record(session, actor, "member.updated", member, before):
        was = before["role"]
        log(session, actor, member.user_id, "member.updated", member.workspace_id, role=role, was=was)


async def end_membership(
    session: Writer, actor: Actor, workspace: Workspace, member: Member, home: int
) -> None:
    """Takes somebody out, unless they are the last owner. The caller asked for the right to, and locked the workspace
    and `home`, the person's own."""
    await _keep_an_owner(session, member)
    await _unassign_tasks(session, actor, member)
    await _withdraw_invitations(session, member)
    await session.delete(member)
    journal.record_removal(session, actor, "member.removed", member)
    _tell_left(session, actor, workspace, home)
    log(session, actor, member.user_id, "member.removed", workspace.id, was=member.role)


async def _lock_with_homes(session: Writer, actor: Actor, workspace_id: int, *homes: int) -> Member:
    """Locks a workspace and the personal workspaces of those it concerns, and gives the actor's membership as it is
    then. The caller has asked for the role before, so that strangers lock nothing, and asks again."""
    await access.lock_workspaces(session, [workspace_id, *homes])
    return await queries.get_membership(session, actor, workspace_id)


async def _lock_with_all_homes(session: Writer, actor: Actor, workspace_id: int) -> dict[int, int]:
    """Locks a workspace and the personal workspaces of all its members, and gives the ids of these by member."""
    homes = await queries.homes_of_members(session, workspace_id)
    await access.lock_workspaces(session, [workspace_id, *homes.values()])
    # Of those who leave meanwhile too, whom nothing is told.
    journal.keep_private(session, set(homes.values()) - {actor.personal_workspace_id})
    # Somebody may have joined while the locks were waited for.
    homes = await queries.homes_of_members(session, workspace_id)
    await access.lock_workspaces(session, homes.values())
    return homes


async def _keep_an_owner(session: Writer, member: Member) -> None:
    if member.role is Role.OWNER and not await queries.has_other_owner(session, member):
        raise Conflict("A workspace needs an owner. Make somebody else one first.", code="last_owner")


async def _unassign_tasks(session: Writer, actor: Actor, member: Member) -> None:
    """Those in the trash too: whoever is assigned must be a member."""
    assigned = select(Task).where(
        Task.workspace_id == member.workspace_id, Task.assignee_id == member.user_id
    )
    for task in await session.scalars(assigned.order_by(Task.id)):
        before = task.state()
        task.assignee_id = None
        journal.record(session, actor, "task.updated", task, before)
    await session.flush()


async def _withdraw_invitations(session: Writer, member: Member) -> None:
    """An invitation is an owner's word. Should they become one again, links forgotten long ago must not wake up."""
    if member.role is Role.OWNER:
        theirs = (Invitation.workspace_id == member.workspace_id, Invitation.created_by == member.user_id)
        await session.execute(delete_rows(Invitation).where(*theirs))


def personal(done: str) -> Conflict:
    return Conflict(f"A personal workspace cannot be {done}.", code="personal_workspace")


def _tell_joined(session: Writer, actor: Actor, workspace: Workspace, member: Member, home: int) -> None:
    after = {**workspace.state(), "role": member.role}
    journal.notify(session, actor, "workspace.joined", workspace, home, after=after)


def _tell_left(session: Writer, actor: Actor, workspace: Workspace, home: int) -> None:
    journal.notify(session, actor, "workspace.left", workspace, home, before=workspace.state())


def log(session: Writer, actor: Actor, user_id: int, verb: str, workspace_id: int, **details: Any) -> None:
    """In the audit log of the person it concerns."""
    account_log.record(session, user_id, actor.user_id, verb, workspace_id=workspace_id, **details)
