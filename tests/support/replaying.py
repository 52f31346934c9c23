"""The state that a journal tells, and that of the tables."""

from typing import Any

from sqlalchemy import select

from dutiful.access import workspace_of
from dutiful.database.session import Database
from dutiful.models import Change, Label, Member, Project, Section, Task, Workspace

THINGS: tuple[Any, ...] = (Workspace, Member, Project, Section, Label, Task)
TOLD_TO_ONE_PERSON = {"workspace.joined", "workspace.left"}

State = dict[tuple[str, int], tuple[int, dict[str, Any]]]


async def state_of_tables(database: Database, workspace_id: int) -> State:
    state: State = {}
    async with database.read() as session:
        for thing in THINGS:
            for row in await session.scalars(select(thing).where(workspace_of(thing) == workspace_id)):
                state[row.entity, row.entity_id] = (row.version, row.state())
    return state


def replay(changes: list[Change]) -> State:
    state: State = {}
    for change in changes:
        if change.verb in TOLD_TO_ONE_PERSON:
            continue
        key = (change.entity, change.entity_id)
        if change.before is None:
            assert key not in state, f"{change.id} makes what is there"
            state[key] = (change.version, change.after or {})
            continue
        version, fields = state.pop(key)
        # Each change knows what it found, so that any of them can be taken back.
        assert {name: fields[name] for name in change.before} == change.before, change.id
        if change.after is not None:
            assert change.version == version + 1, change.id
            assert change.after.keys() == change.before.keys()
            state[key] = (change.version, {**fields, **change.after})
    return state
