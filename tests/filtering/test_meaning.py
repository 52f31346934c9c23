"""What a filter finds is what plain Python finds, in the real database."""

import datetime as dt
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.filtering.world import FILTERS, MOMENTS, ZONES, Tree, World, holds, make_world, text_of
from tests.support.people import Person

from dutiful.database.session import Database
from dutiful.tasks import queries


@pytest.fixture
async def world(ana: Person, bob: Person, database: Database) -> World:
    return await make_world(ana, bob, database)


@settings(
    max_examples=400,
    deadline=None,
    # One world is enough for all of them; nothing is written.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(tree=FILTERS, now=st.sampled_from(MOMENTS), zone=st.sampled_from(ZONES))
async def test_a_filter_finds_what_plain_python_finds(
    ana: Person, world: World, tree: Tree, now: dt.datetime, zone: str
) -> None:
    # The space ends the last word.
    text = text_of(tree, world) + " "
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(queries, "clock", SimpleNamespace(now=lambda: now))
        response = await ana.get("/tasks", params={"filter": text, "timezone": zone, "limit": 200})
    assert response.status_code == 200, (text, response.text)
    found = {task["id"]: task["title"] for task in response.json()["items"]}
    expected = {task["id"]: task["title"] for task in world.tasks if holds(tree, task, world, now, zone)}
    assert found == expected, text
