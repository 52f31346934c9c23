"""The folder of an instance: its secret key, the owner's token, and who serves it at the moment."""

import contextlib
import json
import os
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from errno import EACCES, EDQUOT, ENOSPC, EPERM, EROFS
from pathlib import Path

from platformdirs import user_data_path

if sys.platform != "win32":
    import fcntl


class DataFolderError(Exception):
    """One line for the person at the terminal: what happened and what to do."""


def default_data_dir() -> Path:
    if os.name == "posix" and os.geteuid() == 0:
        return Path("/var/lib/dutiful")
    return user_data_path("dutiful", appauthor=False)


@dataclass(frozen=True)
class RunningServer:
    pid: int
    version: str
    started_at: str
    url: str | None = None
    """None until the server listens."""


class DataFolder:
    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.owner_token_path = self.path / "owner-token"
        self._secret_path = self.path / "secret-key"
        self._lock_path = self.path / "serve.lock"
        self._info_path = self.path / "server.json"
        self._info: RunningServer | None = None

    def prepare(self) -> None:
        """Make the folder if it is missing and see that it can be written to."""
        with self._clear_errors():
            if not self.path.exists():
                self._create()
            # Only writing tells: permission bits know nothing of read-only mounts, full disks and quotas.
            with tempfile.TemporaryFile(dir=self.path) as probe:
                probe.write(b"\0" * 4096)

    def secret_key(self) -> str:
        """64 hexadecimal digits, made on first use and the same ever after."""
        with self._clear_errors():
            if not self._secret_path.exists():
                self._make_secret()
            key = self._secret_path.read_text().strip()
        if not re.fullmatch("[0-9a-f]{64}", key):
            raise DataFolderError(
                f"{self._secret_path} is damaged: it should hold 64 hexadecimal digits. Put back a copy if you have one, "
                "or remove it to get a new key: then links for passwords that are on their way no longer work."
            )
        return key

    def read_owner_token(self) -> str | None:
        with self._clear_errors():
            try:
                return self.owner_token_path.read_text().strip() or None
            except FileNotFoundError:
                return None

    def write_owner_token(self, token: str) -> None:
        with self._clear_errors():
            _write_private(self.owner_token_path, token + "\n")

    @contextlib.contextmanager
    def hold(self, version: str) -> Iterator[None]:
        """Be the one server of this folder; the kernel lets go when the process ends, however it ends."""
        with self._clear_errors():
            lock = self._take_lock()
        try:
            self._publish(
                RunningServer(os.getpid(), version, datetime.now(UTC).isoformat(timespec="seconds"))
            )
            yield
        finally:
            self._info = None
            if lock in _held:  # not in a fork of the holder
                with contextlib.suppress(OSError):
                    self._info_path.unlink()
                _release(lock)

    def announce(self, url: str) -> None:
        """Tell other processes where the holder listens. Only between the ends of `hold`."""
        if self._info is None:
            raise RuntimeError("announce() needs hold()")
        self._publish(RunningServer(self._info.pid, self._info.version, self._info.started_at, url))

    def running_server(self) -> RunningServer | None:
        """Who holds the folder now. What a killed server left behind does not count."""
        with self._clear_errors():
            return self._read_info() if self._is_held() else None

    def _create(self) -> None:
        # As root PostgreSQL runs as another account, which must pass through to its own folder but see nothing.
        mode = 0o711 if os.geteuid() == 0 else 0o700
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            self.path.mkdir(mode)
            self.path.chmod(mode)  # mkdir is subject to the umask

    def _make_secret(self) -> None:
        draft = _draft(self._secret_path, secrets.token_hex(32) + "\n")
        try:
            # A link fails where the file exists: of two processes that make a key at once, both use the first.
            with contextlib.suppress(FileExistsError):
                os.link(draft, self._secret_path)
        finally:
            draft.unlink()
        _sync_folder(self.path)

    def _take_lock(self) -> int:
        lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # `running_server` of another process holds the lock for a moment: try more than once.
        for _ in range(10):
            if _try_lock(lock, exclusive=True):
                _held.add(lock)
                return lock
            time.sleep(0.02)
        os.close(lock)
        raise DataFolderError(self._in_use())

    def _in_use(self) -> str:
        holder = self._read_info()
        if holder is None:
            return f"{self.path} is in use by another process. Stop that one first, or choose another DUTIFUL_DATA_DIR."
        where = holder.url or "still starting"
        return (
            f"{self.path} is in use by process {holder.pid} ({where}). "
            "Stop that one first, or choose another DUTIFUL_DATA_DIR."
        )

    def _publish(self, info: RunningServer) -> None:
        with self._clear_errors():
            _write_private(self._info_path, json.dumps(asdict(info)) + "\n")
        self._info = info

    def _is_held(self) -> bool:
        try:
            lock = os.open(self._lock_path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _try_lock(lock, exclusive=False)
        finally:
            os.close(lock)

    def _read_info(self) -> RunningServer | None:
        try:
            return RunningServer(**json.loads(self._info_path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataFolderError(self._explain(error)) from error

    def _explain(self, error: OSError) -> str:
        where = error.filename or self.path
        if error.errno in {ENOSPC, EDQUOT}:
            return f"The disk of {self.path} is full. Make room and start again."
        if error.errno == EROFS:
            return f"{where} is on a read-only file system. Choose another folder with DUTIFUL_DATA_DIR."
        if error.errno in {EACCES, EPERM}:
            return (
                f"{where} cannot be used: permission denied. "
                "Give this account access, or choose another folder with DUTIFUL_DATA_DIR."
            )
        if isinstance(error, NotADirectoryError | FileExistsError):
            return f"{self.path} is not a folder. Choose another one with DUTIFUL_DATA_DIR."
        return f"The data folder {self.path} cannot be used: {error.strerror or error} ({where})."


def _write_private(path: Path, text: str) -> None:
    """Replace the file as a whole: a reader, and a crash, find the old or the new content, never half of it."""
    draft = _draft(path, text)
    try:
        draft.replace(path)
    except OSError:
        draft.unlink()
        raise
    _sync_folder(path.parent)


def _draft(path: Path, text: str) -> Path:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        Path(name).unlink()
        raise
    return Path(name)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _try_lock(lock: int, *, exclusive: bool) -> bool:
    if sys.platform == "win32":
        raise DataFolderError("Serving is not supported on Windows: use WSL or a container.")
    try:
        fcntl.flock(lock, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# A fork shares its parent's lock and would keep it after the parent was killed. Programs that are started
# do not inherit the descriptor; a bare fork must close it.
_held: set[int] = set()


def _forget_locks() -> None:
    for lock in _held:
        os.close(lock)
    _held.clear()


def _release(lock: int) -> None:
    _held.remove(lock)
    os.close(lock)


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_locks)
