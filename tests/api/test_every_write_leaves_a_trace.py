"""No write without a line in a journal: of its workspace, or of the account."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from sqlalchemy import func, select
from tests.support.journals import count_account_events
from tests.support.people import Person
from tests.support.routes import routes_of
from tests.support.sharing import invite, share
from tests.support.traces import TRACES

from dutiful.database.session import Database
from dutiful.models import Change


@dataclass(frozen=True)
class Scene:
    """Somebody with a shared workspace in which there is one of everything, fresh for each call."""

    ana: Person
    bob: Person

    async def workspace(self) -> int:
        return await self._made("/workspaces", name="Club")

    async def member(self) -> str:
        workspace_id = await share(self.ana, self.bob, role="viewer")
        return f"/workspaces/{workspace_id}/members/{self.bob.user_id}"

    async def project(self) -> int:
        return await self._made("/projects", name="Papers", workspace_id=await self.workspace())

    async def section(self) -> int:
        return await self._made("/sections", name="Urgent", project_id=await self.project())

    async def label(self) -> int:
        return await self._made("/labels", name="home", workspace_id=await self.workspace())

    async def task(self) -> int:
        return await self._made("/tasks", title="x", workspace_id=await self.workspace())

    async def token(self) -> int:
        return await self._made("/tokens", name="cli")

    async def _made(self, path: str, **fields: Any) -> int:
        thing_id: int = (await self.ana.make(path, **fields))["id"]
        return thing_id

    async def second(self, path: str, first: int, **fields: Any) -> int:
        """Another one beside the first, to be moved around."""
        thing = (await self.ana.get(f"{path}/{first}")).json()
        where = "project_id" if path == "/sections" else "workspace_id"
        return await self._made(path, **fields, **{where: thing[where]})

    async def trashed(self, path: str, thing_id: int) -> int:
        assert (await self.ana.delete(f"{path}/{thing_id}")).status_code == 204
        return thing_id


Request = tuple[str, Any]
Example = Callable[[Scene], Awaitable[Request]]
EXAMPLES: dict[str, Example] = {}
# POSTs for the sake of their bodies, and why. They write nothing.
READS: dict[str, str] = {
    "POST /invitations/look": "a secret in the path or the query would be kept in logs",
    "POST /recurrence/preview": "a rule is a part of a task, and asked as it will be sent",
}


def example(name: str) -> Callable[[Example], Example]:
    def note(make: Example) -> Example:
        EXAMPLES[name] = make
        return make

    return note


def _things(path: str, name: str, make: Callable[[Scene], Awaitable[int]], field: str) -> None:
    """The verbs that projects, sections, labels and tasks share."""

    async def patched(scene: Scene) -> Request:
        return f"{path}/{await make(scene)}", {field: "another"}

    async def deleted(scene: Scene) -> Request:
        return f"{path}/{await make(scene)}", None

    async def restored(scene: Scene) -> Request:
        return f"{path}/{await scene.trashed(path, await make(scene))}/restore", None

    async def moved(scene: Scene) -> Request:
        first = await make(scene)
        second = await scene.second(path, first, **{field: "second"})
        return f"{path}/{first}/move", {"after": second}

    one = f"{path}/{{{name}_id}}"
    EXAMPLES[f"PATCH {one}"] = EXAMPLES[f"PUT {one}"] = patched
    EXAMPLES[f"DELETE {one}"] = deleted
    EXAMPLES[f"POST {one}/restore"] = restored
    if name != "label":
        EXAMPLES[f"POST {one}/move"] = moved


_things("/tasks", "task", Scene.task, "title")
_things("/projects", "project", Scene.project, "name")
_things("/sections", "section", Scene.section, "name")
_things("/labels", "label", Scene.label, "name")


@example("POST /tasks")
async def _(scene: Scene) -> Request:
    return "/tasks", {"title": "x"}


@example("POST /tasks/{task_id}/skip")
async def _(scene: Scene) -> Request:
    task = await scene.ana.make("/tasks", title="x", recurrence={"rrule": "FREQ=DAILY"})
    return f"/tasks/{task['id']}/skip", None


@example("POST /tasks/quick")
async def _(scene: Scene) -> Request:
    return "/tasks/quick", {"text": "x tomorrow"}


@example("POST /tasks/batch")
async def _(scene: Scene) -> Request:
    return "/tasks/batch", [{"title": "x"}]


@example("POST /batch")
async def _(scene: Scene) -> Request:
    return "/batch", [{"op": "create", "type": "task", "data": {"title": "x"}}]


@example("POST /imports/{format}")
async def _(scene: Scene) -> Request:
    return "/imports/taskwarrior", [{"uuid": "1", "description": "x", "status": "pending"}]


@example("POST /changes/{change_id}/undo")
async def _(scene: Scene) -> Request:
    await scene.task()
    latest = (await scene.ana.get("/changes/latest", params={"limit": 1})).json()["items"]
    return f"/changes/{latest[0]['change_id']}/undo", None


@example("POST /projects")
async def _(scene: Scene) -> Request:
    return "/projects", {"name": "Another"}


@example("POST /sections")
async def _(scene: Scene) -> Request:
    return "/sections", {"name": "Another", "project_id": scene.ana.inbox_id}


@example("POST /labels")
async def _(scene: Scene) -> Request:
    return "/labels", {"name": "another"}


@example("POST /workspaces")
async def _(scene: Scene) -> Request:
    return "/workspaces", {"name": "Another"}


@example("PATCH /workspaces/{workspace_id}")
@example("PUT /workspaces/{workspace_id}")
async def _(scene: Scene) -> Request:
    return f"/workspaces/{await scene.workspace()}", {"name": "Another"}


@example("DELETE /workspaces/{workspace_id}")
async def _(scene: Scene) -> Request:
    return f"/workspaces/{await scene.workspace()}", None


@example("POST /workspaces/{workspace_id}/members")
async def _(scene: Scene) -> Request:
    await share(scene.ana, scene.bob)
    return f"/workspaces/{await scene.workspace()}/members", {"email": scene.bob.email}


@example("PATCH /workspaces/{workspace_id}/members/{user_id}")
@example("PUT /workspaces/{workspace_id}/members/{user_id}")
async def _(scene: Scene) -> Request:
    return await scene.member(), {"role": "editor"}


@example("DELETE /workspaces/{workspace_id}/members/{user_id}")
async def _(scene: Scene) -> Request:
    return await scene.member(), None


@example("POST /workspaces/{workspace_id}/restore")
async def _(scene: Scene) -> Request:
    workspace_id = await scene.trashed("/workspaces", await scene.workspace())
    return f"/workspaces/{workspace_id}/restore", None


@example("POST /workspaces/{workspace_id}/transfer")
async def _(scene: Scene) -> Request:
    workspace_id = await share(scene.ana, scene.bob)
    return f"/workspaces/{workspace_id}/transfer", {"user_id": scene.bob.user_id}


@example("POST /workspaces/{workspace_id}/invitations")
async def _(scene: Scene) -> Request:
    return f"/workspaces/{await scene.workspace()}/invitations", {}


@example("DELETE /workspaces/{workspace_id}/invitations/{invitation_id}")
async def _(scene: Scene) -> Request:
    path = f"/workspaces/{await scene.workspace()}/invitations"
    return f"{path}/{(await scene.ana.make(path))['id']}", None


@example("POST /invitations/accept")
async def _(scene: Scene) -> Request:
    return "/invitations/accept", {"token": await invite(scene.bob, await share(scene.bob))}


@example("PATCH /users/me")
@example("PUT /users/me")
async def _(scene: Scene) -> Request:
    me = (await scene.ana.get("/users/me")).json()
    return "/users/me", {"name": me["name"] + "!"}


@example("POST /tokens")
async def _(scene: Scene) -> Request:
    return "/tokens", {"name": "another"}


@example("DELETE /tokens/{token_id}")
async def _(scene: Scene) -> Request:
    return f"/tokens/{await scene.token()}", None


async def count_changes(database: Database, request_id: str) -> int:
    statement = select(func.count()).select_from(Change).where(Change.request_id == request_id)
    async with database.read() as session:
        return (await session.scalars(statement)).one()


async def test_every_write_leaves_a_change_or_an_account_event(
    app: FastAPI, database: Database, ana: Person, bob: Person
) -> None:
    """A new route fails here until it has an example above."""
    scene = Scene(ana, bob)
    silent: list[str] = []
    writes = [route for route in routes_of(app) if route.is_write and route.name not in {*READS, *TRACES}]
    assert writes
    assert {route.name for route in writes} - EXAMPLES.keys() == set(), "these have no example here"
    for route in writes:
        path, body = await EXAMPLES[route.name](scene)
        events = await count_account_events(database, ana.user_id)
        response = await ana.request(route.method, path, json=body)
        assert response.is_success, f"{route.name}: {response.text}"
        changes = await count_changes(database, response.headers["x-request-id"])
        if changes:
            assert response.headers["dutiful-cursor"], route.name
        elif await count_account_events(database, ana.user_id) == events:
            silent.append(route.name)
    assert silent == []


def test_no_example_is_of_a_route_that_is_gone(app: FastAPI) -> None:
    assert (EXAMPLES.keys() | READS.keys() | TRACES.keys()) - {
        route.name for route in routes_of(app)
    } == set()
