"""Far more than the server can carry: it refuses some, and serves the others in time."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import httpx
import pytest
from tests.faults.figures import Figures
from tests.faults.ground import Ground
from tests.faults.ledger import Ledger
from tests.faults.rawhttp import connected, request, send
from tests.support.contract import hold_to_contract
from tests.support.people import Person

POOL = 2
DEADLINE = 6.0
GRACE = 1.0
"""Seconds that an answer may take on its way: the clients share the processors with the server."""
SETTINGS = {
    "DUTIFUL_DB_POOL_SIZE": str(POOL),
    "DUTIFUL_DB_MAX_OVERFLOW": "0",
    "DUTIFUL_DB_POOL_TIMEOUT": "2",
    "DUTIFUL_DB_LOCK_TIMEOUT": "1",
    "DUTIFUL_REQUEST_TIMEOUT": str(DEADLINE),
    "DUTIFUL_RATE_LIMIT_PER_USER": "off",
    "DUTIFUL_RATE_LIMIT_PER_ADDRESS": "off",
}
# Each pool, and the connection that listens for changes of other processes.
MOST_CONNECTIONS = POOL + POOL + 1


@dataclass
class Timed(Ledger):
    """Knows how long each answer took as well."""

    admitted: list[float] = field(default_factory=list)
    """Seconds to each answer of 2xx."""
    answered: list[tuple[float, int]] = field(default_factory=list)
    """When each came, and its status."""

    async def _send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response | None:
        began = _now()
        answer = await super()._send(method, path, body, headers)
        if answer is not None:
            self.answered.append((_now(), answer.status_code))
            if answer.is_success:
                self.admitted.append(_now() - began)
        return answer

    async def search(self, clients: int) -> None:
        """What the journal is not told of."""

        async def client(number: int) -> None:
            while not self.is_stopped:
                await self._send("GET", f"/tasks?q={'ab'[number % 2]}*&limit=20")

        await asyncio.gather(*map(client, range(clients)))


class OwnConnections(httpx.AsyncBaseTransport):
    """One for each task, as for clients elsewhere. In a pool that all share they wait for each other, for seconds."""

    def __init__(self) -> None:
        self._own: dict[asyncio.Task[Any] | None, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        task = asyncio.current_task()
        if task not in self._own:
            self._own[task] = httpx.AsyncHTTPTransport(verify=False)
        return await self._own[task].handle_async_request(request)

    async def aclose(self) -> None:
        await asyncio.gather(*(own.aclose() for own in self._own.values()))


@pytest.fixture
async def busy_ground(ground: Ground) -> Ground:
    """With a small pool, and connections for everybody."""
    ground.environment |= SETTINGS
    await ground.client.aclose()
    ground.client = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{ground.port}",
        timeout=DEADLINE * 3,
        transport=OwnConnections(),
        event_hooks={"response": [hold_to_contract]},
    )
    await ground.serve()
    return ground


async def test_overload_bends_it_and_does_not_break_it(
    busy_ground: Ground, is_long: bool, figures: Figures
) -> None:
    ground, locks = busy_ground, 8 if is_long else 1
    locked, others = Timed(await ground.new_person("Ana")), Timed(await ground.new_person("Bob"))
    ledgers = (locked, others)
    clients = 64 if is_long else 32
    slow = await ground.new_person("Cleo")
    await _fill(slow)
    health = Health(ground)
    during: Counter[int] = Counter()
    running = [asyncio.create_task(each.run(clients, seed=number)) for number, each in enumerate(ledgers)]
    running += [asyncio.create_task(each.search(clients // 4)) for each in ledgers]
    running.append(asyncio.create_task(health.run()))
    reading = [asyncio.create_task(_read_slowly(ground, slow)) for _ in range(10)]
    reading += [asyncio.create_task(_write_slowly(ground, slow)) for _ in range(10)]

    async def has_begun() -> bool:
        return all(each.counter_id for each in ledgers)

    await ground.until(has_begun)
    for _ in range(locks):
        await asyncio.sleep(0.5)
        async with _held(ground, locked.person.workspace_id):
            began = _now()
            await asyncio.sleep(2)
            during.update(status for at, status in others.answered if at > began)
    await asyncio.sleep(0.5)
    for each in (*ledgers, health):
        each.is_stopped = True
    async with asyncio.timeout(DEADLINE * 3):
        await asyncio.gather(*running)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    await ground.until(lambda: _is_idle(ground))
    truths = [await each.check(ground.database) for each in ledgers]

    admitted = sorted(seconds for each in ledgers for seconds in each.admitted)
    statuses = locked.statuses + others.statuses
    figures.tell(
        "overload",
        clients=len(ledgers) * (clients + clients // 4),
        database_connections=2 * POOL,
        admitted=len(admitted),
        refused_with_503=statuses[503],
        **{"median of admitted (ms)": _quantile(admitted, 0.5) * 1000},
    )
    figures.none(
        "overload",
        answers_of_5xx_but_503=sum(each.unexpected for each in ledgers),
        requests_without_an_answer=sum(each.cut for each in ledgers),
        health_checks_without_an_answer=health.unanswered,
        lost=sum(truth.lost for truth in truths),
        partial_batches=sum(truth.partial_batches for truth in truths),
        done_twice=sum(truth.done_twice for truth in truths),
        lost_updates=sum(truth.lost_updates for truth in truths),
        holes=sum(truth.holes for truth in truths),
        tables_that_differ_from_the_journal=sum(truth.differences for truth in truths),
    )
    figures.within("overload", "p99 of admitted", _quantile(admitted, 0.99), DEADLINE)
    figures.within("overload", "slowest answer", max(each.slowest for each in ledgers), DEADLINE + GRACE)
    figures.within("overload", "slowest health check", health.slowest, 2 * GRACE)
    served = sum(count for status, count in during.items() if status < 300)
    figures.at_least("overload", "others served while one workspace is locked", served, 20 * locks)
    figures.at_most(
        "overload", "database connections afterwards", await _connections(ground), MOST_CONNECTIONS
    )
    figures.check()


@dataclass
class Health:
    ground: Ground
    unanswered: int = 0
    slowest: float = 0.0
    is_stopped: bool = False

    async def run(self) -> None:
        async with httpx.AsyncClient(
            base_url=self.ground.client.base_url,
            timeout=DEADLINE,
            event_hooks={"response": [hold_to_contract]},
        ) as client:
            while not self.is_stopped:
                began, is_answered = _now(), False
                with suppress(httpx.HTTPError):
                    is_answered = (await client.get("/healthz")).is_success
                self.unanswered += not is_answered
                self.slowest = max(self.slowest, _now() - began)
                await asyncio.sleep(0.05)


async def _fill(person: Person) -> None:
    """With so much that a list of it does not fit into the buffers on its way."""
    for _ in range(4):
        items = [{"title": "long", "description": "a" * 40_000} for _ in range(25)]
        assert (await person.post("/tasks/batch", items)).status_code == 201


async def _read_slowly(ground: Ground, person: Person) -> None:
    """A byte a second."""
    auth = {b"Authorization": b"Bearer " + person.token.encode()}
    async with connected(ground.port, buffer=4_096) as (reader, writer):
        await send(writer, request(b"GET", b"/api/v1/tasks?limit=200", None, auth))
        while await reader.read(1):  # noqa: ASYNC110 - that it takes so long is the point
            await asyncio.sleep(1)


async def _write_slowly(ground: Ground, person: Person) -> None:
    """The same of a body."""
    auth = {b"Authorization": b"Bearer " + person.token.encode()}
    sent = request(body=b'{"title": "comes in time"}', headers=auth)
    head = sent[: sent.index(b"{")]
    async with connected(ground.port) as (_, writer):
        await send(writer, head)
        for byte in sent[len(head) :]:
            await send(writer, bytes([byte]))
            await asyncio.sleep(1)


@asynccontextmanager
async def _held(ground: Ground, workspace_id: int) -> AsyncIterator[None]:
    """Whoever writes there has to wait."""
    async with ground.connection() as connection:
        holding: asyncpg.transaction.Transaction = connection.transaction()
        async with holding:
            await connection.execute(
                "SELECT FROM workspace_counters WHERE workspace_id = $1 FOR UPDATE", workspace_id
            )
            yield


async def _is_idle(ground: Ground) -> bool:
    return not await _connections(ground, "AND state <> 'idle'")


async def _connections(ground: Ground, condition: str = "") -> int:
    """Of the server."""
    await ground.database.engine.dispose()
    async with ground.connection() as connection:
        count: int = await connection.fetchval(
            f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dutiful' {condition}"
        )
    return count


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def _now() -> float:
    return asyncio.get_running_loop().time()
