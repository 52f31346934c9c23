"""Dates as people mean them: a day, a time that floats, a time on the wall of some place."""

from typing import Any

import pytest
from tests.support.people import Person
from tests.support.problems import pointers

WHOLE: list[dict[str, str | None]] = [
    {"date": "2026-12-01", "time": None, "timezone": None},
    {"date": "2026-12-01", "time": "17:00", "timezone": None},
    {"date": "2026-12-01", "time": "00:00", "timezone": None},
    {"date": "2026-12-01", "time": "17:00:30", "timezone": "Europe/Berlin"},
    {"date": "2026-12-01", "time": "23:59:59", "timezone": "America/Argentina/ComodRivadavia"},
    {"date": "2024-02-29", "time": "12:00", "timezone": "Asia/Kathmandu"},
    {"date": "0001-01-02", "time": "00:00", "timezone": "Pacific/Kiritimati"},
    {"date": "9999-12-30", "time": "23:59:59", "timezone": "Pacific/Pago_Pago"},
]


@pytest.mark.parametrize("when", WHOLE, ids=lambda when: "-".join(filter(None, when.values())))
async def test_a_date_comes_back_exactly_as_it_was_given(ana: Person, when: dict[str, str | None]) -> None:
    task = await ana.make("/tasks", title="x", due=when, start=when)
    assert (task["due"], task["start"]) == (when, when)
    assert (await ana.get(f"/tasks/{task['id']}")).json() == task
    assert (await ana.all("/tasks", sort="due")) == [task]


async def test_what_is_left_out_is_null(ana: Person) -> None:
    task = await ana.make("/tasks", title="x", due={"date": "2026-12-01"})
    assert task["due"] == {"date": "2026-12-01", "time": None, "timezone": None}


@pytest.mark.parametrize(
    ("due", "pointer"),
    [
        ({}, "/due/date"),
        ({"time": "17:00"}, "/due/date"),
        ({"date": None}, "/due/date"),
        ({"date": "2026-12-01", "timezone": "Europe/Berlin"}, "/due"),
        ({"date": "2026-02-30"}, "/due/date"),
        ({"date": "2026-12-01T10:00:00"}, "/due/date"),
        ({"date": "01.12.2026"}, "/due/date"),
        ({"date": 20261201}, "/due/date"),
        ({"date": "0001-01-01"}, "/due/date"),
        ({"date": "9999-12-31"}, "/due/date"),
        ({"date": "2026-12-01", "time": "24:00"}, "/due/time"),
        ({"date": "2026-12-01", "time": "17:00:60"}, "/due/time"),
        ({"date": "2026-12-01", "time": "17:00:00.5"}, "/due/time"),
        ({"date": "2026-12-01", "time": "17:00Z"}, "/due/time"),
        ({"date": "2026-12-01", "time": "17:00+01:00"}, "/due/time"),
        ({"date": "2026-12-01", "time": "5pm"}, "/due/time"),
        ({"date": "2026-12-01", "time": "17:00\n"}, "/due/time"),
        ({"date": "2026-12-01", "time": 61200}, "/due/time"),
        ({"date": "2026-12-01", "time": "17:00", "timezone": "Mars/Base"}, "/due/timezone"),
        ({"date": "2026-12-01", "time": "17:00", "timezone": "localtime"}, "/due/timezone"),
        ({"date": "2026-12-01", "time": "17:00", "timezone": "../etc/passwd"}, "/due/timezone"),
        ({"date": "2026-12-01", "time": "17:00", "timezone": "europe/berlin"}, "/due/timezone"),
        ({"date": "2026-12-01", "time": "17:00", "timezone": ""}, "/due/timezone"),
        ({"date": "2026-12-01", "hour": 5}, "/due/hour"),
        ("2026-12-01", "/due"),
        ([], "/due"),
    ],
)
async def test_a_date_that_means_nothing_is_refused_with_its_pointer(
    ana: Person, due: Any, pointer: str
) -> None:
    assert pointer in pointers(await ana.post("/tasks", {"title": "x", "due": due}))
    task = await ana.make("/tasks", title="x", due={"date": "2026-12-01"})
    is_patch = due in ({}, {"time": "17:00"})
    if not is_patch:
        refused = await ana.patch(f"/tasks/{task['id']}", {"due": due})
        assert pointers(refused) == [pointer]


@pytest.mark.parametrize(
    ("why", "date", "time", "instant", "later"),
    [
        ("summer", "2026-07-01", "12:00", "2026-07-01T10:00:00Z", "2026-07-01T10:00:01Z"),
        ("winter", "2026-12-01", "12:00", "2026-12-01T11:00:00Z", "2026-12-01T11:00:01Z"),
        ("skipped by the clock", "2026-03-29", "02:30", "2026-03-29T01:30:00Z", "2026-03-29T01:30:01Z"),
        ("shown twice by the clock", "2026-10-25", "02:30", "2026-10-25T00:30:00Z", "2026-10-25T00:30:01Z"),
    ],
)
async def test_a_time_in_a_zone_is_one_moment(
    ana: Person, why: str, date: str, time: str, instant: str, later: str
) -> None:
    """Of a time shown twice the first, of one skipped what the clock would show without the change (PEP 495)."""
    task = await ana.make("/tasks", title=why, due={"date": date, "time": time, "timezone": "Europe/Berlin"})
    assert await ana.all("/tasks", due_after=instant) == [task]
    assert await ana.all("/tasks", due_after=later) == []
    assert await ana.all("/tasks", due_before=later) == [task]
    assert await ana.all("/tasks", due_before=instant) == []


async def test_the_moment_follows_when_the_zone_is_changed(ana: Person) -> None:
    berlin = {"date": "2026-12-01", "time": "12:00", "timezone": "Europe/Berlin"}
    task = await ana.make("/tasks", title="x", due=berlin)
    await ana.patch(f"/tasks/{task['id']}", {"due": {"timezone": "Asia/Tokyo"}})
    assert len(await ana.all("/tasks", due_before="2026-12-01T03:00:01Z")) == 1
    await ana.patch(f"/tasks/{task['id']}", {"due": {"timezone": None}})
    assert len(await ana.all("/tasks", due_before="2026-12-01T03:00:01Z")) == 0


async def test_a_day_ends_with_the_day_of_whoever_asks(ana: Person) -> None:
    task = await ana.make("/tasks", title="All day", due={"date": "2026-12-01"})
    # In Auckland the day is over at 11:00 UTC, in Honolulu the next morning at 10:00 UTC.
    noon = "2026-12-01T12:00:00Z"
    assert await ana.all("/tasks", due_before=noon, timezone="Pacific/Auckland") == [task]
    assert await ana.all("/tasks", due_before=noon, timezone="Pacific/Honolulu") == []
    assert await ana.all("/tasks", due_after=noon, timezone="Pacific/Auckland") == []
    assert await ana.all("/tasks", due_after=noon, timezone="Pacific/Honolulu") == [task]


async def test_a_floating_time_is_meant_where_whoever_asks_is(ana: Person) -> None:
    task = await ana.make("/tasks", title="Floating", due={"date": "2026-12-01", "time": "09:00"})
    ten_in_berlin = "2026-12-01T09:00:00Z"
    assert await ana.all("/tasks", due_before=ten_in_berlin, timezone="Europe/Berlin") == [task]
    assert await ana.all("/tasks", due_before=ten_in_berlin, timezone="Europe/London") == []


async def test_without_a_zone_in_the_query_the_one_of_the_profile_counts(ana: Person) -> None:
    task = await ana.make("/tasks", title="Floating", due={"date": "2026-12-01", "time": "09:00"})
    assert await ana.all("/tasks", due_before="2026-12-01T09:00:00Z") == []
    assert (await ana.patch("/users/me", {"timezone": "Europe/Berlin"})).status_code == 200
    assert await ana.all("/tasks", due_before="2026-12-01T09:00:00Z") == [task]


async def test_a_date_as_a_bound_is_the_first_moment_of_that_day(ana: Person) -> None:
    due = {"date": "2026-12-01", "time": "00:00", "timezone": "Europe/Berlin"}
    midnight = await ana.make("/tasks", title="x", due=due)
    assert await ana.all("/tasks", due_after="2026-12-01", timezone="Europe/Berlin") == [midnight]
    assert await ana.all("/tasks", due_before="2026-12-01", timezone="Europe/Berlin") == []
    assert await ana.all("/tasks", due_before="2026-12-01", timezone="UTC") == [midnight]


async def test_a_bound_without_zone_is_meant_in_the_zone_of_the_query(ana: Person) -> None:
    due = {"date": "2026-12-01", "time": "12:00", "timezone": "Europe/Berlin"}
    noon = await ana.make("/tasks", title="x", due=due)
    berlin, utc = {"timezone": "Europe/Berlin"}, {"timezone": "UTC"}
    assert await ana.all("/tasks", due_after="2026-12-01T12:00", **berlin) == [noon]
    assert await ana.all("/tasks", due_after="2026-12-01T12:00", **utc) == []
    assert await ana.all("/tasks", due_after="2026-12-01T12:00:00+01:00", **utc) == [noon]


@pytest.mark.parametrize("bound", ["due_before", "due_after"])
@pytest.mark.parametrize(
    "value", ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
)
@pytest.mark.parametrize("timezone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
async def test_bounds_at_the_ends_of_time_are_no_failure(
    ana: Person, bound: str, value: str, timezone: str
) -> None:
    task = await ana.make("/tasks", title="x", due={"date": "2026-12-01"})
    response = await ana.get("/tasks", params={bound: value, "timezone": timezone})
    assert response.status_code in {200, 422}, response.text
    if response.status_code == 200:
        is_within = (bound == "due_before") == value.startswith("9999")
        assert response.json()["items"] == ([task] if is_within else [])


@pytest.mark.parametrize("value", ["", "soon", "2026-02-30", "2026-13-01T00:00:00Z", "now", "\x00"])
@pytest.mark.parametrize("bound", ["due_before", "due_after", "updated_after"])
async def test_a_bound_that_is_no_date_is_refused(ana: Person, bound: str, value: str) -> None:
    assert pointers(await ana.get("/tasks", params={bound: value})) == [f"/{bound}"]


async def test_a_moment_of_writing_needs_its_zone(ana: Person) -> None:
    await ana.make("/tasks", title="x")
    assert pointers(await ana.get("/tasks", params={"updated_after": "2026-12-01T00:00:00"})) == [
        "/updated_after"
    ]
    assert len(await ana.all("/tasks", updated_after="0001-01-01T00:00:00Z")) == 1
    assert await ana.all("/tasks", updated_after="9999-12-31T23:59:59Z") == []
    far = {"updated_after": "0001-01-01T00:00:00+14:00"}
    assert pointers(await ana.get("/tasks", params=far)) == ["/updated_after"]
