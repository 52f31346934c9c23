"""Behind a PgBouncer that hands out connections by transaction."""

import asyncio
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url, text
from tests.cli.programs import fresh_database
from tests.pgbouncer.asking import QUESTIONS, ROUNDS
from tests.pgbouncer.conftest import PgBouncer, running_pgbouncer
from tests.support.live import Live, serving
from tests.support.people import Person, make_person
from tests.support.sharing import share
from tests.support.writers import all_changes, write

from dutiful.changes import wakeups as wakeups_module
from dutiful.changes.cursor import encode_cursor
from dutiful.database import engine as engine_module
from dutiful.database import migrate
from dutiful.database.embedded import EmbeddedPostgres
from dutiful.database.engine import create_engine
from dutiful.database.session import Database
from dutiful.settings import Settings

ROOT = Path(__file__).parents[2]
KEEPS_NOTHING = "prepared_statement_cache_size=0"


def written(url: URL, parameters: str) -> str:
    text = url.render_as_string(hide_password=False)
    return f"{text}&{parameters}" if parameters else text


@pytest.fixture(params=["", KEEPS_NOTHING], ids=["found out", "said"])
def url(pgbouncer: PgBouncer, request: pytest.FixtureRequest) -> str:
    return written(pgbouncer.url, request.param)


async def ask(url: str, processes: int = 2) -> Counter[str]:
    """What so many processes were answered that ask at the same time."""
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.pgbouncer.asking",
            url,
            f"process{number}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=ROOT,
        )
        for number in range(processes)
    ]
    told = [(await process.communicate())[0] for process in running]
    counts: Counter[str] = Counter()
    for one in told:
        counts.update(json.loads(one))
    return counts


# --- answers ----------------------------------------------------------------------------------------------------------


async def test_two_processes_are_answered_what_they_asked(url: str) -> None:
    assert await ask(url) == {"right": 2 * QUESTIONS * ROUNDS}


async def test_with_statements_that_are_kept_they_would_not_be(
    postgres: EmbeddedPostgres, database_url: URL, public_tmp: Path
) -> None:
    """So the test above would notice. With a PgBouncer of its own, where these statements may stay behind."""
    with running_pgbouncer(postgres, database_url, public_tmp / "misused") as pgbouncer:
        counts = await ask(written(pgbouncer.url, "prepared_statement_cache_size=100"))
    assert counts["wrong"] + counts["failed"] > 0


async def test_nothing_stays_behind_on_the_connections(url: str, settings: Settings) -> None:
    await ask(url)
    engine = create_engine(settings, url)
    for _ in range(8):
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0
    await engine.dispose()


# --- finding out ------------------------------------------------------------------------------------------------------
async def test_it_is_told_once(
    pgbouncer: PgBouncer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    engine_module._tell_of_pooler.cache_clear()
    engine = create_engine(settings, pgbouncer.url)
    with caplog.at_level(logging.WARNING):
        async with engine.connect(), engine.connect():
            pass
    await engine.dispose()
    assert caplog.text.count("A pooler stands between") == 1


async def test_whoever_says_so_spares_the_look(
    pgbouncer: PgBouncer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "connect_directly", None)
    engine = create_engine(settings, written(pgbouncer.url, KEEPS_NOTHING))
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


async def test_postgresql_itself_keeps_statements(database_url: URL, settings: Settings) -> None:
    engine = create_engine(settings, database_url)
    async with engine.connect() as connection:
        statement = text(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%FROM pg_prepared%'"
        )
        assert [await connection.scalar(statement) for _ in range(3)] == [1, 1, 1]
    await engine.dispose()


# --- migrations -------------------------------------------------------------------------------------------------------


@pytest.fixture
def empty(pgbouncer: PgBouncer, postgres: EmbeddedPostgres) -> Iterator[URL]:
    """A database without tables."""
    with fresh_database(postgres) as direct:
        yield pgbouncer.url.set(database=make_url(direct).database)


async def test_replicas_that_start_together_make_the_tables_once(empty: URL, settings: Settings) -> None:
    engines = [create_engine(settings, empty) for _ in range(3)]
    states = await asyncio.gather(*(migrate.upgrade(engine) for engine in engines))
    assert all(state.is_current for state in states)
    assert await migrate.differences(engines[0]) == ""
    for engine in engines:
        await engine.dispose()


# --- two servers ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def patient(settings: Settings) -> Settings:
    """Two servers of several, whose writers hold their locks on purpose."""
    return settings.model_copy(update={"workers": 2, "db_pool_size": 8})


@pytest.fixture
async def servers(pgbouncer: PgBouncer, patient: Settings) -> AsyncIterator[tuple[Live, Live]]:
    async with (
        serving(patient, pgbouncer.url) as here,
        serving(patient, written(pgbouncer.url, KEEPS_NOTHING)) as there,
    ):
        yield here, there


@pytest.fixture
def here(servers: tuple[Live, Live]) -> Live:
    return servers[0]


@pytest.fixture
def there(servers: tuple[Live, Live]) -> Live:
    return servers[1]


@pytest.fixture
async def ana(here: Live) -> Person:
    return await make_person(here.database, here.client, f"Ana {os.urandom(3).hex()}")


async def test_streams_find_by_looking_what_another_server_commits(
    here: Live,
    there: Live,
    ana: Person,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(wakeups_module, "SECONDS_FOR_PROOF", 0.2)
    monkeypatch.setattr(wakeups_module, "SECONDS_WHEN_DEAF", 0.2)
    with caplog.at_level(logging.WARNING):
        async with here.follow(ana) as events:
            for number in range(4):
                await there.serve(ana).patch(f"/workspaces/{ana.workspace_id}", {"name": str(number)})
                assert await events.changes(1) == [(ana.workspace_id, 4 + number)]
    assert caplog.text.count("LISTEN brings nothing") == 1
    assert "wait for the database" not in caplog.text


async def test_nothing_is_missed_and_nothing_told_twice_under_load(
    here: Live, there: Live, ana: Person, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    workspace_ids = [ana.workspace_id, *[await share(ana) for _ in range(3)]]
    start = encode_cursor(dict.fromkeys(workspace_ids, 0))
    with caplog.at_level(logging.WARNING):
        async with here.follow(ana, start) as nearby, there.follow(there.serve(ana), start) as far:
            await asyncio.gather(
                *(
                    write(server.database, ana, workspace_ids, seed)
                    for seed in range(6)
                    for server in (here, there)
                )
            )
            expected = await all_changes(database, workspace_ids)
            for events in (nearby, far):
                assert sorted(await events.changes(len(expected))) == expected
    assert "wait for the database" not in caplog.text


async def test_tasks_are_made_changed_found_and_listed(here: Live, there: Live, ana: Person) -> None:
    servers = [ana, there.serve(ana)]
    made = await asyncio.gather(
        *(servers[number % 2].make("/tasks", title=f"Task {number}") for number in range(40))
    )
    await asyncio.gather(
        *(
            servers[number % 2].patch(f"/tasks/{task['id']}", {"priority": "high"})
            for number, task in enumerate(made)
        )
    )
    for person in servers:
        listed = (await person.get("/tasks", params={"limit": 100})).json()["items"]
        assert {(one["title"], one["priority"]) for one in listed} == {
            (f"Task {number}", "high") for number in range(40)
        }
        found = (await person.get("/tasks", params={"q": "task 7"})).json()["items"]
        assert [one["title"] for one in found] == ["Task 7"]
        filtered = {"filter": 'priority >= high & "task 7"'}
        found = (await person.get("/tasks", params=filtered)).json()["items"]
        assert [one["title"] for one in found] == ["Task 7"]


async def test_a_filter_leaves_no_setting_behind(here: Live, ana: Person) -> None:
    database = here.app.state.database
    for _ in range(8):
        await asyncio.gather(*(ana.all("/tasks", filter="overdue") for _ in range(6)))
        async with database.read() as session:
            assert await session.scalar(text("SHOW plan_cache_mode")) == "auto"
