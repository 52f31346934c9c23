"""A write that waited for a lock decides by what is true once it has it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.conftest import MakePerson
from tests.support.people import Person
from tests.support.sharing import share

from dutiful import access
from dutiful.accounts import erasure
from dutiful.database.session import Database, Writer
from dutiful.models import Member, Role
from dutiful.versions import ANY
from dutiful.workspaces import service
from dutiful.workspaces.schemas import MemberCreate, MemberPatch

Request = tuple[str, str, dict[str, Any] | None]

REQUESTS: list[Request] = [
    ("PATCH", "", {"name": "Mine"}),
    ("DELETE", "", None),
    ("POST", "/members", {"email": "{eve}"}),
    ("PATCH", "/members/{ana}", {"role": "viewer"}),
    ("DELETE", "/members/{ana}", None),
    ("POST", "/transfer", {"user_id": "{ana}"}),
    ("POST", "/invitations", {}),
]


@pytest.mark.parametrize("request_", REQUESTS)
async def test_who_lost_the_role_meanwhile_is_refused(
    ana: Person, bob: Person, new_person: MakePerson, database: Database, request_: Request
) -> None:
    workspace_id = await share(ana, bob, role="owner")

    async def demote(session: Writer) -> None:
        viewer = MemberPatch(role=Role.VIEWER)
        await service.update_member(session, ana.actor(), workspace_id, bob.user_id, viewer, ANY)

    eve = await new_person("Eve")
    await share(eve, bob)
    request = send(bob, workspace_id, request_, ana, eve)
    response = await answer_during(database, demote, request)
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    await nothing_happened(ana, workspace_id)


@pytest.mark.parametrize("request_", REQUESTS)
async def test_who_was_removed_meanwhile_sees_nothing(
    ana: Person, bob: Person, new_person: MakePerson, database: Database, request_: Request
) -> None:
    workspace_id = await share(ana, bob, role="owner")

    async def remove(session: Writer) -> None:
        await service.remove_member(session, ana.actor(), workspace_id, bob.user_id, ANY)

    eve = await new_person("Eve")
    await share(eve, bob)
    request = send(bob, workspace_id, request_, ana, eve)
    response = await answer_during(database, remove, request)
    assert response.status_code == 404
    await nothing_happened(ana, workspace_id)


async def test_a_task_is_not_changed_once_its_workspace_has_ended(
    ana: Person, bob: Person, database: Database
) -> None:
    workspace_id = await share(ana, bob)
    task = await bob.make("/tasks", title="Sweep", workspace_id=workspace_id)

    async def end(session: Writer) -> None:
        await service.delete(session, ana.actor(), workspace_id, ANY)

    for response in (
        await answer_during(database, end, lambda: bob.patch(f"/tasks/{task['id']}", {"title": "Mop"})),
        await bob.post("/tasks", {"title": "Mop", "workspace_id": workspace_id}),
    ):
        assert response.status_code in {404, 422}


async def test_who_joined_while_the_workspace_ends_is_told_too(
    ana: Person, bob: Person, new_person: MakePerson, database: Database
) -> None:
    eve = await new_person("Eve")
    await share(eve, bob)
    workspace_id = await share(ana, bob, role="owner")

    async def join(session: Writer) -> None:
        await service.add_member(session, bob.actor(), workspace_id, MemberCreate(email=eve.email))

    response = await answer_during(database, join, lambda: ana.delete(f"/workspaces/{workspace_id}"))
    assert response.status_code == 204
    news = (await eve.get(f"/workspaces/{eve.workspace_id}/changes")).json()["items"]
    assert [change["verb"] for change in news[-2:]] == ["workspace.joined", "workspace.left"]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (("POST", "/members", {"email": "{eve}"}), (422, "invalid")),
        (("PATCH", "/members/{eve_id}", {"role": "viewer"}), (404, "not_found")),
        (("DELETE", "/members/{eve_id}", None), (404, "not_found")),
        (("POST", "/transfer", {"user_id": "{eve_id}"}), (422, "invalid")),
        (("DELETE", "", None), (204, None)),
        (("POST", "/restore", None), (200, None)),
    ],
)
async def test_who_is_erased_meanwhile_is_met_no_more(
    ana: Person, new_person: MakePerson, database: Database, request_: Request, answer: tuple[int, str | None]
) -> None:
    eve = await new_person("Eve")
    workspace_id = await share(ana, eve)
    if request_[1] == "/members":
        # They know each other by the first one.
        workspace_id = await share(ana)
    if request_[1] == "/restore":
        await ana.delete(f"/workspaces/{workspace_id}")

    async def erase(session: Writer) -> None:
        await erasure.erase(session, None, eve.user_id)

    response = await answer_during(database, erase, send(ana, workspace_id, request_, ana, eve))
    code = None if response.is_success else response.json()["code"]
    assert (response.status_code, code) == answer
    async with database.read() as session:
        assert await session.scalar(select(Member.id).where(Member.user_id == eve.user_id)) is None


async def test_strangers_make_nobody_wait(ana: Person, bob: Person, database: Database) -> None:
    workspace_id = await share(ana)

    async def hold(session: Writer) -> None:
        await access.lock_workspaces(session, [workspace_id])
        for request_ in REQUESTS:
            async with asyncio.timeout(5):
                response = await send(bob, workspace_id, request_, ana, bob)()
            assert response.status_code == 404

    await database.write(hold)


def send(
    person: Person, workspace_id: int, request: Request, ana: Person, eve: Person
) -> Callable[[], Awaitable[httpx.Response]]:
    method, path, body = request
    names = {"ana": ana.user_id, "eve": eve.email, "eve_id": eve.user_id}
    if body is not None:
        body = {name: value.format(**names) for name, value in body.items()}
        body |= {name: int(value) for name, value in body.items() if name == "user_id"}
    full = f"/workspaces/{workspace_id}{path.format(**names)}"
    return lambda: person.request(method, full, json=body)


async def answer_during(
    database: Database,
    change: Callable[[Writer], Awaitable[None]],
    request: Callable[[], Awaitable[httpx.Response]],
) -> httpx.Response:
    """The answer to a request that comes when the change is made but not committed."""
    made, commit = asyncio.Event(), asyncio.Event()

    async def work(session: Writer) -> None:
        await change(session)
        await session.flush()
        made.set()
        await commit.wait()

    changing = asyncio.create_task(database.write(work))
    await made.wait()
    answering = asyncio.create_task(_as_coroutine(request))
    await asyncio.sleep(0.1)
    assert not answering.done(), "it was to wait"
    commit.set()
    await changing
    return await answering


async def _as_coroutine(request: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    return await request()


async def nothing_happened(ana: Person, workspace_id: int) -> None:
    workspace = (await ana.get(f"/workspaces/{workspace_id}")).json()
    assert (workspace["name"], workspace["role"], workspace["version"]) == ("Flat", "owner", 1)
