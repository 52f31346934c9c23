"""Whatever is killed, what was answered is there, once and whole, and the feed tells of it."""

import asyncio
import random

from tests.faults.figures import Figures
from tests.faults.followers import Follower, Poller, Streamer, missed, out_of_order, told_twice
from tests.faults.ground import Ground
from tests.faults.ledger import Ledger

CLIENTS = 8
SHORT_KILLS = 3
LONG_KILLS = 201
RECOVERY = 5.0


async def test_nothing_is_lost_by_kills(ground: Ground, is_long: bool, figures: Figures) -> None:
    await ground.serve()
    person = await ground.new_person("Ana")
    start = (await person.get("/changes", params={"limit": 1})).json()["next_cursor"]
    ledger, streamer = Ledger(person), Streamer(person, start)
    followers: list[Follower] = [Poller(person, start), streamer]
    dice = random.Random(7)  # noqa: S311 - no secret
    running = [asyncio.create_task(ledger.run(CLIENTS, seed=7))]
    running += [asyncio.create_task(follower.run()) for follower in followers]
    recoveries: dict[str, list[float]] = {"server": [], "backend": [], "postmaster": []}
    for number in range(LONG_KILLS if is_long else SHORT_KILLS):
        await asyncio.sleep(0.3 + dice.random() * 0.7)
        what = list(recoveries)[number % 3]
        if what == "server":
            await ground.kill_server()
        elif what == "backend":
            await ground.kill_backend(dice)
        else:
            await ground.kill_postmaster()
        recoveries[what].append(await ground.until_written(person))
    ledger.is_stopped = True
    await running[0]
    truth = await ledger.check(ground.database)
    expected = truth.changes[1:]

    async def all_is_told() -> bool:
        return not any(missed(follower, expected) for follower in followers)

    await ground.until(all_is_told)
    for follower in followers:
        follower.is_stopped = True
    # So that the stream has one more event to end after.
    await person.make("/tasks", title="the last")
    async with asyncio.timeout(30):
        await asyncio.gather(*running)

    kills = sum(map(len, recoveries.values()))
    figures.tell("durable", kills=kills, acknowledged=ledger.acknowledged, cut_off=ledger.cut)
    figures.none("durable", lost=truth.lost, unexpected_answers=ledger.unexpected)
    figures.none("all or nothing", partial_batches=truth.partial_batches)
    figures.none("once", done_twice=truth.done_twice)
    figures.none("no lost update", lost_updates=truth.lost_updates)
    figures.none("feed", holes=truth.holes, tables_that_differ_from_the_journal=truth.differences)
    for name, follower in zip(("poller", "stream"), followers, strict=True):
        figures.none(
            f"feed, {name}",
            missed=missed(follower, expected),
            told_twice=told_twice(follower),
            out_of_order=out_of_order(follower),
        )
    figures.tell("feed, stream", connections=streamer.connections)
    for what, seconds in recoveries.items():
        figures.within(f"back after a killed {what}", "to a write", max(seconds), RECOVERY)
    figures.check()
