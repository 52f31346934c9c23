"""The engine: one pool of connections, with a limit on everything that can wait."""

from typing import Any

import orjson
from sqlalchemy import URL, ExceptionContext, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from dutiful.database.failures import READ_ONLY
from dutiful.settings import Settings


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
        connect_args=_connect_args(settings),
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
        connect_args=_connect_args(settings),
    )


def _leave_demoted_server(context: ExceptionContext) -> None:
    """A server that became a standby keeps its connections; to us they are as good as dead, all of them."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _dump_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _connect_args(settings: Settings) -> dict[str, Any]:
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
