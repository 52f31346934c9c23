"""Taking changes back, and what there is to take back."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from dutiful.access import Actor
from dutiful.api.deps import CurrentActor, Db, ReadDb
from dutiful.api.idempotency import remade_by
from dutiful.api.transaction import TransactionRoute
from dutiful.database.session import Writer
from dutiful.errors import NotFound
from dutiful.history import latest, queries, service
from dutiful.history.schemas import DoneOut, RequestPage, UndoneOut, UndoWanted
from dutiful.history.service import Undone
from dutiful.vocabulary import BIGGEST_ID

MOST_REQUESTS = 100

router = APIRouter(tags=["undo"], route_class=TransactionRoute)

ChangeId = Annotated[
    str,
    Path(
        pattern=r"^[1-9][0-9]{0,18}-[1-9][0-9]{0,18}$",
        description="The id of a change, as the feed tells it.",
        examples=["1-42"],
    ),
]


@router.get("/changes/latest", response_model=RequestPage)
async def list_latest_requests(
    db: ReadDb, actor: CurrentActor, limit: Annotated[int, Query(ge=1, le=MOST_REQUESTS)] = 20
) -> Any:
    """Your own latest requests, newest first: what each did, and whether it can be taken back."""
    items = await latest.requests(db, actor, limit)
    return {"items": items, "count": len(items)}


async def _remake(session: Writer, actor: Actor, kept: Sequence[int], request: Request) -> bytes:
    ranges = list(zip(kept[0::3], kept[1::3], kept[2::3], strict=True))
    items = await queries.changes_between(session, actor, ranges)
    took_back: list[DoneOut] = await service.what_was_taken_back(session, items)
    return UndoneOut.model_validate(Undone(items, took_back, ranges)).model_dump_json().encode()


REFUSALS: dict[int | str, dict[str, Any]] = {
    409: {
        "description": "It cannot be taken back as things are now. `detail` says why and what to do, and `changes` names the "
        "changes that are in the way, newest first."
    },
    410: {"description": "The change is not kept any more."},
}


@router.post("/changes/{change_id}/undo", response_model=UndoneOut, responses=REFUSALS)
@remade_by(_remake)
async def undo_change(
    change_id: ChangeId, db: Db, actor: CurrentActor, request: Request, body: UndoWanted | None = None
) -> Undone:
    """Takes one change back, or with `"request": true` all that its request did, as new changes.

    What others changed since stays: then it is 409, and `changes` names what is in the way, newest first. An undo is a
    change as well, and can be taken back.
    """
    workspace_id, seq = map(int, change_id.split("-"))
    if max(workspace_id, seq) > BIGGEST_ID:
        raise NotFound("There is no such change, or you may not see it.")
    wanted = body or UndoWanted()
    undone = await service.undo(db, actor, workspace_id, seq, whole_request=wanted.request)
    request.state.made_ids = [number for each in undone.ranges for number in each]
    return undone
