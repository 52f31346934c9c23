"""A `version` is the one a thing has before the batch."""

from typing import Any

import pytest
from tests.support.people import Person
from tests.support.problems import pointers, problem


def update(thing: int | str, version: int | None, **data: Any) -> dict[str, Any]:
    return {"op": "update", "type": "task", "id": thing, "version": version, "data": data}


async def test_a_412_shows_what_is_there_and_not_what_was_rolled_back(ana: Person) -> None:
    task = await ana.make("/tasks", title="1")
    current = (await ana.patch(f"/tasks/{task['id']}", {"title": "2"})).json()
    operations = [update(task["id"], None, title="never"), update(task["id"], 1, priority="high")]
    refused = await ana.post("/batch", operations)
    document = problem(refused, 412, "stale_version")
    assert [error["pointer"] for error in document["errors"]] == ["/1/version"]
    assert (document["current"], refused.headers["etag"]) == (current, '"2"')
    assert (await ana.get(f"/tasks/{task['id']}")).json() == current


async def test_a_version_counts_from_before_the_batch(ana: Person) -> None:
    task = await ana.make("/tasks", title="1")
    operations = [update(task["id"], None, title="2"), update(task["id"], 1, title="3")]
    response = await ana.post("/batch", operations)
    assert [item["item"]["version"] for item in response.json()["items"]] == [3, 3]


@pytest.mark.parametrize("versions", [(1, 1), (1, 2)])
async def test_a_second_version_of_the_same_thing_is_refused(ana: Person, versions: tuple[int, int]) -> None:
    task = await ana.make("/tasks", title="1")
    project = await ana.make("/projects", name="P")
    of_another = {
        "op": "update",
        "type": "project",
        "id": project["id"],
        "version": 1,
        "data": {"name": "Q"},
    }
    operations = [of_another, *(update(task["id"], version, title="2") for version in versions)]
    assert pointers(await ana.post("/batch", operations)) == ["/2/version"]
    assert (await ana.get(f"/tasks/{task['id']}")).json() == task


async def test_what_the_batch_makes_has_no_version_to_guard(ana: Person) -> None:
    made = {"op": "create", "type": "task", "ref": "t", "data": {"title": "x"}}
    assert pointers(await ana.post("/batch", [made, update("$t", 1, title="y")])) == ["/1/version"]
    assert pointers(await ana.post("/batch", [{**made, "version": 1}])) == ["/0/version"]
