import asyncio
from typing import Any

import pytest
from sqlalchemy import select
from tests.support.people import Person
from tests.support.problems import pointers, problem
from tests.support.sharing import journal, share
from tests.support.statements import count_statements

from dutiful.database.session import Database, Writer
from dutiful.models import Project
from dutiful.positions import LONG

FOREIGN_ID = 2**62


async def names(person: Person, **params: Any) -> list[str]:
    return [project["name"] for project in await person.all("/projects", **params)]


async def order(person: Person, workspace_id: int) -> list[str]:
    return await names(person, workspace_id=workspace_id, sort="position")


async def version(person: Person, project: Any) -> int:
    response = await person.get(f"/projects/{project['id']}")
    return int(response.json()["version"])


# --- making and reading -----------------------------------------------------------------------------------------------


async def test_a_name_is_enough_for_a_project_at_the_end_of_the_personal_workspace(ana: Person) -> None:
    response = await ana.post("/projects", {"name": "  Garden  "})
    project = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/projects/{project['id']}"
    assert response.headers["ETag"] == '"1"'
    assert project["name"] == "Garden"
    assert project["workspace_id"] == ana.workspace_id
    assert project["created_by"] == ana.user_id
    assert await order(ana, ana.workspace_id) == ["Inbox", "Garden"]


async def test_a_project_is_read_as_it_was_made(ana: Person) -> None:
    project = await ana.make("/projects", name="Garden", color="#00aa00")
    response = await ana.get(f"/projects/{project['id']}")
    assert response.json() == project
    assert response.headers["ETag"] == '"1"'


async def test_an_unchanged_project_is_not_sent_again(ana: Person) -> None:
    project = await ana.make("/projects", name="Garden")
    response = await ana.get(f"/projects/{project['id']}", headers={"If-None-Match": '"1"'})
    assert (response.status_code, response.content) == (304, b"")


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\0b", None, 7])
async def test_a_name_has_one_to_two_hundred_characters(ana: Person, name: Any) -> None:
    assert pointers(await ana.post("/projects", {"name": name})) == ["/name"]


async def test_a_foreign_workspace_in_the_body_is_that_fields_fault(ana: Person, bob: Person) -> None:
    for workspace_id in (bob.workspace_id, FOREIGN_ID):
        response = await ana.post("/projects", {"name": "Mine", "workspace_id": workspace_id})
        assert pointers(response) == ["/workspace_id"]
    assert await names(bob) == ["Inbox"]


async def test_the_list_is_narrowed_and_sorted(ana: Person, bob: Person) -> None:
    flat = await share(ana, bob)
    first = await ana.make("/projects", name="First", workspace_id=flat)
    await ana.make("/projects", name="Second", workspace_id=flat)
    await ana.post(f"/projects/{first['id']}/move", {"before": (await inbox_of(ana, flat))["id"]})
    await ana.patch(f"/projects/{first['id']}", {"archived": True})
    assert await names(ana, workspace_id=flat, sort="-id") == ["Second", "First", "Inbox"]
    assert await names(ana, workspace_id=flat, sort="position") == ["First", "Inbox", "Second"]
    assert await names(ana, workspace_id=flat, sort="-position", limit=1) == ["Second", "Inbox", "First"]
    assert await names(ana, workspace_id=flat, archived=True) == ["First"]
    assert await names(ana, archived=False) == ["Inbox", "Inbox", "Second"]
    assert await names(ana, workspace_id=bob.workspace_id) == []


async def inbox_of(person: Person, workspace_id: int) -> Any:
    return (await person.all("/projects", workspace_id=workspace_id, sort="id"))[0]


async def test_a_page_can_be_skipped_to(ana: Person) -> None:
    for name in ("First", "Second"):
        await ana.make("/projects", name=name)
    response = await ana.get("/projects", params={"skip": 1, "limit": 1})
    assert [project["name"] for project in response.json()["items"]] == ["First"]
    assert response.json()["count"] == 1


async def test_a_list_takes_the_same_statements_however_long_it_is(ana: Person, database: Database) -> None:
    await ana.make("/projects", name="Garden")
    with count_statements(database) as for_two:
        await ana.all("/projects", sort="position")
    for number in range(20):
        await ana.make("/projects", name=f"Project {number}")
    with count_statements(database) as for_many:
        await ana.all("/projects", sort="position")
    # The person behind the token, and the page.
    assert len(for_two) == len(for_many) <= 2


# --- changing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_only_what_is_sent_changes(ana: Person, method: str) -> None:
    project = await ana.make("/projects", name="Garden", color="#00aa00")
    response = await ana.request(method, f"/projects/{project['id']}", json={"name": " House "})
    changed = response.json()
    assert response.headers["ETag"] == '"2"'
    assert changed == {**project, "name": "House", "version": 2, "updated_at": changed["updated_at"]}
    change = (await journal(ana, ana.workspace_id))[-1]
    assert (change["verb"], change["entity_id"]) == ("project.updated", project["id"])
    assert (change["before"], change["after"]) == ({"name": "Garden"}, {"name": "House"})


async def test_null_clears_the_colour_but_not_the_name(ana: Person) -> None:
    project = await ana.make("/projects", name="Garden", color="#00aa00")
    assert (await ana.patch(f"/projects/{project['id']}", {"color": None})).json()["color"] is None
    assert pointers(await ana.patch(f"/projects/{project['id']}", {"name": None})) == ["/name"]


async def test_a_patch_that_changes_nothing_makes_no_version_and_no_change(ana: Person) -> None:
    project = await ana.make("/projects", name="Garden")
    response = await ana.patch(f"/projects/{project['id']}", {"name": "Garden", "color": None})
    assert response.json() == project
    assert [change["verb"] for change in await journal(ana, ana.workspace_id)][-1] == "project.created"


async def test_a_stale_etag_is_refused_with_the_project_as_it_is(ana: Person) -> None:
    project = await ana.make("/projects", name="Garden")
    inbox = {"after": ana.inbox_id}
    path = f"/projects/{project['id']}"
    await ana.patch(path, {"name": "House"}, headers={"If-Match": '"1"'})
    for response in (
        await ana.patch(path, {"name": "Lost"}, headers={"If-Match": '"1"'}),
        await ana.put(path, {"name": "Lost"}, headers={"If-Match": 'W/"2"'}),
        await ana.post(f"{path}/move", inbox, headers={"If-Match": '"3"'}),
        await ana.delete(path, headers={"If-Match": '"1"'}),
    ):
        assert problem(response, 412, "stale_version")["current"]["name"] == "House"
        assert response.headers["ETag"] == '"2"'
    assert await version(ana, project) == 2


@pytest.mark.parametrize("taken", ["garden", "GARDEN", " Garden "])
async def test_two_living_projects_of_a_workspace_never_share_a_name(ana: Person, taken: str) -> None:
    await ana.make("/projects", name="Garden")
    house = await ana.make("/projects", name="House")
    assert pointers(await ana.post("/projects", {"name": taken}), 409, "taken") == ["/name"]
    response = await ana.patch(f"/projects/{house['id']}", {"name": taken})
    assert pointers(response, 409, "taken") == ["/name"]
    assert await names(ana) == ["Inbox", "Garden", "House"]


async def test_names_compare_without_case_in_every_alphabet(ana: Person) -> None:
    await ana.make("/projects", name="ÄPFEL Жук")
    problem(await ana.post("/projects", {"name": "äpfel жУК"}), 409, "taken")


async def test_a_name_that_the_trash_holds_is_free(ana: Person) -> None:
    project = await ana.make("/projects", name="Garden")
    await ana.delete(f"/projects/{project['id']}")
    await ana.make("/projects", name="garden")


async def test_of_many_who_rename_to_one_name_exactly_one_wins(ana: Person) -> None:
    projects = [await ana.make("/projects", name=f"Project {number}") for number in range(10)]
    answers = await asyncio.gather(
        *(ana.patch(f"/projects/{project['id']}", {"name": "The one"}) for project in projects)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    assert (await names(ana)).count("The one") == 1


# --- the Inbox --------------------------------------------------------------------------------------------------------


async def test_the_inbox_can_be_renamed_but_neither_deleted_nor_archived(ana: Person) -> None:
    path = f"/projects/{ana.inbox_id}"
    problem(await ana.delete(path), 409, "inbox")
    problem(await ana.patch(path, {"name": "Gone", "archived": True}), 409, "inbox")
    response = await ana.patch(path, {"name": "Post", "archived": False})
    assert (response.status_code, response.json()["name"]) == (200, "Post")


async def test_the_inbox_of_a_shared_workspace_is_one_too(ana: Person, bob: Person) -> None:
    inbox = await inbox_of(bob, await share(ana, bob))
    problem(await bob.delete(f"/projects/{inbox['id']}"), 409, "inbox")


# --- moving -----------------------------------------------------------------------------------------------------------


async def test_a_project_moves_behind_or_ahead_of_another(ana: Person) -> None:
    a, b, c = [await ana.make("/projects", name=name) for name in "abc"]
    for project, target, expected in (
        (c, {"before": a["id"]}, ["Inbox", "c", "a", "b"]),
        (a, {"after": b["id"]}, ["Inbox", "c", "b", "a"]),
        (a, {"before": ana.inbox_id}, ["a", "Inbox", "c", "b"]),
        (b, {"after": a["id"], "before": None}, ["a", "b", "Inbox", "c"]),
    ):
        response = await ana.post(f"/projects/{project['id']}/move", target)
        assert response.status_code == 200, response.text
        assert await order(ana, ana.workspace_id) == expected
    change = (await journal(ana, ana.workspace_id))[-1]
    assert (change["verb"], change["entity_id"], list(change["after"])) == (
        "project.moved",
        b["id"],
        ["position"],
    )


async def test_a_project_that_is_there_already_stays_untouched(ana: Person) -> None:
    a, b = [await ana.make("/projects", name=name) for name in "ab"]
    assert (await ana.post(f"/projects/{b['id']}/move", {"after": a["id"]})).json() == b
    assert (await ana.post(f"/projects/{a['id']}/move", {"before": b["id"]})).json() == a


async def test_a_move_names_another_living_project_of_the_same_list(ana: Person, bob: Person) -> None:
    project = await ana.make("/projects", name="Garden")
    trashed = await ana.make("/projects", name="Trashed")
    await ana.delete(f"/projects/{trashed['id']}")
    elsewhere = await inbox_of(ana, await share(ana, bob))
    for anchor_id in (project["id"], trashed["id"], elsewhere["id"], bob.inbox_id, FOREIGN_ID):
        for side in ("after", "before"):
            response = await ana.post(f"/projects/{project['id']}/move", {side: anchor_id})
            assert pointers(response) == [f"/{side}"]


@pytest.mark.parametrize("target", [{}, {"after": None}, {"after": 1, "before": 2}, {"position": "a5"}])
async def test_a_move_has_exactly_one_anchor(ana: Person, target: Any) -> None:
    project = await ana.make("/projects", name="Garden")
    problem(await ana.post(f"/projects/{project['id']}/move", target), 422)


async def test_keys_that_grow_long_are_made_short_again(ana: Person, database: Database) -> None:
    a, b, c = [await ana.make("/projects", name=name) for name in "abc"]
    trashed = await ana.make("/projects", name="trashed")
    await ana.delete(f"/projects/{trashed['id']}")
    # Two that change places right behind a third halve the gap there each time.
    for _ in range(200):
        for project in (b, c):
            response = await ana.post(f"/projects/{project['id']}/move", {"after": a["id"]})
            assert response.status_code == 200, response.text
    assert await order(ana, ana.workspace_id) == ["Inbox", "a", "c", "b"]
    projects = await ana.all("/projects")
    assert max(len(project["position"]) for project in projects) < 60
    moved = [change for change in await journal(ana, ana.workspace_id) if change["entity_id"] == a["id"]]
    assert [change["verb"] for change in moved] == ["project.created", "project.moved"]
    assert await version(ana, a) == 2
    await ana.post(f"/projects/{trashed['id']}/restore")
    assert await order(ana, ana.workspace_id) == ["Inbox", "a", "c", "b", "trashed"]


async def test_the_last_of_a_list_moves_where_only_a_long_key_fits(ana: Person, database: Database) -> None:
    a, b, last = [await ana.make("/projects", name=name) for name in ("a", "b", "last")]

    async def leave_no_room(session: Writer) -> None:
        project = (await session.scalars(select(Project).where(Project.id == b["id"]))).one()
        project.position = a["position"] + "0" * LONG + "1"

    await database.write(leave_no_room)
    response = await ana.post(f"/projects/{last['id']}/move", {"after": a["id"]})
    assert response.status_code == 200, response.text
    assert await order(ana, ana.workspace_id) == ["Inbox", "a", "last", "b"]
    assert {len(project["position"]) for project in await ana.all("/projects")} == {2}


async def test_twenty_who_move_at_once_leave_every_project_once_with_a_key_of_its_own(ana: Person) -> None:
    projects = [await ana.make("/projects", name=f"Project {number}") for number in range(20)]
    ids = [project["id"] for project in projects]
    for side in ("after", "before"):
        answers = await asyncio.gather(
            *(
                ana.post(f"/projects/{project_id}/move", {side: ids[(index + 7) % 20]})
                for index, project_id in enumerate(ids)
            )
        )
        assert [answer.status_code for answer in answers] == [200] * 20
    listed = await ana.all("/projects", sort="position", limit=7)
    assert sorted(project["id"] for project in listed) == sorted([ana.inbox_id, *ids])
    assert len({project["position"] for project in listed}) == 21


async def test_twenty_who_make_a_project_at_once_get_keys_of_their_own(ana: Person) -> None:
    await asyncio.gather(*(ana.make("/projects", name=f"Project {number}") for number in range(20)))
    assert len({project["position"] for project in await ana.all("/projects")}) == 21


# --- who may ----------------------------------------------------------------------------------------------------------


async def test_a_stranger_finds_nothing(ana: Person, bob: Person) -> None:
    project = await ana.make("/projects", name="Garden")
    before = await journal(ana, ana.workspace_id)
    for project_id in (project["id"], FOREIGN_ID):
        path = f"/projects/{project_id}"
        answers = [
            await bob.get(path),
            await bob.patch(path, {"name": "Mine"}),
            await bob.put(path, {"name": "Mine"}),
            await bob.post(f"{path}/move", {"after": bob.inbox_id}),
            await bob.delete(path),
            await bob.post(f"{path}/restore"),
        ]
        assert {problem(answer, 404, "not_found")["detail"] for answer in answers} == {
            "There is no such project, or you may not see it."
        }
    assert await names(bob) == ["Inbox"]
    assert await journal(ana, ana.workspace_id) == before


async def test_a_viewer_reads_and_changes_nothing(ana: Person, bob: Person) -> None:
    flat = await share(ana, bob, role="viewer")
    project = await ana.make("/projects", name="Garden", workspace_id=flat)
    path = f"/projects/{project['id']}"
    assert (await bob.get(path)).json() == project
    inbox = await inbox_of(bob, flat)
    for answer in (
        await bob.post("/projects", {"name": "Mine", "workspace_id": flat}),
        await bob.patch(path, {"name": "Mine"}),
        await bob.put(path, {"name": "Mine"}),
        await bob.post(f"{path}/move", {"before": inbox["id"]}),
        await bob.delete(path),
    ):
        problem(answer, 403, "forbidden")
    await ana.delete(path)
    problem(await bob.post(f"{path}/restore"), 403, "forbidden")
    assert await order(bob, flat) == ["Inbox"]


async def test_an_editor_changes_what_is_shared(ana: Person, bob: Person) -> None:
    flat = await share(ana, bob)
    project = await bob.make("/projects", name="Garden", workspace_id=flat)
    await ana.patch(f"/projects/{project['id']}", {"name": "House"})
    assert (await bob.delete(f"/projects/{project['id']}")).status_code == 204
    assert (await ana.post(f"/projects/{project['id']}/restore")).json()["name"] == "House"
