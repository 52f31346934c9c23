"""Days and moments as filters name them.

A day stands for the time from its first moment to that of the next day, in the zone of whoever asks: so each
comparison comes down to `<` and `>=` with one of its two ends.
"""

import datetime as dt
import re
from calendar import monthrange
from dataclasses import dataclass
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WORDS = {"yesterday": -1, "today": 0, "tomorrow": 1}

_STEP = r"[+-]\d{1,4}[dwmy]"
_DAY = re.compile(rf"(?P<base>[a-z]+|\d{{4}}-\d\d-\d\d)?(?P<steps>(?:{_STEP})*)", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[t ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(z|[+-]\d\d:\d\d)?", re.ASCII)
STEP_WITHOUT_SIGN = re.compile(r"\d{1,4}[dwmy]", re.ASCII | re.IGNORECASE)


Day = TypeVar("Day", dt.date, dt.datetime)


@dataclass(frozen=True, slots=True)
class Now:
    """When a filter is asked, and whose days it speaks of."""

    moment: dt.datetime
    timezone: str

    @property
    def today(self) -> dt.date:
        return self.moment.astimezone(ZoneInfo(self.timezone)).date()


@dataclass(frozen=True, slots=True)
class Span:
    """From `first` up to, but not including, `end`: days, or one moment."""

    first: dt.date | dt.datetime
    end: dt.date | dt.datetime


def moment_of(value: dt.date | dt.datetime, timezone: str) -> dt.datetime:
    """In UTC: a day's first moment in that zone; a date-time without a zone is one there."""
    zone = ZoneInfo(timezone)
    if not isinstance(value, dt.datetime):
        return dt.datetime.combine(value, dt.time(), zone).astimezone(dt.UTC)
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(dt.UTC)


def wall_time_of(value: dt.date | dt.datetime, timezone: str) -> dt.datetime:
    """The same as the clocks of that zone show it, and without one."""
    if not isinstance(value, dt.datetime):
        return dt.datetime.combine(value, dt.time())
    return value.astimezone(ZoneInfo(timezone)).replace(tzinfo=None) if value.tzinfo else value


def read(text: str, today: dt.date, direction: Literal[-1, 1]) -> Span:
    """Raises ValueError, with what is wrong unless it is no day at all. `direction`: of days of the week the next is meant, or the last."""
    text = text.lower()
    if _MOMENT.fullmatch(text):
        moment = _near(_moment(text))
        # PostgreSQL keeps no shorter time.
        return Span(moment, moment + dt.timedelta(microseconds=1))
    day = _day(text, today, direction)
    return Span(day, day + dt.timedelta(days=1))


def _moment(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError("is not in the calendar, or not on the clock") from None


def _day(text: str, today: dt.date, direction: Literal[-1, 1]) -> dt.date:
    match = _DAY.fullmatch(text)
    if not text or match is None:
        raise ValueError
    day = _base(match["base"], today, direction)
    for step in re.findall(_STEP, match["steps"]):
        day = _near(_stepped(day, int(step[:-1]), step[-1]))
    return _near(day)


def _base(word: str | None, today: dt.date, direction: Literal[-1, 1]) -> dt.date:
    if word is None:
        return today
    if word in WORDS:
        return today + dt.timedelta(days=WORDS[word])
    if word in WEEKDAYS:
        ahead = WEEKDAYS.index(word) - today.weekday()
        return today + dt.timedelta(days=ahead % 7 if direction > 0 else -(-ahead % 7))
    if not word[0].isdigit():
        raise ValueError
    try:
        return dt.date.fromisoformat(word)
    except ValueError:
        raise ValueError("is not in the calendar") from None


def _stepped(day: dt.date, count: int, unit: str) -> dt.date:
    try:
        if unit in "dw":
            return day + dt.timedelta(days=count * (7 if unit == "w" else 1))
        year, month = divmod(day.year * 12 + day.month - 1 + count * (12 if unit == "y" else 1), 12)
        # A month after the 31st of January comes its last day.
        return dt.date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
    except (OverflowError, ValueError):
        raise _too_far() from None


def _near(value: Day) -> Day:
    """Where a zone's offset, or the days a bound is widened by, cannot lead out of the calendar."""
    if not dt.MINYEAR < value.year < dt.MAXYEAR:
        raise _too_far()
    return value


def _too_far() -> ValueError:
    return ValueError("is too far away; years go from 2 to 9998")
