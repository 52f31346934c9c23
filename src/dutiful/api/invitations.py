"""Invitations into workspaces: made by their owners, taken by whoever has the link.

The secret comes in a body, never in a path or a query: those are kept in the logs of every proxy on the way.
"""

from typing import Any

from fastapi import APIRouter, Response

from dutiful.api.deps import (
    AdminScopedActor,
    CurrentActor,
    CurrentSettings,
    Db,
    ReadDb,
    SignedInActor,
    WantedSlice,
)
from dutiful.api.headers import created, tagged
from dutiful.api.idempotency import shows_secret
from dutiful.api.transaction import TransactionRoute
from dutiful.models import Invitation
from dutiful.settings import Settings
from dutiful.vocabulary import IdParameter, Page
from dutiful.workspaces import invitations
from dutiful.workspaces.queries import SeenWorkspace
from dutiful.workspaces.schemas import (
    InvitationCreate,
    InvitationCreated,
    InvitationOut,
    InvitationShown,
    InvitationToken,
    WorkspaceOut,
)

router = APIRouter(tags=["invitations"], route_class=TransactionRoute)
IN_WORKSPACE = "/workspaces/{workspace_id}/invitations"


@router.get(IN_WORKSPACE, response_model=Page[InvitationOut])
async def list_invitations(
    workspace_id: IdParameter, db: ReadDb, actor: CurrentActor, wanted: WantedSlice
) -> Any:
    """Those that somebody may still come by, without their secrets. For owners."""
    items, next_cursor = await invitations.page(db, actor, workspace_id, wanted)
    return {"items": items, "count": len(items), "next_cursor": next_cursor}


@router.post(IN_WORKSPACE, status_code=201)
@shows_secret
async def create_invitation(
    workspace_id: IdParameter,
    body: InvitationCreate,
    db: Db,
    actor: AdminScopedActor,
    settings: CurrentSettings,
    response: Response,
) -> InvitationCreated:
    """The answer shows the secret once; it is kept nowhere. It works as long as whoever made it is an owner."""
    invitation, secret = await invitations.create(db, actor, workspace_id, body)
    response.headers["Location"] = f"/api/v1/workspaces/{workspace_id}/invitations/{invitation.id}"
    shown = InvitationOut.model_validate(invitation).model_dump()
    return InvitationCreated(**shown, token=secret, url=_link(settings, secret))


@router.get(IN_WORKSPACE + "/{invitation_id}", response_model=InvitationOut)
async def get_invitation(
    workspace_id: IdParameter, invitation_id: IdParameter, db: ReadDb, actor: CurrentActor
) -> Invitation:
    return await invitations.get(db, actor, workspace_id, invitation_id)


@router.delete(IN_WORKSPACE + "/{invitation_id}", status_code=204)
async def revoke_invitation(
    workspace_id: IdParameter, invitation_id: IdParameter, db: Db, actor: AdminScopedActor
) -> None:
    """Nobody comes by it any more; who came stays."""
    await invitations.revoke(db, actor, workspace_id, invitation_id)


@router.post("/invitations/look", response_model=InvitationShown)
async def look_at_invitation(body: InvitationToken, db: Db, actor: SignedInActor) -> Any:
    """What it is, before joining; changes nothing. A POST, because the secret has to come in a body."""
    return await invitations.look(db, actor, body.token)


@router.post(
    "/invitations/accept",
    status_code=201,
    response_model=WorkspaceOut,
    responses={
        200: {"model": WorkspaceOut, "description": "You were a member already and stay what you are."}
    },
)
async def accept_invitation(
    body: InvitationToken, db: Db, actor: CurrentActor, response: Response
) -> SeenWorkspace:
    """Joins the workspace. As making a workspace does, it takes a token of the scope `write`: it is for oneself alone.
    Who is a member already uses nothing up."""
    workspace, has_joined = await invitations.accept(db, actor, body.token)
    if not has_joined:
        response.status_code = 200
        return tagged(response, workspace)
    return created(response, workspace, f"/api/v1/workspaces/{workspace.id}")


def _link(settings: Settings, secret: str) -> str | None:
    return None if settings.base_url is None else f"{settings.base_url}/invitations/{secret}"
