"""Whoever may not write somewhere must not be able to keep others from writing there."""

import asyncio

from tests.support.people import Person
from tests.support.sharing import share

from dutiful.access import lock_workspaces
from dutiful.database.session import Database, Rollback, Writer


async def test_removing_a_stranger_waits_for_nothing_of_theirs(
    ana: Person, bob: Person, database: Database
) -> None:
    workspace_id = await share(ana)
    held, done = asyncio.Event(), asyncio.Event()

    async def hold(session: Writer) -> None:
        await lock_workspaces(session, [bob.workspace_id])
        held.set()
        await done.wait()
        raise Rollback(None)

    holder = asyncio.create_task(database.write(hold))
    await held.wait()
    try:
        # With Bob's counter held by somebody else, a lock on it would end in a 503 after the lock timeout.
        response = await ana.delete(f"/workspaces/{workspace_id}/members/{bob.user_id}")
    finally:
        done.set()
        await holder
    assert response.status_code == 404


async def test_a_personal_workspace_says_nothing_of_who_is_here(ana: Person, bob: Person) -> None:
    path = f"/workspaces/{ana.workspace_id}/members"
    known = await ana.post(path, {"email": bob.email, "role": "viewer"})
    unknown = await ana.post(path, {"email": "nobody@example.org", "role": "viewer"})
    assert (
        (known.status_code, known.json()["code"])
        == (unknown.status_code, unknown.json()["code"])
        == (
            409,
            "personal_workspace",
        )
    )
