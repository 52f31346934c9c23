"""Deleting a label takes it off its tasks; restoring it puts it back."""

from typing import Any

from tests.support.journals import changes_of, latest_seq, tasks_of
from tests.support.people import Person
from tests.support.problems import problem
from tests.support.statements import count_statements
from tests.support.undoing import latest, undo

from dutiful.database.session import Database


async def label_ids(database: Database, person: Person) -> dict[str, list[int]]:
    """By title; the trash included."""
    return {task.title: task.label_ids for task in await tasks_of(database, person.workspace_id)}


async def make_labels(person: Person, *names: str) -> list[int]:
    return [(await person.make("/labels", name=name))["id"] for name in names]


async def test_deleting_takes_it_off_every_task_even_in_the_trash(ana: Person, database: Database) -> None:
    home, work = await make_labels(ana, "home", "work")
    await ana.make("/tasks", title="both", label_ids=[home, work])
    await ana.make("/tasks", title="none")
    trashed = await ana.make("/tasks", title="trashed", label_ids=[home])
    await ana.delete(f"/tasks/{trashed['id']}")

    assert (await ana.delete(f"/labels/{home}")).status_code == 204
    problem(await ana.get(f"/labels/{home}"), 404)
    assert await label_ids(database, ana) == {"both": [work], "none": [], "trashed": []}


async def test_deleting_tells_of_every_task(ana: Person, database: Database) -> None:
    home, work = await make_labels(ana, "home", "work")
    task = await ana.make("/tasks", title="both", label_ids=[home, work])
    start = await latest_seq(database, ana.workspace_id)
    await ana.delete(f"/labels/{home}")
    deleted, updated = await changes_of(database, ana.workspace_id, start)
    assert (deleted.verb, list(deleted.after or {})) == ("label.deleted", ["deleted_at"])
    assert (updated.verb, updated.entity_id, updated.version) == ("task.updated", task["id"], 2)
    assert (updated.before, updated.after) == ({"label_ids": [home, work]}, {"label_ids": [work]})
    assert updated.request_id == deleted.request_id


async def test_restoring_puts_it_back_on_exactly_the_tasks_it_was_taken_from(
    ana: Person, database: Database
) -> None:
    home, work = await make_labels(ana, "home", "work")
    tasks = [
        await ana.make("/tasks", title=title, label_ids=[home]) for title in ("a", "b", "off", "trashed")
    ]
    await ana.make("/tasks", title="never", label_ids=[work])
    await ana.patch(f"/tasks/{tasks[2]['id']}", {"labels_remove": [home]})
    await ana.delete(f"/tasks/{tasks[3]['id']}")
    await ana.delete(f"/labels/{home}")
    await ana.patch(f"/tasks/{tasks[1]['id']}", {"labels_add": [work]})

    response = await ana.post(f"/labels/{home}/restore")
    assert (response.status_code, response.headers["ETag"]) == (200, '"3"')
    expected = {"a": [home], "b": [home, work], "off": [], "trashed": [home], "never": [work]}
    assert await label_ids(database, ana) == expected


async def test_restoring_puts_it_back_where_an_undo_took_it_from(ana: Person, database: Database) -> None:
    (home,) = await make_labels(ana, "home")
    await ana.make("/tasks", title="a", label_ids=[home])
    await ana.delete(f"/labels/{home}")
    await ana.post(f"/labels/{home}/restore")
    await undo(ana, await latest(ana), request=True)
    assert await label_ids(database, ana) == {"a": []}
    await ana.post(f"/labels/{home}/restore")
    assert await label_ids(database, ana) == {"a": [home]}


async def test_restoring_one_whose_making_was_undone_puts_it_back_too(
    ana: Person, database: Database
) -> None:
    task = await ana.make("/tasks", title="a")
    await ana.patch(f"/tasks/{task['id']}", {"status": "done", "labels_add": ["home"]})
    labelled = await label_ids(database, ana)
    await undo(ana, await latest(ana), request=True)
    assert await label_ids(database, ana) == {"a": []}
    await ana.post(f"/labels/{labelled['a'][0]}/restore")
    assert await label_ids(database, ana) == labelled


async def test_what_the_same_batch_did_before_the_deletion_stays_done(
    ana: Person, database: Database
) -> None:
    (home,) = await make_labels(ana, "home")
    a, b = [await ana.make("/tasks", title=title, label_ids=[home]) for title in "ab"]
    operations: list[Any] = [
        {"op": "update", "type": "task", "id": a["id"], "data": {"labels_remove": [home]}},
        {"op": "delete", "type": "label", "id": home},
        {"op": "update", "type": "task", "id": b["id"], "data": {"title": "B"}},
    ]
    response = await ana.post("/batch", operations)
    assert response.status_code == 200, response.text
    await ana.post(f"/labels/{home}/restore")
    assert await label_ids(database, ana) == {"a": [], "B": [home]}


async def test_only_the_last_deletion_counts(ana: Person, database: Database) -> None:
    (home,) = await make_labels(ana, "home")
    a, b = [await ana.make("/tasks", title=title, label_ids=[home]) for title in "ab"]
    await ana.delete(f"/labels/{home}")
    await ana.post(f"/labels/{home}/restore")
    await ana.patch(f"/tasks/{a['id']}", {"label_ids": []})
    await ana.delete(f"/labels/{home}")
    await ana.post(f"/labels/{home}/restore")
    assert await label_ids(database, ana) == {"a": [], "b": [home]}
    assert b["label_ids"] == [home]


async def test_a_name_taken_meanwhile_gets_a_number(ana: Person) -> None:
    (home,) = await make_labels(ana, "home")
    await ana.delete(f"/labels/{home}")
    await make_labels(ana, "HOME")
    assert (await ana.post(f"/labels/{home}/restore")).json()["name"] == "home (2)"


async def test_it_takes_the_same_statements_for_one_task_and_for_many(
    ana: Person, database: Database
) -> None:
    counts = []
    for name, count in (("few", 1), ("many", 60)):
        (label,) = await make_labels(ana, name)
        response = await ana.post("/tasks/batch", [{"title": name, "label_ids": [label]}] * count)
        assert response.status_code == 201, response.text
        with count_statements(database) as deleting:
            await ana.delete(f"/labels/{label}")
        with count_statements(database) as restoring:
            await ana.post(f"/labels/{label}/restore")
        counts.append((len(deleting), len(restoring)))
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 10
    assert all(len(ids) == 1 for ids in (await label_ids(database, ana)).values())


async def test_a_deleted_label_cannot_be_put_on_a_task(ana: Person) -> None:
    (home,) = await make_labels(ana, "home")
    await ana.delete(f"/labels/{home}")
    problem(await ana.post("/tasks", {"title": "x", "label_ids": [home]}), 422)
    task = await ana.make("/tasks", title="x", labels_add=["home"])
    assert task["label_ids"] != [home]
