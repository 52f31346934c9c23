import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import URL, select, update
from tests.conftest import MakePerson, http_client
from tests.support.journals import changes_of
from tests.support.people import Person
from tests.support.sharing import account_events, admit, disable, invite, journal, share, verbs
from tests.support.statements import count_statements

from dutiful.app import create_app
from dutiful.database.session import Database, Writer
from dutiful.models import Invitation, User
from dutiful.settings import Settings

UNKNOWN = "dti_" + "x" * 43


async def accept(person: Person, token: str, **options: Any) -> httpx.Response:
    return await person.post("/invitations/accept", {"token": token}, **options)


async def look(person: Person, token: str) -> httpx.Response:
    return await person.post("/invitations/look", {"token": token})


async def role_of(person: Person, workspace_id: int) -> str | None:
    response = await person.get(f"/workspaces/{workspace_id}")
    return response.json()["role"] if response.is_success else None


async def expire(database: Database, invitation_id: int) -> None:
    async def work(session: Writer) -> None:
        past = datetime.now(UTC) - timedelta(seconds=1)
        await session.execute(
            update(Invitation).where(Invitation.id == invitation_id).values(expires_at=past)
        )

    await database.write(work)


# --- making -----------------------------------------------------------------------------------------------------------


async def test_an_owner_makes_an_invitation_and_is_shown_its_secret_once(
    ana: Person, database: Database
) -> None:
    workspace_id = await share(ana)
    path = f"/workspaces/{workspace_id}/invitations"
    response = await ana.post(path, {})
    made = response.json()
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"/api/v1{path}/{made['id']}"
    token = made.pop("token")
    assert (made.pop("url"), token[:4], len(token)) == (None, "dti_", 47)
    assert (made["workspace_id"], made["created_by"]) == (workspace_id, ana.user_id)
    assert (made["role"], made["uses_left"]) == ("editor", 1)
    lasts = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert abs(lasts - timedelta(days=7)) < timedelta(seconds=1)
    assert (await ana.get(f"{path}/{made['id']}")).json() == made
    assert (await ana.get(path)).json() == {"items": [made], "count": 1, "next_cursor": None}
    async with database.read() as session:
        stored = await session.scalar(select(Invitation.hash).where(Invitation.id == made["id"]))
    assert stored == hashlib.sha256(token.encode()).digest()


async def test_role_uses_and_end_are_as_wanted(ana: Person) -> None:
    path = f"/workspaces/{await share(ana)}/invitations"
    end = (datetime.now(UTC) + timedelta(days=29)).isoformat()
    made = await ana.make(path, role="viewer", uses=100, expires_at=end)
    assert (made["role"], made["uses_left"]) == ("viewer", 100)
    assert datetime.fromisoformat(made["expires_at"]) == datetime.fromisoformat(end)
    in_days = await ana.make(path, expires_in_days=30)
    lasts = datetime.fromisoformat(in_days["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < lasts <= timedelta(days=30)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"role": "king"}, "/role"),
        ({"uses": 0}, "/uses"),
        ({"uses": 101}, "/uses"),
        ({"uses": "1"}, "/uses"),
        ({"uses": True}, "/uses"),
        ({"expires_in_days": 0}, "/expires_in_days"),
        ({"expires_in_days": 31}, "/expires_in_days"),
        ({"expires_in_days": 1.5}, "/expires_in_days"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2999-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2026-12-01T00:00:00"}, "/expires_at"),
        ({"expires_at": "2026-12-01T00:00:00Z", "expires_in_days": 3}, "/expires_in_days"),
        ({"email": "bob@example.org"}, "/email"),
    ],
)
async def test_an_invitation_that_makes_no_sense_is_refused(ana: Person, body: Any, pointer: str) -> None:
    response = await ana.post(f"/workspaces/{await share(ana)}/invitations", body)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


async def test_nobody_is_invited_into_a_personal_workspace(ana: Person) -> None:
    response = await ana.post(f"/workspaces/{ana.workspace_id}/invitations", {})
    assert (response.status_code, response.json()["code"]) == (409, "personal_workspace")


async def test_the_secret_is_not_kept_for_a_repeated_keyed_request(ana: Person) -> None:
    path = f"/workspaces/{await share(ana)}/invitations"
    key = {"Idempotency-Key": "invite"}
    assert (await ana.post(path, {}, headers=key)).status_code == 201
    again = await ana.post(path, {}, headers=key)
    assert (again.status_code, again.json()["code"]) == (409, "answer_not_kept")
    assert (await ana.get(path)).json()["count"] == 1


@pytest.fixture
async def public(database_url: URL) -> AsyncIterator[FastAPI]:
    """A server that knows the address people reach it under."""
    app = create_app(Settings(base_url="https://tasks.example.org", db_pool_size=2), database_url)
    async with app.router.lifespan_context(app):
        yield app


async def test_a_server_that_knows_its_address_gives_a_link(ana: Person, public: FastAPI) -> None:
    workspace_id = await share(ana)
    async with http_client(public) as client:
        response = await client.post(
            f"/api/v1/workspaces/{workspace_id}/invitations",
            json={},
            headers={"Authorization": f"Bearer {ana.token}"},
        )
    made = response.json()
    assert made["url"] == f"https://tasks.example.org/invitations/{made['token']}"


# --- looking and accepting --------------------------------------------------------------------------------------------


async def test_who_looks_is_told_what_it_is_and_joins_nothing(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, name="Flat")
    made = await ana.make(f"/workspaces/{workspace_id}/invitations", role="viewer")
    name = (await ana.get("/users/me")).json()["name"]
    reader = bob.with_token((await bob.make("/tokens", name="reader", scopes=["read"]))["token"])
    for person in (bob, reader):
        response = await look(person, f" {made['token']}\n")
        assert response.status_code == 200, response.text
        assert response.json() == {
            "workspace_id": workspace_id,
            "workspace_name": "Flat",
            "role": "viewer",
            "invited_by": name,
            "expires_at": made["expires_at"],
            "is_member": False,
        }
    assert await role_of(bob, workspace_id) is None
    assert (await ana.get(f"/workspaces/{workspace_id}/invitations")).json()["items"][0]["uses_left"] == 1
    assert (await look(ana, made["token"])).json()["is_member"] is True


async def test_who_accepts_is_a_member_at_once(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana)
    response = await accept(bob, await invite(ana, workspace_id, role="viewer"))
    joined = response.json()
    assert response.status_code == 201, response.text
    assert (joined["id"], joined["role"]) == (workspace_id, "viewer")
    assert response.headers["Location"] == f"/api/v1/workspaces/{workspace_id}"
    seen = await bob.get(f"/workspaces/{workspace_id}")
    assert (seen.json(), seen.headers["ETag"]) == (joined, response.headers["ETag"])
    assert (await ana.get(f"/workspaces/{workspace_id}/invitations")).json()["items"] == []


async def test_joining_is_told_in_the_workspace_at_home_and_in_the_audit_logs(
    ana: Person, bob: Person, database: Database
) -> None:
    workspace_id = await share(ana)
    made = await ana.make(f"/workspaces/{workspace_id}/invitations", uses=2)
    await accept(bob, made["token"])
    added = (await journal(ana, workspace_id))[-1]
    assert (added["verb"], added["entity_id"], added["user_id"]) == (
        "member.added",
        bob.user_id,
        bob.user_id,
    )
    joined = (await journal(bob, bob.workspace_id))[-1]
    assert (joined["verb"], joined["entity_id"], joined["after"]["role"]) == (
        "workspace.joined",
        workspace_id,
        "editor",
    )
    event = (await account_events(database, bob))[-1]
    assert (event.verb, event.actor_id) == ("member.added", bob.user_id)
    assert event.details == {"workspace_id": workspace_id, "role": "editor"}
    events = (await account_events(database, ana))[-2:]
    assert [event.verb for event in events] == ["invitation.created", "invitation.accepted"]
    assert events[1].actor_id == bob.user_id
    assert {event.details["invitation_id"] for event in events} == {made["id"]}
    assert made["token"] not in str([event.details for event in events])


async def test_a_member_who_accepts_uses_nothing_up_and_stays_what_they_are(ana: Person, bob: Person) -> None:
    """Whatever the link would give: an owner who wants another role for them says so to their name."""
    workspace_id = await share(ana, bob, role="editor")
    for role in ("owner", "viewer"):
        token = await invite(ana, workspace_id, role=role)
        response = await accept(bob, token)
        assert (response.status_code, response.json()["role"]) == (200, "editor")
    left = (await ana.get(f"/workspaces/{workspace_id}/invitations")).json()["items"]
    assert [invitation["uses_left"] for invitation in left] == [1, 1]
    assert (await verbs(bob, workspace_id)).count("member.added") == 2


async def test_who_never_got_the_answer_may_ask_again(ana: Person, bob: Person) -> None:
    token = await invite(ana, await share(ana))
    first = await accept(bob, token)
    again = await accept(bob, token)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


async def test_a_repeated_keyed_accepting_is_answered_as_the_first(ana: Person, bob: Person) -> None:
    token = await invite(ana, await share(ana), uses=2)
    key = {"Idempotency-Key": "join"}
    first = await accept(bob, token, headers=key)
    again = await accept(bob, token, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_one_use_lets_exactly_one_of_many_in(
    ana: Person, new_person: MakePerson, database: Database
) -> None:
    workspace_id = await share(ana)
    people = [await new_person("Guest") for _ in range(30)]
    for uses in (1, 3):
        token = await invite(ana, workspace_id, uses=uses)
        answers = await asyncio.gather(*(accept(person, token) for person in people))
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [201] * uses + [404] * (30 - uses)
        people = [person for person, status in zip(people, statuses, strict=True) if status == 404] + [
            await new_person("Guest") for _ in range(uses)
        ]
    changes = await changes_of(database, workspace_id)
    assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
    assert [change.verb for change in changes].count("member.added") == 1 + 1 + 3


async def test_one_person_who_accepts_many_times_at_once_uses_one(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana)
    token = await invite(ana, workspace_id, uses=5)
    answers = await asyncio.gather(*(accept(bob, token) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert (await ana.get(f"/workspaces/{workspace_id}/invitations")).json()["items"][0]["uses_left"] == 4


async def test_revoking_and_accepting_at_once_agree(ana: Person, bob: Person) -> None:
    for _ in range(5):
        workspace_id = await share(ana)
        path = f"/workspaces/{workspace_id}/invitations"
        made = await ana.make(path)
        accepted, revoked = await asyncio.gather(
            accept(bob, made["token"]), ana.delete(f"{path}/{made['id']}")
        )
        assert revoked.status_code == 204
        assert (accepted.status_code, await role_of(bob, workspace_id)) in {(201, "editor"), (404, None)}


# --- what does not work -----------------------------------------------------------------------------------------------


async def not_valid(person: Person, token: str) -> None:
    """It is the same answer as for one that never was."""
    unknown = {**(await accept(person, UNKNOWN)).json(), "request_id": None}
    for response in (await accept(person, token), await look(person, token)):
        assert {**response.json(), "request_id": None} == unknown
        assert (response.status_code, unknown["code"]) == (404, "not_found")
        assert "Ask whoever sent it for another" in unknown["detail"]


async def test_an_expired_invitation_is_not_valid(ana: Person, bob: Person, database: Database) -> None:
    path = f"/workspaces/{await share(ana)}/invitations"
    made = await ana.make(path)
    await expire(database, made["id"])
    await not_valid(bob, made["token"])
    assert (await ana.get(path)).json()["items"] == []
    assert (await ana.get(f"{path}/{made['id']}")).status_code == 404


async def test_a_used_up_invitation_is_not_valid(ana: Person, bob: Person, new_person: MakePerson) -> None:
    token = await invite(ana, await share(ana))
    assert (await accept(await new_person("Eva"), token)).status_code == 201
    await not_valid(bob, token)


async def test_who_was_removed_does_not_come_back_by_what_they_used_up(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana)
    token = await invite(ana, workspace_id)
    await accept(bob, token)
    await ana.delete(f"/workspaces/{workspace_id}/members/{bob.user_id}")
    await not_valid(bob, token)


async def test_a_revoked_invitation_is_not_valid(ana: Person, bob: Person, database: Database) -> None:
    path = f"/workspaces/{await share(ana)}/invitations"
    made = await ana.make(path)
    assert (await ana.delete(f"{path}/{made['id']}")).status_code == 204
    assert (await ana.delete(f"{path}/{made['id']}")).status_code == 404
    await not_valid(bob, made["token"])
    event = (await account_events(database, ana))[-1]
    assert (event.verb, event.details["invitation_id"]) == ("invitation.revoked", made["id"])


async def test_an_invitation_into_a_deleted_workspace_works_again_once_it_is_restored(
    ana: Person, bob: Person
) -> None:
    workspace_id = await share(ana)
    token = await invite(ana, workspace_id)
    await ana.delete(f"/workspaces/{workspace_id}")
    await not_valid(bob, token)
    await not_valid(ana, token)
    assert (await ana.post(f"/workspaces/{workspace_id}/restore")).status_code == 200
    assert (await accept(bob, token)).status_code == 201


async def test_the_invitations_of_who_is_no_owner_any_more_are_withdrawn(
    ana: Person, bob: Person, new_person: MakePerson
) -> None:
    """For good: links forgotten long ago must not wake up when they become an owner again."""
    workspace_id = await share(ana, bob, role="owner")
    member = f"/workspaces/{workspace_id}/members/{bob.user_id}"
    eva = await new_person("Eva")
    kept = await invite(ana, workspace_id)
    token = await invite(bob, workspace_id)
    await ana.patch(member, {"role": "editor"})
    await not_valid(eva, token)
    await ana.patch(member, {"role": "owner"})
    await not_valid(eva, token)
    token = await invite(bob, workspace_id)
    await ana.delete(member)
    await not_valid(eva, token)
    await admit(ana, workspace_id, bob, role="owner")
    await not_valid(eva, token)
    assert (await accept(eva, kept)).status_code == 201


async def test_the_invitations_of_who_is_disabled_rest(ana: Person, bob: Person, database: Database) -> None:
    workspace_id = await share(ana, bob, role="owner")
    token = await invite(bob, workspace_id)
    eva = ana
    await ana.delete(f"/workspaces/{workspace_id}/members/{ana.user_id}")
    await disable(database, bob)
    await not_valid(eva, token)

    async def enable(session: Writer) -> None:
        await session.execute(update(User).where(User.id == bob.user_id).values(disabled_at=None))

    await database.write(enable)
    assert (await accept(eva, token)).status_code == 201


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"token": "dti_"}', 404),
        ('{"token": "x"}', 404),
        ('{"token": "dtf_' + "x" * 43 + '"}', 404),
        ('{"token": ""}', 422),
        ('{"token": "\\u0000"}', 422),
        ('{"token": "\\ud800"}', 422),
        ('{"token": 5}', 422),
        ('{"token": null}', 422),
        ('{"token": "' + "x" * 201 + '"}', 422),
        ("{}", 422),
        ("[]", 422),
        ("{", 400),
    ],
)
async def test_what_is_no_invitation_is_refused(ana: Person, body: str, status: int) -> None:
    for path in ("/invitations/accept", "/invitations/look"):
        response = await ana.request("POST", path, content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == status, response.text


# --- who may ----------------------------------------------------------------------------------------------------------


async def everything_an_owner_may(person: Person, workspace_id: int, invitation_id: int) -> list[int]:
    path = f"/workspaces/{workspace_id}/invitations"
    return [
        (await person.get(path)).status_code,
        (await person.get(f"{path}/{invitation_id}")).status_code,
        (await person.post(path, {"role": "owner"})).status_code,
        (await person.delete(f"{path}/{invitation_id}")).status_code,
    ]


async def test_invitations_are_for_owners_alone(ana: Person, bob: Person, new_person: MakePerson) -> None:
    workspace_id = await share(ana, bob, role="viewer")
    path = f"/workspaces/{workspace_id}/invitations"
    made = await ana.make(path)
    member = f"/workspaces/{workspace_id}/members/{bob.user_id}"
    assert await everything_an_owner_may(bob, workspace_id, made["id"]) == [403] * 4
    await ana.patch(member, {"role": "editor"})
    assert await everything_an_owner_may(bob, workspace_id, made["id"]) == [403] * 4
    await ana.delete(member)
    for stranger in (bob, await new_person("Eva")):
        assert await everything_an_owner_may(stranger, workspace_id, made["id"]) == [404] * 4
    nobody = ana.with_token("dtf_" + "x" * 43)
    assert await everything_an_owner_may(nobody, workspace_id, made["id"]) == [401] * 4
    assert (await ana.get(path)).json()["count"] == 1


async def test_any_owner_revokes_what_another_made(ana: Person, bob: Person, database: Database) -> None:
    workspace_id = await share(ana, bob, role="owner")
    made = await bob.make(f"/workspaces/{workspace_id}/invitations")
    assert (await ana.delete(f"/workspaces/{workspace_id}/invitations/{made['id']}")).status_code == 204
    event = (await account_events(database, bob))[-1]
    assert (event.verb, event.actor_id) == ("invitation.revoked", ana.user_id)


async def test_invitations_of_another_workspace_are_not_reached_through_mine(
    ana: Person, bob: Person
) -> None:
    """The parent is mine, the child is not."""
    mine, theirs = await share(bob), await share(ana)
    made = await ana.make(f"/workspaces/{theirs}/invitations")
    path = f"/workspaces/{mine}/invitations/{made['id']}"
    assert (await bob.get(path)).status_code == 404
    assert (await bob.delete(path)).status_code == 404
    assert (await bob.get(f"/workspaces/{mine}/invitations")).json()["items"] == []
    assert (await ana.get(f"/workspaces/{theirs}/invitations")).json()["count"] == 1


async def test_scopes_of_tokens_are_kept_to(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana)
    path = f"/workspaces/{workspace_id}/invitations"
    made = await ana.make(path)
    writer = ana.with_token((await ana.make("/tokens", name="writer"))["token"])
    assert await everything_an_owner_may(writer, workspace_id, made["id"]) == [200, 200, 403, 403]
    reader = bob.with_token((await bob.make("/tokens", name="reader", scopes=["read"]))["token"])
    assert (await look(reader, made["token"])).status_code == 200
    assert (await accept(reader, made["token"])).status_code == 403
    writing = bob.with_token((await bob.make("/tokens", name="writer"))["token"])
    assert (await accept(writing, made["token"])).status_code == 201


async def test_who_is_not_signed_in_neither_looks_nor_joins(
    ana: Person, bob: Person, database: Database, anonymous: httpx.AsyncClient
) -> None:
    token = await invite(ana, await share(ana))
    await disable(database, bob)
    for path in ("look", "accept"):
        assert (await bob.post(f"/invitations/{path}", {"token": token})).status_code == 401
        response = await anonymous.post(f"/api/v1/invitations/{path}", json={"token": token})
        assert response.status_code == 401


async def test_invitations_are_listed_page_by_page(ana: Person, database: Database) -> None:
    workspace_id = await share(ana)
    path = f"/workspaces/{workspace_id}/invitations"
    made = [(await ana.make(path))["id"] for _ in range(5)]
    assert [one["id"] for one in await ana.all(path, limit=2)] == made
    await ana.get(path)
    with count_statements(database) as statements:
        await ana.get(path)
    assert len(statements) == 3
