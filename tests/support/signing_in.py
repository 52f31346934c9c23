"""People with passwords, and places to sign in from."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
from fastapi import FastAPI
from sqlalchemy import update
from tests.support.contract import hold_to_contract
from tests.support.people import API, Person

from dutiful.accounts import password_changes
from dutiful.accounts.passwords import hash_password
from dutiful.database.session import Database, Writer
from dutiful.models import User

PASSWORD = "lilac tram 82 pond"
ANOTHER = "copper 19 violin moss"

# Attempts are counted for each address, so every test comes from addresses of its own.
_addresses = (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in itertools.count(1))


def new_address() -> str:
    return next(_addresses)


@asynccontextmanager
async def visitor_at(
    app: FastAPI, address: str | None = None, user_agent: str = "a test"
) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address or new_address(), 123))
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://dutiful.test",
        headers={"User-Agent": user_agent},
        event_hooks={"response": [hold_to_contract]},
    ) as client:
        yield client


async def give_password(database: Database, person: Person, password: str = PASSWORD) -> None:
    await password_changes.set_password(database, person.user_id, await hash_password(password))


async def make_admin(database: Database, person: Person, *, is_admin: bool = True) -> None:
    async def work(session: Writer) -> None:
        await session.execute(update(User).where(User.id == person.user_id).values(is_admin=is_admin))

    await database.write(work)


async def sign_in(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post(f"{API}/sessions", json={"email": email, "password": password})


async def signed_in(client: httpx.AsyncClient, person: Person, password: str = PASSWORD) -> Person:
    """The same person with the token of a new sign-in."""
    response = await sign_in(client, person.email, password)
    assert response.status_code == 201, response.text
    return replace(person, token=response.json()["token"], client=client)
