"""Idempotency-Key: however often a request is repeated, it is done once."""

import asyncio

import pytest
from sqlalchemy import URL, delete, select
from tests.support.journals import changes_of, count_keys, latest_seq, titles_of
from tests.support.people import Person
from tests.support.problems import problem
from tests.support.servers import running
from tests.support.sharing import admit, invite, make_shared, remove_member
from tests.support.signing_in import make_admin

from dutiful.api import idempotency
from dutiful.database.session import Database, Reader, Writer
from dutiful.models import IdempotencyKey
from dutiful.settings import Settings

KEY = {"Idempotency-Key": "5c1d0f3e"}
KEPT = ("etag", "location", "dutiful-cursor", "content-type")


async def test_a_repeated_request_is_given_the_first_answer(ana: Person, database: Database) -> None:
    first = await ana.post("/tasks", {"title": "x"}, headers=KEY)
    seq = await latest_seq(database, ana.workspace_id)
    for _ in range(2):
        again = await ana.post("/tasks", {"title": "x"}, headers=KEY)
        assert (again.status_code, again.content) == (201, first.content)
        assert [again.headers[name] for name in KEPT] == [first.headers[name] for name in KEPT]
        assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert await titles_of(database, ana.workspace_id) == ["x"]
    assert await latest_seq(database, ana.workspace_id) == seq


async def test_every_kind_of_write_is_done_once(ana: Person, database: Database) -> None:
    task = await ana.make("/tasks", title="x")
    path = f"/tasks/{task['id']}"
    for number, (method, where, body) in enumerate(
        (
            ("PATCH", path, {"title": "y"}),
            ("PUT", path, {"priority": "high"}),
            ("POST", f"{path}/move", {"project_id": ana.inbox_id}),
            ("POST", "/tasks/batch", [{"title": "1"}, {"title": "2"}]),
            ("POST", "/batch", [{"op": "create", "type": "label", "data": {"name": "home"}}]),
            ("DELETE", path, None),
            ("POST", f"{path}/restore", None),
        )
    ):
        headers = {"Idempotency-Key": f"key {number}"}
        answer = await ana.request(method, where, json=body, headers=headers)
        assert answer.is_success, answer.text
        seq = await latest_seq(database, ana.workspace_id)
        again = await ana.request(method, where, json=body, headers=headers)
        assert (again.status_code, again.content) == (answer.status_code, answer.content)
        assert again.headers["idempotency-replayed"] == "true"
        assert await latest_seq(database, ana.workspace_id) == seq
        assert again.headers.get("etag") == answer.headers.get("etag")


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", "/tasks", b'{"title": "y"}', {}),
        ("POST", "/tasks", b'{"title":"x"}', {}),
        ("POST", "/tasks?a=b", b'{"title": "x"}', {}),
        ("POST", "/labels", b'{"title": "x"}', {}),
        ("PUT", "/tasks", b'{"title": "x"}', {}),
        ("POST", "/tasks", b'{"title": "x"}', {"If-Match": '"1"'}),
        ("POST", "/tasks", b"", {}),
    ],
)
async def test_another_request_under_the_same_key_is_refused(
    ana: Person, database: Database, method: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    json = {"Content-Type": "application/json"}
    first = await ana.request("POST", "/tasks", content=b'{"title": "x"}', headers=KEY | json)
    assert first.status_code == 201
    refused = await ana.request(method, path, content=body, headers=KEY | json | headers)
    assert refused.status_code == (405 if method == "PUT" else 422)
    assert await titles_of(database, ana.workspace_id) == ["x"]
    again = await ana.request("POST", "/tasks", content=b'{"title": "x"}', headers=KEY | json)
    assert again.content == first.content


async def test_of_another_request_under_the_key_not_even_what_goes_ahead_is_done(
    ana: Person, bob: Person, database: Database
) -> None:
    """Some routes commit something before their transaction, and so before the key is claimed."""
    await make_admin(database, ana)
    assert (await ana.post("/labels", {"name": "x"}, headers=KEY)).status_code == 201
    for method, path in (
        ("POST", f"/users/{bob.user_id}/disable"),
        ("DELETE", f"/users/{bob.user_id}"),
    ):
        problem(await ana.request(method, path, headers=KEY), 422, "invalid")
        assert (await bob.get("/users/me")).status_code == 200


async def test_a_key_that_goes_away_between_two_looks_is_to_be_repeated(
    ana: Person, bob: Person, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_admin(database, ana)
    path = f"/users/{bob.user_id}/disable"
    assert (await ana.post(path, headers=KEY)).status_code == 200
    assert (await ana.post(f"/users/{bob.user_id}/enable")).status_code == 200
    look = idempotency.is_claimed

    async def look_and_purge(session: Reader, claim: idempotency.Claim) -> bool:
        found = await look(session, claim)
        theirs = IdempotencyKey.user_id == ana.user_id
        await database.run_aside(delete(IdempotencyKey).where(theirs))
        return found

    monkeypatch.setattr(idempotency, "is_claimed", look_and_purge)
    refused = await ana.post(path, headers=KEY)
    problem(refused, 409, "in_progress")
    assert int(refused.headers["retry-after"]) >= 1
    assert (await bob.get("/users/me")).status_code == 200
    assert (await ana.post(path, headers=KEY)).status_code == 200
    assert (await bob.get("/users/me")).status_code == 401


async def test_if_match_belongs_to_the_request(ana: Person) -> None:
    task = await ana.make("/tasks", title="x")
    path, body = f"/tasks/{task['id']}", {"title": "y"}
    first = await ana.patch(path, body, headers=KEY | {"If-Match": '"1"'})
    assert first.status_code == 200
    # The version has moved on, but this is the request that moved it.
    again = await ana.patch(path, body, headers=KEY | {"If-Match": '"1"'})
    assert (again.status_code, again.content) == (200, first.content)
    problem(await ana.patch(path, body, headers=KEY | {"If-Match": '"2"'}), 422, "invalid")
    problem(await ana.patch(path, body, headers=KEY), 422, "invalid")


async def test_thirty_duplicates_at_once_have_one_effect(ana: Person, database: Database) -> None:
    seq = await latest_seq(database, ana.workspace_id)
    answers = await asyncio.gather(*(ana.post("/tasks", {"title": "x"}, headers=KEY) for _ in range(30)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await titles_of(database, ana.workspace_id) == ["x"]
    assert len(await changes_of(database, ana.workspace_id, seq)) == 1
    assert await count_keys(database, ana.user_id) == 1


async def test_thirty_different_requests_at_once_under_one_key_have_one_effect(
    ana: Person, database: Database
) -> None:
    answers = await asyncio.gather(
        *(ana.post("/tasks", {"title": f"{number}"}, headers=KEY) for number in range(30))
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 29
    assert len(await titles_of(database, ana.workspace_id)) == 1


async def test_a_refused_request_keeps_no_key(ana: Person, bob: Person, database: Database) -> None:
    task = await ana.make("/tasks", title="x")
    theirs = await bob.make("/tasks", title="x")
    for response, status in (
        (await ana.post("/tasks", {"title": ""}, headers=KEY), 422),
        (await ana.request("POST", "/tasks", content=b"{", headers=KEY), 415),
        (await ana.patch(f"/tasks/{theirs['id']}", {"title": "y"}, headers=KEY), 404),
        (await ana.patch(f"/tasks/{task['id']}", {"title": "y"}, headers=KEY | {"If-Match": '"9"'}), 412),
        (await ana.post("/projects", {"name": "inbox"}, headers=KEY), 409),
    ):
        problem(response, status)
    assert await count_keys(database, ana.user_id) == 0
    assert (await ana.post("/tasks", {"title": "now"}, headers=KEY)).status_code == 201


async def test_a_request_refused_once_may_succeed_later_under_its_key(ana: Person) -> None:
    parent = await ana.make("/tasks", title="Parent")
    await ana.delete(f"/tasks/{parent['id']}")
    body = {"title": "x", "parent_id": parent["id"]}
    problem(await ana.post("/tasks", body, headers=KEY), 422)
    await ana.post(f"/tasks/{parent['id']}/restore")
    made = await ana.post("/tasks", body, headers=KEY)
    assert (made.status_code, made.headers.get("idempotency-replayed")) == (201, None)


async def test_keys_of_different_people_have_nothing_to_do_with_each_other(ana: Person, bob: Person) -> None:
    of_ana = await ana.post("/tasks", {"title": "x"}, headers=KEY)
    of_bob = await bob.post("/tasks", {"title": "x"}, headers=KEY)
    assert "idempotency-replayed" not in of_bob.headers
    assert of_ana.json()["workspace_id"] != of_bob.json()["workspace_id"]


async def test_without_a_token_a_key_opens_nothing(ana: Person) -> None:
    await ana.post("/tasks", {"title": "x"}, headers=KEY)
    problem(await ana.client.post("/api/v1/tasks", json={"title": "x"}, headers=KEY), 401)


async def test_who_lost_the_workspace_is_not_shown_the_answer_again(ana: Person, bob: Person) -> None:
    shared = await make_shared(ana, bob)
    body = {"title": "secret", "workspace_id": shared.id}
    first = await bob.post("/tasks", body, headers=KEY)
    await remove_member(ana, shared.id, bob)
    refused = await bob.post("/tasks", body, headers=KEY)
    problem(refused, 404, "not_found")
    assert "secret" not in refused.text
    await admit(ana, shared.id, bob, role="viewer")
    assert (await bob.post("/tasks", body, headers=KEY)).content == first.content


async def test_a_read_only_token_replays_nothing_it_may_not_do(ana: Person, database: Database) -> None:
    await ana.post("/tasks", {"title": "x"}, headers=KEY)
    secret = (await ana.make("/tokens", name="read", scopes=["read"]))["token"]
    refused = await ana.with_token(secret).post("/tasks", {"title": "x"}, headers=KEY)
    problem(refused, 403, "forbidden")
    assert await titles_of(database, ana.workspace_id) == ["x"]


async def test_what_took_a_better_token_is_not_shown_to_a_lesser_one(ana: Person) -> None:
    workspace = await ana.make("/workspaces", name="Flat")
    path = f"/workspaces/{workspace['id']}/restore"
    assert (await ana.delete(f"/workspaces/{workspace['id']}")).status_code == 204
    assert (await ana.post(path, headers=KEY)).status_code == 200
    secret = (await ana.make("/tokens", name="write", scopes=["write"]))["token"]
    lesser = ana.with_token(secret)
    fresh, again = await lesser.post(path), await lesser.post(path, headers=KEY)
    assert problem(fresh, 403)["detail"] == problem(again, 403)["detail"]


async def test_who_administers_no_more_is_not_shown_an_account_again(
    ana: Person, bob: Person, database: Database
) -> None:
    await make_admin(database, ana)
    path, body = f"/users/{bob.user_id}", {"timezone": "Europe/Berlin"}
    first = await ana.patch(path, body, headers=KEY)
    assert first.json()["email"] == bob.email
    await make_admin(database, ana, is_admin=False)
    refused = await ana.patch(path, body, headers=KEY)
    problem(refused, 403, "forbidden")
    assert bob.email not in refused.text
    await make_admin(database, ana)
    assert (await ana.patch(path, body, headers=KEY)).content == first.content


async def test_whatever_any_token_may_do_any_token_may_repeat(ana: Person, bob: Person) -> None:
    workspace = await ana.make("/workspaces", name="Flat")
    body = {"token": await invite(ana, workspace["id"])}
    secret = (await bob.make("/tokens", name="read", scopes=["read"]))["token"]
    reader = bob.with_token(secret)
    first = await reader.post("/invitations/look", body, headers=KEY)
    again = await reader.post("/invitations/look", body, headers=KEY)
    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)


async def test_a_deletion_is_answered_again_after_the_thing_is_gone(ana: Person) -> None:
    task = await ana.make("/tasks", title="x")
    path = f"/tasks/{task['id']}"
    assert (await ana.delete(path, headers=KEY)).status_code == 204
    again = await ana.delete(path, headers=KEY)
    assert (again.status_code, again.content, again.headers["idempotency-replayed"]) == (204, b"", "true")
    problem(await ana.delete(path), 404)


async def test_a_long_answer_is_made_again_from_what_was_made(ana: Person, database: Database) -> None:
    items = [{"title": "x" * 400, "description": "y" * 200} for _ in range(400)]
    first = await ana.post("/tasks/batch", items, headers=KEY)
    assert len(first.content) > 256_000
    again = await ana.post("/tasks/batch", items, headers=KEY)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert again.json() == first.json()
    assert [again.headers.get(name) for name in KEPT] == [first.headers.get(name) for name in KEPT]
    assert len(await titles_of(database, ana.workspace_id)) == 400
    async with database.read() as session:
        statement = select(IdempotencyKey).where(IdempotencyKey.user_id == ana.user_id)
        kept = (await session.scalars(statement)).one()
    assert (kept.body, len(kept.made_ids or ())) == (None, 400)


@pytest.mark.parametrize(
    "key", ["", "x" * 256, "a\tb", "\x7f", "ä" * 256], ids=["empty", "long", "tab", "del", "latin"]
)
async def test_what_is_no_key_is_refused(ana: Person, database: Database, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    problem(await ana.post("/tasks", {"title": "x"}, headers=headers), 422, "invalid")
    assert await titles_of(database, ana.workspace_id) == []


@pytest.mark.parametrize("key", ["x", "x" * 255, "a b/c?d=e", "ä"])
async def test_any_printable_key_will_do(ana: Person, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    first = await ana.post("/tasks", {"title": "x"}, headers=headers)
    assert first.status_code == 201
    assert (await ana.post("/tasks", {"title": "x"}, headers=headers)).content == first.content


async def test_while_the_first_runs_the_second_waits_and_is_then_told_to_come_back(
    ana: Person, database: Database, settings: Settings, database_url: URL
) -> None:
    claimed, done = asyncio.Event(), asyncio.Event()

    async def hold_key(session: Writer) -> None:
        session.add(IdempotencyKey(user_id=ana.user_id, key=KEY["Idempotency-Key"], fingerprint=b""))
        await session.flush()
        claimed.set()
        await done.wait()
        raise RuntimeError("the first request fails")

    first = asyncio.create_task(database.write(hold_key))
    await claimed.wait()
    impatient = settings.model_copy(update={"db_lock_timeout": 0.1})
    async with running(impatient, database_url) as server:
        waiting = await server.serve(ana).post("/tasks", {"title": "x"}, headers=KEY)
        problem(waiting, 409, "in_progress")
        assert int(waiting.headers["retry-after"]) >= 1
        patient = asyncio.create_task(ana.post("/tasks", {"title": "x"}, headers=KEY))
        done.set()
        with pytest.raises(RuntimeError):
            await first
        # The first failed and left no key: now the second does it.
        assert (await patient).status_code == 201
    assert await titles_of(database, ana.workspace_id) == ["x"]


async def test_a_read_takes_no_key(ana: Person, database: Database) -> None:
    assert (await ana.get("/tasks", headers=KEY)).status_code == 200
    assert await count_keys(database, ana.user_id) == 0


async def test_an_answer_with_a_secret_is_not_kept(ana: Person, database: Database) -> None:
    body = {"name": "cli", "scopes": ["read"]}
    first = await ana.post("/tokens", body, headers=KEY)
    assert first.status_code == 201
    problem(await ana.post("/tokens", body, headers=KEY), 409, "answer_not_kept")
    async with database.read() as session:
        statement = select(IdempotencyKey).where(IdempotencyKey.user_id == ana.user_id)
        kept = (await session.scalars(statement)).one()
    assert kept.body is None
    assert len(await ana.all("/tokens")) == 2
