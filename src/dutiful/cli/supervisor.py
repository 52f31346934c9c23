"""Several workers on one socket: started together, replaced when they die, stopped together."""

import contextlib
import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

import dutiful
from dutiful.cli.client import CliError
from dutiful.logs import say
from dutiful.server import DRAIN_SECONDS, Job

_POLL_SECONDS = 0.1
_SHORTEST_LIFE_SECONDS = 1.0
_STOP_SECONDS = DRAIN_SECONDS + 5


def run(job: Job, count: int, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Until KeyboardInterrupt. Closes the socket before the workers end, so that nobody waits for an answer there."""
    with _Workers(job, count, listener) as workers:
        workers.start()
        on_ready()
        while True:
            time.sleep(_POLL_SECONDS)
            workers.replace_dead()


def run_reloading(job: Job, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """One worker, started again whenever a file of the program changes."""
    with _Workers(job, 1, listener) as workers:
        workers.start()
        on_ready()
        files = _modified()
        while True:
            time.sleep(_POLL_SECONDS)
            if files != (files := _modified()):
                say("Files have changed; starting again.")
                workers.restart()


def _modified() -> dict[Path, float]:
    folder = Path(dutiful.__file__).parent
    files: dict[Path, float] = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # editors put files in place by renaming others
            if "__pycache__" not in path.parts and path.is_file():
                files[path] = path.stat().st_mtime
    return files


class _Workers:
    def __init__(self, job: Job, count: int, listener: socket.socket) -> None:
        self._job = pickle.dumps(job)
        self._count = count
        self._listener = listener
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._stop()

    def start(self) -> None:
        self._workers = [self._new() for _ in range(self._count)]
        while not all(worker.is_ready() for worker in self._workers):
            if any(worker.has_ended() for worker in self._workers):
                raise CliError("A worker ended before it was ready.")
            time.sleep(_POLL_SECONDS / 5)

    def replace_dead(self) -> None:
        for at, worker in enumerate(self._workers):
            if worker.has_ended() and worker.age > _SHORTEST_LIFE_SECONDS:
                say(f"Worker {worker.pid} died; starting another.")
                worker.close()
                self._workers[at] = self._new()

    def restart(self) -> None:
        self._stop()
        self._workers = [self._new() for _ in range(self._count)]

    def _new(self) -> "_Worker":
        return _Worker(self._job, self._listener)

    def _stop(self) -> None:
        for worker in self._workers:
            worker.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for worker in self._workers:
            worker.wait_until(deadline)
            worker.close()


class _Worker:
    """A process of `dutiful.server`. Its stdin is the thread its life hangs on: it ends when that is closed."""

    def __init__(self, job: bytes, listener: socket.socket) -> None:
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dutiful.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            pass_fds=[listener.fileno()],
            # Ctrl-C in the terminal is for the parent, which ends its workers in order.
            start_new_session=True,
        )
        self._stdin, self._stdout = _pipe(self._process.stdin), _pipe(self._process.stdout)
        os.set_blocking(self._stdout.fileno(), False)
        self._is_ready = False
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(job)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def age(self) -> float:
        return time.monotonic() - self._began

    def is_ready(self) -> bool:
        self._is_ready = self._is_ready or bool(self._stdout.read(16))
        return self._is_ready

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def terminate(self) -> None:
        self._process.terminate()

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
