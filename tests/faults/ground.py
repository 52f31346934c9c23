"""A real PostgreSQL and a real server, in processes of their own that may be killed."""

import asyncio
import os
import random
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import asyncpg  # type: ignore[import-untyped]
import httpx
from tests.cli.programs import Serving
from tests.support.contract import hold_to_contract
from tests.support.people import Person, make_person

from dutiful.database import migrate
from dutiful.database.embedded import EmbeddedPostgres
from dutiful.database.engine import create_engine
from dutiful.database.session import Database
from dutiful.settings import Settings

PATIENCE = 60.0
# What looks for the truth afterwards meets the connections from before.
SETTINGS = Settings(db_pool_size=5, db_max_overflow=2, db_pool_pre_ping=True)


class Ground:
    def __init__(self, folder: Path, postgres: EmbeddedPostgres) -> None:
        self.folder = folder
        self.postgres = postgres
        self.port = _free_port()
        self.url = postgres.url
        """Where servers look for the database. An attack may lead them elsewhere."""
        self.environment: dict[str, str] = {"SECRET_KEY": secrets.token_urlsafe(48)}
        self.serving: Serving | None = None
        self.client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            timeout=PATIENCE,
            event_hooks={"response": [hold_to_contract]},
        )
        self.database = Database(create_engine(SETTINGS, postgres.url))

    @classmethod
    @asynccontextmanager
    async def laid(
        cls, folder: Path, *, like: Path | None = None, is_revived: bool = True, **settings: str
    ) -> AsyncIterator[Self]:
        """`like`: the folder of another, which is copied. `is_revived`: whether a PostgreSQL that dies is started again."""
        postgres = EmbeddedPostgres(_public(folder, like), extra_settings=settings, say=lambda _: None)
        await asyncio.to_thread(postgres.start)
        if is_revived:
            postgres.supervise()
        ground = cls(folder, postgres)
        try:
            await migrate.upgrade(ground.database.engine)
            yield ground
        finally:
            ground.stop_serving()
            await ground.client.aclose()
            await ground.database.close()
            await asyncio.to_thread(postgres.stop)

    async def new_person(self, name: str) -> Person:
        return await make_person(self.database, self.client, name)

    # --- the server ---------------------------------------------------------------------------------------------------

    async def serve(self, *arguments: str) -> None:
        """Until it answers."""
        self.start_serving(*arguments)
        await self.until(self.answers)

    def start_serving(self, *arguments: str) -> None:
        variables = {"DATABASE_URL": self.url, "DUTIFUL_PORT": str(self.port), **self.environment}
        self.serving = Serving(self.folder / "data", *arguments, **variables)

    def stop_serving(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self.serving is not None:
            if self.serving.process.poll() is None:
                self.serving.process.send_signal(number)
                self.serving.process.wait(PATIENCE)
            self.serving.close()
            self.serving = None

    async def answers(self, path: str = "/readyz") -> bool:
        with suppress(httpx.HTTPError):
            return (await self.client.get(path, timeout=1)).is_success
        return False

    async def until_written(self, person: Person) -> float:
        """Seconds until a write of theirs is answered 2xx."""

        async def is_written() -> bool:
            with suppress(httpx.HTTPError):
                return (await person.post("/tasks", {"title": "are you there?"})).is_success
            return False

        return await self.until(is_written)

    # --- what may be killed -------------------------------------------------------------------------------------------

    async def kill_server(self, *arguments: str) -> None:
        """And start another in its place."""
        self.stop_serving()
        self.start_serving(*arguments)

    async def kill_backend(self, dice: random.Random) -> None:
        """One that works for the server; PostgreSQL then ends all of them, and recovers."""
        async with self.connection() as connection:
            found = await connection.fetch(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        if found:
            self._kill(dice.choice(found)["pid"])

    async def kill_postmaster(self) -> None:
        """The embedding process starts it again."""
        pid_file = self.postgres.cluster.read_pid_file()
        if pid_file is not None:
            self._kill(pid_file.pid)

    @staticmethod
    def _kill(pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    @asynccontextmanager
    async def connection(self, database: str = "dutiful") -> AsyncIterator[asyncpg.Connection]:
        """Straight to PostgreSQL, as soon as it lets anybody in."""
        connection: Any = None

        async def connect() -> bool:
            nonlocal connection
            with suppress(OSError, asyncpg.PostgresError):
                connection = await asyncpg.connect(
                    host=str(self.postgres.socket_folder), user="dutiful", database=database
                )
            return connection is not None

        await self.until(connect)
        try:
            yield connection
        finally:
            await connection.close()

    async def until(self, condition: Callable[[], Any], patience: float = PATIENCE) -> float:
        """Seconds until it holds."""
        began = time.monotonic()
        while not await condition():
            assert time.monotonic() - began < patience, "waited in vain"
            await asyncio.sleep(0.02)
        return time.monotonic() - began


def _public(folder: Path, like: Path | None) -> Path:
    """PostgreSQL may run as another account."""
    if like is not None:
        # To copy takes a tenth of making one, and keeps the accounts.
        subprocess.run(["cp", "-a", like, folder], check=True)
    else:
        folder.mkdir()
        folder.chmod(0o755)
    return folder


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
