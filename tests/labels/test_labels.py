import asyncio
from typing import Any

import pytest
from tests.support.people import Person
from tests.support.problems import pointers, problem
from tests.support.sharing import journal, share
from tests.support.statements import count_statements

from dutiful.database.session import Database

FOREIGN_ID = 2**62


async def names(person: Person, **params: Any) -> list[str]:
    return [label["name"] for label in await person.all("/labels", **params)]


async def test_a_label_is_made_in_the_personal_workspace(ana: Person) -> None:
    response = await ana.post("/labels", {"name": " home ", "color": "#123abc"})
    label = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/labels/{label['id']}"
    assert (label["name"], label["color"], label["workspace_id"]) == ("home", "#123abc", ana.workspace_id)
    read = await ana.get(f"/labels/{label['id']}")
    assert (read.json(), read.headers["ETag"]) == (label, '"1"')


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\0b", None])
async def test_a_name_has_one_to_a_hundred_characters(ana: Person, name: Any) -> None:
    assert pointers(await ana.post("/labels", {"name": name})) == ["/name"]


async def test_a_foreign_workspace_in_the_body_is_that_fields_fault(ana: Person, bob: Person) -> None:
    for workspace_id in (bob.workspace_id, FOREIGN_ID):
        response = await ana.post("/labels", {"name": "home", "workspace_id": workspace_id})
        assert pointers(response) == ["/workspace_id"]


async def test_the_list_shows_the_labels_of_one_workspace_or_of_all(ana: Person, bob: Person) -> None:
    flat = await share(bob, ana)
    await ana.make("/labels", name="mine")
    await bob.make("/labels", name="ours", workspace_id=flat)
    await bob.make("/labels", name="his")
    assert await names(ana, limit=1) == ["mine", "ours"]
    assert await names(ana, workspace_id=flat) == ["ours"]
    assert await names(ana, workspace_id=bob.workspace_id) == []


async def test_a_list_takes_the_same_statements_however_long_it_is(ana: Person, database: Database) -> None:
    await ana.make("/labels", name="home")
    with count_statements(database) as for_one:
        await ana.all("/labels")
    await ana.make("/tasks", title="Many", labels_add=[f"label {number}" for number in range(20)])
    with count_statements(database) as for_many:
        await ana.all("/labels")
    assert len(for_one) == len(for_many) <= 2


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_only_what_is_sent_changes(ana: Person, method: str) -> None:
    label = await ana.make("/labels", name="home", color="#123abc")
    response = await ana.request(method, f"/labels/{label['id']}", json={"name": "house"})
    changed = response.json()
    assert changed == {**label, "name": "house", "version": 2, "updated_at": changed["updated_at"]}
    change = (await journal(ana, ana.workspace_id))[-1]
    assert (change["verb"], change["before"], change["after"]) == (
        "label.updated",
        {"name": "home"},
        {"name": "house"},
    )


async def test_a_stale_etag_is_refused(ana: Person) -> None:
    label = await ana.make("/labels", name="home")
    path, stale = f"/labels/{label['id']}", {"If-Match": '"1"'}
    await ana.patch(path, {"name": "house"})
    for response in (
        await ana.patch(path, {"name": "lost"}, headers=stale),
        await ana.delete(path, headers=stale),
    ):
        assert problem(response, 412, "stale_version")["current"]["name"] == "house"


async def test_two_living_labels_of_a_workspace_never_share_a_name(ana: Person) -> None:
    await ana.make("/labels", name="Straße Ä")
    other = await ana.make("/labels", name="other")
    assert pointers(await ana.post("/labels", {"name": "STRAßE ä"}), 409, "taken") == ["/name"]
    assert pointers(await ana.patch(f"/labels/{other['id']}", {"name": "straße ä"}), 409, "taken") == [
        "/name"
    ]


async def test_of_many_who_rename_to_one_name_exactly_one_wins(ana: Person) -> None:
    labels = [await ana.make("/labels", name=f"label {number}") for number in range(10)]
    answers = await asyncio.gather(
        *(ana.patch(f"/labels/{label['id']}", {"name": "one"}) for label in labels)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    assert (await names(ana)).count("one") == 1


async def test_a_stranger_finds_nothing(ana: Person, bob: Person) -> None:
    label = await ana.make("/labels", name="home")
    path = f"/labels/{label['id']}"
    for answer in (
        await bob.get(path),
        await bob.patch(path, {"name": "mine"}),
        await bob.put(path, {"name": "mine"}),
        await bob.delete(path),
        await bob.post(f"{path}/restore"),
    ):
        problem(answer, 404, "not_found")


async def test_a_viewer_reads_and_changes_nothing(ana: Person, bob: Person) -> None:
    flat = await share(ana, bob, role="viewer")
    label = await ana.make("/labels", name="home", workspace_id=flat)
    path = f"/labels/{label['id']}"
    assert (await bob.get(path)).json() == label
    for answer in (
        await bob.post("/labels", {"name": "mine", "workspace_id": flat}),
        await bob.patch(path, {"name": "mine"}),
        await bob.put(path, {"name": "mine"}),
        await bob.delete(path),
    ):
        problem(answer, 403, "forbidden")
    await ana.delete(path)
    problem(await bob.post(f"{path}/restore"), 403, "forbidden")
