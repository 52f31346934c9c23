"""The trash: what was deleted, and until when it can be restored."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from dutiful import trash_list
from dutiful.api.deps import CurrentActor, CurrentSettings, ReadDb, WantedSlice
from dutiful.api.transaction import TransactionRoute
from dutiful.vocabulary import IdParameter, Output, Page

router = APIRouter(prefix="/trash", tags=["trash"], route_class=TransactionRoute)


class DeletionOut(Output):
    """One deletion. `POST /{type}s/{id}/restore` takes it back, with all that went `along`, until `purge_at`."""

    type: Literal["project", "section", "label", "task"]
    id: int
    workspace_id: int
    name: str
    version: int
    deleted_at: datetime
    along: int
    purge_at: datetime


@router.get("", response_model=Page[DeletionOut])
async def list_trash(
    db: ReadDb,
    actor: CurrentActor,
    wanted: WantedSlice,
    settings: CurrentSettings,
    workspace_id: Annotated[IdParameter | None, Query(description="Instead of all of yours.")] = None,
) -> Any:
    """Deletions, the newest first. What went to the trash along with another thing is counted there."""
    items, next_cursor = await trash_list.page(db, actor, wanted, workspace_id, settings.trash_age)
    return {"items": items, "count": len(items), "next_cursor": next_cursor}
