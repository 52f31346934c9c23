"""The people, workspaces and tasks that every candidate works on.

A hundred people. Each has the personal workspace that everybody has, and a team workspace that holds their share of
the tasks. A manager sits in all the team workspaces, and sees all tasks in one list. People, workspaces and projects
are made by the product's own functions. Tasks and their journal are written in bulk, as the product writes them one
by one: their fields in the journal, the words for the search and the order keys come from its own code.
"""

import csv
import io
import random
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import orjson
from benchmarks.postgres import TEMPLATE, Postgres

from dutiful import positions, words
from dutiful.access import Actor
from dutiful.accounts import service as accounts
from dutiful.database import migrate
from dutiful.database.engine import create_engine
from dutiful.database.session import Database, Writer
from dutiful.models import Priority, Role, Scope, Status, Task, When
from dutiful.projects import service as projects
from dutiful.projects.schemas import ProjectCreate
from dutiful.settings import Settings
from dutiful.workspaces import service as workspaces
from dutiful.workspaces.schemas import MemberCreate

WORKSPACES = 100
TASKS_WITH_A_NAME = 10
"""In each workspace: so many tasks have the same family name in their title, however many tasks there are."""

_BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)
_FIRST_DUE = date(2027, 1, 1)
DUE_BEFORE = _FIRST_DUE + timedelta(days=85)
"""The bound of the filtered list. Due dates go on for a hundred days."""

_VERBS = [
    "Call",
    "Write",
    "Pay",
    "Book",
    "Renew",
    "Order",
    "Repair",
    "Collect",
    "Return",
    "Plan",
    "Clean",
    "Paint",
    "Sell",
    "Buy",
    "Check",
    "Print",
]
_NOUNS = [
    "invoice",
    "passport",
    "plumber",
    "dentist",
    "tickets",
    "groceries",
    "bicycle",
    "insurance",
    "letter",
    "garden",
    "kitchen",
    "curtains",
    "car",
    "tax",
    "lamp",
    "shelf",
    "printer",
    "meeting",
    "contract",
    "flat",
    "roof",
    "boiler",
    "fence",
    "birthday",
    "library",
    "camera",
    "bank",
    "holiday",
]
_SENTENCES = (
    "",
    "",
    "Ask for an **offer** first, then compare it with the one of last year.",
    "",
    "The number is on the fridge. Opening hours are from nine to five, on Saturdays until noon.",
    "",
    "Bring two photos and the old papers.",
)
_STARTS = [
    "Bar",
    "Kel",
    "Mor",
    "Tan",
    "Wes",
    "Fin",
    "Dor",
    "Har",
    "Lan",
    "Gre",
    "Sto",
    "Bra",
    "Cor",
    "Del",
    "Fal",
    "Gil",
    "Hol",
    "Jen",
    "Kir",
    "Lin",
    "Mar",
    "Nor",
    "Pel",
    "Ros",
]
_ENDS = [
    "ton",
    "mer",
    "ley",
    "son",
    "den",
    "win",
    "ber",
    "dan",
    "fel",
    "gar",
    "hum",
    "jel",
    "kin",
    "lem",
    "mon",
    "nes",
    "pol",
    "rik",
    "sam",
    "tor",
    "vik",
    "wel",
    "yar",
    "zed",
    "bek",
    "cas",
    "dol",
    "fin",
    "gam",
    "hol",
    "jar",
    "kas",
    "lun",
    "mik",
    "nor",
    "pik",
    "rud",
    "sel",
    "tam",
    "vor",
    "wen",
    "ziv",
]
FAMILY_NAMES = [start + end for end in _ENDS for start in _STARTS]
"""All of one length, so that none is the beginning of another."""


@dataclass(frozen=True)
class Person:
    user_id: int
    token: str
    workspace_id: int
    """Of the team's."""
    project_ids: tuple[int, int]
    """The Inbox and another."""


@dataclass(frozen=True)
class World:
    tasks: int
    people: list[Person]
    manager_token: str


async def fill(postgres: Postgres, tasks: int) -> World:
    """Fills the template."""
    if tasks % (WORKSPACES * TASKS_WITH_A_NAME) or tasks // 1000 > len(FAMILY_NAMES):
        raise SystemExit(f"--tasks must be a multiple of 1000, and not above {1000 * len(FAMILY_NAMES)}.")
    engine = create_engine(Settings(), postgres.server.url)
    await migrate.upgrade(engine)
    database = Database(engine)
    world = await database.write(lambda session: _found(session, tasks))
    await database.close()
    async with postgres.connection(TEMPLATE) as connection:
        await _load(connection, world)
    return world


# --- people -----------------------------------------------------------------------------------------------------------


async def _found(session: Writer, tasks: int) -> World:
    _, manager_token = await _user(session, "Manager")
    people = [await _person(session, number) for number in range(WORKSPACES)]
    return World(tasks, people, manager_token)


async def _person(session: Writer, number: int) -> Person:
    actor, token = await _user(session, f"Person {number}")
    team = await workspaces.create(session, actor, f"Team {number}")
    await workspaces.add_member(
        session, actor, team.id, MemberCreate(email=_address("Manager"), role=Role.VIEWER)
    )
    second = await projects.create(session, actor, ProjectCreate(name="Home", workspace_id=team.id))
    return Person(actor.user_id, token, team.id, (team.inbox_id, second.id))


async def _user(session: Writer, name: str) -> tuple[Actor, str]:
    user = await accounts.create_user(session, name, email=_address(name))
    _, token = await accounts.create_token(session, user.id, "benchmark", tuple(Scope))
    await session.refresh(user, ["home"])
    # Only an administrator may add somebody by their address alone; the account itself is none.
    actor = Actor(
        user.id, user.timezone, is_admin=True, personal_workspace_id=user.home.id, inbox_id=user.home.inbox_id
    )
    return actor, token


def _address(name: str) -> str:
    return f"{name.lower().replace(' ', '-')}@example.org"


# --- tasks ------------------------------------------------------------------------------------------------------------

_TASK_COLUMNS = [
    "id",
    "workspace_id",
    "project_id",
    "title",
    "description",
    "status",
    "priority",
    "label_ids",
    "due_date",
    "due_time",
    "position",
    "uid",
    "created_by",
    "completed_at",
    "version",
    "created_at",
    "updated_at",
    "search",
]
_CHANGE_COLUMNS = [
    "workspace_id",
    "seq",
    "at",
    "user_id",
    "verb",
    "entity",
    "entity_id",
    "version",
    "after",
    "request_id",
]


async def _load(connection: asyncpg.Connection, world: World) -> None:
    # To check and sort everything at the end takes a fraction of doing it row by row.
    rebuild = await _take_down(connection)
    seqs = dict(await connection.fetch("SELECT workspace_id, seq FROM workspace_counters"))
    await _copy(connection, "tasks", _TASK_COLUMNS, (_task_row(task) for task in _tasks(world)))
    await _copy(connection, "changes", _CHANGE_COLUMNS, (_change_row(task, seqs) for task in _tasks(world)))
    await connection.executemany(
        "UPDATE workspace_counters SET seq = $2 WHERE workspace_id = $1", seqs.items()
    )
    await connection.execute("SELECT setval('tasks_id_seq', $1::bigint)", world.tasks)
    await connection.execute("SET maintenance_work_mem = '512MB'")
    for statement in rebuild:
        await connection.execute(statement)
    await connection.execute("VACUUM (FREEZE, ANALYZE)")


async def _take_down(connection: asyncpg.Connection) -> list[str]:
    """Foreign keys and plain indexes go; the statements that bring them back."""
    keys = await connection.fetch("""
        SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition
        FROM pg_constraint WHERE contype = 'f' AND conrelid IN ('tasks'::regclass, 'changes'::regclass)
    """)
    indexes = await connection.fetch("""
        SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
        WHERE indrelid IN ('tasks'::regclass, 'changes'::regclass)
          AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    """)
    for key in keys:
        await connection.execute(f'ALTER TABLE {key["table"]} DROP CONSTRAINT "{key["name"]}"')
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    return [index["definition"] for index in indexes] + [
        f'ALTER TABLE {key["table"]} ADD CONSTRAINT "{key["name"]}" {key["definition"]}' for key in keys
    ]


def _tasks(world: World) -> Iterator[Task]:
    """The same each time. As in life, the workspaces' tasks lie mixed on the disk."""
    rng = random.Random(1)
    last: dict[int, str | None] = {}
    for index in range(world.tasks):
        number, person = divmod(index, WORKSPACES)
        yield _task(index + 1, number, world.people[person], last, rng)


def _task(task_id: int, number: int, person: Person, last: dict[int, str | None], rng: random.Random) -> Task:
    at = _BEGIN + timedelta(seconds=task_id)
    project_id = person.project_ids[number % 5 == 4]
    last[project_id] = key = positions.between(last.get(project_id), None)
    is_done = number % 8 == 3
    due = None if number % 6 == 5 else When(_FIRST_DUE + timedelta(days=number * 37 % 100))
    return Task(
        id=task_id,
        workspace_id=person.workspace_id,
        project_id=project_id,
        title=f"{rng.choice(_VERBS)} {rng.choice(_NOUNS)} for {FAMILY_NAMES[number // TASKS_WITH_A_NAME]}",
        description=rng.choice(_SENTENCES),
        status=Status.DONE if is_done else Status.OPEN,
        priority=rng.choice(list(Priority)),
        label_ids=[],
        due=due,
        position=key,
        uid=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        created_by=person.user_id,
        completed_at=at if is_done else None,
        version=1,
        created_at=at,
        updated_at=at,
    )


def _task_row(task: Task) -> list[Any]:
    ranks = list(Priority)
    row = {name: getattr(task, name) for name in _TASK_COLUMNS[:-1]}
    row |= {"status": task.status.value, "priority": ranks.index(task.priority), "label_ids": "{}"}
    return [*row.values(), words.vector(task.workspace_id, task.title, task.description)]


def _change_row(task: Task, seqs: dict[int, int]) -> list[Any]:
    seqs[task.workspace_id] += 1
    return [
        task.workspace_id,
        seqs[task.workspace_id],
        task.created_at,
        task.created_by,
        "task.created",
        "task",
        task.id,
        1,
        orjson.dumps(task.state()).decode(),
        uuid.UUID(int=task.id),
    ]


async def _copy(
    connection: asyncpg.Connection, table: str, columns: list[str], rows: Iterator[list[Any]]
) -> None:
    # An empty text is written as nothing, which else would mean NULL.
    not_null = ["description"] if "description" in columns else None
    await connection.copy_to_table(
        table, source=_as_csv(rows), columns=columns, format="csv", force_not_null=not_null
    )


async def _as_csv(rows: Iterator[list[Any]], at_once: int = 1000) -> AsyncIterator[bytes]:
    while True:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        count = 0
        for count, row in enumerate(rows, 1):
            writer.writerow(row)
            if count == at_once:
                break
        if count == 0:
            return
        yield buffer.getvalue().encode()
