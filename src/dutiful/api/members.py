"""Who is in a workspace, and what they may do there."""

from typing import Any

from fastapi import APIRouter, Response

from dutiful.api.deps import AdminScopedActor, CurrentActor, Db, IfMatch, ReadDb, WantedSlice
from dutiful.api.headers import created, tagged
from dutiful.api.transaction import TransactionRoute
from dutiful.models import Member
from dutiful.vocabulary import IdParameter, Page
from dutiful.workspaces import queries, service
from dutiful.workspaces.schemas import MemberCreate, MemberOut, MemberPatch

router = APIRouter(
    prefix="/workspaces/{workspace_id}/members", tags=["members"], route_class=TransactionRoute
)


@router.get("", response_model=Page[MemberOut])
async def list_members(
    workspace_id: IdParameter, db: ReadDb, actor: CurrentActor, wanted: WantedSlice
) -> Any:
    items, next_cursor = await queries.page_members(db, actor, workspace_id, wanted)
    return {"items": items, "count": len(items), "next_cursor": next_cursor}


@router.post("", status_code=201, response_model=MemberOut)
async def add_member(
    workspace_id: IdParameter, body: MemberCreate, db: Db, actor: AdminScopedActor, response: Response
) -> Member:
    member = await service.add_member(db, actor, workspace_id, body)
    return created(response, member, f"/api/v1/workspaces/{workspace_id}/members/{member.user_id}")


@router.get("/{user_id}", response_model=MemberOut)
async def get_member(
    workspace_id: IdParameter, user_id: IdParameter, db: ReadDb, actor: CurrentActor, response: Response
) -> Member:
    return tagged(response, await queries.get_member(db, actor, workspace_id, user_id))


@router.put("/{user_id}", name="replace_member", response_model=MemberOut)
@router.patch("/{user_id}", response_model=MemberOut)
async def update_member(
    workspace_id: IdParameter,
    user_id: IdParameter,
    body: MemberPatch,
    db: Db,
    actor: AdminScopedActor,
    if_match: IfMatch,
    response: Response,
) -> Member:
    """Only what is sent changes. PUT does the same, so a client that knows fewer fields wipes none."""
    member = await service.update_member(db, actor, workspace_id, user_id, body, if_match)
    return tagged(response, member)


@router.delete("/{user_id}", status_code=204)
async def remove_member(
    workspace_id: IdParameter, user_id: IdParameter, db: Db, actor: AdminScopedActor, if_match: IfMatch
) -> None:
    """Owners remove anybody, everybody may leave; the person's tasks there are left without an assignee."""
    await service.remove_member(db, actor, workspace_id, user_id, if_match)
