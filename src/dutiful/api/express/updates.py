"""Changing a task.

Two words of it, its status and its priority, are set without reading it first, by one statement. Else it is read, the
rules are applied to it, and the statement writes only if it is still what was read.
"""

from functools import cache
from typing import Any

from pydantic import ValidationError
from sqlalchemy import bindparam, select, text

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
from dutiful.api.headers import parse_if_match
from dutiful.bearer import hash_secret
from dutiful.changes.journal import difference
from dutiful.database.direct import DirectPool, DirectStatement
from dutiful.errors import DutifulError
from dutiful.models import Priority, Status, Task
from dutiful.tasks import rows, service
from dutiful.tasks.schemas import TaskPatch
from dutiful.versions import Expected

_WORDS = frozenset({"status", "priority"})


async def update_task(pool: DirectPool, request: Request, task_id: int) -> Answer | None:
    try:
        patch = TaskPatch.model_validate_json(request.body)
    except ValidationError:
        return None
    sent = patch.model_fields_set
    if not sent.isdisjoint(ENTANGLED | {"project_id"}) or not has_good_key(request):
        return None
    expected = parse_if_match(request.headers.get("if-match"))
    if sent and sent <= _WORDS and request.key is None:
        answer = await _set_words(pool, request, task_id, patch, expected)
        if answer is not None:
            return answer
    return await _read_and_write(pool, request, task_id, patch, expected)


async def _set_words(
    pool: DirectPool, request: Request, task_id: int, patch: TaskPatch, expected: Expected
) -> Answer | None:
    """None as well where one of the words stays as it is, or a task is opened again."""
    now = clock.now()
    after = patch.model_dump(include=patch.model_fields_set)
    completed_at = now if patch.status is Status.DONE else None
    if completed_at is not None:
        after["completed_at"] = completed_at
    values = {
        "id": task_id,
        "versions": None if expected.versions is None else list(expected.versions),
        "status": patch.status,
        "priority": None if patch.priority is None else rows.rank(patch.priority),
        "completed_at": completed_at,
        "now": now,
        "hash": hash_secret(request.secret),
        "verb": "task.updated" if patch.status is None else service.VERBS[patch.status],
        "after": to_json(after),
        "request_id": request.request_id,
    }
    statement = _words_statement(tuple(sorted(after)))
    written = await write(pool, request, statement, values, None)
    return None if written is None else _answer(written, rows.as_json(written.rows[0]))


async def _read_and_write(
    pool: DirectPool, request: Request, task_id: int, patch: TaskPatch, expected: Expected
) -> Answer | None:
    # Nothing of it gets out before the statement that writes has found that the person may do so.
    read = await pool.fetch(_read_statement(), {"id": task_id})
    if not read:
        return None
    # To the rules it is as good as a `Task`.
    task: Any = rows.Draft.of(read[0])
    before = task.journal()
    try:
        expected.check(task)
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
        "before": to_json(old),
        "after": to_json(new),
        "request_id": request.request_id,
        **kept(request, 200, answered),
    }
    statement = _update_statement(request.key is not None)
    written = await write(pool, request, statement, values, task.workspace_id)
    return None if written is None else _answer(written, answered)


def _answer(written: Written, task: dict[str, Any]) -> Answer:
    return written.answer(200, task, ((b"etag", b'"%d"' % task["version"]),))


# --- the statements ---------------------------------------------------------------------------------------------------


def _seen_task(condition: str, more: str = "") -> str:
    return f"""
    seen AS MATERIALIZED (
        SELECT workspace.id AS workspace_id, who.user_id, task.id AS thing_id, counter.seq{more}
        {WRITABLE}
             JOIN tasks AS task ON task.workspace_id = workspace.id
        WHERE task.id = CAST(:id AS bigint) AND task.deleted_at IS NULL AND task.recurrence IS NULL AND {condition}
    )"""


def _set(columns: str, told: str) -> str:
    return f"""
    written AS (
        UPDATE tasks AS task SET {columns}, version = task.version + 1, updated_at = CAST(:now AS timestamptz)
        FROM numbered WHERE task.id = numbered.thing_id
        RETURNING {told}
    )"""  # noqa: S608 - only our own words are put into it


_AS_BEFORE = {
    "status": "task.status",
    "priority": f"(CAST('{{{','.join(Priority)}}}' AS text[]))[task.priority + 1]",
    "completed_at": "CAST(NULL AS text)",
}
_DIFFERS = {
    # What is done has a date to tell of.
    "status": f"task.status <> {value('status')} AND task.completed_at IS NULL",
    "priority": f"task.priority <> {value('priority')}",
}


@cache
def _words_statement(names: tuple[str, ...]) -> DirectStatement:
    """`names` of the fields that change, as the journal will tell."""
    versions = "CAST(:versions AS integer[])"
    conditions = [f"({versions} IS NULL OR task.version = ANY ({versions}))"]
    conditions += [condition for name, condition in _DIFFERS.items() if name in names]
    before = ", ".join(f"'{name}', {_AS_BEFORE[name]}" for name in names)
    columns = ", ".join(f"{name} = {value(name)}" for name in names)
    told = ", ".join(f"task.{name}" for name in rows.NAMES)
    return DirectStatement(
        text(f"""
    WITH {WHO},
    {_seen_task(" AND ".join(conditions), f", jsonb_build_object({before}) AS before")},
    {numbered()}, {_set(columns, told)},
    {noted("(SELECT before FROM seen)", "CAST(:after AS jsonb)")}
    SELECT {told.replace("task.", "written.")}, {TOLD}
    FROM who CROSS JOIN seen LEFT JOIN (written CROSS JOIN numbered) ON true
    """)  # noqa: S608 - only our own words are put into it
    )


@cache
def _read_statement() -> DirectStatement:
    # What changes in a task that repeats may concern the next.
    is_simple = Task.deleted_at.is_(None) & Task.recurrence.is_(None)
    return DirectStatement(select(*rows.COLUMNS).where(Task.id == bindparam("id"), is_simple))


@cache
def _update_statement(is_keyed: bool) -> DirectStatement:
    columns = ", ".join(f"{name} = {value(name)}" for name in TYPES)
    search = "search = coalesce(CAST(CAST(:search AS text) AS tsvector), task.search)"
    return DirectStatement(
        text(f"""
    WITH {WHO},
    {_seen_task("task.version = CAST(:version AS integer)")},
    {numbered()}, {_set(f"{columns}, {search}", "task.id, task.version")},
    {noted("CAST(:before AS jsonb)", "CAST(:after AS jsonb)")}{storing(is_keyed, "CAST(:answer_body AS text)")}
    SELECT {TOLD} FROM who CROSS JOIN seen LEFT JOIN (written CROSS JOIN numbered) ON true
    """)  # noqa: S608 - only our own words are put into it
    )
