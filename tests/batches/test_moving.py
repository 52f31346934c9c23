"""Many moves at once end where the same moves end one after the other."""

import random
from itertools import pairwise
from typing import Any

import pytest
from tests.support.people import Person

TASKS = 24
OPERATIONS = 60


async def tree(person: Person, names: dict[str, dict[int, int]]) -> list[Any]:
    """Every task with its place, in order; ids replaced by what they are called in both people's trees."""
    tasks = await person.all("/tasks", sort="position", limit=200)
    return sorted(
        (
            [
                [names[kind].get(task[f"{kind}_id"], -1) for kind in ("project", "section", "parent")],
                task["title"],
            ]
            for task in tasks
        ),
        key=lambda row: row[0],
    )


async def furnish(person: Person) -> dict[str, list[int]]:
    projects = [person.inbox_id, (await person.make("/projects", name="P"))["id"]]
    sections = [
        (await person.make("/sections", name=f"S{project}", project_id=project))["id"] for project in projects
    ]
    tasks = [
        (await person.make("/tasks", title=f"{number:02}", project_id=projects[number % 2]))["id"]
        for number in range(TASKS)
    ]
    return {"project": projects, "section": sections, "parent": tasks}


def draw(rnd: random.Random) -> tuple[str, int, dict[str, Any]]:
    task = rnd.randrange(TASKS)
    other = rnd.choice([one for one in range(TASKS) if one != task])
    match rnd.randrange(8):
        case 0:
            return "move", task, {"project_id": rnd.randrange(2)}
        case 1:
            return "move", task, {"section_id": rnd.choice([0, 1, None])}
        case 2 | 3:
            return "move", task, {"parent_id": rnd.choice([other, other, None])}
        case 4 | 5:
            return "move", task, {"after": other}
        case 6:
            return "move", task, {"before": other}
        case _:
            return rnd.choice(["delete", "update", "update"]), task, {}


def body_of(things: dict[str, list[int]], data: dict[str, Any]) -> dict[str, Any]:
    kinds = {"project_id": "project", "section_id": "section"}
    return {
        name: None if value is None else things[kinds.get(name, "parent")][value]
        for name, value in data.items()
    }


@pytest.mark.parametrize("seed", range(6))
async def test_a_batch_of_moves_is_the_same_as_the_moves(ana: Person, bob: Person, seed: int) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    of_ana, of_bob = await furnish(ana), await furnish(bob)
    operations: list[dict[str, Any]] = []
    while len(operations) < OPERATIONS:
        op, task, data = draw(rnd)
        path = f"/tasks/{of_ana['parent'][task]}"
        match op:
            case "move":
                response = await ana.post(f"{path}/move", body_of(of_ana, data))
            case "delete":
                response = await ana.delete(path)
            case _:
                response = await ana.patch(path, {"priority": "high"})
        if response.is_success:
            operation = {"op": op, "type": "task", "id": of_bob["parent"][task]}
            data = {"priority": "high"} if op == "update" else body_of(of_bob, data)
            operations.append(operation | ({"data": data} if op != "delete" else {}))
    response = await bob.post("/batch", operations)
    assert response.status_code == 200, response.text
    trees = [
        await tree(
            person,
            {kind: {thing_id: number for number, thing_id in enumerate(ids)} for kind, ids in things.items()},
        )
        for person, things in ((ana, of_ana), (bob, of_bob))
    ]
    assert trees[0] == trees[1]
    versions = [[task["version"] for task in await person.all("/tasks", limit=200)] for person in (ana, bob)]
    assert versions[0] == versions[1]


async def test_a_place_left_in_the_batch_is_no_trap_for_the_next(ana: Person) -> None:
    """The keys between the same two neighbours are the same, and rows are written in the order of ids."""
    ids = [(await ana.make("/tasks", title=str(number)))["id"] for number in range(12)]
    operations = []
    for first, second in pairwise(ids[1:]):
        operations += [
            {"op": "move", "type": "task", "id": second, "data": {"before": ids[0]}},
            {"op": "move", "type": "task", "id": first, "data": {"after": ids[0]}},
            {"op": "move", "type": "task", "id": second, "data": {"after": ids[0]}},
        ]
    response = await ana.post("/batch", operations)
    assert response.status_code == 200, response.text
    listed = [task["id"] for task in await ana.all("/tasks", sort="position")]
    expected = list(ids)
    for operation in operations:
        expected.remove(operation["id"])
        [(where, anchor)] = operation["data"].items()
        expected.insert(expected.index(anchor) + (where == "after"), operation["id"])
    assert listed == expected


async def test_keys_that_grow_long_are_made_anew_within_a_batch(ana: Person) -> None:
    ids = [item["id"] for item in (await ana.post("/tasks/batch", [{"title": "x"}] * 500)).json()["items"]]
    operations = [
        {"op": "move", "type": "task", "id": task_id, "data": {"before": ids[0]}} for task_id in ids[1:]
    ]
    response = await ana.post("/batch", operations)
    assert response.status_code == 200, response.text
    listed = await ana.all("/tasks", sort="position", limit=200)
    assert [task["id"] for task in listed] == [*ids[1:], ids[0]]
    assert max(len(task["position"]) for task in listed) <= 60


async def test_moves_see_what_was_made_in_between(ana: Person) -> None:
    made = [
        {"op": "create", "type": "task", "ref": f"t{number}", "data": {"title": str(number)}}
        for number in range(12)
    ]
    operations: list[dict[str, Any]] = [made[0]]
    for number, one in enumerate(made[1:], 1):
        operations += [one, {"op": "move", "type": "task", "id": f"$t{number}", "data": {"before": "$t0"}}]
        operations += [{"op": "move", "type": "task", "id": "$t0", "data": {"after": f"$t{number}"}}]
    nested = [
        {"op": "move", "type": "task", "id": "$t1", "data": {"parent_id": "$t0"}},
        {"op": "move", "type": "task", "id": "$t2", "data": {"parent_id": "$t1"}},
        {"op": "create", "type": "task", "data": {"title": "below", "parent_id": "$t2"}},
    ]
    response = await ana.post("/batch", [*operations, *nested])
    assert response.status_code == 200, response.text
    top = [task for task in await ana.all("/tasks", sort="position") if task["parent_id"] is None]
    assert [task["title"] for task in top] == [*map(str, range(3, 12)), "0"]
    cycle = [*operations, *nested, {"op": "move", "type": "task", "id": "$t0", "data": {"parent_id": "$t2"}}]
    refused = await ana.post("/batch", cycle)
    assert refused.json()["errors"][0]["pointer"] == f"/{len(cycle) - 1}/data/parent_id"
    deletion = {"op": "delete", "type": "task", "id": "$t0"}
    before = len(await ana.all("/tasks"))
    response = await ana.post("/batch", [*operations, *nested, deletion])
    assert response.status_code == 200, response.text
    assert len(await ana.all("/tasks")) == before + 9
