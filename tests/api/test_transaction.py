"""One request, one transaction: nothing is answered before it is committed, nothing half-written stays."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import URL, select, text, update
from tests.support.journals import changes_of, latest_seq, titles_of
from tests.support.people import Person
from tests.support.problems import problem
from tests.support.servers import connections_in_use, running

from dutiful.access import Actor, lock_workspaces
from dutiful.api.deps import CurrentActor, Db, ReadDb
from dutiful.api.transaction import TransactionRoute
from dutiful.database.session import Database, Writer, before_commit
from dutiful.errors import Conflict
from dutiful.models import Task, WorkspaceCounter
from dutiful.settings import Settings
from dutiful.tasks import creation
from dutiful.tasks.schemas import TaskCreate, TaskOut

# Enough for anything but a hang.
PATIENCE = 20


def new_router() -> APIRouter:
    return APIRouter(prefix="/api/v1/tests", route_class=TransactionRoute)


async def add_task(db: Writer, actor: Actor, title: str = "written") -> Task:
    return await creation.create(db, actor, TaskCreate(title=title))


async def statuses(*requests: Awaitable[httpx.Response]) -> list[int]:
    async with asyncio.timeout(PATIENCE):
        return sorted(response.status_code for response in await asyncio.gather(*requests))


# --- no lost update ---------------------------------------------------------------------------------------------------


async def test_of_twenty_racing_writes_on_one_version_one_wins(ana: Person) -> None:
    task = await ana.make("/tasks", title="x")
    headers = {"If-Match": '"1"'}
    racers = (ana.patch(f"/tasks/{task['id']}", {"title": f"{n}"}, headers=headers) for n in range(20))
    assert await statuses(*racers) == [200] + [412] * 19
    assert (await ana.get(f"/tasks/{task['id']}")).json()["version"] == 2


async def test_ten_clients_that_count_in_a_loop_lose_nothing(ana: Person) -> None:
    task = await ana.make("/tasks", title="0")
    path = f"/tasks/{task['id']}"

    async def count_up() -> None:
        current = await ana.get(path)
        while True:
            number = int(current.json().get("current", current.json())["title"])
            headers = {"If-Match": current.headers["etag"]}
            # A stale answer says what is there now, so that the next try needs no further look.
            current = await ana.patch(path, {"title": f"{number + 1}"}, headers=headers)
            if current.status_code == 200:
                return
            assert current.status_code == 412

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(count_up() for _ in range(10)))
        await asyncio.gather(*(count_up() for _ in range(10)))
    final = (await ana.get(path)).json()
    assert (final["title"], final["version"]) == ("20", 21)


async def test_writes_at_the_same_time_number_their_changes_without_a_hole(
    ana: Person, database: Database
) -> None:
    seq = await latest_seq(database, ana.workspace_id)
    await statuses(*(ana.post("/tasks", {"title": f"{number}"}) for number in range(30)))
    changes = await changes_of(database, ana.workspace_id, seq)
    assert [change.seq for change in changes] == list(range(seq + 1, seq + 31))
    assert len({task["position"] for task in await ana.all("/tasks")}) == 30


# --- all or nothing ---------------------------------------------------------------------------------------------------


async def raise_a_bug(db: Writer, actor: Actor) -> Any:
    await add_task(db, actor)
    raise RuntimeError("a bug")


async def raise_a_conflict(db: Writer, actor: Actor) -> Any:
    await add_task(db, actor)
    raise Conflict("no")


async def return_a_refusal(db: Writer, actor: Actor) -> Any:
    await add_task(db, actor)
    return JSONResponse({"no": True}, 409)


async def return_what_is_no_task(db: Writer, actor: Actor) -> Any:
    await add_task(db, actor)
    return {"nothing": "that the response model allows"}


async def break_the_last_hook(db: Writer, actor: Actor) -> Any:
    async def fail() -> None:
        raise RuntimeError("a bug")

    task = await add_task(db, actor)
    before_commit(db, fail)
    return task


async def break_a_deferred_constraint(db: Writer, actor: Actor) -> Any:
    task = await add_task(db, actor)
    await db.execute(
        text("UPDATE workspaces SET inbox_id = -1 WHERE id = :id"), {"id": actor.personal_workspace_id}
    )
    return task


async def run_into_a_constraint(db: Writer, actor: Actor) -> Any:
    task = await add_task(db, actor)
    await db.execute(update(Task).where(Task.id == task.id).values(title=""))
    return task


@pytest.mark.parametrize(
    ("handle", "status"),
    [
        (raise_a_bug, 500),
        (raise_a_conflict, 409),
        (return_a_refusal, 409),
        (return_what_is_no_task, 500),
        (break_the_last_hook, 500),
        (break_a_deferred_constraint, 500),
        (run_into_a_constraint, 500),
    ],
)
async def test_an_error_however_late_takes_everything_back(
    ana: Person,
    database: Database,
    settings: Settings,
    database_url: URL,
    handle: Callable[[Writer, Actor], Awaitable[Any]],
    status: int,
) -> None:
    router = new_router()

    @router.post("/late", response_model=TaskOut)
    async def late(db: Db, actor: CurrentActor) -> Any:
        return await handle(db, actor)

    seq = await latest_seq(database, ana.workspace_id)
    async with running(settings, database_url, router) as server:
        person = server.serve(ana)
        response = await person.post("/tests/late", headers={"Idempotency-Key": "k"})
        assert response.status_code == status, response.text
        if handle is not return_a_refusal:
            problem(response, status)
        # The key was not used up either: the same request runs again, to the same end.
        assert (await person.post("/tests/late", headers={"Idempotency-Key": "k"})).status_code == status
    assert await titles_of(database, ana.workspace_id) == []
    assert await latest_seq(database, ana.workspace_id) == seq
    assert await changes_of(database, ana.workspace_id, seq) == []


async def test_a_read_cannot_write(
    ana: Person, database: Database, settings: Settings, database_url: URL
) -> None:
    router = new_router()

    @router.get("/sneaky")
    async def sneaky(db: ReadDb, actor: CurrentActor) -> None:
        await add_task(Writer(db), actor)

    async with running(settings, database_url, router) as server:
        problem(await server.serve(ana).get("/tests/sneaky"), 500)
    assert await titles_of(database, ana.workspace_id) == []


async def test_requests_at_the_same_time_have_sessions_of_their_own(
    ana: Person, settings: Settings, database_url: URL
) -> None:
    router = new_router()
    together = asyncio.Barrier(4)
    sessions: set[int] = set()

    @router.get("/session")
    async def read(db: ReadDb) -> None:
        sessions.add(id(db))
        await together.wait()

    @router.post("/session")
    async def write(db: Db) -> None:
        sessions.add(id(db))
        await together.wait()

    async with running(settings, database_url, router) as server:
        person = server.serve(ana)
        calls = [call("/tests/session") for call in (person.get, person.post) * 2]
        assert await statuses(*calls) == [200] * 4
    assert len(sessions) == 4


# --- again, when that helps -------------------------------------------------------------------------------------------


async def test_two_transactions_that_cross_are_both_done(
    ana: Person, bob: Person, database: Database, settings: Settings, database_url: URL
) -> None:
    """PostgreSQL ends one of them as a deadlock; that one runs again."""
    router = new_router()
    both_hold_one = asyncio.Barrier(2)
    attempts: list[str] = []

    async def lock(db: Writer, workspace_id: int) -> None:
        statement = select(WorkspaceCounter).where(WorkspaceCounter.workspace_id == workspace_id)
        await db.execute(statement.with_for_update())

    @router.post("/crossing/{first}/{second}")
    async def cross(first: int, second: int, db: Db, actor: CurrentActor) -> None:
        await lock(db, first)
        attempts.append("attempt")
        if len(attempts) <= 2:
            await both_hold_one.wait()
        await lock(db, second)
        await add_task(db, actor, f"attempt {len(attempts)}")

    seqs = {person: await latest_seq(database, person.workspace_id) for person in (ana, bob)}
    async with running(settings, database_url, router) as server:
        crossing = (
            server.serve(person).post(f"/tests/crossing/{person.workspace_id}/{other.workspace_id}")
            for person, other in ((ana, bob), (bob, ana))
        )
        assert await statuses(*crossing) == [200, 200]
    assert len(attempts) == 3
    for person, seq in seqs.items():
        assert len(await titles_of(database, person.workspace_id)) == 1
        assert await latest_seq(database, person.workspace_id) == seq + 1


async def test_a_serialization_failure_runs_again(ana: Person, database: Database) -> None:
    task = await ana.make("/tasks", title="0")
    attempts = itertools.count(1)

    async def serial(session: Writer) -> int:
        attempt = next(attempts)
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        title = await session.scalar(select(Task.title).where(Task.id == task["id"]))
        if attempt == 1:
            assert (await ana.patch(f"/tasks/{task['id']}", {"title": "10"})).status_code == 200
        count = int(title or 0) + 1
        await session.execute(update(Task).where(Task.id == task["id"]).values(title=f"{count}"))
        return attempt

    assert await database.write(serial) == 2
    assert (await ana.get(f"/tasks/{task['id']}")).json()["title"] == "11"


async def test_who_collides_every_time_is_told_to_come_back(
    ana: Person, settings: Settings, database_url: URL
) -> None:
    router = new_router()
    attempts: list[int] = []

    @router.post("/hopeless")
    async def hopeless(db: Db, actor: CurrentActor) -> None:
        attempts.append(1)
        await add_task(db, actor)
        await db.execute(text("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"))

    async with running(settings, database_url, router) as server:
        response = await server.serve(ana).post("/tests/hopeless")
    problem(response, 503, "unavailable")
    assert int(response.headers["retry-after"]) >= 1
    assert len(attempts) == 4
    assert await ana.all("/tasks") == []


async def kill_backend(database: Database, pid: int) -> None:
    async with database.read() as session:
        await session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


async def test_a_connection_lost_on_the_way_runs_again(
    ana: Person, database: Database, settings: Settings, database_url: URL
) -> None:
    router = new_router()
    attempts = itertools.count(1)

    @router.post("/killed", response_model=TaskOut)
    async def killed(db: Db, actor: CurrentActor) -> Any:
        attempt = next(attempts)
        await add_task(db, actor, f"attempt {attempt}, before")
        if attempt == 1:
            await kill_backend(database, (await db.scalars(text("SELECT pg_backend_pid()"))).one())
        return await add_task(db, actor, f"attempt {attempt}, after")

    async with running(settings, database_url, router) as server:
        response = await server.serve(ana).post("/tests/killed")
    assert response.status_code == 200, response.text
    assert await titles_of(database, ana.workspace_id) == ["attempt 2, before", "attempt 2, after"]


async def test_a_dead_connection_in_the_pool_is_no_failure(
    ana: Person, database: Database, settings: Settings, database_url: URL
) -> None:
    router = new_router()

    @router.get("/pid")
    async def pid(db: ReadDb) -> int:
        return int((await db.scalars(text("SELECT pg_backend_pid()"))).one())

    one_connection = settings.model_copy(update={"db_pool_size": 1})
    async with running(one_connection, database_url, router) as server:
        person = server.serve(ana)
        for call in (person.get("/tasks"), person.post("/tasks", {"title": "x"})):
            await kill_backend(database, (await person.get("/tests/pid")).json())
            assert (await call).status_code in {200, 201}
    assert await titles_of(database, ana.workspace_id) == ["x"]


# --- limits on waiting ------------------------------------------------------------------------------------------------


async def hold_lock(database: Database, workspace_id: int, until: asyncio.Event, held: asyncio.Event) -> None:
    async def work(session: Writer) -> None:
        await lock_workspaces(session, [workspace_id])
        held.set()
        await until.wait()

    await database.write(work)


async def test_who_waits_too_long_for_a_lock_is_told_to_come_back(
    ana: Person, database: Database, settings: Settings, database_url: URL
) -> None:
    task = await ana.make("/tasks", title="x")
    done, held = asyncio.Event(), asyncio.Event()
    holder = asyncio.create_task(hold_lock(database, ana.workspace_id, done, held))
    await held.wait()
    impatient = settings.model_copy(update={"db_lock_timeout": 0.1})
    async with running(impatient, database_url) as server:
        person = server.serve(ana)
        for response in (
            await person.post("/tasks", {"title": "y"}),
            await person.patch(f"/tasks/{task['id']}", {"title": "y"}),
            await person.delete(f"/tasks/{task['id']}"),
            await person.post("/batch", [{"op": "delete", "type": "task", "id": task["id"]}]),
        ):
            problem(response, 503, "unavailable")
            assert int(response.headers["retry-after"]) >= 1
        # Reading waits for nobody.
        assert (await person.get(f"/tasks/{task['id']}")).json() == task
        done.set()
        await holder
        assert (await person.patch(f"/tasks/{task['id']}", {"title": "y"})).status_code == 200


async def test_strangers_and_viewers_wait_for_no_lock(
    ana: Person, bob: Person, database: Database, settings: Settings, database_url: URL
) -> None:
    task = await ana.make("/tasks", title="x")
    done, held = asyncio.Event(), asyncio.Event()
    holder = asyncio.create_task(hold_lock(database, ana.workspace_id, done, held))
    await held.wait()
    impatient = settings.model_copy(update={"db_lock_timeout": 0.1})
    async with running(impatient, database_url) as server:
        stranger = server.serve(bob)
        problem(await stranger.patch(f"/tasks/{task['id']}", {"title": "y"}), 404)
        problem(await stranger.post("/tasks", {"title": "y", "workspace_id": ana.workspace_id}), 422)
    done.set()
    await holder


async def test_without_a_free_connection_the_answer_is_503(
    ana: Person, settings: Settings, database_url: URL
) -> None:
    router = new_router()
    inside, done = asyncio.Event(), asyncio.Event()

    @router.post("/slow")
    async def slow(db: Db, actor: CurrentActor) -> None:
        await add_task(db, actor)
        inside.set()
        await done.wait()

    narrow = settings.model_copy(update={"db_pool_size": 1, "db_pool_timeout": 0.1})
    async with running(narrow, database_url, router) as server:
        person = server.serve(ana)
        slow_one = asyncio.create_task(person.post("/tests/slow"))
        await inside.wait()
        for response in (await person.get("/tasks"), await person.post("/tasks", {"title": "x"})):
            problem(response, 503, "unavailable")
            assert int(response.headers["retry-after"]) >= 1
        assert (await person.client.get("/healthz")).status_code == 200
        assert server.connections_in_use() == 1
        done.set()
        assert (await slow_one).status_code == 200
        assert (await person.get("/tasks")).status_code == 200


@pytest.mark.parametrize("is_in_database", [True, False])
async def test_a_request_over_its_deadline_is_given_up(
    ana: Person, database: Database, settings: Settings, database_url: URL, is_in_database: bool
) -> None:
    router = new_router()

    @router.post("/endless")
    async def endless(db: Db, actor: CurrentActor) -> None:
        await add_task(db, actor)
        if is_in_database:
            await db.execute(text("SELECT pg_sleep(60)"))
        await asyncio.Event().wait()

    async with running(settings, database_url, router) as server:
        person = server.serve(ana)
        # For this request only: on a busy machine any other may take as long.
        server.app.state.settings = settings.model_copy(update={"request_timeout": 0.5})
        async with asyncio.timeout(PATIENCE):
            response = await person.post("/tests/endless")
        server.app.state.settings = settings
        problem(response, 503)
        assert int(response.headers["retry-after"]) >= 1
        assert server.connections_in_use() == 0
        # Its lock is gone with it.
        assert (await person.post("/tasks", {"title": "next"})).status_code == 201
    assert await titles_of(database, ana.workspace_id) == ["next"]


async def test_a_statement_over_its_time_is_503(ana: Person, settings: Settings, database_url: URL) -> None:
    router = new_router()

    @router.get("/slow")
    async def slow(db: ReadDb) -> None:
        await db.execute(text("SELECT pg_sleep(60)"))

    hasty = settings.model_copy(update={"db_statement_timeout": 0.2})
    async with running(hasty, database_url, router) as server:
        problem(await server.serve(ana).get("/tests/slow"), 503, "unavailable")


async def test_no_connection_is_kept_after_any_of_this(
    ana: Person, bob: Person, app: FastAPI, database: Database
) -> None:
    task = await ana.make("/tasks", title="x")
    calls: list[Awaitable[httpx.Response]] = []
    for person in (ana, bob):
        calls += [person.get(f"/tasks/{task['id']}") for _ in range(10)]
        calls += [person.patch(f"/tasks/{task['id']}", {"title": ""}) for _ in range(10)]
        calls += [person.post("/tasks", {"title": "x", "parent_id": task["id"]}) for _ in range(10)]
    assert set(await statuses(*calls)) == {200, 201, 404, 422}
    assert connections_in_use(database) == 0


async def test_the_answer_to_a_client_that_hangs_up_costs_no_connection(
    ana: Person, settings: Settings, database_url: URL
) -> None:
    router = new_router()
    inside = asyncio.Event()

    @router.post("/slow")
    async def slow(request: Request, db: Db, actor: CurrentActor) -> Response:
        await add_task(db, actor)
        inside.set()
        await asyncio.Event().wait()
        return Response()

    async with running(settings, database_url, router) as server:
        call = asyncio.create_task(server.serve(ana).post("/tests/slow"))
        await inside.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert server.connections_in_use() == 0
        assert (await server.serve(ana).get("/tasks")).json()["items"] == []
