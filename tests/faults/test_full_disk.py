"""A disk that fills up: nothing that was answered is lost, refusals say why, and with room again all goes on."""

import asyncio
import errno
import random
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import httpx
import pytest
from tests.faults.figures import Figures
from tests.faults.ground import Ground
from tests.faults.ledger import Ledger, tell

pytestmark = [pytest.mark.as_root, pytest.mark.mounts]

LOAD = 50
"""Requests that are answered before something happens."""
CLIENTS = 6
LONG_ROUNDS = 6
MEGABYTES = 200
ROOM_AGAIN = 2.0
# The pause between two attempts to start PostgreSQL, and a recovery.
BACK_AGAIN = 10.0


@dataclass
class Disk:
    """Of a size that can be filled."""

    folder: Path

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        block = bytes(65_536)
        with self._ballast.open("ab", buffering=0) as file:
            while block:
                try:
                    file.write(block)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    block = block[: len(block) // 2]

    def make_room(self) -> None:
        self._ballast.unlink()


@pytest.fixture
def disk(public_tmp: Path, tmp_path: Path) -> Iterator[Disk]:
    folder = public_tmp / f"{tmp_path.name}.disk"
    folder.mkdir()
    options = f"size={MEGABYTES}m,mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "dutiful-test", str(folder)], check=True)
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
async def ground(disk: Disk) -> AsyncIterator[Ground]:
    """All of it is on that disk: PostgreSQL, its logs, and what the server says."""
    # Or the log would keep more than the disk has.
    async with Ground.laid(disk.folder / "ground", min_wal_size="32MB", max_wal_size="64MB") as ground:
        yield ground


@dataclass
class Looks:
    """What somebody saw who wrote and read by turns."""

    codes: Counter[str] = field(default_factory=Counter)
    """Of writes that were refused."""
    reads_refused: int = 0
    reads: int = 0

    async def take(self, ground: Ground, ledger: Ledger) -> bool:
        """Whether the write was refused for want of room."""
        answer = await ledger.person.post("/tasks", {"title": "x" * 500, "description": "y" * 5000})
        code = "" if answer.is_success else answer.json()["code"]
        self.codes[code] += 1
        self.reads += 1
        self.reads_refused += (await ledger.person.get("/tasks", params={"limit": 5})).status_code != 200
        return code == "disk_full"


async def test_a_full_disk_refuses_writes_and_loses_none(
    disk: Disk, ground: Ground, is_long: bool, figures: Figures
) -> None:
    await ground.serve()
    ledger, looks = Ledger(await ground.new_person("Ana")), Looks()
    writing = asyncio.create_task(ledger.run(CLIENTS, seed=23))
    dice = random.Random(23)  # noqa: S311 - no secret
    back = []
    for _ in range(LONG_ROUNDS if is_long else 1):
        await ledger.until_answered(LOAD)
        async with ground.connection() as connection:
            # Has the next file of the write-ahead log made, so that the tables are what has no room.
            await connection.execute("CHECKPOINT")
        disk.fill()
        await ground.until(lambda: looks.take(ground, ledger))
        for _ in range(10):
            await looks.take(ground, ledger)
        await asyncio.sleep(dice.random())
        disk.make_room()
        back.append(await ground.until_written(ledger.person))
    ledger.is_stopped = True
    await writing
    tell(figures, "full disk", ledger, await ledger.check(ground.database))
    figures.none("full disk", without_an_answer=ledger.cut)
    figures.tell("full disk", times=len(back), reads_meanwhile=looks.reads)
    figures.none(
        "full disk",
        reads_refused=looks.reads_refused,
        refusals_that_do_not_say_so=looks.codes.total() - looks.codes["disk_full"] - looks.codes[""],
    )
    figures.at_least("full disk", "writes refused", ledger.statuses[503], len(back))
    figures.within("full disk", "to a write with room again", max(back), ROOM_AGAIN)
    figures.check()


async def test_a_log_without_room_stops_the_database_and_loses_nothing(
    disk: Disk, ground: Ground, is_long: bool, figures: Figures
) -> None:
    """What cannot be logged cannot be done: PostgreSQL ends all its processes, and recovers if it can."""
    await ground.serve()
    ledger = Ledger(await ground.new_person("Ana"))
    writing = asyncio.create_task(ledger.run(CLIENTS, seed=29))
    dice = random.Random(29)  # noqa: S311 - no secret
    back, statuses = [], Counter[int]()
    for _ in range(LONG_ROUNDS if is_long else 1):
        await ledger.until_answered(LOAD)
        disk.fill()
        await _exhaust_log(ground)
        for _ in range(10):
            statuses[await _status(ledger)] += 1
            await asyncio.sleep(dice.random() * (1.0 if is_long else 0.1))
        disk.make_room()
        back.append(await ground.until_written(ledger.person))
    ledger.is_stopped = True
    await writing
    tell(figures, "full disk, log", ledger, await ledger.check(ground.database))
    figures.none("full disk, log", without_an_answer=ledger.cut)
    figures.tell("full disk, log", times=len(back), refused_meanwhile=statuses[503])
    figures.none("full disk, log", other_answers=statuses.total() - statuses[503] - statuses[201])
    figures.within("full disk, log", "to a write with room again", max(back), BACK_AGAIN)
    figures.check()


async def _exhaust_log(ground: Ground) -> None:
    """Writes into the log what takes room nowhere else, as another database of the same PostgreSQL may."""
    folder = str(ground.postgres.socket_folder)

    async def is_broken() -> bool:
        try:
            connection = await asyncpg.connect(host=folder, user="dutiful", database="dutiful")
        except (OSError, asyncpg.PostgresError):
            return True
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await connection.execute(
                "SELECT pg_logical_emit_message(false, 'ballast', repeat('x', 1000000)) FROM generate_series(1, 16)"
            )
        is_closed: bool = connection.is_closed()
        # There may be nobody left to say farewell to.
        connection.terminate()
        return is_closed

    await ground.until(is_broken)


async def _status(ledger: Ledger) -> int:
    try:
        return (await ledger.person.post("/tasks", {"title": "are you there?"})).status_code
    except httpx.HTTPError:
        return 0
