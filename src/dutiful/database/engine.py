"""The engine: one pool of connections, with a limit on everything that can wait."""

import asyncio
import logging
from functools import cache
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import orjson
from sqlalchemy import URL, ExceptionContext, event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi, PGDialect_asyncpg
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from dutiful.database import hosts
from dutiful.database.failures import READ_ONLY
from dutiful.settings import Settings

# Behind a pooler, a statement that was prepared may be looked for on another connection, where another process may have
# given its name to another statement. With both caches off statements have no names, and nothing stays behind.
NOTHING_IS_KEPT = {"prepared_statement_cache_size": 0, "statement_cache_size": 0}
KEEPS_NOTHING = "keeps_nothing"
"""In the `info` of such a connection."""

log = logging.getLogger(__name__)


def create_engine(settings: Settings, url: URL | str) -> AsyncEngine:
    """An engine on `url`; opens no connection yet. Durations in the settings are seconds."""
    engine = create_async_engine(
        url,
        echo=settings.db_echo,
        # What people write, and the hashes of their tokens, have no place in a log.
        hide_parameters=True,
        pool_size=settings.db_pool_size,
        max_overflow=settings.db_max_overflow,
        pool_timeout=settings.db_pool_timeout,
        pool_recycle=settings.db_pool_recycle,
        pool_pre_ping=settings.db_pool_pre_ping,
        # The connection used last is the one whose caches are warm; the others may go idle.
        pool_use_lifo=True,
        json_serializer=_dump_json,
        json_deserializer=orjson.loads,
        connect_args=connect_args(settings),
    )
    event.listen(engine.sync_engine, "handle_error", _leave_demoted_server)
    return engine


def create_engine_without_pool(settings: Settings, url: URL | str) -> AsyncEngine:
    """For connections with a life of their own, such as one that listens. Each statement commits itself."""
    return create_async_engine(
        url,
        hide_parameters=True,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args=connect_args(settings),
    )


@event.listens_for(PGDialect_asyncpg, "do_connect")
def _connect(
    dialect: PGDialect_asyncpg,
    record: ConnectionPoolEntry | None,
    arguments: list[Any],
    parameters: dict[str, Any],
) -> DBAPIConnection | None:
    """Of every engine there is, those of migrations too: what goes wrong behind a pooler are answers, silently.

    None to let the dialect connect, with `parameters` as they are then. Whoever gives the size of the cache knows
    what is in between; else a look at each new connection tells.
    """
    size = parameters.get("prepared_statement_cache_size")
    if size is None:
        try:
            return dialect.connect(*arguments, async_creator_fn=connect_directly, **parameters)
        except Pooled:
            _tell_of_pooler()
    if not size:
        parameters |= NOTHING_IS_KEPT
        if record is not None:
            record.info[KEEPS_NOTHING] = True
    parameters["async_creator_fn"] = hosts.connect
    return None


async def connect_directly(*arguments: Any, **parameters: Any) -> asyncpg.Connection:
    """Raises Pooled if what answered is not PostgreSQL itself: its process has another number than was announced."""
    connection = await hosts.connect(*arguments, **parameters)
    try:
        async with asyncio.timeout(parameters.get("timeout")):
            # Without a name, or it would be one of those that clash.
            statement = await connection.prepare("SELECT pg_backend_pid()", name="")
            if await statement.fetchval() == connection.get_server_pid():
                return connection
    except BaseException:
        connection.terminate()
        raise
    await connection.close()
    raise Pooled


@cache
def _tell_of_pooler() -> None:
    """Once in each process."""
    log.warning(
        "A pooler stands between this server and PostgreSQL, so no prepared statements are kept. To spare each new "
        "connection this look, add prepared_statement_cache_size to DATABASE_URL: 0, or 100 if the pooler keeps "
        "clients on their connections (session mode)."
    )


class Pooled(Exception):
    """A pooler answered."""


@event.listens_for(PGDialect_asyncpg, "handle_error")
def _leave_dying_connection(context: ExceptionContext) -> None:
    """Of every engine there is. A server that ends says so, to a connection at rest too, and hangs up. Asked between the two,
    the driver says only that it is at odds with itself; and SQLAlchemy looks no further while a connection is opened."""
    if isinstance(context.original_exception, AsyncAdapt_asyncpg_dbapi.InternalClientError):
        context.is_disconnect = True


def _leave_demoted_server(context: ExceptionContext) -> None:
    """A server that became a standby keeps its connections; to us they are as good as dead, all of them."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _dump_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def connect_args(settings: Settings) -> dict[str, Any]:
    return {
        "timeout": settings.db_connect_timeout,
        # Without it a silent network cut hangs for ever: no statement timeout arrives over a dead line.
        "command_timeout": settings.db_command_timeout,
        "server_settings": {
            "application_name": "dutiful",
            "timezone": "UTC",
            # Compiling a plan costs more than any of our statements.
            "jit": "off",
            "statement_timeout": _milliseconds(settings.db_statement_timeout),
            "lock_timeout": _milliseconds(settings.db_lock_timeout),
            "idle_in_transaction_session_timeout": _milliseconds(settings.db_idle_in_transaction_timeout),
        },
    }


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
