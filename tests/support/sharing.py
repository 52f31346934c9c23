"""Workspaces with several people in them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from tests.support.people import Person

from dutiful.database.session import Database, Writer
from dutiful.models import AccountEvent, User


@dataclass(frozen=True)
class Shared:
    id: int
    inbox_id: int


async def share(owner: Person, *others: Person, role: str = "editor", name: str = "Flat") -> int:
    """The id of a new workspace of the owner's with the others in it."""
    return (await make_shared(owner, *others, role=role, name=name)).id


async def make_shared(owner: Person, *others: Person, role: str = "editor", name: str = "Flat") -> Shared:
    workspace = await owner.make("/workspaces", name=name)
    await admit(owner, workspace["id"], *others, role=role)
    return Shared(workspace["id"], workspace["inbox_id"])


async def admit(owner: Person, workspace_id: int, *others: Person, role: str = "editor") -> None:
    """By an invitation, since strangers cannot be added."""
    if others:
        token = await invite(owner, workspace_id, role=role, uses=len(others))
        for other in others:
            await other.make("/invitations/accept", token=token)


async def remove_member(owner: Person, workspace_id: int, person: Person) -> None:
    removed = await owner.delete(f"/workspaces/{workspace_id}/members/{person.user_id}")
    assert removed.status_code == 204, removed.text


async def invite(owner: Person, workspace_id: int, **wanted: Any) -> str:
    """The secret of a new invitation."""
    made = await owner.make(f"/workspaces/{workspace_id}/invitations", **wanted)
    return str(made["token"])


async def journal(person: Person, workspace_id: int) -> list[Any]:
    """All changes of a workspace."""
    response = await person.get(f"/workspaces/{workspace_id}/changes", params={"limit": 1000})
    assert response.status_code == 200, response.text
    items: list[Any] = response.json()["items"]
    return items


async def verbs(person: Person, workspace_id: int) -> list[str]:
    return [change["verb"] for change in await journal(person, workspace_id)]


async def account_events(database: Database, person: Person) -> list[AccountEvent]:
    statement = select(AccountEvent).where(AccountEvent.user_id == person.user_id).order_by(AccountEvent.id)
    async with database.read() as session:
        return list(await session.scalars(statement))


async def disable(database: Database, person: Person) -> None:
    async def work(session: Writer) -> None:
        user = await session.get_one(User, person.user_id)
        user.disabled_at = user.created_at

    await database.write(work)
