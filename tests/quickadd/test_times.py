"""The clock of the person: zones, weeks, what is already past."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from dutiful.models import When
from dutiful.quickadd import parse, parse_when
from dutiful.recurrence import Recurrence, in_words

WEDNESDAY = dt.datetime(2026, 11, 25, 14, 0)  # noqa: DTZ001 - the time on the wall


def due(text: str, now: dt.datetime, timezone: str | None = None, week_start: int = 0) -> When | None:
    return parse(text, now, timezone, week_start=week_start).due


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def test_a_time_has_the_zone_and_a_date_alone_has_none() -> None:
    assert due("Call at 5pm", WEDNESDAY, "Europe/Berlin") == When(
        dt.date(2026, 11, 25), dt.time(17), "Europe/Berlin"
    )
    assert due("Call tomorrow", WEDNESDAY, "Europe/Berlin") == When(dt.date(2026, 11, 26))
    assert due("Call at 5pm", WEDNESDAY) == When(dt.date(2026, 11, 25), dt.time(17))


def test_a_moment_is_turned_into_the_time_of_the_zone() -> None:
    """In Auckland it is Thursday by then."""
    now = dt.datetime(2026, 11, 25, 14, 0, tzinfo=dt.UTC)
    assert due("Call today", now, "Pacific/Auckland") == When(dt.date(2026, 11, 26))
    assert due("Call today", now, "America/New_York") == When(dt.date(2026, 11, 25))
    assert due("Call today", now.astimezone(ZoneInfo("Pacific/Auckland"))) == When(dt.date(2026, 11, 26))


def test_hours_from_now_pass_over_the_change_of_the_clocks() -> None:
    before = at("2026-03-29T01:30")
    assert due("Call in 2 hours", before, "Europe/Berlin") == When(
        dt.date(2026, 3, 29), dt.time(4, 30), "Europe/Berlin"
    )
    assert due("Call in 2 hours", before) == When(dt.date(2026, 3, 29), dt.time(3, 30))


def test_seconds_are_dropped() -> None:
    assert due("Call in 5 minutes", at("2026-11-25T14:00:59.9")) == When(
        dt.date(2026, 11, 25), dt.time(14, 5)
    )


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        ("Call at 9", "2026-11-25T08:59", "2026-11-25"),
        ("Call at 9", "2026-11-25T09:00", "2026-11-26"),
        ("Call today at 9", "2026-11-25T14:00", "2026-11-25"),
        ("Call jan 5", "2027-01-05T14:00", "2027-01-05"),
        ("Call jan 5", "2027-01-06T14:00", "2028-01-05"),
        ("Call jan 5", "2027-02-01T14:00", "2028-01-05"),
        ("Call 1/5", "2027-02-01T14:00", "2028-01-05"),
        ("Call feb 29", "2027-02-01T14:00", "2028-02-29"),
        ("Call feb 29", "2096-03-01T14:00", "2104-02-29"),
        ("Call the 30th", "2027-01-31T14:00", "2027-03-30"),
        ("Call in a month", "2027-01-31T14:00", "2027-02-28"),
        ("Call in a year", "2028-02-29T14:00", "2029-02-28"),
        ("Call next month", "2026-12-31T14:00", "2027-01-01"),
        ("Call friday", "2026-11-27T08:00", "2026-12-04"),
        ("Call this weekend", "2026-11-28T08:00", "2026-11-28"),
        ("Call this weekend", "2026-11-29T08:00", "2026-11-29"),
        ("Call next weekend", "2026-11-29T08:00", "2026-12-05"),
        ("Call next monday", "2026-11-29T08:00", "2026-11-30"),
        ("Call end of week", "2026-11-29T08:00", "2026-11-29"),
        ("Call end of january", "2027-01-31T08:00", "2027-01-31"),
        ("Call end of february", "2027-03-01T08:00", "2028-02-29"),
        ("Call mid december", "2026-12-16T08:00", "2027-12-15"),
        ("Call end of quarter", "2026-11-25T08:00", "2026-12-31"),
        ("Call last friday of november", "2026-11-28T08:00", "2027-11-26"),
        ("Call every friday at 9", "2026-11-27T08:00", "2026-11-27"),
        ("Call every friday at 9", "2026-11-27T09:00", "2026-12-04"),
        ("Call every other friday at 9", "2026-11-27T09:00", "2026-12-04"),
        ("Call every 31st", "2027-02-01T08:00", "2027-02-28"),
        ("Call every 29th of february", "2027-01-01T08:00", "2027-02-28"),
        ("Call every 3 months on the 15th", "2026-11-16T08:00", "2026-12-15"),
        ("Call in 2 weeks", "9999-12-30T08:00", None),
        ("Call every day", "9999-12-31T08:00", None),
    ],
)
def test_what_is_past_is_the_next_one(text: str, now: str, expected: str | None) -> None:
    found = due(text, at(now))
    assert (str(found.date) if found else None) == expected


def test_weeks_start_where_the_person_says() -> None:
    """On a Sunday that begins a week, Monday is in this one."""
    sunday = at("2026-11-29T08:00")
    assert due("Call next week", sunday, week_start=0) == When(dt.date(2026, 11, 30))
    assert due("Call next week", sunday, week_start=6) == When(dt.date(2026, 12, 6))
    assert due("Call next monday", sunday, week_start=6) == When(dt.date(2026, 12, 7))
    rule = parse("Call every 2 weeks on sun and mon", sunday, week_start=6).recurrence
    assert rule == Recurrence("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU")


@pytest.mark.parametrize(
    "text",
    [
        "every day", "every 3 weeks", "every weekday", "every weekend day", "every Monday, Wednesday and Friday",
        "every 1st and 15th", "every last day of the month", "every last Friday", "every last weekday of the month",
        "every year on 24 December", "every 2 weeks on Monday and Friday, until 1 Dec 2027", "every month, 3 times",
        "every year on the last Friday of March", "3 days after it is done",
    ],
)  # fmt: skip
def test_a_rule_in_words_is_read_as_that_rule(text: str) -> None:
    found = parse_when(text, WEDNESDAY)
    assert found is not None
    assert found.recurrence is not None
    again = parse_when(in_words(found.recurrence), WEDNESDAY)
    assert again == found


@pytest.mark.parametrize(
    "text", ["", "milk", "tomorrow milk", "tomorrow friday", "10 times", "until friday", "#home"]
)
def test_a_text_with_anything_else_is_no_date(text: str) -> None:
    assert parse_when(text, WEDNESDAY) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("March", "2027-03-01"),
        ("in 2 weeks", "2026-12-09"),
        ("9 tomorrow", "2026-11-26"),
        ("sun.", "2026-11-29"),
    ],
)
def test_a_text_that_is_only_a_date_needs_no_more_to_go_by(text: str, expected: str) -> None:
    found = parse_when(text, WEDNESDAY)
    assert found is not None
    assert str(found.due.date) == expected
