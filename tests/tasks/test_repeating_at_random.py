"""A series at random, compared with the rules told once more in a few lines of Python."""

import asyncio
import datetime as dt
import uuid
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, Self

import httpx
import pytest
from tests.support.people import Person
from tests.support.undoing import made_by

from dutiful.database.session import Database
from dutiful.models import When
from dutiful.recurrence import Recurrence, occurrences

# Ahead of any clock, so that nothing is passed over.
FIRST = dt.date(2040, 1, 2)
WEEK = dt.timedelta(days=7)
STEPS = 40


@dataclass
class One:
    """A task of the series."""

    day: dt.date
    title: str = "x"
    is_open: bool = True
    is_alive: bool = True
    next: int | None = None
    is_skipped: bool = False

    @property
    def is_as_made(self) -> bool:
        return self.is_open and self.title == "x" and self.next is None and not self.is_skipped


@dataclass
class Series:
    """In the order they were made."""

    ones: list[One]

    def next_of(self, number: int) -> int | None:
        own = self.ones[number].next
        later = [at for at in range(number + 1, len(self.ones)) if self.ones[at].is_alive]
        return own if own in later else next(iter(later), None)

    def complete(self, number: int) -> None:
        one = self.ones[number]
        if one.is_open:
            one.is_open = False
            if self.next_of(number) is None:
                one.next = len(self.ones)
                self.ones.append(One(one.day + WEEK))

    def reopen(self, number: int) -> None:
        one = self.ones[number]
        if not one.is_open:
            one.is_open = True
            following = None if one.next is None else self.ones[one.next]
            if following is not None and following.is_alive and following.is_as_made:
                following.is_alive, one.next = False, None

    def skip(self, number: int) -> bool:
        one = self.ones[number]
        if not one.is_open or self.next_of(number) is not None:
            return False
        one.day, one.title, one.is_skipped, one.next = one.day + WEEK, "x", True, None
        return True

    def go_back_to(self, then: "Series") -> None:
        """As it was, but what was made since is in the trash."""
        made = self.ones[len(then.ones) :]
        for one in made:
            one.is_alive = False
        self.ones = [*deepcopy(then.ones), *made]

    def open_ones(self) -> list[tuple[dt.date, str]]:
        return sorted((one.day, one.title) for one in self.ones if one.is_alive and one.is_open)


@dataclass
class Walk:
    ana: Person
    database: Database
    random: Random
    series: Series
    ids: list[int]
    before: Series | None = None
    """What the last request can be taken back to."""
    last: httpx.Response | None = None

    @classmethod
    async def begin(cls, ana: Person, database: Database, seed: int) -> Self:
        task = await ana.make(
            "/tasks", title="x", due={"date": f"{FIRST}"}, recurrence={"rrule": "FREQ=WEEKLY"}
        )
        random = Random(seed)  # noqa: S311 - a walk that can be walked again
        return cls(ana, database, random, Series([One(FIRST)]), [task["id"]])

    async def step(self, verbs: tuple[str, ...]) -> None:
        verb = self.random.choice(verbs)
        before, last = deepcopy(self.series), self.last
        if verb == "undo":
            await self.undo()
        else:
            living = [number for number, one in enumerate(self.series.ones) if one.is_alive]
            if living or verb == "restore":
                await getattr(self, verb)(self.random.choice(living) if living else None)
            if self.last is not last:
                self.before = before
        await self.compare(verb)

    async def patch(self, number: int, **fields: Any) -> httpx.Response:
        """By one of several ways."""
        path = f"/tasks/{self.ids[number]}"
        operation = {"op": "update", "type": "task", "id": self.ids[number], "data": fields}
        key = {"Idempotency-Key": str(uuid.uuid4())}
        match self.random.randrange(4):
            case 0:
                return await self.ana.patch(path, fields)
            case 1:
                return await self.ana.put(path, fields)
            case 2:
                return await self.ana.post("/batch", [operation])
            case _:
                first, again = [await self.ana.patch(path, fields, headers=key) for _ in range(2)]
                assert first.json() == again.json()
                return first

    async def complete(self, number: int) -> None:
        self.last = await self.patch(number, status="done")
        self.series.complete(number)

    async def complete_open(self, _: int) -> None:
        await self.complete(
            next(at for at, one in enumerate(self.series.ones) if one.is_alive and one.is_open)
        )

    async def reopen(self, number: int) -> None:
        self.last = await self.patch(number, status="open")
        self.series.reopen(number)

    async def reopen_last(self, _: int) -> None:
        done = [at for at, one in enumerate(self.series.ones) if one.is_alive and not one.is_open]
        if done:
            await self.reopen(done[-1])

    async def skip(self, number: int) -> None:
        self.last = await self.ana.post(f"/tasks/{self.ids[number]}/skip")
        assert self.last.status_code == (200 if self.series.skip(number) else 409)

    async def rename(self, number: int) -> None:
        self.last = await self.patch(number, title="y", apply_to="this")
        self.series.ones[number].title = "y"

    async def delete(self, number: int) -> None:
        self.last = await self.ana.delete(f"/tasks/{self.ids[number]}")
        self.series.ones[number].is_alive = False

    async def restore(self, _: int | None) -> None:
        dead = [at for at, one in enumerate(self.series.ones) if not one.is_alive]
        if dead:
            number = self.random.choice(dead)
            self.last = await self.ana.post(f"/tasks/{self.ids[number]}/restore")
            self.series.ones[number].is_alive = True

    async def undo(self) -> None:
        """Of the last request, which may be an undo itself."""
        if self.last is None or self.before is None or not self.last.is_success:
            return
        changes = await made_by(self.database, self.last)
        if changes:
            self.last = await self.ana.post(f"/changes/{changes[0]}/undo", {"request": True})
            assert self.last.status_code == 200, self.last.text
            after = deepcopy(self.series)
            self.series.go_back_to(self.before)
            self.before = after

    async def compare(self, verb: str) -> None:
        assert self.last is None or self.last.status_code < 500, self.last.text
        tasks = {task["id"]: task for task in await self.ana.all("/tasks")}
        self.ids += sorted(tasks.keys() - set(self.ids))
        found = sorted(
            (dt.date.fromisoformat(task["due"]["date"]), task["title"])
            for task in tasks.values()
            if task["status"] == "open"
        )
        assert found == self.series.open_ones(), verb
        assert len(self.ids) == len(self.series.ones), verb


EVERYTHING = ("complete", "complete", "reopen", "skip", "rename", "delete", "restore", "undo", "undo")


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_it_is_as_the_rules_say(ana: Person, database: Database, seed: int) -> None:
    walk = await Walk.begin(ana, database, seed)
    for _ in range(STEPS):
        await walk.step(EVERYTHING)


@pytest.mark.parametrize("seed", range(3))
async def test_done_and_opened_and_undone_there_is_always_one_open(
    ana: Person, database: Database, seed: int
) -> None:
    walk = await Walk.begin(ana, database, seed)
    for _ in range(STEPS):
        await walk.step(("complete_open", "reopen_last", "undo"))
        assert len(walk.series.open_ones()) == 1


@pytest.mark.parametrize(
    "rrule",
    [
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=WEEKLY;BYDAY=MO,TU;WKST=SU;INTERVAL=2",
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=-1TU;COUNT=12",
    ],
)
async def test_however_many_complete_it_at_once_a_rule_is_walked_without_gap_or_duplicate(
    ana: Person, rrule: str
) -> None:
    # A Tuesday, and the last of its month.
    first = When(dt.date(2040, 1, 31), dt.time(2, 30), "Europe/Berlin")
    task = await ana.make("/tasks", title="x", due=first.as_json(), recurrence={"rrule": rrule})
    walked = []
    for _ in range(12):
        (task,) = await ana.all("/tasks", status="open")
        walked.append(When.from_json(task["due"]))
        operation = {"op": "update", "type": "task", "id": task["id"], "data": {"status": "done"}}
        answers = await asyncio.gather(
            *(ana.patch(f"/tasks/{task['id']}", {"status": "done"}) for _ in range(5)),
            *(ana.post("/batch", [operation]) for _ in range(5)),
        )
        assert {answer.status_code for answer in answers} == {200}
    assert walked == list(islice(occurrences(Recurrence.of(rrule), first), 12))
    assert len(await ana.all("/tasks", status="open")) == (0 if "COUNT" in rrule else 1)
