import contextlib
import itertools
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

from dutiful.database.embedded.cluster import Cluster
from dutiful.database.embedded.errors import EmbeddedError, StoppedError
from dutiful.database.embedded.locks import open_lock, share_lock, try_lock

_POLL_SECONDS = 0.01
_SPEAK_AFTER_SECONDS = 3.0
_SPEAK_AGAIN_SECONDS = 30.0
_REVIVE_PAUSE_SECONDS = 5.0
_FAST_STOP_SECONDS = 60.0
_KILL_STOP_SECONDS = 30.0
_ORPHANS_GRACE_SECONDS = 0.5
_ORPHANS_KILL_SECONDS = 5.0
_ORPHANS_LIMIT_SECONDS = 15.0


def _go_on() -> None:
    """Nobody asks to stop."""


class EmbeddedPostgres:
    """The private PostgreSQL of one data folder, which must exist."""

    def __init__(
        self,
        data_dir: Path,
        *,
        account: str | None = None,
        major: int = 18,
        extra_settings: Mapping[str, str] = {},
        say: Callable[[str], None],
    ) -> None:
        self.cluster = Cluster(data_dir, major, account)
        self._extra_settings = extra_settings
        self._check = _go_on
        self._say = say
        self._socket_folder: Path | None = None
        self._child: Popen[bytes] | None = None
        self._pid: int | None = None
        self._users_lock: int | None = None
        self._stopping = threading.Event()
        self._supervisor: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://dutiful@/dutiful?host={quote(str(self.socket_folder), safe='/')}"

    @property
    def socket_folder(self) -> Path:
        if self._socket_folder is None:
            raise RuntimeError("PostgreSQL was not started")
        return self._socket_folder

    def start(self, check: Callable[[], None] = _go_on) -> None:
        """Return when PostgreSQL answers, however long its recovery takes. Takes over one that already runs.

        `check` is called while waiting; what it raises ends that.
        """
        self._check = check
        try:
            if self._begin():
                self._say(f"PostgreSQL still runs from before (process {self._pid}); using that one.")
        finally:
            self._check = _go_on

    def supervise(self) -> None:
        """Start it again, in a thread, whenever it dies."""
        self._supervisor = threading.Thread(target=self._watch, name="postgres-supervisor", daemon=True)
        self._supervisor.start()

    def stop(self) -> None:
        """Stop it cleanly, whoever else uses it."""
        self._stopping.set()
        if self._supervisor is not None:
            self._supervisor.join()
            self._supervisor = None
        if self.is_running():
            with self._alone(until_told_to_stop=False):
                self._shut_down()
        self._release_users_lock()

    def is_running(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        return self._pid is not None and self.cluster.is_postmaster(self._pid)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- start --------------------------------------------------------------------------------------------------

    def _begin(self) -> bool:
        """Start or adopt; tells whether it was adopted."""
        self._stopping.clear()
        try:
            return self._start_or_adopt()
        except BaseException:
            self._release_users_lock()
            raise

    def _start_or_adopt(self) -> bool:
        if sys.platform == "win32":
            raise EmbeddedError(
                "The built-in PostgreSQL does not run on Windows: set DATABASE_URL to a server."
            )
        try:
            self._take_users_lock()
            with self._alone():
                return self._start_alone()
        except OSError as error:
            raise EmbeddedError(self.cluster.explain_os_error(error)) from error

    def _start_alone(self) -> bool:
        if self._child is not None and self.is_running():
            return False
        while True:
            with self._lock("alive") as alive:
                start = self._launch(alive) if self._claims(alive) else None
            # The lock is let go here: from now on only PostgreSQL's own processes hold it.
            if start is not None:
                self._await_start(start)
                return False
            if self._is_ready_in_the_end():
                return True

    def _claims(self, alive: int) -> bool:
        """Wait until nothing runs and the lock is ours, or one runs that can be adopted (False)."""
        waiting = _Waiting(self._say)
        while True:
            free = try_lock(alive)
            pid_file = self.cluster.read_pid_file()
            running = pid_file is not None and self.cluster.is_postmaster(pid_file.pid)
            if free and running:
                raise EmbeddedError(
                    f"{self.cluster.folder} is run by a PostgreSQL that Dutiful did not start. Stop it first."
                )
            if free:
                return True
            if pid_file and running and pid_file.status != "stopping":
                self._child, self._pid = None, pid_file.pid
                return False
            if running:
                waiting.speak(lambda: "Waiting for PostgreSQL, which is being stopped")
            else:
                self._end_orphans(waiting)
            self._pause()

    def _end_orphans(self, waiting: "_Waiting") -> None:
        """End what outlived a killed postmaster: no new one can start before the last of them is gone.

        No commit is lost: what was acknowledged is in the write-ahead log, and recovery comes next.
        """
        if waiting.seconds < _ORPHANS_GRACE_SECONDS:
            return
        if waiting.seconds > _ORPHANS_LIMIT_SECONDS:
            raise EmbeddedError(
                f"{self.cluster.folder} is in use by a PostgreSQL that cannot be seen from here. "
                "Stop the container or machine that also uses this folder."
            )
        waiting.once("Ending what is left of a PostgreSQL that was killed.")
        self._signal_all(signal.SIGKILL if waiting.seconds > _ORPHANS_KILL_SECONDS else signal.SIGQUIT)

    def _launch(self, alive: int) -> "_Start":
        self._socket_folder = self.cluster.prepare(alive)
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _await_start
        start = _Start(output, self.cluster.log_sizes())
        self._child = self.cluster.popen(self._command_line(self._socket_folder), alive, output=output)
        self._pid = self._child.pid
        return start

    def _await_start(self, start: "_Start") -> None:
        with start.output:
            try:
                ready = self._is_ready_in_the_end()
            except BaseException:
                self._shut_down()
                raise
            if not ready:
                raise EmbeddedError(self._explain(start))

    def _explain(self, start: "_Start") -> str:
        if self._child is not None and self._child.returncode == -signal.SIGKILL:
            return "PostgreSQL was killed while it was starting. Start again; if that happens too, look for what kills it."
        return self.cluster.explain_failure(_content(start.output), start.log_sizes)

    def _command_line(self, socket_folder: Path) -> list[str]:
        """Here stands what no configuration file may change."""
        quoted_folder = str(socket_folder).replace('"', '""')
        settings = {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": f'"{quoted_folder}"',
            "unix_socket_permissions": "0700",
            "cluster_name": self.cluster.name,
            "logging_collector": "on",
            "log_destination": "stderr",
            "log_directory": str(self.cluster.log_folder),
            **self._extra_settings,
        }
        return [
            "postgres",
            "-D",
            str(self.cluster.folder),
            *(f"--{name}={value}" for name, value in settings.items()),
        ]

    def _is_ready_in_the_end(self) -> bool:
        """Wait as long as it lives; False if it ends instead."""
        waiting = _Waiting(self._say)
        while self.is_running():
            pid_file = self.cluster.read_pid_file()
            if pid_file and pid_file.pid == self._pid and pid_file.status == "ready":
                self._socket_folder = pid_file.socket_folder
                return True
            waiting.speak(self._progress)
            self._pause()
        return False

    def _progress(self) -> str:
        # The startup process says in its title what it does.
        if any("startup recovering" in line for line in self.cluster.processes().values()):
            return "PostgreSQL is recovering after an unclean stop, this may take a while"
        return "PostgreSQL is starting"

    # --- supervise and stop -------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stopping.wait(0.1 if self._child else 1.0):
            if not self.is_running():
                self._revive()

    def _revive(self) -> None:
        self._say("PostgreSQL died; starting it again.")
        began = time.monotonic()
        for pause in itertools.chain((1.0, 2.0), itertools.repeat(_REVIVE_PAUSE_SECONDS)):
            try:
                self._start_or_adopt()
            except StoppedError:
                return
            except EmbeddedError as error:
                self._say(f"{error} Trying again in {pause:.0f} s.")
                if self._stopping.wait(pause):
                    return
            else:
                self._say(f"PostgreSQL is back after {time.monotonic() - began:.1f} s.")
                return

    def _shut_down(self) -> None:
        self._signal(signal.SIGINT)  # "fast": ends sessions, writes everything, leaves nothing to recover
        if self._is_gone_within(_FAST_STOP_SECONDS):
            return
        self._say("PostgreSQL does not stop; ending it at once. It will recover at the next start.")
        self._signal(signal.SIGQUIT)
        if self._is_gone_within(_KILL_STOP_SECONDS):
            return
        self._signal_all(signal.SIGKILL)
        self._is_gone_within(_KILL_STOP_SECONDS)

    def _stop_if_last(self) -> None:
        with self._alone():
            self._release_users_lock()
            if self._is_free("users") and self.is_running():
                self._shut_down()

    def _is_gone_within(self, seconds: float) -> bool:
        """It is gone when the last of its processes is, the log writer included."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.is_running() and self._is_free("alive"):
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _signal(self, number: signal.Signals) -> None:
        if self._pid is not None and self.is_running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in self.cluster.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    # --- locks --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _alone(self, *, until_told_to_stop: bool = True) -> Iterator[None]:
        with self._lock("lock") as lock:
            waiting = _Waiting(self._say)
            while not try_lock(lock):
                waiting.speak(lambda: "Waiting for another process that is starting or stopping PostgreSQL")
                if until_told_to_stop:
                    self._pause()
                else:
                    time.sleep(_POLL_SECONDS)
            yield

    @contextlib.contextmanager
    def _lock(self, name: str) -> Iterator[int]:
        lock = self._open_lock(name)
        try:
            yield lock
        finally:
            os.close(lock)

    def _take_users_lock(self) -> None:
        if self._users_lock is None:
            self._users_lock = self._open_lock("users")
            share_lock(self._users_lock)

    def _release_users_lock(self) -> None:
        if self._users_lock is not None:
            os.close(self._users_lock)
            self._users_lock = None

    def _open_lock(self, name: str) -> int:
        return open_lock(self.cluster.lock_path(name), self.cluster.account)

    def _is_free(self, name: str) -> bool:
        with self._lock(name) as lock:
            return try_lock(lock)

    def _pause(self) -> None:
        self._check()
        if self._stopping.wait(_POLL_SECONDS):
            raise StoppedError("PostgreSQL was told to stop before it was ready.")


@contextlib.contextmanager
def opened(
    data_dir: Path,
    *,
    account: str | None = None,
    major: int = 18,
    extra_settings: Mapping[str, str] = {},
    say: Callable[[str], None],
) -> Iterator[EmbeddedPostgres]:
    """For a command that needs the database for a moment: the running one, else one of its own.

    The last such command stops what no `serve` uses.
    """
    postgres = EmbeddedPostgres(
        data_dir, account=account, major=major, extra_settings=extra_settings, say=say
    )
    postgres._begin()  # noqa: SLF001 - the other half of the class
    try:
        yield postgres
    finally:
        postgres._stop_if_last()  # noqa: SLF001


@dataclass(frozen=True)
class _Start:
    """What explains a failure: what PostgreSQL printed, and how long the logs were before."""

    output: IO[bytes]
    log_sizes: dict[Path, int]


class _Waiting:
    """Silent at first, then a line from time to time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._began = time.monotonic()
        self._next = _SPEAK_AFTER_SECONDS
        self._said: set[str] = set()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def speak(self, progress: Callable[[], str]) -> None:
        if self.seconds >= self._next:
            self._say(f"{progress()} ({self.seconds:.0f} s so far).")
            self._next = self.seconds + _SPEAK_AGAIN_SECONDS

    def once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
