import asyncio
from typing import Any

import pytest
from tests.conftest import MakePerson
from tests.support.people import Person
from tests.support.sharing import account_events, admit, disable, journal, share, verbs
from tests.support.statements import count_statements

from dutiful.changes.cursor import decode_cursor
from dutiful.database.session import Database, Writer
from dutiful.models import User


async def test_an_owner_adds_by_e_mail_whom_they_share_a_workspace_with(ana: Person, bob: Person) -> None:
    await share(bob, ana, role="viewer")
    path = f"/workspaces/{await share(ana)}/members"
    response = await ana.post(path, {"email": f" {bob.email.upper()} ", "role": "viewer"})
    made = response.json()
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"/api/v1{path}/{bob.user_id}"
    assert (made["user_id"], made["email"], made["role"]) == (bob.user_id, bob.email, "viewer")
    assert (await bob.get(f"{path}/{bob.user_id}")).json() == made
    assert (await bob.get(f"{path}/{bob.user_id}")).headers["ETag"] == response.headers["ETag"]


async def test_who_is_added_may_work_at_once(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob)
    task = await bob.make("/tasks", title="Sweep", workspace_id=workspace_id)
    assert (await ana.get(f"/tasks/{task['id']}")).status_code == 200


async def test_joining_is_told_in_the_workspace_and_at_home(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob, role="viewer")
    added = (await journal(ana, workspace_id))[-1]
    assert (added["verb"], added["entity"], added["entity_id"]) == ("member.added", "member", bob.user_id)
    assert added["after"] == {"user_id": bob.user_id, "role": "viewer"}
    joined = (await journal(bob, bob.workspace_id))[-1]
    assert (joined["verb"], joined["entity"], joined["entity_id"]) == (
        "workspace.joined",
        "workspace",
        workspace_id,
    )
    assert joined["after"]["role"] == "viewer"
    assert joined["user_id"] == added["user_id"] == bob.user_id


async def test_the_cursor_of_the_answer_does_not_tell_of_the_others_home(ana: Person, bob: Person) -> None:
    await share(ana, bob)
    workspace_id = await share(ana)
    response = await ana.post(f"/workspaces/{workspace_id}/members", {"email": bob.email})
    assert set(decode_cursor(response.headers["Dutiful-Cursor"])) == {workspace_id}


async def test_members_are_listed_page_by_page(ana: Person, new_person: MakePerson) -> None:
    others = [await new_person("Friend") for _ in range(4)]
    workspace_id = await share(ana, *others, role="viewer")
    listed = await others[0].all(f"/workspaces/{workspace_id}/members", limit=2)
    assert [member["user_id"] for member in listed] == [ana.user_id, *(other.user_id for other in others)]
    assert [member["email"] for member in listed[1:]] == [other.email for other in others]
    assert [member["role"] for member in listed] == ["owner"] + ["viewer"] * 4
    assert listed[0]["name"].startswith("Ana")


async def test_a_list_of_members_takes_the_same_statements_whatever_its_length(
    ana: Person, new_person: MakePerson, database: Database
) -> None:
    counts = []
    workspace_id = await share(ana)
    path = f"/workspaces/{workspace_id}/members"
    for _ in range(2):
        with count_statements(database) as statements:
            await ana.get(path)
        counts.append(len(statements))
        await admit(ana, workspace_id, *[await new_person("Friend") for _ in range(3)])
    assert counts == [3, 3]


async def test_a_new_name_is_a_new_etag_of_the_member(ana: Person, bob: Person) -> None:
    path = f"/workspaces/{await share(ana, bob)}/members/{bob.user_id}"
    tag = (await ana.get(path)).headers["ETag"]
    assert (await ana.get(path, headers={"If-None-Match": tag})).status_code == 304
    await bob.patch("/users/me", {"name": "Robert"})
    after = await ana.get(path, headers={"If-None-Match": tag})
    assert (after.status_code, after.json()["name"]) == (200, "Robert")
    # The role was not touched, so a change of it may go on.
    assert (await ana.patch(path, {"role": "viewer"}, headers={"If-Match": tag})).status_code == 200


async def test_adding_by_e_mail_does_not_tell_who_has_an_account(
    ana: Person, bob: Person, new_person: MakePerson
) -> None:
    """Neither that of a stranger, nor of somebody who has left, nor of who shares what is deleted."""
    eva = await new_person("Eva")
    left, deleted = await share(ana, bob), await share(ana, eva)
    await bob.delete(f"/workspaces/{left}/members/{bob.user_id}")
    await ana.delete(f"/workspaces/{deleted}")
    path = f"/workspaces/{await share(ana)}/members"
    answers = []
    for email in ("nobody@example.org", (await new_person("Zoe")).email, bob.email, eva.email):
        answer = await ana.post(path, {"email": email})
        answers.append((answer.status_code, {**answer.json(), "request_id": None}))
    assert answers[0][0] == 422
    assert "invite them by a link" in answers[0][1]["errors"][0]["detail"]
    assert answers == answers[:1] * 4


async def test_adding_by_e_mail_asks_the_same_of_the_database_for_whoever_is_not_known(
    ana: Person, bob: Person, database: Database
) -> None:
    path = f"/workspaces/{await share(ana)}/members"
    asked = []
    for email in (bob.email, "nobody@example.org"):
        with count_statements(database) as statements:
            await ana.post(path, {"email": email})
        asked.append(statements)
    assert asked[0] == asked[1]


async def test_the_administrator_adds_anybody_by_e_mail(ana: Person, bob: Person, database: Database) -> None:
    await promote(database, ana)
    path = f"/workspaces/{await share(ana)}/members"
    assert (await ana.post(path, {"email": bob.email})).status_code == 201
    assert (await ana.post(path, {"email": "nobody@example.org"})).status_code == 422


async def promote(database: Database, person: Person) -> None:
    async def work(session: Writer) -> None:
        (await session.get_one(User, person.user_id)).is_admin = True

    await database.write(work)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "nobody@example.org"}, "/email"),
        ({"email": ""}, "/email"),
        ({"role": "editor"}, "/email"),
        ({"email": "a@example.org", "role": "king"}, "/role"),
        ({"user_id": 1}, "/email"),
        ({"email": "a\x00@example.org"}, "/email"),
    ],
)
async def test_who_is_not_here_cannot_be_added(ana: Person, body: Any, pointer: str) -> None:
    response = await ana.post(f"/workspaces/{await share(ana)}/members", body)
    assert response.status_code == 422
    assert pointer in {error["pointer"] for error in response.json()["errors"]}


async def test_a_disabled_person_counts_as_absent(ana: Person, bob: Person, database: Database) -> None:
    await share(ana, bob)
    path = f"/workspaces/{await share(ana)}/members"
    await disable(database, bob)
    refused = await ana.post(path, {"email": bob.email})
    unknown = await ana.post(path, {"email": "nobody@example.org"})
    assert (refused.status_code, refused.json()["errors"]) == (422, unknown.json()["errors"])


async def test_a_disabled_owner_does_not_take_over(ana: Person, bob: Person, database: Database) -> None:
    path = f"/workspaces/{await share(ana, bob, role='owner')}/members"
    await disable(database, bob)
    assert (await ana.delete(f"{path}/{ana.user_id}")).json()["code"] == "last_owner"
    assert (await ana.delete(f"{path}/{bob.user_id}")).status_code == 204


async def test_nobody_is_added_twice(ana: Person, bob: Person) -> None:
    path = f"/workspaces/{await share(ana, bob)}/members"
    response = await ana.post(path, {"email": bob.email, "role": "owner"})
    assert (response.status_code, response.json()["code"]) == (409, "taken")
    assert (await ana.get(f"{path}/{bob.user_id}")).json()["role"] == "editor"


async def test_of_two_owners_who_add_somebody_at_once_one_is_told(
    ana: Person, bob: Person, new_person: MakePerson
) -> None:
    path = f"/workspaces/{await share(ana, bob, role='owner')}/members"
    eva = await new_person("Eva")
    await share(eva, ana, bob)
    answers = await asyncio.gather(*(person.post(path, {"email": eva.email}) for person in (ana, bob)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_a_repeated_keyed_request_adds_somebody_once(ana: Person, bob: Person) -> None:
    await share(ana, bob)
    path = f"/workspaces/{await share(ana)}/members"
    key = {"Idempotency-Key": "add bob"}
    first = await ana.post(path, {"email": bob.email}, headers=key)
    again = await ana.post(path, {"email": bob.email}, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await ana.post(path, {"email": bob.email, "role": "owner"}, headers=key)).status_code == 422


async def test_a_personal_workspace_cannot_be_shared(ana: Person, bob: Person) -> None:
    response = await ana.post(f"/workspaces/{ana.workspace_id}/members", {"email": bob.email})
    assert (response.status_code, response.json()["code"]) == (409, "personal_workspace")


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_new_role_holds_at_once(ana: Person, bob: Person, method: str) -> None:
    workspace_id = await share(ana, bob)
    path = f"/workspaces/{workspace_id}/members/{bob.user_id}"
    response = await ana.request(method, path, json={"role": "viewer"})
    assert (response.status_code, response.json()["role"]) == (200, "viewer")
    assert response.json() == (await ana.get(path)).json()
    refused = await bob.post("/tasks", {"title": "Sweep", "workspace_id": workspace_id})
    assert refused.status_code == 403
    change = (await journal(bob, workspace_id))[-1]
    assert (change["verb"], change["entity_id"]) == ("member.updated", bob.user_id)
    assert (change["before"], change["after"]) == ({"role": "editor"}, {"role": "viewer"})


async def test_a_stale_role_change_is_told_the_current_member(ana: Person, bob: Person) -> None:
    path = f"/workspaces/{await share(ana, bob)}/members/{bob.user_id}"
    stale = (await ana.get(path)).headers["ETag"]
    current = await ana.patch(path, {"role": "owner"})
    for method, body in (("PATCH", {"json": {"role": "viewer"}}), ("DELETE", {})):
        response = await ana.request(method, path, headers={"If-Match": stale}, **body)
        assert response.status_code == 412
        assert response.json()["current"] == current.json()
        assert response.headers["ETag"] == current.headers["ETag"]


async def test_the_last_owner_stays(ana: Person, bob: Person) -> None:
    path = f"/workspaces/{await share(ana, bob)}/members"
    for response in (
        await ana.patch(f"{path}/{ana.user_id}", {"role": "editor"}),
        await ana.delete(f"{path}/{ana.user_id}"),
    ):
        assert (response.status_code, response.json()["code"]) == (409, "last_owner")
    await ana.patch(f"{path}/{bob.user_id}", {"role": "owner"})
    assert (await ana.delete(f"{path}/{ana.user_id}")).status_code == 204
    assert (await bob.delete(f"{path}/{bob.user_id}")).status_code == 409


async def test_two_owners_who_leave_at_once_do_not_leave_it_ownerless(ana: Person, bob: Person) -> None:
    for _ in range(5):
        path = f"/workspaces/{await share(ana, bob, role='owner')}/members"
        answers = await asyncio.gather(
            ana.delete(f"{path}/{ana.user_id}"), bob.patch(f"{path}/{bob.user_id}", {"role": "viewer"})
        )
        assert sorted(answer.status_code for answer in answers) in ([200, 409], [204, 409])


async def test_two_owners_who_remove_each_other_leave_one(ana: Person, bob: Person) -> None:
    """Both know the other's home and the workspace: the locks are taken in one order, so nobody waits for ever."""
    for _ in range(5):
        path = f"/workspaces/{await share(ana, bob, role='owner')}/members"
        answers = await asyncio.gather(
            ana.delete(f"{path}/{bob.user_id}"), bob.delete(f"{path}/{ana.user_id}")
        )
        assert sorted(answer.status_code for answer in answers) == [204, 404]


async def test_leaving_is_told_and_ends_the_sight(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob)
    assert (await bob.delete(f"/workspaces/{workspace_id}/members/{bob.user_id}")).status_code == 204
    removed = (await journal(ana, workspace_id))[-1]
    assert (removed["verb"], removed["entity_id"]) == ("member.removed", bob.user_id)
    assert (removed["before"], removed["after"]) == ({"user_id": bob.user_id, "role": "editor"}, None)
    left = (await journal(bob, bob.workspace_id))[-1]
    assert (left["verb"], left["entity_id"], left["after"]) == ("workspace.left", workspace_id, None)
    assert left["before"]["name"] == "Flat"


async def test_an_ex_member_is_a_stranger(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob, role="owner")
    task = await bob.make("/tasks", title="Sweep", workspace_id=workspace_id)
    path = f"/workspaces/{workspace_id}"
    assert (await ana.delete(f"{path}/members/{bob.user_id}")).status_code == 204
    for response in (
        await bob.get(path),
        await bob.patch(path, {"name": "Mine"}),
        await bob.delete(path),
        await bob.get(f"{path}/changes"),
        await bob.get(f"{path}/members"),
        await bob.get(f"{path}/members/{ana.user_id}"),
        await bob.post(f"{path}/members", {"email": bob.email, "role": "owner"}),
        await bob.patch(f"{path}/members/{ana.user_id}", {"role": "viewer"}),
        await bob.delete(f"{path}/members/{ana.user_id}"),
        await bob.delete(f"{path}/members/{bob.user_id}"),
        await bob.get(f"/tasks/{task['id']}"),
    ):
        assert response.status_code == 404, response.text
    assert [each["id"] for each in await bob.all("/workspaces")] == [bob.workspace_id]


async def test_who_comes_back_sees_it_all_again(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob)
    await ana.delete(f"/workspaces/{workspace_id}/members/{bob.user_id}")
    await admit(ana, workspace_id, bob)
    assert await verbs(bob, bob.workspace_id) == [
        "workspace.created",
        "member.added",
        "project.created",
        "workspace.joined",
        "workspace.left",
        "workspace.joined",
    ]
    assert (await bob.get(f"/workspaces/{workspace_id}")).status_code == 200


async def test_the_tasks_of_who_leaves_are_unassigned_one_change_each(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob)
    elsewhere = await share(ana, bob)
    fields = {"title": "Sweep", "assignee_id": bob.user_id}
    tasks = [await ana.make("/tasks", workspace_id=workspace_id, **fields) for _ in range(3)]
    kept = await ana.make("/tasks", workspace_id=elsewhere, **fields)
    await ana.delete(f"/tasks/{tasks[2]['id']}")
    assert (await ana.delete(f"/workspaces/{workspace_id}/members/{bob.user_id}")).status_code == 204
    for task in tasks[:2]:
        now = (await ana.get(f"/tasks/{task['id']}")).json()
        assert (now["assignee_id"], now["version"]) == (None, 2)
    assert (await ana.get(f"/tasks/{kept['id']}")).json()["assignee_id"] == bob.user_id
    changes = (await journal(ana, workspace_id))[-4:]
    assert [change["verb"] for change in changes] == ["task.updated"] * 3 + ["member.removed"]
    assert [change["entity_id"] for change in changes[:3]] == [task["id"] for task in tasks]
    assert changes[0]["before"] == {"assignee_id": bob.user_id}
    assert changes[0]["after"] == {"assignee_id": None}
    assert len({change["request_id"] for change in changes}) == 1


async def test_an_assignment_that_races_with_leaving_is_undone_or_refused(ana: Person, bob: Person) -> None:
    for _ in range(5):
        workspace_id = await share(ana, bob)
        task = await ana.make("/tasks", title="Sweep", workspace_id=workspace_id)
        assigned, removed = await asyncio.gather(
            ana.patch(f"/tasks/{task['id']}", {"assignee_id": bob.user_id}),
            ana.delete(f"/workspaces/{workspace_id}/members/{bob.user_id}"),
        )
        assert removed.status_code == 204
        assert assigned.status_code in {200, 422}
        assert (await ana.get(f"/tasks/{task['id']}")).json()["assignee_id"] is None


@pytest.mark.parametrize("role", ["viewer", "editor"])
async def test_only_owners_decide_who_is_in(
    ana: Person, bob: Person, new_person: MakePerson, role: str
) -> None:
    eva = await new_person("Eva")
    path = f"/workspaces/{await share(ana, bob, role=role)}/members"
    for response in (
        await bob.post(path, {"email": eva.email}),
        await bob.post(path, {"email": "nobody@example.org"}),
        await bob.patch(f"{path}/{bob.user_id}", {"role": "owner"}),
        await bob.put(f"{path}/{bob.user_id}", {"role": "owner"}),
        await bob.delete(f"{path}/{ana.user_id}"),
        await bob.delete(f"{path}/{eva.user_id}"),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert (await bob.get(path)).json()["count"] == 2


async def test_strangers_see_no_members(ana: Person, bob: Person) -> None:
    path = f"/workspaces/{await share(ana)}/members"
    for response in (
        await bob.get(path),
        await bob.get(f"{path}/{ana.user_id}"),
        await bob.post(path, {"email": bob.email, "role": "owner"}),
        await bob.post(path, {"email": "nobody@example.org"}),
        await bob.patch(f"{path}/{ana.user_id}", {"role": "viewer"}),
        await bob.delete(f"{path}/{ana.user_id}"),
        await bob.delete(f"{path}/{bob.user_id}"),
    ):
        assert response.status_code == 404


async def test_members_of_another_workspace_are_not_reached_through_mine(ana: Person, bob: Person) -> None:
    """The parent is mine, the child is not."""
    mine, theirs = await share(bob), await share(ana)
    for response in (
        await bob.get(f"/workspaces/{mine}/members/{ana.user_id}"),
        await bob.patch(f"/workspaces/{mine}/members/{ana.user_id}", {"role": "viewer"}),
        await bob.delete(f"/workspaces/{mine}/members/{ana.user_id}"),
        await bob.delete(f"/workspaces/{mine}/members/9000000000"),
    ):
        assert response.status_code == 404
    assert (await ana.get(f"/workspaces/{theirs}")).json()["role"] == "owner"


async def test_a_write_token_does_not_change_rights(ana: Person, bob: Person) -> None:
    path = f"/workspaces/{await share(ana, bob)}/members"
    writer = ana.with_token((await ana.make("/tokens", name="writer"))["token"])
    for response in (
        await writer.post(path, {"email": bob.email}),
        await writer.patch(f"{path}/{bob.user_id}", {"role": "viewer"}),
        await writer.put(f"{path}/{bob.user_id}", {"role": "viewer"}),
        await writer.delete(f"{path}/{bob.user_id}"),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert (await writer.get(path)).json()["count"] == 2


async def test_rights_are_in_the_audit_log_of_whom_they_concern(
    ana: Person, bob: Person, database: Database
) -> None:
    workspace_id = await share(ana, bob)
    path = f"/workspaces/{workspace_id}/members/{bob.user_id}"
    await ana.patch(path, {"role": "viewer"})
    await ana.patch(path, {"role": "viewer"})
    await ana.delete(path)
    events = (await account_events(database, bob))[-3:]
    assert [event.actor_id for event in events] == [bob.user_id, ana.user_id, ana.user_id]
    assert [(event.verb, event.details) for event in events] == [
        ("member.added", {"workspace_id": workspace_id, "role": "editor"}),
        ("member.updated", {"workspace_id": workspace_id, "role": "viewer", "was": "editor"}),
        ("member.removed", {"workspace_id": workspace_id, "was": "viewer"}),
    ]


async def test_a_repeated_keyed_leaving_is_answered_as_the_first(ana: Person, bob: Person) -> None:
    path = f"/workspaces/{await share(ana, bob)}/members/{bob.user_id}"
    for _ in range(2):
        response = await bob.delete(path, headers={"Idempotency-Key": "leave"})
        assert response.status_code == 204


async def test_a_kept_answer_is_not_shown_to_an_ex_member(ana: Person, bob: Person) -> None:
    path = f"/workspaces/{await share(ana, bob, role='owner')}"
    key = {"Idempotency-Key": "rename"}
    assert (await bob.patch(path, {"name": "Ours"}, headers=key)).status_code == 200
    await ana.delete(f"{path}/members/{bob.user_id}")
    again = await bob.patch(path, {"name": "Ours"}, headers=key)
    assert again.status_code == 404
    assert "Ours" not in again.text
