"""A list of many asks no more of PostgreSQL than a list of one."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from tests.conftest import MakePerson
from tests.support.people import Person
from tests.support.routes import Route, routes_of
from tests.support.sharing import invite, share
from tests.support.statements import count_statements

from dutiful.database.session import Database

Fill = Callable[[Person, int, MakePerson], Awaitable[Any]]

MANY = 12


async def fill_tasks(person: Person, count: int, _: MakePerson) -> None:
    items = [
        {"title": f"{number}", "labels_add": [f"{number}"], "due": {"date": "2026-12-01"}}
        for number in range(count)
    ]
    assert (await person.post("/tasks/batch", items)).status_code == 201


async def fill_projects(person: Person, count: int, _: MakePerson) -> None:
    for number in range(count):
        await person.make("/projects", name=f"{number}")


async def fill_sections(person: Person, count: int, _: MakePerson) -> None:
    for number in range(count):
        await person.make("/sections", name=f"{number}", project_id=person.inbox_id)


async def fill_labels(person: Person, count: int, _: MakePerson) -> None:
    for number in range(count):
        await person.make("/labels", name=f"{number}")


async def fill_trash(person: Person, count: int, _: MakePerson) -> None:
    for number in range(count):
        task = await person.make("/tasks", title=f"{number}")
        await person.make("/tasks", title="below", parent_id=task["id"])
        await person.delete(f"/tasks/{task['id']}")


async def fill_tokens(person: Person, count: int, _: MakePerson) -> None:
    for number in range(count):
        await person.make("/tokens", name=f"{number}")


async def fill_workspaces(person: Person, count: int, _: MakePerson) -> None:
    for number in range(count):
        await person.make("/workspaces", name=f"{number}")


async def fill_members(person: Person, count: int, new_person: MakePerson) -> int:
    return await share(person, *[await new_person(f"Member {number}") for number in range(count)])


async def fill_invitations(person: Person, count: int, _: MakePerson) -> int:
    workspace_id = await share(person)
    for _number in range(count):
        await invite(person, workspace_id)
    return workspace_id


FILLS: dict[str, Fill] = {
    "GET /tasks": fill_tasks,
    "GET /projects": fill_projects,
    "GET /sections": fill_sections,
    "GET /labels": fill_labels,
    "GET /trash": fill_trash,
    "GET /tokens": fill_tokens,
    "GET /users/me/events": fill_tokens,
    "GET /workspaces": fill_workspaces,
    "GET /workspaces/{workspace_id}/members": fill_members,
    "GET /workspaces/{workspace_id}/invitations": fill_invitations,
    "GET /workspaces/{workspace_id}/changes": fill_tasks,
    "GET /changes": fill_workspaces,
    "GET /changes/latest": fill_labels,
}
MOST_STATEMENTS = 4
# These take passwords or an administrator: tests/accounts/test_lists.py.
ELSEWHERE = {"GET /sessions", "GET /users", "GET /users/{user_id}/events"}


def is_list(route: Route) -> bool:
    return route.method == "GET" and "items" in getattr(route.route.response_model, "model_fields", {})


def test_every_list_is_filled_here(app: FastAPI) -> None:
    assert {route.name for route in routes_of(app) if is_list(route)} == FILLS.keys() | ELSEWHERE


async def test_a_list_takes_as_many_statements_for_many_as_for_one(
    database: Database, new_person: MakePerson
) -> None:
    counts: dict[str, tuple[int, ...]] = {}
    for name, fill in FILLS.items():
        found = []
        for size in (1, MANY):
            person = await new_person("Ana")
            workspace_id = await fill(person, size, new_person) or person.workspace_id
            path = name.removeprefix("GET ").format(workspace_id=workspace_id)
            with count_statements(database) as statements:
                response = await person.get(path)
            assert len(response.json()["items"]) >= size
            found.append(len(statements))
        counts[name] = tuple(found)
    assert {name: count for name, count in counts.items() if len(set(count)) > 1} == {}
    assert {name: count for name, count in counts.items() if count[0] > MOST_STATEMENTS} == {}
