"""Workspaces."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from dutiful import clock
from dutiful.api.deps import (
    AdminScopedActor,
    CurrentActor,
    CurrentSettings,
    Db,
    IfMatch,
    ReadDb,
    WantedSlice,
)
from dutiful.api.headers import created, tagged
from dutiful.api.transaction import TransactionRoute
from dutiful.settings import Settings
from dutiful.vocabulary import IdParameter, Page
from dutiful.workspaces import queries, service
from dutiful.workspaces.queries import SeenWorkspace
from dutiful.workspaces.schemas import Transfer, WorkspaceCreate, WorkspaceOut, WorkspacePatch

router = APIRouter(prefix="/workspaces", tags=["workspaces"], route_class=TransactionRoute)


@router.get("", response_model=Page[WorkspaceOut])
async def list_workspaces(
    db: ReadDb,
    actor: CurrentActor,
    wanted: WantedSlice,
    settings: CurrentSettings,
    *,
    deleted: Annotated[
        bool, Query(description="Only those that were deleted and that you may restore.")
    ] = False,
) -> Any:
    if deleted:
        items, next_cursor = await queries.page_restorable(db, actor, _end_of_trash(settings), wanted)
    else:
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


@router.post("/{workspace_id}/restore", response_model=WorkspaceOut)
async def restore_workspace(
    workspace_id: IdParameter,
    db: Db,
    actor: AdminScopedActor,
    settings: CurrentSettings,
    if_match: IfMatch,
    response: Response,
) -> SeenWorkspace:
    """For those who own it, within the days for which deleted things are kept. All who were in it are in it again."""
    since = _end_of_trash(settings)
    return tagged(response, await service.restore(db, actor, workspace_id, since, if_match))


@router.post("/{workspace_id}/transfer", status_code=204)
async def transfer_workspace(
    workspace_id: IdParameter, body: Transfer, db: Db, actor: AdminScopedActor, if_match: IfMatch
) -> None:
    """Makes another member an owner, and yourself an editor, a viewer, or no member any more, at once."""
    await service.transfer(db, actor, workspace_id, body, if_match)


def _end_of_trash(settings: Settings) -> datetime:
    """What was deleted before is about to go for good."""
    return clock.now() - settings.trash_age
