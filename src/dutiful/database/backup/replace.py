"""A private database that is made beside the present one and then takes its place. The present one is kept."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from dutiful.database.backup.errors import BackupError
from dutiful.database.backup.files import stamp_of_now, sync_folder
from dutiful.database.backup.scratch import remove
from dutiful.database.embedded import MAJOR, RESTORING, Cluster, EmbeddedError, EmbeddedPostgres
from dutiful.database.embedded.locks import open_lock, try_lock
from dutiful.datafolder import DataFolder

Say = Callable[[str], None]


def majors_in(data_dir: Path) -> list[int]:
    """The versions of PostgreSQL whose data lie there."""
    return sorted(int(path.name[-2:]) for path in data_dir.glob("postgres-[0-9][0-9]"))


def forget_unfinished(data_dir: Path) -> None:
    """What a killed run left. Whatever it had moved away is still there under its new name."""
    if (data_dir / RESTORING).exists():
        remove(data_dir / RESTORING)


@contextlib.contextmanager
def made_beside(data_dir: Path, account: str | None, say: Say) -> Iterator[EmbeddedPostgres]:
    forget_unfinished(data_dir)
    folder = data_dir / RESTORING
    DataFolder(folder).prepare()
    try:
        with EmbeddedPostgres(folder, account=account, say=say) as postgres:
            yield postgres
    except BaseException:
        remove(folder)
        raise


def take_place(data_dir: Path, account: str | None) -> list[Path]:
    """Where the databases are that were there before. What `made_beside` made must be stopped."""
    kept = []
    new = data_dir / RESTORING / f"postgres-{MAJOR}"
    with contextlib.ExitStack() as stack:
        for major in majors_in(data_dir):
            stack.enter_context(_unused(data_dir, major, account))
        # The one of the same name must go first; the others only when the new one is there, so that a kill between
        # two steps never leaves what looks like an empty instance.
        kept += _move_away(data_dir, MAJOR)
        new.rename(data_dir / new.name)
        sync_folder(data_dir)
        for major in majors_in(data_dir):
            kept += _move_away(data_dir, major) if major != MAJOR else []
    remove(data_dir / RESTORING)
    return kept


def _move_away(data_dir: Path, major: int) -> list[Path]:
    old = data_dir / f"postgres-{major}"
    if not os.path.lexists(old):
        return []
    away = old.with_name(f"{old.name}.{stamp_of_now()}")
    old.rename(away)
    sync_folder(data_dir)
    return [away]


@contextlib.contextmanager
def _unused(data_dir: Path, major: int, account: str | None) -> Iterator[None]:
    """Nobody uses or starts it meanwhile."""
    cluster = Cluster(data_dir, major, account)
    if not _is_free(cluster, "alive"):
        # A server that was killed leaves its PostgreSQL behind.
        with (
            contextlib.suppress(EmbeddedError),
            EmbeddedPostgres(data_dir, major=major, account=account, say=lambda _: None),
        ):
            pass
    lock = open_lock(cluster.lock_path("lock"), cluster.account)
    try:
        if not try_lock(lock) or not _is_free(cluster, "users") or not _is_free(cluster, "alive"):
            raise BackupError(f"{cluster.folder} is in use by another program. Stop that one first.")
        yield
    finally:
        os.close(lock)


def _is_free(cluster: Cluster, name: str) -> bool:
    lock = open_lock(cluster.lock_path(name), cluster.account)
    try:
        return try_lock(lock)
    finally:
        os.close(lock)
