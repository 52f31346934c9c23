"""What happened to accounts: sign-ins, tokens, passwords, rights. Only ever added to."""

from typing import Any

from fastapi import APIRouter

from dutiful.accounts import administration
from dutiful.accounts.schemas import AccountEventOut
from dutiful.api.deps import Administrator, CurrentActor, ReadDb, WantedSlice
from dutiful.api.transaction import TransactionRoute
from dutiful.vocabulary import IdParameter, Page

router = APIRouter(prefix="/users", tags=["users"], route_class=TransactionRoute)


@router.get("/me/events", response_model=Page[AccountEventOut])
async def list_my_events(db: ReadDb, actor: CurrentActor, wanted: WantedSlice) -> Any:
    """The latest first."""
    items, next_cursor = await administration.page_events(db, actor.user_id, wanted)
    return {"items": items, "count": len(items), "next_cursor": next_cursor}


@router.get("/{user_id}/events", response_model=Page[AccountEventOut])
async def list_user_events(user_id: IdParameter, db: ReadDb, _: Administrator, wanted: WantedSlice) -> Any:
    """For administrators. The latest first; of an erased person too, without what told who they were."""
    await administration.get(db, user_id)
    items, next_cursor = await administration.page_events(db, user_id, wanted)
    return {"items": items, "count": len(items), "next_cursor": next_cursor}
