"""What lies on the disk: the database folder, its configuration, the socket's folder, the logs."""

import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from functools import cached_property
from pathlib import Path
from typing import IO

from dutiful.database.embedded.account import Account, account_name, find_account
from dutiful.database.embedded.errors import EmbeddedError
from dutiful.database.embedded.processes import command, commands, exists
from dutiful.database.embedded.programs import bin_folder

RESTORING = "restoring"
"""Where in the data folder a database is made that is to replace the present one."""

_SOCKET = ".s.PGSQL.5432"
# Linux allows 108 bytes, macOS 104.
_SOCKET_PATH_BYTES = 100
_FULL = ("No space left on device", "Disk quota exceeded", "Check free disk space")
_LOG_DAYS = 6
_LOG_BYTES = 50_000_000

_SETTINGS = """# Dutiful writes this at every start. Your own settings go to the end of postgresql.conf.
jit = off
random_page_cost = 1.1
# Parallel workers share memory in /dev/shm, of which a container has 64 MB; the queries here are short.
max_parallel_workers_per_gather = 0
max_parallel_maintenance_workers = 0
# Each worker may have 26 by default: see docs/database.md.
max_connections = 200
min_wal_size = 80MB
max_wal_size = 512MB
fsync = on
full_page_writes = on
synchronous_commit = on
timezone = 'UTC'
default_text_search_config = 'pg_catalog.simple'
# One file a weekday. Statements and details stay out of it: they hold what people wrote.
log_filename = 'postgresql-%a.log'
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_file_mode = 0600
log_line_prefix = '%m [%p] '
log_checkpoints = off
log_min_error_statement = panic
log_error_verbosity = terse
"""

_HBA = """# Dutiful writes this at every start. The accounts in pg_ident.conf get in by the socket, nobody else.
local all all peer map=dutiful
"""

_INCLUDE = """
include 'dutiful.conf'
# Settings below this line win.
"""

# The application's role is no superuser: what gets into its SQL cannot read files or start programs. Nobody can
# sign in as the superuser; `postgres --single` remains.
_BOOTSTRAP = """CREATE ROLE dutiful LOGIN CREATEDB
GRANT pg_monitor, pg_checkpoint TO dutiful
CREATE DATABASE dutiful OWNER dutiful
"""


@dataclass(frozen=True)
class PidFile:
    pid: int
    socket_folder: Path
    status: str


class Cluster:
    def __init__(self, data_dir: Path, major: int, requested_account: str | None) -> None:
        self.data_dir = data_dir.resolve()
        self.folder = self.data_dir / f"postgres-{major}"
        self.log_folder = self.data_dir / "log"
        self.major = major
        self._draft = self.data_dir / f"postgres-{major}.new"
        self._requested_account = requested_account
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        # Shows in the process list, where it tells our processes from those of another PostgreSQL.
        self.name = f"dutiful-{digest}"

    @cached_property
    def account(self) -> Account:
        return find_account(self._requested_account, self.folder)

    @cached_property
    def bin_folder(self) -> Path:
        return bin_folder(self.major)

    def lock_path(self, name: str) -> Path:
        return self.folder.with_suffix(f".{name}")

    def prepare(self, alive: int) -> Path:
        """Make what is missing, check what is there; returns the socket's folder."""
        if not self.folder.exists():
            self._refuse_other_majors()
            self._initialise(alive)
        self._check_folder()
        self._write(self.folder / "dutiful.conf", _SETTINGS)
        self._write(self.folder / "pg_hba.conf", _HBA)
        self._write(self.folder / "pg_ident.conf", self._ident())
        self._make_private_folder(self.log_folder)
        self._trim_logs()
        socket_folder = self._find_socket_folder()
        self._make_private_folder(socket_folder)
        self._forget_the_dead(socket_folder)
        return socket_folder

    def read_pid_file(self) -> PidFile | None:
        """None also for one that is half-written."""
        try:
            lines = (self.folder / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
            return PidFile(int(lines[0]), Path(lines[4]), lines[7].strip() if len(lines) > 7 else "")
        except (FileNotFoundError, NotADirectoryError, ValueError, IndexError):
            return None

    # --- making the folder --------------------------------------------------------------------------------------

    def _refuse_other_majors(self) -> None:
        """An upgrade, or a restore that was killed between two steps, must not look like an empty instance."""
        for other in sorted(self.data_dir.glob("postgres-[0-9][0-9]")):
            raise EmbeddedError(
                f"{other} holds the data of another PostgreSQL version, and this Dutiful runs {self.major}. "
                "Take it over with: dutiful db upgrade-postgres"
            )
        if (self.data_dir / RESTORING / self.folder.name).exists():
            raise EmbeddedError(f"A restore into {self.data_dir} did not end. Run the same command again.")

    def _initialise(self, alive: int) -> None:
        """In a draft folder that is renamed when complete: a crash on the way leaves nothing that is trusted."""
        if self._draft.exists():
            shutil.rmtree(self._draft)
        self._make_private_folder(self._draft)
        self._initdb(alive)
        single = ["postgres", "--single", "-F", "-D", str(self._draft), "-c", "exit_on_error=on", "postgres"]
        self._run(single, alive, typed=_BOOTSTRAP)
        configuration = self._draft / "postgresql.conf"
        self._write(configuration, configuration.read_text() + _INCLUDE)
        self._run(["initdb", "--sync-only", "-D", str(self._draft)], alive)
        self._draft.rename(self.folder)
        _sync_folder(self.data_dir)

    def _initdb(self, alive: int) -> None:
        # Sorting is by code point everywhere. The built-in rules of 17 and later know upper and lower case on every
        # system alike, but text search still asks the C library which characters are letters: under plain C it would
        # find neither the word in «quotes» nor one next to an em dash. Not every system has the first locale.
        provider = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if self.major >= 17 else []
        for ctype in ("C.UTF-8", "en_US.UTF-8", "C"):
            arguments = [
                "initdb",
                "-D",
                str(self._draft),
                "--username=postgres",
                "--no-sync",
                "--encoding=UTF8",
            ]
            arguments += ["--data-checksums", "--auth=reject", "--locale=C", f"--lc-ctype={ctype}", *provider]
            try:
                self._run(arguments, alive)
                return
            except EmbeddedError as error:
                if "invalid locale name" not in str(error) or ctype == "C":
                    raise

    def _check_folder(self) -> None:
        """Clearer words than PostgreSQL's own for what another account or a partly restored backup gets wrong."""
        owner = self.folder.stat().st_uid
        if owner != self.account.uid:
            raise EmbeddedError(
                f"{self.folder} belongs to the account {account_name(owner)}, but PostgreSQL would run as "
                f"{self.account.name}. Use the same account as before (as root: DUTIFUL_POSTGRES_ACCOUNT)."
            )
        try:
            version = (self.folder / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise EmbeddedError(
                f"{self.folder} is not a complete PostgreSQL folder. Restore it from a backup, or move it away."
            ) from None
        if version != str(self.major):
            raise EmbeddedError(
                f"{self.folder} was made by PostgreSQL {version}, and this Dutiful runs {self.major}. "
                "Use the Dutiful that made it, or replace it by a backup: dutiful restore --replace FILE"
            )

    def _ident(self) -> str:
        names = dict.fromkeys([self.account.name, "root"])
        quoted = ['"' + name.replace('"', '""') + '"' for name in names]
        return "# Dutiful writes this at every start.\n" + "".join(
            f"dutiful {name} dutiful\n" for name in quoted
        )

    def _find_socket_folder(self) -> Path:
        """`run` in the data folder, or a private folder elsewhere if that makes the socket's path too long."""
        folders = [self.data_dir / "run", *(base / self.name for base in _runtime_folders())]
        for folder in folders:
            # Drivers read a comma as the start of another host.
            if len(os.fsencode(folder / _SOCKET)) <= _SOCKET_PATH_BYTES and "," not in str(folder):
                return folder
        raise EmbeddedError(f"{self.data_dir} is no path for a socket. Choose a shorter DUTIFUL_DATA_DIR.")

    def _make_private_folder(self, folder: Path) -> None:
        if not os.path.lexists(folder):
            # Under another name first: whatever happens, a folder with the final name has the right owner.
            draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
            os.chown(draft, self.account.uid, self.account.gid)
            draft.rename(folder)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self.account.uid or found.st_mode & 0o077:
            raise EmbeddedError(
                f"{folder} must be a folder that belongs to the account {self.account.name} and is closed to others "
                "(mode 0700). Move it away, and it is made anew."
            )

    def _write(self, path: Path, text: str) -> None:
        """As root this writes into a folder of another account, so it follows no link that it may find there."""
        if path.exists() and path.read_text() == text:
            return
        draft = path.with_name(f"{path.name}.new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            os.fchown(descriptor, self.account.uid, self.account.gid)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)

    def _trim_logs(self) -> None:
        """PostgreSQL empties a file when its weekday comes again, but only if it runs at midnight."""
        for path in self.log_folder.glob("*.log"):
            found = path.stat()
            if found.st_size > _LOG_BYTES or time.time() - found.st_mtime > _LOG_DAYS * 86400:
                path.unlink()

    def _forget_the_dead(self, socket_folder: Path) -> None:
        """Remove the marks of a killed postmaster. Whoever holds the `.alive` lock knows that it is dead.

        PostgreSQL itself looks at the process id, which may be in use: by another program after a restart of the
        machine or container, or by its own remains where nothing collects exit statuses (many containers).
        """
        (socket_folder / f"{_SOCKET}.lock").unlink(missing_ok=True)
        pid_file = self.read_pid_file()
        if pid_file and exists(pid_file.pid):
            (self.folder / "postmaster.pid").unlink(missing_ok=True)

    # --- processes ----------------------------------------------------------------------------------------------

    def popen(
        self, arguments: list[str], alive: int, *, output: int | IO[bytes], stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start one of PostgreSQL's programs, which inherits the `.alive` lock."""
        return subprocess.Popen(  # noqa: S603 - no shell, our own words
            [str(self.bin_folder / arguments[0]), *arguments[1:]],
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            # English messages, and none of the PG… variables that would change what the programs do.
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
            pass_fds=[alive],
            # Ctrl-C in the terminal is for Dutiful, which stops PostgreSQL when it no longer needs it.
            start_new_session=True,
            umask=0o077,
            **self.account.for_popen(),
        )

    def _run(self, arguments: list[str], alive: int, typed: str = "") -> None:
        process = self.popen(arguments, alive, stdin=subprocess.PIPE, output=subprocess.PIPE)
        with process:
            try:
                output, _ = process.communicate(typed.encode())
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            raise EmbeddedError(self.explain_output(output.decode(errors="replace")))

    def is_postmaster(self, pid: int) -> bool:
        return self._is_ours(command(pid))

    def processes(self) -> dict[int, str]:
        return {pid: line for pid, line in commands().items() if self._is_ours(line)}

    def _is_ours(self, line: str) -> bool:
        return (
            f"/postgres -D {self.folder} " in line
            or f"/postgres --single -F -D {self._draft} " in line
            or f"/initdb -D {self._draft} " in line
            or line.startswith(f"postgres: {self.name}:")
        )

    # --- what went wrong ----------------------------------------------------------------------------------------

    def log_sizes(self) -> dict[Path, int]:
        return {path: path.stat().st_size for path in self.log_folder.glob("*.log")}

    def explain_failure(self, startup_output: str, log_sizes: dict[Path, int]) -> str:
        """`log_sizes`: how long the logs were before, so that old troubles are not told again."""
        for path in sorted(self.log_folder.glob("*.log")):
            with path.open("rb") as file:
                file.seek(log_sizes.get(path, 0))
                if added := file.read().decode(errors="replace"):
                    return self.explain_output(startup_output + added, path)
        return self.explain_output(startup_output)

    def explain_output(self, written: str, log: Path | None = None) -> str:
        line = _most_useful_line(written)
        if any(mark in written for mark in _FULL):
            return self._full()
        blocked = self.account.first_closed_folder(self.data_dir) if "Permission denied" in line else None
        if blocked:
            return (
                f"PostgreSQL runs as the account {self.account.name}, which cannot enter {blocked}. "
                "Choose another folder with DUTIFUL_DATA_DIR, or another account with DUTIFUL_POSTGRES_ACCOUNT."
            )
        return f"PostgreSQL did not start: {line}" + (f" (log: {log})" if log else "")

    def explain_os_error(self, error: OSError) -> str:
        if error.errno in {ENOSPC, EDQUOT}:
            return self._full()
        # Changing a file's owner has no name to report; changing our own reports the folder programs start in.
        if isinstance(error, PermissionError) and error.filename in {None, "/"}:
            return (
                f"This process may not become the account {self.account.name}, which PostgreSQL would run as. "
                "Run Dutiful as an unprivileged account, or set DATABASE_URL to a server."
            )
        if isinstance(error, PermissionError) and Path(error.filename).parent == self.bin_folder:
            blocked = self.account.first_closed_folder(self.bin_folder) or error.filename
            return (
                f"PostgreSQL runs as the account {self.account.name}, which cannot enter {blocked}, where its "
                "programs are. Install Dutiful elsewhere, or name another account with DUTIFUL_POSTGRES_ACCOUNT."
            )
        return f"PostgreSQL did not start: {error.strerror or error} ({error.filename or self.data_dir})."

    def _full(self) -> str:
        return f"The disk of {self.data_dir} is full. Make room and start again."


def _runtime_folders() -> list[Path]:
    """As root a folder that the unprivileged account can pass through, else the user's own."""
    found = [Path("/run")] if os.geteuid() == 0 else [Path(os.environ.get("XDG_RUNTIME_DIR", ""))]
    found += [Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108 - its owner is checked
    return [folder for folder in found if folder.is_absolute() and os.access(folder, os.W_OK | os.X_OK)]


def _most_useful_line(written: str) -> str:
    lines = [line.strip() for line in written.splitlines() if line.strip()]
    patterns = [
        r"LOG: +((?:unrecognized|invalid|syntax error|parameter) .+)",  # what "contains errors" then refers to
        r"PANIC: +(.+)",
        r"FATAL: +(?!the database system is|configuration file)(.+)",
        r"\berror: +(.+)",
    ]
    for pattern in patterns:
        if found := [match[1] for line in lines if (match := re.search(pattern, line))]:
            return found[-1]
    return lines[-1] if lines else "it ended without a word"


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
