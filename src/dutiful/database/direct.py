"""Statements over the driver's own connections, for the few that answer most requests.

SQLAlchemy writes them: they are built of the same models and conditions as all others, compiled once. What is left out
is its way of running them, which takes the processor several times as long as the driver's.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import URL, Executable, make_url
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from dutiful.database import hosts
from dutiful.database.engine import Pooled, connect_args, connect_directly
from dutiful.database.turns import Turns
from dutiful.settings import Settings

PATIENCE = 0.25
"""Seconds to wait for a lock. Longer waits belong on the plain path, which knows how to give up."""

Record = Sequence[Any]
_dialect: Callable[[], Any] = PGDialect_asyncpg
Connect = Callable[[], Awaitable[Any]]


class DirectStatement:
    """A statement as the driver takes it. Its parameters are those named with `bindparam`, and what it says itself."""

    def __init__(self, statement: Executable) -> None:
        compiled = statement.compile(  # type: ignore[attr-defined]
            dialect=_dialect(), compile_kwargs={"render_postcompile": True}
        )
        self.sql = str(compiled)
        self._names: list[str] = list(compiled.positiontup)
        processors: Mapping[str, Callable[[Any], Any]] = compiled._bind_processors  # noqa: SLF001 - no public way
        self._own = {
            name: processors[name](value) if name in processors and value is not None else value
            for name, value in compiled.construct_params(_check=False).items()
            if not compiled.binds[name].required
        }

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """In the statement's order. The values are given as the driver takes them."""
        every = {**self._own, **values} if self._own else values
        return list(map(every.__getitem__, self._names))


class NoConnection(Exception):
    """None was to be had, or it could not take the statement: nothing was done."""


class _Connection:
    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.prepared: dict[DirectStatement, Any] = {}


async def _prepare(connection: _Connection, statement: DirectStatement) -> Any:
    try:
        prepared = connection.prepared[statement] = await connection.driver.prepare(statement.sql)
    except Exception as error:
        raise NoConnection from error
    return prepared


def is_undone(error: BaseException) -> bool:
    """Whether it is certain that the statement did nothing: the server said so, or was never asked."""
    state = str(getattr(error, "sqlstate", None) or "")
    # What ends a connection may have come when the work was done.
    return isinstance(error, NoConnection) or (state != "" and not state.startswith(("08", "57P")))


class DirectPool:
    """A pool of the driver's connections. Each statement commits itself."""

    def __init__(self, connect: Connect, size: int, patience: float, turns: Turns) -> None:
        """`patience`: seconds to wait for a free connection."""
        self.turns = turns
        self._connect = connect
        self._idle: list[_Connection] = []
        self._unopened = size
        self._patience = patience
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_closed = False
        self.is_usable = True

    async def fetch(self, statement: DirectStatement, values: Mapping[str, Any]) -> list[Record]:
        """All rows. Raises NoConnection; asyncpg's errors, OSError and TimeoutError after the statement was sent."""
        try:
            connection = await self._take()
        except Exception as error:
            raise NoConnection from error
        try:
            prepared = connection.prepared.get(statement) or await _prepare(connection, statement)
            rows: list[Record] = await prepared.fetch(*statement.arguments(values))
        except BaseException as error:
            if is_undone(error) and not isinstance(error, NoConnection):
                # A statement is prepared anew after the tables have changed.
                connection.prepared.pop(statement, None)
                self._give_back(connection)
            else:
                # Something of it may be on its way still.
                self._end(connection)
            raise
        self._give_back(connection)
        return rows

    async def close(self) -> None:
        self._is_closed = True
        for connection in self._idle:
            with suppress(Exception):
                await connection.driver.close(timeout=2)
        self._idle.clear()

    async def _take(self) -> _Connection:
        while True:
            while self._idle:
                connection = self._idle.pop()
                if not connection.driver.is_closed():
                    return connection
                self._unopened += 1
            if self._unopened:
                return await self._open()
            await self._wait()

    async def _open(self) -> _Connection:
        self._unopened -= 1
        try:
            return _Connection(await self._connect())
        except BaseException as error:
            self._unopened += 1
            self.is_usable = not isinstance(error, Pooled)
            self._wake_one()
            raise

    async def _wait(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                # It was woken at the last moment; somebody else shall have it.
                self._wake_one()
            raise

    def _give_back(self, connection: _Connection) -> None:
        if self._is_closed or connection.driver.is_closed():
            self._end(connection)
        else:
            self._idle.append(connection)
            self._wake_one()

    def _end(self, connection: _Connection) -> None:
        connection.driver.terminate()
        self._unopened += 1
        self._wake_one()

    def _wake_one(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return


def create_direct_pool(settings: Settings, url: URL | str) -> DirectPool:
    """As large as the engine's pool without its overflow, and beside it; opens no connection yet."""
    _, arguments = _dialect().create_connect_args(make_url(url))
    arguments |= connect_args(settings.model_copy(update={"db_lock_timeout": PATIENCE}))
    # Whoever gives the size of the cache knows whether a pooler is in between (see engine.py).
    size = arguments.pop("prepared_statement_cache_size", None)
    open_one = connect_directly if size is None else hosts.connect

    async def connect() -> Any:
        connection = await open_one(**arguments)
        # To plan such a statement takes longer than to run it, and its plan is good for whatever values it gets. Not
        # sent with the settings above: poolers refuse those they were not told of.
        try:
            await connection.execute("SET plan_cache_mode = force_generic_plan")
        except BaseException:
            connection.terminate()
            raise
        return connection

    pool = DirectPool(connect, settings.db_pool_size, settings.db_pool_timeout, Turns(PATIENCE))
    pool.is_usable = size != 0
    return pool
