"""What somebody did last, to be shown with a button that takes it back."""

from typing import Any

import pytest
from tests.conftest import MakePerson
from tests.support.people import Person
from tests.support.problems import problem
from tests.support.sharing import make_shared, remove_member
from tests.support.undoing import latest, undo


async def latest_of(person: Person, **params: Any) -> list[Any]:
    response = await person.get("/changes/latest", params=params)
    assert response.status_code == 200, response.text
    page = response.json()
    assert page["count"] == len(page["items"])
    items: list[Any] = page["items"]
    return items


async def test_who_did_nothing_has_a_beginning_at_most(new_person: MakePerson) -> None:
    """Everybody begins with a workspace, which is nothing to take back."""
    (request,) = await latest_of(await new_person("Zoe"))
    assert request["undoable"] is False
    assert [one["verb"] for one in request["did"]] == ["workspace.created", "member.added", "project.created"]


async def test_requests_are_told_newest_first_with_what_they_did(ana: Person) -> None:
    project = await ana.make("/projects", name="Home")
    await ana.post("/tasks/batch", [{"title": t, "project_id": project["id"]} for t in ("Milk", "Bread")])
    assert (await ana.delete(f"/projects/{project['id']}")).status_code == 204
    deleted, made, created = await latest_of(ana, limit=3)
    assert deleted["did"] == [
        {"verb": "project.deleted", "count": 1, "name": "Home"},
        {"verb": "task.deleted", "count": 2, "name": "Milk"},
    ]
    assert deleted["count"] == 3
    assert deleted["workspace_ids"] == [ana.workspace_id]
    assert made["did"] == [{"verb": "task.created", "count": 2, "name": "Milk"}]
    assert created["did"] == [{"verb": "project.created", "count": 1, "name": "Home"}]
    assert [(one["standing"], one["undoable"], one["is_undo"]) for one in (deleted, made, created)] == [
        ("done", True, False)
    ] * 3
    assert deleted["at"] > made["at"] > created["at"]


async def test_it_says_what_was_taken_back_and_brought_back(ana: Person) -> None:
    await ana.post("/tasks/batch", [{"title": "a"}, {"title": "b"}])
    first = await latest(ana)
    workspace_id, _, seq = first.partition("-")
    one = await undo(ana, f"{workspace_id}-{int(seq) + 1}")
    undoing, request = await latest_of(ana, limit=2)
    assert (undoing["is_undo"], undoing["standing"]) == (True, "done")
    assert (request["standing"], request["undoable"]) == ("partly_undone", True)
    await undo(ana, first, request=True)
    request = (await latest_of(ana, limit=3))[2]
    assert (request["standing"], request["undoable"]) == ("undone", False)
    await undo(ana, one["items"][0]["id"])
    _, _, undoing, request = await latest_of(ana, limit=4)
    assert undoing["standing"] == "undone"
    assert request["standing"] == "partly_undone"


async def test_only_ones_own_are_told_and_only_where_one_still_is(ana: Person, bob: Person) -> None:
    shared = await make_shared(ana, bob)
    await bob.make("/tasks", title="secret", workspace_id=shared.id)
    before = await latest_of(ana)
    assert "secret" not in str(before)
    assert (await latest_of(bob))[0]["workspace_ids"] == [shared.id]
    await remove_member(ana, shared.id, bob)
    assert all(shared.id not in one["workspace_ids"] for one in await latest_of(bob))
    assert "secret" not in str(await latest_of(bob))


@pytest.mark.parametrize("limit", [0, 101, "x"])
async def test_the_limit_is_checked(ana: Person, limit: Any) -> None:
    problem(await ana.get("/changes/latest", params={"limit": limit}), 422)


async def test_a_large_request_counts_as_one(ana: Person) -> None:
    await ana.make("/tasks", title="before")
    await ana.post("/tasks/batch", [{"title": f"{n}"} for n in range(300)])
    await ana.make("/tasks", title="after")
    assert [one["count"] for one in await latest_of(ana, limit=3)] == [1, 300, 1]
