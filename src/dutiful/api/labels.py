"""Labels."""

from typing import Annotated, Any

from fastapi import APIRouter, Response

from dutiful.access import get
from dutiful.api.deps import CurrentActor, Db, IfMatch, ReadDb, WantedSlice, of_query
from dutiful.api.headers import created, tagged
from dutiful.api.transaction import TransactionRoute
from dutiful.labels import queries, service
from dutiful.labels.queries import LabelFilter
from dutiful.labels.schemas import LabelCreate, LabelOut, LabelPatch
from dutiful.models import Label
from dutiful.vocabulary import IdParameter, Page

router = APIRouter(prefix="/labels", tags=["labels"], route_class=TransactionRoute)


@router.get("", response_model=Page[LabelOut])
async def list_labels(
    db: ReadDb,
    actor: CurrentActor,
    wanted: WantedSlice,
    narrow: Annotated[LabelFilter, of_query(LabelFilter)],
) -> Any:
    items, next_cursor = await queries.page(db, actor, wanted, narrow)
    return {"items": items, "count": len(items), "next_cursor": next_cursor}


@router.post("", status_code=201, response_model=LabelOut)
async def create_label(body: LabelCreate, db: Db, actor: CurrentActor, response: Response) -> Label:
    label = await service.create(db, actor, body)
    return created(response, label, f"/api/v1/labels/{label.id}")


@router.get("/{label_id}", response_model=LabelOut)
async def get_label(label_id: IdParameter, db: ReadDb, actor: CurrentActor, response: Response) -> Label:
    return tagged(response, await get(db, actor, Label, label_id))


@router.put("/{label_id}", name="replace_label", response_model=LabelOut)
@router.patch("/{label_id}", response_model=LabelOut)
async def update_label(
    label_id: IdParameter,
    body: LabelPatch,
    db: Db,
    actor: CurrentActor,
    if_match: IfMatch,
    response: Response,
) -> Label:
    """Only what is sent changes. PUT does the same, so a client that knows fewer fields wipes none."""
    return tagged(response, await service.update(db, actor, label_id, body, if_match))


@router.delete("/{label_id}", status_code=204)
async def delete_label(label_id: IdParameter, db: Db, actor: CurrentActor, if_match: IfMatch) -> None:
    """To the trash, and off every task."""
    await service.delete(db, actor, label_id, if_match)


@router.post("/{label_id}/restore", response_model=LabelOut)
async def restore_label(
    label_id: IdParameter, db: Db, actor: CurrentActor, if_match: IfMatch, response: Response
) -> Label:
    """Out of the trash, and back on the tasks it was on. A name taken meanwhile gets a number, as in “Name (2)”."""
    return tagged(response, await service.restore(db, actor, label_id, if_match))
