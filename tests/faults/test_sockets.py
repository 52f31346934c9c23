"""Whatever bytes come in: a clear refusal or a closed connection, and the server goes on as before."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.faults.figures import Figures
from tests.faults.ground import Ground
from tests.faults.probes import Probe, mutated, probes, valid_requests
from tests.faults.rawhttp import Answer, connected, hear, request, send
from tests.support.people import Person

pytestmark = pytest.mark.linux

AT_ONCE = 6
PATIENCE = 15.0
"""Seconds in which a whole request is answered, whatever it is."""
SILENCE = 1.0
"""Seconds after which a request that may not be whole is taken for one that is not."""
SHORT_MUTATIONS = 300
LONG_MUTATIONS = 6_000
MOST_MEGABYTES = AT_ONCE * 30
"""A body of 10 MB is there three times while it is read."""
MOST_MEGABYTES_OF_RESET = 10
MOST_FILES = 10


HEALTHY = b'{"status":"ok"}'


@dataclass
class Attack:
    """`strange`: what should not have been, by the name of the request it came of."""

    ground: Ground
    person: Person
    statuses: Counter[int] = field(default_factory=Counter)
    sent: int = 0
    closed: int = 0
    """Connections that the server closed without a word."""
    waited: int = 0
    """Requests that the server wanted more of."""
    errors: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    unanswered_afterwards: list[str] = field(default_factory=list)
    made: int = 0
    """Tasks, by what was answered."""

    async def run(self, probes: Iterable[Probe]) -> None:
        waiting = iter(probes)
        await asyncio.gather(*(self._client(waiting) for _ in range(AT_ONCE)))

    async def _client(self, waiting: Iterator[Probe]) -> None:
        for probe in waiting:
            await self._try(probe)
            await self._look(probe)

    async def _try(self, probe: Probe) -> None:
        self.sent += 1
        async with connected(self.ground.port) as (reader, writer):
            sending = asyncio.create_task(send(writer, probe.sent))
            patience = PATIENCE if probe.is_whole else SILENCE
            heard = await hear(reader, patience, probe.answers, probe.until)
            if not heard.answers and not heard.was_closed:
                if probe.is_whole:
                    self.hangs.append(probe.name)
                else:
                    self.waited += 1
            self.closed += heard.was_closed and not heard.answers
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        for answer in heard.answers:
            self._note(probe, answer)

    def _note(self, probe: Probe, answer: Answer) -> None:
        self.statuses[answer.status] += 1
        self.made += _made(answer)
        if answer.status >= 500:
            self.errors.append(f"{answer.status} for {probe.name}")
        elif answer.status < 400 and not probe.may_succeed:
            self.accepted.append(f"{answer.status} for {probe.name}")

    async def _look(self, probe: Probe) -> None:
        """At what the server makes of an ordinary request now."""
        async with connected(self.ground.port) as (reader, writer):
            await send(writer, request(b"GET", b"/healthz"))
            heard = await hear(reader, PATIENCE)
        if [answer.status for answer in heard.answers] != [200]:
            self.unanswered_afterwards.append(probe.name)

    async def tell(self, figures: Figures, promise: str) -> None:
        refused = sum(count for status, count in self.statuses.items() if 400 <= status < 500)
        unaccounted = await self._tasks() - self.made
        figures.tell(promise, requests=self.sent, refused=refused, closed=self.closed, waited_for=self.waited)
        figures.none(
            promise,
            answers_of_5xx=len(self.errors),
            hangs=len(self.hangs),
            nonsense_accepted=len(self.accepted),
            unanswered_afterwards=len(self.unanswered_afterwards),
            answered_and_not_written=max(0, -unaccounted),
            written_without_an_answer=max(0, unaccounted),
        )

    async def _tasks(self) -> int:
        async with self.ground.connection() as connection:
            count: int = await connection.fetchval(
                "SELECT count(*) FROM tasks WHERE workspace_id = $1", self.person.workspace_id
            )
        return count

    @property
    def strange(self) -> list[str]:
        return [*self.errors, *self.hangs, *self.accepted, *self.unanswered_afterwards]


def _made(answer: Answer) -> int:
    """How many tasks it says were made."""
    if answer.status not in {200, 201} or b"idempotency-replayed" in answer.headers:
        return 0
    told: dict[str, Any] = json.loads(answer.body)
    if "title" in told:
        return int(answer.status == 201)
    done = told.get("items", []) if answer.status == 200 else []
    by_operations = [each for each in done if (each.get("op"), each.get("type")) == ("create", "task")]
    return int(told.get("created", 0)) + len(by_operations)


def _megabytes(ground: Ground) -> float:
    assert ground.serving is not None
    status = Path(f"/proc/{ground.serving.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _files(ground: Ground) -> int:
    assert ground.serving is not None
    return len(list(Path(f"/proc/{ground.serving.process.pid}/fd").iterdir()))


async def _prepared(ground: Ground) -> tuple[Attack, int]:
    """With a server that has answered once, and a task of a person's to ask for."""
    ground.environment |= {"DUTIFUL_RATE_LIMIT_PER_USER": "off", "DUTIFUL_RATE_LIMIT_PER_ADDRESS": "off"}
    await ground.serve()
    person = await ground.new_person("Ana")
    task = await person.make("/tasks", title="milk")
    await person.make("/tasks", title="milk", labels_add=["l"])
    attack = Attack(ground, person, made=2)
    return attack, task["id"]


async def test_noise_is_refused_after_what_came_before_it(ground: Ground) -> None:
    attack, _ = await _prepared(ground)
    headers = {b"Authorization": b"Bearer " + attack.person.token.encode()}
    tea, coffee = (request(body=b'{"title": "%s"}' % title, headers=headers) for title in (b"tea", b"coffee"))
    unfinished = request(
        headers={**headers, b"Content-Type": b"application/json", b"Transfer-Encoding": b"chunked"}
    )
    last = request(body=b'{"title": "last"}', headers={**headers, b"Connection": b"close"})
    noise = b"\x16\x03\x01 no HTTP\r\n\r\n"
    for sent, statuses in (
        (noise, [400]),
        (tea + noise, [201, 400]),
        (tea + coffee + tea + noise, [201, 201, 201, 400]),
        (unfinished + noise, [400]),
        (tea + coffee + unfinished + noise, [201, 201, 400]),
        (tea + noise + coffee, [201, 400]),
        (tea + last + noise, [201, 201]),
    ):
        async with connected(ground.port) as (reader, writer):
            await send(writer, sent)
            heard = await hear(reader, PATIENCE, enough=99)
        assert [answer.status for answer in heard.answers] == statuses, sent
        assert heard.was_closed


async def test_malformed_requests_are_refused_and_leave_nothing_behind(
    ground: Ground, is_long: bool, figures: Figures
) -> None:
    attack, task_id = await _prepared(ground)
    before = _megabytes(ground), _files(ground)
    for _ in range(10 if is_long else 1):
        await attack.run(probes(attack.person.token.encode(), task_id))
    await asyncio.sleep(0.2)
    await attack.tell(figures, "malformed requests")
    figures.at_most(
        "malformed requests", "memory grown by (MB)", _megabytes(ground) - before[0], MOST_MEGABYTES
    )
    figures.at_most("malformed requests", "more files open", _files(ground) - before[1], MOST_FILES)
    assert attack.strange == []
    figures.check()


async def test_mutated_requests_are_refused_and_leave_nothing_behind(
    ground: Ground, is_long: bool, figures: Figures
) -> None:
    attack, task_id = await _prepared(ground)
    token = attack.person.token.encode()
    change_id = f"{attack.person.workspace_id}-3".encode()
    dice = random.Random(13)  # noqa: S311 - no secret
    valid = valid_requests(token, task_id, change_id)
    count = LONG_MUTATIONS if is_long else SHORT_MUTATIONS
    before = _megabytes(ground), _files(ground)
    # Whatever it is, behind it comes a request whose answer is known: what it is then was all answered.
    attempts = (mutated(dice.choice(valid), dice) + request(b"GET", b"/healthz") for _ in range(count))
    await attack.run(
        Probe(repr(sent), sent, is_whole=False, may_succeed=True, answers=99, until=HEALTHY)
        for sent in attempts
    )
    await asyncio.sleep(0.2)
    await attack.tell(figures, "mutated requests")
    figures.at_most(
        "mutated requests", "memory grown by (MB)", _megabytes(ground) - before[0], MOST_MEGABYTES
    )
    figures.at_most("mutated requests", "more files open", _files(ground) - before[1], MOST_FILES)
    assert attack.strange == []
    figures.check()


async def test_connections_that_are_reset_leave_nothing_behind(
    ground: Ground, is_long: bool, figures: Figures
) -> None:
    attack, _ = await _prepared(ground)

    async def reset(times: int) -> None:
        for _ in range(times):
            await attack._look(Probe("reset", b""))

    await reset(100)
    before = _megabytes(ground), _files(ground)
    times = 5_000 if is_long else 500
    await asyncio.gather(*(reset(times) for _ in range(AT_ONCE)))
    figures.tell("connections that are reset", connections=times * AT_ONCE)
    figures.none("connections that are reset", unanswered=len(attack.unanswered_afterwards))
    figures.at_most(
        "connections that are reset",
        "memory grown by (MB)",
        _megabytes(ground) - before[0],
        MOST_MEGABYTES_OF_RESET,
    )
    figures.at_most("connections that are reset", "more files open", _files(ground) - before[1], MOST_FILES)
    figures.check()


async def test_clients_that_hang_up_in_the_middle_leave_nothing_behind(
    ground: Ground, is_long: bool, figures: Figures
) -> None:
    attack, _ = await _prepared(ground)
    auth = {b"Authorization": b"Bearer " + attack.person.token.encode()}
    body = b'{"title": "never said in full", "description": "' + b"a" * 5_000 + b'"}'
    whole = request(body=body, headers=auth)
    dice = random.Random(17)  # noqa: S311 - no secret
    before = _files(ground)

    async def say_half() -> None:
        """In pieces, and never the last byte."""
        async with connected(ground.port) as (_, writer):
            rest = whole[: dice.randrange(1, len(whole))]
            while rest:
                size = dice.choice([1, 10, 2_000])
                await send(writer, rest[:size])
                rest = rest[size:] if dice.random() < 0.95 else b""
                await asyncio.sleep(0.01)

    async def say_it_all(number: int) -> None:
        """And do not wait for the answer: whether it is done is open, but it is done whole and once."""
        async with connected(ground.port) as (_, writer):
            await send(writer, whole.replace(b"never said in full", b"said and left %5d" % number))
            await asyncio.sleep(dice.choice([0, 0.002, 0.01]))

    rounds = 30 if is_long else 2
    for number in range(rounds):
        await asyncio.gather(
            *(say_half() for _ in range(60)), *(say_it_all(number * 60 + each) for each in range(60))
        )
        await attack._look(Probe(f"round {number}", b""))
    await asyncio.sleep(0.5)
    async with ground.connection() as connection:
        titles = Counter(
            row["title"]
            for row in await connection.fetch(
                "SELECT title FROM tasks WHERE workspace_id = $1", attack.person.workspace_id
            )
        )
    figures.tell("clients that hang up", in_the_middle=rounds * 60, at_the_end=rounds * 60)
    figures.none(
        "clients that hang up",
        half_requests_done=titles["never said in full"],
        done_twice=sum(count > 1 for title, count in titles.items() if title.startswith("said")),
        unanswered_afterwards=len(attack.unanswered_afterwards),
    )
    figures.at_most("clients that hang up", "more files open", _files(ground) - before, MOST_FILES)
    figures.check()
