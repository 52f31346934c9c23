"""Where in the database something stands."""

from sqlalchemy import text

from dutiful.database.session import Database


async def holds(database: Database, needle: str) -> list[str]:
    """The columns of the database in which these characters stand, whatever their type."""
    columns = text("""
        SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type IN ('text', 'character varying', 'jsonb', 'bytea', 'ARRAY')
    """)
    found = []
    async with database.read() as session:
        for table, column in (await session.execute(columns)).all():
            as_text = f"encode({column}, 'escape')" if column in {"body", "hash"} else f"{column}::text"
            statement = text(f"SELECT 1 FROM {table} WHERE strpos({as_text}, :needle) > 0 LIMIT 1")
            if await session.scalar(statement, {"needle": needle}):
                found.append(f"{table}.{column}")
    return found
