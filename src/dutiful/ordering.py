"""Things that people put in order: projects, the sections of a project, tasks.

A thing's place is a key among its siblings (`positions`). Whoever calls holds the lock of the workspace, so nobody
else takes the key meanwhile. Siblings in the trash keep their keys, so they find their places free when they return.
"""

from typing import Self, TypeVar

from pydantic import model_validator
from sqlalchemy import Select, func

from dutiful import positions
from dutiful.access import Actor
from dutiful.changes import journal
from dutiful.database.session import Writer
from dutiful.errors import invalid
from dutiful.models import Project, Section, Task
from dutiful.vocabulary import EntityId, Input

Ordered = TypeVar("Ordered", Project, Section, Task)

Gap = tuple[str | None, str | None]
"""The keys on both sides of a place; None is an end of the list."""


class Move(Input):
    """Where to: right behind one of the list, or right ahead of one."""

    after: EntityId | None = None
    before: EntityId | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.after is None) == (self.before is None):
            raise ValueError("either “after” or “before” is needed")
        return self


async def place(
    session: Writer,
    actor: Actor,
    thing: Ordered,
    siblings: Select[Ordered],
    *,
    after: int | None = None,
    before: int | None = None,
    half_changed: Ordered | None = None,
) -> None:
    """Gives `thing` a key behind the sibling `after`, ahead of the sibling `before`, or at the end.

    `siblings` selects everything of the list it goes into, the trash included; it may be among them. A key that fits
    is kept. To record the change of `thing` is the caller's; siblings that need new keys are recorded here, but
    `half_changed`, which the caller has yet to record for another reason.
    """
    others = siblings.where(type(thing).id != thing.id)
    # What is half moved, in its new list with its old key, must not be written yet.
    with session.no_autoflush:
        gap = await _find_gap(session, type(thing), others, after, before)
        if _fits(thing.position, gap):
            return
        key = positions.between(*gap)
        if len(key) <= positions.LONG:
            thing.position = key
        else:
            await _rebalance(session, actor, thing, others, key, half_changed)


async def _find_gap(
    session: Writer,
    kind: type[Ordered],
    others: Select[Ordered],
    after: int | None,
    before: int | None,
) -> Gap:
    if after is not None and before is not None:
        raise invalid("/before", "cannot be given together with “after”")
    if after is not None:
        return await _neighbours(session, kind, others, after, "/after")
    if before is not None:
        high, low = await _neighbours(session, kind, others, before, "/before")
        return low, high
    return await _last_key(session, kind, others), None


async def _neighbours(
    session: Writer, kind: type[Ordered], others: Select[Ordered], anchor_id: int, pointer: str
) -> tuple[str, str | None]:
    """The key of the anchor, and the next one on the side that the pointer names."""
    key = kind.__table__.c.position
    anchor = (
        others.with_only_columns(key).where(kind.id == anchor_id, kind.deleted_at.is_(None)).scalar_subquery()
    )
    beyond, order = (key >= anchor, key.asc()) if pointer == "/after" else (key <= anchor, key.desc())
    statement = others.with_only_columns(key).where(beyond).order_by(None).order_by(order).limit(2)
    keys = (await session.scalars(statement)).all()
    if not keys:
        raise invalid(pointer, f"names no other {kind.entity} of this list", "not_found")
    return keys[0], keys[1] if len(keys) > 1 else None


async def _last_key(session: Writer, kind: type[Ordered], others: Select[Ordered]) -> str | None:
    key = kind.__table__.c.position
    last: str | None = await session.scalar(others.with_only_columns(func.max(key)).order_by(None))
    return last


def _fits(key: str | None, gap: Gap) -> bool:
    low, high = gap
    return key is not None and (low is None or low < key) and (high is None or key < high)


async def _rebalance(
    session: Writer,
    actor: Actor,
    thing: Ordered,
    others: Select[Ordered],
    key: str,
    half_changed: Ordered | None,
) -> None:
    """Short new keys for the whole list, with `thing` where `key`, too long, would have put it.

    All of them lie above every old one: the unique index looks at each row as it is written, and whatever the order
    of writing, a new key never meets an old one.
    """
    rows = [thing, *await session.scalars(others)]
    highest = max(row.position or key for row in rows)
    rows.sort(key=lambda row: key if row is thing else row.position)
    for row, short in zip(rows, positions.spread(highest, None, len(rows)), strict=True):
        if row in {thing, half_changed}:
            row.position = short
        else:
            _move(session, actor, row, short)


def _move(session: Writer, actor: Actor, thing: Ordered, key: str) -> None:
    before = thing.state()
    thing.position = key
    journal.record(session, actor, f"{thing.entity}.moved", thing, before)
