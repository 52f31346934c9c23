"""Several workers on one socket: started together, replaced when they die or hang, stopped together."""

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn, Self

from sqlalchemy import URL

import dutiful
from dutiful.logs import say
from dutiful.settings import Settings

DRAIN_SECONDS = 7
"""For requests to end when the server is told to. A container gets ten in all, and PostgreSQL stops after us."""

_POLL_SECONDS = 0.1
_SHORTEST_LIFE_SECONDS = 1.0
_STOP_SECONDS = DRAIN_SECONDS + 5
_SILENCE_SECONDS = 30.0
"""A worker gives a sign of life each second. One that is silent for this long answers nobody any more."""

_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class SupervisorError(Exception):
    """One line for the person at the terminal."""


@dataclass(frozen=True)
class Job:
    """What a worker must know. It is sent through a pipe: the environment can be read by other programs."""

    settings: Settings
    database_url: URL | str
    descriptor: int
    """Of the listening socket, which the worker inherits."""


class Workers:
    """They load the program while the parent still prepares the database, and wait for their job."""

    def __init__(self, count: int, listener: socket.socket) -> None:
        self._count = count
        self._listener = listener
        self._job = b""
        self._workers: list[_Worker] = []
        # Where each worker keeps its figures, and whichever is asked for them finds those of all.
        self._metrics = tempfile.TemporaryDirectory(prefix="dutiful-metrics-", ignore_cleanup_errors=True)

    def __enter__(self) -> Self:
        self._workers = [self._start_one() for _ in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._metrics.cleanup()

    def _start_one(self) -> "_Worker":
        return _Worker(self._listener, {_METRICS_FOLDER: self._metrics.name})

    def run(
        self, job: Job, on_ready: Callable[[], None], check: Callable[[], None], *, reload: bool
    ) -> NoReturn:
        """Until `check`, which is called all the time, raises."""
        self._job = pickle.dumps(job)
        try:
            self._start(check)
            on_ready()
            if reload:
                self._restart_on_changes(check)
            while True:
                time.sleep(_POLL_SECONDS)
                check()
                self._replace_dead()
                self._end_hung()
        finally:
            # First of all, so that nobody gets into the queue of a socket that no worker serves any more.
            self._listener.close()
            self._stop()

    def _start(self, check: Callable[[], None]) -> None:
        for worker in self._workers:
            worker.send(self._job)
        while not all(worker.is_ready() for worker in self._workers):
            if any(worker.has_ended() for worker in self._workers):
                raise SupervisorError("A worker ended before it was ready.")
            check()
            time.sleep(_POLL_SECONDS / 5)

    def _replace_dead(self) -> None:
        for at, worker in enumerate(self._workers):
            if worker.has_ended() and worker.age > _SHORTEST_LIFE_SECONDS:
                say(f"Worker {worker.pid} died; starting another.")
                self._forget(worker)
                self._workers[at] = self._new()

    def _end_hung(self) -> None:
        for worker in self._workers:
            if worker.is_silent():
                say(f"Worker {worker.pid} hangs; ending it.")
                worker.abort()

    def _forget(self, worker: "_Worker") -> None:
        """Its counts stay in the sums; what it had open or used it has no more."""
        worker.close()
        for path in Path(self._metrics.name).glob(f"gauge_live*_{worker.pid}.db"):
            path.unlink(missing_ok=True)

    def _restart_on_changes(self, check: Callable[[], None]) -> NoReturn:
        files = _modified()
        while True:
            time.sleep(_POLL_SECONDS)
            check()
            if files != (files := _modified()):
                say("Files have changed; starting again.")
                self._stop()
                self._workers = [self._new() for _ in range(self._count)]
            for worker in self._workers:
                worker.hear()

    def _new(self) -> "_Worker":
        worker = self._start_one()
        worker.send(self._job)
        return worker

    def _stop(self) -> None:
        for worker in self._workers:
            worker.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for worker in self._workers:
            worker.wait_until(deadline)
            self._forget(worker)
        self._workers = []


class _Worker:
    """A process of `dutiful.server`. Its stdin is the thread its life hangs on: it ends when that is closed."""

    def __init__(self, listener: socket.socket, environment: Mapping[str, str]) -> None:
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dutiful.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            pass_fds=[listener.fileno()],
            env={**os.environ, **environment},
            # Ctrl-C in the terminal is for the parent, which ends its workers in order.
            start_new_session=True,
        )
        self._stdin, self._stdout = _pipe(self._process.stdin), _pipe(self._process.stdout)
        os.set_blocking(self._stdout.fileno(), False)
        self._heard_at: float | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def age(self) -> float:
        return time.monotonic() - self._began

    def send(self, job: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended, which is found elsewhere
            self._stdin.write(job)

    def hear(self) -> None:
        if self._stdout.read(1024):
            self._heard_at = time.monotonic()

    def is_ready(self) -> bool:
        self.hear()
        return self._heard_at is not None

    def is_silent(self) -> bool:
        """False before its first sign: to start may take long."""
        return self.is_ready() and time.monotonic() - (self._heard_at or 0) > _SILENCE_SECONDS

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def terminate(self) -> None:
        self._process.terminate()

    def abort(self) -> None:
        """It tells where it hangs, if it still can."""
        self._process.send_signal(signal.SIGABRT)
        self.wait_until(time.monotonic() + 2)

    def wait_until(self, deadline: float) -> None:
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        self._stdin.close()
        self._stdout.close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise AssertionError("Popen was asked for a pipe")
    return stream


def _modified() -> dict[Path, float]:
    """The program's files and when they were written."""
    files: dict[Path, float] = {}
    for path in Path(dutiful.__file__).parent.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # editors put files in place by renaming others
            if "__pycache__" not in path.parts and path.is_file():
                files[path] = path.stat().st_mtime
    return files
