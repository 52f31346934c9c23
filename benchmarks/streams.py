"""How long it takes from a commit to the last of a thousand live feeds, and what they cost while nothing happens.

    python benchmarks/streams.py [--streams 1000] [--people 50] [--commits 60] [--workers 1]

Starts a PostgreSQL and a server of its own and ends them again; all traffic stays on the loopback.
"""

import argparse
import asyncio
import http.client
import json
import os
import re
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from dutiful.access import Actor
from dutiful.accounts import service as accounts
from dutiful.database import migrate
from dutiful.database.embedded import EmbeddedPostgres
from dutiful.database.engine import create_engine
from dutiful.database.session import Database, Writer
from dutiful.models import Member, Role, Scope, Workspace
from dutiful.settings import Settings
from dutiful.tasks import creation
from dutiful.tasks.schemas import TaskCreate
from dutiful.workspaces import service as workspaces

PATIENCE = 60.0
AT_ONCE = 20


@dataclass
class World:
    database: Database
    owner: Actor
    workspace_id: int
    inbox_id: int
    tokens: list[str]


class Client(asyncio.Protocol):
    """Counts the changes it is sent."""

    def __init__(self, crowd: "Crowd", token: str) -> None:
        self.crowd, self.token = crowd, token
        self.changes = 0
        self.began = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        head = "GET /api/v1/changes/stream HTTP/1.1\r\nHost: localhost\r\n"
        transport.write(f"{head}Authorization: Bearer {self.token}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        if not self.began and b"event: position" in data:
            self.began = True
            self.crowd.began += 1
        elif not self.began and not data.startswith(b"HTTP/1.1 200"):
            self.crowd.refused.append(data[:800].decode())
        self.crowd.arrived(data.count(b"event: change"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.lost += 1


class Crowd:
    """All the clients."""

    def __init__(self) -> None:
        self.began = self.lost = self.count = self.wanted = 0
        self.last = 0.0
        self.everybody = asyncio.Event()
        self.refused: list[str] = []
        self.clients: list[Client] = []

    async def come(self, port: int, tokens: list[str], number: int) -> None:
        loop = asyncio.get_running_loop()
        for at in range(number):
            client = Client(self, tokens[at % len(tokens)])
            self.clients.append(client)
            await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
            # More at once would wait for a database connection, and some of them in vain.
            await self._until(at + 1 - AT_ONCE)
        await self._until(number)

    async def _until(self, began: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.began < began:
                assert not self.refused, self.refused[0]
                await asyncio.sleep(0.005)

    def expect(self, changes: int) -> None:
        self.wanted = self.count + changes * len(self.clients)
        self.everybody.clear()

    def arrived(self, changes: int) -> None:
        self.count += changes
        if changes and self.count >= self.wanted:
            self.last = time.perf_counter()
            self.everybody.set()

    def go(self) -> None:
        for client in self.clients:
            client.transport.abort()


async def make_world(database: Database, people: int) -> World:
    async def work(session: Writer) -> World:
        made = []
        for number in range(people):
            user = await accounts.create_user(
                session, f"Person {number}", email=f"{uuid.uuid4().hex}@example.org"
            )
            _, token = await accounts.create_token(session, user.id, "benchmark", tuple(Scope))
            made.append((user.id, token))
        home = (await session.scalars(select(Workspace).where(Workspace.personal_of == made[0][0]))).one()
        owner = Actor(made[0][0], "UTC", False, home.id, home.inbox_id, scope=Scope.ADMIN)  # noqa: FBT003
        shared = await workspaces.create(session, owner, "Together")
        session.add_all(
            Member(workspace_id=shared.id, user_id=user_id, role=Role.EDITOR) for user_id, _ in made[1:]
        )
        return World(database, owner, shared.id, shared.inbox_id, [token for _, token in made])

    return await database.write(work)


@contextmanager
def serving(folder: Path, url: str, workers: int) -> Iterator[tuple[int, int]]:
    """The process id and the port."""
    environ = os.environ | {
        "DATABASE_URL": url,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DUTIFUL_DATA_DIR": str(folder / "server"),
    }
    command = [sys.executable, "-m", "dutiful", "serve", "--port", "0", "--workers", str(workers)]
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environ, stderr=output, cwd=folder)
        try:
            while not (found := re.search(r"ready at http://\S+:(\d+)", log.read_text())):
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            yield process.pid, int(found[1])
        finally:
            began = time.perf_counter()
            process.terminate()
            process.wait(20)
            print(f"stopped in {time.perf_counter() - began:.1f} s; log: {log.read_text().splitlines()[3:8]}")


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def memory(pid: int) -> list[float]:
    """Megabytes of each process."""
    return [
        int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{one}/status").read_text())[1]) / 1024  # type: ignore[index]
        for one in family(pid)
    ]


def cpu(pid: int) -> float:
    """Seconds used by all of them."""
    ticks = 0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def transactions(database: Database) -> int:
    statement = text("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
    async with database.read() as session:
        return int(await session.scalar(statement) or 0)


def post(connection: http.client.HTTPConnection, world: World, token: str) -> tuple[float, float]:
    """When the request was sent, and when the 2xx was there."""
    body = json.dumps({"title": "Renew passport", "project_id": world.inbox_id})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    sent = time.perf_counter()
    connection.request("POST", "/api/v1/tasks", body, headers)
    answer = connection.getresponse()
    answered = time.perf_counter()
    answer.read()
    assert answer.status == 201, answer.status
    return sent, answered


def figures(name: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(
        f"{name}: p50 {statistics.median(ordered) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, "
        f"most {ordered[-1] * 1000:.0f} ms ({len(ordered)} commits)"
    )


async def measure(world: World, pid: int, port: int, arguments: argparse.Namespace) -> None:
    before = memory(pid)
    crowd = Crowd()
    began = time.perf_counter()
    await crowd.come(port, world.tokens, arguments.streams)
    print(
        f"{arguments.streams} streams of {len(world.tokens)} people open in {time.perf_counter() - began:.1f} s"
    )
    # PostgreSQL counts what a connection did up to ten seconds later.
    await asyncio.sleep(12)
    used, counted = cpu(pid), await transactions(world.database)
    await asyncio.sleep(arguments.idle)
    rate = (await transactions(world.database) - counted) / arguments.idle
    share = (cpu(pid) - used) / arguments.idle
    print(
        f"idle: {rate:.1f} statements/s, {share * 100:.1f} % of a core; memory {_mb(before)} → {_mb(memory(pid))} MB"
    )

    connection = http.client.HTTPConnection("127.0.0.1", port)
    since_sent, since_answered = [], []
    used = cpu(pid)
    for _ in range(arguments.commits):
        crowd.expect(1)
        sent, answered = await asyncio.to_thread(post, connection, world, world.tokens[0])
        async with asyncio.timeout(PATIENCE):
            await crowd.everybody.wait()
        since_sent.append(crowd.last - sent)
        since_answered.append(crowd.last - answered)
        await asyncio.sleep(0.05)
    print(
        f"server: {(cpu(pid) - used) / arguments.commits * 1000:.0f} ms of CPU a commit; memory {_mb(memory(pid))} MB"
    )
    figures("from the 2xx to the last arrival", since_answered)
    figures("from sending the request to the last arrival", since_sent)

    looked = []
    for _ in range(arguments.silent_commits):
        crowd.expect(1)
        await world.database.write(lambda session: write_silently(session, world))
        answered = time.perf_counter()
        async with asyncio.timeout(PATIENCE):
            await crowd.everybody.wait()
        looked.append(crowd.last - answered)
        await asyncio.sleep(0.1 * (len(looked) % 5))
    figures("found by looking, when nobody told of the commit", looked)
    print(f"lost connections: {crowd.lost}; changes missed or twice: {crowd.wanted - crowd.count}")
    crowd.go()
    await asyncio.sleep(1.5)
    counted = await transactions(world.database)
    await asyncio.sleep(3)
    print(f"without streams: {(await transactions(world.database) - counted) / 3:.1f} statements/s")


async def write_silently(session: Writer, world: World) -> Any:
    return await creation.create(session, world.owner, TaskCreate(title="x", project_id=world.inbox_id))


def _mb(sizes: list[float]) -> str:
    return "+".join(f"{size:.0f}" for size in sizes)


async def main(arguments: argparse.Namespace) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dutiful-streams-")))
        folder.chmod(0o755)  # noqa: ASYNC240 - nothing else runs yet
        postgres = stack.enter_context(EmbeddedPostgres(folder, say=lambda _: None))
        settings = Settings()
        engine = create_engine(settings, postgres.url)
        await migrate.upgrade(engine)
        database = Database(engine)
        world = await make_world(database, arguments.people)
        with serving(folder, postgres.url, arguments.workers) as (pid, port):
            await measure(world, pid, port, arguments)
        await database.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--commits", type=int, default=60)
    parser.add_argument("--silent-commits", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--idle", type=float, default=10.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main(parser.parse_args()))
