"""Labels wanted by id or by name: `labels.service.resolve` and `find`."""

import asyncio

from tests.support.people import Person
from tests.support.sharing import verbs
from tests.support.statements import count_statements

from dutiful.access import lock_workspace
from dutiful.database.session import Database, Writer
from dutiful.labels import service as labels

Wanted = list[int | str]


async def resolve(database: Database, person: Person, *wanted: int | str) -> dict[int | str, int]:
    actor = person.actor()

    async def work(session: Writer) -> dict[int | str, int]:
        await lock_workspace(session, actor, person.workspace_id)
        return await labels.resolve(session, actor, person.workspace_id, wanted)

    return await database.write(work)


async def find(database: Database, person: Person, *wanted: int | str) -> set[int]:
    async def work(session: Writer) -> set[int]:
        return await labels.find(session, person.workspace_id, wanted)

    return await database.write(work)


async def test_known_labels_are_found_by_id_and_by_name_in_any_case(ana: Person, database: Database) -> None:
    home = (await ana.make("/labels", name="Ärger zu Hause"))["id"]
    found = await resolve(database, ana, home, "ärger ZU hause", "Ärger zu Hause")
    assert found == {home: home, "ärger ZU hause": home, "Ärger zu Hause": home}


async def test_unknown_names_make_labels_once_and_in_order(ana: Person, database: Database) -> None:
    found = await resolve(database, ana, "b", "a", "B", "c", "a")
    made = await ana.all("/labels")
    assert [label["name"] for label in made] == ["b", "a", "c"]
    assert {label["name"]: label["id"] for label in made} | {"B": found["b"]} == found
    assert (await verbs(ana, ana.workspace_id))[-3:] == ["label.created"] * 3


async def test_ids_that_are_no_living_label_of_the_workspace_are_left_out(
    ana: Person, bob: Person, database: Database
) -> None:
    foreign = (await bob.make("/labels", name="his"))["id"]
    deleted = (await ana.make("/labels", name="gone"))["id"]
    await ana.delete(f"/labels/{deleted}")
    assert await resolve(database, ana, foreign, deleted, 2**62) == {}
    assert await find(database, ana, foreign, deleted, "his", "gone") == set()


async def test_finding_makes_nothing(ana: Person, database: Database) -> None:
    home = (await ana.make("/labels", name="home"))["id"]
    assert await find(database, ana, "HOME", home, "new") == {home}
    assert len(await ana.all("/labels")) == 1


async def test_wanting_nothing_asks_the_database_nothing(ana: Person, database: Database) -> None:
    with count_statements(database) as statements:
        assert await find(database, ana) == set()
    assert statements == []


async def test_a_thousand_names_take_the_same_statements_as_one(ana: Person, database: Database) -> None:
    known = (await ana.make("/labels", name="known"))["id"]
    with count_statements(database) as for_one:
        await resolve(database, ana, known, "one")
    with count_statements(database) as for_many:
        found = await resolve(database, ana, known, *(f"label {number}" for number in range(1000)))
    assert len(found) == 1001
    assert len(for_many) == len(for_one)


async def test_many_who_want_the_same_new_name_share_one_label(ana: Person) -> None:
    tasks = await asyncio.gather(
        *(ana.make("/tasks", title="x", labels_add=["neW", "new"]) for _ in range(10))
    )
    assert len(await ana.all("/labels")) == 1
    assert len({tuple(task["label_ids"]) for task in tasks}) == 1
