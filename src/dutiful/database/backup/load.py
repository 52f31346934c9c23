"""A backup into an empty database: one transaction, so that whatever is killed on the way leaves it empty.

pg_restore turns the file into SQL, psql sends that, and what is between them is ours. BEGIN and COMMIT are ours too:
the latter is sent only when pg_restore has come to a good end, so a file that breaks off is never half restored.
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from sqlalchemy import URL

from dutiful.database import migrate
from dutiful.database.backup import programs
from dutiful.database.backup.archive import Archive
from dutiful.database.backup.errors import BackupError, NotEmpty
from dutiful.database.backup.programs import Programs

_CHUNK = 1 << 20
_NOT_EMPTY = "dutiful: not empty"
# Programs of 17 and later say this to a server of any age, and those of 16 and before do not know it.
_TOO_NEW = b"SET transaction_timeout = 0;\n"

_BEGIN = f"""BEGIN;
SET client_min_messages = error;
SELECT pg_advisory_xact_lock({migrate.LOCK});
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND relnamespace IN (
        SELECT oid FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
    ) AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')) THEN
        RAISE EXCEPTION '{_NOT_EMPTY}';
    END IF;
END $$;
"""  # noqa: S608 - our own words


def load(archive: Archive, url: URL, psql: Programs) -> None:
    """Raises BackupError; then nothing was changed. `psql` fits the server, pg_restore the file."""
    with contextlib.ExitStack() as stack:
        listing = stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".list"))
        listing.write("\n".join(archive.listing) + "\n")
        listing.flush()
        reading = stack.enter_context(
            _started(
                programs.newest(),
                "pg_restore",
                [
                    "--file=-",
                    "--no-owner",
                    "--no-privileges",
                    f"--use-list={listing.name}",
                    str(archive.path),
                ],
                programs.plain_environment(),
            )
        )
        writing = stack.enter_context(
            _started(
                psql,
                "psql",
                ["--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--file=-"],
                stack.enter_context(programs.environment(url)),
            )
        )
        # A BrokenPipeError only says that psql has ended, which tells by itself why.
        with contextlib.suppress(BrokenPipeError):
            _relay(reading, writing, archive.path)
        writing.finish(_explain)


def _relay(reading: "_Started", writing: "_Started", path: Path) -> None:
    sql, to = reading.stdout, writing.stdin
    to.write(_BEGIN.encode())
    head = b""
    while b"\nCREATE " not in head and (piece := sql.read(_CHUNK)):
        head += piece
    to.write(head.replace(_TOO_NEW, b"", 1))
    while piece := sql.read(_CHUNK):
        to.write(piece)
    reading.finish(lambda why: BackupError(f"{path} is damaged or incomplete: {why}. Nothing was restored."))
    to.write(b"\nCOMMIT;\n")


def _explain(why: str) -> BackupError:
    if _NOT_EMPTY in why:
        return NotEmpty("The database is not empty, and a backup is never mixed with what is there.")
    return BackupError(f"The backup could not be restored: {why}. Nothing was changed.")


class _Started:
    def __init__(self, process: "subprocess.Popen[bytes]", errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors

    @property
    def stdin(self) -> IO[bytes]:
        return _pipe(self._process.stdin)

    @property
    def stdout(self) -> IO[bytes]:
        return _pipe(self._process.stdout)

    def finish(self, explain: Callable[[str], BackupError]) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        if self._process.wait() != 0:
            self._errors.seek(0)
            raise explain(programs.reason(self._errors.read()))


@contextlib.contextmanager
def _started(found: Programs, name: str, arguments: list[str], env: Mapping[str, str]) -> Iterator[_Started]:
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - no shell, our own words
            [found.folder / name, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if name == "pg_restore" else subprocess.DEVNULL,
            stderr=errors,
            env=dict(env),
        )
        try:
            yield _Started(process, errors)
        finally:
            process.kill()
            for pipe in filter(None, (process.stdin, process.stdout)):
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
            process.wait()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise AssertionError("Popen was asked for a pipe")
    return stream
