import asyncio
from typing import Any

import pytest
from tests.support.people import Person
from tests.support.sharing import account_events, journal, share, verbs
from tests.support.statements import count_statements

from dutiful.database.session import Database


async def test_everybody_starts_with_a_personal_workspace_they_own(ana: Person) -> None:
    (home,) = await ana.all("/workspaces")
    assert (home["id"], home["inbox_id"]) == (ana.workspace_id, ana.inbox_id)
    assert (home["is_personal"], home["role"], home["version"]) == (True, "owner", 1)


async def test_a_new_workspace_has_an_inbox_and_its_maker_as_owner(ana: Person) -> None:
    response = await ana.post("/workspaces", {"name": "  Flat  "})
    made = response.json()
    assert response.status_code == 201, response.text
    assert (made["name"], made["is_personal"], made["role"]) == ("Flat", False, "owner")
    assert response.headers["Location"] == f"/api/v1/workspaces/{made['id']}"
    assert (await ana.get(f"/workspaces/{made['id']}")).json() == made
    assert await verbs(ana, made["id"]) == ["workspace.created", "member.added", "project.created"]


async def test_making_a_workspace_is_told_at_home(ana: Person) -> None:
    made = await ana.make("/workspaces", name="Flat")
    change = (await journal(ana, ana.workspace_id))[-1]
    assert (change["verb"], change["entity"], change["entity_id"]) == (
        "workspace.joined",
        "workspace",
        made["id"],
    )
    assert (change["before"], change["after"]["name"], change["after"]["role"]) == (None, "Flat", "owner")


async def test_workspaces_are_listed_page_by_page_with_the_role_in_each(ana: Person, bob: Person) -> None:
    ids = [ana.workspace_id, *[await share(bob, ana, role="viewer") for _ in range(5)]]
    listed = await ana.all("/workspaces", limit=2)
    assert [workspace["id"] for workspace in listed] == ids
    assert [workspace["role"] for workspace in listed] == ["owner"] + ["viewer"] * 5


async def test_a_list_of_workspaces_takes_the_same_statements_whatever_its_length(
    ana: Person, database: Database
) -> None:
    counts = []
    await ana.get("/workspaces")
    for _ in range(2):
        with count_statements(database) as statements:
            await ana.get("/workspaces")
        counts.append(len(statements))
        for number in range(3):
            await ana.make("/workspaces", name=str(number))
    assert counts == [2, 2]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_an_owner_renames_a_workspace(ana: Person, method: str) -> None:
    made = await ana.make("/workspaces", name="Flat")
    response = await ana.request(method, f"/workspaces/{made['id']}", json={"name": "House"})
    after = response.json()
    assert after == {**made, "name": "House", "version": 2, "updated_at": after["updated_at"]}
    assert after == (await ana.get(f"/workspaces/{made['id']}")).json()
    change = (await journal(ana, made["id"]))[-1]
    assert (change["verb"], change["version"]) == ("workspace.updated", 2)
    assert (change["before"], change["after"]) == ({"name": "Flat"}, {"name": "House"})


async def test_renaming_to_the_same_name_changes_nothing(ana: Person) -> None:
    made = await ana.make("/workspaces", name="Flat")
    for body in ({"name": "Flat"}, {}):
        assert (await ana.patch(f"/workspaces/{made['id']}", body)).json() == made
    assert (await verbs(ana, made["id"]))[-1] == "project.created"


async def test_the_etag_lets_exactly_one_of_many_win(ana: Person) -> None:
    workspace_id = await share(ana)
    tag = (await ana.get(f"/workspaces/{workspace_id}")).headers["ETag"]

    async def rename(number: int) -> int:
        response = await ana.patch(
            f"/workspaces/{workspace_id}", {"name": f"Flat {number}"}, headers={"If-Match": tag}
        )
        return response.status_code

    statuses = await asyncio.gather(*(rename(number) for number in range(10)))
    assert sorted(statuses) == [200] + [412] * 9


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
async def test_a_stale_write_is_told_the_current_workspace(ana: Person, method: str) -> None:
    workspace_id = await share(ana)
    stale = (await ana.get(f"/workspaces/{workspace_id}")).headers["ETag"]
    current = await ana.patch(f"/workspaces/{workspace_id}", {"name": "House"})
    body = {} if method == "DELETE" else {"json": {"name": "Hut"}}
    response = await ana.request(method, f"/workspaces/{workspace_id}", headers={"If-Match": stale}, **body)
    assert (response.status_code, response.json()["code"]) == (412, "stale_version")
    assert response.json()["current"] == current.json()
    assert response.headers["ETag"] == current.headers["ETag"]


async def test_a_new_role_is_a_new_etag_but_not_a_new_version(ana: Person, bob: Person) -> None:
    path = f"/workspaces/{await share(ana, bob)}"
    before = await bob.get(path)
    await ana.patch(f"{path}/members/{bob.user_id}", {"role": "owner"})
    after = await bob.get(path, headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.json()["role"]) == (200, "owner")
    assert after.json()["version"] == before.json()["version"]
    renamed = await bob.patch(path, {"name": "Ours"}, headers={"If-Match": before.headers["ETag"]})
    assert renamed.status_code == 200


async def test_a_deleted_workspace_is_out_of_everybodys_sight(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob)
    made = await bob.make("/tasks", title="Sweep", workspace_id=workspace_id)
    assert (await ana.delete(f"/workspaces/{workspace_id}")).status_code == 204
    for person in (ana, bob):
        assert [each["id"] for each in await person.all("/workspaces")] == [person.workspace_id]
        for path in ("", "/members", "/changes"):
            assert (await person.get(f"/workspaces/{workspace_id}{path}")).status_code == 404
        assert (await person.get(f"/tasks/{made['id']}")).status_code == 404
        assert (await person.patch(f"/tasks/{made['id']}", {"title": "Mop"})).status_code == 404
        in_it = {"title": "Mop", "workspace_id": workspace_id}
        assert (await person.post("/tasks", in_it)).status_code in {404, 422}
        left = (await journal(person, person.workspace_id))[-1]
        assert (left["verb"], left["entity_id"]) == ("workspace.left", workspace_id)
    assert (await ana.delete(f"/workspaces/{workspace_id}")).status_code == 404


async def test_the_end_of_a_workspace_is_in_everybodys_audit_log(
    ana: Person, bob: Person, database: Database
) -> None:
    workspace_id = await share(ana, bob)
    await ana.delete(f"/workspaces/{workspace_id}")
    for person in (ana, bob):
        event = (await account_events(database, person))[-1]
        assert (event.verb, event.actor_id) == ("workspace.deleted", ana.user_id)
        assert event.details == {"workspace_id": workspace_id}


async def test_a_personal_workspace_cannot_be_deleted_but_renamed(ana: Person) -> None:
    response = await ana.delete(f"/workspaces/{ana.workspace_id}")
    assert (response.status_code, response.json()["code"]) == (409, "personal_workspace")
    assert (await ana.patch(f"/workspaces/{ana.workspace_id}", {"name": "Mine"})).json()["name"] == "Mine"


async def test_strangers_see_no_workspace(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana)
    for response in (
        await bob.get(f"/workspaces/{workspace_id}"),
        await bob.patch(f"/workspaces/{workspace_id}", {"name": "Mine"}),
        await bob.put(f"/workspaces/{workspace_id}", {"name": "Mine"}),
        await bob.delete(f"/workspaces/{workspace_id}"),
    ):
        absent = await bob.get("/workspaces/9000000000")
        assert (response.status_code, response.json()["detail"]) == (404, absent.json()["detail"])
    assert (await ana.get(f"/workspaces/{workspace_id}")).json()["version"] == 1


@pytest.mark.parametrize("role", ["viewer", "editor"])
async def test_only_owners_change_a_workspace(ana: Person, bob: Person, role: str) -> None:
    workspace_id = await share(ana, bob, role=role)
    assert (await bob.get(f"/workspaces/{workspace_id}")).json()["role"] == role
    for response in (
        await bob.patch(f"/workspaces/{workspace_id}", {"name": "Mine"}),
        await bob.put(f"/workspaces/{workspace_id}", {"name": "Mine"}),
        await bob.delete(f"/workspaces/{workspace_id}"),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")


async def test_a_write_token_does_not_end_a_workspace(ana: Person) -> None:
    workspace_id = await share(ana)
    writer = ana.with_token((await ana.make("/tokens", name="writer"))["token"])
    assert (await writer.patch(f"/workspaces/{workspace_id}", {"name": "Hut"})).status_code == 200
    assert (await writer.delete(f"/workspaces/{workspace_id}")).status_code == 403


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/name"), ({"name": ""}, "/name"), ({"name": "x" * 201}, "/name"), ({"name": "x", "id": 1}, "/id")],
)
async def test_a_workspace_that_makes_no_sense_is_refused(ana: Person, body: Any, pointer: str) -> None:
    response = await ana.post("/workspaces", body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer


async def test_a_repeated_keyed_request_makes_one_workspace(ana: Person) -> None:
    key = {"Idempotency-Key": "flat"}
    answers = await asyncio.gather(
        *(ana.post("/workspaces", {"name": "Flat"}, headers=key) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 4
    assert len(await ana.all("/workspaces")) == 2
    assert (await ana.post("/workspaces", {"name": "House"}, headers=key)).status_code == 422


async def test_a_repeated_keyed_deletion_is_answered_as_the_first(ana: Person) -> None:
    workspace_id = await share(ana)
    key = {"Idempotency-Key": "end"}
    for _ in range(2):
        response = await ana.delete(f"/workspaces/{workspace_id}", headers=key)
        assert response.status_code == 204


async def test_a_change_that_waited_for_the_deletion_finds_nothing(ana: Person, bob: Person) -> None:
    """Whatever the order, nobody gets a 2xx for a write after the end."""
    for _ in range(5):
        workspace_id = await share(ana, bob, role="owner")
        path = f"/workspaces/{workspace_id}"
        renamed, deleted = await asyncio.gather(bob.patch(path, {"name": "Still here"}), ana.delete(path))
        assert deleted.status_code == 204
        assert renamed.status_code in {200, 404}
