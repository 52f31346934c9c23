"""The lists of accounts ask no more of PostgreSQL for many than for one."""

import httpx
from tests.conftest import MakePerson
from tests.support.people import Person
from tests.support.signing_in import signed_in
from tests.support.statements import count_statements

from dutiful.database.session import Database


async def statements_of(person: Person, database: Database, path: str) -> tuple[int, int]:
    """How many statements, and for how many items."""
    await person.get(path)
    with count_statements(database) as statements:
        response = await person.get(path)
    return len(statements), len(response.json()["items"])


async def test_sign_ins_and_events(
    eve: Person, admin: Person, door: httpx.AsyncClient, database: Database
) -> None:
    person = await signed_in(door, eve)
    paths = {"/sessions": person, f"/users/{eve.user_id}/events": admin, "/users/me/events": person}
    before = [await statements_of(who, database, path) for path, who in paths.items()]
    for _ in range(3):
        await signed_in(door, eve)
    after = [await statements_of(who, database, path) for path, who in paths.items()]
    assert [count for count, _ in after] == [count for count, _ in before]
    assert all(many > few for (_, many), (_, few) in zip(after, before, strict=True))


async def test_people(admin: Person, database: Database, new_person: MakePerson) -> None:
    few = await statements_of(admin, database, "/users?limit=1")
    for _ in range(3):
        await new_person("Many")
    many = await statements_of(admin, database, "/users?limit=200")
    assert few[0] == many[0] == 2
    assert many[1] > few[1]
