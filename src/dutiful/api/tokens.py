"""One's own API tokens."""

from typing import Any

from fastapi import APIRouter, Response

from dutiful.accounts import queries, service
from dutiful.accounts.schemas import TokenCreate, TokenCreated, TokenOut
from dutiful.api.deps import AdminScopedActor, CurrentActor, Db, OwnCommit, ReadDb, SignedInActor, WantedSlice
from dutiful.api.idempotency import shows_secret
from dutiful.api.transaction import TransactionRoute
from dutiful.models import Token
from dutiful.vocabulary import IdParameter, Page

router = APIRouter(prefix="/tokens", tags=["tokens"], route_class=TransactionRoute)


@router.get("", response_model=Page[TokenOut])
async def list_tokens(db: ReadDb, actor: CurrentActor, wanted: WantedSlice) -> Any:
    items, next_cursor = await queries.page_tokens(db, actor, wanted)
    return {"items": items, "count": len(items), "next_cursor": next_cursor}


@router.post("", status_code=201)
@shows_secret
async def create_token(
    body: TokenCreate, db: Db, actor: AdminScopedActor, response: Response
) -> TokenCreated:
    """The answer shows the secret once; it is kept nowhere."""
    token, secret = await service.issue_token(db, actor, body)
    response.headers["Location"] = f"/api/v1/tokens/{token.id}"
    return TokenCreated(**TokenOut.model_validate(token).model_dump(), token=secret)


@router.get("/{token_id}", response_model=TokenOut)
async def get_token(token_id: IdParameter, db: ReadDb, actor: CurrentActor) -> Token:
    return await queries.get_token(db, actor, token_id)


@router.delete("/{token_id}", status_code=204)
async def revoke_token(token_id: IdParameter, db: Db, own_commit: OwnCommit, actor: SignedInActor) -> None:
    """Any token may revoke itself; revoking another takes the scope `admin`."""
    await service.stop_own_token(own_commit, actor, token_id)
    await service.revoke_own_token(db, actor, token_id)
