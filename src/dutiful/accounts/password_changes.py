"""Changing a password, and what ends with the old one."""

from dataclasses import dataclass

from sqlalchemy import Select, delete, select

from dutiful.access import Actor
from dutiful.accounts import confirmation, sign_in, throttling
from dutiful.accounts.confirmation import Confirmation
from dutiful.accounts.passwords import hash_password
from dutiful.changes import account_log
from dutiful.database.session import Database, Writer
from dutiful.errors import Fault, Invalid
from dutiful.models import PasswordReset, Token, User


@dataclass(frozen=True, slots=True)
class Change:
    """Ready to be written. Refusals are kept for the transaction: a repeated keyed request is answered first."""

    confirmation: Confirmation
    new_hash: str | None = None
    refusal: Invalid | None = None


async def prepare(database: Database, actor: Actor, current: str | None, new: str) -> Change:
    confirmed = await confirmation.confirm(database, actor, current, "password")
    if not confirmed.is_right:
        return Change(confirmed)
    try:
        new_hash = await hash_for("/new_password", new, confirmed.name, confirmed.email)
    except Invalid as refusal:
        return Change(confirmed, refusal=refusal)
    await sign_in.stop(database, sign_in.others_of(actor))
    return Change(confirmed, new_hash)


async def change(session: Writer, actor: Actor, prepared: Change) -> None:
    """Ends the other sign-ins. API tokens stay: they were made for programs, which know no password."""
    user = await confirmation.require(session, actor, prepared.confirmation, "/current_password")
    if prepared.refusal is not None:
        raise prepared.refusal
    user.password_hash = prepared.new_hash
    await session.execute(delete(Token).where(sign_in.others_of(actor)))
    account_log.record(session, user.id, actor.user_id, "password.changed")


async def hash_for(pointer: str, password: str, *about: str | None) -> str:
    """The hash, or the refusal of that field."""
    try:
        return await hash_password(password, *about)
    except Invalid as refusal:
        fault = Fault(pointer, refusal.detail, "weak_password")
        raise Invalid("The request has a value that cannot be used.", fault) from None


async def replace(session: Writer, user: User, new_hash: str, actor_id: int | None, verb: str) -> None:
    """By somebody who need not know the old one. Ends every sign-in, every pause and every other link."""
    user.password_hash = new_hash
    await session.execute(delete(Token).where(sign_in.of_user(user.id)))
    await session.execute(
        delete(PasswordReset).where(PasswordReset.user_id == user.id, PasswordReset.used_at.is_(None))
    )
    await throttling.forget_account(session, user.id)
    account_log.record(session, user.id, actor_id, verb)


async def set_password(database: Database, user_id: int, new_hash: str) -> None:
    """For the person who runs the server."""
    await sign_in.stop(database, sign_in.of_user(user_id))

    async def work(session: Writer) -> None:
        user = (await session.scalars(locked(user_id))).one()
        await replace(session, user, new_hash, None, "password.set")

    await database.write(work)


def locked(user_id: int) -> Select[User]:
    return select(User).where(User.id == user_id).with_for_update(key_share=True)
