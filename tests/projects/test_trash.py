"""Deleting and restoring projects and sections, with all they hold."""

import asyncio
from typing import Any

from tests.support.journals import changes_of, latest_seq, tasks_of
from tests.support.people import Person
from tests.support.problems import problem
from tests.support.sharing import journal
from tests.support.statements import count_statements

from dutiful import positions
from dutiful.database.session import Database, Writer
from dutiful.models import Task

MOVING = {"version", "updated_at", "deleted_at"}


def lasting(things: list[Any]) -> list[Any]:
    """What a trip to the trash must not change."""
    return [{name: value for name, value in thing.items() if name not in MOVING} for thing in things]


async def fill(
    database: Database, person: Person, project_id: int, section_ids: list[int | None], count: int
) -> None:
    """Puts `count` tasks into the project, spread over its sections, each third one below the one before."""

    async def work(session: Writer) -> None:
        parent: Task | None = None
        for number, key in enumerate(positions.spread(None, None, count)):
            section_id = section_ids[number // 3 % len(section_ids)]
            task = Task(
                workspace_id=person.workspace_id,
                project_id=project_id,
                section_id=section_id,
                parent_id=parent.id if parent and number % 3 else None,
                title=f"Task {number}",
                position=key,
                label_ids=[],
                created_by=person.user_id,
            )
            session.add(task)
            if number % 3 == 0:
                await session.flush()
                parent = task

    await database.write(work)


async def everything(person: Person, project_id: int) -> list[Any]:
    project = (await person.get(f"/projects/{project_id}")).json()
    sections = await person.all("/sections", project_id=project_id, sort="position")
    return lasting([project, *sections, *await person.all("/tasks", project_id=project_id, limit=200)])


async def test_a_project_with_five_hundred_tasks_comes_back_as_it_was(
    ana: Person, database: Database
) -> None:
    project = await ana.make("/projects", name="Garden")
    sections = [await ana.make("/sections", name=name, project_id=project["id"]) for name in "ab"]
    await fill(database, ana, project["id"], [None, *(section["id"] for section in sections)], 500)
    before = await everything(ana, project["id"])
    assert len(before) == 503

    assert (await ana.delete(f"/projects/{project['id']}")).status_code == 204
    problem(await ana.get(f"/projects/{project['id']}"), 404)
    problem(await ana.get(f"/sections/{sections[0]['id']}"), 404)
    assert await ana.all("/tasks") == []
    assert await ana.all("/sections") == []

    response = await ana.post(f"/projects/{project['id']}/restore")
    assert (response.status_code, response.headers["ETag"]) == (200, '"3"')
    assert await everything(ana, project["id"]) == before


async def test_a_project_goes_and_comes_back_as_one_group_told_one_by_one(
    ana: Person, database: Database
) -> None:
    project = await ana.make("/projects", name="Garden")
    section = await ana.make("/sections", name="Beds", project_id=project["id"])
    await fill(database, ana, project["id"], [None, section["id"]], 4)
    start = await latest_seq(database, ana.workspace_id)
    response = await ana.delete(f"/projects/{project['id']}")
    await ana.post(f"/projects/{project['id']}/restore")

    changes = await changes_of(database, ana.workspace_id, start)
    gone, back = changes[:6], changes[6:]
    assert response.headers["Dutiful-Cursor"]
    assert [change.verb for change in gone] == ["project.deleted", "section.deleted", *["task.deleted"] * 4]
    assert [change.verb for change in back] == [
        "project.restored",
        "section.restored",
        *["task.restored"] * 4,
    ]
    assert {change.version for change in gone} == {2}
    assert {change.version for change in back} == {3}
    at = [change.after for change in gone]
    assert [list(after or {}) for after in at] == [["deleted_at"]] * 6
    assert at == [at[0]] * 6
    assert [(change.before, change.after) for change in back] == [(at[0], {"deleted_at": None})] * 6


async def test_all_of_a_group_shares_its_trash_id(ana: Person, database: Database) -> None:
    project = await ana.make("/projects", name="Garden")
    await fill(database, ana, project["id"], [None], 5)
    await ana.delete(f"/projects/{project['id']}")
    tasks = await tasks_of(database, ana.workspace_id)
    assert len({(task.trash_id, task.deleted_at) for task in tasks}) == 1
    assert tasks[0].trash_id is not None


async def test_what_was_in_the_trash_before_stays_there(ana: Person) -> None:
    project = await ana.make("/projects", name="Garden")
    beds, paths = [
        await ana.make("/sections", name=name, project_id=project["id"]) for name in ("Beds", "Paths")
    ]
    tasks = [
        await ana.make("/tasks", title=title, section_id=section_id, project_id=project["id"])
        for title, section_id in (("early", None), ("in beds", beds["id"]), ("late", paths["id"]))
    ]
    await ana.delete(f"/tasks/{tasks[0]['id']}")
    await ana.delete(f"/sections/{beds['id']}")
    await ana.delete(f"/projects/{project['id']}")
    await ana.post(f"/projects/{project['id']}/restore")
    assert [task["title"] for task in await ana.all("/tasks")] == ["late"]
    assert [section["name"] for section in await ana.all("/sections")] == ["Paths"]

    await ana.post(f"/sections/{beds['id']}/restore")
    assert [task["title"] for task in await ana.all("/tasks")] == ["in beds", "late"]


async def test_deleting_takes_the_same_statements_for_one_task_and_for_many(
    ana: Person, database: Database
) -> None:
    counts = []
    for count in (1, 100):
        project = await ana.make("/projects", name=f"Garden {count}")
        section = await ana.make("/sections", name="Beds", project_id=project["id"])
        await fill(database, ana, project["id"], [section["id"]], count)
        path = f"/projects/{project['id']}"
        with count_statements(database) as deleting:
            assert (await ana.delete(path)).status_code == 204
        with count_statements(database) as restoring:
            assert (await ana.post(f"{path}/restore")).status_code == 200
        counts.append((len(deleting), len(restoring)))
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 12


async def test_a_section_takes_its_tasks_along_and_brings_them_back(ana: Person, database: Database) -> None:
    beds, paths = [
        await ana.make("/sections", name=name, project_id=ana.inbox_id) for name in ("Beds", "Paths")
    ]
    await fill(database, ana, ana.inbox_id, [None, beds["id"], paths["id"]], 30)
    before = await everything(ana, ana.inbox_id)
    start = await latest_seq(database, ana.workspace_id)

    assert (await ana.delete(f"/sections/{beds['id']}")).status_code == 204
    changes = await changes_of(database, ana.workspace_id, start)
    assert [change.verb for change in changes] == ["section.deleted", *["task.deleted"] * 9]
    assert len(await ana.all("/tasks")) == 21
    assert await ana.all("/tasks", section_id=beds["id"]) == []

    assert (await ana.post(f"/sections/{beds['id']}/restore")).status_code == 200
    assert await everything(ana, ana.inbox_id) == before


async def test_a_section_waits_for_its_project_to_be_restored(ana: Person) -> None:
    project = await ana.make("/projects", name="Garden")
    section = await ana.make("/sections", name="Beds", project_id=project["id"])
    await ana.delete(f"/sections/{section['id']}")
    await ana.delete(f"/projects/{project['id']}")
    problem(await ana.post(f"/sections/{section['id']}/restore"), 409, "in_trash")
    await ana.post(f"/projects/{project['id']}/restore")
    assert (await ana.post(f"/sections/{section['id']}/restore")).status_code == 200


async def test_a_name_taken_meanwhile_gets_a_number(ana: Person) -> None:
    names = []
    for _ in range(3):
        project = await ana.make("/projects", name="Garden")
        await ana.delete(f"/projects/{project['id']}")
        names.append(project["id"])
    await ana.make("/projects", name="GARDEN")
    await ana.make("/projects", name="garden (3)")
    back = [(await ana.post(f"/projects/{project_id}/restore")).json()["name"] for project_id in names]
    assert back == ["Garden (2)", "Garden (4)", "Garden (5)"]
    change = (await journal(ana, ana.workspace_id))[-1]
    assert (change["before"]["name"], change["after"]["name"]) == ("Garden", "Garden (5)")


async def test_a_number_finds_room_at_the_end_of_the_longest_name(ana: Person) -> None:
    project = await ana.make("/projects", name="ß" * 200)
    await ana.delete(f"/projects/{project['id']}")
    await ana.make("/projects", name="ß" * 200)
    response = await ana.post(f"/projects/{project['id']}/restore")
    assert response.json()["name"] == "ß" * 196 + " (2)"


async def test_a_section_whose_name_was_taken_gets_a_number(ana: Person) -> None:
    section = await ana.make("/sections", name="Beds", project_id=ana.inbox_id)
    await ana.delete(f"/sections/{section['id']}")
    await ana.make("/sections", name="beds", project_id=ana.inbox_id)
    assert (await ana.post(f"/sections/{section['id']}/restore")).json()["name"] == "Beds (2)"


async def test_a_place_in_the_list_is_kept_in_the_trash(ana: Person) -> None:
    a, b, c = [await ana.make("/projects", name=name) for name in "abc"]
    await ana.delete(f"/projects/{b['id']}")
    await ana.post(f"/projects/{c['id']}/move", {"after": a["id"]})
    await ana.make("/projects", name="d")
    await ana.post(f"/projects/{b['id']}/restore")
    names = [project["name"] for project in await ana.all("/projects", sort="position")]
    assert names == ["Inbox", "a", "c", "b", "d"]


async def test_only_what_is_in_the_trash_is_restored(ana: Person) -> None:
    project = await ana.make("/projects", name="Garden")
    problem(await ana.post(f"/projects/{project['id']}/restore"), 404)
    await ana.delete(f"/projects/{project['id']}")
    problem(await ana.delete(f"/projects/{project['id']}"), 404)
    problem(await ana.patch(f"/projects/{project['id']}", {"name": "House"}), 404)


async def test_deleting_and_restoring_at_once_leaves_all_or_nothing(ana: Person, database: Database) -> None:
    project = await ana.make("/projects", name="Garden")
    await fill(database, ana, project["id"], [None], 30)
    path = f"/projects/{project['id']}"
    await asyncio.gather(
        *(ana.delete(path) if turn % 2 else ana.post(f"{path}/restore") for turn in range(20))
    )
    living = [task.deleted_at is None for task in await tasks_of(database, ana.workspace_id)]
    assert set(living) == {(await ana.get(path)).status_code == 200}


async def test_tasks_made_while_their_project_is_deleted_never_outlive_it(
    ana: Person, database: Database
) -> None:
    project = await ana.make("/projects", name="Garden")
    new_tasks = [ana.post("/tasks", {"title": f"{n}", "project_id": project["id"]}) for n in range(10)]
    await asyncio.gather(*new_tasks[:5], ana.delete(f"/projects/{project['id']}"), *new_tasks[5:])
    assert all(task.deleted_at is not None for task in await tasks_of(database, ana.workspace_id))
