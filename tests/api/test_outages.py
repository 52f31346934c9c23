"""What a client is told when the network fails around the COMMIT, and what a retry does."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import URL, select
from tests.support.journals import count_keys, titles_of
from tests.support.people import API, Person
from tests.support.plain import PLAIN
from tests.support.problems import problem
from tests.support.proxy import CommitCuttingProxy, Fault, proxied
from tests.support.servers import Server, running

from dutiful.database.session import Database
from dutiful.models import User
from dutiful.settings import Settings

PATIENCE = 20


@dataclass(frozen=True)
class FarServer:
    server: Server
    proxy: CommitCuttingProxy


@pytest.fixture
async def far(settings: Settings, database_url: URL) -> AsyncIterator[FarServer]:
    """A server whose way to PostgreSQL leads through the proxy."""
    # Long enough for any answer on a busy machine, short enough to wait for one that never comes.
    hasty = settings.model_copy(update={"db_pool_size": 2, "db_command_timeout": 1.5})
    async with proxied(database_url) as (proxy, url), running(hasty, url) as server:
        yield FarServer(server, proxy)


@pytest.fixture
async def far_ana(ana: Person, far: FarServer) -> Person:
    person = far.server.serve(ana)
    # So that the token's last use is noted and the pools are warm.
    assert (await person.get("/tasks", params={"sort": "id"})).status_code == 200
    assert (await person.get("/tasks", params={"limit": 1})).status_code == 200
    return person


# A statement of the express lane commits itself; it is known by what it writes.
COMMITS = [(PLAIN, b"COMMIT;"), ({"description": "told apart"}, b"told apart")]


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize(("more", "mark"), COMMITS)
async def test_without_a_key_an_unknown_outcome_is_said_to_be_one(
    far_ana: Person, far: FarServer, database: Database, fault: Fault, more: dict[str, Any], mark: bytes
) -> None:
    far.proxy.mark = mark
    far.proxy.fault = fault
    async with asyncio.timeout(PATIENCE):
        response = await far_ana.post("/tasks", {"title": "x", **more})
    assert far.proxy.faults_done == 1
    problem(response, 503, "outcome_unknown")
    assert response.headers["retry-after"]
    assert await titles_of(database, far_ana.workspace_id) == ([] if fault is Fault.LOSE_REQUEST else ["x"])
    assert (await far_ana.get("/tasks")).status_code == 200
    assert far.server.connections_in_use() == 0


async def test_a_key_without_a_person_to_keep_it_for_makes_nothing_repeatable(
    far: FarServer, database: Database
) -> None:
    far.server.app.state.settings = far.server.app.state.settings.model_copy(update={"sign_up": "open"})
    email = f"{uuid.uuid4().hex}@example.org"
    far.proxy.fault = Fault.LOSE_REPLY
    # The first COMMIT counts the question, and is not what this is about.
    far.proxy.spare = 1
    async with asyncio.timeout(PATIENCE):
        response = await far.server.client.post(
            f"{API}/sign-up",
            json={"email": email, "password": "correct horse battery"},
            headers={"Idempotency-Key": "k"},
        )
    assert far.proxy.faults_done == 1
    problem(response, 503, "outcome_unknown")
    async with database.read() as session:
        assert await session.scalar(select(User.id).where(User.email == email)) is not None


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_REPLY])
@pytest.mark.parametrize(("more", "mark"), COMMITS)
async def test_with_a_key_the_server_finds_out_and_it_is_done_once(
    far_ana: Person, far: FarServer, database: Database, fault: Fault, more: dict[str, Any], mark: bytes
) -> None:
    far.proxy.mark = mark
    far.proxy.fault = fault
    headers = {"Idempotency-Key": "once"}
    async with asyncio.timeout(PATIENCE):
        response = await far_ana.post("/tasks", {"title": "x", **more}, headers=headers)
    assert far.proxy.faults_done == 1
    assert response.status_code == 201, response.text
    assert ("idempotency-replayed" in response.headers) == (fault is Fault.LOSE_REPLY)
    assert (await far_ana.get(f"/tasks/{response.json()['id']}")).json() == response.json()
    again = await far_ana.post("/tasks", {"title": "x", **more}, headers=headers)
    assert (again.json(), again.headers["idempotency-replayed"]) == (response.json(), "true")
    assert await titles_of(database, far_ana.workspace_id) == ["x"]
    assert await count_keys(database, far_ana.user_id) == 1


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize(("more", "mark"), COMMITS)
async def test_a_client_that_repeats_with_its_key_has_one_effect(
    far_ana: Person, far: FarServer, database: Database, fault: Fault, more: dict[str, Any], mark: bytes
) -> None:
    """The first COMMIT of each request meets the fault; the client repeats until it is told 201."""
    far.proxy.mark = mark
    for number in range(2):
        body, headers = {"title": f"{number}", **more}, {"Idempotency-Key": f"key {number}"}
        far.proxy.fault = fault
        async with asyncio.timeout(PATIENCE):
            while (await far_ana.post("/tasks", body, headers=headers)).status_code != 201:
                pass
    assert far.proxy.faults_done == 2
    assert await titles_of(database, far_ana.workspace_id) == ["0", "1"]


async def test_a_deadline_that_strikes_in_the_commit_is_an_unknown_outcome(
    ana: Person, settings: Settings, database_url: URL, database: Database
) -> None:
    async with proxied(database_url) as (proxy, url), running(settings, url) as server:
        person = server.serve(ana)
        assert (await person.get("/tasks")).status_code == 200
        # For this request only, and long enough for it to come as far as the COMMIT on a busy machine.
        server.app.state.settings = settings.model_copy(update={"request_timeout": 2})
        proxy.fault = Fault.HOLD_REPLY
        async with asyncio.timeout(PATIENCE):
            response = await person.post("/tasks", {"title": "x", **PLAIN})
        assert proxy.faults_done == 1
        problem(response, 503, "outcome_unknown")
        assert server.connections_in_use() == 0
    assert await titles_of(database, ana.workspace_id) == ["x"]


async def test_an_unreachable_database_is_503(ana: Person, settings: Settings, database_url: URL) -> None:
    async with proxied(database_url) as (_, url):
        pass
    # The port is free again: nobody answers there.
    async with running(settings, url) as server:
        for response in (await server.serve(ana).get("/tasks"), await server.client.get("/readyz")):
            problem(response, 503, "unavailable")
            assert response.headers["retry-after"]
        assert (await server.client.get("/healthz")).status_code == 200
