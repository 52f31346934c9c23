"""A request that did much comes back as it was, in a bounded number of statements."""

from typing import Any

from tests.support.people import Person
from tests.support.problems import problem
from tests.support.statements import count_statements
from tests.support.undoing import content_of, in_short, latest, made_by, undo

from dutiful.database.session import Database

# What a request asks of the database at most, whatever the number of changes.
MOST_STATEMENTS = 40


async def fill(ana: Person, count: int) -> int:
    """A project with sections, labels, and `count` tasks, of which a third are subtasks."""
    project_id: int = (await ana.make("/projects", name=f"Home {count}"))["id"]
    sections = [
        (await ana.make("/sections", name=name, project_id=project_id))["id"] for name in ("Now", "Later")
    ]
    tops = [
        {
            "title": f"task {number}",
            "labels_add": [f"label {number % 7}"],
            "due": {"date": "2026-12-01", "time": "17:00", "timezone": "Europe/Berlin"},
            **({"section_id": sections[number % 2]} if number % 3 else {"project_id": project_id}),
        }
        for number in range(count * 2 // 3)
    ]
    made = await ana.post("/tasks/batch", tops)
    assert made.status_code == 201, made.text
    parents = [task["id"] for task in made.json()["items"]]
    below = [
        {"title": f"part {number}", "parent_id": parents[number // 2], "status": "done"}
        for number in range(count - len(tops))
    ]
    assert (await ana.post("/tasks/batch", below)).status_code == 201
    return project_id


async def shuffle(ana: Person, project_id: int) -> None:
    """So that the order is not that of the ids, and some of it is in the trash already."""
    tasks = await ana.all("/tasks", project_id=project_id)
    tops = [task for task in tasks if task["parent_id"] is None and task["section_id"] is None]
    moves = [
        {"op": "move", "type": "task", "id": one["id"], "data": {"before": tops[0]["id"]}}
        for one in tops[5:20]
    ]
    drop = [{"op": "delete", "type": "task", "id": one["id"]} for one in tops[20:23]]
    assert (await ana.post("/batch", [*moves, *drop])).status_code == 200


async def test_a_deleted_project_comes_back_as_it_was(ana: Person, database: Database) -> None:
    counts = {}
    for size in (40, 500):
        project_id = await fill(ana, size)
        await shuffle(ana, project_id)
        before = await content_of(database, ana.workspace_id)
        assert (await ana.delete(f"/projects/{project_id}")).status_code == 204
        assert await content_of(database, ana.workspace_id) != before
        change_id = await latest(ana)
        with count_statements(database) as statements:
            done = await undo(ana, change_id, request=True)
        counts[size] = len(statements)
        assert done["count"] > size * 0.9
        assert await content_of(database, ana.workspace_id) == before
        kinds = {one["verb"]: one["count"] for one in done["took_back"]}
        assert kinds["project.deleted"] == 1
        assert kinds["section.deleted"] == 2
        again = await undo(ana, done["items"][0]["id"], request=True)
        await undo(ana, again["items"][0]["id"], request=True)
        assert await content_of(database, ana.workspace_id) == before
    assert counts[500] <= counts[40] <= MOST_STATEMENTS, counts


async def test_a_deleted_label_comes_back_on_its_tasks(ana: Person, database: Database) -> None:
    await fill(ana, 60)
    label = (await ana.all("/labels"))[0]
    tasks = await ana.all("/tasks", label=label["id"])
    assert (await ana.delete(f"/tasks/{tasks[0]['id']}")).status_code == 204
    before = await content_of(database, ana.workspace_id)
    assert (await ana.delete(f"/labels/{label['id']}")).status_code == 204
    # Somebody labels one of them meanwhile.
    assert (await ana.patch(f"/tasks/{tasks[1]['id']}", {"labels_add": ["fresh"]})).status_code == 200
    await undo(ana, await latest(ana, 1), request=True)
    await undo(ana, await latest(ana, 1), request=True)
    now = in_short(await content_of(database, ana.workspace_id))
    assert {key: now[key] for key in before} == in_short(before)


def mixed(ids: list[int], target: int, label_id: int) -> list[dict[str, Any]]:
    """A thousand operations of every kind, on things that are there and on things they make."""

    def task(op: str, task_id: int | str, **data: Any) -> dict[str, Any]:
        return {"op": op, "type": "task", "id": task_id, "data": data}

    first: list[dict[str, Any]] = [
        {"op": "create", "type": "project", "ref": "p", "data": {"name": "Batch"}},
        {"op": "create", "type": "section", "ref": "s", "data": {"name": "Part", "project_id": "$p"}},
        {"op": "create", "type": "label", "ref": "l", "data": {"name": "batch"}},
        {"op": "update", "type": "label", "id": label_id, "data": {"name": "renamed"}},
        {"op": "update", "type": "project", "id": target, "data": {"name": "Target", "archived": True}},
    ]
    made = [
        {"op": "create", "type": "task", "ref": f"t{number}", "data": {"title": "n", "section_id": "$s"}}
        for number in range(200)
    ]
    edits = [task("update", one, title="t", labels_add=["$l"], status="done") for one in ids[:200]]
    moves = [task("move", one, project_id=target) for one in ids[:200]]
    order = [task("move", one, before=ids[205]) for one in ids[:200:2]]
    below = [task("move", f"$t{number}", parent_id=ids[number]) for number in range(0, 200, 3)]
    deletions = [task("delete", one) for one in ids[:200:4]] + [
        {"op": "delete", "type": "label", "id": label_id}
    ]
    again = [task("update", one, title="u", status="open") for one in ids[1:200:4] * 4]
    return [*first, *made, *edits, *moves, *order, *below, *again, *deletions][:1000]


async def test_a_batch_of_a_thousand_operations_comes_back(ana: Person, database: Database) -> None:
    target = (await ana.make("/projects", name="Target here"))["id"]
    made = await ana.post("/tasks/batch", [{"title": f"{n}", "labels_add": ["old"]} for n in range(210)])
    label_id = (await ana.all("/labels"))[0]["id"]
    before = in_short(await content_of(database, ana.workspace_id))
    operations = mixed([task["id"] for task in made.json()["items"]], target, label_id)
    assert (await ana.post("/batch", operations)).status_code == 200
    after = in_short(await content_of(database, ana.workspace_id))
    change_id = await latest(ana)
    with count_statements(database) as statements:
        done = await undo(ana, change_id, request=True)
    assert len(statements) <= MOST_STATEMENTS
    now = in_short(await content_of(database, ana.workspace_id))
    assert {key: now[key] for key in before} == before
    assert all(state["deleted_at"] for key, state in now.items() if key not in before)
    await undo(ana, done["items"][0]["id"], request=True)
    assert in_short(await content_of(database, ana.workspace_id)) == after


async def test_a_request_over_several_workspaces_comes_back_in_all(ana: Person, database: Database) -> None:
    other = (await ana.make("/workspaces", name="Club"))["id"]
    made = await ana.post("/tasks/batch", [{"title": "here"}, {"title": "there", "workspace_id": other}])
    changes = await made_by(database, made)
    done = await undo(ana, changes[1], request=True)
    assert {change["workspace_id"] for change in done["items"]} == {ana.workspace_id, other}
    assert await ana.all("/tasks") == []
    problem(await ana.post(f"/changes/{changes[0]}/undo"), 409, "already_undone")


async def test_what_one_undo_deleted_is_restored_on_its_own(ana: Person) -> None:
    """A thousand tasks made at once have nothing else in common; what is in a project comes back with it."""
    made = (await ana.post("/tasks/batch", [{"title": "a"}, {"title": "b"}])).json()["items"]
    await undo(ana, await latest(ana), request=True)
    assert (await ana.post(f"/tasks/{made[0]['id']}/restore")).status_code == 200
    assert [task["title"] for task in await ana.all("/tasks")] == ["a"]
    operations = [
        {"op": "create", "type": "project", "ref": "p", "data": {"name": "Batch"}},
        {"op": "create", "type": "task", "ref": "t", "data": {"title": "top", "project_id": "$p"}},
        {"op": "create", "type": "task", "data": {"title": "below", "parent_id": "$t"}},
    ]
    items = (await ana.post("/batch", operations)).json()["items"]
    await undo(ana, await latest(ana), request=True)
    assert (await ana.post(f"/projects/{items[0]['id']}/restore")).status_code == 200
    assert {task["title"] for task in await ana.all("/tasks")} == {"a", "top", "below"}


async def test_a_long_answer_is_made_again_for_its_key(ana: Person) -> None:
    made = await ana.post("/tasks/batch", [{"title": "x" * 400} for _ in range(900)])
    assert made.status_code == 201
    path, body, key = f"/changes/{await latest(ana)}/undo", {"request": True}, {"Idempotency-Key": "again"}
    first = await ana.post(path, body, headers=key)
    assert first.status_code == 200
    assert len(first.content) > 256_000
    second = await ana.post(path, body, headers=key)
    assert second.headers["idempotency-replayed"] == "true"
    assert second.json() == first.json()
    assert second.headers["dutiful-cursor"] == first.headers["dutiful-cursor"]
