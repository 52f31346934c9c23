"""Runs the application in this process, on a socket that is bound already; as a program, as one of several workers."""

import asyncio
import contextlib
import faulthandler
import logging
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType

import uvicorn
from fastapi import FastAPI
from sqlalchemy import URL
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from dutiful import logs
from dutiful.app import create_app
from dutiful.settings import Settings
from dutiful.supervisor import DRAIN_SECONDS, Job

_KEEP_ALIVE_SECONDS = 75  # longer than the minute of common proxies, who must be the ones to hang up
_BACKLOG = 2048
_HANG_UP_SECONDS = 1
"""How long quiet connections stay open when the server is told to stop: a request may be on its way."""


def run(
    settings: Settings,
    database_url: URL | str,
    listener: socket.socket,
    on_ready: Callable[[], None],
    on_beat: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, which are raised again when all requests are done.

    `on_beat` is called about once a second, as long as the event loop goes round.
    """
    make_server(settings, database_url, on_ready, on_beat).run(sockets=[listener])


def make_server(
    settings: Settings,
    database_url: URL | str,
    on_ready: Callable[[], None],
    on_beat: Callable[[], None] | None = None,
) -> "Server":
    app = create_app(settings, database_url)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        http=_Connection,
        ws="none",
        lifespan="on",
        backlog=_BACKLOG,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in settings.trusted_proxies],
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS - _HANG_UP_SECONDS,
    )
    logging.getLogger("uvicorn.error").addFilter(logs.is_news)
    return Server(config, app, on_ready, on_beat)


class _Connection(HttpToolsProtocol):
    """Bytes that are no HTTP are refused after the requests before them were answered: those may be done by then."""

    _refusal: str | None = None

    def data_received(self, data: bytes) -> None:
        # Behind what is no HTTP nothing has a meaning.
        if self._refusal is None:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        self._refusal = msg
        # None before the first request, whatever uvicorn's annotation says.
        latest: RequestResponseCycle | None = self.cycle
        if latest is not None and latest.more_body and self.pipeline:
            # The end of this one will never come, so it is not begun.
            self.pipeline.popleft()
        elif latest is None or latest.more_body or latest.response_complete:
            super().send_400_response(msg)

    def on_response_complete(self) -> None:
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last and self._refusal is not None and not self.transport.is_closing():
            super().send_400_response(self._refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # uvicorn forgets to stop the clock of one that was reset, which then keeps all of it for the keep-alive time.
        self._unset_keepalive_if_required()


class Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        app: FastAPI,
        on_ready: Callable[[], None],
        on_beat: Callable[[], None] | None,
    ) -> None:
        super().__init__(config)
        self.app = app
        self._on_ready = on_ready
        self._on_beat = on_beat

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        if self._on_beat is not None and counter % 10 == 0:
            self._on_beat()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # From here on answers ask for the connection to be closed, and `/readyz` sends load balancers elsewhere.
        self.app.state.draining = True
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Live feeds would keep it waiting: they end only when they are told to.
        self.app.state.live_feed.end_all()
        await self._stop_listening(sockets or ())
        await self._let_hang_up()
        await super().shutdown(sockets)

    async def _stop_listening(self, sockets: Iterable[socket.socket]) -> None:
        """Takes in whoever waits in the queue of the socket: closing it would cut them off, and they may have sent
        their request already."""
        queues = [listener.dup() for listener in sockets]
        for server in self.servers:
            server.close()
        # Closed sockets leave the loop in its next round.
        await asyncio.sleep(0)
        for listener in sockets:
            listener.close()
        loop = asyncio.get_running_loop()
        for queue in queues:
            with queue, contextlib.suppress(OSError):  # BlockingIOError: nobody is left
                queue.setblocking(False)  # noqa: FBT003 - it has no keyword
                while True:
                    connection, _ = queue.accept()
                    connection.setblocking(False)  # noqa: FBT003
                    await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    async def _let_hang_up(self) -> None:
        """Each answer now tells the client to come no more over its connection. Those who ask nothing are hung up on
        at the end."""
        deadline = time.monotonic() + _HANG_UP_SECONDS
        while (  # noqa: ASYNC110 - uvicorn has no event for it
            self.server_state.connections and not self.force_exit and time.monotonic() < deadline
        ):
            await asyncio.sleep(0.02)


# --- as a worker ------------------------------------------------------------------------------------------------------


def work() -> None:
    """The job comes on stdin, which stays open as long as the parent lives; signs of life go to stdout."""
    try:
        job: Job = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our parent
    except EOFError:
        return
    # A parent that hears nothing sends SIGABRT: where it hung is then told on stderr.
    faulthandler.enable()
    threading.Thread(target=_follow_parent, daemon=True).start()
    logs.set_up(job.settings.log_level, job.settings.log_format)
    with socket.socket(fileno=job.descriptor) as listener:
        run(job.settings, job.database_url, listener, on_ready=_beat, on_beat=_beat)


def _beat() -> None:
    """The first says that requests are answered, all others that this still goes on."""
    os.set_blocking(sys.stdout.fileno(), False)
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(sys.stdout.fileno(), b".")


def _follow_parent() -> None:
    """End with the parent, even one that was killed: a worker left behind would keep the port."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(DRAIN_SECONDS + 3)
    os._exit(1)


if __name__ == "__main__":
    work()
