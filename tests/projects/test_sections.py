import asyncio
from typing import Any

import pytest
from tests.support.people import Person
from tests.support.problems import pointers, problem
from tests.support.sharing import journal, share
from tests.support.statements import count_statements

from dutiful.database.session import Database

FOREIGN_ID = 2**62


async def order(person: Person, project_id: int) -> list[str]:
    return [
        section["name"] for section in await person.all("/sections", project_id=project_id, sort="position")
    ]


async def make(person: Person, *names: str) -> list[Any]:
    return [await person.make("/sections", name=name, project_id=person.inbox_id) for name in names]


async def test_a_section_goes_to_the_end_of_its_project(ana: Person) -> None:
    response = await ana.post("/sections", {"name": " Today ", "project_id": ana.inbox_id})
    section = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/sections/{section['id']}"
    assert (section["name"], section["project_id"], section["workspace_id"]) == (
        "Today",
        ana.inbox_id,
        ana.workspace_id,
    )
    await make(ana, "Later")
    assert await order(ana, ana.inbox_id) == ["Today", "Later"]
    read = await ana.get(f"/sections/{section['id']}")
    assert (read.json(), read.headers["ETag"]) == (section, '"1"')


async def test_a_section_needs_a_project_that_can_be_seen(ana: Person, bob: Person) -> None:
    assert pointers(await ana.post("/sections", {"name": "Today"})) == ["/project_id"]
    trashed = await ana.make("/projects", name="Garden")
    await ana.delete(f"/projects/{trashed['id']}")
    for project_id in (bob.inbox_id, trashed["id"], FOREIGN_ID):
        response = await ana.post("/sections", {"name": "Today", "project_id": project_id})
        assert pointers(response) == ["/project_id"]
    assert await order(bob, bob.inbox_id) == []


async def test_the_list_is_narrowed_to_what_is_asked_for(ana: Person, bob: Person) -> None:
    garden = await ana.make("/projects", name="Garden")
    await make(ana, "Today")
    await ana.make("/sections", name="Beds", project_id=garden["id"])
    assert await order(ana, garden["id"]) == ["Beds"]
    everywhere = await ana.all("/sections", workspace_id=ana.workspace_id, sort="-id")
    assert [section["name"] for section in everywhere] == ["Beds", "Today"]
    assert await order(bob, garden["id"]) == []


async def test_a_list_takes_the_same_statements_however_long_it_is(ana: Person, database: Database) -> None:
    await make(ana, "Today")
    with count_statements(database) as for_one:
        await ana.all("/sections")
    await make(ana, *"abcdefghij")
    with count_statements(database) as for_many:
        await ana.all("/sections")
    assert len(for_one) == len(for_many) <= 2


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_section_is_renamed(ana: Person, method: str) -> None:
    (section,) = await make(ana, "Today")
    response = await ana.request(method, f"/sections/{section['id']}", json={"name": "Now"})
    changed = response.json()
    assert changed == {**section, "name": "Now", "version": 2, "updated_at": changed["updated_at"]}
    change = (await journal(ana, ana.workspace_id))[-1]
    assert (change["verb"], change["before"], change["after"]) == (
        "section.updated",
        {"name": "Today"},
        {"name": "Now"},
    )


async def test_a_section_stays_in_its_project(ana: Person) -> None:
    (section,) = await make(ana, "Today")
    garden = await ana.make("/projects", name="Garden")
    response = await ana.patch(f"/sections/{section['id']}", {"project_id": garden["id"]})
    assert pointers(response) == ["/project_id"]


async def test_a_name_is_taken_within_a_project_only(ana: Person) -> None:
    _, later = await make(ana, "Today", "Later")
    garden = await ana.make("/projects", name="Garden")
    await ana.make("/sections", name="Today", project_id=garden["id"])
    assert pointers(await ana.patch(f"/sections/{later['id']}", {"name": "TODAY"}), 409, "taken") == ["/name"]
    response = await ana.post("/sections", {"name": "today", "project_id": ana.inbox_id})
    assert pointers(response, 409, "taken") == ["/name"]


async def test_a_stale_etag_is_refused(ana: Person) -> None:
    today, later = await make(ana, "Today", "Later")
    path = f"/sections/{today['id']}"
    await ana.patch(path, {"name": "Now"})
    stale = {"If-Match": '"1"'}
    for response in (
        await ana.patch(path, {"name": "Lost"}, headers=stale),
        await ana.post(f"{path}/move", {"after": later["id"]}, headers=stale),
        await ana.delete(path, headers=stale),
    ):
        assert problem(response, 412, "stale_version")["current"]["name"] == "Now"


async def test_a_section_moves_within_its_project(ana: Person) -> None:
    a, b, c = await make(ana, *"abc")
    await ana.post(f"/sections/{c['id']}/move", {"before": a["id"]})
    response = await ana.post(f"/sections/{a['id']}/move", {"after": b["id"]})
    assert response.json()["version"] == 2
    assert await order(ana, ana.inbox_id) == ["c", "b", "a"]
    assert (await journal(ana, ana.workspace_id))[-1]["verb"] == "section.moved"


async def test_a_section_does_not_move_into_another_project(ana: Person) -> None:
    (section,) = await make(ana, "Today")
    garden = await ana.make("/projects", name="Garden")
    beds = await ana.make("/sections", name="Beds", project_id=garden["id"])
    response = await ana.post(f"/sections/{section['id']}/move", {"after": beds["id"]})
    assert pointers(response) == ["/after"]


async def test_twenty_who_move_at_once_leave_every_section_once_with_a_key_of_its_own(ana: Person) -> None:
    ids = [section["id"] for section in await make(ana, *(f"Section {number}" for number in range(20)))]
    answers = await asyncio.gather(
        *(
            ana.post(f"/sections/{section_id}/move", {"after": ids[(index + 7) % 20]})
            for index, section_id in enumerate(ids)
        )
    )
    assert [answer.status_code for answer in answers] == [200] * 20
    listed = await ana.all("/sections", sort="position", limit=7)
    assert sorted(section["id"] for section in listed) == sorted(ids)
    assert len({section["position"] for section in listed}) == 20


async def test_a_stranger_finds_nothing(ana: Person, bob: Person) -> None:
    (section,) = await make(ana, "Today")
    path = f"/sections/{section['id']}"
    for answer in (
        await bob.get(path),
        await bob.patch(path, {"name": "Mine"}),
        await bob.put(path, {"name": "Mine"}),
        await bob.post(f"{path}/move", {"after": section["id"]}),
        await bob.delete(path),
        await bob.post(f"{path}/restore"),
    ):
        problem(answer, 404, "not_found")


async def test_a_viewer_reads_and_changes_nothing(ana: Person, bob: Person) -> None:
    flat = await share(ana, bob, role="viewer")
    garden = await ana.make("/projects", name="Garden", workspace_id=flat)
    section = await ana.make("/sections", name="Beds", project_id=garden["id"])
    other = await ana.make("/sections", name="Paths", project_id=garden["id"])
    path = f"/sections/{section['id']}"
    assert (await bob.get(path)).json() == section
    for answer in (
        await bob.post("/sections", {"name": "Mine", "project_id": garden["id"]}),
        await bob.patch(path, {"name": "Mine"}),
        await bob.put(path, {"name": "Mine"}),
        await bob.post(f"{path}/move", {"after": other["id"]}),
        await bob.delete(path),
    ):
        problem(answer, 403, "forbidden")
    await ana.delete(path)
    problem(await bob.post(f"{path}/restore"), 403, "forbidden")
