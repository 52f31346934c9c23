"""The chain of migrations, on databases of their own."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from dutiful.database import migrate
from dutiful.database.embedded import EmbeddedPostgres
from dutiful.database.migrate import MigrationError
from dutiful.models import Base

MakeDatabase = Callable[[str], Awaitable[AsyncEngine]]

SCHEMA = {
    "columns": """
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
               attcollation::regcollation::text, pg_get_expr(adbin, adrelid)
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid IN ({tables}) AND attnum > 0 AND NOT attisdropped""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid IN ({tables}) AND contype <> 'n'""",
    "indexes": """
        SELECT indrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid IN ({tables})""",
    "storage": "SELECT relname, reloptions FROM pg_class WHERE oid IN ({tables})",
}
TABLES = """
    SELECT oid FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'"""


@pytest.fixture
async def make_database(postgres: EmbeddedPostgres) -> AsyncIterator[MakeDatabase]:
    """New databases, gone after the test. The string is added to CREATE DATABASE."""
    names: list[str] = []

    async def make(options: str = "") -> AsyncEngine:
        names.append(f"migrations_{os.getpid()}_{len(names)}")
        await execute(postgres.url, f"CREATE DATABASE {names[-1]} {options}")
        return create_async_engine(postgres.url.replace("/dutiful?", f"/{names[-1]}?"), poolclass=NullPool)

    yield make
    for name in names:
        await execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def empty(make_database: MakeDatabase) -> AsyncEngine:
    return await make_database("")


async def execute(url: str, statement: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with engine.connect() as connection, connection.begin() as begun:
        yield connection
        await begun.rollback()


async def schema_of(engine: AsyncEngine) -> dict[str, list[Sequence[Any]]]:
    async with engine.connect() as connection:
        return {
            part: sorted(
                (tuple(row) for row in await connection.execute(text(query.format(tables=TABLES)))), key=repr
            )
            for part, query in SCHEMA.items()
        }


# --- the chain --------------------------------------------------------------------------------------------------------


async def test_up_down_and_up_again(empty: AsyncEngine) -> None:
    told: list[str] = []
    up = await migrate.upgrade(empty, say=told.append)
    assert up.is_current
    assert told[0] == "Applied migration 0001: Create tables."
    migrated = await schema_of(empty)
    down = await migrate.downgrade(empty, "base")
    assert down.revision is None
    assert not any((await schema_of(empty)).values())
    assert (await migrate.upgrade(empty)).is_current
    assert await schema_of(empty) == migrated


async def test_models_and_migrations_make_the_same_tables(make_database: MakeDatabase) -> None:
    migrated, made = await make_database(""), await make_database("")
    await migrate.upgrade(migrated)
    async with made.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    assert await migrate.differences(migrated) == ""
    # Alembic compares neither check constraints nor deferral, nor the order of columns.
    assert await schema_of(migrated) == await schema_of(made)


async def test_a_difference_is_shown(empty: AsyncEngine) -> None:
    await migrate.upgrade(empty)
    async with empty.begin() as connection:
        await connection.execute(text("ALTER TABLE tasks DROP COLUMN due_at"))
    difference = await migrate.differences(empty)
    assert "op.add_column" in difference
    # Our own types are written as what is stored: a migration must not change with them.
    assert "sa.DateTime(timezone=True)" in difference


def test_every_migration_says_what_it_does_and_follows_one_other() -> None:
    scripts = migrate.history()
    assert all(script.doc and script.doc.endswith(".") for script in scripts)
    assert [script.down_revision for script in scripts] == [script.revision for script in scripts[1:]] + [
        None
    ]
    assert all(Path(script.path).name[:10].replace("_", "").isdigit() for script in scripts)


def test_the_statements_can_be_printed() -> None:
    statements = migrate.sql()
    assert "CREATE TABLE tasks" in statements
    assert "INITIALLY DEFERRED" in statements
    assert "DROP TABLE" not in statements


async def test_an_upgrade_that_has_nothing_to_do_needs_no_lock(empty: AsyncEngine) -> None:
    await migrate.upgrade(empty)
    async with held_lock(empty):
        assert (await migrate.upgrade(empty)).is_current


FULL = """
    INSERT INTO workspaces (id, name, inbox_id, version, created_at, updated_at)
    OVERRIDING SYSTEM VALUE VALUES (7, 'Home', 8, 1, now(), now());
    INSERT INTO projects (id, workspace_id, name, archived, position, version, created_at, updated_at)
    OVERRIDING SYSTEM VALUE VALUES (8, 7, 'Inbox', false, 'a0', 1, now(), now());
    INSERT INTO tasks (workspace_id, project_id, title, description, status, priority, label_ids, position, uid,
                       version, created_at, updated_at)
    SELECT 7, 8, 'Äpfel ' || number, 'two kilos', 'open', 0, '{}', 'b' || number, number::text, 1, now(), now()
    FROM generate_series(1, 2500) AS number"""


async def make_tasks(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        for statement in FULL.split(";"):
            await connection.execute(text(statement))


async def test_tasks_that_are_there_can_be_searched_after_the_upgrade(empty: AsyncEngine) -> None:
    await migrate.upgrade(empty, "0005")
    await make_tasks(empty)
    await migrate.upgrade(empty)
    async with empty.connect() as connection:
        for query, count in (("'7:äpfel' & '7:2499' & '7:kilos'", 1), ("'7:apfel'", 2500), ("'8:äpfel'", 0)):
            found = text("SELECT count(*) FROM tasks WHERE search @@ CAST(:query AS tsquery)")
            assert await connection.scalar(found, {"query": query}) == count


async def test_printed_statements_refuse_tasks_whose_words_they_cannot_tell(empty: AsyncEngine) -> None:
    await migrate.upgrade(empty, "0005")
    await make_tasks(empty)
    (refusal,) = re.findall(r"DO \$\$.*?END \$\$", migrate.sql("0005:0006"), re.DOTALL)
    async with empty.connect() as connection:
        with pytest.raises(DBAPIError, match='run "dutiful db upgrade" instead'):
            await connection.execute(text(refusal))


# --- together and after a kill ----------------------------------------------------------------------------------------


@asynccontextmanager
async def held_lock(engine: AsyncEngine) -> AsyncIterator[None]:
    async with transaction(engine) as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": migrate.LOCK})
        yield


async def test_of_several_at_once_one_migrates_and_the_others_wait(empty: AsyncEngine) -> None:
    told: list[str] = []
    waits = asyncio.Event()

    def say(line: str) -> None:
        told.append(line)
        if sum("Waiting" in said for said in told) == 3:
            waits.set()

    async with held_lock(empty):
        upgrades = [asyncio.create_task(migrate.upgrade(empty, say=say)) for _ in range(3)]
        await asyncio.wait_for(waits.wait(), 10)
        assert (await migrate.inspect(empty)).revision is None
    assert all(state.is_current for state in await asyncio.gather(*upgrades))
    assert sum("Applied migration 0001" in line for line in told) == 1


async def test_after_a_kill_in_the_middle_the_next_run_finishes(empty: AsyncEngine) -> None:
    async with transaction(empty) as connection:
        # The migration gets as far as this table, whose name is being taken, and waits.
        await connection.execute(text("CREATE TABLE projects (id integer)"))
        process = await migrating_process(empty)
        await wait_for_blocked_migration(empty)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert (await migrate.inspect(empty)).revision is None
    assert (await migrate.upgrade(empty)).is_current
    assert await migrate.differences(empty) == ""


async def migrating_process(engine: AsyncEngine) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import asyncio, sys; from sqlalchemy.ext.asyncio import create_async_engine as engine\n"
        "from dutiful.database import migrate; asyncio.run(migrate.upgrade(engine(sys.argv[1])))",
        engine.url.render_as_string(hide_password=False),
    )


async def wait_for_blocked_migration(engine: AsyncEngine) -> None:
    query = """
        SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dutiful migrations'
        AND datname = current_database() AND wait_event_type = 'Lock'"""
    async with asyncio.timeout(20):
        while True:
            async with engine.connect() as connection:
                if await connection.scalar(text(query)):
                    return
            await asyncio.sleep(0.05)


# --- what cannot be used ----------------------------------------------------------------------------------------------


async def test_a_database_from_the_future_is_refused_and_left_alone(empty: AsyncEngine) -> None:
    await migrate.upgrade(empty)
    async with empty.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (migrate.inspect(empty), migrate.upgrade(empty), migrate.downgrade(empty, "base")):
        with pytest.raises(MigrationError, match=r"schema 9999 is newer than this program.*upgrade dutiful"):
            await attempt
    assert (await migrate.stamp(empty, "head")).is_current


async def test_a_server_that_is_too_old_is_refused(
    empty: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "OLDEST_POSTGRES", 99)
    with pytest.raises(MigrationError, match=r"is PostgreSQL 1[68]\.\d+; Dutiful needs 99 or newer"):
        await migrate.upgrade(empty)


async def test_an_encoding_that_cannot_hold_every_character_is_refused(make_database: MakeDatabase) -> None:
    latin = await make_database("TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'")
    with pytest.raises(MigrationError, match=r"has the encoding LATIN1.*ENCODING 'UTF8' TEMPLATE template0"):
        await migrate.upgrade(latin)


async def test_an_unknown_revision_is_told(empty: AsyncEngine) -> None:
    with pytest.raises(MigrationError, match="Can't locate revision identified by 'nonsense'"):
        await migrate.upgrade(empty, "nonsense")
