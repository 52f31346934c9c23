"""The database: can it be reached, is it set up for what we promise, does somebody look after it."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from dutiful.changes.live import WATCH_SECONDS
from dutiful.cli import instance
from dutiful.cli.client import CliError
from dutiful.cli.doctor.findings import Findings
from dutiful.database import embedded, migrate
from dutiful.database.embedded import EmbeddedError
from dutiful.database.migrate import DatabaseState, MigrationError
from dutiful.settings import Settings

_CHANNEL = "dutiful_doctor"
_LISTEN_SECONDS = 3.0
_CLOCK_SECONDS = 1.0
_OTHERS = 5
"""Connections for backups, the command line and the person who looks after it."""
_BESIDE_THE_POOL = 1
"""Of each process, for a moment: what it must commit while its request holds a connection of the pool."""
_FOR_STREAMS = 3
"""Of each process where there are several: one that listens, one that tells, and for a moment one that tries both."""


def check_database(settings: Settings) -> Findings:
    found = Findings("Database")
    if settings.uses_embedded_database and not any(settings.data_dir.glob("postgres-[0-9][0-9]")):
        found.ok("There is none yet; `dutiful serve` makes a private PostgreSQL.")
        return found
    with found.what_fails(CliError, EmbeddedError, MigrationError), _opened(settings) as url:
        instance.run(settings, url, lambda engine: _check(found, engine, settings))
    return found


@contextlib.contextmanager
def _opened(settings: Settings) -> Iterator[URL]:
    if settings.database_dsn is not None:
        yield settings.database_dsn
        return
    with embedded.opened(
        settings.data_dir, account=settings.postgres_account, say=lambda _: None
    ) as postgres:
        yield make_url(postgres.url)


async def _check(found: Findings, engine: AsyncEngine, settings: Settings) -> None:
    state = await migrate.inspect(engine)
    where = instance.place(engine.url)
    found.ok(f"PostgreSQL {state.server_version} at {where}")
    _check_schema(found, state, settings)
    async with engine.connect() as fresh:
        connection = await fresh.execution_options(isolation_level="AUTOCOMMIT")
        await _check_durability(found, connection)
        await _check_letters(found, connection)
        await _check_clock(found, connection)
        await _check_connections(found, connection, settings)
        await _check_load(found, connection)
        if state.is_current:
            await _check_housekeeping(found, connection, settings)
    await _check_notifications(found, engine)


def _check_schema(found: Findings, state: DatabaseState, settings: Settings) -> None:
    if state.is_current:
        found.ok(f"Its schema is {state.revision}, as this program needs it.")
    elif state.revision is None:
        found.ok("It is empty; `dutiful serve` makes the tables.")
    else:
        care = "" if settings.uses_embedded_database else "Back it up, then start"
        found.warn(
            f"Its schema is {state.revision}, this program needs {state.head}.",
            f"{care or 'Start'} the server with this program, or run: dutiful db upgrade",
        )


async def _check_durability(found: Findings, connection: AsyncConnection) -> None:
    row = await _one(
        connection,
        """SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
                  current_setting('synchronous_commit') AS synchronous_commit, pg_is_in_recovery() AS is_standby""",
    )
    off = [name for name in ("fsync", "full_page_writes", "synchronous_commit") if row[name] == "off"]
    if off:
        found.problem(
            f"{', '.join(off)} {'is' if len(off) == 1 else 'are'} off: what was answered can be lost with the power.",
            "Switch on in postgresql.conf.",
        )
    else:
        found.ok("What is committed is on the disk (fsync, full_page_writes, synchronous_commit).")
    if row["is_standby"]:
        found.problem("It is a standby, which takes no writes.", "Name the primary in DATABASE_URL.")


async def _check_letters(found: Findings, connection: AsyncConnection) -> None:
    row = await _one(
        connection,
        """SELECT lower('ÄÉЖ') = 'äéж' AS has_cases,
                  (SELECT datctype FROM pg_database WHERE datname = current_database()) AS ctype""",
    )
    if row["has_cases"]:
        found.ok("It knows upper and lower case in every script.")
        return
    found.warn(
        f"With LC_CTYPE {row['ctype']} it knows upper and lower case of A to Z only: names and e-mail addresses that "
        "differ in the case of other letters count as different. Search does not mind.",
        "Restore a backup into a database made with LC_CTYPE 'C.UTF-8', or with PostgreSQL 17 and newer with "
        "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'.",
    )


async def _check_clock(found: Findings, connection: AsyncConnection) -> None:
    before = time.time()
    there = await connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())::float8"))
    after = time.time()
    apart = max(before - there, there - after, 0)
    if apart > _CLOCK_SECONDS:
        found.warn(
            f"Its clock and the one of this machine are {apart:.0f} s apart.",
            "Set both by a time server (NTP).",
        )
    else:
        found.ok("Its clock agrees with the one of this machine.")


async def _check_connections(found: Findings, connection: AsyncConnection, settings: Settings) -> None:
    row = await _one(
        connection,
        """SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                  AS room""",
    )
    is_alone = settings.uses_embedded_database and settings.workers == 1
    beside = _BESIDE_THE_POOL + (0 if is_alone else _FOR_STREAMS)
    wanted = settings.workers * (2 * settings.db_pool_size + settings.db_max_overflow + beside) + _OTHERS
    if wanted > row["room"]:
        found.problem(
            f"It takes {row['room']} connections; this server may want {wanted}.",
            "Make DUTIFUL_DB_POOL_SIZE or DUTIFUL_WORKERS smaller, or max_connections larger.",
        )
    else:
        found.ok(f"It takes {row['room']} connections; this server opens at most {wanted - _OTHERS}.")


async def _check_load(found: Findings, connection: AsyncConnection) -> None:
    row = await _one(
        connection,
        """SELECT (SELECT extract(epoch FROM max(now() - xact_start)) / 3600 FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()) AS hours,
                  (SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_stat_user_tables
                   WHERE n_dead_tup > 100000 AND n_dead_tup > n_live_tup) AS bloated""",
    )
    if row["hours"] is not None and row["hours"] > 1:
        found.warn(
            f"A transaction has been open for {row['hours']:.0f} h, and keeps old rows from being cleared away.",
            "Find it in pg_stat_activity and end it.",
        )
    if row["bloated"]:
        found.warn(
            f"More dead rows than live ones: {row['bloated']}.",
            "See that autovacuum is on, or run: VACUUM ANALYZE",
        )
    if not row["bloated"] and not (row["hours"] or 0) > 1:
        found.ok("No transaction is left open, no table is full of dead rows.")


async def _check_housekeeping(found: Findings, connection: AsyncConnection, settings: Settings) -> None:
    """By what it should have cleared away two days ago."""
    statement = """
        SELECT EXISTS (SELECT FROM tasks WHERE deleted_at < now() - make_interval(days => :trash + 2)) AS trash,
               EXISTS (SELECT FROM changes WHERE at < now() - make_interval(days => :changes + 2)) AS journal,
               EXISTS (SELECT FROM idempotency_keys
                       WHERE created_at < now() - make_interval(days => 2, hours => :hours)) AS keys
    """
    row = await _one(
        connection,
        statement,
        trash=settings.trash_days,
        changes=settings.changes_retention_days,
        hours=settings.idempotency_hours,
    )
    names = {"trash": "trash", "journal": "changes in the journal", "keys": "idempotency keys"}
    late = [name for key, name in names.items() if row[key]]
    if late:
        found.warn(
            f"Housekeeping is behind: there are {', '.join(late)} of longer ago than you keep them.",
            "It runs inside the server: see that one runs, and what its log says.",
        )
    else:
        found.ok("Housekeeping is up to date.")


async def _check_notifications(found: Findings, engine: AsyncEngine) -> None:
    """A pooler that hands out connections by transaction loses them. Sends one to itself, which writes nothing."""
    if await _hears_itself(engine):
        found.ok("Notifications arrive.")
    else:
        found.warn(
            f"Notifications do not arrive, as behind PgBouncer in transaction mode. Live streams look every {WATCH_SECONDS} s instead.",
            "Connect to PostgreSQL directly if changes should be seen at once.",
        )


async def _hears_itself(engine: AsyncEngine) -> bool:
    heard = asyncio.Event()
    async with engine.connect() as listening, engine.connect() as sending:
        driver: Any = (await listening.get_raw_connection()).driver_connection
        try:
            await driver.add_listener(_CHANNEL, lambda *_: heard.set())
            telling = await sending.execution_options(isolation_level="AUTOCOMMIT")
            await telling.execute(text("SELECT pg_notify(:channel, '')"), {"channel": _CHANNEL})
            await asyncio.wait_for(heard.wait(), _LISTEN_SECONDS)
        except (TimeoutError, DBAPIError):
            return False
        finally:
            # A connection with a listener must not go back to the pool.
            await listening.invalidate()
    return True


async def _one(connection: AsyncConnection, statement: str, **values: Any) -> Any:
    return (await connection.execute(text(statement), values)).mappings().one()
