import asyncio
import json
from typing import Any

import pytest
from tests.conftest import MakePerson
from tests.support.people import Person
from tests.support.sharing import account_events, disable
from tests.support.statements import count_statements

from dutiful.database.session import Database


async def test_i_see_my_account_with_my_workspace_and_inbox(ana: Person) -> None:
    response = await ana.get("/users/me")
    me = response.json()
    assert (me["id"], me["email"]) == (ana.user_id, ana.email)
    assert (me["workspace_id"], me["inbox_id"]) == (ana.workspace_id, ana.inbox_id)
    assert (me["timezone"], me["week_start"], me["is_admin"]) == ("UTC", 1, False)
    assert response.headers["ETag"] == f'"{me["version"]}"'


async def test_my_account_takes_one_statement_besides_the_sign_in(ana: Person, database: Database) -> None:
    await ana.get("/users/me")
    with count_statements(database) as statements:
        await ana.get("/users/me")
    assert len(statements) == 2, statements


async def test_an_unchanged_account_is_not_sent_again(ana: Person) -> None:
    tag = (await ana.get("/users/me")).headers["ETag"]
    assert (await ana.get("/users/me", headers={"If-None-Match": tag})).status_code == 304


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_only_what_is_sent_of_my_account_changes(ana: Person, method: str) -> None:
    before = (await ana.get("/users/me")).json()
    response = await ana.request(method, "/users/me", json={"timezone": "Europe/Berlin", "week_start": 7})
    after = response.json()
    assert response.status_code == 200, response.text
    assert after == (await ana.get("/users/me")).json()
    changed = {"timezone": "Europe/Berlin", "week_start": 7, "version": before["version"] + 1}
    assert after == {**before, **changed, "updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]
    assert response.headers["ETag"] == f'"{after["version"]}"'


async def test_a_change_of_my_account_is_in_the_audit_log(ana: Person, database: Database) -> None:
    await ana.patch("/users/me", {"name": "Ana the Second"})
    event = (await account_events(database, ana))[-1]
    assert (event.verb, event.actor_id, event.details) == ("user.updated", ana.user_id, {"fields": ["name"]})


async def test_a_patch_that_changes_nothing_leaves_no_trace(ana: Person, database: Database) -> None:
    events = len(await account_events(database, ana))
    response = await ana.patch("/users/me", {"timezone": "UTC"})
    assert response.json()["version"] == 1
    assert len(await account_events(database, ana)) == events


async def test_a_stale_change_of_my_account_is_told_the_current_one(ana: Person) -> None:
    stale = (await ana.get("/users/me")).headers["ETag"]
    current = (await ana.patch("/users/me", {"name": "Ana Two"})).json()
    response = await ana.patch("/users/me", {"name": "Ana Three"}, headers={"If-Match": stale})
    assert response.status_code == 412
    assert response.json()["current"] == current
    assert response.headers["ETag"] == f'"{current["version"]}"'
    assert (await ana.get("/users/me")).json()["name"] == "Ana Two"


async def test_of_many_changes_based_on_one_version_one_wins(ana: Person) -> None:
    tag = (await ana.get("/users/me")).headers["ETag"]
    answers = await asyncio.gather(
        *(ana.patch("/users/me", {"name": str(n)}, headers={"If-Match": tag}) for n in range(10))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9


async def test_changes_of_different_fields_at_once_all_count(ana: Person) -> None:
    bodies = [{"name": "Ana"}, {"timezone": "Asia/Tokyo"}, {"week_start": 7}]
    answers = await asyncio.gather(*(ana.patch("/users/me", body) for body in bodies))
    assert {answer.status_code for answer in answers} == {200}
    me = (await ana.get("/users/me")).json()
    assert (me["name"], me["timezone"], me["week_start"], me["version"]) == ("Ana", "Asia/Tokyo", 7, 4)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"week_start": 8}, "/week_start"),
        ({"week_start": None}, "/week_start"),
        ({"week_start": True}, "/week_start"),
        ({"name": " "}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"name": "\ud800"}, "/name"),
        ({"is_admin": True}, "/is_admin"),
        ({"email": "new@example.org"}, "/email"),
    ],
)
async def test_what_cannot_be_changed_is_refused_by_name(ana: Person, body: Any, pointer: str) -> None:
    response = await ana.request(
        "PATCH", "/users/me", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["pointer"] == pointer


async def test_a_disabled_person_is_refused_at_once(ana: Person, database: Database) -> None:
    await disable(database, ana)
    for response in (await ana.get("/users/me"), await ana.patch("/users/me", {"name": "Back"})):
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_without_a_token_nobody_is_me(ana: Person) -> None:
    for token in ("", "dtf_unknown"):
        response = await ana.with_token(token).get("/users/me")
        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")


async def test_a_repeated_keyed_change_is_answered_and_not_done_again(
    ana: Person, new_person: MakePerson
) -> None:
    key = {"Idempotency-Key": "rename"}
    first = await ana.patch("/users/me", {"name": "Once"}, headers=key)
    await ana.patch("/users/me", {"name": "Twice"})
    again = await ana.patch("/users/me", {"name": "Once"}, headers=key)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await ana.get("/users/me")).json()["name"] == "Twice"
    other = await ana.patch("/users/me", {"name": "Other"}, headers=key)
    assert other.status_code == 422
    # Keys are each person's own.
    eva = await new_person("Eva")
    assert (await eva.patch("/users/me", {"name": "Once"}, headers=key)).json()["id"] == eva.user_id
