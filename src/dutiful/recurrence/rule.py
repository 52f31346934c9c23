"""A recurrence rule in parts, and as the text of RFC 5545."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
"""Numbered from 0, as Python numbers them."""


class InvalidRule(ValueError):
    """`part` is the name of what is wrong, such as BYDAY, or RRULE for the whole; the text says what to do."""

    def __init__(self, part: str, detail: str) -> None:
        super().__init__(f"{part}: {detail}")
        self.part = part
        self.detail = detail


class Frequency(StrEnum):
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


@dataclass(frozen=True, slots=True, order=True)
class NthWeekday:
    """`nth` is 0 for every such day, else its number within the month or year, from the end when negative."""

    weekday: int
    nth: int = 0

    def __str__(self) -> str:
        return f"{self.nth or ''}{WEEKDAYS[self.weekday]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Lists are sorted, without duplicates. `parse` makes these; it knows which parts go together.

    `until` is a date, a local date-time, or one in UTC. `count` and `until` exclude each other.
    """

    frequency: Frequency
    interval: int = 1
    by_month: tuple[int, ...] = ()
    by_week: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_weekday: tuple[NthWeekday, ...] = ()
    by_position: tuple[int, ...] = ()
    week_start: int = 0
    count: int | None = None
    until: dt.date | dt.datetime | None = None

    @property
    def is_bare(self) -> bool:
        """Names no days: they come from the first one, or from the completion."""
        return not (self.by_week or self.by_year_day or self.by_month_day or self.by_weekday)

    @property
    def clamps(self) -> bool:
        """A day of the month that a shorter month lacks means its last one. Beside a weekday, a week or a day of the
        year, days of the month narrow and say no day of their own."""
        return not (self.by_week or self.by_year_day or self.by_weekday)

    def __str__(self) -> str:
        """The canonical text: without what is the default."""
        parts = {
            "FREQ": self.frequency.value,
            "INTERVAL": "" if self.interval == 1 else str(self.interval),
            "BYMONTH": _listed(self.by_month),
            "BYWEEKNO": _listed(self.by_week),
            "BYYEARDAY": _listed(self.by_year_day),
            "BYMONTHDAY": _listed(self.by_month_day),
            "BYDAY": _listed(self.by_weekday),
            "BYSETPOS": _listed(self.by_position),
            "WKST": "" if self.week_start == 0 else WEEKDAYS[self.week_start],
            "COUNT": "" if self.count is None else str(self.count),
            "UNTIL": "" if self.until is None else _until(self.until),
        }
        return ";".join(f"{name}={value}" for name, value in parts.items() if value)


def _listed(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def _until(value: dt.date) -> str:
    # Not strftime: it writes the years before 1000 with fewer digits.
    day = value.isoformat()[:10].replace("-", "")
    if not isinstance(value, dt.datetime):
        return day
    return f"{day}T{value:%H%M%S}{'Z' if value.tzinfo else ''}"
