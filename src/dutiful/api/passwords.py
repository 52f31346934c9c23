"""Passwords: changing one's own, and links that set a forgotten one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from dutiful.accounts import password_changes, password_resets
from dutiful.accounts.password_changes import Change
from dutiful.accounts.password_resets import Use
from dutiful.accounts.schemas import (
    PasswordChange,
    PasswordResetAsked,
    PasswordResetRequest,
    PasswordResetUse,
)
from dutiful.api.deps import (
    AdminScopedActor,
    CurrentSettings,
    Db,
    get_database,
    get_prepared,
    get_settings,
    get_visitor,
)
from dutiful.api.preparing import admin_scoped_actor, body_of, revealed
from dutiful.api.transaction import TransactionRoute, prepared_by

router = APIRouter(tags=["sessions"], route_class=TransactionRoute)

_BY_MAIL = (
    "If somebody here has this e-mail address, a link is on its way to it. It works for an hour. "
    "If nothing comes, ask the administrator of this server for a link."
)
_BY_HAND = "This server sends no mail. Ask its administrator for a link: they make one with “dutiful user reset EMAIL”."


async def _prepare_change(request: Request) -> Change | None:
    body, actor = await body_of(request, PasswordChange), await admin_scoped_actor(request)
    if body is None or actor is None:
        return None
    current, new = revealed(body.current_password), body.new_password.get_secret_value()
    return await password_changes.prepare(get_database(request), actor, current, new)


@router.post("/users/me/password", status_code=204)
@prepared_by(_prepare_change)
async def change_my_password(
    body: PasswordChange,
    db: Db,
    actor: AdminScopedActor,
    change: Annotated[Change, Depends(get_prepared)],
) -> None:
    """Ends one's other sign-ins. API tokens stay."""
    await password_changes.change(db, actor, change)


async def _note_request(request: Request) -> bool:
    body = await body_of(request, PasswordResetRequest)
    if body is None or (await get_settings(request)).smtp_url is None:
        return False
    return await password_resets.note_request(get_database(request), body.email, await get_visitor(request))


@router.post("/password-resets", status_code=202)
@prepared_by(_note_request)
async def request_password_reset(
    body: PasswordResetRequest,
    db: Db,
    settings: CurrentSettings,
    may_mail: Annotated[bool, Depends(get_prepared)],
) -> PasswordResetAsked:
    """Takes no token. The same answer whether or not there is such an account."""
    if may_mail:
        await password_resets.request_mail(db, body.email)
    return PasswordResetAsked(detail=_BY_HAND if settings.smtp_url is None else _BY_MAIL)


async def _prepare_use(request: Request) -> Use | None:
    body = await body_of(request, PasswordResetUse)
    if body is None:
        return None
    return await password_resets.prepare_use(
        get_database(request),
        await get_settings(request),
        body.token.get_secret_value(),
        body.password.get_secret_value(),
        await get_visitor(request),
    )


@router.post("/password-resets/use", status_code=204)
@prepared_by(_prepare_use)
async def use_password_reset(
    body: PasswordResetUse,
    db: Db,
    settings: CurrentSettings,
    use: Annotated[Use, Depends(get_prepared)],
) -> None:
    """Sets the password, once, and ends every sign-in of the person. Takes no token but that of the link."""
    await password_resets.use(db, settings, use)
