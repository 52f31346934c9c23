"""Twenty writers that hold their transactions at random, and readers that poll meanwhile."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from tests.support.people import Person
from tests.support.sharing import share
from tests.support.writers import WRITERS, WRITES, all_changes, write

from dutiful.database.session import Database

Poll = Callable[[str | None], Awaitable[Any]]


async def test_pollers_miss_nothing_and_see_nothing_twice(
    ana: Person, bob: Person, database: Database
) -> None:
    workspace_ids = [await share(ana, bob) for _ in range(3)]
    writing = asyncio.gather(*(write(database, ana, workspace_ids, seed) for seed in range(WRITERS)))

    def of_one(cursor: str | None) -> Awaitable[Any]:
        return bob.get(f"/workspaces/{workspace_ids[0]}/changes", params=_params(cursor, 7))

    def of_all(cursor: str | None) -> Awaitable[Any]:
        return bob.get("/changes", params=_params(cursor, 11))

    one, everything, _ = await asyncio.gather(follow(of_one, writing), follow(of_all, writing), writing)
    written = await all_changes(database, workspace_ids)
    assert len(written) >= WRITERS * WRITES
    assert one == [change for change in written if change[0] == workspace_ids[0]]
    shared = [change for change in everything if change[0] in workspace_ids]
    # Nothing missed, nothing twice, no holes; and each workspace in its own order.
    assert sorted(shared) == written
    for workspace_id in workspace_ids:
        seqs = [seq for of_workspace, seq in everything if of_workspace == workspace_id]
        assert seqs == list(range(1, len(seqs) + 1))


async def test_the_feed_replayed_is_the_state(ana: Person, database: Database) -> None:
    workspace_ids = [await share(ana) for _ in range(2)]
    await asyncio.gather(*(write(database, ana, workspace_ids, seed) for seed in range(WRITERS)))
    for workspace_id in workspace_ids:
        replayed: dict[str, Any] = {}
        for change in await _read_all(ana, workspace_id):
            if change["entity"] == "workspace":
                assert {**replayed, **(change["before"] or {})} == replayed
                replayed |= change["after"]
                replayed["version"] = change["version"]
        now = (await ana.get(f"/workspaces/{workspace_id}")).json()
        assert (replayed["name"], replayed["version"]) == (now["name"], now["version"])


async def test_memberships_that_come_and_go_do_not_tear_the_feed(ana: Person, bob: Person) -> None:
    """A reader whose set of workspaces changes under it sees their own home without holes."""
    workspace_ids = [await share(ana) for _ in range(3)]
    # They know each other, so Ana may add Bob by e-mail.
    await share(ana, bob)

    async def come_and_go(workspace_id: int) -> None:
        members = f"/workspaces/{workspace_id}/members"
        for _ in range(4):
            await ana.make(members, email=bob.email)
            await ana.patch(f"/workspaces/{workspace_id}", {"name": str(uuid.uuid4())})
            assert (await ana.delete(f"{members}/{bob.user_id}")).status_code == 204

    writing = asyncio.gather(*(come_and_go(workspace_id) for workspace_id in workspace_ids))

    def of_all(cursor: str | None) -> Awaitable[Any]:
        return bob.get("/changes", params=_params(cursor, 5))

    everything, _ = await asyncio.gather(follow(of_all, writing), writing)
    home = [seq for workspace_id, seq in everything if workspace_id == bob.workspace_id]
    assert home == list(range(1, 3 + 1 + 2 * 4 * 3 + 1))


async def follow(poll: Poll, writing: "asyncio.Future[Any]") -> list[tuple[int, int]]:
    """Polls until everything is written and nothing new comes."""
    seen: list[tuple[int, int]] = []
    cursor: str | None = None
    while True:
        is_over = writing.done()
        response = await poll(cursor)
        assert response.status_code == 200, response.text
        page = response.json()
        seen += [(change["workspace_id"], change["seq"]) for change in page["items"]]
        cursor = page["next_cursor"]
        if is_over and not page["items"]:
            return seen
        await asyncio.sleep(0.005)


async def _read_all(person: Person, workspace_id: int) -> list[Any]:
    return [change async for change in _changes(person, workspace_id)]


async def _changes(person: Person, workspace_id: int) -> AsyncIterator[Any]:
    cursor: str | None = None
    while True:
        response = await person.get(f"/workspaces/{workspace_id}/changes", params=_params(cursor, 50))
        page = response.json()
        if not page["items"]:
            return
        for change in page["items"]:
            yield change
        cursor = page["next_cursor"]


def _params(cursor: str | None, limit: int) -> dict[str, Any]:
    return {"limit": limit} if cursor is None else {"limit": limit, "after": cursor}
