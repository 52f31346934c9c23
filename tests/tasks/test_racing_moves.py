"""Twenty people put things in order at once: nothing is lost, nothing is there twice, no two have one key."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select
from tests.support.journals import changes_of, tasks_of
from tests.support.people import Person
from tests.support.replaying import replay, state_of_tables
from tests.support.sharing import make_shared

from dutiful.database.session import Database
from dutiful.models import Project, Section, Task

CLIENTS = 20
MOVES = 4

# What somebody is told whose picture of the list is older than the list; anything else is a fault.
EXPECTED = {200, 201, 204, 404, 409, 412, 422}


class Mover:
    """Moves tasks at random, and makes, deletes and restores some, with whatever ids it knows."""

    def __init__(self, person: Person, board: "Board", dice: random.Random) -> None:
        self.person, self.board, self.dice = person, board, dice
        self.statuses: Counter[int] = Counter()

    async def go(self, times: int) -> None:
        acts: list[tuple[int, Callable[[], Any]]] = [
            (10, self.move),
            (1, self.make),
            (1, self.delete),
            (2, self.restore),
        ]
        for _ in range(times):
            (act,) = self.dice.choices([act for _, act in acts], [weight for weight, _ in acts])
            await act()

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        response = await self.person.request(method, path, json=body)
        assert response.status_code in EXPECTED, response.text
        self.statuses[response.status_code] += 1
        return response.json() if response.content else {}

    def pick(self) -> int:
        return self.dice.choice(self.board.tasks)

    async def move(self) -> None:
        target: dict[str, Any] = self.dice.choice(
            [
                {self.dice.choice(["after", "before"]): self.pick()},
                # One place that all of them want.
                {"before": self.board.tasks[0]},
                {"after": self.board.tasks[0]},
                {"section_id": self.dice.choice([*self.board.sections, None])},
                {"parent_id": self.dice.choice([self.pick(), None])},
            ]
        )
        await self.send("POST", f"/tasks/{self.pick()}/move", target)

    async def make(self) -> None:
        made = await self.send(
            "POST",
            "/tasks",
            {"title": "new", "project_id": self.board.project}
            | self.dice.choice([{}, {"section_id": self.dice.choice(self.board.sections)}]),
        )
        self.board.tasks.append(made["id"])

    async def delete(self) -> None:
        await self.send("DELETE", f"/tasks/{self.pick()}")

    async def restore(self) -> None:
        await self.send("POST", f"/tasks/{self.pick()}/restore")


class Board:
    """A project with sections, tasks and subtasks in a workspace of its own."""

    def __init__(self, workspace: int, project: int, sections: list[int], tasks: list[int]) -> None:
        self.workspace, self.project, self.sections, self.tasks = workspace, project, sections, tasks

    @classmethod
    async def make(cls, person: Person, size: int) -> "Board":
        shared = await make_shared(person)
        project = (await person.make("/projects", name="Board", workspace_id=shared.id))["id"]
        sections = [
            (await person.make("/sections", name=name, project_id=project))["id"]
            for name in ("To do", "Doing")
        ]
        places: list[dict[str, int]] = [
            {"project_id": project},
            *({"section_id": section} for section in sections),
        ]
        items = [{"title": f"{number}", **places[number % 3]} for number in range(size)]
        tops = (await person.post("/tasks/batch", items)).json()["items"]
        items = [{"title": "below", "parent_id": top["id"]} for top in tops[: size // 2]]
        below = (await person.post("/tasks/batch", items)).json()["items"]
        return cls(shared.id, project, sections, [task["id"] for task in [*tops, *below]])


async def check_board(person: Person, database: Database, board: Board) -> Sequence[Task]:
    tasks = await tasks_of(database, board.workspace)
    # Every task exactly once, and none that nobody made.
    assert sorted(task.id for task in tasks) == sorted(board.tasks)
    keys = Counter((task.project_id, task.section_id, task.parent_id, task.position) for task in tasks)
    assert max(keys.values()) == 1
    check_families(tasks)
    await check_pages(person, board, tasks)
    changes = list(await changes_of(database, board.workspace))
    assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
    assert replay(changes) == await state_of_tables(database, board.workspace)
    return tasks


def check_families(tasks: Sequence[Task]) -> None:
    """Whoever is below another is where that is, and no one is below oneself."""
    by_id = {task.id: task for task in tasks}
    for task in tasks:
        seen, one = {task.id}, task
        while one.parent_id is not None:
            parent = by_id[one.parent_id]
            assert (parent.project_id, parent.section_id) == (one.project_id, one.section_id)
            assert parent.id not in seen
            seen.add(parent.id)
            one = parent
        assert len(seen) <= 6


async def check_pages(person: Person, board: Board, tasks: Sequence[Task]) -> None:
    living = [task for task in tasks if task.deleted_at is None]
    paged = await person.all("/tasks", project_id=board.project, sort="position", limit=7)
    assert [task["id"] for task in paged] == [
        task.id for task in sorted(living, key=lambda task: (task.position.encode(), task.id))
    ]


async def test_twenty_clients_move_tasks_at_once(ana: Person, database: Database) -> None:
    board = await Board.make(ana, 24)
    movers = [Mover(ana, board, random.Random(number)) for number in range(CLIENTS)]  # noqa: S311 - no secret
    await asyncio.gather(*(mover.go(MOVES) for mover in movers))
    statuses = sum((mover.statuses for mover in movers), Counter[int]())
    # Enough came through for this to mean something.
    assert statuses[200] > CLIENTS * MOVES / 3, statuses
    await check_board(ana, database, board)


async def test_twenty_clients_that_all_want_one_place_all_get_near_it(
    ana: Person, database: Database
) -> None:
    board = await Board.make(ana, 24)
    anchor, *others = board.tasks[:24]
    moves = [ana.post(f"/tasks/{one}/move", {"after": anchor}) for one in others[:CLIENTS]]
    assert [response.status_code for response in await asyncio.gather(*moves)] == [200] * CLIENTS
    tasks = await ana.all("/tasks", project_id=board.project, sort="position")
    beside = [
        task["id"]
        for task in tasks
        if (task["section_id"], task["parent_id"]) == (None, None) and task["id"] in board.tasks[:24]
    ]
    where = beside.index(anchor)
    assert set(beside[where + 1 : where + 1 + CLIENTS]) == set(others[:CLIENTS])
    await check_board(ana, database, board)


@pytest.mark.parametrize("kind", ["project", "section"])
async def test_twenty_clients_move_projects_or_sections_at_once(
    ana: Person, database: Database, kind: str
) -> None:
    shared = await make_shared(ana)
    where = {"workspace_id": shared.id} if kind == "project" else {"project_id": shared.inbox_id}
    path = f"/{kind}s"
    known = [(await ana.make(path, name=f"{number}", **where))["id"] for number in range(12)]

    async def go(dice: random.Random) -> None:
        for _ in range(MOVES):
            one, anchor = dice.choice(known), dice.choice([known[0], dice.choice(known)])
            calls = [
                (f"{path}/{one}/move", {dice.choice(["after", "before"]): anchor}),
                (f"{path}/{one}/restore", None),
                (path, {"name": f"{dice.random()}", **where}),
            ]
            target, body = dice.choices(calls, [8, 2, 1])[0]
            response = await (ana.delete(f"{path}/{one}") if dice.random() < 0.1 else ana.post(target, body))
            assert response.status_code in EXPECTED, response.text
            if response.status_code == 201:
                known.append(response.json()["id"])

    await asyncio.gather(*(go(random.Random(f"{kind} {number}")) for number in range(CLIENTS)))  # noqa: S311 - no secret
    thing: Any = Project if kind == "project" else Section
    async with database.read() as session:
        rows = (await session.scalars(select(thing).where(thing.workspace_id == shared.id))).all()
    inbox = {shared.inbox_id} if kind == "project" else set()
    assert sorted({row.id for row in rows} - inbox) == sorted(known)
    assert max(Counter(row.position for row in rows).values()) == 1
    living = sorted((row.position.encode(), row.id) for row in rows if row.deleted_at is None)
    listed = await ana.all(path, sort="position", limit=5, workspace_id=shared.id)
    assert [one["id"] for one in listed] == [row_id for _, row_id in living]
    assert replay(list(await changes_of(database, shared.id))) == await state_of_tables(database, shared.id)
