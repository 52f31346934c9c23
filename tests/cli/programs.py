"""`python -m dutiful` as people start it: other processes, real signals."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from tests.support.contract import hold_to_contract_blocking

from dutiful.database.embedded import EmbeddedPostgres

PATIENCE = 40.0


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """Nothing from the outside may change what is tested."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DUTIFUL_", "POSTGRES_", "DATABASE_URL", "SECRET_KEY"))
    }
    # Warnings of the program fail the test, as those in the tests do.
    return (
        kept | {"DUTIFUL_DATA_DIR": str(folder), "DUTIFUL_PORT": "0", "PYTHONWARNINGS": "error"} | variables
    )


def run(*arguments: str, folder: Path, typed: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dutiful", *arguments],
        env=environment(folder, **variables),
        cwd=folder.parent,
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Serving:
    """One `dutiful serve`."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self.folder = folder
        self._output = (folder.parent / f"{folder.name}-{time.monotonic_ns()}.stderr").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dutiful", "serve", *arguments],
            env=environment(folder, **variables),
            cwd=folder.parent,
            stderr=self._output,
        )

    @property
    def said(self) -> str:
        return Path(self._output.name).read_text()

    def wait_until_ready(self) -> "Serving":
        wait_for(lambda: "is ready at" in self.said or self.process.poll() is not None)
        assert self.process.poll() is None, self.said
        return self

    @property
    def address(self) -> str:
        found = re.search(r"is ready at (http://[0-9a-f.:\[\]]+)", self.said)
        assert found, self.said
        return found[1]

    def client(self) -> httpx.Client:
        token = (self.folder / "owner-token").read_text().strip()
        return httpx.Client(
            base_url=f"{self.address}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
            event_hooks={"response": [hold_to_contract_blocking]},
        )

    def add_task(self, title: str) -> int:
        with self.client() as client:
            response = client.post("/tasks", json={"title": title})
        assert response.status_code == 201, response.text
        return int(response.json()["id"])

    def titles(self) -> list[str]:
        with self.client() as client:
            response = client.get("/tasks")
        assert response.status_code == 200, response.text
        return [task["title"] for task in response.json()["items"]]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._output.close()


def children(parent: int, words: str) -> list[int]:
    """The processes that it started, whose command line has these words."""
    listing = subprocess.run(
        ["ps", "-Ao", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(maxsplit=2) for line in listing.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == parent and words in row[-1]]


def wait_for(condition: Callable[[], Any], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@contextlib.contextmanager
def data_folder(base: Path) -> Iterator[Path]:
    """A name for a data folder. No PostgreSQL is left running there."""
    folder = base / f"data-{time.monotonic_ns()}"
    try:
        yield folder
    finally:
        end_all(folder)


def postgres_processes(folder: Path) -> list[int]:
    return list(EmbeddedPostgres(folder, say=print).cluster.processes())


def end_all(folder: Path) -> None:
    for pid in postgres_processes(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def fresh_database(postgres: EmbeddedPostgres, template: str = "template1") -> Iterator[str]:
    """The URL of an empty database, or of a copy."""
    name = f"cli_{os.getpid()}_{time.monotonic_ns()}"
    execute(postgres.url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres.url.replace("/dutiful?", f"/{name}?")
    execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


def execute(url: str, statement: str) -> None:
    async def work() -> None:
        engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(statement))

    asyncio.run(work())
