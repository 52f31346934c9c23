"""Signing in and out."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from dutiful.access import Actor
from dutiful.accounts import sign_in
from dutiful.accounts.schemas import SessionCreated, SessionOut, SignIn
from dutiful.accounts.sign_in import Attempt
from dutiful.api.deps import (
    AdminScopedActor,
    CurrentActor,
    CurrentVisitor,
    Db,
    OwnCommit,
    ReadDb,
    SignedInActor,
    WantedSlice,
    get_database,
    get_prepared,
    get_visitor,
)
from dutiful.api.idempotency import shows_secret
from dutiful.api.preparing import admin_scoped_actor, body_of, id_of
from dutiful.api.transaction import TransactionRoute, prepared_by
from dutiful.models import Token
from dutiful.vocabulary import IdParameter, Page

router = APIRouter(prefix="/sessions", tags=["sessions"], route_class=TransactionRoute)


async def _try_password(request: Request) -> Attempt | None:
    body = await body_of(request, SignIn)
    if body is None:
        return None
    password = body.password.get_secret_value()
    return await sign_in.try_password(get_database(request), body.email, password, await get_visitor(request))


@router.post("", name="sign_in", status_code=201)
@shows_secret
@prepared_by(_try_password)
async def create_session(
    body: SignIn,
    db: Db,
    visitor: CurrentVisitor,
    attempt: Annotated[Attempt, Depends(get_prepared)],
    response: Response,
) -> SessionCreated:
    """Takes no token. The answer shows one for 30 days that may do all that the person may; it is kept nowhere. The
    same 401 for a wrong password and for an account that does not exist or is disabled. After some failures there are
    pauses, told by 429 and `Retry-After`."""
    token, secret, user = await sign_in.begin(db, attempt, visitor)
    response.headers["Location"] = f"/api/v1/sessions/{token.id}"
    shown = {"id": token.id, "token": secret, "expires_at": token.expires_at, "user": user}
    return SessionCreated.model_validate(shown)


@router.get("", response_model=Page[SessionOut])
async def list_sessions(db: ReadDb, actor: CurrentActor, wanted: WantedSlice) -> Any:
    """One's own sign-ins."""
    tokens, next_cursor = await sign_in.page(db, actor, wanted)
    items = [_shown(token, actor) for token in tokens]
    return {"items": items, "count": len(items), "next_cursor": next_cursor}


def _shown(token: Token, actor: Actor) -> SessionOut:
    columns = {name: getattr(token, name) for name in SessionOut.model_fields if name != "is_current"}
    return SessionOut(**columns, is_current=token.id == actor.token_id)


async def _stop_one(request: Request) -> None:
    session_id = id_of(request, "session_id")
    if session_id is not None and (actor := await admin_scoped_actor(request)) is not None:
        await sign_in.stop(get_database(request), sign_in.one_of(actor, session_id))


async def _stop_others(request: Request) -> None:
    if (actor := await admin_scoped_actor(request)) is not None:
        await sign_in.stop(get_database(request), sign_in.others_of(actor))


@router.delete("/current", name="sign_out", status_code=204)
async def end_current_session(db: Db, own_commit: OwnCommit, actor: SignedInActor) -> None:
    """The token of this request works no more."""
    await sign_in.stop(own_commit, sign_in.one_of(actor, None))
    await sign_in.end_one(db, actor, None)


@router.delete("/{session_id}", name="end_session", status_code=204)
@prepared_by(_stop_one)
async def end_session(session_id: IdParameter, db: Db, actor: AdminScopedActor) -> None:
    await sign_in.end_one(db, actor, session_id)


@router.delete("", name="end_other_sessions", status_code=204)
@prepared_by(_stop_others)
async def end_other_sessions(db: Db, actor: AdminScopedActor) -> None:
    """All of one's sign-ins but the one this request came with. API tokens stay."""
    await sign_in.end(db, actor, sign_in.others_of(actor))
