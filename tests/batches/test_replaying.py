"""Answers too long to keep are made again."""

from typing import Any

from sqlalchemy import select
from tests.support.people import Person

from dutiful.database.session import Database
from dutiful.models import IdempotencyKey

KEY = {"Idempotency-Key": "a key"}


async def test_a_long_answer_is_made_again(ana: Person, database: Database) -> None:
    old = await ana.make("/tasks", title="old")
    gone = await ana.make("/tasks", title="gone")
    operations: list[dict[str, Any]] = [
        {"op": "create", "type": "project", "ref": "p", "data": {"name": "Papers"}},
        {"op": "create", "type": "section", "data": {"name": "One", "project_id": "$p"}},
        {"op": "create", "type": "label", "ref": "l", "data": {"name": "home"}},
        {"op": "update", "type": "task", "id": old["id"], "data": {"title": "new"}},
        {"op": "delete", "type": "task", "id": gone["id"]},
        {"op": "create", "type": "task", "ref": "short", "data": {"title": "short-lived"}},
        {"op": "delete", "type": "task", "id": "$short"},
    ]
    operations += [
        {
            "op": "create",
            "type": "task",
            "ref": f"t{number}",
            "data": {"title": "x" * 400, "description": "ä" * 200, "project_id": "$p", "label_ids": ["$l"]},
        }
        for number in range(400)
    ]
    first = await ana.post("/batch", operations, headers=KEY)
    assert first.status_code == 200, first.text
    assert len(first.content) > 256_000
    await ana.post(f"/tasks/{gone['id']}/restore")
    again = await ana.post("/batch", operations, headers=KEY)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert again.json() == first.json()
    async with database.read() as session:
        statement = select(IdempotencyKey).where(IdempotencyKey.user_id == ana.user_id)
        kept = (await session.scalars(statement)).one()
    assert (kept.body, len(kept.made_ids or ())) == (None, len(operations))
