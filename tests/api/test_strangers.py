"""Who may not, cannot: every route of tasks, batches and imports, from everybody it is not for."""

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update
from tests.conftest import MakePerson
from tests.support.journals import changes_of, tasks_of
from tests.support.people import Person
from tests.support.problems import pointers, problem
from tests.support.routes import routes_of
from tests.support.sharing import Shared, make_shared, remove_member

from dutiful.database.session import Database, Writer
from dutiful.models import User

EXPORT = [{"uuid": "stranger-1", "description": "x", "status": "pending", "entry": "20261122T100000Z"}]


@dataclass(frozen=True)
class Call:
    """A request that works for those it is for. `strangers` is what others are told; `pointer` where, if 422."""

    method: str
    path: str
    body: Any = None
    strangers: int = 404
    pointer: str | None = None

    async def by(self, client: httpx.AsyncClient, token: str | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        content = None if self.body is None else json.dumps(self.body)
        headers |= {"Content-Type": "application/json"} if content else {}
        return await client.request(self.method, "/api/v1" + self.path, content=content, headers=headers)


@dataclass(frozen=True)
class Victim:
    """What Ana has: a workspace with a project, a section, a label and tasks."""

    person: Person
    shared: Shared
    project_id: int
    section_id: int
    label_id: int
    task_id: int
    trashed_id: int

    async def everything(self, database: Database) -> tuple[Any, ...]:
        tasks = await tasks_of(database, self.shared.id)
        changes = await changes_of(database, self.shared.id)
        return [(task.id, task.version, task.state()) for task in tasks], [change.id for change in changes]

    def writes(self) -> dict[str, list[Call]]:
        """By route: every way to write into the victim's workspace."""
        task = f"/tasks/{self.task_id}"
        named = {
            "workspace_id": self.shared.id,
            "project_id": self.project_id,
            "section_id": self.section_id,
            "parent_id": self.task_id,
        }
        return {
            "POST /tasks": [
                Call("POST", "/tasks", {"title": "x", field: value}, 422, f"/{field}")
                for field, value in named.items()
            ],
            "POST /tasks/batch": [
                Call("POST", "/tasks/batch", [{"title": "x", field: value}], 422, f"/0/{field}")
                for field, value in named.items()
            ],
            "POST /tasks/quick": [
                Call(
                    "POST",
                    "/tasks/quick",
                    {"text": "x", "workspace_id": self.shared.id},
                    422,
                    "/workspace_id",
                ),
            ],
            "PATCH /tasks/{task_id}": [Call("PATCH", task, {"title": "mine"}), Call("PATCH", task, {})],
            "PUT /tasks/{task_id}": [Call("PUT", task, {"title": "mine"}), Call("PUT", task, {})],
            "POST /tasks/{task_id}/move": [Call("POST", f"{task}/move", {"project_id": self.project_id})],
            "POST /tasks/{task_id}/skip": [Call("POST", f"{task}/skip")],
            "POST /tasks/{task_id}/restore": [Call("POST", f"/tasks/{self.trashed_id}/restore")],
            "DELETE /tasks/{task_id}": [Call("DELETE", task)],
            "POST /batch": [
                *(self._operation(op, kind, thing) for op, kind, thing in self._targets()),
                *(
                    Call(
                        "POST",
                        "/batch",
                        [{"op": "create", "type": kind, "data": data | {field: named[field]}}],
                        422,
                        f"/0/data/{field}",
                    )
                    for kind, data, fields in (
                        ("task", {"title": "x"}, named),
                        ("project", {"name": "x"}, ["workspace_id"]),
                        ("section", {"name": "x"}, ["project_id"]),
                        ("label", {"name": "x"}, ["workspace_id"]),
                    )
                    for field in fields
                ),
            ],
            "POST /imports/{format}": [
                Call("POST", f"/imports/taskwarrior?workspace_id={self.shared.id}{dry_run}", EXPORT)
                for dry_run in ("", "&dry_run=true")
            ],
        }

    def _targets(self) -> list[tuple[str, str, int]]:
        things = {
            "task": self.task_id,
            "project": self.project_id,
            "section": self.section_id,
            "label": self.label_id,
        }
        return [
            *((op, kind, thing) for kind, thing in things.items() for op in ("update", "delete")),
            ("move", "task", self.task_id),
        ]

    @staticmethod
    def _operation(op: str, kind: str, thing: int) -> Call:
        return Call("POST", "/batch", [{"op": op, "type": kind, "id": thing, "data": {}}], 404, "/0")

    def reads(self) -> list[Call]:
        return [
            Call("GET", f"/tasks/{self.task_id}"),
            Call("GET", f"/tasks/{self.trashed_id}"),
        ]

    def narrowed_lists(self) -> list[str]:
        return [
            "/tasks",
            f"/tasks?workspace_id={self.shared.id}",
            f"/tasks?project_id={self.project_id}",
            f"/tasks?section_id={self.section_id}",
            f"/tasks?parent_id={self.task_id}",
            f"/tasks?label={self.label_id}",
            "/tasks?label=secret",
            "/tasks?q=secret",
            f"/tasks?q=secret&workspace_id={self.shared.id}",
            "/tasks?q=-nothing",
            f"/trash?workspace_id={self.shared.id}",
            f"/tasks?assignee_id={self.person.user_id}",
            "/tasks?filter=secret",
            "/tasks?filter=title ~ secret",
            f"/tasks?filter=parent={self.task_id}",
            "/tasks?filter=not nothing",
        ]

    def lists_by_name(self) -> list[str]:
        """Of these it is told that there is nothing of that name."""
        names = {
            "project": ("secret", self.project_id),
            "label": ("secret", self.label_id),
            "workspace": ("Flat", self.shared.id),
            "assignee": (self.person.email, self.person.user_id),
        }
        return [f"/tasks?filter={field}={name}" for field, both in names.items() for name in both]


@pytest.fixture
async def viewer(new_person: MakePerson) -> Person:
    return await new_person("Vera")


@pytest.fixture
async def victim(ana: Person, viewer: Person, database: Database) -> Victim:
    shared = await make_shared(ana, viewer, role="viewer")
    project = await ana.make("/projects", name="secret", workspace_id=shared.id)
    section = await ana.make("/sections", name="secret", project_id=project["id"])
    label = await ana.make("/labels", name="secret", workspace_id=shared.id)
    task = await ana.make(
        "/tasks",
        title="secret",
        section_id=section["id"],
        label_ids=[label["id"]],
        assignee_id=ana.user_id,
        # So that there is something to skip.
        recurrence={"rrule": "FREQ=DAILY"},
    )
    trashed = await ana.make("/tasks", title="secret", project_id=project["id"])
    assert (await ana.delete(f"/tasks/{trashed['id']}")).status_code == 204
    return Victim(ana, shared, project["id"], section["id"], label["id"], task["id"], trashed["id"])


async def refuse_everything(
    victim: Victim, database: Database, client: httpx.AsyncClient, token: str | None, status: int | None
) -> None:
    """`status` None: each call's own for strangers."""
    before = await victim.everything(database)
    for calls in victim.writes().values():
        for call in calls:
            response = await call.by(client, token)
            wanted = status or call.strangers
            if status is None and call.pointer is not None:
                assert pointers(response, wanted) == [call.pointer], call
            else:
                problem(response, wanted)
            assert "secret" not in response.text, call
    assert await victim.everything(database) == before


async def test_the_table_knows_every_route(app: FastAPI, victim: Victim) -> None:
    mine = ("/api/v1/tasks", "/api/v1/batch", "/api/v1/imports")
    routes = {route.name for route in routes_of(app) if route.is_write and route.path.startswith(mine)}
    assert routes == victim.writes().keys()


async def test_each_of_these_calls_works_for_whom_it_is_for(victim: Victim) -> None:
    """Or the refusals below would prove nothing. What deletes comes last."""
    calls = [call for calls in victim.writes().values() for call in calls]
    calls.sort(key=lambda call: call.method == "DELETE" or "delete" in json.dumps(call.body))
    for call in calls:
        response = await call.by(victim.person.client, victim.person.token)
        # A thing that an earlier call took to the trash with it is 404 for its owner as well.
        assert response.is_success or "delete" in json.dumps(call.body) or call.method == "DELETE", (
            response.text
        )


async def test_somebody_else_sees_nothing_and_changes_nothing(
    victim: Victim, bob: Person, database: Database
) -> None:
    await refuse_everything(victim, database, bob.client, bob.token, None)
    for call in victim.reads():
        problem(await call.by(bob.client, bob.token), 404)
    for path in victim.narrowed_lists():
        assert (await bob.get(path)).json()["items"] == []
    for path in victim.lists_by_name():
        assert pointers(await bob.get(path)) == ["/filter"]


async def test_nobody_at_all_sees_nothing_and_changes_nothing(
    victim: Victim, bob: Person, database: Database
) -> None:
    for token in (None, "dtf_" + "x" * 43, bob.token[:-1]):
        await refuse_everything(victim, database, bob.client, token, 401)
        for call in victim.reads():
            problem(await call.by(bob.client, token), 401)
    for path in victim.narrowed_lists() + victim.lists_by_name():
        problem(await bob.client.get("/api/v1" + path), 401)


async def test_a_viewer_reads_and_changes_nothing(victim: Victim, viewer: Person, database: Database) -> None:
    await refuse_everything(victim, database, viewer.client, viewer.token, 403)
    assert (await viewer.get(f"/tasks/{victim.task_id}")).json()["title"] == "secret"
    for path in victim.narrowed_lists() + victim.lists_by_name():
        assert len((await viewer.get(path)).json()["items"]) == (0 if "parent" in path else 1)


async def test_a_read_only_token_changes_nothing_not_even_its_owners(
    victim: Victim, database: Database
) -> None:
    secret = (await victim.person.make("/tokens", name="read", scopes=["read"]))["token"]
    await refuse_everything(victim, database, victim.person.client, secret, 403)
    assert (await victim.person.with_token(secret).get(f"/tasks/{victim.task_id}")).status_code == 200


async def test_who_was_removed_is_a_stranger_at_once(
    victim: Victim, viewer: Person, database: Database
) -> None:
    await remove_member(victim.person, victim.shared.id, viewer)
    await refuse_everything(victim, database, viewer.client, viewer.token, None)
    for call in victim.reads():
        problem(await call.by(viewer.client, viewer.token), 404)
    for path in victim.narrowed_lists():
        assert (await viewer.get(path)).json()["items"] == []


async def test_a_revoked_token_is_nobody_at_once(victim: Victim, database: Database) -> None:
    ana = victim.person
    made = await ana.make("/tokens", name="lost", scopes=["read", "write"])
    lost = ana.with_token(made["token"])
    assert (await lost.get("/tasks")).status_code == 200
    assert (await ana.delete(f"/tokens/{made['id']}")).status_code == 204
    await refuse_everything(victim, database, ana.client, made["token"], 401)
    problem(await lost.get("/tasks"), 401)


async def test_who_is_disabled_is_nobody_at_once(victim: Victim, database: Database) -> None:
    async def disable(session: Writer) -> None:
        now = victim.person
        await session.execute(update(User).where(User.id == now.user_id).values(disabled_at=User.created_at))

    await database.write(disable)
    await refuse_everything(victim, database, victim.person.client, victim.person.token, 401)
    problem(await victim.person.get(f"/tasks/{victim.task_id}"), 401)


async def test_a_workspace_in_the_trash_is_closed_to_its_members(victim: Victim, database: Database) -> None:
    assert (await victim.person.delete(f"/workspaces/{victim.shared.id}")).status_code == 204
    await refuse_everything(victim, database, victim.person.client, victim.person.token, None)
    for path in victim.narrowed_lists():
        assert (await victim.person.get(path)).json()["items"] == []


async def test_a_parent_of_ones_own_opens_no_child_of_others(
    victim: Victim, bob: Person, database: Database
) -> None:
    """The known hole of others: the parent checked, the child loaded by its bare id."""
    mine = await bob.make("/tasks", title="mine")
    before = await victim.everything(database)
    for field, pointer in (
        ({"parent_id": victim.task_id}, "/parent_id"),
        ({"project_id": bob.inbox_id, "section_id": victim.section_id}, "/section_id"),
        ({"project_id": bob.inbox_id, "parent_id": victim.task_id}, "/parent_id"),
        ({"project_id": bob.inbox_id, "after": victim.task_id}, "/after"),
        ({"parent_id": mine["id"], "project_id": victim.project_id}, None),
    ):
        target = await bob.make("/tasks", title="target")
        refused = await bob.post(f"/tasks/{target['id']}/move", field)
        found = pointers(refused)
        assert pointer is None or found == [pointer]
        assert "secret" not in refused.text
    assert await victim.everything(database) == before
