"""What becomes of requests when the way to the database fails: answers of COMMIT that are lost, a network that is silent."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select
from tests.faults.figures import Figures
from tests.faults.ground import Ground
from tests.faults.ledger import Ledger, tell
from tests.support.people import Person
from tests.support.plain import PLAIN
from tests.support.proxy import CommitCuttingProxy, Fault, proxied

from dutiful.models import Task

DUPLICATES = 30
COMMAND_TIMEOUT = 1.5
DEADLINE = 6.0


@pytest.fixture
async def proxy(ground: Ground) -> AsyncIterator[CommitCuttingProxy]:
    """Between the server and PostgreSQL."""
    async with proxied(ground.url) as (proxy, url):
        ground.url = url.render_as_string(hide_password=False)
        ground.environment |= {
            "DUTIFUL_DB_COMMAND_TIMEOUT": str(COMMAND_TIMEOUT),
            "DUTIFUL_REQUEST_TIMEOUT": str(DEADLINE),
            "DUTIFUL_DB_CONNECT_TIMEOUT": "2",
            "DUTIFUL_DB_POOL_TIMEOUT": "2",
        }
        await ground.serve()
        yield proxy
        ground.stop_serving()


# --- once -------------------------------------------------------------------------------------------------------------


async def test_a_key_has_one_effect_whatever_becomes_of_the_commit(
    ground: Ground, proxy: CommitCuttingProxy, is_long: bool, figures: Figures
) -> None:
    person = await ground.new_person("Ana")
    dice = random.Random(3)  # noqa: S311 - no secret
    titles = [f"once-{uuid.uuid4()}" for _ in range(150 if is_long else 6)]
    repeated, other_bodies = 0, Counter[int]()
    for number, title in enumerate(titles):
        is_plain = number % 2 == 0
        # A statement of the express lane commits itself; it is known by what it writes.
        proxy.mark = b"COMMIT;" if is_plain else title.encode()
        proxy.fault = list(Fault)[number // 2 % 3]
        body = {"title": title, **(PLAIN if is_plain else {})}
        headers = {"Idempotency-Key": title}
        duplicates = DUPLICATES if dice.random() < 0.1 else 1
        repeated += sum(
            await asyncio.gather(*(_until_answered(person, body, headers) for _ in range(duplicates)))
        )
        another = await person.post("/tasks", {**body, "title": "another"}, headers=headers)
        other_bodies[another.status_code] += 1
    counts = await _counts(ground, person)
    figures.tell(
        "once", keys=len(titles), faults_at_the_commit=proxy.faults_done, repeated_by_clients=repeated
    )
    figures.none(
        "once",
        keys_without_effect=sum(counts[title] == 0 for title in titles),
        keys_with_more_than_one_effect=sum(counts[title] > 1 for title in titles),
        keys_that_took_another_body=sum(other_bodies.values()) - other_bodies[422],
    )
    figures.at_least("once", "faults at the commit", proxy.faults_done, len(titles) * 0.9)
    figures.check()


async def _until_answered(person: Person, body: dict[str, object], headers: dict[str, str]) -> int:
    """How often it had to be repeated."""
    for times in range(50):
        answer = await person.post("/tasks", body, headers=headers)
        if answer.status_code == 201:
            return times
        # 409: the same request is on its way still.
        assert answer.status_code in {409, 503}, answer.text
        await asyncio.sleep(0.05)
    raise AssertionError("was never answered")


async def _counts(ground: Ground, person: Person) -> Counter[str]:
    async with ground.database.read() as session:
        return Counter(
            await session.scalars(select(Task.title).where(Task.workspace_id == person.workspace_id))
        )


# --- a silent network -------------------------------------------------------------------------------------------------


async def test_a_silent_network_holds_nobody_beyond_the_deadline(
    ground: Ground, proxy: CommitCuttingProxy, is_long: bool, figures: Figures
) -> None:
    ledger = Ledger(await ground.new_person("Ana"))
    writing = asyncio.create_task(ledger.run(6, seed=5))
    back, health, asked = [], 0, 0
    for _ in range(6 if is_long else 1):
        await asyncio.sleep(0.5)
        proxy.lets_through.clear()
        for _ in range(10):
            asked += 1
            health += await ground.answers("/healthz")
            await asyncio.sleep(0.3)
        proxy.lets_through.set()
        back.append(await ground.until_written(ledger.person))
    ledger.is_stopped = True
    async with asyncio.timeout(DEADLINE * 2):
        await writing
    truth = await ledger.check(ground.database)
    figures.tell("silent network", cuts=len(back))
    tell(figures, "silent network", ledger, truth)
    figures.none("silent network", health_checks_without_an_answer=asked - health)
    figures.within("silent network", "slowest answer", ledger.slowest, DEADLINE + 1)
    figures.within("silent network", "to a write once it is back", max(back), 5.0)
    figures.check()
