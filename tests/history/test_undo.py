"""Taking back one change, or all that a request did."""

from typing import Any

import pytest
from sqlalchemy import delete
from tests.support.journals import changes_of
from tests.support.people import Person
from tests.support.plain import PLAIN
from tests.support.problems import problem
from tests.support.replaying import replay, state_of_tables
from tests.support.sharing import share
from tests.support.undoing import content_of, in_short, latest, made_by, undo

from dutiful.database.session import Database, Writer
from dutiful.models import Change, Task

DUE = {"date": "2026-12-01", "time": "17:00", "timezone": "Europe/Berlin"}


async def one_of_each(ana: Person) -> dict[str, int]:
    project = await ana.make("/projects", name="Home", color="#3366cc")
    section = await ana.make("/sections", name="Kitchen", project_id=project["id"])
    label = await ana.make("/labels", name="errand")
    task = await ana.make(
        "/tasks", title="Milk", description="Two", priority="high", due=DUE, start={"date": "2026-11-30"},
        section_id=section["id"], label_ids=[label["id"]], assignee_id=ana.user_id,
    )  # fmt: skip
    return {"projects": project["id"], "sections": section["id"], "labels": label["id"], "tasks": task["id"]}


EDITS: list[tuple[str, dict[str, Any]]] = [
    ("projects", {"name": "House", "color": None, "archived": True}),
    ("sections", {"name": "Bath"}),
    ("labels", {"name": "trip", "color": "#112233"}),
    ("tasks", {"title": "Bread", "description": "", "priority": "none", "due": None, "start": None}),
    ("tasks", {"due": {"time": "18:30:15"}, "labels_add": ["new"], "labels_remove": ["errand"]}),
    ("tasks", {"status": "done", "assignee_id": None}),
    ("tasks", {"status": "cancelled"}),
]


@pytest.mark.parametrize(("kind", "patch"), EDITS)
async def test_an_edit_is_taken_back_and_brought_back(
    ana: Person, database: Database, kind: str, patch: dict[str, Any]
) -> None:
    things = await one_of_each(ana)
    before = in_short(await content_of(database, ana.workspace_id))
    assert (await ana.patch(f"/{kind}/{things[kind]}", patch)).status_code == 200
    after = in_short(await content_of(database, ana.workspace_id))
    done = await undo(ana, await latest(ana), request=True)
    now = in_short(await content_of(database, ana.workspace_id))
    assert {key: now[key] for key in before} == before
    await undo(ana, done["items"][0]["id"], request=True)
    assert in_short(await content_of(database, ana.workspace_id)) == after


@pytest.mark.parametrize("kind", ["projects", "sections", "labels", "tasks"])
async def test_a_deletion_is_taken_back_and_brought_back(ana: Person, database: Database, kind: str) -> None:
    things = await one_of_each(ana)
    before = await content_of(database, ana.workspace_id)
    assert (await ana.delete(f"/{kind}/{things[kind]}")).status_code == 204
    deleted = in_short(await content_of(database, ana.workspace_id))
    done = await undo(ana, await latest(ana), request=True)
    assert await content_of(database, ana.workspace_id) == before
    await undo(ana, done["items"][0]["id"], request=True)
    assert in_short(await content_of(database, ana.workspace_id)) == deleted


@pytest.mark.parametrize("kind", ["projects", "sections", "labels", "tasks"])
async def test_a_creation_goes_to_the_trash_and_comes_back(
    ana: Person, database: Database, kind: str
) -> None:
    things = await one_of_each(ana)
    bodies: dict[str, dict[str, Any]] = {
        "sections": {"project_id": things["projects"], "name": "x"},
        "tasks": {"title": "x"},
    }

    made = await ana.make(f"/{kind}", **bodies.get(kind, {"name": "x"}))
    before = await content_of(database, ana.workspace_id)
    done = await undo(ana, await latest(ana))
    assert [change["verb"] for change in done["items"]] == [f"{kind[:-1]}.deleted"]
    assert (await ana.get(f"/{kind}/{made['id']}")).status_code == 404
    await undo(ana, done["items"][0]["id"])
    assert await content_of(database, ana.workspace_id) == before


async def test_a_restore_is_taken_back_as_one_group(ana: Person, database: Database) -> None:
    things = await one_of_each(ana)
    path = f"/projects/{things['projects']}"
    assert (await ana.delete(path)).status_code == 204
    deleted = in_short(await content_of(database, ana.workspace_id))
    assert (await ana.post(f"{path}/restore")).status_code == 200
    await undo(ana, await latest(ana), request=True)
    content = await content_of(database, ana.workspace_id)
    assert in_short(content) == deleted
    groups = {content[key]["trash_id"] for key in content if content[key]["deleted_at"]}
    assert len(groups) == 1
    assert (await ana.post(f"{path}/restore")).status_code == 200
    assert (await ana.get(f"/tasks/{things['tasks']}")).json()["deleted_at"] is None


async def test_new_changes_say_what_they_take_back(ana: Person) -> None:
    task = await ana.make("/tasks", title="Milk")
    assert (await ana.patch(f"/tasks/{task['id']}", {"title": "Bread"})).status_code == 200
    change_id = await latest(ana)
    response = await ana.post(f"/changes/{change_id}/undo")
    done = response.json()
    (change,) = done["items"]
    assert done["count"] == 1
    assert done["took_back"] == [{"verb": "task.updated", "count": 1, "name": "Milk"}]
    assert change["undo_of"] == change_id
    assert (change["verb"], change["before"], change["after"]) == (
        "task.updated", {"title": "Bread"}, {"title": "Milk"},
    )  # fmt: skip
    assert change["version"] == 3
    assert change["request_id"] == response.headers["x-request-id"]
    assert response.headers["dutiful-cursor"]
    feed = await ana.get(f"/workspaces/{ana.workspace_id}/changes")
    assert feed.json()["items"][-1] == change
    assert feed.json()["items"][-2]["undo_of"] is None
    assert (await ana.get(f"/tasks/{task['id']}")).headers["etag"] == '"3"'


async def test_without_a_body_one_change_is_meant(ana: Person, database: Database) -> None:
    made = await ana.post("/tasks/batch", [{"title": "a"}, {"title": "b"}])
    first, second = await made_by(database, made)
    await undo(ana, second)
    first_id = made.json()["items"][0]["id"]
    assert [task["id"] for task in await ana.all("/tasks")] == [first_id]
    # What is left of the request.
    done = await undo(ana, second, request=True)
    assert [change["undo_of"] for change in done["items"]] == [first]
    assert await ana.all("/tasks") == []


async def test_what_was_taken_back_is_taken_back_once(ana: Person) -> None:
    await ana.make("/tasks", title="Milk")
    change_id = await latest(ana)
    await undo(ana, change_id)
    for body in (None, {"request": True}):
        refused = problem(await ana.post(f"/changes/{change_id}/undo", body), 409, "already_undone")
        assert "changes" not in refused


async def test_undone_and_redone_it_can_be_undone_again(ana: Person) -> None:
    task = await ana.make("/tasks", title="Milk")
    assert (await ana.patch(f"/tasks/{task['id']}", {"title": "Bread"})).status_code == 200
    change_id = await latest(ana)
    for _ in range(3):
        undone = await undo(ana, change_id)
        assert (await ana.get(f"/tasks/{task['id']}")).json()["title"] == "Milk"
        await undo(ana, undone["items"][0]["id"])
        assert (await ana.get(f"/tasks/{task['id']}")).json()["title"] == "Bread"


# --- what is in the way -----------------------------------------------------------------------------------------------


async def test_a_later_change_of_the_same_field_is_in_the_way_and_named(ana: Person) -> None:
    task = await ana.make("/tasks", title="Milk")
    for title in ("Bread", "Eggs"):
        assert (await ana.patch(f"/tasks/{task['id']}", {"title": title})).status_code == 200
    later, earlier = await latest(ana), await latest(ana, 1)
    refused = problem(await ana.post(f"/changes/{earlier}/undo"), 409, "changed_since")
    assert refused["changes"] == [later]
    assert "“Eggs”" in refused["detail"]
    assert (await ana.get(f"/tasks/{task['id']}")).json()["version"] == 3
    # Taken back itself, it is out of the way.
    await undo(ana, later)
    await undo(ana, earlier)
    assert (await ana.get(f"/tasks/{task['id']}")).json()["title"] == "Milk"


async def test_later_changes_of_other_fields_stay(ana: Person) -> None:
    task = await ana.make("/tasks", title="Milk", labels_add=["a"])
    path = f"/tasks/{task['id']}"
    assert (await ana.patch(path, {"title": "Bread", "labels_add": ["b"]})).status_code == 200
    labels = {label["name"]: label["id"] for label in await ana.all("/labels")}
    assert (await ana.patch(path, {"priority": "high", "labels_add": ["c"]})).status_code == 200
    await undo(ana, await latest(ana, 1), request=True)
    now = (await ana.get(path)).json()
    names = {label["name"]: label["id"] for label in await ana.all("/labels")}
    assert (now["title"], now["priority"]) == ("Milk", "high")
    assert now["label_ids"] == sorted([names["a"], names["c"]])
    assert labels.keys() == {"a", "b"}


async def test_what_was_deleted_since_is_named(ana: Person) -> None:
    task = await ana.make("/tasks", title="Milk")
    assert (await ana.patch(f"/tasks/{task['id']}", {"title": "Bread"})).status_code == 200
    assert (await ana.delete(f"/tasks/{task['id']}")).status_code == 204
    refused = problem(await ana.post(f"/changes/{await latest(ana, 1)}/undo"), 409, "changed_since")
    assert refused["changes"] == [await latest(ana)]
    assert "in the trash" in refused["detail"]


async def test_what_others_worked_on_is_not_thrown_away(ana: Person) -> None:
    task = await ana.make("/tasks", title="Milk")
    created = await latest(ana)
    assert (await ana.patch(f"/tasks/{task['id']}", {"status": "done"})).status_code == 200
    refused = problem(await ana.post(f"/changes/{created}/undo"), 409, "changed_since")
    assert refused["changes"] == [await latest(ana)]


async def test_a_new_place_in_the_list_keeps_no_creation(ana: Person) -> None:
    first, second = [await ana.make("/tasks", title=title) for title in "ab"]
    created = await latest(ana)
    assert (await ana.post(f"/tasks/{second['id']}/move", {"before": first["id"]})).status_code == 200
    await undo(ana, created)
    assert [task["id"] for task in await ana.all("/tasks")] == [first["id"]]


async def test_a_project_with_tasks_of_others_stays_and_they_are_named(ana: Person) -> None:
    project = await ana.make("/projects", name="Home")
    created = await latest(ana)
    await ana.make("/tasks", title="Milk", project_id=project["id"])
    section = await ana.make("/sections", name="Kitchen", project_id=project["id"])
    refused = problem(await ana.post(f"/changes/{created}/undo"), 409, "not_empty")
    assert set(refused["changes"]) == {await latest(ana, 1), await latest(ana)}
    assert "“Milk”" in refused["detail"]
    assert (await ana.delete(f"/sections/{section['id']}")).status_code == 204
    problem(await ana.post(f"/changes/{created}/undo"), 409, "not_empty")
    await undo(ana, await latest(ana, 2))
    await undo(ana, created)
    assert (await ana.get(f"/projects/{project['id']}")).status_code == 404


async def test_a_parent_with_subtasks_of_others_stays(ana: Person) -> None:
    parent = await ana.make("/tasks", title="Trip")
    created = await latest(ana)
    await ana.make("/tasks", title="Book", parent_id=parent["id"])
    refused = problem(await ana.post(f"/changes/{created}/undo"), 409, "not_empty")
    assert refused["changes"] == [await latest(ana)]


async def test_a_label_that_others_use_stays(ana: Person) -> None:
    label = await ana.make("/labels", name="errand")
    created = await latest(ana)
    await ana.make("/tasks", title="Milk", label_ids=[label["id"]])
    refused = problem(await ana.post(f"/changes/{created}/undo"), 409, "not_empty")
    assert refused["changes"] == [await latest(ana)]


async def test_a_task_made_with_a_new_label_takes_it_along(ana: Person, database: Database) -> None:
    await ana.make("/tasks", title="Milk", labels_add=["errand"])
    before = await content_of(database, ana.workspace_id)
    done = await undo(ana, await latest(ana), request=True)
    content = await content_of(database, ana.workspace_id)
    assert await ana.all("/labels") == []
    assert [fields["label_ids"] for (kind, _), fields in content.items() if kind == "task"] == [[]]
    await undo(ana, done["items"][0]["id"], request=True)
    assert await content_of(database, ana.workspace_id) == before


async def test_one_of_a_group_needs_what_it_was_in(ana: Person, database: Database) -> None:
    project = await ana.make("/projects", name="Home")
    await ana.make("/tasks", title="Milk", project_id=project["id"])
    deleted = await made_by(database, await ana.delete(f"/projects/{project['id']}"))
    refused = problem(await ana.post(f"/changes/{deleted[1]}/undo"), 409, "in_trash")
    assert "whole request" in refused["detail"]
    await undo(ana, deleted[0])
    assert await ana.all("/tasks") == []
    await undo(ana, deleted[1])
    assert [task["title"] for task in await ana.all("/tasks")] == ["Milk"]


async def test_a_name_taken_meanwhile_is_said(ana: Person) -> None:
    for kind in ("projects", "labels"):
        old = await ana.make(f"/{kind}", name="Home")
        assert (await ana.delete(f"/{kind}/{old['id']}")).status_code == 204
        new = await ana.make(f"/{kind}", name="HOME")
        deleted = await latest(ana, 1)
        refused = problem(await ana.post(f"/changes/{deleted}/undo", {"request": True}), 409, "taken")
        assert "“Home”" in refused["detail"]
        assert (await ana.patch(f"/{kind}/{new['id']}", {"name": "Other"})).status_code == 200
        await undo(ana, deleted, request=True)


async def test_the_inbox_stays(ana: Person, database: Database) -> None:
    made = await ana.post("/workspaces", {"name": "Club"})
    created = await made_by(database, made)
    assert len(created) == 4
    inbox = next(one for one in created if one.endswith("-3"))
    problem(await ana.post(f"/changes/{inbox}/undo"), 409, "inbox")


async def test_rights_and_workspaces_are_not_taken_back(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob)
    change_id = f"{workspace_id}-4"
    refused = problem(await ana.post(f"/changes/{change_id}/undo"), 409, "not_undoable")
    assert "member.added" in refused["detail"]
    assert refused["changes"] == [change_id]
    for whole in (False, True):
        answer = await ana.post(f"/changes/{workspace_id}-1/undo", {"request": whole})
        problem(answer, 409, "not_undoable")


async def test_whoever_left_is_not_assigned_again(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob)
    task = await ana.make("/tasks", title="Milk", workspace_id=workspace_id, assignee_id=bob.user_id)
    assert (await ana.patch(f"/tasks/{task['id']}", {"assignee_id": None})).status_code == 200
    unassigned = await latest(ana)
    removed = await ana.delete(f"/workspaces/{workspace_id}/members/{bob.user_id}")
    assert removed.status_code == 204
    refused = problem(await ana.post(f"/changes/{unassigned}/undo"), 409, "not_a_member")
    assert "Milk" in refused["detail"]


async def test_what_is_gone_for_good_is_said(ana: Person, database: Database) -> None:
    task = await ana.make("/tasks", title="Milk")
    change_id = await latest(ana)

    async def purge(session: Writer) -> None:
        await session.execute(delete(Task).where(Task.id == task["id"]))

    await database.write(purge)
    problem(await ana.post(f"/changes/{change_id}/undo"), 409, "gone")

    async def clear(session: Writer) -> None:
        await session.execute(delete(Change).where(Change.workspace_id == ana.workspace_id))

    await database.write(clear)
    problem(await ana.post(f"/changes/{change_id}/undo"), 410, "gone")
    problem(await ana.post(f"/changes/{ana.workspace_id}-999999/undo"), 404)


@pytest.mark.parametrize(
    "change_id", ["x", "1", "1-", "0-1", "1-0", "-1-1", "1-1-1", "1-+1", "9" * 20 + "-1"]
)
async def test_what_is_no_id_is_refused(ana: Person, change_id: str) -> None:
    problem(await ana.post(f"/changes/{change_id}/undo"), 422)


async def test_the_largest_numbers_are_simply_not_there(ana: Person) -> None:
    problem(await ana.post(f"/changes/{'9' * 19}-{'9' * 19}/undo"), 404)
    problem(await ana.post(f"/changes/{2**63 - 1}-{2**63 - 1}/undo"), 404)
    problem(await ana.post(f"/changes/{ana.workspace_id}-{2**63 - 1}/undo"), 404)


@pytest.mark.parametrize("body", [{"request": None}, {"request": "yes please"}, {"all": True}, [], "x"])
async def test_a_body_that_says_something_else_is_refused(ana: Person, body: Any) -> None:
    await ana.make("/tasks", title="Milk")
    problem(await ana.post(f"/changes/{await latest(ana)}/undo", body), 422)


# --- order ------------------------------------------------------------------------------------------------------------


async def order_of(person: Person, project_id: int) -> list[str]:
    tasks = await person.all("/tasks", project_id=project_id, sort="position")
    return [task["title"] for task in tasks]


async def test_a_move_is_taken_back_to_the_old_place_and_key(ana: Person, database: Database) -> None:
    project = await ana.make("/projects", name="Home")
    a, b, c = [await ana.make("/tasks", title=title, project_id=project["id"]) for title in "abc"]
    before = await content_of(database, ana.workspace_id)
    assert (await ana.post(f"/tasks/{a['id']}/move", {"after": c["id"]})).status_code == 200
    await undo(ana, await latest(ana))
    assert await content_of(database, ana.workspace_id) == before
    assert (await ana.patch(f"/tasks/{b['id']}", {"project_id": ana.inbox_id})).status_code == 200
    await undo(ana, await latest(ana))
    assert await content_of(database, ana.workspace_id) == before


@pytest.mark.parametrize("by", ["request", "batch"])
async def test_a_move_that_kept_its_key_is_taken_back_to_it_though_it_changed_since(
    ana: Person, database: Database, by: str
) -> None:
    home, work = [await ana.make("/projects", name=name) for name in ("Home", "Work")]
    x = await ana.make("/tasks", title="x", project_id=work["id"])
    _, b, _ = [await ana.make("/tasks", title=title, project_id=home["id"]) for title in "abc"]
    before = await content_of(database, ana.workspace_id)
    if by == "request":
        response = await ana.post(f"/tasks/{b['id']}/move", {"project_id": work["id"]})
    else:
        move = {"op": "move", "type": "task", "id": b["id"], "data": {"project_id": work["id"]}}
        response = await ana.post("/batch", [move])
    (moved,) = await made_by(database, response)
    assert (await ana.get(f"/tasks/{b['id']}")).json()["position"] == b["position"], "it fitted"
    assert (await ana.post(f"/tasks/{b['id']}/move", {"before": x["id"]})).status_code == 200
    await undo(ana, moved)
    assert await order_of(ana, home["id"]) == ["a", "b", "c"]
    assert await content_of(database, ana.workspace_id) == before
    changes = list(await changes_of(database, ana.workspace_id))
    assert replay(changes) == await state_of_tables(database, ana.workspace_id)


@pytest.mark.parametrize("into", ["section_id", "parent_id"])
async def test_a_move_is_not_taken_back_from_below_a_later_one(ana: Person, into: str) -> None:
    home, work = [await ana.make("/projects", name=name) for name in ("Home", "Work")]
    section = await ana.make("/sections", name="Now", project_id=work["id"])
    parent = await ana.make("/tasks", title="parent", project_id=work["id"])
    task = await ana.make("/tasks", title="x", project_id=home["id"])
    assert (await ana.post(f"/tasks/{task['id']}/move", {"project_id": work["id"]})).status_code == 200
    moved = await latest(ana)
    target = {into: {"section_id": section, "parent_id": parent}[into]["id"]}
    kept = (await ana.post(f"/tasks/{task['id']}/move", target)).json()
    assert kept["position"] == task["position"], "it fitted, and only the other field changed"
    refused = problem(await ana.post(f"/changes/{moved}/undo"), 409, "changed_since")
    assert refused["changes"] == [await latest(ana)]
    await undo(ana, await latest(ana))
    await undo(ana, moved)
    assert (await ana.get(f"/tasks/{task['id']}")).json()["project_id"] == home["id"]


async def test_a_subtask_that_got_another_place_keeps_it_when_its_parent_goes_back(ana: Person) -> None:
    work = await ana.make("/projects", name="Work")
    parent = await ana.make("/tasks", title="parent")
    first, second = [await ana.make("/tasks", title=title, parent_id=parent["id"]) for title in "ab"]
    assert (await ana.post(f"/tasks/{parent['id']}/move", {"project_id": work["id"]})).status_code == 200
    moved = await latest(ana)
    assert (await ana.post(f"/tasks/{second['id']}/move", {"before": first["id"]})).status_code == 200
    await undo(ana, moved, request=True)
    subtasks = await ana.all("/tasks", parent_id=parent["id"], sort="position")
    assert [(task["title"], task["project_id"]) for task in subtasks] == [
        ("b", ana.inbox_id),
        ("a", ana.inbox_id),
    ]


async def test_where_the_old_key_is_taken_the_order_is_still_the_old_one(ana: Person) -> None:
    project = await ana.make("/projects", name="Home")
    _, _, c = [await ana.make("/tasks", title=title, project_id=project["id"]) for title in "abc"]
    assert (await ana.patch(f"/tasks/{c['id']}", {"project_id": ana.inbox_id})).status_code == 200
    moved = await latest(ana)
    d = await ana.make("/tasks", title="d", project_id=project["id"], **PLAIN)
    assert d["position"] == c["position"]
    await undo(ana, moved)
    assert await order_of(ana, project["id"]) == ["a", "b", "d", "c"]


async def test_swapped_things_are_swapped_back(ana: Person, database: Database) -> None:
    """Each wants the key that another one still has when its row is written."""
    project = await ana.make("/projects", name="Home")
    tasks = [await ana.make("/tasks", title=title, project_id=project["id"]) for title in "abcdef"]
    names = [await ana.make("/labels", name=name) for name in ("one", "two")]
    before = await content_of(database, ana.workspace_id)
    reverse = [
        {"op": "move", "type": "task", "id": task["id"], "data": {"before": tasks[0]["id"]}}
        for task in tasks[1:]
    ]
    rename = [
        {"op": "update", "type": "label", "id": names[0]["id"], "data": {"name": "three"}},
        {"op": "update", "type": "label", "id": names[1]["id"], "data": {"name": "one"}},
        {"op": "update", "type": "label", "id": names[0]["id"], "data": {"name": "two"}},
    ]
    operations = reverse * 4 + rename
    assert (await ana.post("/batch", operations)).status_code == 200
    change_id = await latest(ana)
    after = await content_of(database, ana.workspace_id)
    done = await undo(ana, change_id, request=True)
    assert await content_of(database, ana.workspace_id) == before
    await undo(ana, done["items"][0]["id"], request=True)
    assert await content_of(database, ana.workspace_id) == after


async def test_a_parent_goes_back_with_its_subtasks_even_alone(ana: Person, database: Database) -> None:
    project = await ana.make("/projects", name="Home")
    parent = await ana.make("/tasks", title="Trip")
    child = await ana.make("/tasks", title="Book", parent_id=parent["id"])
    moved = await made_by(
        database, await ana.post(f"/tasks/{parent['id']}/move", {"project_id": project["id"]})
    )
    later = await ana.make("/tasks", title="Pack", parent_id=parent["id"])
    mine = {
        change["entity_id"]: change["id"]
        for change in (await ana.get(f"/workspaces/{ana.workspace_id}/changes")).json()["items"]
        if change["id"] in moved
    }
    refused = problem(await ana.post(f"/changes/{mine[child['id']]}/undo"), 409, "moved")
    assert "“Trip”" in refused["detail"]
    await undo(ana, mine[parent["id"]])
    places = [(await ana.get(f"/tasks/{one['id']}")).json()["project_id"] for one in (parent, child, later)]
    assert places == [ana.inbox_id] * 3


async def test_no_task_comes_below_itself(ana: Person) -> None:
    a, b = [await ana.make("/tasks", title=title) for title in "ab"]
    assert (await ana.patch(f"/tasks/{b['id']}", {"parent_id": a["id"]})).status_code == 200
    assert (await ana.patch(f"/tasks/{b['id']}", {"parent_id": None})).status_code == 200
    taken_out = await latest(ana)
    assert (await ana.patch(f"/tasks/{a['id']}", {"parent_id": b["id"]})).status_code == 200
    problem(await ana.post(f"/changes/{taken_out}/undo"), 409, "too_deep")
