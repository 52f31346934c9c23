"""Every SELECT of labels."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, String, and_, func, literal, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from dutiful import paging
from dutiful.access import Actor, is_visible
from dutiful.database.session import Reader, Writer
from dutiful.database.types import any_of
from dutiful.models import Change, Label, Task
from dutiful.paging import Order, Slice
from dutiful.vocabulary import IdParameter


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFilter:
    """What is left None does not narrow."""

    workspace_id: IdParameter | None = None


async def page(
    session: Reader, actor: Actor, wanted: Slice, narrow: LabelFilter
) -> tuple[Sequence[Label], str | None]:
    statement = select(Label).where(is_visible(actor, Label))
    if narrow.workspace_id is not None:
        statement = statement.where(Label.workspace_id == narrow.workspace_id)
    row_id = Label.__table__.c.id
    return await paging.page(session, statement, Order("id", row_id, row_id), wanted)


async def living_ids(session: Writer, workspace_id: int, label_ids: Collection[int]) -> set[int]:
    if not label_ids:
        return set()
    statement = select(Label.id).where(
        Label.id == any_of(label_ids), Label.workspace_id == workspace_id, Label.deleted_at.is_(None)
    )
    return set(await session.scalars(statement))


@dataclass(frozen=True, slots=True)
class GivenName:
    """A name somebody gave, what PostgreSQL makes of it when it compares, and the living label that has it."""

    name: str
    folded: str
    label_id: int | None


async def look_up(session: Writer, workspace_id: int, names: Collection[str]) -> list[GivenName]:
    """One for each of `names`, in their order."""
    if not names:
        return []
    given = func.unnest(literal(list(names), ARRAY(String))).column_valued("given")
    has_it = and_(
        func.lower(Label.name) == func.lower(given),
        Label.workspace_id == workspace_id,
        Label.deleted_at.is_(None),
    )
    rows = await session.execute(select(given, func.lower(given), Label.id).join(Label, has_it, isouter=True))
    found = {row[0]: GivenName(*row) for row in rows}
    return [found[name] for name in names]


async def tasks_with(session: Writer, label: Label) -> Sequence[Task]:
    """The trash included."""
    statement = select(Task).where(
        Task.workspace_id == label.workspace_id,
        Task.label_ids.contains([label.id]),
        # In the words of the index's own condition, or PostgreSQL does not see that it may use it.
        text("label_ids <> '{}'"),
    )
    return (await session.scalars(statement.order_by(Task.id))).all()


async def tasks_it_was_on(session: Writer, label: Label) -> Sequence[Task]:
    """Those its deletion took it from, the trash included.

    The journal knows them, as long as it reaches back to the deletion: their changes are in the same request, and follow
    the label's own. Where the request took back what had brought the label, they are ahead of it.
    """
    deletion = _latest_deletion(label).subquery()
    taken_from = select(Change.entity_id).where(
        Change.workspace_id == label.workspace_id,
        or_(Change.seq > deletion.c.seq, deletion.c.undo_of.is_not(None)),
        Change.request_id == deletion.c.request_id,
        Change.entity == Task.entity,
        Change.before["label_ids"].contains([label.id]),
        ~Change.after["label_ids"].contains([label.id]),
    )
    return (await session.scalars(select(Task).where(Task.id.in_(taken_from)).order_by(Task.id))).all()


def _latest_deletion(label: Label) -> Select[int, uuid.UUID, int | None]:
    is_deletion = and_(
        Change.workspace_id == label.workspace_id,
        # With its entity it is found by the index.
        Change.entity == label.entity,
        Change.entity_id == label.id,
        Change.verb == "label.deleted",
    )
    columns = (Change.seq, Change.request_id, Change.undo_of)
    return select(*columns).where(is_deletion).order_by(Change.seq.desc()).limit(1)
