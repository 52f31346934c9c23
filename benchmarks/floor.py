"""The floor: the least that a Python process can do to answer the same requests with the same JSON.

A bare ASGI function, the driver's own pool, one plain statement for each request. No authentication, no rights, no
journal, no versions kept for others to compare, no words for the search, hardly any validation. What a task server
does beyond this is what it costs.
"""

import gc
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl

import asyncpg  # type: ignore[import-untyped]
import orjson

PRIORITIES = ("none", "low", "medium", "high", "urgent")
RANKS = {word: rank for rank, word in enumerate(PRIORITIES)}

_COLUMNS = """id, workspace_id, project_id, section_id, parent_id, title, description, status, priority, label_ids,
    assignee_id, start_date, start_time, start_timezone, due_date, due_time, due_timezone, recurrence, series_id, position, uid, version,
    created_at, created_by, updated_at, completed_at, deleted_at"""
_GET = f"SELECT {_COLUMNS} FROM tasks WHERE id = $1 AND deleted_at IS NULL"
_LIST = f"SELECT {_COLUMNS} FROM tasks WHERE workspace_id = $1 AND deleted_at IS NULL AND id > $2 ORDER BY id LIMIT $3"
_LIST_DUE = f"""SELECT {_COLUMNS} FROM tasks WHERE workspace_id = $1 AND deleted_at IS NULL AND id > $2
    AND status = $4 AND due_date < $5 ORDER BY id LIMIT $3"""
_LIST_ALL = f"SELECT {_COLUMNS} FROM tasks WHERE deleted_at IS NULL AND id > $1 ORDER BY id LIMIT $2"
_CREATE = f"""INSERT INTO tasks (workspace_id, project_id, title, description, status, priority, label_ids, position,
    uid, version, created_at, updated_at)
    VALUES ($1, $2, $3, $4, 'open', $5, '{{}}', $6, $7, 1, $8, $8) RETURNING {_COLUMNS}"""
_UPDATE = f"UPDATE tasks SET priority = $2, version = version + 1, updated_at = $3 WHERE id = $1 RETURNING {_COLUMNS}"

_TASKS = "/api/v1/tasks"
_ONE = _TASKS + "/"
# In the order of time, as the product's keys at the end of a list are, and no two processes make the same.
_KEY_END = f"{os.getpid():x}"

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

pool: asyncpg.Pool


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    path = scope["path"]
    if path.startswith(_ONE):
        task_id = int(path[len(_ONE) :])
        if scope["method"] == "GET":
            await _answer_one(send, 200, await pool.fetchrow(_GET, task_id))
        else:
            body = orjson.loads(await _body(receive))
            row = await pool.fetchrow(_UPDATE, task_id, RANKS[body["priority"]], datetime.now(UTC))
            await _answer_one(send, 200, row)
    elif path == _TASKS and scope["method"] == "GET":
        await _list(scope["query_string"], send)
    elif path == _TASKS:
        await _create(orjson.loads(await _body(receive)), send)
    else:
        await _answer(send, 200 if path == "/readyz" else 404, b"{}")


async def _list(query_string: bytes, send: Send) -> None:
    query = dict(parse_qsl(query_string.decode()))
    limit, after = int(query.get("limit", 50)), int(query.get("cursor", 0))
    # One more than asked for tells whether there is a next page.
    if "workspace_id" not in query:
        rows = await pool.fetch(_LIST_ALL, after, limit + 1)
    elif "due_before" in query:
        workspace_id, due_before = int(query["workspace_id"]), date.fromisoformat(query["due_before"])
        rows = await pool.fetch(_LIST_DUE, workspace_id, after, limit + 1, query["status"], due_before)
    else:
        rows = await pool.fetch(_LIST, int(query["workspace_id"]), after, limit + 1)
    items = [_task(row) for row in rows[:limit]]
    next_cursor = str(items[-1]["id"]) if len(rows) > limit else None
    page = {"items": items, "count": len(items), "next_cursor": next_cursor}
    await _answer(send, 200, orjson.dumps(page, option=orjson.OPT_UTC_Z))


async def _create(body: dict[str, Any], send: Send) -> None:
    row = await pool.fetchrow(
        _CREATE,
        body["workspace_id"],
        body["project_id"],
        body["title"],
        body.get("description", ""),
        RANKS[body.get("priority", "none")],
        f"z{time.time_ns():x}{_KEY_END}",
        str(uuid.uuid4()),
        datetime.now(UTC),
    )
    await _answer_one(send, 201, row)


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    return body


async def _answer_one(send: Send, status: int, row: asyncpg.Record | None) -> None:
    if row is None:
        await _answer(send, 404, b"{}")
    else:
        await _answer(send, status, orjson.dumps(_task(row), option=orjson.OPT_UTC_Z))


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _task(row: asyncpg.Record) -> dict[str, Any]:
    # By position: a look-up of each name would take longer than all the rest.
    (
        task_id,
        workspace_id,
        project_id,
        section_id,
        parent_id,
        title,
        description,
        status,
        priority,
        label_ids,
        assignee_id,
        start_date,
        start_time,
        start_timezone,
        due_date,
        due_time,
        due_timezone,
        recurrence,
        series_id,
        position,
        uid,
        version,
        created_at,
        created_by,
        updated_at,
        completed_at,
        deleted_at,
    ) = row
    return {
        "id": task_id,
        "workspace_id": workspace_id,
        "project_id": project_id,
        "section_id": section_id,
        "parent_id": parent_id,
        "title": title,
        "description": description,
        "status": status,
        "priority": PRIORITIES[priority],
        "label_ids": label_ids,
        "assignee_id": assignee_id,
        "start": start_date and _when(start_date, start_time, start_timezone),
        "due": due_date and _when(due_date, due_time, due_timezone),
        "recurrence": recurrence and orjson.loads(recurrence),
        "series_id": series_id and str(series_id),
        "position": position,
        "uid": uid,
        "version": version,
        "created_at": created_at,
        "created_by": created_by,
        "updated_at": updated_at,
        "completed_at": completed_at,
        "deleted_at": deleted_at,
    }


def _when(day: Any, time_of_day: Any, timezone: str | None) -> dict[str, Any]:
    return {"date": day, "time": time_of_day and time_of_day.isoformat("minutes"), "timezone": timezone}


# --- start and end ----------------------------------------------------------------------------------------------------


async def _live(receive: Receive, send: Send) -> None:
    global pool  # noqa: PLW0603 - the shortest way to what every request needs
    await receive()
    pool = await asyncpg.create_pool(
        # As many as the product has. With 4 or 16 it was no faster.
        min_size=10,
        max_size=10,
        # The driver's own reset after each use would be a second round trip.
        reset=_leave_as_it_is,
        server_settings={"jit": "off", "timezone": "UTC"},
    )
    # As the product does.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})


async def _leave_as_it_is(_: asyncpg.Connection) -> None:
    """Plain statements leave nothing behind."""
