"""Further servers on the tests' database: with other settings, with routes of a test's own, behind a bad network."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx
from fastapi import APIRouter, FastAPI
from sqlalchemy import URL
from sqlalchemy.pool import QueuePool
from tests.support.contract import hold_to_contract
from tests.support.people import Person

from dutiful.app import create_app
from dutiful.database.session import Database
from dutiful.settings import Settings


@dataclass(frozen=True)
class Server:
    app: FastAPI
    client: httpx.AsyncClient
    database: Database

    def serve(self, person: Person) -> Person:
        """The same person, talking to this server."""
        return replace(person, client=self.client)

    def connections_in_use(self) -> int:
        return connections_in_use(self.database)


def connections_in_use(database: Database) -> int:
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


@asynccontextmanager
async def running(settings: Settings, url: URL | str, *routers: APIRouter) -> AsyncIterator[Server]:
    """A server that must have given back every connection by the end."""
    app = create_app(settings, url)
    for router in routers:
        app.include_router(router)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport,
            base_url="http://dutiful.test",
            event_hooks={"response": [hold_to_contract]},
        ) as client,
    ):
        server = Server(app, client, app.state.database)
        yield server
        assert server.connections_in_use() == 0, "a connection was not given back"
