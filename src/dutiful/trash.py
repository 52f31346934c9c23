"""What goes into the trash together, and comes back together."""

import uuid
from collections.abc import Iterable
from typing import TypeVar, cast

from sqlalchemy import ColumnElement, String, case, func, select

from dutiful import clock
from dutiful.access import Actor
from dutiful.changes import journal
from dutiful.database.session import Writer
from dutiful.models import Label, Project, Section, Task

Discardable = Project | Section | Label | Task
Named = TypeVar("Named", Project, Section, Label)


def discard(session: Writer, actor: Actor, things: Iterable[Discardable]) -> None:
    """Puts living things into the trash as one group."""
    at, trash_id = clock.now(), uuid.uuid4()
    for thing in things:
        before = thing.state()
        thing.trash(at, trash_id)
        journal.record(session, actor, f"{thing.entity}.deleted", thing, before)


def bring_back(session: Writer, actor: Actor, things: Iterable[Discardable]) -> None:
    """Takes things out of the trash as they are."""
    for thing in things:
        before = thing.state()
        thing.untrash()
        journal.record(session, actor, f"{thing.entity}.restored", thing, before)


async def bring_back_named(
    session: Writer, actor: Actor, thing: Named, neighbours: ColumnElement[bool]
) -> None:
    """Takes `thing` out of the trash; if one of its living neighbours took its name, under the next that is free."""
    before = thing.state()
    thing.name = await _free_name(session, thing, neighbours)
    thing.untrash()
    journal.record(session, actor, f"{thing.entity}.restored", thing, before)


async def _free_name(session: Writer, thing: Named, neighbours: ColumnElement[bool]) -> str:
    """Its name, “name (2)”, “name (3)” …: the first that nobody has. PostgreSQL decides which names are equal."""
    kind = type(thing)
    living = select(kind.id).where(neighbours, kind.deleted_at.is_(None))
    # Among one more names than there are things, one is free.
    count = select(func.count() + 1).select_from(living.subquery()).scalar_subquery()
    number = func.generate_series(1, count).column_valued("number")
    suffix = case((number == 1, ""), else_=func.concat(" (", number, ")"))
    longest = cast("String", kind.__table__.c.name.type).length
    name = func.left(thing.name, longest - func.length(suffix)).concat(suffix)
    is_taken = living.where(func.lower(kind.name) == func.lower(name)).exists()
    free: str = (await session.scalars(select(name).where(~is_taken).order_by(number).limit(1))).one()
    return free
