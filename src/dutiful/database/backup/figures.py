"""What is in a database: how many rows of each table, and a digest of what they say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from dutiful.database import migrate
from dutiful.database.backup.errors import BackupError


@dataclass(frozen=True)
class Contents:
    rows: int
    digest: str
    """The same for the same rows in any order, in any version of PostgreSQL."""


@dataclass(frozen=True)
class Figures:
    schema: str
    revision: str
    tables: Mapping[str, Contents]

    def differences(self, other: "Figures") -> list[str]:
        """Where `other` is not what this is; a phrase each."""
        names = sorted({*self.tables, *other.tables})
        found = [_difference(name, self.tables.get(name), other.tables.get(name)) for name in names]
        if self.revision != other.revision:
            found.append(f"the schema is {other.revision} instead of {self.revision}")
        return [each for each in found if each]


async def of_database(engine: AsyncEngine) -> Figures:
    async with migrate.unlimited_connection(engine) as connection:
        snapshot = await connection.execution_options(isolation_level="REPEATABLE READ")
        return await of_snapshot(snapshot)


async def of_snapshot(connection: AsyncConnection) -> Figures:
    """`connection` sees one moment: REPEATABLE READ."""
    for setting in ("datestyle = 'ISO'", "bytea_output = 'hex'", "extra_float_digits = 1"):
        await connection.execute(text(f"SET LOCAL {setting}"))
    schema = await schema_of(connection)
    revision = str(await connection.scalar(text("SELECT version_num FROM alembic_version")))
    columns = await _columns(connection, schema)
    tables = {name: await _contents(connection, schema, name, columns[name]) for name in columns}
    return Figures(schema, revision, tables)


async def wrongs(engine: AsyncEngine) -> list[str]:
    """What no constraint of the tables sees to; a phrase each."""
    async with migrate.unlimited_connection(engine) as connection:
        counts = [(phrase, await connection.scalar(text(query))) for phrase, query in _RULES.items()]
    return [f"{count} {phrase}" for phrase, count in counts if count]


_RULES = {
    "workspaces whose counter is not at their last change": """
        SELECT count(*) FROM workspace_counters AS counter
        WHERE counter.seq <> (SELECT max(seq) FROM changes WHERE workspace_id = counter.workspace_id)
    """,
    "workspaces without a counter": """
        SELECT count(*) FROM workspaces WHERE id NOT IN (SELECT workspace_id FROM workspace_counters)
    """,
    "tasks of a project that does not exist": """
        SELECT count(*) FROM tasks AS task
        WHERE NOT EXISTS (SELECT FROM projects WHERE id = task.project_id AND workspace_id = task.workspace_id)
    """,
}


async def schema_of(connection: AsyncConnection) -> str:
    """The PostgreSQL schema that holds our tables, usually public."""
    statement = """
        SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = to_regclass('alembic_version')
    """
    schema = await connection.scalar(text(statement))
    if schema is None or not await connection.scalar(text("SELECT count(*) FROM alembic_version")):
        raise BackupError("There is nothing to back up: Dutiful has no tables in this database yet.")
    return str(schema)


async def _columns(connection: AsyncConnection, schema: str) -> dict[str, list[str]]:
    """Without the generated ones: they are made anew, and may depend on the rules of a language."""
    statement = """
        SELECT relname, array_agg(quote_ident(attname) ORDER BY attnum)
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relnamespace = to_regnamespace(quote_ident(:schema)) AND relkind = 'r'
              AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        GROUP BY relname ORDER BY relname
    """
    found = await connection.execute(text(statement), {"schema": schema})
    return {str(name): list(columns) for name, columns in found}


async def _contents(connection: AsyncConnection, schema: str, table: str, columns: list[str]) -> Contents:
    quote = connection.dialect.identifier_preparer.quote
    statement = f"""
        SELECT count(*), coalesce(sum(hashtextextended(ROW({", ".join(columns)})::text, 0)::numeric), 0)::text
        FROM {quote(schema)}.{quote(table)}
    """  # noqa: S608 - names, quoted
    rows, digest = tuple[Any, ...]((await connection.exec_driver_sql(statement)).one())
    return Contents(rows, digest)


def _difference(name: str, here: Contents | None, there: Contents | None) -> str:
    if here is None or there is None:
        return f"{name} is {'missing' if there is None else 'new'}"
    if here.rows != there.rows:
        return f"{name} has {there.rows} rows instead of {here.rows}"
    return "" if here.digest == there.digest else f"{name} has other rows"
