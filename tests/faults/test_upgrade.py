"""An upgrade of a full database that is killed again and again: nothing that was there changes."""

import asyncio
import logging
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from tests.cli.programs import environment
from tests.faults.figures import Figures
from tests.faults.ground import PATIENCE, Ground

from dutiful.database import migrate

OLD = "0001"
SHORT_KILLS = 3
LONG_KILLS = 30
SHORTEST = 0.25
"""Seconds from its first statements in which a migration is killed. Twice as long each time, so that it ends at last."""

log = logging.getLogger(__name__)

# Everything the first revision has room for. Each workspace has `:tasks` tasks.
FULL = """
    INSERT INTO users (email, name, timezone, week_start, password_hash, is_admin, disabled_at, version,
                       created_at, updated_at)
    SELECT CASE WHEN n % 5 > 0 THEN 'user' || n || '@example.org' END, 'Žofie ' || n, 'Europe/Prague', n % 7 + 1,
           CASE WHEN n % 3 > 0 THEN '$argon2id$' || n END, n = 1, CASE WHEN n % 7 = 0 THEN now() END, n, now(), now()
    FROM generate_series(1, 20) AS n;

    INSERT INTO workspaces (id, name, inbox_id, personal_of, deleted_at, version, created_at, updated_at)
    OVERRIDING SYSTEM VALUE
    SELECT 1000 + n, 'Home ' || n, 2000 + n, CASE WHEN n % 2 = 0 THEN n END,
           CASE WHEN n % 9 = 0 THEN now() END, 1, now(), now()
    FROM generate_series(1, 20) AS n;

    INSERT INTO workspace_counters SELECT id, id * 7 FROM workspaces;

    INSERT INTO members (workspace_id, user_id, role, version, created_at, updated_at)
    SELECT 1000 + w, u, (ARRAY['viewer', 'editor', 'owner'])[u % 3 + 1], 1, now(), now()
    FROM generate_series(1, 20) AS w, generate_series(1, 20) AS u WHERE (w + u) % 4 = 0 OR w = u;

    INSERT INTO projects (id, workspace_id, name, color, archived, position, created_by, version, created_at,
                          updated_at)
    OVERRIDING SYSTEM VALUE
    SELECT 2000 + n + 100 * p, 1000 + n, CASE WHEN p = 0 THEN 'Inbox' ELSE 'Zahrada ' || p END,
           CASE WHEN p > 0 THEN '#00ff0' || p END, p = 3, 'a' || p, n, p + 1, now(), now()
    FROM generate_series(1, 20) AS n, generate_series(0, 3) AS p;

    INSERT INTO sections (id, workspace_id, project_id, name, position, created_by, version, created_at, updated_at,
                          deleted_at, trash_id)
    OVERRIDING SYSTEM VALUE
    SELECT id * 10 + s, workspace_id, id, 'část ' || s, 'a' || s, NULL, 1, now(), now(),
           CASE WHEN s = 2 THEN now() END, CASE WHEN s = 2 THEN gen_random_uuid() END
    FROM projects, generate_series(1, 2) AS s;

    INSERT INTO labels (workspace_id, name, color, created_by, version, created_at, updated_at)
    SELECT 1000 + n, 'label ' || l, '#0000ff', n, 1, now(), now()
    FROM generate_series(1, 20) AS n, generate_series(1, 5) AS l;

    INSERT INTO tasks (id, workspace_id, project_id, section_id, parent_id, title, description, status, priority,
                       label_ids, assignee_id, start_date, due_date, due_time, due_timezone, due_at, position, uid,
                       created_by, completed_at, version, created_at, updated_at, deleted_at, trash_id)
    OVERRIDING SYSTEM VALUE
    SELECT w * 1000000 + n, 1000 + w, 2000 + w + 100 * (n % 4),
           CASE WHEN n % 3 = 0 THEN (2000 + w + 100 * (n % 4)) * 10 + 1 END,
           CASE WHEN n % 11 = 0 AND n > 100 THEN w * 1000000 + n - 44 END,
           'Äpfel “' || n || '” 買う', repeat('příliš žluťoučký kůň ' || n || E'\\n', n % 40),
           (ARRAY['open', 'done', 'cancelled'])[n % 3 + 1], n % 5,
           CASE WHEN n % 2 = 0 THEN ARRAY[w * 5, w * 5 - 1]::bigint[] ELSE '{}' END,
           CASE WHEN n % 13 = 0 THEN w END, CASE WHEN n % 7 = 0 THEN DATE '2026-01-01' + n % 700 END,
           CASE WHEN n % 4 = 0 THEN DATE '2026-02-01' + n % 700 END, CASE WHEN n % 8 = 0 THEN TIME '09:30' END,
           CASE WHEN n % 16 = 0 THEN 'Asia/Tokyo' END, CASE WHEN n % 16 = 0 THEN now() END,
           'b' || n, 'uid-' || n, w, CASE WHEN n % 3 > 0 THEN now() END, n % 100 + 1, now(), now(),
           CASE WHEN n % 17 = 0 THEN now() END, CASE WHEN n % 17 = 0 THEN gen_random_uuid() END
    FROM generate_series(1, 20) AS w, generate_series(1, :tasks) AS n;

    INSERT INTO changes (workspace_id, seq, at, user_id, verb, entity, entity_id, version, before, after, request_id)
    SELECT workspace_id, id % 1000000, now(), created_by, 'task.created', 'task', id, 1,
           CASE WHEN id % 2 = 0 THEN jsonb_build_object('title', 'before ' || id) END,
           jsonb_build_object('title', title, 'labels', label_ids), gen_random_uuid()
    FROM tasks;

    INSERT INTO import_records SELECT workspace_id, 'taskwarrior', uid, id, version, decode(md5(uid), 'hex')
    FROM tasks WHERE id % 5 = 0;

    INSERT INTO tokens (user_id, name, hash, scopes, expires_at, last_used_at, created_at)
    SELECT n % 20 + 1, 'token ' || n, sha256(n::text::bytea), '{read,write}', CASE WHEN n % 2 = 0 THEN now() END,
           CASE WHEN n % 3 = 0 THEN now() END, now() FROM generate_series(1, 200) AS n;

    INSERT INTO idempotency_keys
    SELECT n % 20 + 1, 'key ' || n, sha256(n::text::bytea), 201, '{"Location": "/"}', 'body', ARRAY[n, n + 1], NULL, now()
    FROM generate_series(1, 500) AS n;

    INSERT INTO account_events (at, user_id, actor_id, verb, details)
    SELECT now(), n % 20 + 1, NULL, 'token.created', jsonb_build_object('n', n) FROM generate_series(1, 500) AS n"""

Rows = dict[str, Counter[str]]


@dataclass
class OldDatabase:
    """One of the first revision, full."""

    ground: Ground
    engine: AsyncEngine

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        async with self.ground.connection("old") as connection:
            yield connection

    async def columns(self) -> dict[str, str]:
        """Of each table, in a row."""
        async with self.connection() as connection:
            return dict(
                await connection.fetch(
                    "SELECT table_name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) "
                    "FROM information_schema.columns "
                    "WHERE table_schema = 'public' AND table_name <> 'alembic_version' GROUP BY table_name"
                )
            )

    async def rows(self, columns: dict[str, str]) -> Rows:
        async with self.connection() as connection:
            return {
                table: Counter(
                    row for (row,) in await connection.fetch(f"SELECT md5(ROW({names})::text) FROM {table}")
                )
                for table, names in columns.items()
            }

    async def revision(self) -> str:
        async with self.connection() as connection:
            return str(await connection.fetchval("SELECT version_num FROM alembic_version"))

    async def dutiful(self, *arguments: str) -> asyncio.subprocess.Process:
        folder = self.ground.folder / "commands"
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "dutiful",
            *arguments,
            env=environment(
                folder,
                DATABASE_URL=self.engine.url.render_as_string(hide_password=False),
                **self.ground.environment,
            ),
            cwd=self.ground.folder,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )

    async def succeed(self, *arguments: str) -> None:
        process = await self.dutiful(*arguments)
        async with asyncio.timeout(PATIENCE * 5):
            _, said = await process.communicate()
        assert process.returncode == 0, said.decode()


@pytest.fixture
async def old(ground: Ground, is_long: bool) -> OldDatabase:
    async with ground.connection() as connection:
        await connection.execute("CREATE DATABASE old")
    engine = create_async_engine(ground.url.replace("/dutiful?", "/old?"), poolclass=NullPool)
    old = OldDatabase(ground, engine)
    await migrate.upgrade(engine, OLD)
    async with old.connection() as connection, connection.transaction():
        await connection.execute(FULL.replace(":tasks", "1500" if is_long else "100"))
    return old


async def test_an_upgrade_that_is_killed_loses_nothing(
    old: OldDatabase, is_long: bool, figures: Figures
) -> None:
    dice = random.Random(31)  # noqa: S311 - no secret
    columns = await old.columns()
    before = await old.rows(columns)
    kills, completed, tracebacks, wrong = 0, 0, 0, 0
    target, newest, left_at = OLD, migrate.head(), set[str]()
    window = SHORTEST
    for number in range(LONG_KILLS if is_long else SHORT_KILLS):
        if await old.revision() == target:
            # Up and, once it is there, down again.
            wrong += _differences(before, await old.rows(columns))
            target = newest if target == OLD else OLD
        process = await old.dutiful("db", "upgrade" if target == newest else "downgrade", target)
        await _until_it_works(old, process)
        await asyncio.sleep(dice.random() * window)
        if number % 4 == 3:
            # What it works with is killed instead.
            await old.ground.kill_postmaster()
        elif process.returncode is None:
            process.send_signal(signal.SIGKILL)
        _, said = await process.communicate()
        is_complete = process.returncode == 0
        window = SHORTEST if is_complete else window * 2
        kills += not is_complete
        completed += is_complete
        if b"Traceback" in said:
            tracebacks += 1
            # Shown should the test fail.
            log.error("%s", said.decode())
        left_at.add(await old.revision())
    await old.succeed("db", "upgrade")
    difference = await migrate.differences(old.engine)
    upgraded = await old.rows(columns)
    new_columns = await old.columns()
    new = await old.rows(new_columns)
    await migrate.downgrade(old.engine, OLD)
    downgraded = await old.rows(columns)
    await migrate.upgrade(old.engine)
    again = await old.rows(new_columns)

    figures.tell("upgrade", rows=sum(map(Counter.total, before.values())), revisions_left_at=len(left_at))
    figures.tell("upgrade", killed=kills, completed=completed)
    figures.at_least("upgrade", "killed on the way", kills, LONG_KILLS / 3 if is_long else 1)
    figures.none(
        "upgrade",
        rows_that_differ=wrong + _differences(before, upgraded),
        rows_that_differ_after_a_downgrade=_differences(before, downgraded),
        rows_that_differ_after_another_upgrade=_differences(new, again),
        differences_from_the_models=len(difference.splitlines()),
        tracebacks=tracebacks,
        tables_left_empty=sum(not rows for rows in before.values()),
    )
    figures.check()


async def _until_it_works(old: OldDatabase, process: asyncio.subprocess.Process) -> None:
    """Until it is the one that migrates, or has ended."""
    async with old.connection() as connection:

        async def works() -> Any:
            return process.returncode is not None or await connection.fetchval(
                "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
                "WHERE datname = 'old' AND locktype = 'advisory' AND granted"
            )

        await old.ground.until(works)


def _differences(some: Rows, others: Rows) -> int:
    return sum(
        ((some.get(table, Counter()) - others.get(table, Counter())).total())
        + ((others.get(table, Counter()) - some.get(table, Counter())).total())
        for table in some.keys() | others.keys()
    )
