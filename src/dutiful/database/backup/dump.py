"""A backup: what pg_dump writes, and what was there at that moment, both from one snapshot."""

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from dutiful.database import migrate
from dutiful.database.backup import figures, programs
from dutiful.database.backup.figures import Figures
from dutiful.database.backup.programs import Programs

# A migration that holds its locks for longer is waited for in vain.
_LOCK_WAIT = "--lock-wait-timeout=120s"


async def find_programs(engine: AsyncEngine) -> Programs:
    async with migrate.unlimited_connection(engine) as connection:
        major, is_encrypted = await _server(connection)
    asked = engine.url.query.get("ssl") in {"require", "verify-ca", "verify-full"}
    # With `prefer` the driver may have got an encrypted line; pg_dump must not send the same data in the clear.
    return programs.find(major, needs_tls=is_encrypted or asked)


async def sizes(engine: AsyncEngine) -> tuple[int, int]:
    """In bytes: the tables without their indexes, and the whole database."""
    statement = """
        SELECT coalesce(sum(pg_table_size(oid)) FILTER (WHERE relkind = 'r'), 0)::bigint,
               pg_database_size(current_database())
        FROM pg_class WHERE relnamespace = to_regnamespace('public')
    """
    async with migrate.unlimited_connection(engine) as connection:
        tables, database = (await connection.execute(text(statement))).one()
    return tables, database


async def dump(engine: AsyncEngine, target: Path) -> Figures:
    """Writes the file `target`. Others go on writing meanwhile; neither waits for the other."""
    found = await find_programs(engine)
    async with migrate.unlimited_connection(engine) as fresh:
        connection = await fresh.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        snapshot = await connection.scalar(text("SELECT pg_export_snapshot()"))
        schema = await figures.schema_of(connection)
        arguments = [
            "--format=custom",
            f"--file={target}",
            f"--snapshot={snapshot}",
            # What a server's owner has beside our schema, such as extensions, is theirs to set up again.
            f"--schema={_pattern(schema)}",
            "--no-owner",
            "--no-privileges",
            "--no-password",
            _LOCK_WAIT,
        ]
        with programs.environment(engine.url) as env:
            async with programs.running(found, "pg_dump", arguments, env) as process:
                counted = await figures.of_snapshot(connection)
                await programs.output_of(process, "The backup failed")
    return counted


async def _server(connection: AsyncConnection) -> tuple[int, bool]:
    statement = """
        SELECT current_setting('server_version_num')::int / 10000,
               coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)
    """
    major, is_encrypted = (await connection.execute(text(statement))).one()
    return major, is_encrypted


def _pattern(schema: str) -> str:
    """Exactly this one: pg_dump reads wildcards outside of quotes."""
    return '"' + schema.replace('"', '""') + '"'
