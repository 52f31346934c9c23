"""The file of a backup, before anything is done with it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dutiful.database import migrate
from dutiful.database.backup import programs
from dutiful.database.backup.errors import BackupError
from dutiful.database.backup.programs import Programs

_SIGNATURE = b"PGDMP"


@dataclass(frozen=True)
class Archive:
    path: Path
    revision: str
    listing: Sequence[str]
    """The entries of pg_restore's table of contents that are to be restored."""

    @property
    def is_older(self) -> bool:
        return self.revision != migrate.head()

    def check_revision(self) -> None:
        """Raises BackupError for one of a newer Dutiful."""
        if self.revision not in {script.revision for script in migrate.history()}:
            raise BackupError(
                f"{self.path} has the database schema {self.revision}, newer than this program, which knows "
                f"{migrate.head()}; upgrade dutiful."
            )


async def open_archive(path: Path) -> Archive:
    """Raises BackupError for what is no backup of ours."""
    _check_file(path)
    found = programs.newest()
    listing = (await _read(found, ["--list"], path)).decode().splitlines()
    if not any(" TABLE DATA " in line and " alembic_version " in line for line in listing):
        raise BackupError(f"{path} is a backup of another program's database.")
    rows = await _read(found, ["--data-only", "--table=alembic_version", "--file=-"], path)
    return Archive(path, _revision(rows.decode(), path), [line for line in listing if _is_wanted(line)])


async def read_to_the_end(path: Path) -> None:
    """Raises BackupError unless every byte can be read and unpacked."""
    await _read(programs.newest(), ["--file=/dev/null"], path)


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            begin = file.read(len(_SIGNATURE))
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}.") from error
    if begin != _SIGNATURE:
        raise BackupError(f"{path} is no backup. Those of `dutiful backup` begin with {_SIGNATURE.decode()}.")


async def _read(found: Programs, arguments: list[str], path: Path) -> bytes:
    env = programs.plain_environment()
    async with programs.running(found, "pg_restore", [*arguments, str(path)], env) as process:
        return await programs.output_of(process, f"{path} is damaged or incomplete")


def _revision(sql: str, path: Path) -> str:
    found = re.search(r"^COPY .*alembic_version .*\n(\S+)\n\\\.", sql, re.MULTILINE)
    if found is None:
        raise BackupError(f"{path} does not say which schema it has, so it cannot be restored.")
    return found[1]


def _is_wanted(line: str) -> bool:
    """Every database has the schema `public` already."""
    return not line.startswith(";") and not re.search(
        r"\d+ \d+ (SCHEMA - public|COMMENT - SCHEMA public) ", line
    )
