"""The people of this server, for its administrators and for the command line (`actor` None).

Administrators see accounts, not what is in other people's workspaces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Select, select

from dutiful import clock, paging
from dutiful.access import Actor
from dutiful.accounts import password_resets, service
from dutiful.accounts.password_resets import Link
from dutiful.accounts.schemas import AccountCreate, AccountPatch
from dutiful.changes import account_log
from dutiful.database.session import Database, Reader, Writer
from dutiful.errors import Conflict, Forbidden, NotFound
from dutiful.models import AccountEvent, User
from dutiful.paging import Order, Slice
from dutiful.settings import Settings
from dutiful.versions import Expected

_user_id = User.__table__.c.id
_event_id = AccountEvent.__table__.c.id
USERS_IN_ORDER = Order("id", _user_id, _user_id)
NEWEST_FIRST = Order("-id", _event_id, _event_id, descending=True)


@dataclass(frozen=True, slots=True)
class Account:
    """A person as an administrator sees them: without their workspaces."""

    id: int
    email: str | None
    name: str
    timezone: str
    is_admin: bool
    has_password: bool
    disabled_at: datetime | None
    erased_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, user: User) -> Self:
        return cls(**{field.name: getattr(user, field.name) for field in fields(cls)})


# --- reads ------------------------------------------------------------------------------------------------------------


async def page(session: Reader, wanted: Slice) -> tuple[Sequence[Account], str | None]:
    users, next_cursor = await paging.page(session, select(User), USERS_IN_ORDER, wanted)
    return [Account.of(user) for user in users], next_cursor


async def get(session: Reader | Writer, user_id: int) -> User:
    user: User | None = await session.scalar(select(User).where(User.id == user_id))
    if user is None:
        raise no_such_user()
    return user


def no_such_user() -> NotFound:
    return NotFound("There is no such person on this server.")


async def page_events(
    session: Reader, user_id: int, wanted: Slice
) -> tuple[Sequence[AccountEvent], str | None]:
    """What happened to an account, the latest first."""
    events = select(AccountEvent).where(AccountEvent.user_id == user_id)
    return await paging.page(session, events, NEWEST_FIRST, wanted)


# --- writes -----------------------------------------------------------------------------------------------------------


async def create(
    session: Writer, actor: Actor, wanted: AccountCreate, settings: Settings
) -> tuple[Account, Link]:
    """A person, and the link with which they set their password."""
    await require_still_admin(session, actor)
    user = await service.create_user(
        session,
        wanted.name or wanted.email.partition("@")[0],
        email=wanted.email,
        timezone=wanted.timezone,
        is_admin=wanted.is_admin,
        actor_id=actor.user_id,
    )
    return Account.of(user), await password_resets.give(session, user, actor.user_id, settings)


async def update(
    session: Writer, actor: Actor, user_id: int, patch: AccountPatch, expected: Expected
) -> Account:
    if patch.sent().get("is_admin") is False:
        await keep_an_admin(session, user_id)
    await require_still_admin(session, actor)
    user = await get_for_write(session, user_id)
    expected.check(Account.of(user))
    await change(session, user, patch.sent(), actor.user_id)
    return Account.of(user)


async def change(session: Writer, user: User, wanted: Mapping[str, Any], actor_id: int | None) -> None:
    changes = {name: value for name, value in wanted.items() if getattr(user, name) != value}
    if not changes:
        return
    if changes.get("is_admin") is False:
        await keep_an_admin(session, user.id)
    for name, value in changes.items():
        setattr(user, name, value)
    await session.flush()
    account_log.record(session, user.id, actor_id, "user.updated", fields=sorted(changes))


async def reset_password(session: Writer, actor: Actor, user_id: int, settings: Settings) -> Link:
    await require_still_admin(session, actor)
    return await password_resets.give(session, await get_for_write(session, user_id), actor.user_id, settings)


async def stop(database: Database, actor: Actor | None, user_id: int) -> None:
    """Lets the person do nothing any more, at once, whatever tokens they have.

    On its own, before `wait_for_writes`: that waits for the writes they have begun, and as long as new ones could begin
    it might wait for ever.
    """

    async def work(session: Writer) -> None:
        if actor is not None and not actor.is_admin:
            raise not_an_administrator()
        if actor is not None and user_id == actor.user_id:
            raise Conflict("You cannot disable yourself. Ask another administrator.", code="oneself")
        # All administrators first, in the order of their ids: or two who do this would wait for each other.
        await keep_an_admin(session, user_id)
        if actor is not None:
            await require_still_admin(session, actor)
        user = await get_for_write(session, user_id)
        if user.disabled_at is None:
            user.disabled_at = clock.now()
            account_log.record(session, user.id, actor.user_id if actor else None, "user.disabled")

    await database.write(work)


async def wait_for_writes(session: Writer, user_id: int) -> User:
    """Until what the person had begun is committed, or was given up. Their row is locked to the end."""
    user = await session.scalar(select(User).where(User.id == user_id).with_for_update())
    if user is None:
        raise no_such_user()
    return user


async def enable(session: Writer, actor: Actor | None, user_id: int) -> User:
    if actor is not None:
        await require_still_admin(session, actor)
    user = await get_for_write(session, user_id)
    if user.disabled_at is not None:
        user.disabled_at = None
        account_log.record(session, user.id, actor.user_id if actor else None, "user.enabled")
        await session.flush()
    return user


async def get_for_write(session: Writer, user_id: int) -> User:
    """Locked until the transaction ends. Nothing is done to an account that was erased."""
    user = await session.scalar(_locked(User.id == user_id))
    if user is None:
        raise no_such_user()
    if user.erased_at is not None:
        raise Conflict("This account was erased. Nothing brings it back.", code="erased")
    return user


async def require_still_admin(session: Writer, actor: Actor) -> None:
    """Another administrator may have taken the right away since the token was read; from here on they wait."""
    still = select(User.id).where(User.id == actor.user_id, User.is_admin, User.disabled_at.is_(None))
    if await session.scalar(still.with_for_update(read=True)) is None:
        raise not_an_administrator()


def not_an_administrator() -> Forbidden:
    return Forbidden("Only an administrator of this server may do this.")


async def keep_an_admin(session: Writer, user_id: int) -> None:
    """Locks them all: two administrators who remove each other must not both succeed."""
    admins = await session.scalars(_locked(User.is_admin, User.disabled_at.is_(None)).order_by(User.id))
    ids = {admin.id for admin in admins}
    if ids == {user_id}:
        raise Conflict(
            "This is the last administrator. Make somebody else one first.", code="last_administrator"
        )


def _locked(*conditions: Any) -> Select[User]:
    # As it is now, even if this transaction read it before it had the lock.
    return (
        select(User)
        .where(*conditions)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
