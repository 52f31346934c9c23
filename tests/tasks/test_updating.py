"""PATCH and PUT: what was sent changes, all else stays."""

from typing import Any

import pytest
from tests.support.journals import changes_of, latest_seq
from tests.support.people import Person
from tests.support.problems import pointers, problem

from dutiful.database.session import Database

FULL: dict[str, Any] = {
    "title": "Renew passport",
    "description": "Two photos",
    "priority": "high",
    "start": {"date": "2026-11-30", "time": "08:00", "timezone": None},
    "due": {"date": "2026-12-01", "time": "17:00", "timezone": "Europe/Berlin"},
    "labels_add": ["town hall"],
}
MOVING = {"version", "updated_at"}


async def make_full(person: Person) -> dict[str, Any]:
    task: dict[str, Any] = await person.make("/tasks", **FULL, assignee_id=person.user_id)
    return task


def without(task: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in task.items() if name not in MOVING.union(names)}


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "Another"),
        ("description", ""),
        ("priority", "urgent"),
        ("start", None),
        ("due", None),
        ("assignee_id", None),
        ("label_ids", []),
    ],
)
async def test_one_field_changes_and_nothing_else(ana: Person, method: str, field: str, value: Any) -> None:
    before = await make_full(ana)
    response = await ana.request(method, f"/tasks/{before['id']}", json={field: value})
    assert response.status_code == 200, response.text
    after = response.json()
    assert after[field] == value
    assert without(after, field) == without(before, field)
    assert after["version"] == 2
    assert response.headers["etag"] == '"2"'
    assert (await ana.get(f"/tasks/{before['id']}")).json() == after


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_an_empty_body_changes_nothing_and_makes_no_version(
    ana: Person, database: Database, method: str
) -> None:
    task = await make_full(ana)
    seq = await latest_seq(database, ana.workspace_id)
    response = await ana.request(method, f"/tasks/{task['id']}", json={})
    assert (response.status_code, response.json()) == (200, task)
    assert await latest_seq(database, ana.workspace_id) == seq


async def test_sending_what_is_there_already_makes_no_version(ana: Person) -> None:
    task = await make_full(ana)
    same = {name: task[name] for name in ("title", "priority", "due", "label_ids", "project_id", "parent_id")}
    response = await ana.patch(f"/tasks/{task['id']}", same)
    assert response.json() == task
    assert response.headers["etag"] == '"1"'


@pytest.mark.parametrize(
    ("patch", "due"),
    [
        ({"date": "2027-01-02"}, ("2027-01-02", "17:00", "Europe/Berlin")),
        ({"time": "09:15:30"}, ("2026-12-01", "09:15:30", "Europe/Berlin")),
        ({"timezone": "Asia/Tokyo"}, ("2026-12-01", "17:00", "Asia/Tokyo")),
        ({"timezone": None}, ("2026-12-01", "17:00", None)),
        ({"time": None, "timezone": None}, ("2026-12-01", None, None)),
        ({}, ("2026-12-01", "17:00", "Europe/Berlin")),
    ],
)
async def test_a_patch_of_a_date_is_recursive(
    ana: Person, patch: dict[str, Any], due: tuple[str, str | None, str | None]
) -> None:
    task = await make_full(ana)
    after = (await ana.patch(f"/tasks/{task['id']}", {"due": patch})).json()
    assert tuple(after["due"].values()) == due
    assert after["start"] == task["start"]


async def test_a_patch_may_not_leave_half_a_date(ana: Person) -> None:
    task = await make_full(ana)
    assert pointers(await ana.patch(f"/tasks/{task['id']}", {"due": {"time": None}})) == ["/due"]
    bare = await ana.make("/tasks", title="No date yet")
    assert pointers(await ana.patch(f"/tasks/{bare['id']}", {"due": {"time": "10:00"}})) == ["/due/date"]
    floating = {"date": "2026-12-01"}
    assert (await ana.patch(f"/tasks/{bare['id']}", {"due": floating})).status_code == 200
    assert pointers(await ana.patch(f"/tasks/{bare['id']}", {"due": {"timezone": "UTC"}})) == ["/due"]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize(
    "field",
    ["title", "description", "status", "priority", "label_ids", "labels_add", "labels_remove", "project_id"],
)
async def test_null_is_refused_where_there_must_be_a_value(ana: Person, method: str, field: str) -> None:
    task = await make_full(ana)
    refused = await ana.request(method, f"/tasks/{task['id']}", json={field: None})
    assert pointers(refused) == [f"/{field}"]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("field", ["tilte", "id", "uid", "version", "created_at", "completed_at", "position"])
async def test_unknown_and_server_made_fields_are_refused(ana: Person, method: str, field: str) -> None:
    task = await make_full(ana)
    refused = await ana.request(method, f"/tasks/{task['id']}", json={field: task.get(field, "x")})
    assert pointers(refused) == [f"/{field}"]
    assert (await ana.get(f"/tasks/{task['id']}")).json() == task


async def test_completing_twice_keeps_the_first_date(ana: Person) -> None:
    task = await ana.make("/tasks", title="x")
    first = (await ana.patch(f"/tasks/{task['id']}", {"status": "done"})).json()
    assert task["created_at"] < first["completed_at"] <= first["updated_at"]
    again = (await ana.patch(f"/tasks/{task['id']}", {"status": "done", "title": "y"})).json()
    assert (again["completed_at"], again["version"]) == (first["completed_at"], 3)


async def test_reopening_forgets_the_date_and_the_journal_says_which(ana: Person, database: Database) -> None:
    task = await ana.make("/tasks", title="x")
    for status in ("done", "open", "cancelled", "open"):
        response = await ana.patch(f"/tasks/{task['id']}", {"status": status})
        assert (response.json()["completed_at"] is not None) == (status == "done")
    verbs = [change.verb for change in await changes_of(database, ana.workspace_id)][-4:]
    assert verbs == ["task.completed", "task.reopened", "task.cancelled", "task.reopened"]


async def test_the_journal_tells_what_changed_before_and_after(ana: Person, database: Database) -> None:
    task = await ana.make("/tasks", title="x")
    response = await ana.patch(f"/tasks/{task['id']}", {"title": "y", "due": {"date": "2026-12-01"}})
    change = (await changes_of(database, ana.workspace_id))[-1]
    due = {"date": "2026-12-01", "time": None, "timezone": None}
    assert (change.verb, change.entity_id, change.version) == ("task.updated", task["id"], 2)
    assert change.before == {"title": "x", "due": None}
    assert change.after == {"title": "y", "due": due}
    assert str(change.request_id) == response.headers["x-request-id"]


async def test_a_patch_may_also_move(ana: Person) -> None:
    project = await ana.make("/projects", name="Papers")
    task = await ana.make("/tasks", title="x")
    after = (await ana.patch(f"/tasks/{task['id']}", {"project_id": project["id"], "title": "y"})).json()
    assert (after["project_id"], after["title"], after["version"]) == (project["id"], "y", 2)


async def test_ids_of_others_in_a_patch_are_refused_with_their_pointer(ana: Person, bob: Person) -> None:
    task = await ana.make("/tasks", title="x")
    project = await bob.make("/projects", name="Secret")
    section = await bob.make("/sections", name="Secret", project_id=project["id"])
    label = await bob.make("/labels", name="secret")
    theirs = await bob.make("/tasks", title="Secret")
    for field, value, pointer in (
        ("project_id", project["id"], "/project_id"),
        ("section_id", section["id"], "/section_id"),
        ("parent_id", theirs["id"], "/parent_id"),
        ("assignee_id", bob.user_id, "/assignee_id"),
        ("label_ids", [label["id"]], "/label_ids/0"),
        ("labels_add", [label["id"]], "/labels_add/0"),
    ):
        assert pointers(await ana.patch(f"/tasks/{task['id']}", {field: value})) == [pointer]
    # Taking away what is not there is no fault, and tells nothing.
    assert (await ana.patch(f"/tasks/{task['id']}", {"labels_remove": [label["id"]]})).status_code == 200
    assert (await ana.get(f"/tasks/{task['id']}")).json() == task


@pytest.mark.parametrize("task_id", ["0", "-1", "x", "1.5", str(2**63), "9" * 5000])
@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
async def test_an_id_that_cannot_be_one_is_refused(ana: Person, method: str, task_id: str) -> None:
    problem(await ana.request(method, f"/tasks/{task_id}", json={"title": "x"}), 422, "invalid")


async def test_a_task_that_is_not_there_is_404(ana: Person) -> None:
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        problem(await ana.request(method, f"/tasks/{2**62}", json={}), 404, "not_found")
