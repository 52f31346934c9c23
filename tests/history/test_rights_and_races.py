"""Who may take things back, and what happens when several do at once."""

import asyncio
from collections import Counter

from tests.conftest import MakePerson
from tests.support.journals import changes_of
from tests.support.people import Person
from tests.support.problems import problem
from tests.support.sharing import admit, make_shared, remove_member
from tests.support.undoing import content_of, latest, undo

from dutiful.database.session import Database


async def test_only_editors_take_back_and_strangers_see_nothing(
    ana: Person, bob: Person, new_person: MakePerson, database: Database
) -> None:
    vera, eve = await new_person("Vera"), await new_person("Eve")
    shared = await make_shared(ana, bob)
    await admit(ana, shared.id, vera, role="viewer")
    task = await ana.make("/tasks", title="secret", workspace_id=shared.id)
    change_id = await latest(ana)
    path = f"/changes/{change_id}/undo"
    before = await content_of(database, shared.id)
    read_only = ana.with_token((await ana.make("/tokens", name="read", scopes=["read"]))["token"])
    for body in (None, {"request": True}):
        problem(await eve.post(path, body), 404)
        problem(await vera.post(path, body), 403)
        problem(await ana.client.post(f"/api/v1{path}", json=body), 401)
        problem(await read_only.post(path, body), 403)
    assert await content_of(database, shared.id) == before
    await remove_member(ana, shared.id, vera)
    problem(await vera.post(path), 404)
    # What somebody else did may be taken back by anybody who may write there.
    await undo(bob, change_id)
    assert (await ana.get(f"/tasks/{task['id']}")).status_code == 404
    assert (await ana.delete(f"/workspaces/{shared.id}")).status_code == 204
    problem(await ana.post(path), 404)


async def test_a_request_that_went_further_than_one_may_is_taken_back_in_parts(
    ana: Person, bob: Person, database: Database
) -> None:
    shared = await make_shared(ana, bob)
    items = [{"title": "ours", "workspace_id": shared.id}, {"title": "secret"}]
    made = (await ana.post("/tasks/batch", items)).json()["items"]
    seq = (await changes_of(database, shared.id))[-1].seq
    change_id = f"{shared.id}-{seq}"
    refused = problem(await bob.post(f"/changes/{change_id}/undo", {"request": True}), 403)
    assert "secret" not in str(refused)
    assert str(ana.workspace_id) not in refused["detail"]
    await undo(bob, change_id)
    assert (await ana.get(f"/tasks/{made[1]['id']}")).status_code == 200


async def test_of_twenty_at_once_one_takes_it_back(ana: Person, database: Database) -> None:
    project = await ana.make("/projects", name="Home")
    await ana.post("/tasks/batch", [{"title": "x", "project_id": project["id"]} for _ in range(20)])
    before = await content_of(database, ana.workspace_id)
    assert (await ana.delete(f"/projects/{project['id']}")).status_code == 204
    path = f"/changes/{await latest(ana)}/undo"
    answers = await asyncio.gather(*(ana.post(path, {"request": True}) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}
    assert {answer.json().get("code") for answer in answers} == {None, "already_undone"}
    assert await content_of(database, ana.workspace_id) == before


async def test_an_edit_at_the_same_time_is_never_lost(ana: Person) -> None:
    """Either it came first and is in the way, or it came after and counts."""
    outcomes = Counter[str]()
    for number in range(12):
        task = await ana.make("/tasks", title="Milk")
        path = f"/tasks/{task['id']}"
        assert (await ana.patch(path, {"title": "Bread"})).status_code == 200
        change_id = await latest(ana)
        acts = [ana.post(f"/changes/{change_id}/undo"), ana.patch(path, {"title": "Eggs"})]
        if number % 2:
            acts.reverse()
        answers = await asyncio.gather(*acts)
        if number % 2:
            answers.reverse()
        undone, edited = answers
        assert edited.status_code == 200
        assert undone.status_code in {200, 409}
        assert (await ana.get(path)).json()["title"] == "Eggs"
        outcomes[str(undone.status_code)] += 1
    assert outcomes.total() == 12


async def test_two_keys_undo_twice_one_key_once(ana: Person) -> None:
    await ana.make("/tasks", title="Milk")
    path = f"/changes/{await latest(ana)}/undo"
    answers = await asyncio.gather(*(ana.post(path, headers={"Idempotency-Key": "k"}) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    problem(await ana.post(path, headers={"Idempotency-Key": "l"}), 409, "already_undone")
