"""Making and changing a task, each written by one statement.

The statement does what the plain path does in six. It holds the token, finds what the person may do, and counts the
journal on *if nobody has counted it meanwhile*; then it writes the row and appends the change. Whatever is written in a
workspace counts its journal. So where the count is the one that was seen, everything else that was seen of that
workspace is true as well, and stays so until the commit, because the counter is locked by then. Where it is not, nothing is written, and it is tried again a few times;
where a person may not write, nothing is seen, and the plain path says why.

Writes of one workspace would only make each other repeat, so within a process they take turns (`database/turns.py`).
"""

from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any

import orjson
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import bindparam, select, text

from dutiful import clock, words
from dutiful.api.express.asking import ASKER, Asker, asker
from dutiful.api.express.request import Answer, Request
from dutiful.api.headers import parse_if_match
from dutiful.api.idempotency import is_key
from dutiful.bearer import hash_secret
from dutiful.changes.cursor import encode_cursor
from dutiful.changes.journal import difference
from dutiful.database.direct import DirectPool, DirectStatement, Record
from dutiful.errors import DutifulError
from dutiful.models import Status, Task
from dutiful.models.task import new_uid, when_columns
from dutiful.tasks import rows, service
from dutiful.tasks.schemas import MOST_IN_A_BATCH, TaskCreate, TaskPatch

# What takes a look at something else than the task itself.
_ENTANGLED = {"section_id", "parent_id", "label_ids", "labels_add", "labels_remove", "assignee_id"}
_ATTEMPTS = 8
_BATCH = TypeAdapter(Annotated[list[TaskCreate], Field(min_length=1, max_length=MOST_IN_A_BATCH)])


async def create_task(pool: DirectPool, request: Request) -> Answer | None:
    try:
        item = TaskCreate.model_validate_json(request.body)
    except ValidationError:
        return None
    if not item.model_fields_set.isdisjoint(_ENTANGLED) or not _has_good_key(request):
        return None
    now = clock.now()
    columns = _columns_of(item, now)
    task = rows.as_json([columns.get(name) for name in rows.NAMES])
    values = {
        **columns,
        "now": now,
        "hash": hash_secret(request.secret),
        "workspace_id": item.workspace_id,
        "project_id": item.project_id,
        "search": words.vector("#", item.title, item.description),
        "verb": "task.created",
        "before": None,
        "after": _json({name: task[name] for name in Task.journal_fields}),
        "request_id": request.request_id,
        **_kept(request, 201, task | _PLACEHOLDERS),
    }
    turn = item.workspace_id or item.project_id or request.secret
    found = await _write(
        pool, request, turn, _create_statement(_where_to(item), request.key is not None), values
    )
    if found is None:
        return None
    *known_now, seq, token_id, user_id, last_used_at = found[0]
    task.update(zip(_KNOWN_LATER, known_now, strict=True), created_by=user_id)
    return _answer(201, task, seq, asker((token_id, user_id, last_used_at), now))


def _columns_of(item: TaskCreate, now: datetime) -> dict[str, Any]:
    """As `creation.new_task`; but its place, and its key in the order, are known under the lock only."""
    start = None if item.start is None else item.start.when()
    due = None if item.due is None else item.due.when()
    columns = {
        "title": item.title,
        "description": item.description,
        "status": item.status,
        "priority": rows.rank(item.priority),
        "label_ids": [],
        "due_at": None if due is None else due.instant(),
        "uid": item.uid or new_uid(),
        "version": 1,
        "created_at": now,
        "updated_at": now,
        "completed_at": now if item.status is Status.DONE else None,
    }
    for name, when in (("start", start), ("due", due)):
        parts = zip(("date", "time", "timezone"), when_columns(when), strict=True)
        columns.update((f"{name}_{part}", value) for part, value in parts)
    return columns


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
        or not all(item.model_fields_set.isdisjoint(_ENTANGLED) for item in items)
    ):
        return None
    now = clock.now()
    tasks, parts = [], []
    for item in items:
        columns = _columns_of(item, now)
        task = rows.as_json([columns.get(name) for name in rows.NAMES])
        search = words.vector("#", item.title, item.description)
        tasks.append(task)
        parts.append(
            {**columns, "search": search, "after": {name: task[name] for name in Task.journal_fields}}
        )
    values = {
        "now": now,
        "hash": hash_secret(request.secret),
        "workspace_id": items[0].workspace_id,
        "project_id": items[0].project_id,
        "count": len(items),
        "items": _json(parts),
        "request_id": request.request_id,
    }
    turn = items[0].workspace_id or items[0].project_id or request.secret
    found = await _write(pool, request, turn, _batch_statement(_where_to(items[0])), values)
    if found is None:
        return None
    for task, row in zip(tasks, found, strict=True):
        task.update(zip(_KNOWN_LATER, row, strict=False), created_by=row[_USER])
    *_, seq, token_id, user_id, last_used_at = found[-1]
    asking = asker((token_id, user_id, last_used_at), now)
    return _written(
        201, {"created": len(tasks), "items": tasks}, tasks[0]["workspace_id"], seq, asking, len(tasks)
    )


async def update_task(pool: DirectPool, request: Request, task_id: int) -> Answer | None:
    try:
        patch = TaskPatch.model_validate_json(request.body)
    except ValidationError:
        return None
    if not patch.model_fields_set.isdisjoint(_ENTANGLED | {"project_id"}) or not _has_good_key(request):
        return None
    # Nothing of it gets out before the statement that writes has found that the person may do so.
    read = await pool.fetch(_read_statement(), {"id": task_id})
    if not read:
        return None
    # To the rules it is as good as a `Task`.
    task: Any = rows.Draft.of(read[0])
    before = task.journal()
    try:
        parse_if_match(request.headers.get("if-match")).check(task)
        service.apply(task, patch)
    except DutifulError:
        return None
    old, new = difference(before, task.journal())
    if not new:
        return None
    now = clock.now()
    answered = task.as_json() | {"version": task.version + 1, "updated_at": now}
    has_new_words = not new.keys().isdisjoint(("title", "description"))
    values = {
        **task.columns(),
        "now": now,
        "hash": hash_secret(request.secret),
        "search": words.vector(task.workspace_id, task.title, task.description) if has_new_words else None,
        "verb": service.verb_of(task, before),
        "before": _json(old),
        "after": _json(new),
        "request_id": request.request_id,
        **_kept(request, 200, answered),
    }
    found = await _write(pool, request, task.workspace_id, _update_statement(request.key is not None), values)
    if found is None:
        return None
    seq, *asking = found[0]
    return _answer(200, answered, seq, asker(asking, now))


async def _write(
    pool: DirectPool, request: Request, turn: Hashable, statement: DirectStatement, values: Mapping[str, Any]
) -> list[Record] | None:
    async with pool.turns.take(turn) as is_mine:
        for _ in range(_ATTEMPTS if is_mine else 0):
            request.may_be_written = True
            found = await pool.fetch(statement, values)
            if not found:
                # Nothing was seen, so there is nothing to wait for.
                return None
            if found[0][0] is not None:
                return found
    return None


def _answer(status: int, task: dict[str, Any], seq: int, asking: Asker) -> Answer:
    headers = [(b"etag", b'"%d"' % task["version"])]
    if status == 201:
        headers.append((b"location", b"/api/v1/tasks/%d" % task["id"]))
    return _written(status, task, task["workspace_id"], seq, asking, 1, headers)


def _written(
    status: int,
    content: Any,
    workspace_id: int,
    seq: int,
    asking: Asker,
    changes: int,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> Answer:
    body = orjson.dumps(content, option=rows.JSON_OPTIONS)
    cursor = (b"dutiful-cursor", encode_cursor({workspace_id: seq}).encode())
    return Answer(status, body, asking, (*headers, cursor), {workspace_id: changes})


def _has_good_key(request: Request) -> bool:
    return request.key is None or is_key(request.key)


def _kept(request: Request, status: int, task: dict[str, Any]) -> dict[str, Any]:
    """What is stored of the answer under the Idempotency-Key, if there is one."""
    if request.key is None:
        return {}
    headers = {"content-type": "application/json", "etag": f'"{task["version"]}"'}
    return {
        "key": request.key,
        "fingerprint": request.fingerprint,
        "answer_status": status,
        "answer_headers": _json(headers),
        "answer_body": _json(task),
    }


def _json(value: Any) -> str:
    return orjson.dumps(value, option=rows.JSON_OPTIONS).decode()


# --- the statements ---------------------------------------------------------------------------------------------------

_WHO = """
    who AS MATERIALIZED (
        SELECT token.id AS token_id, token.user_id, token.last_used_at
        FROM tokens AS token JOIN users AS person ON person.id = token.user_id
        WHERE token.hash = CAST(:hash AS bytea) AND token.scopes && '{write,admin}'
          AND (token.expires_at IS NULL OR token.expires_at > CAST(:now AS timestamptz))
          AND person.disabled_at IS NULL
        FOR KEY SHARE OF token, person
    )"""

# What the person may write in, and how far its journal is.
_WRITABLE = """
        FROM who
             JOIN members AS member ON member.user_id = who.user_id AND member.role IN ('editor', 'owner')
             JOIN workspaces AS workspace ON workspace.id = member.workspace_id AND workspace.deleted_at IS NULL
             JOIN workspace_counters AS counter ON counter.workspace_id = workspace.id"""

_NUMBERED = """
    numbered AS (
        UPDATE workspace_counters AS counter SET seq = seen.seq + {count}
        FROM seen WHERE counter.workspace_id = seen.workspace_id AND counter.seq = seen.seq
        RETURNING counter.seq, seen.workspace_id, seen.user_id, seen.thing_id
    )"""

_NOTED = """INSERT INTO changes
            (workspace_id, seq, at, user_id, verb, entity, entity_id, version, before, after, request_id)
        SELECT numbered.workspace_id, numbered.seq, CAST(:now AS timestamptz), numbered.user_id, CAST(:verb AS text),
               'task', written.id, written.version, CAST(:before AS jsonb), {after}, CAST(:request_id AS uuid)
        FROM numbered CROSS JOIN written"""

_ONE = _NUMBERED.format(count=1)
_MANY = _NUMBERED.format(count="CAST(:count AS bigint)")

_KNOWN_LATER = ("id", "workspace_id", "project_id", "position")
_USER = len(_KNOWN_LATER) + 2  # in a row of these, the seq, and ASKER
_ASKING = ", ".join(f"who.{name}" for name in ASKER)

_TYPES = {
    "title": "text",
    "description": "text",
    "status": "text",
    "priority": "smallint",
    "start_date": "date",
    "start_time": "time",
    "start_timezone": "text",
    "due_date": "date",
    "due_time": "time",
    "due_timezone": "text",
    "due_at": "timestamptz",
    "completed_at": "timestamptz",
}
"""The columns that these writes set from what was sent."""


def _value(name: str) -> str:
    return f"CAST(:{name} AS {_TYPES[name]})"


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


# The answer is stored by the statement that makes the task, and is complete only there. What stands in what people
# write cannot be mistaken for these: its quotes are escaped.
_PLACEHOLDERS = {"id": -1, "workspace_id": -1, "project_id": -1, "position": "@", "created_by": -1}
_FILLED = """replace(replace(replace(CAST(:answer_body AS text),
                   '{"id":-1,"workspace_id":-1,"project_id":-1,',
                   '{"id":' || written.id || ',"workspace_id":' || written.workspace_id
                   || ',"project_id":' || written.project_id || ','),
                   '"position":"@"', '"position":"' || written.position || '"'),
                   '"created_by":-1,', '"created_by":' || written.created_by || ',')"""

_CURSOR = """rtrim(translate(encode(convert_to(
                   'v1:' || numbered.workspace_id || '.' || numbered.seq, 'UTF8'), 'base64'), '+/', '-_'), '=')"""
"""As `changes.cursor.encode_cursor`."""


def _storing(is_keyed: bool, body: str, more_headers: str = "") -> str:
    """Refused by the key's uniqueness if it is claimed: then the plain path looks what is kept."""
    if not is_keyed:
        return ""
    return f""",
    kept AS (
        INSERT INTO idempotency_keys
            (user_id, key, fingerprint, status, headers, body, workspace_ids, created_at)
        SELECT numbered.user_id, CAST(:key AS text), CAST(:fingerprint AS bytea), CAST(:answer_status AS smallint),
               CAST(:answer_headers AS jsonb) || jsonb_build_object('dutiful-cursor', {_CURSOR}{more_headers}),
               convert_to({body}, 'UTF8'), ARRAY[numbered.workspace_id], CAST(:now AS timestamptz)
        FROM numbered CROSS JOIN written
    )"""  # noqa: S608 - only our own words are put into it


def _seen_project(where_to: str) -> str:
    return f"""seen AS MATERIALIZED (
        SELECT workspace.id AS workspace_id, who.user_id, project.id AS thing_id, counter.seq
        {_WRITABLE}
             JOIN projects AS project ON project.deleted_at IS NULL AND {_PROJECTS[where_to]}
    )"""


def _key(number: str) -> str:
    """As `positions.numbered`."""
    return f"chr(96 + length(CAST({number} AS text))) || CAST({number} AS text)"


@cache
def _create_statement(where_to: str, is_keyed: bool) -> DirectStatement:
    key = _key("numbered.seq")
    answered = ", ".join(f"written.{name}" for name in _KNOWN_LATER)
    after = (
        "CAST(:after AS jsonb) || jsonb_build_object('project_id', written.project_id, "
        "'position', written.position, 'created_by', written.created_by)"
    )
    location = ", 'location', '/api/v1/tasks/' || written.id"
    return DirectStatement(
        text(f"""
    WITH {_WHO},
    {_seen_project(where_to)},
    {_ONE},
    written AS (
        INSERT INTO tasks (workspace_id, project_id, position, label_ids, uid, version, created_by, created_at,
                           updated_at, search, {", ".join(_TYPES)})
        SELECT numbered.workspace_id, numbered.thing_id,
               -- NULL, which is refused, should the key not be the last.
               CASE WHEN NOT EXISTS (
                   SELECT FROM tasks AS other
                   WHERE other.project_id = numbered.thing_id AND other.section_id IS NULL
                     AND other.parent_id IS NULL AND other.position >= {key}
               ) THEN {key} END,
               '{{}}', CAST(:uid AS text), 1, numbered.user_id, CAST(:now AS timestamptz), CAST(:now AS timestamptz),
               CAST(replace(CAST(:search AS text), '#', CAST(numbered.workspace_id AS text)) AS tsvector),
               {", ".join(map(_value, _TYPES))}
        FROM numbered
        RETURNING id, version, workspace_id, project_id, position, created_by
    ),
    noted AS ({_NOTED.format(after=after)}){_storing(is_keyed, _FILLED, location)}
    SELECT {answered}, numbered.seq, {_ASKING} FROM who CROSS JOIN seen LEFT JOIN (written CROSS JOIN numbered) ON true
    """)  # noqa: S608 - only our own words are put into it
    )


@cache
def _batch_statement(where_to: str) -> DirectStatement:
    # As many numbers as there are items end with the counter's.
    number = "(numbered.seq - CAST(:count AS bigint) + item.n)"
    key = _key(number)
    answered = ", ".join(f"written.{name}" for name in _KNOWN_LATER)
    columns = ", ".join(f"{name} {kind}" for name, kind in _TYPES.items())
    return DirectStatement(
        text(f"""
    WITH {_WHO},
    {_seen_project(where_to)},
    {_MANY},
    item AS MATERIALIZED (
        SELECT item.*, {key} AS key, {number} AS seq
        FROM numbered, ROWS FROM (
            jsonb_to_recordset(CAST(:items AS jsonb)) AS ({columns}, uid text, search text, after jsonb)
        ) WITH ORDINALITY AS item ({", ".join(_TYPES)}, uid, search, after, n)
    ),
    written AS (
        INSERT INTO tasks (workspace_id, project_id, position, label_ids, uid, version, created_by, created_at,
                           updated_at, search, {", ".join(_TYPES)})
        SELECT numbered.workspace_id, numbered.thing_id,
               -- NULL, which is refused, should the key not be the last.
               CASE WHEN NOT EXISTS (
                   SELECT FROM tasks AS other
                   WHERE other.project_id = numbered.thing_id AND other.section_id IS NULL
                     AND other.parent_id IS NULL AND other.position >= (SELECT key FROM item WHERE n = 1)
               ) THEN item.key END,
               '{{}}', item.uid, 1, numbered.user_id, CAST(:now AS timestamptz), CAST(:now AS timestamptz),
               CAST(replace(item.search, '#', CAST(numbered.workspace_id AS text)) AS tsvector),
               {", ".join(f"item.{name}" for name in _TYPES)}
        FROM numbered CROSS JOIN item ORDER BY item.n
        RETURNING id, workspace_id, project_id, position, created_by
    ),
    noted AS (
        INSERT INTO changes (workspace_id, seq, at, user_id, verb, entity, entity_id, version, after, request_id)
        SELECT numbered.workspace_id, item.seq, CAST(:now AS timestamptz), numbered.user_id, 'task.created', 'task',
               written.id, 1,
               item.after || jsonb_build_object('project_id', written.project_id, 'position', written.position,
                                                'created_by', written.created_by),
               CAST(:request_id AS uuid)
        FROM numbered CROSS JOIN written JOIN item ON item.key = written.position
    )
    SELECT {answered}, numbered.seq, {_ASKING}
    FROM who CROSS JOIN seen
         LEFT JOIN (written JOIN item ON item.key = written.position CROSS JOIN numbered) ON true
    ORDER BY item.n
    """)  # noqa: S608 - only our own words are put into it
    )


@cache
def _read_statement() -> DirectStatement:
    return DirectStatement(select(*rows.COLUMNS).where(Task.id == bindparam("id"), Task.deleted_at.is_(None)))


@cache
def _update_statement(is_keyed: bool) -> DirectStatement:
    return DirectStatement(
        text(f"""
    WITH {_WHO},
    seen AS MATERIALIZED (
        SELECT workspace.id AS workspace_id, who.user_id, task.id AS thing_id, counter.seq
        {_WRITABLE}
             JOIN tasks AS task ON task.workspace_id = workspace.id
        WHERE task.id = CAST(:id AS bigint) AND task.version = CAST(:version AS integer) AND task.deleted_at IS NULL
    ),
    {_ONE},
    written AS (
        UPDATE tasks AS task
        SET {", ".join(f"{name} = {_value(name)}" for name in _TYPES)},
            version = task.version + 1, updated_at = CAST(:now AS timestamptz),
            search = coalesce(CAST(CAST(:search AS text) AS tsvector), task.search)
        FROM numbered WHERE task.id = numbered.thing_id
        RETURNING task.id, task.version
    ),
    noted AS ({_NOTED.format(after="CAST(:after AS jsonb)")}){_storing(is_keyed, "CAST(:answer_body AS text)")}
    SELECT numbered.seq, {_ASKING} FROM who CROSS JOIN seen LEFT JOIN (written CROSS JOIN numbered) ON true
    """)  # noqa: S608 - only our own words are put into it
    )
