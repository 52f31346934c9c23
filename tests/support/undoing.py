"""Takes things back, and compares what there was with what there is."""

from typing import Any

import httpx
from sqlalchemy import select
from tests.support.people import Person

from dutiful.access import workspace_of
from dutiful.database.session import Database
from dutiful.models import Change, Label, Project, Section, Task

Content = dict[tuple[str, int], dict[str, Any]]


async def undo(person: Person, change_id: str, **body: Any) -> Any:
    """The answer of an undo that must succeed; `request=True` for the whole request."""
    response = await person.post(f"/changes/{change_id}/undo", body or None)
    assert response.status_code == 200, response.text
    return response.json()


async def made_by(database: Database, response: httpx.Response) -> list[str]:
    """The ids of the changes that a request made, in their order."""
    assert response.is_success, response.text
    statement = select(Change).where(Change.request_id == response.headers["x-request-id"])
    async with database.read() as session:
        changes = await session.scalars(statement.order_by(Change.workspace_id, Change.seq))
        return [change.id for change in changes]


async def latest(person: Person, back: int = 0) -> str:
    """The first change of the person's latest request, or of one further back."""
    response = await person.get("/changes/latest", params={"limit": back + 1})
    assert response.status_code == 200, response.text
    return str(response.json()["items"][back]["change_id"])


async def content_of(database: Database, workspace_id: int) -> Content:
    """All that lives or is in the trash, all fields but versions and times of writing. Of order keys the order among
    the living is told, of the time of deletion that there is one."""
    content: Content = {}
    async with database.read() as session:
        kinds: tuple[Any, ...] = (Project, Section, Label, Task)
        for kind in kinds:
            rows = await session.scalars(select(kind).where(workspace_of(kind) == workspace_id))
            for row in rows:
                content[row.entity, row.id] = row.state() | {"trash_id": row.trash_id}
    return content


def in_short(content: Content) -> Content:
    """The same, to be equal where people see no difference: keys as ranks among the living, deletions as yes or no."""
    ranks = _ranks(content)
    short: Content = {}
    for key, fields in content.items():
        state = {name: value for name, value in fields.items() if name not in {"position", "trash_id"}}
        short[key] = state | {"deleted_at": fields["deleted_at"] is not None, "rank": ranks.get(key)}
    return short


def _ranks(content: Content) -> dict[tuple[str, int], int]:
    lists: dict[Any, list[tuple[str, tuple[str, int]]]] = {}
    for key, fields in content.items():
        if fields["deleted_at"] is None and "position" in fields:
            place = [fields.get(name) for name in ("project_id", "section_id", "parent_id")]
            lists.setdefault((key[0], *place), []).append((fields["position"], key))
    return {key: rank for mine in lists.values() for rank, (_, key) in enumerate(sorted(mine))}
