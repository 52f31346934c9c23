"""Takes changes back, as new changes.

Nothing is ever taken out of the journal. The changes to take back are played backwards on the things as they are now,
in memory, each recorded as a change that says what it is the undo of; what that leaves is checked, and written at once.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import InstanceState
from sqlalchemy.orm.attributes import flag_modified, set_committed_value

from dutiful.access import Actor, get_roles, lock_workspaces, locked_workspaces, require_role
from dutiful.changes import journal
from dutiful.database.failures import flush
from dutiful.database.session import Writer, run_before_commit
from dutiful.errors import Conflict, Forbidden, Gone, NotFound
from dutiful.history import hazards, places, queries, reversal
from dutiful.history.effects import (
    Key,
    Thing,
    by_thing,
    in_the_way,
    is_undoable,
    key_of,
    name_of,
    summary,
    undone_seqs,
)
from dutiful.history.hazards import Undoing, Was
from dutiful.history.queries import MOST_NAMED
from dutiful.history.schemas import DoneOut
from dutiful.models import Change, Label, Project, Role, Section, Task

Range = tuple[int, int, int]
"""A workspace, and the numbers of its changes: behind the first, up to the second."""
Histories = dict[Key, list[Change]]
"""Of each thing, oldest first."""


@dataclass(frozen=True, slots=True)
class Undone:
    items: Sequence[Change]
    took_back: list[DoneOut]
    ranges: list[Range]

    @property
    def count(self) -> int:
        return len(self.items)


async def undo(session: Writer, actor: Actor, workspace_id: int, seq: int, *, whole_request: bool) -> Undone:
    """Takes one change back, or what is left of all that its request did, in every workspace."""
    done = await _lock_and_read(session, actor, workspace_id, seq, whole_request=whole_request)
    # Everything is read before anything is written: what is half way back must not meet the database.
    with session.no_autoflush:
        things = await _things(session, done)
        changes, histories = await _still_in_effect(session, done, things)
        await _take_back(session, actor, changes, things, histories)
    await run_before_commit(session)
    ranges = [
        (here, locked_workspaces(session)[here], upto) for here, upto in journal.positions(session).items()
    ]
    items = await queries.changes_between(session, actor, ranges)
    took_back = summary((change.verb, name_of(things[key_of(change)])) for change in reversed(changes))
    return Undone(items, took_back, ranges)


async def what_was_taken_back(session: Writer, items: Sequence[Change]) -> list[DoneOut]:
    """The summary of an undo, from its changes."""
    changes = await queries.undone_by(session, items)
    things = await queries.things(
        session, {key_of(change) for change in changes}, {change.workspace_id for change in changes}
    )
    named = ((change, things.get(key_of(change))) for change in changes)
    return summary((change.verb, None if thing is None else name_of(thing)) for change, thing in named)


async def _lock_and_read(
    session: Writer, actor: Actor, workspace_id: int, seq: int, *, whole_request: bool
) -> Sequence[Change]:
    """The changes in their order, in workspaces that are locked and that the actor may write in."""
    request_id = await queries.find_request(session, actor, workspace_id, seq)
    here = await queries.workspaces_of(session, request_id) if whole_request else {workspace_id}
    roles = await get_roles(session, actor, here)
    _require_editor(roles, {workspace_id}, workspace_id)
    # Before the other workspaces: who gave rights here also told people in workspaces of theirs.
    _refuse_rights(await queries.verbs(session, workspace_id, request_id, None if whole_request else seq))
    # Strangers lock nothing.
    _require_editor(roles, here, workspace_id)
    await lock_workspaces(session, here)
    _require_editor(await get_roles(session, actor, here), here, workspace_id)
    return await _read(session, request_id, None if whole_request else (workspace_id, seq))


async def _read(session: Writer, request_id: uuid.UUID, one: tuple[int, int] | None) -> Sequence[Change]:
    """What was there before the lock may have been cleared away while it was waited for."""
    if one is not None:
        change = await queries.find_change(session, *one)
        if change is None:
            raise Gone("This change is not kept any more, so it cannot be taken back.")
        return [change]
    changes = await queries.changes_of_request(session, request_id)
    if await queries.is_cut_off(session, changes):
        raise Gone("Not all that this request did is kept any more, so it cannot be taken back.")
    return changes


def _require_editor(roles: Mapping[int, Role], workspace_ids: Collection[int], named: int) -> None:
    """What is told of other workspaces than the one named is the same for those unseen and those read-only."""
    if named not in roles:
        raise NotFound("There is no such change, or you may not see it.")
    require_role(roles[named], Role.EDITOR)
    if any(here not in roles or not roles[here].includes(Role.EDITOR) for here in workspace_ids):
        raise Forbidden(
            "This request also changed what you may not change, so you cannot take back all of it. Take back its "
            "changes one by one."
        )


def _refuse_rights(verbs: Mapping[str, str]) -> None:
    """`verbs`: from verb to the id of a change."""
    refused = sorted(verb for verb in verbs if not is_undoable(verb))
    if refused:
        raise Conflict(
            f"{', '.join(refused)} cannot be taken back: undo is for creating, editing, moving, deleting and restoring "
            "projects, sections, labels and tasks. Put it right by hand.",
            code="not_undoable",
            changes=[verbs[verb] for verb in refused],
        )


async def _things(session: Writer, changes: Sequence[Change]) -> dict[Key, Thing]:
    keys = {key_of(change) for change in changes}
    found = await queries.things(session, keys, {change.workspace_id for change in changes})
    gone = [change for change in changes if key_of(change) not in found]
    if gone:
        raise Conflict(
            f"The {gone[0].entity} {gone[0].entity_id} was deleted for good since, so this cannot be taken back.",
            code="gone",
            changes=[change.id for change in gone[:MOST_NAMED]],
        )
    return found


# --- what may be taken back -------------------------------------------------------------------------------------------


async def _still_in_effect(
    session: Writer, done: Sequence[Change], things: dict[Key, Thing]
) -> tuple[list[Change], Histories]:
    """Those not taken back already, newest first, and what became of their things from the first on. Raises `Conflict`
    if there are none, or if others came after them."""
    here: dict[int, list[Change]] = defaultdict(list)
    for change in done:
        here[change.workspace_id].append(change)
    left: list[Change] = []
    histories: Histories = {}
    obstacles: list[Change] = []
    for workspace_id, changes in sorted(here.items()):
        # What one request did in a workspace has numbers in a row.
        keys = {key_of(change) for change in changes}
        later = await queries.later_changes(session, workspace_id, changes[-1].seq, keys)
        undone = undone_seqs((change.seq, change.undo_of) for change in (*changes, *later))
        remaining = [change for change in changes if change.seq not in undone]
        after = by_thing(later)
        histories |= by_thing((*changes, *later))
        for change in remaining:
            obstacles += in_the_way(change, after[key_of(change)], undone)
        left += reversed(remaining)
    if not left:
        raise Conflict(
            "This was taken back already. To bring it back, take back the change that did.",
            code="already_undone",
            changes=[],
        )
    if obstacles:
        raise _in_the_way(obstacles, things)
    return left, histories


def _in_the_way(obstacles: Sequence[Change], things: dict[Key, Thing]) -> Conflict:
    ids = list(dict.fromkeys(change.id for change in sorted(obstacles, key=lambda each: -each.seq)))
    latest = max(obstacles, key=lambda each: each.seq)
    thing = things[key_of(latest)]
    in_trash = " It is in the trash now." if thing.deleted_at is not None else ""
    return Conflict(
        f"The {thing.entity} “{name_of(thing)}” was changed since ({latest.verb}, change {latest.id}).{in_trash} "
        "Take back the later changes first, from the newest to the oldest, or change it by hand.",
        code="changed_since",
        changes=ids[:MOST_NAMED],
    )


# --- taking back ------------------------------------------------------------------------------------------------------


async def _take_back(
    session: Writer,
    actor: Actor,
    changes: Sequence[Change],
    things: dict[Key, Thing],
    histories: Histories,
) -> None:
    things = {key: things[key] for key in dict.fromkeys(map(key_of, changes))}
    was = {thing: Was.of(thing) for thing in things.values()}
    settled = await places.settle(session, _old_spots(changes, things, histories))
    reversal.take_back(session, actor, changes, things, settled.keys)
    undoing = Undoing(session, actor, {change.workspace_id for change in changes}, things, was)
    await hazards.check(undoing)
    for thing in undoing.restored():
        thing.trash_id = None
    reversal.group(undoing.newly_trashed())
    await places.step_aside(session, settled.leaving)
    await places.free_names(session, _leaving_names(undoing))
    _write_alike(session)
    await _write(session, undoing)


def _old_spots(
    changes: Sequence[Change], things: dict[Key, Thing], histories: Histories
) -> dict[Thing, places.Spot]:
    mine = by_thing(changes)
    # What the request made was nowhere before it: the others choose first.
    keys = sorted(mine, key=lambda key: mine[key][-1].before is None)
    spots = {things[key]: places.old_spot(things[key], mine[key], histories[key]) for key in keys}
    return {thing: spot for thing, spot in spots.items() if spot is not None}


def _leaving_names(undoing: Undoing) -> list[Thing]:
    """Living things that give up their names, where another may want one."""
    takers = [thing for thing in undoing.named_anew() if not isinstance(thing, Task)]
    leaving = [
        thing
        for thing in (*undoing.of(Project), *undoing.of(Section), *undoing.of(Label))
        if undoing.was[thing].is_alive
        and (thing.deleted_at is not None or thing.name != undoing.was[thing].name)
    ]
    return leaving if takers and len({*takers, *leaving}) > 1 else []


def _write_alike(session: Writer) -> None:
    """Has the same columns written of all that changed: rows that differ in them would go out one by one."""
    for kind in (Project, Section, Label, Task):
        states: list[InstanceState[Any]] = [
            inspect(thing) for thing in session.dirty if isinstance(thing, kind)
        ]
        changed = {state: _changed_columns(state) for state in states}
        every = set().union(*changed.values())
        for state, columns in changed.items():
            for name in every - columns:
                set_committed_value(state.object, name, state.dict[name])
                flag_modified(state.object, name)


def _changed_columns(state: InstanceState[Any]) -> set[str]:
    """What came back to its old value on the way is none of them."""
    return {name for name, old in state.committed_state.items() if old != state.dict[name]}


async def _write(session: Writer, undoing: Undoing) -> None:
    # Things cannot be asked any more once the database has refused them.
    names = [name_of(thing) for thing in undoing.named_anew() if not isinstance(thing, Task)]
    try:
        await flush(session)
    except Conflict as error:
        raise Conflict(
            f"The name of {hazards.listed(names)} was given to another one meanwhile. Rename that, then take this back "
            "again.",
            code=error.code,
        ) from error
