"""Live feeds under everything at once: writers, clients that come and go or do not read, processes that stop."""

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import URL
from tests.conftest import MakePerson
from tests.support.live import Events, Live, serving
from tests.support.people import Person
from tests.support.sharing import admit, share
from tests.support.statements import count_statements
from tests.support.writers import WRITERS, all_changes, write

from dutiful.api import stream as door_module
from dutiful.changes import live as live_module
from dutiful.changes import stream as stream_module
from dutiful.changes import wakeups as wakeups_module
from dutiful.changes.cursor import encode_cursor
from dutiful.database.engine import create_engine
from dutiful.database.session import Database
from dutiful.settings import Settings


@pytest.fixture(scope="module")
def patient(settings: Settings) -> Settings:
    """The writers hold their locks on purpose."""
    return settings.model_copy(update={"db_lock_timeout": 15.0})


@pytest.fixture(scope="module")
async def live(patient: Settings, database_url: URL) -> AsyncIterator[Live]:
    async with serving(patient, database_url) as live:
        yield live


@pytest.fixture(scope="module")
async def elsewhere(patient: Settings, database_url: URL) -> AsyncIterator[Database]:
    """The database as another process has it, one that tells nobody of its commits."""
    database = Database(create_engine(patient, database_url))
    yield database
    await database.close()


async def rename(person: Person, workspace_id: int, *names: str) -> None:
    for name in names:
        response = await person.patch(f"/workspaces/{workspace_id}", {"name": name})
        assert response.status_code == 200, response.text


# --- nothing missed, nothing twice ------------------------------------------------------------------------------------


async def follow(
    live: Live, person: Person, workspace_ids: list[int], last_id: str | None, seed: int
) -> list[tuple[int, int]]:
    """Hangs up at random, whatever is on its way by then, and resumes behind the last event. Until the last change of
    each workspace."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    seen: list[tuple[int, int]] = []
    open_ends = set(workspace_ids)
    while open_ends:
        async with live.follow(person, last_id) as events:
            for _ in range(chance.randint(1, 30)):
                event = await events.next("change")
                seen.append(event.change)
                if event.data["after"] == {"name": "the end"}:
                    open_ends.remove(event.data["workspace_id"])
                if not open_ends:
                    break
            last_id = events.last_id
    return seen


@pytest.mark.parametrize("tells", [True, False])
async def test_streams_that_come_and_go_miss_nothing_and_see_nothing_twice(
    live: Live, ana: Person, bob: Person, elsewhere: Database, tells: bool
) -> None:
    """Once with the writers in the same process, once in another."""
    workspace_ids = [await share(ana, bob) for _ in range(3)]
    writers = live.database if tells else elsewhere
    start = encode_cursor({bob.workspace_id: 6, **dict.fromkeys(workspace_ids, 0)})
    following = asyncio.gather(*(follow(live, bob, workspace_ids, start, seed) for seed in range(6)))
    await asyncio.gather(*(write(writers, ana, workspace_ids, seed) for seed in range(WRITERS)))
    for workspace_id in workspace_ids:
        await rename(live.serve(ana) if tells else ana, workspace_id, "the end")
    expected = await all_changes(elsewhere, workspace_ids)
    for seen in await following:
        assert sorted(seen) == expected
        for workspace_id in workspace_ids:
            seqs = [seq for of_workspace, seq in seen if of_workspace == workspace_id]
            assert seqs == list(range(1, len(seqs) + 1))


async def test_memberships_that_come_and_go_do_not_tear_the_stream(
    live: Live, ana: Person, bob: Person
) -> None:
    """Each time he is told the whole of it, or goes on where he was; never with a hole, and home goes on as ever."""
    ana, bob = live.serve(ana), live.serve(bob)
    workspace_id = await share(ana)
    members = f"/workspaces/{workspace_id}/members"
    async with live.follow(bob) as events:
        for number in range(6):
            await admit(ana, workspace_id, bob)
            await asyncio.sleep(number * 0.1)
            await rename(ana, workspace_id, str(number))
            assert (await ana.delete(f"{members}/{bob.user_id}")).status_code == 204
        await rename(bob, bob.workspace_id, "the end")
        told = [await events.next("change")]
        while told[-1].data["after"] != {"name": "the end"}:
            told.append(await events.next("change"))
    home = [event.data["seq"] for event in told if event.data["workspace_id"] == bob.workspace_id]
    assert home == list(range(4, 4 + 12 + 1))
    reached = 0
    for event in told:
        if event.data["workspace_id"] == workspace_id:
            assert event.data["seq"] in {1, reached + 1}
            reached = event.data["seq"]


# --- clients that do not read -----------------------------------------------------------------------------------------


async def test_a_client_that_does_not_read_holds_up_nobody_and_little_memory(
    live: Live, ana: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "MOST_WAITING", 10)
    ana = live.serve(ana)
    workspace_id = await share(ana, bob)
    inbox_id = (await ana.get(f"/workspaces/{workspace_id}")).json()["inbox_id"]
    start = encode_cursor(dict.fromkeys([ana.workspace_id, workspace_id], 4))
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        narrow.setblocking(False)  # noqa: FBT003 - it has no keyword
        await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", live.port))
        sleeper = await Events.open(live.port, ana, {"Last-Event-ID": start}, {}, sock=narrow, limit=1024)
        asleep = live.stream_of(ana)
        async with live.follow(bob, encode_cursor({bob.workspace_id: 4, workspace_id: 4})) as reader:
            for _ in range(4):
                tasks = [
                    {"title": "x", "description": "x" * 50_000, "project_id": inbox_id} for _ in range(50)
                ]
                assert (await ana.post("/tasks/batch", tasks)).status_code == 201
                await reader.changes(50)
                assert len(asleep._waiting) <= 10
        # Ten megabytes are more than the sockets between the two take.
        assert asleep.is_behind
        await sleeper.next("position")
        assert await sleeper.changes(200) == [(workspace_id, seq) for seq in range(5, 205)]
        sleeper.close()


async def test_a_client_that_takes_nothing_for_long_is_hung_up_on(
    live: Live, ana: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(door_module, "PATIENCE_SECONDS", 0.1)
    ana = live.serve(ana)
    start = encode_cursor({ana.workspace_id: 3})
    for _ in range(4):
        tasks = [{"title": "x", "description": "x" * 50_000} for _ in range(50)]
        assert (await ana.post("/tasks/batch", tasks)).status_code == 201
    with caplog.at_level(logging.WARNING):
        sleeper = await Events.open(live.port, ana, {"Last-Event-ID": start}, {}, limit=1024)
        await live.until_nobody_follows()
    assert "took nothing" in caplog.text
    sleeper.close()


async def test_whoever_hangs_up_leaves_nothing_behind(live: Live, ana: Person) -> None:
    ana = live.serve(ana)
    for _ in range(3):
        async with live.follow(ana), live.follow(ana):
            await rename(ana, ana.workspace_id, "x")
            assert len(live.feed._tasks) == 2
        await live.until_nobody_follows()
        assert not live.feed._tasks


# --- the process stops ------------------------------------------------------------------------------------------------


async def test_a_server_that_stops_ends_its_streams_at_once(
    settings: Settings, database_url: URL, ana: Person
) -> None:
    async with serving(settings, database_url) as live, live.follow(ana) as events:
        live.server.should_exit = True
        end = await events.next("end")
        assert end.data["code"] == "unavailable"
        assert await events.is_over()


@pytest.mark.parametrize("by", ["the server", "the client"])
async def test_a_stream_ends_while_it_waits_for_a_database_that_is_away(
    settings: Settings, database_url: URL, ana: Person, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Nobody reads its rights meanwhile, and without them it sends nothing."""
    monkeypatch.setattr(live_module, "WATCH_SECONDS", 1000)
    async with serving(settings, database_url) as live:
        async with live.follow(ana) as events:
            monkeypatch.setattr(live_module, "TRUST_SECONDS", -1_000_000)
            await rename(live.serve(ana), ana.workspace_id, "news")
            await asyncio.sleep(0.2)
            assert live.stream_of(ana).is_waiting
            if by == "the server":
                live.feed.end_all()
                assert (await events.next("end")).data["code"] == "unavailable"
        async with asyncio.timeout(10):
            await live.until_nobody_follows()


# --- several processes ------------------------------------------------------------------------------------------------


@pytest.fixture
def several(settings: Settings) -> Settings:
    return settings.model_copy(update={"workers": 2})


@pytest.fixture
def only_wakeups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found by looking."""
    monkeypatch.setattr(live_module, "WATCH_SECONDS", 1000)
    monkeypatch.setattr(live_module, "TRUST_SECONDS", 1000)


@pytest.mark.usefixtures("only_wakeups")
async def test_one_process_is_told_of_the_commits_of_another(
    several: Settings, database_url: URL, ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        serving(several, database_url) as here,
        serving(several, database_url) as there,
        here.follow(ana) as events,
    ):
        # Whatever is written before it listens is found when it does.
        await rename(there.serve(ana), ana.workspace_id, "a")
        assert await events.changes(1) == [(ana.workspace_id, 4)]
        await rename(there.serve(ana), ana.workspace_id, "b", "c")
        assert await events.changes(2) == [(ana.workspace_id, 5), (ana.workspace_id, 6)]
        # More names than fit in a notification.
        monkeypatch.setattr(wakeups_module, "MOST_BYTES", 5)
        await rename(there.serve(ana), ana.workspace_id, "d")
        assert await events.changes(1) == [(ana.workspace_id, 7)]


async def test_where_nothing_can_be_heard_the_feed_goes_on_by_looking(
    several: Settings,
    database_url: URL,
    ana: Person,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A PgBouncer in transaction mode says yes to LISTEN, and nothing ever comes."""

    async def lose(*_: object) -> None:
        """What would have been sent."""

    monkeypatch.setattr(wakeups_module, "SECONDS_FOR_PROOF", 0.05)
    monkeypatch.setattr(wakeups_module, "SECONDS_WHEN_DEAF", 0.05)
    monkeypatch.setattr(wakeups_module, "_notify", lose)
    async with serving(several, database_url) as here, serving(several, database_url) as there:
        with caplog.at_level(logging.WARNING, wakeups_module.__name__):
            async with here.follow(ana) as events:
                for number in range(3):
                    await rename(there.serve(ana), ana.workspace_id, str(number))
                    assert await events.changes(1) == [(ana.workspace_id, 4 + number)]
        assert caplog.text.count("LISTEN brings nothing") == 1


# --- what it costs ----------------------------------------------------------------------------------------------------


async def test_many_streams_are_watched_over_with_three_statements(
    live: Live, ana: Person, bob: Person, new_person: MakePerson
) -> None:
    people = [ana, bob, *[await new_person("Guest") for _ in range(4)]]
    await share(ana, *people[1:])
    async with AsyncExitStack() as stack:
        for person in people:
            for _ in range(3):
                await stack.enter_async_context(live.follow(person))
        with count_statements(live.database) as statements:
            async with live.database.read() as session:
                state = await live.feed._read_state(session, live.feed._streams)
        assert len(state.memberships) == len(people)
        assert len(statements) == 3


async def test_a_change_is_read_once_for_all_streams(
    live: Live, ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "WATCH_SECONDS", 1000)
    monkeypatch.setattr(live_module, "TRUST_SECONDS", 1000)
    ana = live.serve(ana)
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(live.follow(ana)) for _ in range(10)]
        await rename(ana, ana.workspace_id, "before")
        for events in streams:
            await events.changes(1)
        with count_statements(live.database) as statements:
            await rename(ana, ana.workspace_id, "after")
            for events in streams:
                await events.changes(1)
        assert len([one for one in statements if "FROM changes" in one and "LATERAL" in one]) == 1
