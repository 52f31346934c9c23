"""A token that was revoked writes nothing any more, not even what began before."""

import asyncio

from sqlalchemy import text
from tests.support.locks import held, waiting
from tests.support.people import Person
from tests.support.sharing import share

from dutiful.database.session import Database, Writer


async def test_revoking_a_token_waits_for_the_writes_that_began_under_it(
    ana: Person, database: Database
) -> None:
    token = await ana.make("/tokens", name="laptop")
    laptop = ana.with_token(token["token"])

    async def revoke() -> tuple[int, int]:
        """Its status, and how many tasks there were by then."""
        response = await ana.delete(f"/tokens/{token['id']}")
        return response.status_code, len(await ana.all("/tasks"))

    async with held(database, ana.workspace_id):
        writing = asyncio.create_task(laptop.post("/tasks", {"title": "begun in time"}))
        await waiting(database, 1)
        revoking = asyncio.create_task(revoke())
        await waiting(database, 2)
    assert (await writing).status_code == 201
    assert await revoking == (204, 1)
    assert (await laptop.post("/tasks", {"title": "too late"})).status_code == 401


async def test_a_repeated_request_that_changed_nothing_is_not_answered_to_who_left(
    ana: Person, bob: Person
) -> None:
    workspace_id = await share(ana, bob)
    inbox_id = (await ana.get(f"/workspaces/{workspace_id}")).json()["inbox_id"]
    task = await ana.make("/tasks", title="x", project_id=inbox_id)
    key = {"Idempotency-Key": "again"}
    same = await bob.patch(f"/tasks/{task['id']}", {"title": "x"}, headers=key)
    assert (same.status_code, same.json()["version"]) == (200, 1)
    await ana.delete(f"/workspaces/{workspace_id}/members/{bob.user_id}")
    assert (await bob.patch(f"/tasks/{task['id']}", {"title": "x"}, headers=key)).status_code == 404


async def test_a_busy_token_row_keeps_nobody_from_reading(ana: Person, database: Database) -> None:
    token = await ana.make("/tokens", name="laptop")
    laptop = ana.with_token(token["token"])

    async def read_while_locked(session: Writer) -> int:
        await session.execute(text("SELECT 1 FROM tokens WHERE id = :id FOR UPDATE"), {"id": token["id"]})
        return (await laptop.get("/tasks")).status_code

    assert await database.write(read_while_locked) == 200


async def test_a_token_in_steady_use_is_revoked_all_the_same(ana: Person) -> None:
    token = await ana.make("/tokens", name="stolen")
    thief = ana.with_token(token["token"])
    revoked = asyncio.Event()

    async def write_without_end() -> int:
        """The status that ended it; only a revocation does, or the deadline of the test."""
        while True:
            began_after = revoked.is_set()
            response = await thief.post("/tasks", {"title": "again"})
            if response.status_code != 201:
                return response.status_code
            assert not began_after

    async with asyncio.timeout(20):
        writers = [asyncio.create_task(write_without_end()) for _ in range(12)]
        await asyncio.sleep(0.3)
        assert (await ana.delete(f"/tokens/{token['id']}")).status_code == 204
        revoked.set()
        assert await asyncio.gather(*writers) == [401] * 12
