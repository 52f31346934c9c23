"""Chores, on a database of their own: they clear away whatever is old, whoever's it is."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from tests.support.journals import changes_of, tasks_of
from tests.support.people import Person, make_person
from tests.support.problems import problem
from tests.support.replaying import replay, state_of_tables
from tests.support.servers import Server, running
from tests.support.sharing import make_shared

from dutiful import clock
from dutiful.database import migrate
from dutiful.database.base import Base
from dutiful.database.embedded import EmbeddedPostgres
from dutiful.database.engine import create_engine
from dutiful.database.session import Database, Writer
from dutiful.models import (
    Change,
    Chore,
    IdempotencyKey,
    ImportRecord,
    Invitation,
    Label,
    PasswordReset,
    Project,
    Role,
    Section,
    SignInThrottle,
    Task,
    Token,
    TokenKind,
    Workspace,
)
from dutiful.settings import Settings
from dutiful.workers import bites, expiry, housekeeping, purging

LATER = timedelta(days=31)
SETTINGS = Settings(db_lock_timeout=0.2, db_pool_size=5)


@pytest.fixture(scope="module")
async def url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    name = f"housekeeping_{os.getpid()}"
    url = postgres.url.replace("/dutiful?", f"/{name}?")
    await execute(postgres.url, f"CREATE DATABASE {name}")
    engine = create_engine(SETTINGS, url)
    await migrate.upgrade(engine)
    await engine.dispose()
    yield url
    await execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


async def execute(url: str, statement: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))


@pytest.fixture
async def server(url: str) -> AsyncIterator[Server]:
    async with running(SETTINGS, url) as server:
        yield server


@pytest.fixture
def database(server: Server) -> Database:
    return server.database


@pytest.fixture
async def ana(server: Server) -> Person:
    return await make_person(server.database, server.client, "Ana")


Turn = Callable[[timedelta], None]


@pytest.fixture
def turn_clock(monkeypatch: pytest.MonkeyPatch) -> Turn:
    return lambda ahead: monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + ahead)


async def count(database: Database, thing: type[Base], *conditions: Any) -> int:
    async with database.read() as session:
        found: int | None = await session.scalar(select(func.count()).select_from(thing).where(*conditions))
    return found or 0


async def delete(person: Person, path: str) -> None:
    assert (await person.delete(path)).status_code == 204


# --- the trash --------------------------------------------------------------------------------------------------------


async def test_what_was_in_the_trash_for_its_days_goes_and_nothing_else(
    ana: Person, database: Database, turn_clock: Turn
) -> None:
    project = await ana.make("/projects", name="Old plans")
    section = await ana.make("/sections", name="First", project_id=project["id"])
    task = await ana.make("/tasks", title="Inside", section_id=section["id"])
    await ana.make("/tasks", title="Below", parent_id=task["id"])
    label = await ana.make("/labels", name="old")
    living = await ana.make("/tasks", title="Living")
    recent = await ana.make("/tasks", title="Deleted lately")
    await delete(ana, f"/projects/{project['id']}")
    await delete(ana, f"/labels/{label['id']}")
    turn_clock(LATER)
    await delete(ana, f"/tasks/{recent['id']}")
    await purging.purge_trash(database, SETTINGS)
    assert [one.id for one in await tasks_of(database, ana.workspace_id)] == [living["id"], recent["id"]]
    assert await count(database, Project, Project.workspace_id == ana.workspace_id) == 1
    assert await count(database, Section, Section.workspace_id == ana.workspace_id) == 0
    assert await count(database, Label, Label.workspace_id == ana.workspace_id) == 0
    assert (await ana.post(f"/projects/{project['id']}/restore")).status_code == 404
    assert (await ana.post(f"/tasks/{recent['id']}/restore")).status_code == 200


async def test_the_journal_tells_of_it_without_the_content_and_still_gives_the_tables(
    ana: Person, database: Database, turn_clock: Turn
) -> None:
    parent = await ana.make("/tasks", title="Secret plans")
    await ana.make("/tasks", title="Their second part", parent_id=parent["id"])
    await delete(ana, f"/tasks/{parent['id']}")
    turn_clock(LATER)
    await purging.purge_trash(database, SETTINGS)
    changes = list(await changes_of(database, ana.workspace_id))
    assert [(one.verb, one.user_id, one.before, one.after) for one in changes[-2:]] == [
        ("task.purged", None, {}, None)
    ] * 2
    assert [one.seq for one in changes] == list(range(1, len(changes) + 1))
    assert replay(changes) == await state_of_tables(database, ana.workspace_id)
    feed = await ana.get(f"/workspaces/{ana.workspace_id}/changes", params={"after": len(changes) - 2})
    assert [item["verb"] for item in feed.json()["items"]] == ["task.purged"] * 2


async def test_a_group_goes_as_a_whole_even_if_it_is_larger_than_a_bite(
    ana: Person, database: Database, turn_clock: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bites, "ROWS", 3)
    project = await ana.make("/projects", name="Large")
    for number in range(8):
        await ana.make("/tasks", title=f"{number}", project_id=project["id"])
    single = await ana.make("/tasks", title="A group of its own")
    await delete(ana, f"/projects/{project['id']}")
    await delete(ana, f"/tasks/{single['id']}")
    turn_clock(LATER)
    await purging.purge_trash(database, SETTINGS)
    purged = [one for one in await changes_of(database, ana.workspace_id) if one.verb.endswith("purged")]
    assert len({one.request_id for one in purged if one.entity_id != single["id"]}) == 1
    assert len(purged) == 10
    assert len({one.request_id for one in purged}) == 2


async def test_a_living_thing_keeps_what_it_is_in(ana: Person, database: Database, turn_clock: Turn) -> None:
    """No verb leaves it so. If one did, cascading keys must not take the living along."""
    parent = await ana.make("/tasks", title="Parent")
    child = await ana.make("/tasks", title="Child", parent_id=parent["id"])
    project = await ana.make("/projects", name="Around")
    inside = await ana.make("/tasks", title="Inside", project_id=project["id"])
    for thing, one in ((Task, parent), (Project, project)):
        trashed = {"deleted_at": clock.now(), "trash_id": uuid.uuid4()}
        await database.run_aside(update(thing).where(thing.id == one["id"]).values(trashed))
    turn_clock(LATER)
    await purging.purge_trash(database, SETTINGS)
    left = [one.id for one in await tasks_of(database, ana.workspace_id)]
    assert left == [parent["id"], child["id"], inside["id"]]
    # And once nothing holds it, it goes.
    await delete(ana, f"/tasks/{child['id']}")
    turn_clock(2 * LATER)
    await purging.purge_trash(database, SETTINGS)
    assert [one.id for one in await tasks_of(database, ana.workspace_id)] == [inside["id"]]


async def test_one_that_is_stopped_in_the_middle_goes_on_the_next_time(
    ana: Person, database: Database, turn_clock: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bites, "ROWS", 1)
    monkeypatch.setattr(bites, "SECONDS_BETWEEN", 0.01)
    for number in range(6):
        task = await ana.make("/tasks", title=f"{number}")
        await delete(ana, f"/tasks/{task['id']}")
    turn_clock(LATER)
    first = asyncio.create_task(purging.purge_trash(database, SETTINGS))
    while not any(one.verb == "task.purged" for one in await changes_of(database, ana.workspace_id)):
        pass  # asking the database lets the other work
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await purging.purge_trash(database, SETTINGS)
    changes = list(await changes_of(database, ana.workspace_id))
    assert sum(one.verb == "task.purged" for one in changes) == 6
    assert replay(changes) == await state_of_tables(database, ana.workspace_id)


async def test_a_busy_workspace_does_not_keep_the_others_waiting(
    ana: Person, server: Server, database: Database, turn_clock: Turn
) -> None:
    bob = await make_person(database, server.client, "Bob")
    for person in (ana, bob):
        task = await person.make("/tasks", title="Old")
        await delete(person, f"/tasks/{task['id']}")
    turn_clock(LATER)
    async with database.engine.connect() as busy:
        await busy.execute(
            text("SELECT FROM workspace_counters WHERE workspace_id = :id FOR UPDATE"),
            {"id": ana.workspace_id},
        )
        await purging.purge_trash(database, SETTINGS)
    assert len(await tasks_of(database, ana.workspace_id)) == 1
    assert await tasks_of(database, bob.workspace_id) == []
    await purging.purge_trash(database, SETTINGS)
    assert await tasks_of(database, ana.workspace_id) == []


async def test_a_deleted_workspace_goes_with_all_it_held(
    ana: Person, server: Server, database: Database, turn_clock: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bites, "ROWS", 2)
    monkeypatch.setattr(bites, "SECONDS_BETWEEN", 0)
    bob = await make_person(database, server.client, "Bob")
    shared = await make_shared(ana, bob)
    parent = await ana.make("/tasks", title="Parent", workspace_id=shared.id)
    for number in range(3):
        parent = await ana.make("/tasks", title=f"{number}", parent_id=parent["id"], assignee_id=bob.user_id)
    await ana.make("/labels", name="here", workspace_id=shared.id)
    kept = await ana.make("/tasks", title="Elsewhere")
    deleted = await ana.make("/workspaces", name="Deleted lately")
    await delete(ana, f"/workspaces/{shared.id}")
    turn_clock(LATER)
    await delete(ana, f"/workspaces/{deleted['id']}")
    await purging.purge_workspaces(database, SETTINGS)
    assert await count(database, Workspace, Workspace.id == shared.id) == 0
    assert await count(database, Change, Change.workspace_id == shared.id) == 0
    assert await tasks_of(database, shared.id) == []
    assert await count(database, Workspace, Workspace.id == deleted["id"]) == 1
    assert (await ana.get(f"/tasks/{kept['id']}")).status_code == 200
    assert "workspace.left" in [one.verb for one in await changes_of(database, bob.workspace_id)]


async def test_a_workspace_restored_at_the_last_moment_keeps_all_it_holds(
    ana: Person, database: Database, turn_clock: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = await make_shared(ana)
    task = await ana.make("/tasks", title="Kept", workspace_id=shared.id)
    await delete(ana, f"/workspaces/{shared.id}")
    end = purging._end

    async def end_too_late(database: Database, workspace_id: int, until: datetime) -> bool:
        turn_clock(timedelta(0))
        assert (await ana.post(f"/workspaces/{shared.id}/restore")).status_code == 200
        return await end(database, workspace_id, until)

    monkeypatch.setattr(purging, "_end", end_too_late)
    turn_clock(LATER)
    assert await purging.purge_workspaces(database, SETTINGS) == 0
    assert (await ana.get(f"/tasks/{task['id']}")).status_code == 200
    assert await changes_of(database, shared.id)


async def test_a_workspace_whose_end_has_begun_is_not_restored(
    ana: Person, database: Database, turn_clock: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = await make_shared(ana)
    await delete(ana, f"/workspaces/{shared.id}")

    async def killed(database: Database, workspace_id: int) -> int:
        raise RuntimeError

    turn_clock(LATER)
    with monkeypatch.context() as patch:
        patch.setattr(purging, "_remove_tasks", killed)
        with pytest.raises(RuntimeError):
            await purging.purge_workspaces(database, SETTINGS)
    turn_clock(timedelta(0))
    problem(await ana.post(f"/workspaces/{shared.id}/restore"), 404, "not_found")
    await purging.purge_workspaces(database, SETTINGS)
    assert await count(database, Workspace, Workspace.id == shared.id) == 0


# --- what expires -----------------------------------------------------------------------------------------------------


async def test_the_journal_is_cleared_from_its_old_end_and_the_feed_says_so(
    ana: Person, database: Database, monkeypatch: pytest.MonkeyPatch, turn_clock: Turn
) -> None:
    monkeypatch.setattr(bites, "ROWS", 2)
    for number in range(3):
        await ana.make("/tasks", title=f"{number}")
    before = len(await changes_of(database, ana.workspace_id))
    turn_clock(timedelta(days=300))
    await ana.make("/tasks", title="Recent")
    turn_clock(timedelta(days=366))
    await expiry.clear_journal(database, SETTINGS)
    assert [one.seq for one in await changes_of(database, ana.workspace_id)] == [before + 1]
    path = f"/workspaces/{ana.workspace_id}/changes"
    assert problem(await ana.get(path, params={"after": 1}), 410)["code"] == "gone"
    assert (await ana.get(path, params={"after": before})).json()["count"] == 1
    # Nothing but the latest number is kept of a quiet workspace, and counting goes on from there.
    turn_clock(timedelta(days=1000))
    await expiry.clear_journal(database, SETTINGS)
    assert await changes_of(database, ana.workspace_id) == []
    await ana.make("/tasks", title="Much later")
    assert [one.seq for one in await changes_of(database, ana.workspace_id)] == [before + 2]


async def test_a_clock_that_was_wrong_makes_no_hole_in_the_journal(
    ana: Person, database: Database, turn_clock: Turn
) -> None:
    for number in range(4):
        await ana.make("/tasks", title=f"{number}")
    latest = len(await changes_of(database, ana.workspace_id))
    young = update(Change).where(Change.workspace_id == ana.workspace_id, Change.seq == latest - 1)
    await database.run_aside(young.values(at=clock.now() + timedelta(days=400)))
    turn_clock(timedelta(days=366))
    await expiry.clear_journal(database, SETTINGS)
    assert [one.seq for one in await changes_of(database, ana.workspace_id)] == [latest - 1, latest]


async def test_kept_answers_go_after_their_hours(ana: Person, database: Database) -> None:
    async def post(key: str) -> Any:
        return await ana.post("/tasks", {"title": "Once"}, headers={"Idempotency-Key": key})

    old, recent = (await post("old")).json()["id"], (await post("recent")).json()["id"]
    is_old = (IdempotencyKey.user_id == ana.user_id) & (IdempotencyKey.key == "old")
    long_ago = clock.now() - timedelta(hours=73)
    await database.run_aside(update(IdempotencyKey).where(is_old).values(created_at=long_ago))
    await expiry.clear_idempotency_keys(database, SETTINGS)
    assert (await post("recent")).json()["id"] == recent
    assert (await post("old")).json()["id"] != old


async def test_expired_sign_ins_and_links_go_after_a_day_and_others_stay(
    ana: Person, database: Database
) -> None:
    now = clock.now()
    ages = {
        "long expired": timedelta(days=2),
        "just expired": timedelta(hours=1),
        "valid": -timedelta(days=1),
    }

    def throttle(name: str, blocked: timedelta | None = None) -> SignInThrottle:
        return SignInThrottle(
            subject=f"account:{ana.user_id} {name}",
            failures=1,
            last_failure_at=now - timedelta(days=2 if name != "recent" else 0),
            blocked_until=None if blocked is None else now + blocked,
        )

    async def work(session: Writer) -> None:
        for name, age in ages.items():
            for kind in TokenKind:
                session.add(
                    Token(
                        user_id=ana.user_id,
                        name=f"{kind} {name}",
                        hash=uuid.uuid4().bytes,
                        kind=kind,
                        scopes=["read"],
                        expires_at=now - age,
                    )
                )
            session.add(PasswordReset(user_id=ana.user_id, expires_at=now - age))
            session.add(
                Invitation(
                    workspace_id=ana.workspace_id,
                    role=Role.VIEWER,
                    hash=uuid.uuid4().bytes,
                    expires_at=now - age,
                    uses_left=1,
                )
            )
        session.add_all([throttle("old"), throttle("recent"), throttle("in force", timedelta(days=1))])

    await database.write(work)
    for clear in (
        expiry.clear_sign_ins,
        expiry.clear_password_resets,
        expiry.clear_invitations,
        expiry.clear_throttles,
    ):
        await clear(database, SETTINGS)
    async with database.read() as session:
        names = set(await session.scalars(select(Token.name).where(Token.user_id == ana.user_id)))
        throttles = set(await session.scalars(select(SignInThrottle.subject)))
    assert {f"api {name}" for name in ages} < names
    assert {name for name in names if name.startswith("sign_in")} == {
        "sign_in just expired",
        "sign_in valid",
    }
    assert await count(database, PasswordReset, PasswordReset.user_id == ana.user_id) == 2
    assert await count(database, Invitation, Invitation.workspace_id == ana.workspace_id) == 2
    assert {one.rpartition(" ")[2] for one in throttles if f":{ana.user_id} " in one} == {"recent", "force"}


async def test_what_an_import_remembers_goes_with_the_task(
    ana: Person, database: Database, turn_clock: Turn
) -> None:
    task = await ana.make("/tasks", title="Imported")
    record = ImportRecord(
        workspace_id=ana.workspace_id,
        format="taskwarrior",
        source_id="1",
        task_id=task["id"],
        version=1,
        digest=b"1",
    )

    async def work(session: Writer) -> None:
        session.add(record)

    await database.write(work)
    await delete(ana, f"/tasks/{task['id']}")
    turn_clock(LATER)
    await purging.purge_trash(database, SETTINGS)
    assert await count(database, ImportRecord, ImportRecord.workspace_id == ana.workspace_id) == 0


# --- whose turn it is -------------------------------------------------------------------------------------------------


async def test_of_several_processes_one_does_each_chore(url: str, database: Database) -> None:
    others = [Database(create_engine(SETTINGS, url)) for _ in range(3)]
    await database.run_aside(text("DELETE FROM chores"))
    everybody = [database, *others]
    done = await asyncio.gather(*(housekeeping.do_what_is_due(one, SETTINGS) for one in everybody))
    assert sorted(name for names in done for name in names) == sorted(
        duty.name for duty in housekeeping.DUTIES
    )
    assert await housekeeping.do_what_is_due(database, SETTINGS) == {}
    for other in others:
        await other.close()


async def test_a_chore_is_due_again_after_its_time(database: Database, turn_clock: Turn) -> None:
    await housekeeping.do_what_is_due(database, SETTINGS)
    turn_clock(timedelta(minutes=11))
    assert list(await housekeeping.do_what_is_due(database, SETTINGS)) == ["idempotency_keys"]
    turn_clock(timedelta(minutes=61))
    assert len(await housekeeping.do_what_is_due(database, SETTINGS)) == len(housekeeping.DUTIES)


async def test_a_chore_that_fails_is_told_and_keeps_no_other_from_being_done(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(database: Database, settings: Settings) -> int:
        raise OSError("out of brooms")

    async def work(database: Database, settings: Settings) -> int:
        return 7

    duties = [housekeeping.Duty(name, timedelta(hours=1), do) for name, do in (("a", fail), ("b", work))]
    monkeypatch.setattr(housekeeping, "DUTIES", duties)
    assert await housekeeping.do_what_is_due(database, SETTINGS) == {"a": 0, "b": 7}
    assert "The chore a failed" in caplog.text
    assert "out of brooms" in caplog.text
    await database.run_aside(text("DELETE FROM chores WHERE name IN ('a', 'b')"))
    assert await count(database, Chore, Chore.name == "a") == 0
