"""The person who asks, and for administrators everybody."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from dutiful.access import Actor
from dutiful.accounts import administration, confirmation, erasure, queries, service, sign_up
from dutiful.accounts.administration import Account
from dutiful.accounts.confirmation import Confirmation
from dutiful.accounts.schemas import (
    AccountCreate,
    AccountCreated,
    AccountOut,
    AccountPatch,
    Goodbye,
    PasswordResetLink,
    SignUp,
    UserOut,
    UserPatch,
)
from dutiful.api.deps import (
    Administrator,
    AdminScopedActor,
    CurrentActor,
    CurrentSettings,
    Db,
    IfMatch,
    ReadDb,
    WantedSlice,
    get_database,
    get_prepared,
    get_settings,
    get_visitor,
)
from dutiful.api.headers import created, tagged
from dutiful.api.idempotency import shows_secret
from dutiful.api.preparing import admin_scoped_actor, body_of, id_of, revealed
from dutiful.api.transaction import TransactionRoute, if_refused, prepared_by
from dutiful.models import User
from dutiful.vocabulary import IdParameter, Page

router = APIRouter(tags=["users"], route_class=TransactionRoute)


@router.get("/users/me", response_model=UserOut)
async def get_me(db: ReadDb, actor: CurrentActor, response: Response) -> User:
    return tagged(response, await queries.get_user(db, actor))


@router.put("/users/me", name="replace_me", response_model=UserOut)
@router.patch("/users/me", response_model=UserOut)
async def update_me(
    body: UserPatch, db: Db, actor: CurrentActor, if_match: IfMatch, response: Response
) -> User:
    """Only what is sent changes. PUT does the same, so a client that knows fewer fields wipes none."""
    return tagged(response, await service.update_user(db, actor, body, if_match))


async def _prepare_goodbye(request: Request) -> Confirmation | None:
    body, actor = await body_of(request, Goodbye), await admin_scoped_actor(request)
    if body is None or actor is None:
        return None
    password = revealed(body.password)
    shown = await confirmation.confirm(get_database(request), actor, password, "erasure")
    if shown.is_right:
        await _stop_tokens(request, actor, actor.user_id)
    return shown


async def _stop_tokens(request: Request, actor: Actor, user_id: int) -> None:
    database = get_database(request)
    stopped = await erasure.prepare(database, actor, user_id)
    if_refused(request, lambda: erasure.give_back(database, stopped))


@router.delete("/users/me", status_code=204)
@prepared_by(_prepare_goodbye)
async def erase_me(
    body: Goodbye,
    db: Db,
    actor: AdminScopedActor,
    shown: Annotated[Confirmation, Depends(get_prepared)],
) -> None:
    """For good. What one wrote in workspaces shared with others stays there, under “Deleted user”; one's own workspaces
    and everything that tells who one was are gone."""
    await confirmation.require(db, actor, shown, "/password")
    await erasure.erase(db, actor, actor.user_id)


# --- signing up -------------------------------------------------------------------------------------------------------


async def _prepare_sign_up(request: Request) -> sign_up.Prepared | None:
    body = await body_of(request, SignUp)
    if body is None:
        return None
    return await sign_up.prepare(
        get_database(request), await get_settings(request), body, await get_visitor(request)
    )


@router.post("/sign-up", name="sign_up", status_code=201, response_model=UserOut)
@prepared_by(_prepare_sign_up)
async def make_account(
    body: SignUp,
    db: Db,
    prepared: Annotated[sign_up.Prepared, Depends(get_prepared)],
    response: Response,
) -> User:
    """Takes no token. 403 on a server that is not open to sign-ups, which is the default. Sign in afterwards."""
    return created(response, await sign_up.create(db, prepared), "/api/v1/users/me")


# --- for administrators -----------------------------------------------------------------------------------------------


@router.get("/users", response_model=Page[AccountOut])
async def list_users(db: ReadDb, _: Administrator, wanted: WantedSlice) -> Any:
    """For administrators, who see accounts but nobody's workspaces."""
    items, next_cursor = await administration.page(db, wanted)
    return {"items": items, "count": len(items), "next_cursor": next_cursor}


@router.post("/users", status_code=201)
@shows_secret
async def create_user(
    body: AccountCreate, db: Db, actor: Administrator, settings: CurrentSettings, response: Response
) -> AccountCreated:
    """For administrators. The answer has a link, good for a day and once, with which the person sets a password."""
    account, link = await administration.create(db, actor, body, settings)
    created(response, account, f"/api/v1/users/{account.id}")
    shown = AccountOut.model_validate(account).model_dump()
    return AccountCreated(**shown, password_reset=PasswordResetLink.model_validate(link))


@router.get("/users/{user_id}", response_model=AccountOut)
async def get_user(user_id: IdParameter, db: ReadDb, _: Administrator, response: Response) -> Account:
    """For administrators."""
    return tagged(response, Account.of(await administration.get(db, user_id)))


@router.put("/users/{user_id}", name="replace_user", response_model=AccountOut)
@router.patch("/users/{user_id}", response_model=AccountOut)
async def update_user(
    user_id: IdParameter,
    body: AccountPatch,
    db: Db,
    actor: Administrator,
    if_match: IfMatch,
    response: Response,
) -> Account:
    """For administrators. The last of them cannot be made an ordinary person."""
    return tagged(response, await administration.update(db, actor, user_id, body, if_match))


async def _stop_user(request: Request) -> None:
    user_id, actor = id_of(request, "user_id"), await admin_scoped_actor(request)
    if user_id is not None and actor is not None:
        await administration.stop(get_database(request), actor, user_id)


@router.post("/users/{user_id}/disable", response_model=AccountOut)
@prepared_by(_stop_user)
async def disable_user(user_id: IdParameter, db: Db, _: Administrator, response: Response) -> Account:
    """For administrators. Whatever token the person has works no more, at once; nothing of theirs is lost."""
    return tagged(response, Account.of(await administration.wait_for_writes(db, user_id)))


@router.post("/users/{user_id}/enable", response_model=AccountOut)
async def enable_user(user_id: IdParameter, db: Db, actor: Administrator, response: Response) -> Account:
    """For administrators. Tokens and sign-ins that have not expired work again."""
    return tagged(response, Account.of(await administration.enable(db, actor, user_id)))


@router.post("/users/{user_id}/password-reset")
@shows_secret
async def give_password_reset(
    user_id: IdParameter, db: Db, actor: Administrator, settings: CurrentSettings
) -> PasswordResetLink:
    """For administrators: a link to hand over, good for a day and once."""
    link = await administration.reset_password(db, actor, user_id, settings)
    return PasswordResetLink.model_validate(link)


async def _prepare_erasure(request: Request) -> None:
    user_id, actor = id_of(request, "user_id"), await admin_scoped_actor(request)
    if user_id is not None and actor is not None and actor.is_admin and user_id != actor.user_id:
        await _stop_tokens(request, actor, user_id)


@router.delete("/users/{user_id}", status_code=204)
@prepared_by(_prepare_erasure)
async def erase_user(user_id: IdParameter, db: Db, actor: Administrator) -> None:
    """For administrators: as `DELETE /users/me`, for somebody else. 409 names the workspaces of which they are the last
    owner."""
    await erasure.erase_other(db, actor, user_id)
