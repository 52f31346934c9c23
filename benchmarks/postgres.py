"""A PostgreSQL of our own, with one full database as the template of all others."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]

from dutiful.database.embedded import EmbeddedPostgres

TEMPLATE = "dutiful"
USER = "dutiful"

# Several servers hold their pools at the same time; nothing else differs from what the product starts.
_SETTINGS = {"max_connections": "300"}
# `%d` is the database: what the servers of other candidates do is told apart.
_EVERY_STATEMENT = {"log_statement": "all", "log_line_prefix": "%d|", "log_parameter_max_length": "0"}


@dataclass(frozen=True)
class Postgres:
    server: EmbeddedPostgres

    @property
    def host(self) -> str:
        return str(self.server.socket_folder)

    @property
    def pid(self) -> int:
        return int((self.server.cluster.folder / "postmaster.pid").read_text().split()[0])

    @asynccontextmanager
    async def connection(self, database: str = TEMPLATE) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(host=self.host, user=USER, database=database)
        try:
            yield connection
        finally:
            await connection.close()

    async def copy(self, database: str) -> None:
        """A new database with the rows of the template; one of that name goes."""
        async with self.connection("postgres") as connection:
            await connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            # Faster than the default for more than a few megabytes, and the next checkpoint has less to do.
            await connection.execute(f"CREATE DATABASE {database} TEMPLATE {TEMPLATE} STRATEGY file_copy")

    async def become_quiet(self) -> None:
        """wrk leaves in the middle of its last requests: wait until nobody works on them any more, or they would
        change what is read next."""
        busy = (
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND state <> 'idle'"
        )
        async with self.connection("postgres") as connection, asyncio.timeout(60):
            quiet = 0
            while quiet < 10:
                # One of them is this very question.
                quiet = quiet + 1 if await connection.fetchval(busy) <= 1 else 0
                await asyncio.sleep(0.05)

    async def settle(self) -> None:
        """What was written before is on the disk, so that nobody's requests pay for it."""
        async with self.connection("postgres") as connection:
            await connection.execute("CHECKPOINT")


@contextmanager
def running(folder: Path, *, log_statements: bool = False) -> Iterator[Postgres]:
    settings: Mapping[str, str] = _SETTINGS | (_EVERY_STATEMENT if log_statements else {})
    with EmbeddedPostgres(folder, extra_settings=settings, say=lambda _: None) as server:
        yield Postgres(server)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """One that PostgreSQL's own account can reach too."""
    with tempfile.TemporaryDirectory(prefix="dutiful-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


class StatementLog:
    """Counts the statements that one database was sent, by the lines of a PostgreSQL that logs them all."""

    def __init__(self, postgres: Postgres, database: str) -> None:
        self._postgres = postgres
        self._database = database
        self._line = re.compile(
            rf"^{database}\|LOG:  (?:execute [^:]*|statement|fastpath function call): (?!SELECT 'mark)",
            re.MULTILINE,
        )
        self._marks = 0

    async def count(self) -> int:
        """All so far. PostgreSQL's log arrives a little later, so a statement of ours marks where to stop."""
        self._marks += 1
        mark = f"SELECT 'mark {self._database} {self._marks}'"
        async with self._postgres.connection(self._database) as connection:
            await connection.execute(mark)
        async with asyncio.timeout(30):
            while mark not in (text := self._read()):  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.02)
        return len(self._line.findall(text.partition(mark)[0]))

    def _read(self) -> str:
        logs = sorted(self._postgres.server.cluster.log_folder.glob("postgresql-*.log"))
        return "".join(log.read_text(errors="replace") for log in logs)
