"""Takes changes back in memory, the newest first, and records each as a new change."""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from dutiful import clock
from dutiful.access import Actor
from dutiful.changes import journal
from dutiful.database.session import Writer
from dutiful.database.types import JsonObject
from dutiful.history.effects import EXISTENCE, Key, Thing, key_of
from dutiful.history.places import is_move
from dutiful.models import Change, Label, Priority, Project, Section, Status, Task, When
from dutiful.tasks.service import VERBS


def take_back(
    session: Writer,
    actor: Actor,
    changes: Iterable[Change],
    things: Mapping[Key, Thing],
    keys: Mapping[Thing, str],
) -> None:
    """`changes` newest first. `keys`: the order keys of things that do not stay where they are."""
    changes = list(changes)
    at = clock.now()
    first_moves = {key_of(change): change for change in changes if is_move(change)}
    for change in changes:
        thing = things[key_of(change)]
        before = thing.state()
        _restore_fields(thing, change, at)
        if first_moves.get(key_of(change)) is change and thing in keys:
            # What was before the first of its moves is where it stays.
            thing.position = keys[thing]  # type: ignore[union-attr]
        journal.record(session, actor, _verb(change, thing, before), thing, before, undo_of=change.seq)


def _restore_fields(thing: Thing, change: Change, at: datetime) -> None:
    if change.before is None:
        thing.deleted_at = at
        return
    for name, value in change.before.items():
        if name == EXISTENCE:
            # Anew in the trash is anew for its whole time there.
            thing.deleted_at = None if value is None else at
        elif name == "label_ids":
            _restore_labels(thing, set(value), set((change.after or {})[name]))
        elif name != "created_by":
            setattr(thing, name, _PARSERS.get(name, _as_is)(value))


def _restore_labels(thing: Any, before: set[int], after: set[int]) -> None:
    """The difference alone: whoever added another label since keeps it."""
    thing.label_ids = sorted(({*thing.label_ids} - (after - before)) | (before - after))


def _as_is(value: Any) -> Any:
    return value


def _instant(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _when(value: JsonObject | None) -> When | None:
    return None if value is None else When.from_json(value)


def _uuid(value: str | None) -> uuid.UUID | None:
    return None if value is None else uuid.UUID(value)


_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "status": Status,
    "priority": Priority,
    "start": _when,
    "due": _when,
    "completed_at": _instant,
    "series_id": _uuid,
}


def _verb(change: Change, thing: Thing, before: JsonObject) -> str:
    if (before[EXISTENCE] is None) is not (thing.deleted_at is None):
        return f"{thing.entity}.{'restored' if thing.deleted_at is None else 'deleted'}"
    if isinstance(thing, Task) and thing.status != before["status"]:
        return VERBS[thing.status]
    return change.verb if change.verb.endswith(".moved") else f"{thing.entity}.updated"


# --- the trash --------------------------------------------------------------------------------------------------------


def group(things: Collection[Thing]) -> None:
    """Makes groups of what is in the trash now: what was inside another of these will come back together with it."""
    tasks = {thing.id: thing for thing in things if isinstance(thing, Task)}
    containers = {(thing.entity, thing.id): thing for thing in things if not isinstance(thing, Task)}
    for thing in (*_of(things, (Label, Project)), *_of(things, (Section,)), *_parents_first(tasks)):
        holder: Thing | None = None
        if isinstance(thing, Task):
            holder = (
                tasks.get(thing.parent_id or 0)
                or containers.get(("section", thing.section_id or 0))
                or containers.get(("project", thing.project_id))
            )
        elif isinstance(thing, Section):
            holder = containers.get(("project", thing.project_id))
        thing.trash_id = uuid.uuid4() if holder is None else holder.trash_id


def _of(things: Iterable[Thing], kinds: tuple[type[Any], ...]) -> list[Thing]:
    return [thing for thing in things if isinstance(thing, kinds)]


def _parents_first(tasks: Mapping[int, Task]) -> list[Task]:
    def depth(task: Task) -> int:
        count, parent = 0, tasks.get(task.parent_id or 0)
        while parent is not None and count < len(tasks):
            count, parent = count + 1, tasks.get(parent.parent_id or 0)
        return count

    return sorted(tasks.values(), key=depth)
