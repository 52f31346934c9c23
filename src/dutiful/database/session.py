"""Sessions and transactions: the only module that commits.

| the work in `Database.write` | what happens |
|---|---|
| returns                      | before-commit hooks, COMMIT, then the result is given |
| raises `Rollback(result)`    | ROLLBACK, the result is given |
| raises anything else         | ROLLBACK, the error goes on |
| meets 40001 or 40P01         | ROLLBACK and the work runs again, a few times |
| loses its connection         | the same, as long as COMMIT was not sent or the work is repeatable |
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic, NewType, TypeVar

from sqlalchemy import Executable, Row, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from dutiful.database.engine import KEEPS_NOTHING
from dutiful.database.failures import is_disconnect, is_serialization_failure
from dutiful.errors import Unavailable

Reader = NewType("Reader", AsyncSession)
"""A session outside any transaction: each statement sees what is committed, none may write."""

Writer = NewType("Writer", AsyncSession)
"""A session inside the request's one transaction. Whoever is handed one flushes, and never commits."""

Hook = Callable[[], Awaitable[None]]
T = TypeVar("T")

ATTEMPTS = 4

log = logging.getLogger(__name__)


class Rollback(Exception, Generic[T]):
    """Raised by the work of a transaction to give a result and write nothing."""

    def __init__(self, result: T) -> None:
        super().__init__()
        self.result = result


class Database:
    """The engine and its two kinds of session. The application's lifespan makes one."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        # AUTOCOMMIT: a read is one round trip instead of three (BEGIN, SELECT, ROLLBACK).
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._readers = async_sessionmaker(
            self._autocommit, sync_session_class=_ReadOnlySession, autoflush=False
        )
        self._writers = async_sessionmaker(engine, expire_on_commit=False)
        # Called after each commit with the number of changes that it appended to the journals, by workspace id.
        self.on_commit: list[Callable[[Mapping[int, int]], None]] = []

    async def run_read(self, work: Callable[[Reader], Awaitable[T]]) -> T:
        """Runs `work` on a read session; once more if it met a dead connection, of which the pool is rid by then."""
        try:
            return await self._read_once(work)
        except DBAPIError as error:
            if not is_disconnect(error):
                raise
        return await self._read_once(work)

    async def _read_once(self, work: Callable[[Reader], Awaitable[T]]) -> T:
        async with self.read() as session:
            return await work(session)

    async def run_aside(self, statement: Executable) -> None:
        """Executes one statement outside any request's transaction, committed by itself."""
        async with self._autocommit.connect() as connection:
            await connection.execute(statement)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reader]:
        async with self._readers() as session:
            yield Reader(session)

    async def write(self, work: Callable[[Writer], Awaitable[T]]) -> T:
        """Runs `work` in one transaction and gives its result once that is committed.

        `work` runs again from the start after a failure that a second try can mend, so it must keep no state
        outside its session.
        """
        in_doubt = False
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._attempt(work, in_doubt=in_doubt)
            except DBAPIError as error:
                if attempt == ATTEMPTS or not (is_serialization_failure(error) or is_disconnect(error)):
                    raise
                # The next attempt cannot say that nothing was written, if this one cannot.
                in_doubt = in_doubt or commit_was_sent(error)
                # Two that collided should not meet again at once.
                await asyncio.sleep(random.random() * 0.01 * 2**attempt)  # noqa: S311 - no secret
        raise AssertionError("unreachable")

    async def _attempt(self, work: Callable[[Writer], Awaitable[T]], *, in_doubt: bool) -> T:
        async with self._writers() as session:
            session.info["commit_was_begun"] = in_doubt
            try:
                result = await work(Writer(session))
                await run_before_commit(Writer(session))
            except Rollback as rollback:
                return rollback.result  # type: ignore[no-any-return]
            await _commit(session)
        self.tell_of_commit(session.info.get("appended", {}))
        return result

    def tell_of_commit(self, appended: Mapping[int, int]) -> None:
        for tell in self.on_commit:
            try:
                tell(appended)
            except Exception:
                # What is committed is done: the answer must say so, whatever comes after.
                log.exception("telling of a commit failed")

    async def close(self) -> None:
        await self.engine.dispose()


class OwnCommits:
    """Commits of their own, for work that holds a connection of the pool already: if enough of it waited for a second
    one there, all would wait for each other. Here one comes after the other, each over a connection opened for it."""

    def __init__(self, engine_without_pool: AsyncEngine) -> None:
        self._engine = engine_without_pool
        self._turn = asyncio.Lock()

    async def run_aside(self, statement: Executable) -> None:
        async with self._turn, self._engine.connect() as connection:
            await connection.execute(statement)


async def fetch(
    session: Reader | Writer, statement: Executable, values: Mapping[str, Any] | None = None
) -> Sequence[Row[*tuple[Any, ...]]]:
    """The rows of a statement that selects columns, not things. The session would look through them all for things, which
    takes as long again."""

    def work(session: Session) -> Sequence[Row[*tuple[Any, ...]]]:
        return session.connection().execute(statement, values).all()

    return await session.run_sync(work)


@asynccontextmanager
async def planned_for_values(session: Reader) -> AsyncIterator[None]:
    """PostgreSQL plans each statement inside for the very values that it is given.

    Else it does so five times on a connection, and then may take one plan for all values. For a list of ids, of which it
    cannot know the length, or a bound that may leave out nearly everything, that can be a hundred times as slow.
    """
    connection = await session.connection()
    if KEEPS_NOTHING in connection.info:
        # Behind a pooler it is so anyway, and the setting would stay on a connection of others.
        yield
        return
    await connection.execute(_PLAN_FOR_VALUES)
    try:
        yield
    finally:
        # Should the connection keep it, it plans the others anew as well, and nothing else.
        with suppress(DBAPIError):
            await connection.execute(_PLAN_AS_USUAL)


_PLAN_FOR_VALUES = text("SET plan_cache_mode = force_custom_plan")
_PLAN_AS_USUAL = text("RESET plan_cache_mode")


def before_commit(session: Writer, hook: Hook) -> None:
    """Runs `hook` as the last work of the transaction; an error in it rolls everything back."""
    session.info.setdefault("before_commit", []).append(hook)


async def run_before_commit(session: Writer) -> None:
    """Flushes and runs the before-commit hooks now, for a caller that needs what they leave behind."""
    await session.flush()
    for hook in session.info.pop("before_commit", ()):
        await hook()


def note_appended(session: Writer, workspace_id: int, changes: int) -> None:
    """For those who are told of the commit."""
    appended: dict[int, int] = session.info.setdefault("appended", {})
    appended[workspace_id] = appended.get(workspace_id, 0) + changes


def make_repeatable(session: Writer) -> None:
    """Says that the work recognises what it has already done, as by an idempotency key: so it may run again after a
    COMMIT whose outcome is unknown."""
    session.info["is_repeatable"] = True


async def _commit(session: AsyncSession) -> None:
    session.info["commit_was_begun"] = True
    try:
        await session.commit()
    except DBAPIError as error:
        if is_disconnect(error):
            if not session.info.get("is_repeatable"):
                raise outcome_unknown() from error
            error.add_detail(_COMMIT_WAS_SENT)
        raise
    except (OSError, TimeoutError) as error:
        raise outcome_unknown() from error


_COMMIT_WAS_SENT = "COMMIT was sent"


def commit_was_sent(error: DBAPIError) -> bool:
    return _COMMIT_WAS_SENT in error.detail


def commit_was_begun(session: Reader | Writer) -> bool:
    """True once nobody can say any more that nothing was written."""
    return bool(session.info.get("commit_was_begun"))


def outcome_unknown() -> Unavailable:
    return Unavailable(
        "The database did not answer while the change was being committed, so it may or may not be stored. "
        "Look before you send it again. With a token and an Idempotency-Key changes are safe to repeat.",
        code="outcome_unknown",
    )


class _ReadOnlySession(Session):
    """A session that cannot write, should the type checker be ignored."""


@event.listens_for(_ReadOnlySession, "before_flush")
def _refuse_flush(session: Session, *_: Any) -> None:
    raise RuntimeError("a read session cannot write: take the transaction's session instead")
