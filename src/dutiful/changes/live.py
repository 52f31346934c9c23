"""The live feed of one process: all its streams, and one reader for them all.

Three things run, as long as there is a stream: the reader reads each new change once and gives it to every stream of
its workspace; the watch looks twice a second who may still see what, and how far the journals are; a listener hears of
the commits of other processes. Streams hold neither session nor connection.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError

from dutiful import metrics
from dutiful.changes import queries
from dutiful.changes.queries import Positions
from dutiful.changes.stream import Line, Stream
from dutiful.changes.wakeups import Wakeups
from dutiful.database.session import Database, Reader
from dutiful.errors import Gone, TooManyRequests, Unavailable

# Rights that were read longer ago than this are not relied on, so they are read more often.
TRUST_SECONDS = 1.0
WATCH_SECONDS = 0.5
SECONDS_AFTER_A_FAILURE = 0.5
MOST_STREAMS_OF_A_PERSON = 20
# In one statement of the reader, and in one page of a stream that catches up.
MOST_WORKSPACES = 20
MOST_CHANGES = 50
PAGE = 100
# A thousand streams that come back at once must leave connections for others.
MOST_CATCHING_UP = 2

FAILURES = (SQLAlchemyError, OSError, TimeoutError)

UsableTokens = Callable[[Reader, Collection[int]], Awaitable[Collection[int]]]

log = logging.getLogger(__name__)


@dataclass
class _Followed:
    """A workspace with streams. `seq` is the last change they were all given."""

    seq: int
    streams: set[Stream] = field(default_factory=set)


class LiveFeed:
    def __init__(self, database: Database, usable_tokens: UsableTokens, wakeups: Wakeups | None) -> None:
        """Without `wakeups` this process is alone, or other processes are only looked at twice a second."""
        self._database = database
        self._usable_tokens = usable_tokens
        self._wakeups = wakeups
        self._streams: set[Stream] = set()
        self._of_person: Counter[int] = Counter()
        self._followed: dict[int, _Followed] = {}
        # In the order in which they were woken.
        self._woken: dict[int, None] = {}
        self._is_woken = asyncio.Event()
        self._watched_at = 0.0
        self._catching_up = asyncio.Semaphore(MOST_CATCHING_UP)
        self._tasks: set[asyncio.Task[NoReturn]] = set()
        self._stopped: set[asyncio.Task[NoReturn]] = set()
        self._is_closed = False
        self._is_failing = False
        database.on_commit.append(self._after_commit)

    # --- streams come and go ------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def follow(self, stream: Stream) -> AsyncIterator[None]:
        self._admit(stream)
        metrics.STREAMS_OPEN.inc()
        try:
            yield
        finally:
            metrics.STREAMS_OPEN.dec()
            self._dismiss(stream)

    def _admit(self, stream: Stream) -> None:
        if self._is_closed:
            raise Unavailable("The server is stopping. Try again in a moment.")
        if self._of_person[stream.actor.user_id] >= MOST_STREAMS_OF_A_PERSON:
            raise TooManyRequests(
                f"You have {MOST_STREAMS_OF_A_PERSON} streams open already. Close one, or let programs share one.",
                retry_after=60,
            )
        self._of_person[stream.actor.user_id] += 1
        self._streams.add(stream)
        self._attach(stream, stream.latest)
        if not self._tasks:
            self._start()

    def _attach(self, stream: Stream, latest: Positions) -> None:
        for workspace_id, seq in stream.reached.items():
            followed = self._followed.get(workspace_id)
            if followed is None:
                followed = self._followed[workspace_id] = _Followed(latest[workspace_id])
                # Something may have been written since `latest` was read.
                self.wake([workspace_id])
            followed.streams.add(stream)
            if seq < followed.seq:
                stream.is_behind = True
                stream.has_news.set()

    def _dismiss(self, stream: Stream) -> None:
        self._detach(stream, stream.reached)
        self._streams.discard(stream)
        self._of_person[stream.actor.user_id] -= 1
        if not self._of_person[stream.actor.user_id]:
            del self._of_person[stream.actor.user_id]
        if not self._streams:
            self._stop()

    def _detach(self, stream: Stream, workspace_ids: Iterable[int]) -> None:
        for workspace_id in workspace_ids:
            followed = self._followed[workspace_id]
            followed.streams.discard(stream)
            if not followed.streams:
                del self._followed[workspace_id]

    def _start(self) -> None:
        works = [self._keep_doing(self._read), self._keep_doing(self._watch)]
        if self._wakeups is not None:
            works.append(self._wakeups.listen(self.wake))
        self._tasks = {asyncio.create_task(work) for work in works}

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
            self._stopped.add(task)
            task.add_done_callback(self._stopped.discard)
        self._tasks = set()

    def end_all(self) -> None:
        """The server stops: clients come back by themselves, to whoever is there then."""
        self._is_closed = True
        for stream in self._streams:
            stream.end("unavailable", "The server is stopping. Connect again in a moment.")

    async def close(self) -> None:
        self.end_all()
        self._stop()
        await asyncio.gather(*self._stopped, return_exceptions=True)
        if self._wakeups is not None:
            await self._wakeups.close()

    async def _keep_doing(self, work: Callable[[], Awaitable[None]]) -> NoReturn:
        while True:
            try:
                await work()
                self._is_failing = False
            except FAILURES as error:
                await self._endure(error)
            except Exception:
                # Streams must not stay open and silent because of it.
                log.exception("a live feed failed and goes on")
                await asyncio.sleep(SECONDS_AFTER_A_FAILURE)

    async def _endure(self, error: Exception) -> None:
        """The database is away or busy. Nothing is lost by waiting."""
        if not self._is_failing:
            self._is_failing = True
            log.warning("Live feeds wait for the database: %s", type(error).__name__)
        await asyncio.sleep(SECONDS_AFTER_A_FAILURE)

    # --- the reader ---------------------------------------------------------------------------------------------------

    def _after_commit(self, appended: Mapping[int, int]) -> None:
        if appended:
            self.wake(appended)
            if self._wakeups is not None:
                self._wakeups.announce(appended)

    def wake(self, workspace_ids: Iterable[int] = ()) -> None:
        """There may be news in these workspaces, or in any if none is named."""
        ids = list(workspace_ids) or list(self._followed)
        self._woken.update((workspace_id, None) for workspace_id in ids if workspace_id in self._followed)
        if self._woken:
            self._is_woken.set()

    async def _read(self) -> None:
        if not self._woken:
            self._is_woken.clear()
        await self._is_woken.wait()
        chosen = list(self._woken)[:MOST_WORKSPACES]
        for workspace_id in chosen:
            del self._woken[workspace_id]
        positions = {each: self._followed[each].seq for each in chosen if each in self._followed}
        try:
            changes = await self._database.run_read(
                lambda session: queries.changes_behind(session, positions, MOST_CHANGES)
            )
        except BaseException:
            self.wake(positions)
            raise
        lines = list(map(Line.of, changes))
        for line in lines:
            self._tell(line)
        counts = Counter(line.workspace_id for line in lines)
        if full := [workspace_id for workspace_id, count in counts.items() if count == MOST_CHANGES]:
            self.wake(full)

    def _tell(self, line: Line) -> None:
        followed = self._followed.get(line.workspace_id)
        # Another may have begun to follow from further on, meanwhile.
        if followed is not None and line.seq > followed.seq:
            followed.seq = line.seq
            for stream in followed.streams:
                stream.take(line)

    async def catch_up(self, stream: Stream) -> None:
        """Gives a stream that is behind a page of what it lacks: exactly what `GET /changes` would answer."""
        async with self._catching_up:
            # Whatever it is not given meanwhile sets it again.
            stream.is_behind = False
            positions = dict(stream.reached)
            try:
                news = await self._database.run_read(
                    lambda session: queries.read_on(session, stream.actor, positions, PAGE)
                )
            except Gone as gone:
                stream.end(
                    gone.code, gone.detail, workspace_ids=gone.workspace_ids, next_cursor=gone.next_cursor
                )
                return
            except FAILURES as error:
                stream.is_behind = True
                await self._endure(error)
                return
        for change in news.items:
            stream.take(Line.of(change))
        if news.count == PAGE:
            stream.is_behind = True

    # --- the watch ----------------------------------------------------------------------------------------------------

    async def until_rights_are_known(self, stream: Stream) -> None:
        """Until they were read less than a second ago, which they nearly always were, or it ends."""
        loop = asyncio.get_running_loop()
        while stream.ending is None and loop.time() - max(self._watched_at, stream.since) > TRUST_SECONDS:
            stream.may_go_on.clear()
            await stream.may_go_on.wait()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        # Rights of streams that began later were read later.
        streams = [stream for stream in self._streams if stream.since < began]
        seen = {workspace_id: followed.seq for workspace_id, followed in self._followed.items()}
        state = await self._database.run_read(lambda session: self._read_state(session, streams))
        for stream in streams:
            if stream.actor.token_id not in state.tokens:
                stream.end("unauthenticated", "The token is not valid any more. Make a new one.")
            elif stream in self._streams:
                self._apply(stream, state)
        self._compare(seen, state.latest)
        self._watched_at = began
        for stream in self._streams:
            stream.may_go_on.set()
        await asyncio.sleep(began + WATCH_SECONDS - loop.time())

    async def _read_state(self, session: Reader, streams: Collection[Stream]) -> "_State":
        token_ids = {stream.actor.token_id for stream in streams if stream.actor.token_id is not None}
        tokens = await self._usable_tokens(session, token_ids)
        memberships = await queries.memberships(session, {stream.actor.user_id for stream in streams})
        joined = {
            workspace_id
            for stream in streams
            for workspace_id in memberships.get(stream.actor.user_id, frozenset()) - stream.reached.keys()
        }
        oldest = await queries.oldest_positions(session, joined) if joined else {}
        latest = await queries.latest_positions(session, joined | self._followed.keys())
        return _State(tokens, memberships, oldest, latest)

    def _apply(self, stream: Stream, state: "_State") -> None:
        visible = state.memberships.get(stream.actor.user_id, frozenset())
        if visible == stream.reached.keys():
            return
        left = stream.reached.keys() - visible
        self._detach(stream, left)
        stream.leave(left)
        joined = (visible - stream.reached.keys()) & state.oldest.keys() & state.latest.keys()
        if joined:
            stream.join({workspace_id: state.oldest[workspace_id] for workspace_id in joined})
            self._attach(stream, state.latest)

    def _compare(self, seen: Positions, latest: Positions) -> None:
        for workspace_id, seq in seen.items():
            now = latest.get(workspace_id, seq)
            if now > seq:
                self.wake([workspace_id])
            elif now < seq and workspace_id in self._followed:
                # A standby took over that had not got everything, or a backup was put back.
                for stream in self._followed[workspace_id].streams:
                    stream.end(
                        "gone", "The database went back in time. Read everything anew, then follow again."
                    )


@dataclass(frozen=True, slots=True)
class _State:
    """What the watch found."""

    tokens: Collection[int]
    memberships: dict[int, frozenset[int]]
    oldest: Positions
    latest: Positions
