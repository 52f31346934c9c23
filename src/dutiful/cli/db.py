"""`dutiful db`: the schema of the database, for the person who runs the server and the one who changes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

import dutiful
from dutiful.cli.client import CliError
from dutiful.cli.instance import with_engine
from dutiful.cli.output import note
from dutiful.cli.restore import upgrade_postgres
from dutiful.database import migrate
from dutiful.database.backup.automatic import before_migration
from dutiful.database.migrate import DatabaseState, Precaution
from dutiful.settings import load_settings

RevisionArgument = Annotated[
    str, typer.Argument(metavar="REVISION", help="Such as 0001; base is an empty database, -1 one step back.")
]

BackupOption = Annotated[
    bool, typer.Option("--backup/--no-backup", help="Back up the private database before it is changed.")
]


def register(app: typer.Typer) -> None:
    db = typer.Typer(no_args_is_help=True)
    db.command("upgrade")(upgrade)
    db.command("downgrade", context_settings={"ignore_unknown_options": True})(downgrade)
    db.command("current")(current)
    db.command("history")(history)
    db.command("revision")(revision)
    db.command("check")(check)
    db.command("stamp")(stamp)
    db.command("sql")(sql)
    db.command("upgrade-postgres")(upgrade_postgres)
    app.add_typer(db, name="db", help="The database: migrate it, look at its state.")


def upgrade(
    revision: Annotated[str, typer.Argument(metavar="[REVISION]", help="How far.")] = "head",
    *,
    backup: BackupOption = True,
) -> None:
    """Apply the migrations that are missing. `dutiful serve` does the same."""
    before = _before(backup=backup)
    _tell(with_engine(lambda engine: migrate.upgrade(engine, revision, say=note, before=before(engine))))


def downgrade(revision: RevisionArgument, *, backup: BackupOption = True) -> None:
    """Take migrations back, with the data that they made room for."""
    before = _before(backup=backup)
    _tell(with_engine(lambda engine: migrate.downgrade(engine, revision, say=note, before=before(engine))))


def current() -> None:
    """Print the revision of the database."""
    state = with_engine(migrate.inspect)
    print(state.revision or "base")
    if not state.is_current:
        note(f"This program needs {state.head}. Run `dutiful db upgrade`.")


def history() -> None:
    """List the migrations, the newest first."""
    for script in migrate.history():
        print(f"{script.revision}  {script.doc}")


def revision(
    message: Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="What it does.")],
    *,
    autogenerate: Annotated[
        bool, typer.Option(help="Write what the models have and the database lacks.")
    ] = True,
) -> None:
    """Write a new migration into the source tree."""
    if "site-packages" in Path(dutiful.__file__).parts:
        raise CliError("This Dutiful is installed. Migrations are written in a checkout of its source.")
    path = with_engine(lambda engine: migrate.write_revision(engine, message, autogenerate=autogenerate))
    print(path)
    note("Read it, complete its downgrade, and format it: make format")


def check() -> None:
    """Fail when the models and the database differ."""
    difference = with_engine(migrate.differences)
    if difference:
        print(difference)
        raise CliError("Models and database differ. Write a migration: dutiful db revision -m TEXT")
    note("Models and database agree.")


def stamp(revision: RevisionArgument) -> None:
    """Note that the database is at a revision, without changing anything else."""
    _tell(with_engine(lambda engine: migrate.stamp(engine, revision)))


def sql(
    revision: Annotated[
        str, typer.Argument(metavar="[FROM:TO]", help="By default everything, for an empty database.")
    ] = "head",
) -> None:
    """Print the SQL of the migrations, for somebody else to run."""
    print(migrate.sql(revision), end="")


def _before(*, backup: bool) -> Callable[[AsyncEngine], Precaution | None]:
    """A database of one's own has its owner's backups."""
    settings = load_settings()
    is_wanted = backup and settings.uses_embedded_database
    return lambda engine: before_migration(engine, settings.data_dir, note) if is_wanted else None


def _tell(state: DatabaseState) -> None:
    note(f"The database is at {state.revision or 'base'}.")
