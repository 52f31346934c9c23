"""`dutiful restore`, and taking over what an older PostgreSQL left."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from dutiful import __version__
from dutiful.cli import instance
from dutiful.cli.backup import ended_in_order, fill, summary, tell_wrong
from dutiful.cli.client import CliError
from dutiful.cli.options import JsonOption
from dutiful.cli.output import note, print_json
from dutiful.database import embedded, migrate
from dutiful.database.backup import NotEmpty, figures, files, replace
from dutiful.database.backup.archive import Archive, open_archive
from dutiful.database.backup.dump import dump, find_programs
from dutiful.database.backup.figures import Figures
from dutiful.database.backup.load import load
from dutiful.datafolder import DataFolder, DataFolderError
from dutiful.settings import Settings, load_settings


def register(app: typer.Typer) -> None:
    app.command("restore")(restore)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `dutiful backup` made.")],
    *,
    replace_present: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Move the present private database aside, in the data folder, and take its place.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup into an empty database, in one transaction.

    Killed on the way it leaves the database empty, and can be run again.
    """
    began = time.monotonic()
    settings = load_settings()
    archive = asyncio.run(open_archive(file))
    archive.check_revision()
    kept: list[Path] = []
    with ended_in_order(), _no_server(settings):
        if replace_present:
            _agree(settings, yes=yes)
            with replace.made_beside(settings.data_dir, settings.postgres_account, note) as postgres:
                found = _restore_into(settings, make_url(postgres.url), archive)
            kept = replace.take_place(settings.data_dir, settings.postgres_account)
        else:
            with _empty_database(settings) as url:
                found = _restore_into(settings, url, archive)
    if as_json:
        rows = {name: contents.rows for name, contents in found.tables.items()}
        print_json(
            {
                "revision": found.revision,
                "migrated_from": archive.revision if archive.is_older else None,
                "rows": rows,
                "kept": list(map(str, kept)),
                "seconds": round(time.monotonic() - began, 1),
            }
        )
    note(f"Restored {summary(found)}, in {time.monotonic() - began:.1f} s.")
    _tell_kept(kept)


def upgrade_postgres(
    programs: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where the programs of the older PostgreSQL are, if not found."),
    ] = None,
) -> None:
    """Take the private database over from an older PostgreSQL. The old folder is kept.

    It is backed up with the programs of then and restored with those of now, and both are compared.
    """
    settings = load_settings()
    if not settings.uses_embedded_database:
        raise CliError("This is for the private PostgreSQL only. Upgrade your own as its documentation says.")
    with ended_in_order(), _no_server(settings):
        major = _older_major(settings)
        final = _backup_path(settings)
        with files.draft(final) as part:
            with _older_postgres(settings, major, programs) as postgres:
                expected = instance.run(settings, postgres.url, lambda engine: dump(engine, part))
            with replace.made_beside(settings.data_dir, settings.postgres_account, note) as postgres:
                tell_wrong(fill(settings, make_url(postgres.url), part, expected))
        kept = replace.take_place(settings.data_dir, settings.postgres_account)
    note(f"PostgreSQL {embedded.MAJOR} has {summary(expected)}; every row is the same.")
    note(f"The backup from PostgreSQL {major} is {final}.")
    _tell_kept(kept)


# --- restoring --------------------------------------------------------------------------------------------------------


def _restore_into(settings: Settings, url: URL, archive: Archive) -> Figures:
    load(archive, url, instance.run(settings, url, find_programs))
    if archive.is_older:
        note(f"The backup has schema {archive.revision}; migrating it.")
        instance.run(settings, url, lambda engine: migrate.upgrade(engine, say=note))
    found = instance.run(settings, url, figures.of_database)
    tell_wrong(instance.run(settings, url, figures.wrongs))
    return found


@contextlib.contextmanager
def _empty_database(settings: Settings) -> Iterator[URL]:
    if settings.database_dsn is None:
        DataFolder(settings.data_dir).prepare()
        replace.forget_unfinished(settings.data_dir)
        advice = _advice(
            "Restore into another folder, with DUTIFUL_DATA_DIR, or move aside what is there, which keeps it: "
            "dutiful restore --replace FILE"
        )
        database = embedded.opened(settings.data_dir, account=settings.postgres_account, say=note)
        with advice, database as postgres:
            yield make_url(postgres.url)
        return
    instance.run(settings, settings.database_dsn, _refuse_served)
    with _advice(
        "Make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and name it in DATABASE_URL."
    ):
        yield settings.database_dsn


@contextlib.contextmanager
def _advice(advice: str) -> Iterator[None]:
    try:
        yield
    except NotEmpty as error:
        raise CliError(f"{error} {advice}") from error


async def _refuse_served(engine: AsyncEngine) -> None:
    """Servers elsewhere hold no folder here, but they have connections."""
    statement = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'dutiful' AND pid <> pg_backend_pid()
    """
    async with migrate.unlimited_connection(engine) as connection:
        if await connection.scalar(text(statement)):
            raise CliError("A Dutiful server is using this database. Stop it first, then restore.")


@contextlib.contextmanager
def _no_server(settings: Settings) -> Iterator[None]:
    """None runs on the data folder, and none can be started meanwhile."""
    folder = DataFolder(settings.data_dir)
    with contextlib.ExitStack() as stack:
        try:
            folder.prepare()
            stack.enter_context(folder.hold(__version__))
        except DataFolderError:
            if settings.uses_embedded_database or folder.path.exists():
                raise
        yield


def _agree(settings: Settings, *, yes: bool) -> None:
    if not settings.uses_embedded_database:
        raise typer.BadParameter(
            "is for the private PostgreSQL only; restore into an empty database of your own",
            param_hint="--replace",
        )
    if yes or not replace.majors_in(settings.data_dir):
        return
    if not sys.stdin.isatty():
        raise CliError("There is no terminal to ask on; say --yes.")
    question = f"The database in {settings.data_dir} is moved aside, and the backup takes its place. Go on?"
    if not typer.confirm(question, err=True):
        raise CliError("Nothing was changed.")


def _tell_kept(kept: list[Path]) -> None:
    for path in kept:
        note(f"The database of before is kept in {path}. Remove it when you no longer need it.")


# --- an older PostgreSQL ----------------------------------------------------------------------------------------------


def _older_major(settings: Settings) -> int:
    majors = replace.majors_in(settings.data_dir)
    if embedded.MAJOR in majors or not majors:
        raise CliError(f"Nothing to do: {settings.data_dir} holds nothing of an older PostgreSQL.")
    return majors[-1]


def _backup_path(settings: Settings) -> Path:
    folder = files.backup_folder(settings.data_dir)
    files.make_folder(folder)
    return files.new_name(folder, f"before-postgres-{embedded.MAJOR}")


@contextlib.contextmanager
def _older_postgres(
    settings: Settings, major: int, programs: Path | None
) -> Iterator[embedded.EmbeddedPostgres]:
    replace.forget_unfinished(settings.data_dir)
    postgres = embedded.EmbeddedPostgres(
        settings.data_dir, major=major, account=settings.postgres_account, say=note
    )
    try:
        postgres.cluster.bin_folder = programs.absolute() if programs else embedded.bin_folder(major)
    except embedded.EmbeddedError:
        raise CliError(
            f"The programs of PostgreSQL {major} are not on this machine. Install them and name their folder with "
            "--programs; or make a backup with the Dutiful that ran it: dutiful restore --replace FILE"
        ) from None
    if not (postgres.cluster.bin_folder / "postgres").is_file():
        raise CliError(f"There is no program named postgres in {postgres.cluster.bin_folder}.")
    with postgres:
        yield postgres
