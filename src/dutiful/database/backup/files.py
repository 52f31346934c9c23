"""The files: how they are called, written, and cleared away."""

import contextlib
import datetime as dt
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dutiful import clock
from dutiful.database.backup.errors import BackupError

if sys.platform != "win32":
    import fcntl

_STAMP = r"\d{4}-\d\d-\d\dT\d{6}Z"
_ORDINARY = re.compile(rf"dutiful-({_STAMP})\.dump")
_AUTOMATIC = re.compile(rf"dutiful-before-\S+?-({_STAMP})\.dump")
_ONE_SECOND = dt.timedelta(seconds=1)


@dataclass(frozen=True)
class BackupFile:
    path: Path
    made_at: dt.datetime
    is_automatic: bool
    """Made before a migration or an upgrade of PostgreSQL."""


def backup_folder(data_dir: Path) -> Path:
    return data_dir / "backups"


def backups_in(folder: Path) -> list[BackupFile]:
    """Those that have a name of ours, the newest first. A folder that is missing has none."""
    found = [_backup_file(path) for path in folder.glob("dutiful-*.dump")]
    return sorted(filter(None, found), key=lambda each: each.made_at, reverse=True)


def make_folder(folder: Path) -> None:
    with _clear_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def new_name(folder: Path, reason: str = "") -> Path:
    """`dutiful-2026-11-23T120000Z.dump`; with a reason it stands before the time."""
    at = clock.now()
    while True:
        path = folder / f"dutiful-{reason}{'-' if reason else ''}{_stamp(at)}.dump"
        if not os.path.lexists(path):
            return path
        at += _ONE_SECOND


def stamp_of_now() -> str:
    return _stamp(clock.now())


def remove_older(folder: Path, keep: int, *, automatic: bool) -> list[Path]:
    """Only files with names of ours. Those made by hand and by ourselves are counted apart."""
    old = [each.path for each in backups_in(folder) if each.is_automatic is automatic][keep:]
    with _clear_errors(folder):
        for path in old:
            path.unlink(missing_ok=True)
    return old


def room_for(tables: int) -> int:
    """Bytes that a backup of tables of that size takes at most; usually it is a tenth of them."""
    return tables // 2 + 8_000_000


def check_room(folder: Path, needed: int, purpose: str) -> None:
    with _clear_errors(folder):
        free = shutil.disk_usage(folder).free
    if free < needed:
        raise BackupError(
            f"{folder} has {in_words(free)} free, and {purpose} may need {in_words(needed)}. Make room"
        )


@contextlib.contextmanager
def draft(final: Path) -> Iterator[Path]:
    """A file beside `final` that takes its name if the block ends well, and is gone otherwise.

    It is locked while it is written, so that what a killed run left behind can be told and removed by the next.
    """
    path = final.with_name(f".{final.name.removesuffix('.dump')}.dump.part")
    with _clear_errors(final):
        _remove_abandoned(final.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield path
        with _clear_errors(final):
            os.fsync(descriptor)
            _put_in_place(path, final)
            sync_folder(final.parent)
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _put_in_place(path: Path, final: Path) -> None:
    """A link, unlike renaming, never takes the place of a file that is there; not every file system has them."""
    try:
        os.link(path, final)
    except OSError as error:
        if isinstance(error, FileExistsError) or os.path.lexists(final):
            raise FileExistsError from error
        path.rename(final)


def in_words(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(".*.dump.part"):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _backup_file(path: Path) -> BackupFile | None:
    for pattern, is_automatic in ((_ORDINARY, False), (_AUTOMATIC, True)):
        if found := pattern.fullmatch(path.name):
            with contextlib.suppress(ValueError):
                made_at = dt.datetime.strptime(found[1], "%Y-%m-%dT%H%M%SZ").replace(tzinfo=dt.UTC)
                return BackupFile(path, made_at, is_automatic)
    return None


def _stamp(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%dT%H%M%SZ}"


@contextlib.contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise BackupError(f"{path} exists already, and a backup never replaces a file.") from error
    except OSError as error:
        raise BackupError(f"{error.filename or path} cannot be used: {error.strerror}.") from error


def sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
