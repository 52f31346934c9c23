"""The database of this instance, for the commands that need no running server."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from dutiful.cli.client import CliError
from dutiful.cli.output import note
from dutiful.database import embedded, migrate
from dutiful.database.engine import create_engine
from dutiful.database.failures import describe_failure, is_disconnect, sqlstate
from dutiful.database.session import Database
from dutiful.datafolder import DataFolder
from dutiful.errors import Unavailable
from dutiful.settings import Settings, load_settings

T = TypeVar("T")

_AGAIN = "What was not finished is undone; run this again when the database is back."


def with_database(work: Callable[[Database], Awaitable[T]]) -> T:
    """The result of `work`. An empty database gets its tables first, so that this may come before the first serve."""

    async def on_engine(engine: AsyncEngine) -> T:
        state = await migrate.inspect(engine)
        if state.revision is None:
            await migrate.upgrade(engine, say=note)
        elif not state.is_current:
            raise CliError(
                f"The database schema is {state.revision}, this program needs {state.head}. "
                "Run `dutiful db upgrade`, or start the server with this program."
            )
        return await work(Database(engine))

    return with_engine(on_engine)


def with_engine(work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    settings = load_settings()
    with _opened(settings) as url:
        return run(settings, url, work)


def run(settings: Settings, url: URL | str, work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    """In an event loop of its own. What the database refuses becomes one line."""

    async def on_engine() -> T:
        engine = create_engine(settings, url)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    try:
        return asyncio.run(on_engine())
    except (DBAPIError, OSError, TimeoutError) as error:
        line = _explain(error, make_url(url))
        if line is None:
            raise
        raise CliError(line) from error


def place(url: URL) -> str:
    """Where the database is, without a password: `host:port`, or the folder of its socket."""
    hosts = url.query.get("host", f"{url.host or 'localhost'}:{url.port or 5432}")
    return hosts if isinstance(hosts, str) else ", ".join(hosts)


@contextmanager
def _opened(settings: Settings) -> Iterator[URL | str]:
    if settings.database_dsn is not None:
        yield settings.database_dsn
        return
    DataFolder(settings.data_dir).prepare()
    with embedded.opened(settings.data_dir, account=settings.postgres_account, say=note) as postgres:
        yield postgres.url


def _explain(error: BaseException, url: URL) -> str | None:
    where = f"The database at {place(url)}"
    if isinstance(error, DBAPIError):
        return _explain_refusal(error, url, where)
    if isinstance(error, TimeoutError):
        return f"{where} does not answer. Is it running?"
    if isinstance(error, socket.gaierror):
        return f"{where} cannot be reached: no host has this name."
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return f"{where} cannot be reached: {_first_line(reason)}. Is it running?"


def _explain_refusal(error: DBAPIError, url: URL, where: str) -> str | None:
    reason = _first_line(str(error.driver_exception))
    state = sqlstate(error) or ""
    if state == "3D000":
        return (
            f"{where} has no database {url.database}. Make it there with: CREATE DATABASE {url.database} "
            "ENCODING 'UTF8' TEMPLATE template0"
        )
    if state.startswith("28"):
        return f"{where} does not let {url.username} in: {reason}."
    if state == "42501":
        return f"{where} does not let {url.username} work in {url.database}: {reason}."
    if state == "42P07":
        return f"{where} has tables of another program in {url.database}: {reason}. Give Dutiful a database of its own."
    if state.startswith("57P"):
        return f"{where}: {reason}. {_AGAIN}"
    if is_disconnect(error):
        # What the driver says then is about itself.
        return f"{where} hung up. {_AGAIN}"
    told = describe_failure(error)
    if told is None:
        return None
    return f"{where}: {reason}." if isinstance(told, Unavailable) else str(told)


def _first_line(reason: str) -> str:
    return (reason.strip().splitlines() or ["no reason given"])[0].rstrip(".")
