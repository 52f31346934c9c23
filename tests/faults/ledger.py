"""Clients that write all the time and note what they were answered, and whether it is true afterwards."""

import asyncio
import itertools
import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import select
from tests.faults.figures import Figures
from tests.support.people import Person
from tests.support.plain import PLAIN
from tests.support.replaying import replay, state_of_tables

from dutiful.database.session import Database
from dutiful.models import Change, Task

BATCH = 7
_PAUSE = 0.05
_PATIENCE = 60.0


@dataclass
class Ledger:
    """What one person was told of their writes."""

    person: Person
    made: set[str] = field(default_factory=set)
    """Titles that were answered 201."""
    keyed: set[str] = field(default_factory=set)
    """Those of requests with a key, repeated until they were answered."""
    batches: set[str] = field(default_factory=set)
    """Batches that were answered 201; each title begins with its name."""
    tried_batches: set[str] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)
    counted: int = 0
    """Increments that were answered 200."""
    in_doubt: int = 0
    """Increments without an answer."""
    statuses: Counter[int] = field(default_factory=Counter)
    cut: int = 0
    """Requests without an answer."""
    slowest: float = 0.0
    """Seconds."""
    counter_id: int = 0
    is_stopped: bool = False

    # --- writing ------------------------------------------------------------------------------------------------------

    async def run(self, clients: int, seed: int) -> None:
        """Until `is_stopped`."""
        self.counter_id = (await self.person.make("/tasks", title="counter", description="0"))["id"]
        dice = [random.Random(seed * 100 + number) for number in range(clients)]  # noqa: S311 - no secret
        await asyncio.gather(*map(self._client, dice))

    async def _client(self, dice: random.Random) -> None:
        acts = [self._make, self._make_keyed, self._make_batch, self._count, self._delete]
        while not self.is_stopped:
            await dice.choice(acts)(dice)

    async def _make(self, dice: random.Random) -> None:
        title = str(uuid.uuid4())
        answer = await self._send("POST", "/tasks", {"title": title, **_way(dice)})
        if answer is not None and answer.status_code == 201:
            self.made.add(title)

    async def _make_keyed(self, dice: random.Random) -> None:
        title, key, way = str(uuid.uuid4()), str(uuid.uuid4()), _way(dice)
        # Whoever has a key repeats until there is an answer that says what became of it.
        while True:
            answer = await self._send("POST", "/tasks", {"title": title, **way}, {"Idempotency-Key": key})
            if answer is not None and answer.status_code == 201:
                self.keyed.add(title)
                return
            if self.is_stopped:
                return
            await asyncio.sleep(_PAUSE)

    async def _make_batch(self, dice: random.Random) -> None:
        name, way = str(uuid.uuid4()), _way(dice)
        self.tried_batches.add(name)
        items = [{"title": f"{name} {number}", **way} for number in range(BATCH)]
        answer = await self._send("POST", "/tasks/batch", items)
        if answer is not None and answer.status_code == 201:
            self.batches.add(name)

    async def _count(self, dice: random.Random) -> None:
        """Reads a number and writes the next, unless somebody else did."""
        path = f"/tasks/{self.counter_id}"
        seen = await self._send("GET", path)
        if seen is None or seen.status_code != 200:
            return
        task = seen.json()
        body = {"description": str(int(task["description"]) + 1), **_way(dice)}
        answer = await self._send("PATCH", path, body, {"If-Match": f'"{task["version"]}"'})
        if answer is None or answer.status_code == 503:
            self.in_doubt += 1
        elif answer.status_code == 200:
            self.counted += 1

    async def _delete(self, _: random.Random) -> None:
        made = await self._send("POST", "/tasks", {"title": "to be deleted"})
        if made is None or made.status_code != 201:
            return
        task_id = made.json()["id"]
        answer = await self._send("DELETE", f"/tasks/{task_id}")
        if answer is not None and answer.status_code == 204:
            self.deleted.add(task_id)

    async def _send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response | None:
        """None for a request that nobody answered."""
        began = asyncio.get_running_loop().time()
        try:
            answer = await self.person.request(method, path, json=body, headers=headers or {})
        except httpx.HTTPError:
            self.cut += 1
            await asyncio.sleep(_PAUSE)
            return None
        self.slowest = max(self.slowest, asyncio.get_running_loop().time() - began)
        self.statuses[answer.status_code] += 1
        if answer.status_code >= 500:
            await asyncio.sleep(_PAUSE)
        return answer

    @property
    def unexpected(self) -> int:
        """Answers that no client should have got."""
        return sum(count for status, count in self.statuses.items() if status >= 500 and status != 503)

    @property
    def acknowledged(self) -> int:
        return sum(count for status, count in self.statuses.items() if status < 300)

    async def until_answered(self, more: int) -> None:
        """So that there is something to lose."""
        wanted = self.acknowledged + more
        async with asyncio.timeout(_PATIENCE):
            while self.acknowledged < wanted:  # noqa: ASYNC110 - answers set no event
                await asyncio.sleep(0.02)

    # --- checking -----------------------------------------------------------------------------------------------------

    async def check(self, database: Database) -> "Truth":
        async with database.read() as session:
            tasks = (
                await session.scalars(select(Task).where(Task.workspace_id == self.person.workspace_id))
            ).all()
            changes = (
                await session.scalars(
                    select(Change).where(Change.workspace_id == self.person.workspace_id).order_by(Change.seq)
                )
            ).all()
        titles = Counter(task.title for task in tasks)
        sizes = Counter(title.split()[0] for title in titles if title.split()[0] in self.tried_batches)
        (counter,) = [task for task in tasks if task.id == self.counter_id]
        count = int(counter.description)
        in_trash = {task.id for task in tasks if task.deleted_at is not None}
        return Truth(
            lost=len(self.made - titles.keys())
            + len(self.keyed - titles.keys())
            + sum(sizes[name] == 0 for name in self.batches)
            + len(self.deleted - in_trash),
            partial_batches=sum(size != BATCH for size in sizes.values()),
            done_twice=sum(titles[title] > 1 for title in self.keyed),
            lost_updates=max(0, self.counted - count) + max(0, count - self.counted - self.in_doubt),
            holes=sum(b.seq != a.seq + 1 for a, b in itertools.pairwise(changes)),
            differences=_differences(
                replay(list(changes)), await state_of_tables(database, self.person.workspace_id)
            ),
            changes=[(change.workspace_id, change.seq) for change in changes],
        )


@dataclass(frozen=True)
class Truth:
    lost: int
    """Answered 2xx and not there."""
    partial_batches: int
    done_twice: int
    lost_updates: int
    holes: int
    differences: int
    """Between the tables and what the journal tells of them."""
    changes: list[tuple[int, int]]
    """Workspace and seq."""


def tell(figures: Figures, promise: str, ledger: Ledger, truth: Truth) -> None:
    """What a ledger came to, whatever the attack was."""
    figures.tell(promise, acknowledged=ledger.acknowledged, cut_off=ledger.cut)
    figures.none(
        promise,
        lost=truth.lost,
        partial_batches=truth.partial_batches,
        done_twice=truth.done_twice,
        lost_updates=truth.lost_updates,
        holes=truth.holes,
        tables_that_differ_from_the_journal=truth.differences,
        unexpected_answers=ledger.unexpected,
    )


def _differences(told: dict[Any, Any], there: dict[Any, Any]) -> int:
    return sum(told.get(key) != there.get(key) for key in told.keys() | there.keys())


def _way(dice: random.Random) -> dict[str, Any]:
    """Through the express lane, or past it."""
    return dict(PLAIN) if dice.random() < 0.5 else {}
