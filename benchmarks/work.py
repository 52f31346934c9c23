"""The work that is measured: which requests, and what their answers must hold."""

import json
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import asyncpg  # type: ignore[import-untyped]
import httpx
from benchmarks.dataset import DUE_BEFORE, FAMILY_NAMES, Person
from benchmarks.facts import PAGE, Facts
from benchmarks.load import Line, Plan
from benchmarks.postgres import Postgres
from benchmarks.servers import Server

TASKS = "/api/v1/tasks"
BATCH = 1000
CHANGES = 50
_TITLE = '"title":"([^"]*)"'
# wrk takes the next line while the answer to another is on its way: enough for all connections.
_LINES = 2000


@dataclass
class Ground:
    """What requests are made from: the right answers, one server, and what was found out from it."""

    facts: Facts
    postgres: Postgres
    server: Server
    found: dict[str, str] = field(default_factory=dict)

    async def plan(self, work: "Work") -> Plan:
        return await self.server.candidate.plans.get(work.name, work.plan)(self)

    async def get(self, path: str, token: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.server.port}", timeout=60) as client:
            answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
        return answer.raise_for_status()


@dataclass(frozen=True)
class Work:
    name: str
    title: str
    plan: Callable[[Ground], Awaitable[Plan]]
    connections: int | None = None
    """Where it takes a number of its own."""
    tasks_each: int = 1
    """So many are written by a request."""


# --- reading ----------------------------------------------------------------------------------------------------------


async def _get(ground: Ground) -> Plan:
    facts = ground.facts
    return _reading(
        Line(f"{TASKS}/{task_id}", str(task_id), (f'"title":"{title}"',), facts.owners[task_id].token)
        for task_id, title in facts.titles.items()
    )


async def _list(ground: Ground) -> Plan:
    return _lists(ground, ground.facts.lists, "")


async def _filtered(ground: Ground) -> Plan:
    return _lists(ground, ground.facts.filtered, f"&status=open&due_before={DUE_BEFORE}")


def _lists(ground: Ground, lists: dict[int, list[int]], condition: str) -> Plan:
    return _reading(
        _page(
            ground,
            f"?workspace_id={person.workspace_id}{condition}",
            lists[person.workspace_id],
            person.token,
        )
        for person in ground.facts.world.people
    )


async def _first_page(ground: Ground) -> Plan:
    return _reading([_page(ground, "?", ground.facts.first_page, ground.facts.world.manager_token)])


async def _deep_page(ground: Ground) -> Plan:
    facts = ground.facts
    match ground.server.candidate.cursor:
        case "product":
            where = f"?cursor={await _walk_to_deep_page(ground)}"
        case "skip":
            where = f"?skip={(facts.deep_number - 1) * PAGE}"
        case _:
            where = f"?cursor={facts.before_deep_page}"
    return _reading([_page(ground, where, facts.deep_page, facts.world.manager_token)])


async def _walk_to_deep_page(ground: Ground) -> str:
    """The cursor of the page, page by page, the largest there are."""
    if "cursor" not in ground.found:
        before, path = (ground.facts.deep_number - 1) * PAGE, TASKS
        while before:
            step = min(200, before)
            page = (
                await ground.get(
                    f"{path}?limit={step}{ground.found.get('cursor', '')}", ground.facts.world.manager_token
                )
            ).json()
            ground.found["cursor"] = f"&cursor={page['next_cursor']}"
            before -= step
    return ground.found["cursor"].removeprefix("&cursor=")


async def _search(ground: Ground) -> Plan:
    return _reading(
        _page(ground, f"?q={search.word}", search.ids, search.person.token)
        for search in ground.facts.searches
    )


async def _changes(ground: Ground) -> Plan:
    """Fifty changes each, somewhat behind the beginning of the feed."""
    lines = []
    for person in ground.facts.world.people:
        start = (await ground.get("/api/v1/changes?limit=30", person.token)).json()["next_cursor"]
        path = f"/api/v1/changes?after={start}&limit={CHANGES}"
        items = (await ground.get(path, person.token)).json()["items"]
        expected = (f'"id":"{items[-1]["id"]}"', f'"count":{CHANGES}')
        lines.append(Line(path, items[0]["id"], expected, person.token))
    return _reading(lines)


def _page(ground: Ground, query: str, ids: Sequence[int], token: str) -> Line:
    expected = [f'"id":{ids[-1]},']
    if ground.server.candidate.has_count:
        expected.append(f'"count":{len(ids)}')
    separator = "" if query.endswith("?") else "&"
    return Line(f"{TASKS}{query}{separator}limit={PAGE}", str(ids[0]), tuple(expected), token)


def _reading(lines: Iterable[Line]) -> Plan:
    return Plan("GET", 200, _repeated(list(lines)))


def _repeated(lines: list[Line]) -> list[Line]:
    return (lines * (_LINES // len(lines) + 1))[:_LINES]


# --- writing ----------------------------------------------------------------------------------------------------------


async def _create(ground: Ground) -> Plan:
    return _creating(ground.facts.world.people)


async def _create_in_one(ground: Ground) -> Plan:
    return _creating(ground.facts.world.people[:1])


async def _create_keyed(ground: Ground) -> Plan:
    plan = _creating(ground.facts.world.people)
    return Plan(plan.method, plan.status, plan.lines, plan.key_pattern, idempotency_prefix=f"{uuid.uuid4()}-")


def _creating(people: Sequence[Person]) -> Plan:
    lines = []
    for number in range(_LINES):
        person = people[number % len(people)]
        title, project_id = _title(number), person.project_ids[0]
        body = _new_task(person, title)
        lines.append(Line(TASKS, title, (f'"project_id":{project_id},', '"version":1,'), person.token, body))
    return Plan("POST", 201, lines, _TITLE)


async def _create_batches(ground: Ground) -> Plan:
    lines = []
    for at, person in enumerate(ground.facts.world.people[:20]):
        titles = [_title(at * BATCH + number) for number in range(BATCH)]
        body = ",".join(_new_task(person, title) for title in titles)
        lines.append(Line(f"{TASKS}/batch", titles[0], (f'"created":{BATCH},',), person.token, f"[{body}]"))
    return Plan("POST", 201, lines, _TITLE)


def _title(number: int) -> str:
    return f"Call {FAMILY_NAMES[number % len(FAMILY_NAMES)]} about invoice {number}"


def _new_task(person: Person, title: str) -> str:
    return json.dumps(
        {
            "workspace_id": person.workspace_id,
            "project_id": person.project_ids[0],
            "title": title,
            "priority": "high",
        }
    )


async def _update(ground: Ground) -> Plan:
    return await _updating(ground, ground.facts.world.people)


async def _update_in_one(ground: Ground) -> Plan:
    return await _updating(ground, ground.facts.world.people[:1])


async def _updating(ground: Ground, people: Sequence[Person]) -> Plan:
    """Each task is one line, so one connection at a time changes it, and knows its version."""
    tokens = {person.workspace_id: person.token for person in people}
    async with ground.postgres.connection(ground.server.candidate.database) as connection:
        rows = await _updatable(connection, list(tokens))
    lines = [
        Line(
            f"{TASKS}/{row['id']}",
            str(row["id"]),
            (f'"workspace_id":{row["workspace_id"]},',),
            tokens[row["workspace_id"]],
            version=row["version"],
        )
        for row in rows
    ]
    return Plan("PATCH", 200, lines)


async def _updatable(connection: asyncpg.Connection, workspace_ids: list[int]) -> list[asyncpg.Record]:
    # An odd version becomes urgent, an even one medium: a task that is so already would not change.
    rows: list[asyncpg.Record] = await connection.fetch(
        """
        SELECT id, workspace_id, version FROM tasks
        WHERE workspace_id = any($1) AND priority <> CASE version % 2 WHEN 1 THEN 4 ELSE 2 END
        ORDER BY id LIMIT $2
        """,
        workspace_ids,
        _LINES,
    )
    return rows


WORK = (
    Work("get", "get one", _get),
    Work("list", "list 50", _list),
    Work("filtered", "list 50, filtered", _filtered),
    Work("page-first", "page 1 of all", _first_page),
    Work("page-deep", "deep page of all", _deep_page),
    Work("search", "search", _search),
    Work("changes", "50 changes since a cursor", _changes),
    Work("update", "update, 100 workspaces", _update),
    Work("update-one-workspace", "update, one workspace", _update_in_one),
    Work("create", "create, 100 workspaces", _create),
    Work("create-keyed", "create with Idempotency-Key", _create_keyed),
    Work("create-one-workspace", "create, one workspace", _create_in_one),
    # A thousand tasks are work for a second: more at a time would only wait for each other.
    Work("batch", "batch of 1,000", _create_batches, connections=2, tasks_each=BATCH),
)
