"""The feed of changes as server-sent events."""

import asyncio
import logging
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from dutiful.api.changes import LONGEST_CURSOR
from dutiful.api.deps import CurrentActor, ReadDb
from dutiful.api.transaction import TransactionRoute
from dutiful.changes import queries
from dutiful.changes.live import LiveFeed
from dutiful.changes.queries import LATEST
from dutiful.changes.stream import Stream
from dutiful.logs import hung_up

# A comment: browsers ignore it, and proxies see that the line is alive.
HEARTBEAT = b":\n\n"
HEARTBEAT_SECONDS = 15.0
# For a client that takes nothing at all. It resumes when it comes back.
PATIENCE_SECONDS = 60.0

log = logging.getLogger(__name__)


class EventStream(Response):
    """Sends what a stream is given until either side ends it. Begins after the request's session was given back."""

    media_type = "text/event-stream"

    def __init__(self, feed: LiveFeed, stream: Stream, heartbeat: float) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        # It has no length.
        del self.headers["content-length"]
        self._feed = feed
        self._stream = stream
        self._heartbeat = heartbeat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["is_stream"] = True
        async with self._feed.follow(self._stream):
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            listening = asyncio.create_task(_until_disconnected(receive, self._stream))
            try:
                await self._send_all(send)
            except TimeoutError:
                # Returning now hangs up.
                log.warning("A client of a live feed took nothing for a minute; hanging up.")
                hung_up.set(True)
                return
            finally:
                listening.cancel()
            await send({"type": "http.response.body", "body": self._stream.ending or b""})

    async def _send_all(self, send: Send) -> None:
        """Until the stream has an ending."""
        stream = self._stream
        await _send(send, stream.position())
        while stream.ending is None:
            if stream.is_waiting:
                # First until the client takes something: what is held for it may not be its to see by then.
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await _send(send, b"")
                await self._feed.until_rights_are_known(stream)
                if stream.ending is None:
                    await _send(send, stream.take_out())
            elif stream.is_behind:
                await self._feed.catch_up(stream)
            else:
                await self._wait(send)

    async def _wait(self, send: Send) -> None:
        self._stream.has_news.clear()
        try:
            async with asyncio.timeout(self._heartbeat):
                await self._stream.has_news.wait()
        except TimeoutError:
            await _send(send, HEARTBEAT)


async def _send(send: Send, chunk: bytes) -> None:
    await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _until_disconnected(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end("disconnected", "The client hung up.")


router = APIRouter(tags=["changes"], route_class=TransactionRoute)

_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `position`, `change` and `end`; comments as heartbeat.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    429: {
        "description": "You have as many streams open as one person may: close one, or let programs share one. Or too many "
        "requests, as everywhere."
    },
}


@router.get("/changes/stream", status_code=200, response_class=EventStream, responses=_EVENTS)
async def stream_changes(
    request: Request,
    db: ReadDb,
    actor: CurrentActor,
    after: Annotated[
        str | None,
        Query(max_length=LONGEST_CURSOR, description="A cursor of `GET /changes`. Without one from now on."),
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(max_length=LONGEST_CURSOR, description="The `id` received last. It counts before `after`."),
    ] = None,
) -> EventStream:
    """The same as `GET /changes`, as server-sent events, while they happen.

    The first event, `position`, has the cursor where the stream starts as its id. Each `change` has one line of the
    journal as its data, and the cursor behind it as its id: connect again with the last id as `Last-Event-ID`, and
    nothing is missed and nothing told twice. An `end` says why the stream ends, in `code` and `detail`. A comment
    comes every 15 seconds when there is nothing else.
    """
    feed: LiveFeed = request.app.state.live_feed
    since = asyncio.get_running_loop().time()
    cursor = last_event_id or after
    positions, latest = await queries.start_positions(db, actor, None if cursor == LATEST else cursor)
    return EventStream(feed, Stream(actor, since, positions, latest), HEARTBEAT_SECONDS)
