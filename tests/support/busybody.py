"""Somebody who does much at random."""

import random
from collections.abc import Callable
from typing import Any

from tests.support.people import Person


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
