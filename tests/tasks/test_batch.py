"""POST /tasks/batch: up to a thousand tasks, all or none."""

from typing import Any

import pytest
from tests.support.journals import changes_of, latest_seq, titles_of
from tests.support.people import Person
from tests.support.problems import pointers, problem
from tests.support.sharing import make_shared
from tests.support.statements import count_statements

from dutiful.database.session import Database


def numbered(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"title": f"{number}", **fields} for number in range(count)]


async def test_a_thousand_tasks_take_a_handful_of_statements(ana: Person, database: Database) -> None:
    items = numbered(1000, labels_add=["home"], due={"date": "2026-12-01"})
    await ana.make("/tasks", title="so that the token's last use is noted")
    seq = await latest_seq(database, ana.workspace_id)
    with count_statements(database) as statements:
        response = await ana.post("/tasks/batch", items)
    assert response.status_code == 201
    made = response.json()
    assert made["created"] == 1000
    assert [task["title"] for task in made["items"]] == [item["title"] for item in items]
    assert len(statements) <= 12, statements
    # A thousand tasks and one label, numbered without a hole.
    changes = await changes_of(database, ana.workspace_id, seq)
    assert [change.seq for change in changes] == list(range(seq + 1, seq + 1002))
    assert len({change.request_id for change in changes}) == 1
    assert len({task["position"] for task in made["items"]}) == 1000


async def test_ten_tasks_take_as_many_statements_as_a_thousand(ana: Person, database: Database) -> None:
    parent = await ana.make("/tasks", title="Parent")
    counts = []
    for size in (10, 1000):
        with count_statements(database) as statements:
            response = await ana.post("/tasks/batch", numbered(size, parent_id=parent["id"]))
        assert response.status_code == 201
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 12


async def test_a_thousand_tasks_below_a_thousand_parents(ana: Person, database: Database) -> None:
    parents = (await ana.post("/tasks/batch", numbered(1000))).json()["items"]
    items = [{"title": "child", "parent_id": parent["id"]} for parent in parents]
    with count_statements(database) as statements:
        response = await ana.post("/tasks/batch", items)
    assert response.status_code == 201, response.text
    assert [task["parent_id"] for task in response.json()["items"]] == [parent["id"] for parent in parents]
    assert len(statements) <= 12


async def test_tasks_of_one_batch_keep_their_order_behind_what_is_there(ana: Person) -> None:
    await ana.make("/tasks", title="first")
    await ana.post("/tasks/batch", numbered(70))
    titles = [task["title"] for task in await ana.all("/tasks", sort="position")]
    assert titles == ["first", *(f"{number}" for number in range(70))]


async def test_a_batch_may_go_to_many_places(ana: Person, bob: Person) -> None:
    shared = await make_shared(ana, bob)
    project = await ana.make("/projects", name="Papers")
    parent = await ana.make("/tasks", title="Parent", project_id=project["id"])
    places: list[dict[str, Any]] = [
        {},
        {"workspace_id": shared.id},
        {"project_id": project["id"]},
        {"parent_id": parent["id"]},
        {"workspace_id": shared.id, "assignee_id": bob.user_id},
    ]
    items = [{"title": "x", "labels_add": ["same name"], **place} for place in places]
    made = (await ana.post("/tasks/batch", items)).json()["items"]
    assert [task["workspace_id"] for task in made] == [
        ana.workspace_id,
        shared.id,
        ana.workspace_id,
        ana.workspace_id,
        shared.id,
    ]
    # The same name is another label in another workspace.
    assert made[0]["label_ids"] == made[2]["label_ids"] != made[1]["label_ids"] == made[4]["label_ids"]


async def test_every_bad_item_is_named_and_nothing_is_written(
    ana: Person, bob: Person, database: Database
) -> None:
    items = numbered(20, labels_add=["new"])
    items[3]["title"] = ""
    items[7]["priority"] = "x"
    items[19]["colour"] = "red"
    refused = await ana.post("/tasks/batch", items)
    assert pointers(refused) == ["/3/title", "/7/priority", "/19/colour"]
    items = numbered(20, labels_add=["new"])
    items[3]["project_id"] = bob.inbox_id
    items[7]["assignee_id"] = bob.user_id
    items[8]["uid"] = items[9]["uid"] = "twice@example.org"
    items[19]["parent_id"] = 2**62
    refused = await ana.post("/tasks/batch", items)
    assert pointers(refused) == ["/3/project_id", "/7/assignee_id", "/9/uid", "/19/parent_id"]
    items = numbered(3)
    items[2]["labels_add"] = ["new", 2**62]
    assert pointers(await ana.post("/tasks/batch", items)) == ["/2/labels_add/1"]
    assert await titles_of(database, ana.workspace_id) == []
    assert await ana.all("/labels") == []


@pytest.mark.parametrize("body", [[], {}, None, "x", [[]], [None], numbered(1001)])
async def test_what_is_no_batch_is_refused(ana: Person, database: Database, body: Any) -> None:
    problem(await ana.post("/tasks/batch", body), 422, "invalid")
    assert await titles_of(database, ana.workspace_id) == []


async def test_a_viewer_of_one_place_of_many_writes_to_none(
    ana: Person, bob: Person, database: Database
) -> None:
    shared = await make_shared(ana, bob, role="viewer")
    refused = await bob.post("/tasks/batch", [{"title": "x"}, {"title": "y", "workspace_id": shared.id}])
    problem(refused, 403, "forbidden")
    assert await titles_of(database, bob.workspace_id) == []
