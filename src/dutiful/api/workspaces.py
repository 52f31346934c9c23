"""Workspaces."""

from typing import Any

from fastapi import APIRouter, Response

from dutiful.api.deps import AdminScopedActor, CurrentActor, Db, IfMatch, ReadDb, WantedSlice
from dutiful.api.headers import created, tagged
from dutiful.api.transaction import TransactionRoute
from dutiful.vocabulary import IdParameter, Page
from dutiful.workspaces import queries, service
from dutiful.workspaces.queries import SeenWorkspace
from dutiful.workspaces.schemas import WorkspaceCreate, WorkspaceOut, WorkspacePatch

router = APIRouter(prefix="/workspaces", tags=["workspaces"], route_class=TransactionRoute)


@router.get("", response_model=Page[WorkspaceOut])
async def list_workspaces(db: ReadDb, actor: CurrentActor, wanted: WantedSlice) -> Any:
    items, next_cursor = await queries.page(db, actor, wanted)
    return {"items": items, "count": len(items), "next_cursor": next_cursor}


@router.post("", status_code=201, response_model=WorkspaceOut)
async def create_workspace(
    body: WorkspaceCreate, db: Db, actor: CurrentActor, response: Response
) -> SeenWorkspace:
    workspace = await service.create(db, actor, body.name)
    made = await queries.get(db, actor, workspace.id)
    return created(response, made, f"/api/v1/workspaces/{made.id}")


@router.get("/{workspace_id}", response_model=WorkspaceOut)
async def get_workspace(
    workspace_id: IdParameter, db: ReadDb, actor: CurrentActor, response: Response
) -> SeenWorkspace:
    return tagged(response, await queries.get(db, actor, workspace_id))


@router.put("/{workspace_id}", name="replace_workspace", response_model=WorkspaceOut)
@router.patch("/{workspace_id}", response_model=WorkspaceOut)
async def update_workspace(
    workspace_id: IdParameter,
    body: WorkspacePatch,
    db: Db,
    actor: CurrentActor,
    if_match: IfMatch,
    response: Response,
) -> SeenWorkspace:
    """Only what is sent changes. PUT does the same, so a client that knows fewer fields wipes none."""
    return tagged(response, await service.update(db, actor, workspace_id, body, if_match))


@router.delete("/{workspace_id}", status_code=204)
async def delete_workspace(
    workspace_id: IdParameter, db: Db, actor: AdminScopedActor, if_match: IfMatch
) -> None:
    """Ends the membership of everybody in it, so it takes a token of the scope `admin`."""
    await service.delete(db, actor, workspace_id, if_match)
