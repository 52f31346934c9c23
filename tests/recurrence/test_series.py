import datetime as dt
from dataclasses import replace
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.recurring import A_DAY, recent, rules

from dutiful.models.when import When
from dutiful.recurrence import Anchor, InvalidRule, Next, Recurrence, Rule, next_due, occurrences, starting

BERLIN = "Europe/Berlin"
NOON = dt.time(12)
times = st.sampled_from([(None, None), (NOON, None), (NOON, BERLIN), (dt.time(23, 30), "America/New_York")])
anchors = st.sampled_from(Anchor)


def at(text: str, timezone: str = BERLIN) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone)).astimezone(dt.UTC)


def when(text: str, timezone: str | None = None) -> When:
    day, _, time = text.partition("T")
    return When(dt.date.fromisoformat(day), dt.time.fromisoformat(time) if time else None, timezone)


def after(
    rrule: str,
    start: str,
    now: str,
    *,
    occurrence: str = "",
    anchor: Anchor = Anchor.SCHEDULE,
    timezone: str | None = None,
    completed: str = "",
) -> str | None:
    """The next due date as text, of a person in Berlin."""
    found = next_due(
        Recurrence.of(rrule, anchor),
        when(start, timezone),
        dt.date.fromisoformat(occurrence or start[:10]),
        completed_at=at(completed or now),
        now=at(now),
        timezone=BERLIN,
    )
    if found is None:
        return None
    due = found.due
    return due.date.isoformat() + (f"T{due.time:%H:%M}" if due.time else "")


@pytest.mark.parametrize(
    ("rrule", "start", "now", "expected"),
    [
        # On time, early, late; all day.
        ("FREQ=DAILY", "2026-11-25", "2026-11-25T10:00", "2026-11-26"),
        ("FREQ=DAILY", "2026-11-26", "2026-11-25T10:00", "2026-11-27"),
        ("FREQ=DAILY", "2026-11-20", "2026-11-25T10:00", "2026-11-26"),
        ("FREQ=DAILY", "2026-11-20", "2026-11-25T23:59", "2026-11-26"),
        ("FREQ=WEEKLY", "2026-11-16", "2026-11-23T10:00", "2026-11-30"),
        ("FREQ=DAILY;INTERVAL=2", "2026-11-20", "2026-11-25T10:00", "2026-11-26"),
        ("FREQ=DAILY;INTERVAL=2", "2026-11-19", "2026-11-25T10:00", "2026-11-27"),
        # With a time, later the same day is still ahead.
        ("FREQ=DAILY", "2026-11-20T17:00", "2026-11-25T10:00", "2026-11-25T17:00"),
        ("FREQ=DAILY", "2026-11-20T17:00", "2026-11-25T17:00", "2026-11-26T17:00"),
        ("FREQ=DAILY", "2026-11-25T17:00", "2026-11-25T10:00", "2026-11-26T17:00"),
        ("FREQ=MONTHLY", "2026-01-31", "2026-02-28T10:00", "2026-03-31"),
        ("FREQ=MONTHLY", "2026-01-31", "2026-01-31T10:00", "2026-02-28"),
        ("FREQ=DAILY;UNTIL=20261126", "2026-11-20", "2026-11-25T10:00", "2026-11-26"),
        ("FREQ=DAILY;UNTIL=20261125", "2026-11-20", "2026-11-25T10:00", None),
        ("FREQ=DAILY;COUNT=7", "2026-11-20", "2026-11-25T10:00", "2026-11-26"),
        ("FREQ=DAILY;COUNT=6", "2026-11-20", "2026-11-25T10:00", None),
        ("FREQ=DAILY", "1903-01-01", "2026-11-25T10:00", "2026-11-26"),
        ("FREQ=YEARLY", "9999-06-01", "2026-11-25T10:00", None),
        ("FREQ=DAILY", "9999-12-30", "2026-11-25T10:00", None),
    ],
)
def test_the_next_of_a_schedule_is_the_first_ahead(
    rrule: str, start: str, now: str, expected: str | None
) -> None:
    assert after(rrule, start, now) == expected


@pytest.mark.parametrize(
    ("rrule", "start", "completed", "expected"),
    [
        ("FREQ=DAILY;INTERVAL=3", "2026-11-20", "2026-11-25T10:00", "2026-11-28"),
        ("FREQ=DAILY;INTERVAL=3", "2026-11-30", "2026-11-25T10:00", "2026-11-28"),
        ("FREQ=DAILY", "2026-11-20T17:00", "2026-11-25T20:00", "2026-11-26T17:00"),
        ("FREQ=WEEKLY;INTERVAL=2", "2026-11-20", "2026-11-25T10:00", "2026-12-09"),
        ("FREQ=MONTHLY", "2026-01-29", "2026-01-31T10:00", "2026-02-28"),
        ("FREQ=YEARLY", "2024-02-29", "2024-02-29T10:00", "2025-02-28"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "2026-10-30", "2026-11-25T10:00", "2026-11-27"),
        # Done ahead of time, a Friday is not due again on that Friday.
        ("FREQ=WEEKLY;BYDAY=FR", "2026-11-27", "2026-11-25T10:00", "2026-12-04"),
        ("FREQ=WEEKLY;BYDAY=FR", "2026-11-20", "2026-11-25T10:00", "2026-11-27"),
        ("FREQ=DAILY;INTERVAL=3;UNTIL=20261128", "2026-11-20", "2026-11-25T10:00", "2026-11-28"),
        ("FREQ=DAILY;INTERVAL=3;UNTIL=20261127", "2026-11-20", "2026-11-25T10:00", None),
        ("FREQ=DAILY;COUNT=1", "2026-11-20", "2026-11-25T10:00", None),
        ("FREQ=DAILY;COUNT=2", "2026-11-20", "2026-11-25T10:00", "2026-11-26"),
    ],
)
def test_the_next_after_a_completion_counts_from_its_day(
    rrule: str, start: str, completed: str, expected: str | None
) -> None:
    assert after(rrule, start, completed, anchor=Anchor.COMPLETION) == expected


def test_a_completion_that_is_told_late_still_leads_ahead() -> None:
    told = "2026-11-25T10:00"
    rrule = "FREQ=DAILY;INTERVAL=3"
    for completed, expected in [("2026-11-15T10:00", "2026-11-27"), ("2026-11-24T10:00", "2026-11-27")]:
        found = after(rrule, "2026-11-10", told, anchor=Anchor.COMPLETION, completed=completed)
        assert found == expected


def test_moving_one_task_moves_no_other() -> None:
    """The occurrence stays the Monday, wherever the task itself was moved to."""
    assert after("FREQ=WEEKLY", "2026-11-02", "2026-11-20T10:00", occurrence="2026-11-23") == "2026-11-30"
    assert after("FREQ=WEEKLY;INTERVAL=2", "2026-11-02", "2026-11-26T10:00", occurrence="2026-11-16") == (
        "2026-11-30"
    )


def test_the_day_is_the_persons_or_that_of_the_zone_of_the_due_date() -> None:
    just_after_midnight = "2026-11-26T00:30"
    assert after("FREQ=DAILY", "2026-11-20", just_after_midnight) == "2026-11-27"
    # There it is still the evening of the 25th.
    new_york = "America/New_York"
    assert after("FREQ=DAILY;INTERVAL=3", "2026-11-20T18:00", just_after_midnight, timezone=new_york) == (
        "2026-11-26T18:00"
    )
    assert after(
        "FREQ=DAILY;INTERVAL=3",
        "2026-11-20T18:00",
        just_after_midnight,
        timezone=new_york,
        anchor=Anchor.COMPLETION,
    ) == ("2026-11-28T18:00")


def test_a_count_after_completions_goes_down_with_each() -> None:
    recurrence, due = Recurrence.of("FREQ=DAILY;COUNT=3", Anchor.COMPLETION), when("2026-11-01T12:00")
    kept = [recurrence.rrule]
    for _ in range(5):
        found = complete(recurrence, when("2026-11-01T12:00"), due)
        if found is None:
            break
        recurrence, due = found.recurrence, found.due
        kept.append(recurrence.rrule)
    assert kept == ["FREQ=DAILY;COUNT=3", "FREQ=DAILY;COUNT=2", "FREQ=DAILY;COUNT=1"]
    assert due == when("2026-11-03T12:00")


@settings(max_examples=200, deadline=None)
@given(rules(longest=30), recent, times, anchors)
def test_completing_on_time_walks_the_series_without_gap_or_duplicate(
    rule: Rule, day: dt.date, time: tuple[dt.time | None, str | None], anchor: Anchor
) -> None:
    recurrence = Recurrence(str(rule), anchor)
    expected = list(islice(occurrences(recurrence, When(day, *time)), 12))
    if not expected:
        return
    start = When(day, *time)
    walked = [expected[0]]
    while len(walked) < 12 and (found := complete(recurrence, start, walked[-1])) is not None:
        recurrence = found.recurrence
        walked.append(found.due)
    assert walked == expected


@settings(max_examples=200, deadline=None)
@given(rules(longest=30), recent, times, anchors, st.integers(-500, 5000), st.integers(0, 3000))
def test_the_next_is_ahead_and_of_the_series_whenever_it_is_done(
    rule: Rule,
    day: dt.date,
    time: tuple[dt.time | None, str | None],
    anchor: Anchor,
    hours: int,
    told_later: int,
) -> None:
    recurrence, start = Recurrence(str(rule), anchor), When(day, *time)
    first = next(occurrences(recurrence, start), None)
    if first is None:
        return
    completed = moment(first) + dt.timedelta(hours=hours)
    now = completed + dt.timedelta(hours=told_later)
    found = next_due(recurrence, start, first.date, completed_at=completed, now=now, timezone=BERLIN)
    if found is None:
        return
    assert (found.due.time, found.due.timezone) == (start.time, start.timezone)
    if found.due.time is None:
        assert found.due.date > now.astimezone(ZoneInfo(BERLIN)).date()
    else:
        assert moment(found.due) > now
    if anchor is Anchor.SCHEDULE:
        ahead = takewhile(lambda due: due.date <= found.due.date, occurrences(recurrence, start))
        missed = [due for due in ahead if due.date > first.date]
        assert missed[-1] == found.due
        # None that was ahead is passed over.
        assert all(moment(due, end=True) <= now + A_DAY for due in missed[:-1])


def complete(recurrence: Recurrence, start: When, due: When) -> Next | None:
    """On the day it is due, and never after its time."""
    now = moment(due)
    return next_due(recurrence, start, due.date, completed_at=now, now=now, timezone=BERLIN)


def moment(due: When, *, end: bool = False) -> dt.datetime:
    """All day counts from its noon, or its end, in Berlin; there floats what floats."""
    time = due.time or (dt.time(23, 59) if end else NOON)
    found = replace(due, time=time, timezone=due.timezone or BERLIN).instant()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("rrule", "due", "kept"),
    [
        ("FREQ=MONTHLY", "2026-01-31", "FREQ=MONTHLY;BYMONTHDAY=31"),
        ("FREQ=MONTHLY", "2026-01-29", "FREQ=MONTHLY;BYMONTHDAY=29"),
        ("FREQ=MONTHLY", "2026-01-28", "FREQ=MONTHLY"),
        ("FREQ=MONTHLY;INTERVAL=2;COUNT=3", "2026-01-30", "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=30;COUNT=3"),
        ("FREQ=YEARLY", "2024-02-29", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"),
        ("FREQ=YEARLY;BYMONTH=1,2", "2026-01-31", "FREQ=YEARLY;BYMONTH=1,2;BYMONTHDAY=31"),
        ("FREQ=YEARLY", "2026-06-01", "FREQ=YEARLY"),
        ("FREQ=WEEKLY", "2026-01-31", "FREQ=WEEKLY"),
        ("FREQ=DAILY", "2026-01-31", "FREQ=DAILY"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "2026-01-30", "FREQ=MONTHLY;BYDAY=-1FR"),
    ],
)
def test_the_end_of_a_month_is_kept_in_the_rule(rrule: str, due: str, kept: str) -> None:
    assert starting(Recurrence.of(rrule), when(due)).rrule == kept


def test_what_follows_a_completion_takes_no_day_from_its_first_due_date() -> None:
    recurrence = Recurrence.of("FREQ=MONTHLY", Anchor.COMPLETION)
    assert starting(recurrence, when("2026-01-31")) == recurrence


@settings(deadline=None)
@given(rules(), recent, anchors)
def test_starting_changes_no_day(rule: Rule, day: dt.date, anchor: Anchor) -> None:
    recurrence = Recurrence(str(rule), anchor)
    try:
        kept = starting(recurrence, When(day))
    except InvalidRule:
        return
    assert list(islice(occurrences(kept, When(day)), 9)) == list(
        islice(occurrences(recurrence, When(day)), 9)
    )
    assert starting(kept, When(day)) == kept


@pytest.mark.parametrize(
    ("rrule", "due", "part", "detail"),
    [
        ("FREQ=DAILY;UNTIL=20261124", "2026-11-25", "UNTIL", "is before the first due date."),
        ("FREQ=YEARLY;BYMONTH=1;UNTIL=20261225", "2026-11-25", "RRULE", "has no day on or after the first due date."),
        ("FREQ=YEARLY;BYMONTH=6", "9999-12-01", "RRULE", "has no day"),
        ("FREQ=YEARLY;COUNT=900", "9990-01-01", "COUNT", "900 reaches too far: use 10 at most"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;COUNT=500", "2026-11-25", "COUNT", "500 reaches too far: use"),
    ],
)  # fmt: skip
def test_a_series_that_cannot_start_is_refused(rrule: str, due: str, part: str, detail: str) -> None:
    with pytest.raises(InvalidRule) as raised:
        starting(Recurrence.of(rrule), when(due))
    assert (raised.value.part, raised.value.detail[: len(detail)]) == (part, detail)


@pytest.mark.parametrize(
    ("until", "due", "timezone", "is_in"),
    [
        # A date is its whole day, everywhere.
        ("20261125", "2026-11-25", None, True),
        ("20261125", "2026-11-26", None, False),
        ("20261125", "2026-11-25T23:59", None, True),
        ("20261125", "2026-11-25T23:59", "Pacific/Honolulu", True),
        ("20261125", "2026-11-26T00:00", "Asia/Tokyo", False),
        # A time on the wall.
        ("20261125T170000", "2026-11-25T17:00", None, True),
        ("20261125T170000", "2026-11-25T17:01", None, False),
        ("20261125T170000", "2026-11-25T17:00", "Asia/Tokyo", True),
        ("20261125T170000", "2026-11-25T17:01", "Asia/Tokyo", False),
        ("20261125T000000", "2026-11-25", None, True),
        # A moment.
        ("20261125T080000Z", "2026-11-25T17:00", "Asia/Tokyo", True),
        ("20261125T075959Z", "2026-11-25T17:00", "Asia/Tokyo", False),
        ("20261125T170000Z", "2026-11-25T17:00", None, True),
        ("20261125T170000Z", "2026-11-25T17:01", None, False),
        ("20261125T000000Z", "2026-11-25", None, True),
    ],
)
def test_until_is_included(until: str, due: str, timezone: str | None, *, is_in: bool) -> None:
    start = replace(when(due, timezone), date=dt.date(2026, 11, 24))
    found = occurrences(Recurrence.of(f"FREQ=DAILY;UNTIL={until}"), start)
    assert (when(due, timezone) in list(found)) == is_in


def test_a_preview_after_completions_is_as_if_each_were_done_on_its_day() -> None:
    def preview(rrule: str, start: str) -> list[str]:
        found = occurrences(Recurrence.of(rrule, Anchor.COMPLETION), when(start))
        return [due.date.isoformat() for due in islice(found, 4)]

    assert preview("FREQ=DAILY;INTERVAL=3", "2026-11-25") == [
        "2026-11-25",
        "2026-11-28",
        "2026-12-01",
        "2026-12-04",
    ]
    assert preview("FREQ=MONTHLY", "2026-01-31") == ["2026-01-31", "2026-02-28", "2026-03-28", "2026-04-28"]
    assert preview("FREQ=DAILY;COUNT=2", "2026-11-25") == ["2026-11-25", "2026-11-26"]
    assert preview("FREQ=DAILY", "9999-12-29") == ["9999-12-29", "9999-12-30"]
