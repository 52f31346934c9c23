"""A PostgreSQL for a moment, in a folder that is gone afterwards."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dutiful.database.embedded import MAJOR, EmbeddedPostgres

if sys.platform != "win32":
    import fcntl

_PREFIX = "dutiful-check-"
_PATIENCE_SECONDS = 20.0

# What it holds may be lost: the file it came from is still there.
_HURRIED = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "maintenance_work_mem": "256MB",
    "autovacuum": "off",
}


@contextlib.contextmanager
def scratch_postgres(parent: Path, account: str | None) -> Iterator[EmbeddedPostgres]:
    _remove_abandoned(parent)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.geteuid() == 0:
            # PostgreSQL's own account passes through to its folder.
            folder.chmod(0o711)
        with EmbeddedPostgres(folder, account=account, extra_settings=_HURRIED, say=_silent) as postgres:
            yield postgres
    finally:
        remove(folder)
        os.close(lock)


def remove(folder: Path, major: int = MAJOR) -> None:
    """With the PostgreSQL that may still run there."""
    cluster = EmbeddedPostgres(folder, major=major, say=_silent).cluster
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (pids := list(cluster.processes())) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    """What killed runs left: the kernel has let go of their locks."""
    for folder in parent.glob(f"{_PREFIX}*"):
        if folder.stat().st_uid == os.geteuid() and time.time() - folder.stat().st_mtime > 5:
            lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove(folder)
            finally:
                os.close(lock)


def _silent(line: str) -> None:
    pass
