import asyncio
from typing import Any

import pytest
from tests.conftest import MakePerson
from tests.support.people import Person
from tests.support.sharing import account_events, disable, invite, journal, share

from dutiful.database.session import Database


async def roles(person: Person, workspace_id: int) -> dict[int, str]:
    members = await person.all(f"/workspaces/{workspace_id}/members")
    return {member["user_id"]: member["role"] for member in members}


@pytest.mark.parametrize(("kept", "role"), [({}, "editor"), ({"keep_role": "viewer"}, "viewer")])
async def test_an_owner_makes_another_member_owner_and_steps_down(
    ana: Person, bob: Person, kept: Any, role: str
) -> None:
    workspace_id = await share(ana, bob, role="viewer")
    response = await ana.post(f"/workspaces/{workspace_id}/transfer", {"user_id": bob.user_id, **kept})
    assert (response.status_code, response.content) == (204, b"")
    assert await roles(bob, workspace_id) == {ana.user_id: role, bob.user_id: "owner"}
    changes = (await journal(bob, workspace_id))[-2:]
    assert [(change["entity_id"], change["before"], change["after"]) for change in changes] == [
        (bob.user_id, {"role": "viewer"}, {"role": "owner"}),
        (ana.user_id, {"role": "owner"}, {"role": role}),
    ]
    assert len({change["request_id"] for change in changes}) == 1
    assert (await ana.patch(f"/workspaces/{workspace_id}", {"name": "Mine"})).status_code == 403


async def test_an_owner_hands_over_and_leaves(ana: Person, bob: Person, database: Database) -> None:
    workspace_id = await share(ana, bob)
    task = await ana.make("/tasks", title="Sweep", workspace_id=workspace_id, assignee_id=ana.user_id)
    body, key = {"user_id": bob.user_id, "keep_role": None}, {"Idempotency-Key": "hand over"}
    for _ in range(2):
        response = await ana.post(f"/workspaces/{workspace_id}/transfer", body, headers=key)
        assert response.status_code == 204
    assert await roles(bob, workspace_id) == {bob.user_id: "owner"}
    assert (await ana.get(f"/workspaces/{workspace_id}")).status_code == 404
    assert (await bob.get(f"/tasks/{task['id']}")).json()["assignee_id"] is None
    told = [change["verb"] for change in (await journal(bob, workspace_id))[-3:]]
    assert told == ["member.updated", "task.updated", "member.removed"]
    assert (await journal(ana, ana.workspace_id))[-1]["verb"] == "workspace.left"
    of_bob, of_ana = (await account_events(database, bob))[-1], (await account_events(database, ana))[-1]
    assert (of_bob.verb, of_bob.actor_id) == ("member.updated", ana.user_id)
    assert of_bob.details == {"workspace_id": workspace_id, "role": "owner", "was": "editor"}
    assert (of_ana.verb, of_ana.details["was"]) == ("member.removed", "owner")


async def test_an_owner_who_hands_over_to_another_owner_just_steps_down(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob, role="owner")
    response = await ana.post(f"/workspaces/{workspace_id}/transfer", {"user_id": bob.user_id})
    assert response.status_code == 204
    assert await roles(bob, workspace_id) == {ana.user_id: "editor", bob.user_id: "owner"}


async def test_the_invitations_of_who_handed_over_are_withdrawn(
    ana: Person, bob: Person, new_person: MakePerson
) -> None:
    workspace_id = await share(ana, bob)
    token = await invite(ana, workspace_id, role="owner")
    await ana.post(f"/workspaces/{workspace_id}/transfer", {"user_id": bob.user_id})
    response = await (await new_person("Eva")).post("/invitations/accept", {"token": token})
    assert response.status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/user_id"),
        ({"user_id": 9_000_000_000}, "/user_id"),
        ({"user_id": "1"}, "/user_id"),
        ({"user_id": 1, "keep_role": "owner"}, "/keep_role"),
        ({"user_id": 1, "role": "editor"}, "/role"),
    ],
)
async def test_a_transfer_that_makes_no_sense_is_refused(ana: Person, body: Any, pointer: str) -> None:
    response = await ana.post(f"/workspaces/{await share(ana)}/transfer", body)
    assert response.status_code == 422
    assert pointer in [error["pointer"] for error in response.json()["errors"]]


async def test_only_members_who_can_sign_in_may_become_owners_so(
    ana: Person, bob: Person, new_person: MakePerson, database: Database
) -> None:
    workspace_id = await share(ana, bob)
    await disable(database, bob)
    for heir in (ana, bob, await new_person("Eva")):
        response = await ana.post(f"/workspaces/{workspace_id}/transfer", {"user_id": heir.user_id})
        assert response.status_code == 422
        assert [error["pointer"] for error in response.json()["errors"]] == ["/user_id"]
    assert await roles(ana, workspace_id) == {ana.user_id: "owner", bob.user_id: "editor"}


async def test_a_personal_workspace_is_not_given_away(ana: Person, bob: Person) -> None:
    response = await ana.post(f"/workspaces/{ana.workspace_id}/transfer", {"user_id": bob.user_id})
    assert (response.status_code, response.json()["code"]) == (409, "personal_workspace")


async def test_a_stale_transfer_is_told_the_current_workspace(ana: Person, bob: Person) -> None:
    path = f"/workspaces/{await share(ana, bob)}"
    stale = {"If-Match": (await ana.get(path)).headers["ETag"]}
    current = await ana.patch(path, {"name": "House"})
    response = await ana.post(f"{path}/transfer", {"user_id": bob.user_id}, headers=stale)
    assert (response.status_code, response.json()["current"]) == (412, current.json())


async def test_only_an_owner_with_the_scope_for_it_transfers(
    ana: Person, bob: Person, new_person: MakePerson
) -> None:
    workspace_id = await share(ana, bob, role="viewer")
    path, body = f"/workspaces/{workspace_id}/transfer", {"user_id": bob.user_id}
    writer = ana.with_token((await ana.make("/tokens", name="writer"))["token"])
    eva = await new_person("Eva")
    nobody = ana.with_token("dtf_" + "x" * 43)
    for person, status in ((bob, 403), (writer, 403), (eva, 404), (nobody, 401)):
        assert (await person.post(path, body)).status_code == status
    await ana.patch(f"/workspaces/{workspace_id}/members/{bob.user_id}", {"role": "editor"})
    assert (await bob.post(path, body)).status_code == 403
    await ana.delete(f"/workspaces/{workspace_id}/members/{bob.user_id}")
    assert (await bob.post(path, {"user_id": ana.user_id})).status_code == 404
    assert await roles(ana, workspace_id) == {ana.user_id: "owner"}


async def test_owners_who_hand_over_and_leave_at_once_leave_one_owner(ana: Person, bob: Person) -> None:
    """Each looks for another owner and finds the other: without the lock both would go."""
    for number in range(30):
        workspace_id = await share(ana, bob, role="owner")
        path = f"/workspaces/{workspace_id}"
        member = f"{path}/members/{bob.user_id}"
        seconds: list[tuple[str, str, Any]] = [
            ("DELETE", member, None),
            ("POST", f"{path}/transfer", {"user_id": ana.user_id}),
            ("PATCH", member, {"role": "viewer"}),
        ]
        method, where, body = seconds[number % 3]
        answers = await asyncio.gather(
            ana.post(f"{path}/transfer", {"user_id": bob.user_id, "keep_role": None}),
            bob.request(method, where, json=body),
        )
        assert {answer.status_code for answer in answers} <= {200, 204, 403, 404, 409, 422}
        # Somebody still sees it, and sees an owner in it.
        seen = [await roles(person, workspace_id) for person in (ana, bob) if await sees(person, path)]
        assert seen
        assert all("owner" in each.values() for each in seen)


async def sees(person: Person, path: str) -> bool:
    return (await person.get(path)).is_success
