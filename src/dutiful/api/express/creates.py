"""Making tasks: one, or many of the same place."""

from datetime import datetime
from functools import cache
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import text

from dutiful import clock, words
from dutiful.api.express.request import Answer, Request
from dutiful.api.express.writing import (
    ENTANGLED,
    TOLD,
    TYPES,
    WHO,
    WRITABLE,
    Written,
    has_good_key,
    kept,
    noted,
    numbered,
    storing,
    to_json,
    value,
    write,
)
from dutiful.bearer import hash_secret
from dutiful.database.direct import DirectPool, DirectStatement
from dutiful.models import Status, Task
from dutiful.models.task import new_uid, when_columns
from dutiful.tasks import rows
from dutiful.tasks.schemas import MOST_IN_A_BATCH, TaskCreate

_BATCH = TypeAdapter(Annotated[list[TaskCreate], Field(min_length=1, max_length=MOST_IN_A_BATCH)])

_KNOWN_LATER = ("id", "workspace_id", "project_id", "position", "created_by")
"""What the database says of each task it made."""

# The answer is stored by the statement that makes the task, and is complete only there. What stands in what people
# write cannot be mistaken for these: its quotes are escaped.
_PLACEHOLDERS = {"id": -1, "workspace_id": -1, "project_id": -1, "position": "@", "created_by": -1}


async def create_task(pool: DirectPool, request: Request) -> Answer | None:
    try:
        item = TaskCreate.model_validate_json(request.body)
    except ValidationError:
        return None
    if not item.model_fields_set.isdisjoint(ENTANGLED) or not has_good_key(request):
        return None
    now = clock.now()
    columns = _columns_of(item, now)
    task = rows.as_json(rows.in_order(columns))
    values = {
        **columns,
        **_common(request, item, now),
        "search": words.vector("#", item.title, item.description),
        "verb": "task.created",
        "after": to_json({name: task[name] for name in Task.journal_fields}),
        **kept(request, 201, task | _PLACEHOLDERS),
    }
    statement = _create_statement(_where_to(item), request.key is not None)
    written = await write(pool, request, statement, values, item.workspace_id)
    if written is None:
        return None
    _complete([task], written)
    headers = ((b"etag", b'"1"'), (b"location", b"/api/v1/tasks/%d" % task["id"]))
    return written.answer(201, task, headers)


async def create_tasks(pool: DirectPool, request: Request) -> Answer | None:
    """Of one place all of them, and without a key; other batches are left to the plain path."""
    try:
        items = _BATCH.validate_json(request.body)
    except ValidationError:
        return None
    places = {(item.workspace_id, item.project_id) for item in items}
    if (
        request.key is not None
        or len(places) > 1
        or not all(item.model_fields_set.isdisjoint(ENTANGLED) for item in items)
    ):
        return None
    now = clock.now()
    tasks, parts = [], []
    for item in items:
        columns = _columns_of(item, now)
        task = rows.as_json(rows.in_order(columns))
        part = {name: columns[name] for name in ("uid", *TYPES)}
        part["search"] = words.vector("#", item.title, item.description)
        part["after"] = {name: task[name] for name in Task.journal_fields}
        tasks.append(task)
        parts.append(part)
    values = {**_common(request, items[0], now), "count": len(items), "items": to_json(parts)}
    statement = _batch_statement(_where_to(items[0]))
    written = await write(pool, request, statement, values, items[0].workspace_id)
    if written is None:
        return None
    _complete(tasks, written)
    return written.answer(201, {"created": len(tasks), "items": tasks})


_NOTHING = dict.fromkeys((*rows.NAMES, "due_at"))
_START = ("start_date", "start_time", "start_timezone")
_DUE = ("due_date", "due_time", "due_timezone")


def _columns_of(item: TaskCreate, now: datetime) -> dict[str, Any]:
    """As `creation.new_task`; but its place, and its key in the order, are known under the lock only."""
    columns: dict[str, Any] = {
        **_NOTHING,
        "title": item.title,
        "description": item.description,
        "status": item.status,
        "priority": rows.rank(item.priority),
        "label_ids": [],
        "uid": item.uid or new_uid(),
        "version": 1,
        "created_at": now,
        "updated_at": now,
        "completed_at": now if item.status is Status.DONE else None,
    }
    if item.start is not None:
        columns.update(zip(_START, when_columns(item.start.when()), strict=True))
    if item.due is not None:
        due = item.due.when()
        columns.update(zip(_DUE, when_columns(due), strict=True), due_at=due.instant())
    return columns


def _common(request: Request, item: TaskCreate, now: datetime) -> dict[str, Any]:
    return {
        "now": now,
        "hash": hash_secret(request.secret),
        "workspace_id": item.workspace_id,
        "project_id": item.project_id,
        "request_id": request.request_id,
    }


def _complete(tasks: list[dict[str, Any]], written: Written) -> None:
    for task, row in zip(tasks, written.rows, strict=True):
        task.update(zip(_KNOWN_LATER, row, strict=False))


# --- the statements ---------------------------------------------------------------------------------------------------

_PROJECTS = {
    "personal": "project.id = workspace.inbox_id AND workspace.personal_of = who.user_id",
    "workspace": "project.id = workspace.inbox_id AND workspace.id = CAST(:workspace_id AS bigint)",
    "project": "project.id = CAST(:project_id AS bigint) AND project.workspace_id = workspace.id "
    "AND workspace.id = coalesce(CAST(:workspace_id AS bigint), workspace.id)",
}
"""Where a new task goes, by what names it."""


def _where_to(item: TaskCreate) -> str:
    if item.project_id is not None:
        return "project"
    return "personal" if item.workspace_id is None else "workspace"


def _seen_project(where_to: str) -> str:
    return f"""
    seen AS MATERIALIZED (
        SELECT workspace.id AS workspace_id, who.user_id, project.id AS thing_id, counter.seq
        {WRITABLE}
             JOIN projects AS project ON project.deleted_at IS NULL AND {_PROJECTS[where_to]}
    )"""


def _key(number: str) -> str:
    """As `positions.numbered`."""
    return f"chr(96 + length(CAST({number} AS text))) || CAST({number} AS text)"


_INTO = f"""INSERT INTO tasks (workspace_id, project_id, position, label_ids, uid, version, created_by, created_at,
                           updated_at, search, {", ".join(TYPES)})"""


def _if_last(first_key: str, key: str) -> str:
    """NULL, which is refused, should the keys not be the last."""
    return f"""CASE WHEN NOT EXISTS (
                   SELECT FROM tasks AS other
                   WHERE other.project_id = numbered.thing_id AND other.section_id IS NULL
                     AND other.parent_id IS NULL AND other.position >= {first_key}
               ) THEN {key} END"""


_ANSWERED = ", ".join(f"written.{name}" for name in _KNOWN_LATER)
_PLACED = """jsonb_build_object('project_id', written.project_id, 'position', written.position,
                               'created_by', written.created_by)"""
_FILLED = """replace(replace(replace(CAST(:answer_body AS text),
                   '{"id":-1,"workspace_id":-1,"project_id":-1,',
                   '{"id":' || written.id || ',"workspace_id":' || written.workspace_id
                   || ',"project_id":' || written.project_id || ','),
                   '"position":"@"', '"position":"' || written.position || '"'),
                   '"created_by":-1,', '"created_by":' || written.created_by || ',')"""


@cache
def _create_statement(where_to: str, is_keyed: bool) -> DirectStatement:
    key = _key("numbered.seq")
    location = ", 'location', '/api/v1/tasks/' || written.id"
    return DirectStatement(
        text(f"""
    WITH {WHO}, {_seen_project(where_to)}, {numbered()},
    written AS (
        {_INTO}
        SELECT numbered.workspace_id, numbered.thing_id, {_if_last(key, key)},
               '{{}}', CAST(:uid AS text), 1, numbered.user_id, CAST(:now AS timestamptz), CAST(:now AS timestamptz),
               CAST(replace(CAST(:search AS text), '#', CAST(numbered.workspace_id AS text)) AS tsvector),
               {", ".join(map(value, TYPES))}
        FROM numbered
        RETURNING version, {", ".join(_KNOWN_LATER)}
    ), {noted("NULL", f"CAST(:after AS jsonb) || {_PLACED}")}{storing(is_keyed, _FILLED, location)}
    SELECT {_ANSWERED}, {TOLD} FROM who CROSS JOIN seen LEFT JOIN (written CROSS JOIN numbered) ON true
    """)  # noqa: S608 - only our own words are put into it
    )


@cache
def _batch_statement(where_to: str) -> DirectStatement:
    count = "CAST(:count AS bigint)"
    # As many numbers as there are items end with the counter's.
    number = f"(numbered.seq - {count} + item.n)"
    columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
    return DirectStatement(
        text(f"""
    WITH {WHO}, {_seen_project(where_to)}, {numbered(count)},
    item AS MATERIALIZED (
        SELECT item.*, {_key(number)} AS key, {number} AS seq
        FROM numbered, ROWS FROM (
            jsonb_to_recordset(CAST(:items AS jsonb)) AS ({columns}, uid text, search text, after jsonb)
        ) WITH ORDINALITY AS item ({", ".join(TYPES)}, uid, search, after, n)
    ),
    written AS (
        {_INTO}
        SELECT numbered.workspace_id, numbered.thing_id,
               {_if_last("(SELECT key FROM item WHERE n = 1)", "item.key")},
               '{{}}', item.uid, 1, numbered.user_id, CAST(:now AS timestamptz), CAST(:now AS timestamptz),
               CAST(replace(item.search, '#', CAST(numbered.workspace_id AS text)) AS tsvector),
               {", ".join(f"item.{name}" for name in TYPES)}
        FROM numbered CROSS JOIN item ORDER BY item.n
        RETURNING {", ".join(_KNOWN_LATER)}
    ),
    noted AS (
        INSERT INTO changes (workspace_id, seq, at, user_id, verb, entity, entity_id, version, after, request_id)
        SELECT numbered.workspace_id, item.seq, CAST(:now AS timestamptz), numbered.user_id, 'task.created', 'task',
               written.id, 1, item.after || {_PLACED}, CAST(:request_id AS uuid)
        FROM numbered CROSS JOIN written JOIN item ON item.key = written.position
    )
    SELECT {_ANSWERED}, {TOLD}
    FROM who CROSS JOIN seen
         LEFT JOIN (written JOIN item ON item.key = written.position CROSS JOIN numbered) ON true
    ORDER BY item.n
    """)  # noqa: S608 - only our own words are put into it
    )
