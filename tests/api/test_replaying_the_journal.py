"""The journal is the whole truth: what it tells, told again from the start, is what the tables hold."""

import asyncio
import random

import pytest
from tests.support.busybody import Busybody
from tests.support.journals import changes_of
from tests.support.people import Person
from tests.support.replaying import replay, state_of_tables
from tests.support.sharing import make_shared

from dutiful.database.session import Database


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_journal_told_again_gives_the_tables(
    ana: Person, bob: Person, database: Database, seed: int
) -> None:
    shared = await make_shared(ana, bob)
    known: dict[str, list[int]] = {"tasks": [], "projects": [shared.inbox_id], "sections": [], "labels": []}
    busy = [
        Busybody(person, shared.id, random.Random(f"{seed} {name}"), known)  # noqa: S311 - no secret
        for name, person in (("ana", ana), ("bob", bob))
    ]
    await asyncio.gather(*(one.do(90) for one in busy))
    statuses = [status for one in busy for status in one.statuses]
    # Enough came through, and enough was refused, for this to mean something.
    assert sum(status < 300 for status in statuses) > 60, statuses
    assert sum(status >= 400 for status in statuses) > 20, statuses
    for workspace_id in (shared.id, ana.workspace_id, bob.workspace_id):
        changes = list(await changes_of(database, workspace_id))
        assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
        assert replay(changes) == await state_of_tables(database, workspace_id)
