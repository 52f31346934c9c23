"""Making a task."""

from typing import Any

import pytest
from tests.support.journals import titles_of
from tests.support.people import Person
from tests.support.problems import pointers, problem

from dutiful.database.session import Database

EVERYTHING: dict[str, Any] = {
    "title": "Renew passport",
    "description": "Bring **two** photos\n\n- äöü ß 日本語 🎉",
    "status": "open",
    "priority": "high",
    "start": {"date": "2026-11-30", "time": None, "timezone": None},
    "due": {"date": "2026-12-01", "time": "17:00", "timezone": "Europe/Berlin"},
    "uid": "passport@example.org",
}


async def test_a_title_is_enough_and_the_task_lands_in_the_inbox(ana: Person) -> None:
    response = await ana.post("/tasks", {"title": "Buy milk"})
    assert response.status_code == 201
    task = response.json()
    assert (task["workspace_id"], task["project_id"]) == (ana.workspace_id, ana.inbox_id)
    assert (task["status"], task["priority"], task["label_ids"]) == ("open", "none", [])
    assert (task["section_id"], task["parent_id"], task["due"], task["completed_at"]) == (None,) * 4
    assert (task["version"], task["created_by"]) == (1, ana.user_id)


async def test_the_answer_names_its_place_its_version_and_the_feed_position(ana: Person) -> None:
    response = await ana.post("/tasks", {"title": "Buy milk"})
    task = response.json()
    assert response.headers["location"] == f"/api/v1/tasks/{task['id']}"
    assert response.headers["etag"] == '"1"'
    assert response.headers["dutiful-cursor"]
    again = await ana.client.get(
        response.headers["location"], headers={"Authorization": f"Bearer {ana.token}"}
    )
    assert again.json() == task


async def test_every_field_comes_back_as_it_was_sent(ana: Person) -> None:
    project = await ana.make("/projects", name="Papers")
    section = await ana.make("/sections", name="Urgent", project_id=project["id"])
    label = await ana.make("/labels", name="town hall")
    sent = EVERYTHING | {
        "workspace_id": ana.workspace_id,
        "project_id": project["id"],
        "section_id": section["id"],
        "label_ids": [label["id"]],
        "assignee_id": ana.user_id,
    }
    made = await ana.make("/tasks", **sent)
    assert {name: made[name] for name in sent} == sent
    assert (await ana.get(f"/tasks/{made['id']}")).json() == made


async def test_a_subtask_goes_where_its_parent_is(ana: Person) -> None:
    project = await ana.make("/projects", name="Papers")
    section = await ana.make("/sections", name="Urgent", project_id=project["id"])
    parent = await ana.make("/tasks", title="Parent", section_id=section["id"])
    child = await ana.make("/tasks", title="Child", parent_id=parent["id"])
    assert (child["project_id"], child["section_id"]) == (project["id"], section["id"])


async def test_subtasks_nest_five_deep_and_no_deeper(ana: Person) -> None:
    task = await ana.make("/tasks", title="0")
    for depth in range(1, 6):
        task = await ana.make("/tasks", title=str(depth), parent_id=task["id"])
    assert pointers(await ana.post("/tasks", {"title": "6", "parent_id": task["id"]})) == ["/parent_id"]


async def test_a_title_is_trimmed(ana: Person) -> None:
    assert (await ana.make("/tasks", title="  Buy milk \n"))["title"] == "Buy milk"


@pytest.mark.parametrize("length", [1, 500])
async def test_a_title_may_have_up_to_500_characters(ana: Person, length: int) -> None:
    assert (await ana.make("/tasks", title="ß" * length))["title"] == "ß" * length


async def test_a_description_may_have_50000_characters(ana: Person) -> None:
    text = "日" * 50_000
    assert (await ana.make("/tasks", title="Long", description=text))["description"] == text


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/title"),
        ({"title": ""}, "/title"),
        ({"title": " \t\n"}, "/title"),
        ({"title": "x" * 501}, "/title"),
        ({"title": None}, "/title"),
        ({"title": 5}, "/title"),
        ({"title": "a\x00b"}, "/title"),
        ({"title": "x", "description": "x" * 50_001}, "/description"),
        ({"title": "x", "description": "\x00"}, "/description"),
        ({"title": "x", "priority": "extreme"}, "/priority"),
        ({"title": "x", "status": "finished"}, "/status"),
        ({"title": "x", "project_id": 2**63}, "/project_id"),
        ({"title": "x", "project_id": 0}, "/project_id"),
        ({"title": "x", "project_id": "7"}, "/project_id"),
        ({"title": "x", "project_id": 7.0}, "/project_id"),
        ({"title": "x", "project_id": True}, "/project_id"),
        ({"title": "x", "label_ids": ["a"]}, "/label_ids/0"),
        ({"title": "x", "label_ids": [2**62]}, "/label_ids/0"),
        ({"title": "x", "uid": ""}, "/uid"),
        ({"title": "x", "uid": "x" * 256}, "/uid"),
        ({"title": "x", "tilte": "y"}, "/tilte"),
        ({"title": "x", "id": 7}, "/id"),
        ({"title": "x", "version": 7}, "/version"),
        ({"title": "x", "a/b~c": 1}, "/a~1b~0c"),
    ],
)
async def test_a_wrong_value_is_refused_with_its_pointer(
    ana: Person, fields: dict[str, Any], pointer: str
) -> None:
    assert pointer in pointers(await ana.post("/tasks", fields))
    assert await ana.all("/tasks") == []


async def test_every_fault_is_told_at_once(ana: Person) -> None:
    refused = await ana.post("/tasks", {"title": "", "priority": "x", "due": {"date": "soon"}})
    assert set(pointers(refused)) == {"/title", "/priority", "/due/date"}


async def test_places_that_disagree_are_refused(ana: Person) -> None:
    papers = await ana.make("/projects", name="Papers")
    garden = await ana.make("/projects", name="Garden")
    section = await ana.make("/sections", name="Urgent", project_id=papers["id"])
    parent = await ana.make("/tasks", title="Parent", project_id=papers["id"])
    other = await ana.make("/workspaces", name="Club")
    for fields, pointer in (
        ({"section_id": section["id"], "project_id": garden["id"]}, "/project_id"),
        ({"parent_id": parent["id"], "project_id": garden["id"]}, "/project_id"),
        ({"parent_id": parent["id"], "section_id": section["id"]}, "/section_id"),
        ({"project_id": papers["id"], "workspace_id": other["id"]}, "/workspace_id"),
    ):
        assert pointers(await ana.post("/tasks", {"title": "x", **fields})) == [pointer]


async def test_things_of_others_and_things_that_are_not_there_are_refused_alike(
    ana: Person, bob: Person
) -> None:
    project = await bob.make("/projects", name="Secret")
    section = await bob.make("/sections", name="Secret", project_id=project["id"])
    task = await bob.make("/tasks", title="Secret")
    label = await bob.make("/labels", name="secret")
    for field, foreign in (
        ("workspace_id", bob.workspace_id),
        ("project_id", project["id"]),
        ("section_id", section["id"]),
        ("parent_id", task["id"]),
        ("assignee_id", bob.user_id),
    ):
        refused = await ana.post("/tasks", {"title": "x", field: foreign})
        absent = await ana.post("/tasks", {"title": "x", field: 2**62})
        assert pointers(refused) == [f"/{field}"]
        assert refused.json()["errors"] == absent.json()["errors"]
    assert pointers(await ana.post("/tasks", {"title": "x", "label_ids": [label["id"]]})) == ["/label_ids/0"]
    assert await ana.all("/tasks") == []


async def test_what_is_in_the_trash_holds_no_new_tasks(ana: Person) -> None:
    project = await ana.make("/projects", name="Papers")
    parent = await ana.make("/tasks", title="Parent")
    assert (await ana.delete(f"/projects/{project['id']}")).status_code == 204
    assert (await ana.delete(f"/tasks/{parent['id']}")).status_code == 204
    assert pointers(await ana.post("/tasks", {"title": "x", "project_id": project["id"]})) == ["/project_id"]
    assert pointers(await ana.post("/tasks", {"title": "x", "parent_id": parent["id"]})) == ["/parent_id"]


async def test_a_uid_is_taken_once_in_a_workspace_its_trash_included(ana: Person, bob: Person) -> None:
    first = await ana.make("/tasks", title="x", uid="a@b")
    for _ in range(2):
        refused = problem(await ana.post("/tasks", {"title": "y", "uid": "a@b"}), 409, "taken")
        assert [error["pointer"] for error in refused["errors"]] == ["/uid"]
        await ana.delete(f"/tasks/{first['id']}")
    assert (await bob.make("/tasks", title="z", uid="a@b"))["uid"] == "a@b"


async def test_a_task_may_be_made_done(ana: Person) -> None:
    task = await ana.make("/tasks", title="x", status="done")
    assert task["completed_at"] == task["created_at"]


async def test_who_has_no_token_makes_nothing(ana: Person, database: Database) -> None:
    refused = await ana.client.post("/api/v1/tasks", json={"title": "x", "workspace_id": ana.workspace_id})
    problem(refused, 401, "unauthenticated")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert await titles_of(database, ana.workspace_id) == []
