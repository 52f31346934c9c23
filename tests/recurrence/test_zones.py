"""The time on the wall stays, whatever the clocks do there."""

import datetime as dt
from itertools import islice

import pytest

from dutiful.models.when import When
from dutiful.recurrence import Recurrence, next_due, occurrences

DAILY = Recurrence("FREQ=DAILY")


def moments(start: str, timezone: str, count: int) -> list[str]:
    """Those of a daily task, in UTC."""
    day, _, time = start.partition("T")
    first = When(dt.date.fromisoformat(day), dt.time.fromisoformat(time), timezone)
    found = []
    for due in islice(occurrences(DAILY, first), count):
        assert (due.time, due.timezone) == (first.time, timezone)
        instant = due.instant()
        assert instant is not None
        found.append(f"{instant:%m-%dT%H:%M}")
    return found


@pytest.mark.parametrize(
    ("start", "timezone", "expected"),
    [
        # One hour is left out, comes twice; before and after it nothing changes on the wall.
        ("2026-03-28T09:00", "Europe/Berlin", ["03-28T08:00", "03-29T07:00", "03-30T07:00"]),
        ("2026-10-24T09:00", "Europe/Berlin", ["10-24T07:00", "10-25T08:00", "10-26T08:00"]),
        # In the gap: counted from before it, 3:30 on the wall. In the overlap: the first.
        ("2026-03-28T02:30", "Europe/Berlin", ["03-28T01:30", "03-29T01:30", "03-30T00:30"]),
        ("2026-10-24T02:30", "Europe/Berlin", ["10-24T00:30", "10-25T00:30", "10-26T01:30"]),
        ("2026-03-07T02:30", "America/New_York", ["03-07T07:30", "03-08T07:30", "03-09T06:30"]),
        ("2026-10-31T01:30", "America/New_York", ["10-31T05:30", "11-01T05:30", "11-02T06:30"]),
        # Half an hour.
        ("2026-10-03T02:15", "Australia/Lord_Howe", ["10-02T15:45", "10-03T15:45", "10-04T15:15"]),
        ("2026-04-04T01:45", "Australia/Lord_Howe", ["04-03T14:45", "04-04T14:45", "04-05T15:15"]),
        # Morocco goes back for Ramadan, and forward after it.
        ("2026-02-14T09:00", "Africa/Casablanca", ["02-14T08:00", "02-15T09:00", "02-16T09:00"]),
        ("2026-03-21T09:00", "Africa/Casablanca", ["03-21T09:00", "03-22T08:00", "03-23T08:00"]),
        # Samoa left out 30 December 2011. That day's occurrence is not skipped: its moment is the next day's.
        ("2011-12-29T09:00", "Pacific/Apia", ["12-29T19:00", "12-30T19:00", "12-30T19:00", "12-31T19:00"]),
    ],
)
def test_an_occurrence_is_a_time_on_the_wall(start: str, timezone: str, expected: list[str]) -> None:
    assert moments(start, timezone, len(expected)) == expected


@pytest.mark.parametrize(
    ("timezone", "start", "time"),
    [
        ("Europe/Berlin", dt.date(2026, 1, 1), dt.time(2, 30)),
        ("America/New_York", dt.date(2026, 1, 1), dt.time(1, 30)),
        ("Australia/Lord_Howe", dt.date(2026, 1, 1), dt.time(1, 45)),
        ("Africa/Casablanca", dt.date(2026, 1, 1), dt.time(2, 30)),
        ("Africa/Casablanca", dt.date(2026, 1, 1), dt.time(3, 0)),
        ("Pacific/Apia", dt.date(2011, 1, 1), dt.time(9, 0)),
    ],
)
def test_completing_walks_over_every_change_of_the_clocks(
    timezone: str, start: dt.date, time: dt.time
) -> None:
    """A minute before each is due, for a year."""
    first = When(start, time, timezone)
    due, walked = first, [first.date]
    for _ in range(364):
        instant = due.instant()
        assert instant is not None
        now = instant - dt.timedelta(minutes=1)
        found = next_due(DAILY, first, due.date, completed_at=now, now=now, timezone="Asia/Tokyo")
        assert found is not None
        due = found.due
        walked.append(due.date)
    assert walked == [start + dt.timedelta(days=number) for number in range(365)]


def test_a_day_that_a_zone_left_out_is_ahead_until_its_moment() -> None:
    first = When(dt.date(2011, 12, 20), dt.time(9), "Pacific/Apia")
    # 8 o'clock on the 31st there, an hour before what the 30th stands for.
    early = dt.datetime(2011, 12, 30, 18, tzinfo=dt.UTC)
    found = next_due(DAILY, first, dt.date(2011, 12, 28), completed_at=early, now=early, timezone="UTC")
    assert found is not None
    assert found.due.date == dt.date(2011, 12, 30)
    late = dt.datetime(2011, 12, 30, 20, tzinfo=dt.UTC)
    found = next_due(DAILY, first, dt.date(2011, 12, 28), completed_at=late, now=late, timezone="UTC")
    assert found is not None
    assert found.due.date == dt.date(2012, 1, 1)
