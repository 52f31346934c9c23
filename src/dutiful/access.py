"""Who is asking, what they may see and what they may do.

Every select starts from `visible_workspaces`, every write from `get_for_write`: nothing is found without an actor.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from sqlalchemy import BigInteger, BindParameter, ColumnElement, Select, bindparam, select, true, union

from dutiful.database.base import Base
from dutiful.database.session import Reader, Writer
from dutiful.database.types import any_of
from dutiful.errors import Forbidden, NotFound
from dutiful.models import Label, Member, Project, Role, Scope, Section, Task, Workspace, WorkspaceCounter

Thing = TypeVar("Thing", Workspace, Project, Section, Label, Task)


@dataclass(frozen=True, slots=True)
class Actor:
    """The person behind a request and the token they came with, as read for this request."""

    user_id: int
    timezone: str
    is_admin: bool
    personal_workspace_id: int
    inbox_id: int
    token_id: int | None = None
    scope: Scope = Scope.READ
    request_id: uuid.UUID = field(default_factory=uuid.uuid4)
    last_use_is_old: bool = False

    def require_scope(self, scope: Scope) -> None:
        scopes = list(Scope)
        if scopes.index(self.scope) < scopes.index(scope):
            raise Forbidden(
                f"This token has the scope “{self.scope}”; “{scope}” is needed. Use another token."
            )


def visible_workspaces(actor: Actor) -> Select[int]:
    return workspaces_of(actor.user_id)


def workspaces_of(user_id: int | ColumnElement[int]) -> Select[int]:
    # A deleted workspace keeps its members, and none of them sees it.
    return (
        select(Member.workspace_id)
        .join(Workspace, Workspace.id == Member.workspace_id)
        .where(Member.user_id == user_id, Workspace.deleted_at.is_(None))
    )


VIEWER: BindParameter[int] = bindparam("viewer", type_=BigInteger)
"""The id of whoever asks, in statements that are written once and run for all."""


def is_visible(actor: Actor, thing: type[Thing]) -> ColumnElement[bool]:
    """True for the rows of `thing` that the actor may see, those in the trash left out."""
    return is_visible_to(actor.user_id, thing)


def is_visible_to(user_id: int | ColumnElement[int], thing: type[Thing]) -> ColumnElement[bool]:
    return workspace_of(thing).in_(workspaces_of(user_id)) & thing.deleted_at.is_(None)


def workspace_of(thing: type[Base]) -> ColumnElement[int]:
    return thing.__table__.c["id" if thing is Workspace else "workspace_id"]


async def get(session: Reader | Writer, actor: Actor, thing: type[Thing], thing_id: int) -> Thing:
    found = await session.scalar(select(thing).where(thing.id == thing_id, is_visible(actor, thing)))
    if found is None:
        raise not_found(thing)
    return found


async def get_for_write(
    session: Writer,
    actor: Actor,
    thing: type[Thing],
    thing_id: int,
    *,
    needs: Role = Role.EDITOR,
    deleted: bool = False,
) -> Thing:
    """The thing as it is now, with its workspace locked until the transaction ends.

    Locks before it reads: a row read earlier could be stale by the time the lock is given. What is held needs neither.
    """
    found = _held(session).things.get((thing, thing_id))
    if found is None:
        found, role = await _lock_and_read(session, actor, thing, thing_id, deleted=deleted)
    else:
        role = _held(session).roles[found.workspace_id]
        if (found.deleted_at is not None) is not deleted:
            raise not_found(thing)
    require_role(role, needs)
    return cast("Thing", found)


async def _lock_and_read(
    session: Writer, actor: Actor, thing: type[Thing], thing_id: int, *, deleted: bool
) -> tuple[Thing, Role]:
    await _lock_workspace_of(session, actor, thing, thing_id)
    statement = (
        select(thing, Member.role)
        .join(Member, (Member.workspace_id == workspace_of(thing)) & (Member.user_id == actor.user_id))
        .where(workspace_of(thing).in_(visible_workspaces(actor)))
        .where(thing.id == thing_id, thing.deleted_at.is_not(None) if deleted else thing.deleted_at.is_(None))
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise not_found(thing)
    found, role = row
    return found, role


@dataclass
class _Held:
    """What this transaction read, or made, under the lock. Nobody else can change it before the transaction ends."""

    roles: dict[int, Role] = field(default_factory=dict)
    things: dict[tuple[type[Any], int], Any] = field(default_factory=dict)


def _held(session: Writer) -> _Held:
    held: _Held = session.info.setdefault("held", _Held())
    return held


async def hold(session: Writer, actor: Actor, named: Mapping[type[Any], Collection[int]]) -> None:
    """Reads what is alive of the things named, as far as their workspaces are locked: `get_for_write` then asks no
    more. One statement for the actor's roles, and one for each type."""
    held = _held(session)
    held.roles |= await get_roles(session, actor, locked_workspaces(session))
    for thing, ids in named.items():
        if ids:
            here = workspace_of(thing).in_(held.roles)
            found = await session.scalars(
                select(thing).where(thing.id.in_(ids), here, thing.deleted_at.is_(None))
            )
            hold_made(session, found)


def hold_made(session: Writer, things: Iterable[Any]) -> None:
    """The same for things this transaction made."""
    held = _held(session)
    held.things.update(
        ((type(thing), thing.id), thing) for thing in things if thing.workspace_id in held.roles
    )


def find_held(session: Writer, thing: type[Thing], ids: Iterable[int]) -> list[Thing]:
    things = _held(session).things
    return [things[thing, one] for one in ids if (thing, one) in things]


async def lock_workspace(
    session: Writer, actor: Actor, workspace_id: int, *, needs: Role = Role.EDITOR
) -> None:
    """Locks one workspace for writing, if the actor may write there. Strangers lock nothing."""
    await _lock(session, WorkspaceCounter.workspace_id.in_(visible_workspaces(actor)), {workspace_id})
    require_role(await get_role(session, actor, workspace_id), needs)


async def lock_workspaces(session: Writer, workspace_ids: Iterable[int]) -> None:
    """Takes the row locks that put the writes of each workspace in order; lowest id first, so that two requests
    cannot wait for each other."""
    await _lock(session, true(), set(workspace_ids))


async def _lock(session: Writer, condition: ColumnElement[bool], workspace_ids: set[int]) -> None:
    wanted = workspace_ids - locked_workspaces(session).keys()
    if not wanted:
        return
    statement = (
        select(WorkspaceCounter.workspace_id, WorkspaceCounter.seq)
        .where(WorkspaceCounter.workspace_id.in_(wanted), condition)
        .order_by(WorkspaceCounter.workspace_id)
        .with_for_update()
    )
    await _note_locked(session, statement)


async def find_workspaces(
    session: Reader | Writer, actor: Actor, named: Mapping[type[Any], Collection[int]]
) -> set[int]:
    """The workspaces of the things named by id, as far as the actor sees them. One statement."""
    selects = [
        select(workspace_of(thing)).where(
            thing.id.in_(ids), workspace_of(thing).in_(visible_workspaces(actor))
        )
        for thing, ids in named.items()
        if ids
    ]
    return set(await session.scalars(union(*selects))) if selects else set()


async def _lock_workspace_of(session: Writer, actor: Actor, thing: type[Thing], thing_id: int) -> None:
    """One statement. Strangers lock nothing."""
    workspace_id = (
        select(workspace_of(thing))
        .where(thing.id == thing_id, workspace_of(thing).in_(visible_workspaces(actor)))
        .scalar_subquery()
    )
    statement = (
        select(WorkspaceCounter.workspace_id, WorkspaceCounter.seq)
        .where(WorkspaceCounter.workspace_id == workspace_id)
        .with_for_update()
    )
    if not await _note_locked(session, statement):
        raise not_found(thing)


async def _note_locked(session: Writer, statement: Select[int, int]) -> dict[int, int]:
    rows = await session.execute(statement)
    locked = {workspace_id: seq for workspace_id, seq in rows}  # noqa: C416 - `dict(rows)` has no types
    locked_workspaces(session).update(locked)
    return locked


def locked_workspaces(session: Writer) -> dict[int, int]:
    """The workspaces whose counter this transaction holds, with the seq it had."""
    locked: dict[int, int] = session.info.setdefault("locked_workspaces", {})
    return locked


async def get_role(session: Reader | Writer, actor: Actor, workspace_id: int) -> Role:
    role = await session.scalar(
        select(Member.role)
        .join(Workspace, Workspace.id == Member.workspace_id)
        .where(
            Member.workspace_id == workspace_id,
            Member.user_id == actor.user_id,
            Workspace.deleted_at.is_(None),
        )
    )
    if role is None:
        raise not_found(Workspace)
    return role


async def get_roles(
    session: Reader | Writer, actor: Actor, workspace_ids: Collection[int]
) -> dict[int, Role]:
    """The actor's role in each of these workspaces that they see."""
    statement = select(Member.workspace_id, Member.role).where(
        Member.user_id == actor.user_id,
        Member.workspace_id == any_of(workspace_ids),
        Member.workspace_id.in_(visible_workspaces(actor)),
    )
    return {workspace_id: role for workspace_id, role in await session.execute(statement)}  # noqa: C416 - typed


def require_role(role: Role, needs: Role) -> None:
    if not role.includes(needs):
        raise Forbidden(f"You are a {role} of this workspace; only an {needs} may do this. Ask an owner.")


def not_found(thing: type[Workspace | Project | Section | Label | Task]) -> NotFound:
    return NotFound(f"There is no such {thing.entity}, or you may not see it.")
