"""Forgetting a person: their data goes, what they wrote for others stays in the workspaces they shared.

The row stays behind without anything that tells who it was, because journals and tasks name its id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import orjson
from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import aliased

from dutiful import access, clock
from dutiful.access import Actor
from dutiful.accounts import administration, throttling
from dutiful.accounts.authentication import not_valid, stopping, usable_tokens
from dutiful.changes import account_log, journal
from dutiful.database.session import Database, Reader, Writer, run_before_commit
from dutiful.errors import Conflict
from dutiful.models import (
    IdempotencyKey,
    Invitation,
    Member,
    PasswordReset,
    Role,
    SignInPlace,
    Task,
    Token,
    User,
    Workspace,
)
from dutiful.versions import ANY
from dutiful.workspaces import service as workspaces

NAME = "Deleted user"
# What an event may keep of its details: numbers and words of ours, nothing that a person typed or was reached by.
_KEPT_DETAILS = ("fields", "reset_id", "role", "token_id", "token_ids", "was", "workspace_id")
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace of theirs, as far as it matters for leaving it."""

    id: int
    name: str
    is_personal: bool
    is_deleted: bool
    others: int
    is_only_owner: bool

    @property
    def is_theirs_alone(self) -> bool:
        return self.is_personal or self.others == 0


@dataclass(frozen=True, slots=True)
class Stopped:
    """Tokens, and when they would have expired."""

    expiries: Mapping[int, datetime | None]
    at: datetime


async def prepare(database: Database, actor: Actor | None, user_id: int) -> Stopped | None:
    """Refuses what must be settled first, then stops the person's tokens, on its own; but the one that they ask with
    themselves. Whoever is not erased after all must have them back (`give_back`)."""

    async def work(session: Writer) -> Stopped | None:
        await administration.keep_an_admin(session, user_id)
        if actor is not None:
            await _require_still_able(session, actor, user_id)
        _refuse_to_orphan(await _places(session, user_id))
        return await _stop(session, user_id, keep=None if actor is None else actor.token_id)

    return await database.write(work)


async def give_back(database: Database, stopped: Stopped | None) -> None:
    """Those that are still there: the erasure, if it happened, has deleted them."""
    if stopped is not None:
        values = {
            "ids": list(stopped.expiries),
            "expiries": list(stopped.expiries.values()),
            "at": stopped.at,
        }
        await database.run_aside(_GIVE_BACK.bindparams(**values))


async def _require_still_able(session: Writer, actor: Actor, user_id: int) -> None:
    """Two administrators who erase each other come here one after the other, and the second has been stopped by then:
    or each would lose their tokens, and neither be erased."""
    if actor.token_id not in await usable_tokens(session, [actor.token_id or 0]):
        raise not_valid()
    if user_id != actor.user_id:
        await administration.require_still_admin(session, actor)


async def _stop(session: Writer, user_id: int, *, keep: int | None) -> Stopped | None:
    theirs = select(Token.id, Token.expires_at).where(Token.user_id == user_id, Token.id != (keep or 0))
    expiries = dict((await session.execute(theirs.with_for_update(key_share=True))).all())
    stopped = stopping(Token.id.in_(expiries)).returning(Token.id, Token.expires_at)
    now_expired = dict((await session.execute(stopped)).all())
    at = next(iter(now_expired.values()), None)
    return None if at is None else Stopped({token_id: expiries[token_id] for token_id in now_expired}, at)


async def erase_at_once(database: Database, user_id: int) -> None:
    """For the command line."""
    stopped = await prepare(database, None, user_id)
    try:
        await database.write(lambda session: erase(session, None, user_id))
    except Exception:
        await give_back(database, stopped)
        raise


async def erase_other(session: Writer, actor: Actor, user_id: int) -> None:
    # All administrators first, in the order of their ids: or two who do this would wait for each other.
    await administration.keep_an_admin(session, user_id)
    await administration.require_still_admin(session, actor)
    if user_id == actor.user_id:
        raise Conflict("Erase yourself with DELETE /api/v1/users/me and your password.", code="oneself")
    await erase(session, actor, user_id)


async def erase(session: Writer, actor: Actor | None, user_id: int) -> None:
    """After `prepare`. `actor` is None for the command line."""
    await administration.keep_an_admin(session, user_id)
    user = await administration.wait_for_writes(session, user_id)
    if user.erased_at is not None:
        raise administration.no_such_user()
    places = await _lock_places(session, user_id)
    _refuse_to_orphan(places)
    await _leave(session, actor, user, [place for place in places if not place.is_theirs_alone])
    await _forget_traces(session, user)
    await _purge(session, [place.id for place in places if place.is_theirs_alone])
    _forget_person(user)
    account_log.record(session, user_id, actor.user_id if actor else None, "user.erased")
    await session.flush()


# --- workspaces -------------------------------------------------------------------------------------------------------


async def _lock_places(session: Writer, user_id: int) -> Sequence[Place]:
    """All at once, in the order that everybody keeps."""
    ids = [place.id for place in await _places(session, user_id)]
    await access.lock_workspaces(session, ids)
    return await _places(session, user_id)


async def _places(session: Reader | Writer, user_id: int) -> Sequence[Place]:
    other = aliased(Member)
    among_others = (other.workspace_id == Workspace.id) & (other.user_id != user_id)
    others = select(func.count(other.id)).where(among_others).correlate(Workspace).scalar_subquery()
    owner = (
        select(other.id)
        .join(User, User.id == other.user_id)
        .where(among_others, other.role == Role.OWNER, User.disabled_at.is_(None))
        .correlate(Workspace)
    )
    statement = (
        select(
            Workspace.id,
            Workspace.name,
            Workspace.personal_of.is_not(None),
            Workspace.deleted_at.is_not(None),
            others,
            (Member.role == Role.OWNER) & ~owner.exists(),
        )
        .join(Member, Member.workspace_id == Workspace.id)
        .where(Member.user_id == user_id)
        .order_by(Workspace.id)
    )
    return [Place(*row) for row in await session.execute(statement)]


def _refuse_to_orphan(places: Sequence[Place]) -> None:
    orphans = [
        place
        for place in places
        if place.is_only_owner and not place.is_theirs_alone and not place.is_deleted
    ]
    if orphans:
        named = ", ".join(f"“{place.name}” ({place.id})" for place in orphans[:_MOST_NAMED])
        more = len(orphans) - _MOST_NAMED
        raise Conflict(
            f"They are the last owner of workspaces that others are in: {named}{f' and {more} more' if more > 0 else ''}. "
            "Make somebody else an owner there, or delete them, first.",
            code="last_owner",
        )


async def _leave(session: Writer, actor: Actor | None, user: User, places: Sequence[Place]) -> None:
    """In their own name, as if they had left themselves: whoever erases them is perhaps no member there."""
    leaver = await _as_actor(session, user)
    if actor is not None:
        leaver = replace(leaver, request_id=actor.request_id)
    for place in places:
        if place.is_deleted:
            await _leave_deleted(session, leaver, place.id)
        else:
            await workspaces.remove_member(session, leaver, place.id, user.id, ANY)
    # Numbered now: the journal of the personal workspace, which is told as well, is gone at the end.
    await run_before_commit(session)
    journal.keep_private(session, [place.id for place in places] + [leaver.personal_workspace_id])


async def _leave_deleted(session: Writer, leaver: Actor, workspace_id: int) -> None:
    """One in the trash, which an owner may still bring back. To its members it is gone already."""
    assigned = select(Task).where(Task.workspace_id == workspace_id, Task.assignee_id == leaver.user_id)
    for task in await session.scalars(assigned.order_by(Task.id)):
        before = task.state()
        task.assignee_id = None
        journal.record(session, leaver, "task.updated", task, before)
    await session.flush()
    mine = select(Member).where(Member.workspace_id == workspace_id, Member.user_id == leaver.user_id)
    member = (await session.scalars(mine)).one()
    journal.record_removal(session, leaver, "member.removed", member)
    await session.delete(member)


async def _as_actor(session: Writer, user: User) -> Actor:
    home = select(Workspace.id, Workspace.inbox_id).where(Workspace.personal_of == user.id)
    workspace_id, inbox_id = (await session.execute(home)).one()
    return Actor(
        user.id, user.timezone, is_admin=False, personal_workspace_id=workspace_id, inbox_id=inbox_id
    )


async def _purge(session: Writer, workspace_ids: Sequence[int]) -> None:
    """For good, journal and all."""
    # Tasks name members, who would go first.
    await session.execute(delete(Task).where(Task.workspace_id.in_(workspace_ids)))
    await session.execute(delete(Workspace).where(Workspace.id.in_(workspace_ids)))
    journal.keep_private(session, workspace_ids)


# --- the person -------------------------------------------------------------------------------------------------------


def _forget_person(user: User) -> None:
    user.name = NAME
    user.email = None
    user.password_hash = None
    user.timezone = "UTC"
    user.week_start = 1
    user.is_admin = False
    user.disabled_at = user.erased_at = clock.now()


async def _forget_traces(session: Writer, user: User) -> None:
    for table in (Token, PasswordReset, SignInPlace):
        await session.execute(delete(table).where(table.user_id == user.id))
    # A link made by somebody who is gone would let in whoever has it.
    await session.execute(delete(Invitation).where(Invitation.created_by == user.id))
    await throttling.forget_account(session, user.id)
    await session.execute(_KEEP_IDS_OF_EVENTS, {"user_id": user.id, "kept": list(_KEPT_DETAILS)})
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.user_id == user.id))
    await session.execute(_FORGET_KEPT_ANSWERS, {"shown": _as_shown(user)})


def _as_shown(user: User) -> list[bytes]:
    """How answers that are kept for other people's requests show this person."""
    fields = {"name": user.name, "email": user.email}
    return [orjson.dumps({name: value})[1:-1] for name, value in fields.items() if value]


_KEEP_IDS_OF_EVENTS = text("""
    UPDATE account_events SET details = coalesce((
        SELECT jsonb_object_agg(key, value) FROM jsonb_each(details) WHERE key = ANY(CAST(:kept AS text[]))
    ), '{}')
    WHERE user_id = :user_id
""")

# Whoever repeats such a request is told that it was done, and that the answer is not kept.
_FORGET_KEPT_ANSWERS = text("""
    UPDATE idempotency_keys SET body = NULL
    WHERE EXISTS (SELECT 1 FROM unnest(CAST(:shown AS bytea[])) AS shown WHERE position(shown IN body) > 0)
""")

_GIVE_BACK = text("""
    UPDATE tokens SET expires_at = was.expires_at
    FROM unnest(CAST(:ids AS bigint[]), CAST(:expiries AS timestamptz[])) AS was (id, expires_at)
    WHERE tokens.id = was.id AND tokens.expires_at = :at
""")
