"""Somebody who uses the server, for tests that read like a story: `await ana.post("/tasks", json=…)`."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
from sqlalchemy import select

from dutiful.access import Actor
from dutiful.accounts import service as accounts
from dutiful.database.session import Database, Writer
from dutiful.models import Scope, User, Workspace

API = "/api/v1"


@dataclass(frozen=True)
class Person:
    user_id: int
    email: str
    workspace_id: int
    inbox_id: int
    token: str
    client: httpx.AsyncClient

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return await self.client.request(method, API + path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return await self.request("POST", path, json=json, **options)

    async def patch(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return await self.request("PATCH", path, json=json, **options)

    async def put(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return await self.request("PUT", path, json=json, **options)

    async def delete(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("DELETE", path, **options)

    async def make(self, path: str, **fields: Any) -> Any:
        """The thing made by a POST that must succeed."""
        response = await self.post(path, fields)
        assert response.status_code == 201, response.text
        return response.json()

    async def all(self, path: str, **params: Any) -> list[Any]:
        """All items of a list, page by page."""
        items: list[Any] = []
        while True:
            response = await self.get(path, params=params)
            assert response.status_code == 200, response.text
            page = response.json()
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            params["cursor"] = page["next_cursor"]

    def with_token(self, token: str) -> "Person":
        return replace(self, token=token)

    def actor(self) -> Actor:
        return Actor(
            user_id=self.user_id,
            timezone="UTC",
            is_admin=False,
            personal_workspace_id=self.workspace_id,
            inbox_id=self.inbox_id,
            scope=Scope.ADMIN,
            request_id=uuid.uuid4(),
        )


async def make_person(
    database: Database, client: httpx.AsyncClient, name: str, scopes: Sequence[Scope] = tuple(Scope)
) -> Person:
    email = f"{uuid.uuid4().hex[:12]}@example.org"

    async def work(session: Writer) -> tuple[User, Workspace, str]:
        user = await accounts.create_user(session, name, email=email)
        _, secret = await accounts.create_token(session, user.id, "tests", scopes)
        home = (await session.scalars(select(Workspace).where(Workspace.personal_of == user.id))).one()
        return user, home, secret

    user, home, secret = await database.write(work)
    return Person(user.id, email, home.id, home.inbox_id, secret, client)
