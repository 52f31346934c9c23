"""Whatever people did: taken back from the newest on, what was before is there again; and nothing ever breaks."""

import asyncio
import random

import pytest
from sqlalchemy import select
from tests.support.busybody import Busybody
from tests.support.journals import changes_of
from tests.support.people import Person
from tests.support.replaying import replay, state_of_tables
from tests.support.sharing import Shared, make_shared
from tests.support.undoing import Content, content_of, in_short

from dutiful.database.session import Database
from dutiful.models import Label, Member, Project, Section, Task


def busybodies(shared: Shared, seed: int, *people: Person) -> list[Busybody]:
    known: dict[str, list[int]] = {"tasks": [], "projects": [shared.inbox_id], "sections": [], "labels": []}
    return [
        Busybody(person, shared.id, random.Random(f"{seed} {number}"), known)  # noqa: S311 - no secret
        for number, person in enumerate(people)
    ]


@pytest.mark.parametrize("seed", range(4))
async def test_undone_from_the_newest_on_every_state_comes_back(
    ana: Person, bob: Person, database: Database, seed: int
) -> None:
    shared = await make_shared(ana, bob)
    busy = busybodies(shared, seed, ana, bob)
    dice = random.Random(seed)  # noqa: S311 - no secret
    before = [await content_of(database, shared.id)]
    requests: list[str] = []
    seq = (await changes_of(database, shared.id))[-1].seq
    while len(requests) < 45:
        await dice.choice(busy).do(1)
        made = await changes_of(database, shared.id, seq)
        if made:
            seq = made[-1].seq
            requests.append(made[dice.randrange(len(made))].id)
            before.append(await content_of(database, shared.id))
    for change_id, state in reversed(list(zip(requests, before, strict=False))):
        response = await dice.choice([ana, bob]).post(f"/changes/{change_id}/undo", {"request": True})
        assert response.status_code == 200, response.text
        expected = in_short(state)
        now = await content_of(database, shared.id)
        # What did not exist then is in the trash, if it is anywhere.
        assert all(now[key]["deleted_at"] for key in now.keys() - expected.keys())
        now_short = in_short(now)
        differing = {
            key: (expected[key], now_short[key]) for key in expected if expected[key] != now_short[key]
        }
        assert differing == {}, change_id
    await check_invariants(database, shared.id)
    changes = list(await changes_of(database, shared.id))
    assert replay(changes) == await state_of_tables(database, shared.id)


async def check_invariants(database: Database, workspace_id: int) -> None:
    """What the rest of the program takes for granted."""
    content: Content = await content_of(database, workspace_id)
    async with database.read() as session:
        members = set(
            await session.scalars(select(Member.user_id).where(Member.workspace_id == workspace_id))
        )
    for (kind, thing_id), fields in content.items():
        if kind != Task.entity:
            continue
        lives = fields["deleted_at"] is None
        project = content[Project.entity, fields["project_id"]]
        section = content.get((Section.entity, fields["section_id"] or 0))
        parent = content.get((Task.entity, fields["parent_id"] or 0))
        for holder in (project, section, parent):
            assert not lives or holder is None or holder["deleted_at"] is None, thing_id
        if parent is not None:
            assert [fields[name] for name in ("project_id", "section_id")] == [
                parent[name] for name in ("project_id", "section_id")
            ], thing_id
        depth = 0
        while parent is not None:
            depth, parent = depth + 1, content.get((Task.entity, parent["parent_id"] or 0))
            assert depth <= 5, thing_id
        for label_id in fields["label_ids"]:
            assert content[Label.entity, label_id]["deleted_at"] is None, thing_id
        assert fields["assignee_id"] in {None, *members}
        assert (fields["deleted_at"] is None) is (fields["trash_id"] is None)


@pytest.mark.parametrize("seed", range(3))
async def test_undone_at_random_nothing_breaks(
    ana: Person, bob: Person, database: Database, seed: int
) -> None:
    shared = await make_shared(ana, bob)
    dice = random.Random(seed)  # noqa: S311 - no secret
    statuses: list[int] = []

    async def undo_some(person: Person, times: int) -> None:
        for _ in range(times):
            seqs = [change.seq for change in await changes_of(database, shared.id)]
            change_id = f"{shared.id}-{dice.choice(seqs[-40:])}"
            body = {"request": dice.random() < 0.6}
            response = await person.post(f"/changes/{change_id}/undo", body)
            assert response.status_code in {200, 409}, response.text
            statuses.append(response.status_code)

    busy = busybodies(shared, seed + 100, ana, bob)
    await asyncio.gather(*(one.do(15) for one in busy))
    for _ in range(4):
        await asyncio.gather(*(one.do(6) for one in busy), *(undo_some(one.person, 8) for one in busy))
        await check_invariants(database, shared.id)
    # Both happened often enough for this to mean something.
    assert min(statuses.count(200), statuses.count(409)) > 5, statuses
    changes = list(await changes_of(database, shared.id))
    assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
    assert replay(changes) == await state_of_tables(database, shared.id)
