"""The live feed, over real sockets: what is told, to whom, and from where on."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import URL, delete, update
from tests.support.live import Events, Live, serving
from tests.support.people import Person
from tests.support.problems import pointers, problem
from tests.support.servers import connections_in_use
from tests.support.sharing import disable, share

from dutiful.access import get_for_write
from dutiful.api import stream as door
from dutiful.changes import journal
from dutiful.changes import live as live_module
from dutiful.changes.cursor import decode_cursor, encode_cursor
from dutiful.database.session import Database, Writer, run_before_commit
from dutiful.models import Change, Token, Workspace, WorkspaceCounter
from dutiful.settings import Settings


@pytest.fixture(scope="module")
async def live(settings: Settings, database_url: URL) -> AsyncIterator[Live]:
    async with serving(settings, database_url) as live:
        yield live


async def rename(person: Person, workspace_id: int, *names: str) -> None:
    for name in names:
        response = await person.patch(f"/workspaces/{workspace_id}", {"name": name})
        assert response.status_code == 200, response.text


async def position(person: Person) -> str:
    page = (await person.get("/changes", params={"after": "latest"})).json()
    assert (page["items"], page["count"]) == ([], 0)
    return str(page["next_cursor"])


# --- what is told -----------------------------------------------------------------------------------------------------


async def test_a_change_arrives_as_the_feed_has_it(live: Live, ana: Person) -> None:
    ana = live.serve(ana)
    before = await position(ana)
    async with live.follow(ana) as events:
        assert events.last_id == before
        await rename(ana, ana.workspace_id, "Äpfel\nund Birnen")
        event = await events.next("change")
    page = (await ana.get("/changes", params={"after": before})).json()
    assert event.data == page["items"][0]
    assert event.id == page["next_cursor"]
    assert event.data["after"] == {"name": "Äpfel\nund Birnen"}


async def test_the_answer_says_what_proxies_must_know(live: Live, ana: Person) -> None:
    async with live.follow(ana) as events:
        assert events.status == 200
        assert events.headers["content-type"].startswith("text/event-stream")
        assert events.headers["cache-control"] == "no-store"
        assert events.headers["x-accel-buffering"] == "no"
        assert "content-length" not in events.headers


async def test_latest_is_where_the_feed_goes_on(ana: Person) -> None:
    cursor = await position(ana)
    await rename(ana, ana.workspace_id, "new")
    page = (await ana.get("/changes", params={"after": cursor})).json()
    assert [change["after"] for change in page["items"]] == [{"name": "new"}]


async def test_without_a_cursor_only_what_is_new_is_told(live: Live, ana: Person) -> None:
    ana = live.serve(ana)
    await rename(ana, ana.workspace_id, "old")
    for params in ({}, {"after": "latest"}):
        async with live.follow(ana, **params) as events:
            await rename(ana, ana.workspace_id, "new", "newer")
            names = [(await events.next("change")).data["after"]["name"] for _ in range(2)]
        assert names == ["new", "newer"]
        await rename(ana, ana.workspace_id, "old")


async def test_a_stream_resumes_behind_the_last_event(live: Live, ana: Person) -> None:
    ana = live.serve(ana)
    async with live.follow(ana) as events:
        # It has got nothing but its position.
        nothing_seen = events.last_id
        await rename(ana, ana.workspace_id, "a", "b", "c")
        await events.changes(1)
        one_seen = events.last_id
    assert nothing_seen is not None
    for options in ({"last_id": one_seen}, {"last_id": one_seen, "after": nothing_seen}, {"after": one_seen}):
        async with live.follow(ana, **options) as events:  # type: ignore[arg-type]
            assert await events.changes(2) == [(ana.workspace_id, 5), (ana.workspace_id, 6)]
            await rename(ana, ana.workspace_id, "d")
            assert (await events.next("change")).data["after"] == {"name": "d"}
            await rename(ana, ana.workspace_id, "c")
        seqs = [
            change["seq"]
            for change in (await ana.get("/changes", params={"after": one_seen})).json()["items"]
        ]
        assert seqs[:2] == [5, 6]
    async with live.follow(ana, nothing_seen) as events:
        assert await events.changes(3) == [(ana.workspace_id, seq) for seq in (4, 5, 6)]


async def test_all_workspaces_are_told_in_one_stream(live: Live, ana: Person, bob: Person) -> None:
    ana, bob = live.serve(ana), live.serve(bob)
    first, second = await share(ana, bob), await share(bob, ana, role="viewer")
    async with live.follow(ana) as events:
        for workspace_id, person, name in ((first, ana, "a"), (second, bob, "b"), (first, ana, "c")):
            await rename(person, workspace_id, name)
            assert (await events.next("change")).data["workspace_id"] == workspace_id
        assert set(decode_cursor(events.last_id or "")) == {ana.workspace_id, first, second}


async def test_a_long_way_back_is_told_from_pages_and_then_live(
    live: Live, ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "PAGE", 3)
    ana = live.serve(ana)
    start = encode_cursor({ana.workspace_id: 0})
    await rename(ana, ana.workspace_id, *map(str, range(10)))
    async with live.follow(ana, start) as events:
        await rename(ana, ana.workspace_id, *map(str, range(10, 20)))
        assert await events.changes(23) == [(ana.workspace_id, seq) for seq in range(1, 24)]


async def test_more_than_the_reader_reads_at_once_arrives_in_order(
    live: Live, ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "MOST_CHANGES", 2)
    ana = live.serve(ana)
    async with live.follow(ana) as events:
        tasks = [{"title": str(number)} for number in range(25)]
        assert (await ana.post("/tasks/batch", tasks)).status_code == 201
        assert await events.changes(25) == [(ana.workspace_id, seq) for seq in range(4, 29)]


async def test_a_quiet_stream_is_kept_alive(live: Live, ana: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "HEARTBEAT_SECONDS", 0.02)
    ana = live.serve(ana)
    async with live.follow(ana) as events:
        await events.until_comment()
        await events.until_comment()
        await rename(ana, ana.workspace_id, "x")
        assert (await events.next("change")).data["after"] == {"name": "x"}


async def test_what_another_process_wrote_without_a_word_is_found(
    live: Live, ana: Person, database: Database
) -> None:
    """As behind a PgBouncer, or when the command line writes: `ana` speaks to another application here."""
    async with live.follow(ana) as events:
        await rename(ana, ana.workspace_id, "a", "b")
        assert await events.changes(2) == [(ana.workspace_id, 4), (ana.workspace_id, 5)]


# --- what cannot be told ----------------------------------------------------------------------------------------------


async def forget(database: Database, workspace_id: int, up_to: int) -> None:
    old = delete(Change).where(Change.workspace_id == workspace_id, Change.seq <= up_to)

    async def work(session: Writer) -> None:
        await session.execute(old)

    await database.write(work)


async def test_a_position_that_is_not_kept_is_gone_before_the_stream_begins(
    live: Live, ana: Person, database: Database
) -> None:
    ana = live.serve(ana)
    await rename(ana, ana.workspace_id, "a", "b")
    await forget(database, ana.workspace_id, up_to=4)
    old = {"Last-Event-ID": encode_cursor({ana.workspace_id: 3})}
    document = problem(await ana.get("/changes/stream", headers=old), 410, "gone")
    assert document["workspace_ids"] == [ana.workspace_id]
    async with live.follow(ana, document["next_cursor"]) as events:
        await rename(ana, ana.workspace_id, "c")
        assert await events.changes(1) == [(ana.workspace_id, 6)]


async def test_a_stream_whose_changes_were_cleared_away_says_so_and_ends(live: Live, ana: Person) -> None:
    async def leave_a_hole(session: Writer) -> None:
        workspace = await get_for_write(session, ana.actor(), Workspace, ana.workspace_id)
        before = workspace.state()
        workspace.name = "never told"
        journal.record(session, ana.actor(), "workspace.updated", workspace, before)
        await run_before_commit(session)
        hole = Change.workspace_id == ana.workspace_id
        await session.execute(delete(Change).where(hole, Change.seq == 4))

    async with live.follow(ana) as events:
        await live.database.write(leave_a_hole)
        await rename(live.serve(ana), ana.workspace_id, "told")
        end = await events.next("end")
        assert (end.data["code"], end.data["workspace_ids"]) == ("gone", [ana.workspace_id])
        assert decode_cursor(end.data["next_cursor"]) == {ana.workspace_id: 5}
        assert end.id is None
        assert await events.is_over()


async def test_a_journal_that_went_back_in_time_ends_the_stream(live: Live, ana: Person) -> None:
    """As after a standby took over that had not got the last commits."""
    ana = live.serve(ana)
    async with live.follow(ana) as events:
        await rename(ana, ana.workspace_id, "lost")
        await events.changes(1)

        async def go_back(session: Writer) -> None:
            lost = Change.workspace_id == ana.workspace_id
            await session.execute(delete(Change).where(lost, Change.seq == 4))
            counter = WorkspaceCounter
            await session.execute(
                update(counter).where(counter.workspace_id == ana.workspace_id).values(seq=3)
            )

        await live.database.write(go_back)
        assert (await events.next("end")).data["code"] == "gone"
    problem(await ana.get("/changes/stream", params={"after": events.last_id or ""}), 410, "gone")


async def test_junk_instead_of_a_cursor_is_refused(live: Live, ana: Person) -> None:
    ana = live.serve(ana)
    assert pointers(await ana.get("/changes/stream", params={"after": "junk"})) == ["/after"]
    problem(await ana.get("/changes/stream", headers={"Last-Event-ID": "junk"}), 422)


# --- to whom ----------------------------------------------------------------------------------------------------------


async def test_strangers_follow_nothing(live: Live, ana: Person) -> None:
    problem(await live.client.get("/api/v1/changes/stream"), 401)
    problem(await live.serve(ana).with_token("dtf_nobody").get("/changes/stream"), 401)


async def test_a_workspace_of_strangers_in_a_cursor_is_dropped(live: Live, ana: Person, bob: Person) -> None:
    cursor = encode_cursor({ana.workspace_id: 0, bob.workspace_id: 3})
    async with live.follow(bob, cursor) as events:
        assert events.last_id is not None
        assert decode_cursor(events.last_id) == {bob.workspace_id: 3}
        await rename(live.serve(ana), ana.workspace_id, "secret")
        await rename(live.serve(bob), bob.workspace_id, "mine")
        assert await events.changes(1) == [(bob.workspace_id, 4)]


async def test_joining_brings_the_whole_workspace_and_then_what_happens_there(
    live: Live, ana: Person, bob: Person
) -> None:
    ana, bob = live.serve(ana), live.serve(bob)
    async with live.follow(bob) as events:
        workspace_id = await share(ana, bob)
        told = await events.changes(5)
        assert sorted(told) == sorted([(bob.workspace_id, 4), *((workspace_id, seq) for seq in range(1, 5))])
        await rename(ana, workspace_id, "x")
        assert await events.changes(1) == [(workspace_id, 5)]
        assert decode_cursor(events.last_id or "") == {bob.workspace_id: 4, workspace_id: 5}


async def test_who_left_is_told_so_and_nothing_more(live: Live, ana: Person, bob: Person) -> None:
    ana, bob = live.serve(ana), live.serve(bob)
    workspace_id = await share(ana, bob)
    async with live.follow(bob) as events:
        await ana.delete(f"/workspaces/{workspace_id}/members/{bob.user_id}")
        async with asyncio.timeout(5):
            while workspace_id in live.feed._followed:  # noqa: ASYNC110 - what sets no event
                await asyncio.sleep(0.01)
        await rename(ana, workspace_id, "secret")
        await rename(bob, bob.workspace_id, "mine")
        told = [await events.next("change")]
        while told[-1].data["after"] != {"name": "mine"}:
            told.append(await events.next("change"))
        # That he goes is told in the workspace as well, while he is still trusted.
        assert {event.data["verb"] for event in told[:-1]} <= {"member.removed", "workspace.left"}
        assert told[-2].data["verb"] == "workspace.left" or told[-3].data["verb"] == "workspace.left"
        assert set(decode_cursor(events.last_id or "")) == {bob.workspace_id}


async def test_nothing_is_told_on_rights_that_were_read_long_ago(
    live: Live, ana: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the database is slow, streams wait rather than trust."""
    ana, bob = live.serve(ana), live.serve(bob)
    workspace_id = await share(ana, bob)
    async with live.follow(bob) as events:
        monkeypatch.setattr(live_module, "TRUST_SECONDS", -1_000_000)
        await rename(ana, workspace_id, "secret")
        await ana.delete(f"/workspaces/{workspace_id}/members/{bob.user_id}")
        async with asyncio.timeout(5):
            while workspace_id in live.feed._followed:  # noqa: ASYNC110 - what sets no event
                await asyncio.sleep(0.01)
        monkeypatch.undo()
        event = await events.next("change")
        assert (event.data["workspace_id"], event.data["verb"]) == (bob.workspace_id, "workspace.left")


@pytest.mark.parametrize("cause", ["revoked", "expired", "disabled"])
async def test_a_token_that_is_not_valid_any_more_ends_its_streams(
    live: Live, ana: Person, database: Database, cause: str
) -> None:
    ana = live.serve(ana)
    made = await ana.make("/tokens", name="laptop", scopes=["read"])

    async def expire(session: Writer) -> None:
        token = Token.id == made["id"]
        await session.execute(update(Token).where(token).values(expires_at=Token.created_at))

    async with live.follow(ana.with_token(made["token"])) as events:
        if cause == "revoked":
            assert (await ana.delete(f"/tokens/{made['id']}")).status_code == 204
        elif cause == "expired":
            await database.write(expire)
        else:
            await disable(database, ana)
        end = await events.next("end")
        assert end.data["code"] == "unauthenticated"
        assert await events.is_over()


async def test_one_person_has_only_so_many_streams(
    live: Live, ana: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "MOST_STREAMS_OF_A_PERSON", 2)
    ana = live.serve(ana)
    async with live.follow(ana):
        async with live.follow(ana):
            document = problem(await ana.get("/changes/stream"), 429, "too_many_requests")
            assert "2 streams" in document["detail"]
            async with live.follow(live.serve(bob)):
                pass
        async with asyncio.timeout(5):
            while live.feed._of_person[ana.user_id] > 1:  # noqa: ASYNC110 - what sets no event
                await asyncio.sleep(0.01)
        async with live.follow(ana):
            pass


def test_a_line_break_cannot_end_an_event() -> None:
    assert b"\n" not in json.dumps({"name": "a\nb"}).encode()


# --- what it costs ----------------------------------------------------------------------------------------------------


async def test_streams_hold_no_connection(settings: Settings, database_url: URL, ana: Person) -> None:
    small = settings.model_copy(update={"db_pool_size": 2})
    async with serving(small, database_url) as live:
        served = live.serve(ana)
        followers: list[Any] = [live.follow(ana) for _ in range(20)]
        streams: list[Events] = [await follower.__aenter__() for follower in followers]
        await rename(served, ana.workspace_id, "x")
        for events in streams:
            assert await events.changes(1) == [(ana.workspace_id, 4)]
        for follower in followers:
            await follower.__aexit__(None, None, None)
        await live.until_nobody_follows()
        assert connections_in_use(live.database) == 0


async def test_open_streams_are_counted(live: Live, ana: Person) -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("dutiful_streams_open") or 0.0

    before = count()
    async with live.follow(ana), live.follow(ana):
        assert count() == before + 2
    await live.until_nobody_follows()
    assert count() == before
