"""Reads of workspaces and their members. A workspace is read through the membership of whoever asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Select, func, select
from sqlalchemy.orm import contains_eager, joinedload

from dutiful import access, paging
from dutiful.access import Actor
from dutiful.database.session import Reader, Writer
from dutiful.errors import NotFound
from dutiful.models import Member, Role, User, Workspace
from dutiful.paging import Order, Slice

_member_id = Member.__table__.c.id
WORKSPACES_IN_ORDER = Order("id", Workspace.__table__.c.id, _member_id)
MEMBERS_IN_ORDER = Order("id", _member_id, _member_id)


@dataclass(frozen=True, slots=True)
class SeenWorkspace:
    """A workspace as one of its members sees it."""

    id: int
    name: str
    inbox_id: int
    is_personal: bool
    role: Role
    version: int
    shown_version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @classmethod
    def by(cls, member: Member) -> Self:
        workspace = member.workspace
        return cls(
            id=workspace.id,
            name=workspace.name,
            inbox_id=workspace.inbox_id,
            is_personal=workspace.is_personal,
            role=member.role,
            version=workspace.version,
            shown_version=member.version,
            created_at=workspace.created_at,
            updated_at=workspace.updated_at,
            deleted_at=workspace.deleted_at,
        )


async def page(session: Reader, actor: Actor, wanted: Slice) -> tuple[Sequence[SeenWorkspace], str | None]:
    members, next_cursor = await paging.page(session, _memberships(actor), WORKSPACES_IN_ORDER, wanted)
    return [SeenWorkspace.by(member) for member in members], next_cursor


async def get(session: Reader | Writer, actor: Actor, workspace_id: int) -> SeenWorkspace:
    return SeenWorkspace.by(await get_membership(session, actor, workspace_id))


async def get_membership(session: Reader | Writer, actor: Actor, workspace_id: int) -> Member:
    """The actor's own, with the workspace."""
    member: Member | None = await session.scalar(_memberships(actor).where(Workspace.id == workspace_id))
    if member is None:
        raise access.not_found(Workspace)
    return member


async def page_restorable(
    session: Reader, actor: Actor, since: datetime, wanted: Slice
) -> tuple[Sequence[SeenWorkspace], str | None]:
    """The deleted workspaces that the actor may bring back."""
    members, next_cursor = await paging.page(session, _restorable(actor, since), WORKSPACES_IN_ORDER, wanted)
    return [SeenWorkspace.by(member) for member in members], next_cursor


async def is_restorable(session: Writer, actor: Actor, workspace_id: int, since: datetime) -> bool:
    found = _restorable(actor, since).where(Workspace.id == workspace_id)
    return await session.scalar(select(found.exists())) or False


async def get_restorable(session: Writer, actor: Actor, workspace_id: int, since: datetime) -> Member:
    """The actor's membership of a deleted workspace, with the workspace."""
    member: Member | None = await session.scalar(
        _restorable(actor, since).where(Workspace.id == workspace_id)
    )
    if member is None:
        raise access.not_found(Workspace)
    return member


def _restorable(actor: Actor, since: datetime) -> Select[Any]:
    """A deleted workspace keeps its members, and nobody but its owners can do something about it."""
    return (
        select(Member)
        .join(Member.workspace)
        .options(contains_eager(Member.workspace))
        .where(Member.user_id == actor.user_id, Member.role == Role.OWNER, Workspace.deleted_at > since)
    )


async def is_personal(session: Writer, workspace_id: int) -> bool:
    owner = await session.scalar(select(Workspace.personal_of).where(Workspace.id == workspace_id))
    return owner is not None


def _memberships(actor: Actor) -> Select[Any]:
    return (
        select(Member)
        .join(Member.workspace)
        .options(contains_eager(Member.workspace))
        .where(Member.user_id == actor.user_id, Workspace.deleted_at.is_(None))
    )


async def page_members(
    session: Reader, actor: Actor, workspace_id: int, wanted: Slice
) -> tuple[Sequence[Member], str | None]:
    await access.get_role(session, actor, workspace_id)
    return await paging.page(session, _members(actor, workspace_id), MEMBERS_IN_ORDER, wanted)


async def get_member(session: Reader | Writer, actor: Actor, workspace_id: int, user_id: int) -> Member:
    member: Member | None = await session.scalar(
        _members(actor, workspace_id).where(Member.user_id == user_id)
    )
    if member is None:
        raise no_such_member()
    return member


def no_such_member() -> NotFound:
    return NotFound("There is no such member, or you may not see the workspace.")


def _members(actor: Actor, workspace_id: int) -> Select[Any]:
    return (
        select(Member)
        .options(joinedload(Member.user))
        .where(
            Member.workspace_id == workspace_id,
            Member.workspace_id.in_(access.visible_workspaces(actor)),
        )
    )


async def has_other_owner(session: Writer, member: Member) -> bool:
    """Somebody who can still sign in: an owner whose account is disabled takes care of nothing."""
    others = (
        select(Member.id)
        .join(Member.user)
        .where(
            Member.workspace_id == member.workspace_id,
            Member.user_id != member.user_id,
            Member.role == Role.OWNER,
            User.disabled_at.is_(None),
        )
    )
    return await session.scalar(others.limit(1)) is not None


async def find_acquaintance(session: Writer, actor: Actor, email: str) -> User | None:
    """Somebody whose address the actor can read already: in the list of members of a workspace they share, or, as
    the administrator, in that of all users. Of anybody else it is not even told whether they have an account."""
    statement = (
        select(User)
        .options(joinedload(User.home))
        .where(func.lower(User.email) == func.lower(email), User.disabled_at.is_(None))
    )
    if not actor.is_admin:
        beside = select(Member.user_id).where(Member.workspace_id.in_(access.visible_workspaces(actor)))
        statement = statement.where(User.id.in_(beside))
    # As they are now, even if this transaction read them before it had the locks.
    return await session.scalar(statement.execution_options(populate_existing=True))


async def get_home(session: Writer, workspace_id: int, user_id: int) -> int:
    """The personal workspace of a member; it never changes. That of somebody else is not to be locked."""
    home = await session.scalar(
        select(Workspace.id)
        .join(Member, Member.user_id == Workspace.personal_of)
        .where(Member.workspace_id == workspace_id, Member.user_id == user_id)
    )
    if home is None:
        raise no_such_member()
    return home


async def all_members(session: Writer, workspace_id: int) -> Sequence[Member]:
    statement = select(Member).where(Member.workspace_id == workspace_id).order_by(Member.id)
    return (await session.scalars(statement)).all()


async def homes_of_members(session: Writer, workspace_id: int) -> dict[int, int]:
    """From the id of each member to that of their personal workspace."""
    statement = (
        select(Member.user_id, Workspace.id)
        .join(Workspace, Workspace.personal_of == Member.user_id)
        .where(Member.workspace_id == workspace_id)
    )
    return dict((await session.execute(statement)).all())
