"""The journal is the whole truth: what it tells, told again from the start, is what the tables hold."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from tests.people import Person
from tests.support.journals import changes_of
from tests.support.sharing import share

from dutiful.access import workspace_of
from dutiful.database.session import Database
from dutiful.models import Change, Label, Member, Project, Role, Section, Task, Workspace

THINGS: tuple[Any, ...] = (Workspace, Member, Project, Section, Label, Task)
TOLD_TO_ONE_PERSON = {"workspace.joined", "workspace.left"}

State = dict[tuple[str, int], tuple[int, dict[str, Any]]]


async def state_of_tables(database: Database, workspace_id: int) -> State:
    state: State = {}
    async with database.read() as session:
        for thing in THINGS:
            for row in await session.scalars(select(thing).where(workspace_of(thing) == workspace_id)):
                state[row.entity, row.entity_id] = (row.version, row.state())
    return state


def replay(changes: list[Change]) -> State:
    state: State = {}
    for change in changes:
        if change.verb in TOLD_TO_ONE_PERSON:
            continue
        key = (change.entity, change.entity_id)
        if change.before is None:
            assert key not in state, f"{change.id} makes what is there"
            state[key] = (change.version, change.after or {})
            continue
        version, fields = state.pop(key)
        # Each change knows what it found, so that any of them can be taken back.
        assert {name: fields[name] for name in change.before} == change.before, change.id
        if change.after is not None:
            assert change.version == version + 1, change.id
            assert change.after.keys() == change.before.keys()
            state[key] = (change.version, {**fields, **change.after})
    return state


class Busybody:
    """Does things at random, as a client with an old and partly wrong picture of the world would."""

    def __init__(
        self, person: Person, workspace_id: int, dice: random.Random, known: dict[str, list[int]]
    ) -> None:
        self.person, self.workspace_id, self.dice, self.known = person, workspace_id, dice, known
        self.statuses: list[int] = []

    async def do(self, times: int) -> None:
        acts: list[tuple[int, Callable[[], Any]]] = [
            (6, self.create),
            (6, self.edit),
            (5, self.move),
            (3, self.delete),
            (4, self.restore),
            (2, self.batch),
            (1, self.make_many),
        ]
        for _ in range(times):
            (act,) = self.dice.choices([act for _, act in acts], [weight for weight, _ in acts])
            await act()

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"If-Match": f'"{self.dice.randint(1, 4)}"'} if self.dice.random() < 0.1 else {}
        response = await self.person.request(method, path, json=body, headers=headers)
        assert response.status_code < 500, response.text
        self.statuses.append(response.status_code)
        return response.json() if response.is_success and response.content else {}

    def pick(self, kind: str) -> int:
        return self.dice.choice(self.known[kind] or [2**62])

    def kind(self) -> str:
        return self.dice.choices(["tasks", "projects", "sections", "labels"], [6, 1, 2, 1])[0]

    def word(self) -> str:
        return self.dice.choice(["Äpfel", "bread", "milk", "passport", "日本", "🎉"]) + str(
            self.dice.randint(1, 9)
        )

    def place(self) -> dict[str, Any]:
        return self.dice.choice(
            [
                {},
                {"project_id": self.pick("projects")},
                {"section_id": self.pick("sections")},
                {"parent_id": self.pick("tasks")},
            ]
        )

    def some_fields(self) -> dict[str, Any]:
        dice = self.dice
        every = {
            "title": self.word(),
            "description": self.word(),
            "priority": dice.choice(["none", "high", "urgent"]),
            "status": dice.choice(["open", "done", "cancelled"]),
            "due": dice.choice([None, {"date": "2026-12-01", "time": "10:00", "timezone": "Europe/Berlin"}]),
            "labels_add": [dice.choice([self.word(), self.pick("labels")])],
            "assignee_id": dice.choice([None, self.person.user_id]),
        }
        return {name: every[name] for name in dice.sample(sorted(every), dice.randint(1, 3))}

    async def create(self) -> None:
        kind = self.kind()
        body: dict[str, Any] = {"name": self.word()}
        if kind == "tasks":
            body = self.some_fields() | {"title": self.word()} | self.place()
        if kind == "sections":
            body["project_id"] = self.pick("projects")
        elif not body.keys() & {"project_id", "section_id", "parent_id"}:
            body["workspace_id"] = self.workspace_id
        made = await self.send("POST", f"/{kind}", body)
        if made:
            self.known[kind].append(made["id"])

    async def edit(self) -> None:
        kind = self.kind()
        body = (
            self.some_fields() | self.dice.choice([{}, self.place()])
            if kind == "tasks"
            else {"name": self.word()}
        )
        await self.send(self.dice.choice(["PATCH", "PUT"]), f"/{kind}/{self.pick(kind)}", body)

    async def move(self) -> None:
        kind = self.dice.choice(["tasks", "tasks", "projects", "sections"])
        body = {self.dice.choice(["after", "before"]): self.pick(kind)}
        if kind == "tasks" and self.dice.random() < 0.6:
            body = self.place()
        await self.send("POST", f"/{kind}/{self.pick(kind)}/move", body)

    async def delete(self) -> None:
        kind = self.kind()
        await self.send("DELETE", f"/{kind}/{self.pick(kind)}")

    async def restore(self) -> None:
        kind = self.kind()
        await self.send("POST", f"/{kind}/{self.pick(kind)}/restore")

    async def batch(self) -> None:
        operations: list[dict[str, Any]] = [
            {
                "op": "create",
                "type": "task",
                "ref": "a",
                "data": {"title": self.word(), "workspace_id": self.workspace_id},
            },
            {"op": "create", "type": "task", "ref": "b", "data": {"title": self.word(), "parent_id": "$a"}},
            {"op": "update", "type": "task", "id": "$b", "data": self.some_fields()},
            {"op": "move", "type": "task", "id": "$b", "data": {"parent_id": None}},
            {"op": self.dice.choice(["update", "delete"]), "type": "task", "id": self.pick("tasks")},
        ]
        done = await self.send("POST", "/batch", operations)
        self.known["tasks"] += [item["id"] for item in done.get("items", [])[:2]]

    async def make_many(self) -> None:
        items = [
            {"title": self.word(), "workspace_id": self.workspace_id, "labels_add": [self.word()]}
            for _ in range(5)
        ]
        made = await self.send("POST", "/tasks/batch", items)
        self.known["tasks"] += [task["id"] for task in made.get("items", [])]


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_journal_told_again_gives_the_tables(
    ana: Person, bob: Person, database: Database, seed: int
) -> None:
    shared = await share(database, ana, bob=(bob, Role.EDITOR))
    known: dict[str, list[int]] = {"tasks": [], "projects": [shared.inbox_id], "sections": [], "labels": []}
    busy = [
        Busybody(person, shared.id, random.Random(f"{seed} {name}"), known)  # noqa: S311 - no secret
        for name, person in (("ana", ana), ("bob", bob))
    ]
    await asyncio.gather(*(one.do(90) for one in busy))
    statuses = [status for one in busy for status in one.statuses]
    # Enough came through, and enough was refused, for this to mean something.
    assert sum(status < 300 for status in statuses) > 60, statuses
    assert sum(status >= 400 for status in statuses) > 20, statuses
    for workspace_id in (shared.id, ana.workspace_id, bob.workspace_id):
        changes = list(await changes_of(database, workspace_id))
        assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
        assert replay(changes) == await state_of_tables(database, workspace_id)
