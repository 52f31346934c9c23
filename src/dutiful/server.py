"""Runs the application in this process, on a socket that is bound already; as a program, as one of several workers."""

import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable

import uvicorn
from sqlalchemy import URL

from dutiful import logs
from dutiful.app import create_app
from dutiful.settings import Settings
from dutiful.supervisor import DRAIN_SECONDS, Job

_KEEP_ALIVE_SECONDS = 75  # longer than the minute of common proxies, who must be the ones to hang up
_BACKLOG = 2048


def run(
    settings: Settings, database_url: URL | str, listener: socket.socket, on_ready: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT, which are raised again when all requests are done."""
    config = uvicorn.Config(
        create_app(settings, database_url),
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="on",
        backlog=_BACKLOG,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in settings.trusted_proxies],
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    _Server(config, on_ready).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


# --- as a worker ------------------------------------------------------------------------------------------------------


def work() -> None:
    """The job comes on stdin, which stays open as long as the parent lives; readiness is told on stdout."""
    try:
        job: Job = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our parent
    except EOFError:
        return
    threading.Thread(target=_follow_parent, daemon=True).start()
    logs.set_up(job.settings.log_level, job.settings.log_format)
    with socket.socket(fileno=job.descriptor) as listener:
        run(job.settings, job.database_url, listener, on_ready=lambda: print("ready", flush=True))  # noqa: T201


def _follow_parent() -> None:
    """End with the parent, even one that was killed: a worker left behind would keep the port."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(DRAIN_SECONDS + 3)
    os._exit(1)


if __name__ == "__main__":
    work()
