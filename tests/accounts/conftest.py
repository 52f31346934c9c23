from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI
from tests.support.people import Person
from tests.support.signing_in import give_password, make_admin, visitor_at

from dutiful.accounts import passwords
from dutiful.database.session import Database


@pytest.fixture
async def door(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at an address of their own, without a token."""
    async with visitor_at(app) as client:
        yield client


@pytest.fixture
async def eve(new_person: Callable[[str], Awaitable[Person]], database: Database) -> Person:
    """With a password."""
    person = await new_person("Eve")
    await give_password(database, person)
    return person


@pytest.fixture
async def admin(new_person: Callable[[str], Awaitable[Person]], database: Database) -> Person:
    person = await new_person("Ada")
    await make_admin(database, person)
    return person


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that passwords were compared with."""
    found: list[str] = []
    real = passwords._verify

    def verify(password: str, password_hash: str) -> bool:
        found.append(password_hash)
        return real(password, password_hash)

    monkeypatch.setattr(passwords, "_verify", verify)
    return found
