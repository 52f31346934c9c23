"""A primary that dies or hangs and a standby that takes over, and a restart: what was answered is there, and writes go on."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from tests.faults.figures import Figures
from tests.faults.ground import SETTINGS, Ground
from tests.faults.ledger import Ledger, tell
from tests.support.people import Person
from tests.support.plain import PLAIN

from dutiful.database.embedded import EmbeddedError, EmbeddedPostgres
from dutiful.database.engine import create_engine
from dutiful.database.session import Database

LOAD = 50
"""Requests that are answered before something happens."""
CLIENTS = 8
LONG_ROUNDS = 10
COMMAND_TIMEOUT = 1.5
CONNECT_TIMEOUT = 2.0
TAKEOVER = 2.0
# A connection that is silent has to be given up before another is opened.
TAKEOVER_FROM_SILENCE = COMMAND_TIMEOUT + CONNECT_TIMEOUT + TAKEOVER
RESTART = 5.0

# Replication and promotion are for the superuser. The folder of the socket is closed to other accounts.
_ACCESS = """local all all trust
local replication all trust
"""


class Pair:
    """A primary and its synchronous standby. When that has taken over, a new standby is made where the primary was."""

    def __init__(self, ground: Ground, access: Path) -> None:
        self.ground = ground
        self._access = access
        self.primary = ground.postgres
        self.standby = self._embedded(ground.folder / "other")
        self._promotion: asyncio.Task[None] | None = None

    def _embedded(self, folder: Path) -> EmbeddedPostgres:
        return EmbeddedPostgres(folder, extra_settings={"hba_file": str(self._access)}, say=lambda _: None)

    async def follow(self) -> None:
        """Makes the standby. From when it returns no commit is answered that the standby does not have."""
        await asyncio.to_thread(self._copy)
        # It returns when this PostgreSQL takes writes: when it was promoted.
        self._promotion = asyncio.create_task(asyncio.to_thread(self.standby.start))
        async with _superuser(self.primary) as superuser:
            await self.ground.until(lambda: superuser.fetchval(_FOLLOWERS))
            await superuser.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            await superuser.execute("SELECT pg_reload_conf()")
            await self.ground.until(lambda: superuser.fetchval(f"{_FOLLOWERS} AND sync_state = 'sync'"))

    def _copy(self) -> None:
        cluster = self.standby.cluster
        account = cluster.account
        shutil.rmtree(cluster.folder, ignore_errors=True)
        cluster.folder.mkdir(mode=0o700, parents=True)
        os.chown(cluster.folder, account.uid, account.gid)
        subprocess.run(
            [
                str(cluster.bin_folder / "pg_basebackup"),
                f"--pgdata={cluster.folder}",
                f"--host={self.primary.socket_folder}",
                "--username=postgres",
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            cwd="/",
            **account.for_popen(),
        )

    def strike(self, number: signal.Signals) -> None:
        """All of the primary at once. Its postmaster comes first, so that there are no new ones."""
        cluster = self.primary.cluster
        pids = list(cluster.processes())
        if (pid_file := cluster.read_pid_file()) is not None:
            pids.insert(0, pid_file.pid)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    async def cut(self) -> None:
        """Nothing gets to the standby any more, and nobody is told."""
        async with _superuser(self.primary) as superuser:
            for (pid,) in await superuser.fetch("SELECT pid FROM pg_stat_replication"):
                os.kill(pid, signal.SIGSTOP)

    async def promote(self) -> None:
        """Tells the standby to take over. Does not wait until it has."""
        async with _superuser(self.standby) as superuser:
            await superuser.execute("SELECT pg_promote(wait => false)")

    async def swap(self) -> None:
        """Makes sure that the old primary is gone: two that take writes are what nobody can mend."""
        assert self._promotion is not None
        await self._promotion
        self.strike(signal.SIGKILL)
        await asyncio.to_thread(self.primary.stop)
        folder = self.primary.cluster.data_dir
        self.primary, self.standby = self.standby, self._embedded(folder)
        self.ground.postgres = self.primary

    async def end(self) -> None:
        # One that hangs would not end.
        self.strike(signal.SIGKILL)
        for postgres in (self.primary, self.standby):
            await asyncio.to_thread(postgres.stop)
        if self._promotion is not None:
            with suppress(EmbeddedError):
                await self._promotion


_FOLLOWERS = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"


@asynccontextmanager
async def _superuser(postgres: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(host=str(postgres.socket_folder), user="postgres", database="postgres")
    try:
        yield connection
    finally:
        await connection.close(timeout=2)


@pytest.fixture
async def pair(public_tmp: Path, tmp_path: Path) -> AsyncIterator[Pair]:
    access = public_tmp / f"{tmp_path.name}.hba"
    access.write_text(_ACCESS)
    access.chmod(0o644)
    folder = public_tmp / tmp_path.name
    async with Ground.laid(folder, is_revived=False, hba_file=str(access)) as ground:
        pair = Pair(ground, access)
        try:
            (folder / "other").mkdir()
            await pair.follow()
            await _lead_to_both(pair)
            yield pair
        finally:
            ground.stop_serving()
            await pair.end()


async def _lead_to_both(pair: Pair) -> None:
    ground = pair.ground
    hosts = "&".join(f"host={each.socket_folder}" for each in (pair.primary, pair.standby))
    ground.url = f"postgresql+asyncpg://dutiful@/dutiful?{hosts}&target_session_attrs=read-write"
    ground.environment |= {
        "DUTIFUL_DB_COMMAND_TIMEOUT": str(COMMAND_TIMEOUT),
        "DUTIFUL_DB_CONNECT_TIMEOUT": str(CONNECT_TIMEOUT),
    }


# --- failover ---------------------------------------------------------------------------------------------------------


async def test_a_standby_takes_over(pair: Pair, is_long: bool, figures: Figures) -> None:
    ground = pair.ground
    await ground.serve()
    ledger = Ledger(await ground.new_person("Ana"))
    writing = asyncio.create_task(ledger.run(CLIENTS, seed=13))
    dice = random.Random(13)  # noqa: S311 - no secret
    seconds: dict[signal.Signals, list[float]] = {signal.SIGKILL: [], signal.SIGSTOP: []}
    for number in range(LONG_ROUNDS if is_long else 1):
        if number > 0:
            await pair.follow()
        await ledger.until_answered(LOAD)
        await asyncio.sleep(dice.random() * 0.3)
        how = list(seconds)[number % 2]
        pair.strike(how)
        # Whoever promotes the standby finds out first that it has to be.
        await asyncio.sleep(dice.random() * 0.5)
        await pair.promote()
        seconds[how].append(await ground.until_written(ledger.person))
        await pair.swap()
    ledger.is_stopped = True
    await writing
    database = Database(create_engine(SETTINGS, pair.primary.url))
    truth = await ledger.check(database)
    await database.close()

    figures.tell("failover", rounds=sum(map(len, seconds.values())))
    tell(figures, "failover", ledger, truth)
    figures.within("failover", "to a write, primary dead", max(seconds[signal.SIGKILL]), TAKEOVER)
    if is_long:
        figures.at_most(
            "failover",
            "seconds to a write, primary silent",
            max(seconds[signal.SIGSTOP]),
            TAKEOVER_FROM_SILENCE,
        )
    figures.check()


async def test_what_a_standby_has_not_got_is_answered_to_nobody(pair: Pair, figures: Figures) -> None:
    """A commit that is given up is done all the same, where it was sent to: whoever repeats it must not be told so."""
    ground = pair.ground
    await ground.serve()
    # Of each way to write one, in workspaces of their own, so that they do not wait for each other.
    people = {name: await ground.new_person(name) for name in ("express", "plain")}
    for person in people.values():
        await person.make("/tasks", title="there before")
    await pair.cut()
    asked = [
        _repeat(people["express"], {"title": "express"}),
        _repeat(people["plain"], {"title": "plain", **PLAIN}),
    ]
    acknowledged = await asyncio.gather(*asked)
    pair.strike(signal.SIGKILL)
    await pair.promote()
    for person in people.values():
        await ground.until_written(person)
    await pair.swap()
    lost = 0
    for (name, person), is_acknowledged in zip(people.items(), acknowledged, strict=True):
        titles = {task["title"] for task in await person.all("/tasks")}
        lost += is_acknowledged and name not in titles
    figures.none("failover, standby cut off", keyed_requests_lost=lost)
    figures.check()


async def _repeat(person: Person, body: dict[str, Any]) -> bool:
    """Whether it was answered 201."""
    key, is_acknowledged = str(uuid.uuid4()), False
    deadline = time.monotonic() + COMMAND_TIMEOUT * 2.5
    while time.monotonic() < deadline and not is_acknowledged:
        answer = await person.post("/tasks", body, headers={"Idempotency-Key": key})
        is_acknowledged = answer.status_code == 201
        await asyncio.sleep(0.05)
    return is_acknowledged


# --- restart ----------------------------------------------------------------------------------------------------------


async def test_a_restart_is_lived_through(ground: Ground, is_long: bool, figures: Figures) -> None:
    await ground.serve()
    ledger = Ledger(await ground.new_person("Ana"))
    writing = asyncio.create_task(ledger.run(CLIENTS, seed=17))
    dice = random.Random(17)  # noqa: S311 - no secret
    seconds = []
    for _ in range(LONG_ROUNDS if is_long else 1):
        await ledger.until_answered(LOAD)
        await asyncio.sleep(dice.random() * 0.3)
        began = time.monotonic()
        await asyncio.to_thread(ground.postgres.stop)
        await asyncio.to_thread(ground.postgres.start)
        ground.postgres.supervise()
        await ground.until_written(ledger.person)
        seconds.append(time.monotonic() - began)
    ledger.is_stopped = True
    await writing
    truth = await ledger.check(ground.database)

    figures.tell("restart of PostgreSQL", restarts=len(seconds))
    tell(figures, "restart of PostgreSQL", ledger, truth)
    figures.within("restart of PostgreSQL", "to a write, from its stop", max(seconds), RESTART)
    figures.check()
