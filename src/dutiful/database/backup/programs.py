"""PostgreSQL's client programs: which ones fit, and their way to the database.

Nothing about the connection is put on a command line, which everybody on the machine can read: host, user and
database go through the environment, the password through a file that only we can open.
"""

import asyncio
import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import URL

from dutiful.database.backup.errors import BackupError
from dutiful.database.embedded import MAJOR, system_folders, wheel_folder

# Certificates and password files are found through these, by the driver of the server as well.
_KEPT = (
    "HOME",
    "PATH",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGUSER",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLCRL",
)


@dataclass(frozen=True)
class Programs:
    folder: Path
    major: int
    has_tls: bool


def find(server_major: int = 0, *, needs_tls: bool = False) -> Programs:
    """The first that can talk to such a server: pg_dump serves every server that is not newer than itself."""
    fitting = (
        each for each in _installed() if each.major >= server_major and (each.has_tls or not needs_tls)
    )
    found = next(fitting, None)
    if found is not None:
        return found
    reason = (
        f"The database is PostgreSQL {server_major}" if server_major else "Backups need PostgreSQL's programs"
    )
    if needs_tls:
        reason += " over an encrypted connection"
    raise BackupError(
        f"{reason}, and no pg_dump for that is installed here. Install postgresql-client-{server_major or MAJOR} "
        "or a newer one (on PATH or in /usr/lib/postgresql)."
    )


def newest() -> Programs:
    """For files: pg_restore reads what every pg_dump wrote that is not newer than itself."""
    return max(_installed(), key=lambda each: each.major, default=None) or find()


@cache
def _installed() -> tuple[Programs, ...]:
    """The wheel's first; they are built without TLS."""
    wheel = wheel_folder()
    folders = [(wheel, False)] if wheel else []
    folders += [(folder, True) for folder in system_folders()]
    found = [(folder, _major(folder), has_tls) for folder, has_tls in folders]
    return tuple(Programs(folder, major, has_tls) for folder, major, has_tls in found if major)


def _major(folder: Path) -> int:
    """0 if there is nothing that runs."""
    try:
        told = subprocess.run(  # noqa: S603 - no shell, our own words
            [folder / "pg_dump", "--version"], capture_output=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(rb"\) (\d+)", told.stdout)
    return int(found[1]) if found and (folder / "psql").is_file() else 0


@contextlib.contextmanager
def environment(url: URL) -> Iterator[dict[str, str]]:
    """Everything that libpq needs to reach what SQLAlchemy reaches with `url`."""
    with tempfile.TemporaryDirectory(prefix="dutiful-") as folder:
        passfile = Path(folder) / "passfile"
        found = plain_environment() | _connection(url) | {"PGAPPNAME": "dutiful backup", "PGTZ": "UTC"}
        if url.password is not None:
            _write_password(passfile, str(url.password))
            found.pop("PGPASSWORD", None)
            found["PGPASSFILE"] = str(passfile)
        yield found


def plain_environment() -> dict[str, str]:
    """English messages, and none of the PG… variables that would change what the programs do."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"LC_ALL": "C"}


def _connection(url: URL) -> dict[str, str]:
    hosts, ports = _hosts(url)
    given = {
        "PGHOST": ",".join(hosts),
        "PGPORT": ",".join(ports),
        "PGUSER": url.username,
        "PGDATABASE": url.database,
        "PGSSLMODE": _text(url.query.get("ssl")),
        "PGTARGETSESSIONATTRS": _text(url.query.get("target_session_attrs")),
        "PGPASSFILE": _text(url.query.get("passfile")),
        "PGCONNECT_TIMEOUT": "10",
        "PGCLIENTENCODING": "UTF8",
    }
    return {name: value for name, value in given.items() if value}


def _hosts(url: URL) -> tuple[list[str], list[str]]:
    given = url.query.get("host", ())
    several = [given] if isinstance(given, str) else list(given)
    if not several:
        return [url.host or "localhost"], [str(url.port or 5432)]
    pairs = [host.partition(":") for host in several]
    return [host for host, _, _ in pairs], [port or str(url.port or 5432) for _, _, port in pairs]


def _text(value: str | tuple[str, ...] | None) -> str:
    return value if isinstance(value, str) else "".join(value or ())


def _write_password(path: Path, password: str) -> None:
    if "\n" in password:
        raise BackupError(
            "The password of the database has a line break, which PostgreSQL's programs cannot take."
        )
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"*:*:*:*:{escaped}\n")


# --- running them -----------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def running(
    programs: Programs, name: str, arguments: list[str], env: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """One that works while we do something else, and does not outlive it."""
    process = await asyncio.create_subprocess_exec(
        programs.folder / name,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(env),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            # Reads the pipes to their end as well, which closes them.
            await process.communicate()


async def output_of(process: asyncio.subprocess.Process, failure: str) -> bytes:
    """Raises BackupError, beginning with `failure`, if it does not end well."""
    output, errors = await process.communicate()
    if process.returncode != 0:
        raise BackupError(f"{failure}: {reason(errors)}.")
    return output


def reason(written: bytes) -> str:
    """What matters in the messages of a program."""
    lines = [line.strip() for line in written.decode(errors="replace").splitlines() if line.strip()]
    for pattern in (r"(?:ERROR|FATAL|PANIC): +(.+)", r"error: +(.+)"):
        for line in lines:
            if found := re.search(pattern, line):
                return found[1].rstrip(".")
    return lines[-1].rstrip(".") if lines else "it was killed"
