"""`dutiful backup`."""

import asyncio
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from sqlalchemy import URL, make_url

from dutiful.cli import instance
from dutiful.cli.client import CliError
from dutiful.cli.options import JsonOption
from dutiful.cli.output import note, print_json
from dutiful.database import embedded
from dutiful.database.backup import BackupError, figures, files, scratch
from dutiful.database.backup.archive import open_archive, read_to_the_end
from dutiful.database.backup.dump import dump, find_programs, sizes
from dutiful.database.backup.figures import Figures
from dutiful.database.backup.load import load
from dutiful.settings import Settings, load_settings

# What a PostgreSQL of its own takes before anything is in it.
_EMPTY_CLUSTER = 150_000_000


def register(app: typer.Typer) -> None:
    app.command("backup")(backup)


def backup(
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE|FOLDER]", help="Where to. [default: the folder backups in the data folder]"
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Afterwards remove all but the newest N of the folder's backups."
        ),
    ] = None,
    *,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Restore it into a PostgreSQL of its own and compare.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Back up the database into one file, while the server goes on.

    It is the database only: a SECRET_KEY, and other settings, are kept elsewhere.
    """
    began = time.monotonic()
    settings = load_settings()
    final = _final_path(settings, target)
    if keep is not None and target is not None and not target.is_dir():
        raise typer.BadParameter("needs a folder, not a file", param_hint="--keep")
    with ended_in_order(), opened(settings) as url, files.draft(final) as part:
        _check_room(settings, url, final.parent, is_checked=check)
        found = instance.run(settings, url, lambda engine: dump(engine, part))
        checked, wrong = _check(settings, part, found) if check else ("no", [])
        size = part.stat().st_size
    removed = [] if keep is None else files.remove_older(final.parent, keep, automatic=False)
    if as_json:
        print_json(
            {
                "path": str(final),
                "size": size,
                "revision": found.revision,
                "rows": {name: contents.rows for name, contents in found.tables.items()},
                "checked": checked,
                "wrong": wrong,
                "removed": list(map(str, removed)),
                "seconds": round(time.monotonic() - began, 1),
            }
        )
        return
    print(final)
    note(f"{summary(found)}, {files.in_words(size)} in {time.monotonic() - began:.1f} s.")
    note(_CHECKED[checked])
    tell_wrong(wrong)
    if removed:
        note(f"Removed {len(removed)} older {'backup' if len(removed) == 1 else 'backups'}.")


_CHECKED = {
    "restored": "Checked: restored into a PostgreSQL of its own, every row is the same.",
    "read": "Checked only by reading it to the end: no PostgreSQL server is installed here to restore it into.",
    "no": "Not checked.",
}


def summary(found: Figures) -> str:
    tasks = found.tables["tasks"].rows if "tasks" in found.tables else 0
    rows = sum(contents.rows for contents in found.tables.values())
    return f"{tasks:,} tasks, {rows:,} rows in all, schema {found.revision}"


# --- where to and where from ------------------------------------------------------------------------------------------


def _final_path(settings: Settings, target: Path | None) -> Path:
    if target is None:
        if settings.uses_embedded_database:
            _require_database(settings)
        target = files.backup_folder(settings.data_dir)
        files.make_folder(target)
    if target.is_dir():
        return files.new_name(target.absolute())
    if not target.parent.is_dir():
        raise CliError(f"There is no folder {target.parent}. Make it first.")
    return target.absolute()


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[URL]:
    """A database that is there: a backup must not begin by making an empty one."""
    if settings.database_dsn is not None:
        yield settings.database_dsn
        return
    _require_database(settings)
    with embedded.opened(settings.data_dir, account=settings.postgres_account, say=note) as postgres:
        yield make_url(postgres.url)


def _require_database(settings: Settings) -> None:
    if not any(settings.data_dir.glob("postgres-[0-9][0-9]")):
        raise CliError(f"There is no database in {settings.data_dir} yet, so there is nothing to back up.")


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """SIGTERM ends us as Ctrl-C does, with nothing left behind."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# --- the check --------------------------------------------------------------------------------------------------------


def _check_room(settings: Settings, url: URL, folder: Path, *, is_checked: bool) -> None:
    tables, database = instance.run(settings, url, sizes)
    needed = files.room_for(tables)
    with _advised(", or choose another folder."):
        files.check_room(folder, needed, "the backup")
    if is_checked and embedded.wheel_folder():
        place = _scratch_parent(settings)
        if place.stat().st_dev == folder.stat().st_dev:
            needed += database + _EMPTY_CLUSTER
        else:
            needed = database + _EMPTY_CLUSTER
        with _advised(", or leave the check out with --no-check."):
            files.check_room(place, needed, "restoring the backup to check it")


@contextlib.contextmanager
def _advised(advice: str) -> Iterator[None]:
    try:
        yield
    except BackupError as error:
        raise CliError(f"{error}{advice}") from error


def _scratch_parent(settings: Settings) -> Path:
    """The disk of the private database has room for one more, or the next write of a task would be in danger too."""
    return settings.data_dir if settings.uses_embedded_database else Path(tempfile.gettempdir())


def _check(settings: Settings, part: Path, expected: Figures) -> tuple[str, list[str]]:
    if embedded.wheel_folder() is None:
        asyncio.run(read_to_the_end(part))
        return "read", []
    with scratch.scratch_postgres(_scratch_parent(settings), settings.postgres_account) as postgres:
        return "restored", fill(settings, make_url(postgres.url), part, expected)


def fill(settings: Settings, place: URL, backup_path: Path, expected: Figures) -> list[str]:
    """Restores a backup that was just made; raises CliError unless what was backed up is there then.

    What was wrong already in the database is told, a phrase each: a backup of that is better than none.
    """
    try:
        archive = asyncio.run(open_archive(backup_path))
        load(archive, place, instance.run(settings, place, find_programs))
    except BackupError as error:
        raise CliError(f"{_NOT_GOOD} {error}") from error
    found = instance.run(settings, place, figures.of_database)
    if different := expected.differences(found):
        raise CliError(f"{_NOT_GOOD} Restored, {'; '.join(different)}.")
    return instance.run(settings, place, figures.wrongs)


def tell_wrong(wrong: list[str]) -> None:
    if wrong:
        note(f"The backup is true to the database, but something is wrong in that: {'; '.join(wrong)}.")


_NOT_GOOD = "The backup is not good and was not kept."
