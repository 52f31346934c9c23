"""The data folder, and the backups in it. Nothing is made or changed."""

import asyncio
import datetime as dt
import os
import shutil
import stat
from pathlib import Path

from dutiful import clock
from dutiful.cli.doctor.findings import Findings
from dutiful.database.backup import BackupError, files
from dutiful.database.backup.archive import open_archive
from dutiful.database.embedded import MAJOR, RESTORING, Cluster, EmbeddedError
from dutiful.datafolder import DataFolder, DataFolderError
from dutiful.settings import Settings

_LITTLE, _TOO_LITTLE = 1_000_000_000, 200_000_000
_OLD = dt.timedelta(days=2)


def check_folder(settings: Settings) -> Findings:
    found = Findings("Data folder")
    folder = settings.data_dir
    if settings.uses_embedded_database and os.geteuid() == 0:
        _check_way_of_postgres(found, settings)
    if not folder.is_dir():
        if folder.exists():
            found.problem(f"{folder} is not a folder.", "Choose another one with DUTIFUL_DATA_DIR.")
        else:
            found.ok(f"{folder} is not there yet; `dutiful serve` makes it.")
        return found
    _check_access(found, folder)
    if settings.secret_key is None and (folder / "secret-key").exists():
        with found.what_fails(DataFolderError):
            DataFolder(folder).secret_key()
    _check_disk(found, folder)
    _check_leftovers(found, folder)
    return found


def check_backups(settings: Settings) -> Findings:
    found = Findings("Backups")
    folder = files.backup_folder(settings.data_dir)
    own = [each for each in files.backups_in(folder) if not each.is_automatic]
    if not own:
        where = (
            "" if settings.uses_embedded_database else ", unless you back up your PostgreSQL by other means"
        )
        found.warn(f"None in {folder}.", f"Make one every day{where}: dutiful backup --keep 14")
        return found
    newest = own[0]
    age = clock.now() - newest.made_at
    line = f"{len(own)} in {folder}, the newest {_ago(age)}, {files.in_words(newest.path.stat().st_size)}"
    if age > _OLD:
        found.warn(f"{line}.", "Make one every day: dutiful backup --keep 14")
    else:
        found.ok(f"{line}.")
    try:
        asyncio.run(open_archive(newest.path))
    except BackupError as error:
        found.problem(str(error), "Make a new one: dutiful backup")
    if settings.uses_embedded_database and folder.stat().st_dev == settings.data_dir.stat().st_dev:
        found.warn(
            "They are on the disk of the database, and would be lost with it.",
            "Copy them to another machine.",
        )
    return found


def _check_way_of_postgres(found: Findings, settings: Settings) -> None:
    """PostgreSQL does not run as root, and must come to its folder all the same."""
    with found.what_fails(EmbeddedError):
        account = Cluster(settings.data_dir, MAJOR, settings.postgres_account).account
        there = next(each for each in (settings.data_dir, *settings.data_dir.parents) if each.is_dir())
        if closed := account.first_closed_folder(there.resolve()):
            found.problem(
                f"PostgreSQL would run as the account {account.name}, which cannot enter {closed}.",
                "Choose another folder with DUTIFUL_DATA_DIR, or another account with DUTIFUL_POSTGRES_ACCOUNT.",
            )


def _check_access(found: Findings, folder: Path) -> None:
    mode = stat.S_IMODE(folder.stat().st_mode)
    # As root others must pass through, but not look in.
    if mode & 0o066:
        found.warn(f"{folder} can be read by other accounts (mode {mode:04o}).", f"chmod go-rw {folder}")
    for name in ("secret-key", "owner-token"):
        path = folder / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            found.problem(f"{path} can be read by other accounts.", f"chmod 600 {path}")
    if os.access(folder, os.W_OK | os.X_OK):
        found.ok(f"{folder}, mode {mode:04o}")
    else:
        found.problem(
            f"{folder} cannot be written to by this account.", "Use the account that runs the server."
        )


def _check_disk(found: Findings, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    text = f"{files.in_words(free)} free on its disk."
    if free < _TOO_LITTLE:
        found.problem(text, "Make room: without it the server cannot write.")
    elif free < _LITTLE:
        found.warn(text, "Make room.")
    else:
        found.ok(text)


def _check_leftovers(found: Findings, folder: Path) -> None:
    if (folder / RESTORING).exists():
        found.warn("A restore did not end.", "Run it again, or remove the folder " + str(folder / RESTORING))
    for old in sorted(folder.glob("postgres-[0-9][0-9].[0-9]*")):
        found.ok(f"{old.name} was moved aside by a restore. Remove it when you no longer need it.")


def _ago(age: dt.timedelta) -> str:
    hours = round(age.total_seconds() / 3600)
    if hours < 1:
        return "made within the hour"
    return f"{hours} hours old" if hours < 48 else f"{age.days} days old"
