"""The candidates, and how each is started."""

import http.client
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.load import Plan
from benchmarks.postgres import USER, Postgres
from benchmarks.processes import cpu_seconds, memory

ROOT = Path(__file__).parent.parent
_PATIENCE = 60.0
_SETTINGS = ("DUTIFUL_", "POSTGRES_", "DATABASE_URL", "SECRET_KEY")
READS = ("get", "list", "filtered", "page-first", "page-deep")
WRITES = ("update", "update-one-workspace", "create", "create-one-workspace")


@dataclass(frozen=True)
class Candidate:
    name: str
    title: str
    work: tuple[str, ...] | None
    """Names of the work it can do; None for all."""
    command: tuple[str, ...]
    """`{port}` and `{workers}` are filled in."""
    environ: dict[str, str]
    """`{url}`, `{host}`, `{database}` and `{data}` are filled in."""
    cursor: str = "id"
    """What leads to a later page: the id of the last row (`id`), their number (`skip`), or the product's own."""
    has_count: bool = True
    """Whether a page says how many items it has."""
    ready_path: str = "/readyz"
    workers: int = 1
    is_peer: bool = False
    prepare: Callable[[Any, Path, int], None] | None = None
    """Called with the right answers, its own folder and the port, before it is started."""
    plans: Mapping[str, Callable[[Any], Awaitable[Plan]]] = field(default_factory=dict)
    """Instead of the work's own, by the name of the work."""

    @property
    def database(self) -> str:
        return f"bench_{self.name.replace('-', '_')}"

    def can(self, work: str) -> bool:
        return self.work is None or work in self.work


PATH = {"PYTHONPATH": str(ROOT)}
LIBPQ = {"PGHOST": "{host}", "PGDATABASE": "{database}", "PGUSER": USER}
# Whoever logs each request pays for it: none of the candidates does, and Dutiful does not as it is shipped.
UVICORN = (
    "-m",
    "uvicorn",
    "--port",
    "{port}",
    "--workers",
    "{workers}",
    "--no-access-log",
    "--log-level",
    "warning",
)

FLOOR = Candidate(
    "floor", "the floor", READS + WRITES, (sys.executable, *UVICORN, "benchmarks.floor:app"), LIBPQ | PATH
)
TUTORIAL = Candidate(
    "tutorial",
    "the tutorial way",
    READS + WRITES,
    (sys.executable, *UVICORN, "benchmarks.tutorial:app"),
    {"DATABASE_URL": "{url}"} | PATH,
    cursor="skip",
)
DUTIFUL = Candidate(
    "dutiful",
    "Dutiful",
    None,
    (sys.executable, "-m", "dutiful", "serve", "--port", "{port}", "--workers", "{workers}"),
    {"DATABASE_URL": "{url}", "SECRET_KEY": secrets.token_urlsafe(48), "DUTIFUL_DATA_DIR": "{data}"},
    cursor="product",
)
CORE = (FLOOR, TUTORIAL, DUTIFUL)


@dataclass(frozen=True)
class Server:
    """One that runs."""

    candidate: Candidate
    port: int
    pid: int
    seconds_to_start: float

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    def memory(self) -> list[float]:
        return memory(self.pid)


@contextmanager
def serving(candidate: Candidate, postgres: Postgres, folder: Path, facts: object) -> Iterator[Server]:
    """On the candidate's own database."""
    port = free_port()
    values = {
        "port": str(port),
        "workers": str(candidate.workers),
        "host": postgres.host,
        "database": candidate.database,
        "url": f"postgresql+asyncpg://{USER}@/{candidate.database}?host={postgres.host}",
        "data": str(folder / f"{candidate.name}-data"),
    }
    if candidate.prepare is not None:
        candidate.prepare(facts, Path(values["data"]), port)
    environ = {name: value.format(**values) for name, value in candidate.environ.items()}
    command = [part.format(**values) for part in candidate.command]
    log = folder / f"{candidate.name}.log"
    began = time.perf_counter()
    with started(command, environ, folder, log) as process:
        wait_until_ready(process, port, candidate.ready_path, log)
        yield Server(candidate, port, process.pid, time.perf_counter() - began)


@contextmanager
def started(
    command: Sequence[str], environ: dict[str, str], folder: Path, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """In a folder without `.env`, and without the settings of whoever runs the benchmark."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    with log.open("a") as output:
        process = subprocess.Popen(
            command, env=ours | environ, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(process: subprocess.Popen[bytes], port: int, path: str, log: Path) -> None:
    began = time.perf_counter()
    while time.perf_counter() - began < _PATIENCE:
        if process.poll() is not None:
            break
        if _answers(port, path):
            return
        time.sleep(0.005)
    raise RuntimeError(f"{' '.join(map(str, process.args))} does not answer:\n{log.read_text()[-3000:]}")  # type: ignore[arg-type]


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
