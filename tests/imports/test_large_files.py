"""Files of any size, and the names in them: as many statements for many as for one."""

import json
import threading
import uuid
from typing import Any

import pytest
from tests.support.people import Person
from tests.support.sharing import verbs
from tests.support.statements import count_statements

from dutiful.access import lock_workspace
from dutiful.api import imports as door
from dutiful.database.session import Database, Writer
from dutiful.imports import service
from dutiful.imports.source import SourceTask
from dutiful.labels import service as labels
from dutiful.projects import service as projects

# PostgreSQL's protocol counts the parameters of a statement in 16 bits.
TOO_MANY = 33_000


def item(**fields: Any) -> dict[str, Any]:
    return {"uuid": str(uuid.uuid4()), "description": "Something", "status": "pending", **fields}


async def report_on(person: Person, items: list[dict[str, Any]], **params: Any) -> dict[str, Any]:
    response = await person.request(
        "POST", "/imports/taskwarrior", content=json.dumps(items).encode(), params=params
    )
    assert response.status_code == 200, response.text
    report: dict[str, Any] = response.json()
    return report


async def test_more_tasks_than_a_statement_has_parameters(ana: Person, database: Database) -> None:
    here = await ana.make("/tasks", title="x", uid="5")
    sources = [SourceTask("", str(number), b"", "x") for number in range(TOO_MANY)]

    async def work(session: Writer) -> tuple[dict[str, Any], set[str]]:
        return (
            await service._known(session, ana.workspace_id, "taskwarrior", sources),
            await service._uids(session, ana.workspace_id, sources),
        )

    assert await database.write(work) == ({}, {here["uid"]})


async def test_more_labels_than_a_statement_has_parameters(ana: Person, database: Database) -> None:
    home = (await ana.make("/labels", name="home"))["id"]

    async def work(session: Writer) -> dict[int | str, int]:
        await lock_workspace(session, ana.actor(), ana.workspace_id)
        wanted = [home, *range(2**62, 2**62 + TOO_MANY)]
        return await labels.resolve(session, ana.actor(), ana.workspace_id, wanted)

    assert await database.write(work) == {home: home}


async def resolve(database: Database, person: Person, *names: str) -> dict[str, int]:
    async def work(session: Writer) -> dict[str, int]:
        await lock_workspace(session, person.actor(), person.workspace_id)
        return await projects.resolve(session, person.actor(), person.workspace_id, names)

    return await database.write(work)


async def test_projects_are_found_by_name_in_any_case_or_made_at_the_end(
    ana: Person, database: Database
) -> None:
    house = (await ana.make("/projects", name="Ärger"))["id"]
    found = await resolve(database, ana, "zwei", "ÄRGER", "eins", "Zwei", "zwei")
    assert found["ÄRGER"] == house
    assert found["zwei"] == found["Zwei"]
    listed = await ana.all("/projects", sort="position")
    assert [project["name"] for project in listed] == ["Inbox", "Ärger", "zwei", "eins"]
    assert {project["created_by"] for project in listed[1:]} == {ana.user_id}
    assert (await verbs(ana, ana.workspace_id))[-2:] == ["project.created"] * 2
    assert await resolve(database, ana, "zwei", "ÄRGER", "eins", "Zwei") == found


async def test_a_name_in_the_trash_is_free(ana: Person, database: Database) -> None:
    gone = (await ana.make("/projects", name="House"))["id"]
    await ana.delete(f"/projects/{gone}")
    assert (await resolve(database, ana, "house"))["house"] != gone


async def test_no_projects_are_asked_for_in_vain(ana: Person, database: Database) -> None:
    async def work(session: Writer) -> dict[str, int]:
        return await projects.resolve(session, ana.actor(), ana.workspace_id, [])

    with count_statements(database) as statements:
        assert await database.write(work) == {}
    assert statements == []


async def test_many_new_projects_take_the_statements_of_one(ana: Person, database: Database) -> None:
    with count_statements(database) as for_one:
        await resolve(database, ana, "one")
    with count_statements(database) as for_many:
        await resolve(database, ana, *(f"project {number}" for number in range(500)))
    assert len(for_many) == len(for_one)
    assert len(await ana.all("/projects")) == 502


async def test_an_import_takes_the_same_statements_however_many_projects_it_brings(
    ana: Person, database: Database
) -> None:
    await report_on(ana, [item()])
    with count_statements(database) as for_one:
        await report_on(ana, [item(project="one")])
    with count_statements(database) as for_many:
        report = await report_on(ana, [item(project=f"project {number}") for number in range(100)])
    assert len(report["projects_created"]) == 100
    assert len(for_many) == len(for_one)


@pytest.mark.parametrize("name", ["İstanbul", "ΟΔΟΣ", "οδος", "STRASSE", "ẞ", "Ǆ", "ﬁn"])
async def test_names_are_compared_as_postgresql_does(ana: Person, name: str) -> None:
    items = [item(project=name, tags=[name])]
    first = await report_on(ana, items)
    assert (first["projects_created"], first["labels_created"]) == ([name], [name])
    second = await report_on(ana, [*items, item(project=name, tags=[name])])
    assert (second["unchanged"], second["created"]) == (1, 1)
    assert (second["projects_created"], second["labels_created"]) == ([], [])


async def test_what_is_unchanged_or_left_makes_no_names_anew(ana: Person) -> None:
    items = [item(project="House", tags=["home"]), item(project="Garden", tags=["out"])]
    await report_on(ana, items)
    second = next(task for task in await ana.all("/tasks") if task["uid"] == items[1]["uuid"])
    for path in ("projects", "labels"):
        for thing in await ana.all(f"/{path}"):
            if thing["id"] != ana.inbox_id and thing["id"] != second["project_id"]:
                await ana.delete(f"/{path}/{thing['id']}")
    items[1] |= {"description": "changed", "project": "Park", "tags": ["new"]}
    report = await report_on(ana, items)
    assert (report["unchanged"], len(report["left"])) == (1, 1)
    assert (report["projects_created"], report["labels_created"]) == ([], [])
    assert await ana.all("/labels") == []


async def test_of_two_spellings_the_first_is_made_and_told_of(ana: Person) -> None:
    items = [item(project="Haus", tags=["Ärger"]), item(project="HAUS", tags=["ÄRGER", "neu"])]
    report = await report_on(ana, items, dry_run=True)
    assert (report["projects_created"], report["labels_created"]) == (["Haus"], ["Ärger", "neu"])
    assert await report_on(ana, items) == {**report, "dry_run": False}
    assert [project["name"] for project in await ana.all("/projects")] == ["Inbox", "Haus"]


async def test_a_file_is_read_beside_the_event_loop(ana: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def reader(*_: object) -> list[SourceTask]:
        threads.append(threading.get_ident())
        return []

    monkeypatch.setattr(door, "READERS", {"taskwarrior": reader})
    await report_on(ana, [])
    assert threads
    assert threading.get_ident() not in threads
