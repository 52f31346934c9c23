"""What the right answers are, asked of PostgreSQL in the plainest SQL."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg  # type: ignore[import-untyped]
from benchmarks.dataset import DUE_BEFORE, FAMILY_NAMES, TASKS_WITH_A_NAME, WORKSPACES, Person, World

PAGE = 50
DEEPEST_PAGE = 10_000


@dataclass(frozen=True)
class Search:
    person: Person
    word: str
    ids: list[int]


@dataclass(frozen=True)
class Facts:
    world: World
    titles: dict[int, str]
    """Of some tasks of everybody."""
    owners: dict[int, Person]
    """Of the same tasks."""
    lists: dict[int, list[int]]
    """By workspace: the ids of its first page."""
    filtered: dict[int, list[int]]
    searches: list[Search]
    first_page: list[int]
    """Of the list of all tasks."""
    deep_page: list[int]
    deep_number: int
    """Which page that is: the 10,000th, or the last where there are fewer."""

    @property
    def before_deep_page(self) -> int:
        """The id of the last task on the page before."""
        return self.deep_page[0] - 1


async def ask(connection: asyncpg.Connection, world: World) -> Facts:
    deep = min(DEEPEST_PAGE, world.tasks // PAGE)
    titles, owners = await _some_tasks(connection, world)
    everything = "SELECT id FROM tasks ORDER BY id LIMIT $1 OFFSET $2"
    return Facts(
        world,
        titles,
        owners,
        await _by_workspace(connection, world, "TRUE"),
        await _by_workspace(connection, world, f"status = 'open' AND due_date < '{DUE_BEFORE}'"),
        await _searches(connection, world),
        await _ids(connection, everything, PAGE, 0),
        await _ids(connection, everything, PAGE, (deep - 1) * PAGE),
        deep,
    )


async def _some_tasks(
    connection: asyncpg.Connection, world: World, each: int = 20
) -> tuple[dict[int, str], dict[int, Person]]:
    """So many of each workspace, from its whole length."""
    step = max(1, world.tasks // WORKSPACES // each)
    rows = await connection.fetch(
        "SELECT id, title, workspace_id FROM tasks WHERE (id - 1) / $1 % $2 = 0 ORDER BY id", WORKSPACES, step
    )
    person_of = {person.workspace_id: person for person in world.people}
    titles = {row["id"]: row["title"] for row in rows}
    return titles, {row["id"]: person_of[row["workspace_id"]] for row in rows}


async def _by_workspace(connection: asyncpg.Connection, world: World, condition: str) -> dict[int, list[int]]:
    statement = f"SELECT id FROM tasks WHERE workspace_id = $1 AND {condition} ORDER BY id LIMIT {PAGE}"
    return {
        person.workspace_id: await _ids(connection, statement, person.workspace_id) for person in world.people
    }


async def _searches(connection: asyncpg.Connection, world: World, each: int = 5) -> list[Search]:
    statement = "SELECT id FROM tasks WHERE workspace_id = $1 AND title LIKE '%' || $2 ORDER BY id"
    names = FAMILY_NAMES[: world.tasks // WORKSPACES // TASKS_WITH_A_NAME]
    asked = names[:: max(1, len(names) // each)][:each]
    return [
        Search(person, name.lower(), await _ids(connection, statement, person.workspace_id, name))
        for name in asked
        for person in world.people
    ]


async def _ids(connection: asyncpg.Connection, statement: str, *arguments: object) -> list[int]:
    rows: Sequence[asyncpg.Record] = await connection.fetch(statement, *arguments)
    return [row["id"] for row in rows]
