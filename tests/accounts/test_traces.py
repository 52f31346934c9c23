"""Every write to an account leaves an event. The other writes are in tests/api/test_every_write_leaves_a_trace.py."""

import httpx
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import URL, select
from tests.support.people import API, Person
from tests.support.problems import problem
from tests.support.servers import running
from tests.support.sharing import account_events
from tests.support.signing_in import ANOTHER, PASSWORD, signed_in, visitor_at
from tests.support.traces import TRACES

from dutiful.database.session import Database
from dutiful.models import AccountEvent, User
from dutiful.settings import Settings


async def test_each_leaves_its_event(
    eve: Person, bob: Person, admin: Person, settings: Settings, database_url: URL, database: Database
) -> None:
    update = {"smtp_url": SecretStr("smtp://127.0.0.1:1"), "sign_up": "open"}
    left: dict[str, str] = {}

    async def note(name: str, person: Person, response: httpx.Response) -> None:
        assert response.is_success, f"{name}: {response.text}"
        left[name] = (await account_events(database, person))[-1].verb

    async with (
        running(settings.model_copy(update=update), database_url) as server,
        visitor_at(server.app) as door,
    ):
        admin = server.serve(admin)
        here = await signed_in(door, eve)
        await note("POST /sessions", eve, await here.get("/users/me"))
        await note("DELETE /sessions/current", eve, await here.delete("/sessions/current"))
        here = await signed_in(door, eve)
        for name in ("DELETE /sessions", "DELETE /sessions/{session_id}"):
            await signed_in(door, eve)
            other = (await here.all("/sessions"))[-1]["id"]
            path = name.removeprefix("DELETE ").format(session_id=other)
            await note(name, eve, await here.delete(path))
        body = {"current_password": PASSWORD, "new_password": ANOTHER}
        await note("POST /users/me/password", eve, await here.post("/users/me/password", body))
        asked = await door.post(f"{API}/password-resets", json={"email": eve.email})
        await note("POST /password-resets", eve, asked)
        path = f"/users/{eve.user_id}"
        link = await admin.post(f"{path}/password-reset")
        await note("POST /users/{user_id}/password-reset", eve, link)
        use = {"token": link.json()["token"], "password": PASSWORD}
        used = await door.post(f"{API}/password-resets/use", json=use)
        await note("POST /password-resets/use", eve, used)
        await note("PATCH /users/{user_id}", eve, await admin.patch(path, {"name": "Eve Two"}))
        await note("PUT /users/{user_id}", eve, await admin.put(path, {"name": "Eve Three"}))
        await note("POST /users/{user_id}/disable", eve, await admin.post(f"{path}/disable"))
        await note("POST /users/{user_id}/enable", eve, await admin.post(f"{path}/enable"))
        await note(
            "DELETE /users/me", eve, await eve.request("DELETE", "/users/me", json={"password": PASSWORD})
        )
        await note("DELETE /users/{user_id}", bob, await admin.delete(f"/users/{bob.user_id}"))
        for name, path in (("POST /users", "/users"), ("POST /sign-up", "/sign-up")):
            email = f"{path.strip('/')}-{eve.email}"
            made = await admin.post(
                path, {"email": email} | ({"password": PASSWORD} if "sign" in path else {})
            )
            assert made.status_code == 201, made.text
            left[name] = await latest_event_of(database, email)
    assert left == TRACES


async def latest_event_of(database: Database, email: str) -> str:
    async with database.read() as session:
        mine = (
            select(AccountEvent.verb).join(User, User.id == AccountEvent.user_id).where(User.email == email)
        )
        return (await session.scalars(mine.order_by(AccountEvent.id.desc()).limit(1))).one()


async def test_what_is_refused_leaves_none(
    app: FastAPI, eve: Person, ana: Person, database: Database
) -> None:
    before = [event.id for event in await account_events(database, eve)]
    for call in (ana.post(f"/users/{eve.user_id}/disable"), ana.delete(f"/users/{eve.user_id}")):
        problem(await call, 403)
    assert [event.id for event in await account_events(database, eve)] == before
