"""Labels on tasks."""

import asyncio

import pytest
from tests.support.people import Person
from tests.support.problems import pointers
from tests.support.sharing import make_shared


async def names_on(person: Person, task_id: int) -> set[str]:
    names = {label["id"]: label["name"] for label in await person.all("/labels")}
    task = (await person.get(f"/tasks/{task_id}")).json()
    assert task["label_ids"] == sorted(set(task["label_ids"]))
    return {names[label_id] for label_id in task["label_ids"]}


async def test_labels_are_added_and_removed_by_name_and_by_id(ana: Person) -> None:
    label = await ana.make("/labels", name="home")
    task = await ana.make("/tasks", title="x", labels_add=["shop", label["id"]])
    assert await names_on(ana, task["id"]) == {"shop", "home"}
    await ana.patch(f"/tasks/{task['id']}", {"labels_add": ["Garden"], "labels_remove": [label["id"]]})
    assert await names_on(ana, task["id"]) == {"shop", "Garden"}
    await ana.patch(f"/tasks/{task['id']}", {"labels_remove": ["SHOP", "unknown", 2**62]})
    assert await names_on(ana, task["id"]) == {"Garden"}


async def test_a_new_name_makes_one_label_however_it_is_written(ana: Person) -> None:
    task = await ana.make("/tasks", title="x", labels_add=["Äpfel", "äpfel", "ÄPFEL"])
    assert await names_on(ana, task["id"]) == {"Äpfel"}
    other = await ana.make("/tasks", title="y", labels_add=["äPFEL"])
    assert other["label_ids"] == task["label_ids"]


async def test_given_whole_the_list_replaces_and_a_delta_comes_on_top(ana: Person) -> None:
    home = await ana.make("/labels", name="home")
    task = await ana.make("/tasks", title="x", labels_add=["shop"])
    await ana.patch(f"/tasks/{task['id']}", {"label_ids": [home["id"]], "labels_add": ["garden"]})
    assert await names_on(ana, task["id"]) == {"home", "garden"}


async def test_two_people_adding_labels_both_win(ana: Person, bob: Person) -> None:
    shared = await make_shared(ana, bob)
    task = await ana.make("/tasks", title="x", workspace_id=shared.id)
    answers = await asyncio.gather(
        *(
            person.patch(f"/tasks/{task['id']}", {"labels_add": [f"{name} {number}", "both"]})
            for number in range(5)
            for name, person in (("ana", ana), ("bob", bob))
        )
    )
    assert [answer.status_code for answer in answers] == [200] * 10
    expected = {f"{name} {number}" for number in range(5) for name in ("ana", "bob")} | {"both"}
    assert await names_on(ana, task["id"]) == expected


async def test_a_label_in_the_trash_is_no_label(ana: Person) -> None:
    label = await ana.make("/labels", name="home")
    await ana.delete(f"/labels/{label['id']}")
    refused = await ana.post("/tasks", {"title": "x", "labels_add": [label["id"]]})
    assert pointers(refused) == ["/labels_add/0"]
    task = await ana.make("/tasks", title="x", labels_add=["home"])
    assert task["label_ids"] != [label["id"]]


@pytest.mark.parametrize(
    ("labels", "pointer"),
    [
        ([""], "/labels_add/0"),
        (["ok", "x" * 101], "/labels_add/1"),
        ([None], "/labels_add/0"),
        ("x", "/labels_add"),
    ],
)
async def test_a_name_that_cannot_be_one_is_refused(ana: Person, labels: object, pointer: str) -> None:
    refused = await ana.post("/tasks", {"title": "x", "labels_add": labels})
    assert any(found.startswith(pointer) for found in pointers(refused))
    assert await ana.all("/labels") == []


async def test_a_refused_task_makes_no_label(ana: Person) -> None:
    refused = await ana.post("/tasks", {"title": "x", "labels_add": ["new", 2**62]})
    assert pointers(refused) == ["/labels_add/1"]
    assert await ana.all("/labels") == []
