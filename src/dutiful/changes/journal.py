"""Appends to the journal. A change and what it tells of are committed together or not at all.

The workspace's counter row is locked before anything is read (`access`), and the changes are numbered last, in one
statement: the feed has no holes and its order is the order of commit.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

import orjson
from sqlalchemy import text

from dutiful import clock
from dutiful.access import Actor, locked_workspaces
from dutiful.database.session import Writer, before_commit, note_appended
from dutiful.database.types import JsonObject
from dutiful.models.journaled import Journaled


def record(
    session: Writer,
    actor: Actor,
    verb: str,
    thing: Journaled,
    before: JsonObject | None,
    *,
    undo_of: int | None = None,
) -> bool:
    """Notes what became of `thing`; False, and no new version, when nothing did.

    `before` is its `state()` before the change, None for a creation. The thing must have its id. `undo_of` is the seq
    of the change that this one takes back.
    """
    after = thing.state()
    if before is not None:
        before, after = difference(before, after)
        if not after:
            return False
        thing.version += 1
        thing.updated_at = clock.now()
    _append(session, actor, verb, thing, thing.workspace_id, before, after, undo_of)
    return True


def record_removal(session: Writer, actor: Actor, verb: str, thing: Journaled) -> None:
    """Notes that `thing` is gone for good, with all it was."""
    _append(session, actor, verb, thing, thing.workspace_id, thing.state(), None)


def record_purge(
    session: Writer, request_id: uuid.UUID, entity: str, entity_id: int, workspace_id: int, version: int
) -> None:
    """Notes that a thing in the trash is gone for good. By nobody, for time did it, and without what it was, which
    nobody should keep twice."""
    entry: JsonObject = {
        "user_id": None,
        "verb": f"{entity}.purged",
        "entity": entity,
        "entity_id": entity_id,
        "version": version,
        "before": {},
        "after": None,
        "request_id": str(request_id),
        "undo_of": None,
    }
    _add(session, workspace_id, entry)


def notify(
    session: Writer,
    actor: Actor,
    verb: str,
    thing: Journaled,
    personal_workspace_id: int,
    *,
    before: JsonObject | None = None,
    after: JsonObject | None = None,
) -> None:
    """Notes something about `thing` in the journal of somebody's personal workspace, to tell them of it."""
    _append(session, actor, verb, thing, personal_workspace_id, before, after)
    if personal_workspace_id != actor.personal_workspace_id:
        _journal(session).private.add(personal_workspace_id)


def positions(session: Writer) -> dict[int, int]:
    """The feed positions this transaction reached, or found where it changed nothing: workspace id to seq.

    Complete after the before-commit hooks. Journals that only others may read are left out: how far they are is no
    business of the actor.
    """
    journal = _journal(session)
    reached = locked_workspaces(session) | journal.positions
    return {workspace_id: seq for workspace_id, seq in reached.items() if workspace_id not in journal.private}


def keep_private(session: Writer, workspace_ids: Collection[int]) -> None:
    """Leaves these out of `positions`: the actor has not been, or is no more, in them."""
    _journal(session).private.update(workspace_ids)


def _append(
    session: Writer,
    actor: Actor,
    verb: str,
    thing: Journaled,
    workspace_id: int,
    before: JsonObject | None,
    after: JsonObject | None,
    undo_of: int | None = None,
) -> None:
    entry: JsonObject = {
        "user_id": actor.user_id,
        "verb": verb,
        "entity": thing.entity,
        "entity_id": thing.entity_id,
        "version": thing.version,
        "before": before,
        "after": after,
        "request_id": str(actor.request_id),
        "undo_of": undo_of,
    }
    _add(session, workspace_id, entry)


def _add(session: Writer, workspace_id: int, entry: JsonObject) -> None:
    if workspace_id not in locked_workspaces(session):
        raise RuntimeError(f"{entry['verb']} was recorded without holding the lock of its workspace")
    _journal(session).add(workspace_id, entry)


def difference(before: JsonObject, after: JsonObject) -> tuple[JsonObject, JsonObject]:
    changed = [name for name in after if before[name] != after[name]]
    return {name: before[name] for name in changed}, {name: after[name] for name in changed}


@dataclass
class _Journal:
    """The changes of one transaction, kept until its end."""

    session: Writer
    entries: dict[int, list[JsonObject]] = field(default_factory=lambda: defaultdict(list))
    positions: dict[int, int] = field(default_factory=dict)
    private: set[int] = field(default_factory=set)

    def add(self, workspace_id: int, entry: JsonObject) -> None:
        if not self.entries:
            before_commit(self.session, self.append)
        self.entries[workspace_id].append(entry)

    async def append(self) -> None:
        # One for all workspaces: what one request did has one time.
        at = clock.now()
        for workspace_id, entries in sorted(self.entries.items()):
            values = {
                "workspace_id": workspace_id,
                "count": len(entries),
                "at": at,
                "entries": orjson.dumps(entries).decode(),
            }
            self.positions[workspace_id] = (
                await self.session.execute(_NUMBER_AND_APPEND, values)
            ).scalar_one()
            note_appended(self.session, workspace_id, len(entries))
        self.entries.clear()


def _journal(session: Writer) -> _Journal:
    journal: _Journal | None = session.info.get("journal")
    if journal is None:
        journal = session.info["journal"] = _Journal(session)
    return journal


# One round trip, however many changes: the counter moves by their number and each takes its place below it.
_NUMBER_AND_APPEND = text("""
    WITH counter AS (
        UPDATE workspace_counters SET seq = seq + :count WHERE workspace_id = :workspace_id RETURNING seq
    ), appended AS (
        INSERT INTO changes (workspace_id, seq, at, user_id, verb, entity, entity_id, version, before, after,
                             request_id, undo_of)
        SELECT :workspace_id, counter.seq - :count + entry.ordinality, :at, entry.user_id, entry.verb, entry.entity,
               entry.entity_id, entry.version, entry.before, entry.after,
               entry.request_id, entry.undo_of
        FROM counter,
             ROWS FROM (jsonb_to_recordset(CAST(:entries AS jsonb)) AS (
                 user_id bigint, verb text, entity text, entity_id bigint, version integer,
                 before jsonb, after jsonb, request_id uuid, undo_of bigint
             )) WITH ORDINALITY AS entry
    )
    SELECT seq FROM counter
""")
