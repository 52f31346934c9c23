"""Invitations: links that make whoever has one a member, as often as they say.

An invitation is the word of an owner and holds as long as they are one and may sign in. Only the SHA-256 of its secret
is stored. One that is unknown, expired, revoked or used up is the same to whoever comes with it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, or_, select

from dutiful import access, clock, paging
from dutiful.access import Actor
from dutiful.bearer import hash_secret, new_secret
from dutiful.database.session import Reader, Writer
from dutiful.errors import NotFound, invalid
from dutiful.models import Invitation, Member, Role, User, Workspace
from dutiful.paging import Order, Slice
from dutiful.workspaces import queries, service
from dutiful.workspaces.queries import SeenWorkspace
from dutiful.workspaces.schemas import MOST_DAYS, InvitationCreate

PREFIX = "dti_"

_invitation_id = Invitation.__table__.c.id
INVITATIONS_IN_ORDER = Order("id", _invitation_id, _invitation_id)


# --- for owners -------------------------------------------------------------------------------------------------------


async def create(
    session: Writer, actor: Actor, workspace_id: int, wanted: InvitationCreate
) -> tuple[Invitation, str]:
    """The invitation and its secret, which is stored nowhere."""
    expires_at = _end_of(wanted)
    await access.lock_workspace(session, actor, workspace_id, needs=Role.OWNER)
    if await queries.is_personal(session, workspace_id):
        raise service.personal("shared")
    secret = new_secret(PREFIX)
    invitation = Invitation(
        workspace_id=workspace_id,
        role=wanted.role,
        hash=hash_secret(secret),
        created_by=actor.user_id,
        expires_at=expires_at,
        uses_left=wanted.uses,
    )
    session.add(invitation)
    await session.flush()
    service.log(
        session,
        actor,
        actor.user_id,
        "invitation.created",
        workspace_id,
        invitation_id=invitation.id,
        role=invitation.role,
        uses=wanted.uses,
        expires_at=expires_at.isoformat(),
    )
    return invitation, secret


async def page(
    session: Reader, actor: Actor, workspace_id: int, wanted: Slice
) -> tuple[Sequence[Invitation], str | None]:
    """Those that somebody may still come by."""
    access.require_role(await access.get_role(session, actor, workspace_id), Role.OWNER)
    return await paging.page(session, _open(workspace_id), INVITATIONS_IN_ORDER, wanted)


async def get(session: Reader, actor: Actor, workspace_id: int, invitation_id: int) -> Invitation:
    access.require_role(await access.get_role(session, actor, workspace_id), Role.OWNER)
    found: Invitation | None = await session.scalar(_open(workspace_id).where(Invitation.id == invitation_id))
    if found is None:
        raise _no_such_invitation()
    return found


async def revoke(session: Writer, actor: Actor, workspace_id: int, invitation_id: int) -> None:
    await access.lock_workspace(session, actor, workspace_id, needs=Role.OWNER)
    revoked = delete(Invitation).where(
        Invitation.workspace_id == workspace_id, Invitation.id == invitation_id
    )
    row = (await session.execute(revoked.returning(Invitation.created_by))).one_or_none()
    if row is None:
        raise _no_such_invitation()
    of = row.created_by or actor.user_id
    service.log(session, actor, of, "invitation.revoked", workspace_id, invitation_id=invitation_id)


# --- for whoever has the link -----------------------------------------------------------------------------------------


async def look(session: Reader | Writer, actor: Actor, secret: str) -> Row[*tuple[Any, ...]]:
    """An invitation as whoever has its secret may see it before they join: the secret is the right to. Changes nothing.

    Columns only: rows read before the lock would still be in the session, as they were, after it. A member is shown one that is used up as well: it may be that they have used it, and never got the answer.
    """
    is_member = (
        select(Member.id)
        .where(Member.workspace_id == Invitation.workspace_id, Member.user_id == actor.user_id)
        .exists()
    )
    statement = (
        select(
            Invitation.id,
            Invitation.workspace_id,
            Invitation.role,
            Invitation.expires_at,
            Workspace.name.label("workspace_name"),
            User.name.label("invited_by"),
            is_member.label("is_member"),
        )
        .join(Workspace, Workspace.id == Invitation.workspace_id)
        .join(User, User.id == Invitation.created_by, isouter=True)
        .where(Invitation.hash == hash_secret(secret), Workspace.deleted_at.is_(None))
        .where(or_(is_member, _is_open()))
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise NotFound("This invitation is not valid, or not any more. Ask whoever sent it for another.")
    return row


async def accept(session: Writer, actor: Actor, secret: str) -> tuple[SeenWorkspace, bool]:
    """The workspace, and whether the actor has joined it now. Who is a member already stays what they are."""
    found = await look(session, actor, secret)
    await access.lock_workspaces(session, [found.workspace_id, actor.personal_workspace_id])
    # Again: others may have come by it, or an owner may have changed their mind, while the locks were waited for.
    now = await look(session, actor, secret)
    if not now.is_member:
        await _join(session, actor, now.id)
    return await queries.get(session, actor, found.workspace_id), not now.is_member


async def _join(session: Writer, actor: Actor, invitation_id: int) -> None:
    invitation = await session.get_one(Invitation, invitation_id)
    workspace = await session.get_one(Workspace, invitation.workspace_id)
    invitation.uses_left -= 1
    member = Member(workspace_id=workspace.id, user_id=actor.user_id, role=invitation.role)
    await service.admit(session, actor, workspace, member, actor.personal_workspace_id)
    details = {"invitation_id": invitation.id, "role": member.role}
    if invitation.created_by is not None:
        service.log(session, actor, invitation.created_by, "invitation.accepted", workspace.id, **details)


def _open(workspace_id: int) -> Select[Any]:
    return select(Invitation).where(Invitation.workspace_id == workspace_id, _is_open())


def _is_open() -> ColumnElement[bool]:
    inviter = (
        select(Member.id)
        .join(User, User.id == Member.user_id)
        .where(
            Member.workspace_id == Invitation.workspace_id,
            Member.user_id == Invitation.created_by,
            Member.role == Role.OWNER,
            User.disabled_at.is_(None),
        )
    )
    return and_(Invitation.expires_at > clock.now(), Invitation.uses_left > 0, inviter.exists())


def _end_of(wanted: InvitationCreate) -> datetime:
    now = clock.now()
    if wanted.expires_at is None:
        return now + timedelta(days=wanted.expires_in_days)
    if "expires_in_days" in wanted.model_fields_set:
        raise invalid("/expires_in_days", "cannot be given together with expires_at; send one of the two")
    if not now < wanted.expires_at <= now + timedelta(days=MOST_DAYS):
        raise invalid("/expires_at", f"must lie in the future, and within {MOST_DAYS} days")
    return wanted.expires_at


def _no_such_invitation() -> NotFound:
    return NotFound("There is no such invitation, or it is not for you to see.")
