"""Any text is a task, soon."""

import datetime as dt
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dutiful.quickadd import ENGLISH, parse, parse_when
from dutiful.recurrence import Recurrence, occurrences

WORDS = sorted({word for words in ENGLISH.words.values() for word in words})
SIGNS = [
    *"#@!\"',.;:-/() ",
    "//",
    "1st",
    "15th",
    "5pm",
    "17:00",
    "2027-03-01",
    "12/24",
    "3",
    "99",
    "1730",
    "2.5",
    "1/0",
    "\n",
]
MOMENTS = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 31))  # noqa: DTZ001 - the time on the wall
ZONES = st.sampled_from([None, "Europe/Berlin", "Pacific/Apia", "America/New_York"])
LINES = st.text() | st.lists(st.sampled_from([*WORDS, *SIGNS]), max_size=12).map(" ".join)


@given(text=LINES, now=MOMENTS, timezone=ZONES, week_start=st.integers(0, 6))
def test_any_text_is_a_task(text: str, now: dt.datetime, timezone: str | None, week_start: int) -> None:
    task = parse(text, now, timezone, week_start=week_start)
    parse_when(text, now, timezone, week_start=week_start)
    spans = [(span.start, span.end) for span in task.spans]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert (task.due is not None) == any(span.kind in {"due", "recurrence"} for span in task.spans)
    assert (task.recurrence is not None) == any(span.kind == "recurrence" for span in task.spans)


@given(text=LINES, now=st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1)))  # noqa: DTZ001
def test_a_repetition_is_one_that_can_be_kept_and_begins_with_its_due_date(
    text: str, now: dt.datetime
) -> None:
    task = parse(text, now)
    if task.recurrence is not None:
        assert task.due is not None
        assert Recurrence.of(task.recurrence.rrule, task.recurrence.anchor) == task.recurrence
        assert next(occurrences(task.recurrence, task.due)) == task.due


@given(text=st.text())
def test_a_text_without_words_of_dates_or_signs_is_its_title(text: str) -> None:
    letters = "".join(char for char in text if char.isalpha() and not char.isascii())
    assert parse(letters, dt.datetime(2026, 11, 25)).title == letters.strip()  # noqa: DTZ001


HOSTILE = [
    "every ", " ", "a ", ".", "today ", "mon,", "every mon,", '"a ', "'a ", "#a ", "@a ", '#"', "1st and ", "1", "9:00 ",
    "in 3 ", "every! ", "a.a", "the first and ", "every first and ", "until dec 24 every ", "next ", "(today) ", "//", "!1 ",
    "every other tuesday until dec 24 starting monday ", "((((", "every day 10 times ", "- ", "\N{COMBINING ACUTE ACCENT}",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_long_line_takes_time_by_its_length(piece: str) -> None:
    """Four times the length takes about four times the time; were it the square, sixteen times."""
    short, long = (piece * (length // len(piece)) for length in (5_000, 20_000))
    least = min(seconds(short) for _ in range(3))
    assert min(seconds(long) for _ in range(3)) < 9 * least + 0.02


def seconds(text: str) -> float:
    begun = time.process_time()
    parse(text, dt.datetime(2026, 11, 25))  # noqa: DTZ001
    return time.process_time() - begun
