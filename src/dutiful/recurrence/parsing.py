"""Reads the text of a rule, and refuses what is wrong, endless or never happens."""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from dutiful.recurrence.expansion import LONGEST_MONTHS, days
from dutiful.recurrence.rule import WEEKDAYS, Frequency, InvalidRule, NthWeekday, Rule

LONGEST = 500
MOST_INTERVAL = 999
MOST_COUNT = 999
MOST_VALUES = 53

_FINER = {"HOURLY", "MINUTELY", "SECONDLY"}
_TIMES = {"BYHOUR", "BYMINUTE", "BYSECOND"}
_NTH_WEEKDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_INTEGER = re.compile(r"[+-]?[0-9]{1,4}")
_UNTIL = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})(Z?))?")


@lru_cache(maxsize=1024)
def parse(text: str) -> Rule:
    """The rule of an RRULE value, with or without `RRULE:` ahead, in any case and order. Raises `InvalidRule`."""
    fields: dict[str, Any] = {}
    for name, value in _parts(text).items():
        field, read = _READERS[name]
        fields[field] = read(name, value)
    if "frequency" not in fields:
        raise InvalidRule("FREQ", "is missing. Say how often, such as FREQ=WEEKLY.")
    rule = Rule(**fields)
    _check_together(rule)
    _check_month_days(rule)
    _check_happens(rule)
    return rule


def _parts(text: str) -> dict[str, str]:
    if len(text) > LONGEST:
        raise InvalidRule("RRULE", f"is longer than {LONGEST} characters. Name fewer days.")
    body = text.strip().upper().removeprefix("RRULE:")
    parts: dict[str, str] = {}
    # Some programs end with a semicolon.
    for part in body.removesuffix(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise InvalidRule(
                _shown(name) or "RRULE", "must be NAME=VALUE, such as FREQ=MONTHLY;BYMONTHDAY=31."
            )
        _check_name(name)
        if name in parts:
            raise InvalidRule(name, "is given twice. Put its values into one list, with commas.")
        parts[name] = value
    return parts


def _check_name(name: str) -> None:
    if name in _READERS:
        return
    shown = _shown(name)
    if name in _TIMES:
        raise InvalidRule(name, "cannot be used: the time of day is that of the due date. Leave it out.")
    if name in {"RSCALE", "SKIP"}:
        raise InvalidRule(
            name, "cannot be used: days count as in the Gregorian calendar, and short months end early."
        )
    if name.startswith("X-"):
        raise InvalidRule(shown, "is a private extension, which means nothing here. Leave it out.")
    if name == "DTSTART":
        raise InvalidRule(name, "is no part of the rule: the due date says when it begins. Leave it out.")
    close = get_close_matches(name[:20], _READERS, 1)
    known = f"Did you mean {close[0]}?" if close else f"There are {', '.join(_READERS)}."
    raise InvalidRule(shown, f"is no part of a rule. {known}")


def _shown(text: str) -> str:
    """`text` as an error may repeat it."""
    return text if len(text) <= 20 else text[:20] + "…"


def _frequency(name: str, value: str) -> Frequency:
    if value in _FINER:
        raise InvalidRule(name, f"{value} is too often: a task repeats by the day. Use DAILY or less often.")
    try:
        return Frequency(value)
    except ValueError:
        raise InvalidRule(name, f"{_shown(value)} is none of {', '.join(Frequency)}.") from None


def _whole(most: int) -> Callable[[str, str], int]:
    def read(name: str, value: str) -> int:
        number = _integer(name, value)
        if not 1 <= number <= most:
            raise InvalidRule(name, f"{_shown(value)} must be a number from 1 to {most}.")
        return number

    return read


def _numbers(most: int, *, negative: bool = True) -> Callable[[str, str], tuple[int, ...]]:
    allowed = f"1 to {most}" + (f" or -{most} to -1" if negative else "")

    def read(name: str, value: str) -> tuple[int, ...]:
        numbers = {_integer(name, item) for item in _items(name, value)}
        for number in numbers:
            if not (1 <= number <= most or (negative and -most <= number <= -1)):
                raise InvalidRule(name, f"{number} is not in {allowed}.")
        return tuple(sorted(numbers))

    return read


def _weekdays(name: str, value: str) -> tuple[NthWeekday, ...]:
    found: set[NthWeekday] = set()
    for item in _items(name, value):
        match = _NTH_WEEKDAY.fullmatch(item)
        if match is None:
            raise InvalidRule(name, f"{_shown(item)} is no weekday such as MO, 2TU or -1FR.")
        nth = int(match[1]) if match[1] else 0
        if match[1] and not 1 <= abs(nth) <= 53:
            raise InvalidRule(name, f"{item} must be numbered from 1 to 53 or -53 to -1.")
        found.add(NthWeekday(WEEKDAYS.index(match[2]), nth))
    return tuple(sorted(found))


def _week_start(name: str, value: str) -> int:
    if value not in WEEKDAYS:
        raise InvalidRule(name, f"{_shown(value)} is none of {', '.join(WEEKDAYS)}.")
    return WEEKDAYS.index(value)


def _until(name: str, value: str) -> dt.date | dt.datetime:
    match = _UNTIL.fullmatch(value)
    try:
        if match is None:
            raise ValueError
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
        if match[4] is None:
            return dt.date(year, month, day)
        # A leap second is the last one.
        at = dt.datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001 - local unless Z
        return at.replace(tzinfo=dt.UTC) if match[7] else at
    except ValueError:
        raise InvalidRule(
            name, f"{_shown(value)} must be a date such as 20271201, or a time such as 20271201T170000Z."
        ) from None


def _items(name: str, value: str) -> list[str]:
    items = value.split(",")
    if len(items) > MOST_VALUES:
        raise InvalidRule(name, f"has more than {MOST_VALUES} values. Name fewer.")
    return items


def _integer(name: str, value: str) -> int:
    if not _INTEGER.fullmatch(value):
        raise InvalidRule(name, f"{_shown(value) or 'nothing'} is no whole number.")
    return int(value)


_READERS: Mapping[str, tuple[str, Callable[[str, str], Any]]] = {
    "FREQ": ("frequency", _frequency),
    "INTERVAL": ("interval", _whole(MOST_INTERVAL)),
    "BYMONTH": ("by_month", _numbers(12, negative=False)),
    "BYWEEKNO": ("by_week", _numbers(53)),
    "BYYEARDAY": ("by_year_day", _numbers(366)),
    "BYMONTHDAY": ("by_month_day", _numbers(31)),
    "BYDAY": ("by_weekday", _weekdays),
    "BYSETPOS": ("by_position", _numbers(366)),
    "WKST": ("week_start", _week_start),
    "COUNT": ("count", _whole(MOST_COUNT)),
    "UNTIL": ("until", _until),
}


def _check_together(rule: Rule) -> None:
    """What RFC 5545 rules out."""
    frequency = rule.frequency
    if rule.count is not None and rule.until is not None:
        raise InvalidRule("COUNT", "cannot stand beside UNTIL. Keep one of them.")
    if rule.by_week and frequency is not Frequency.YEARLY:
        raise InvalidRule("BYWEEKNO", "needs FREQ=YEARLY: weeks are numbered within a year.")
    if rule.by_year_day and frequency is not Frequency.YEARLY:
        raise InvalidRule("BYYEARDAY", "needs FREQ=YEARLY. For days of a month use BYMONTHDAY.")
    if rule.by_month_day and frequency is Frequency.WEEKLY:
        raise InvalidRule("BYMONTHDAY", "cannot be used with FREQ=WEEKLY. Use FREQ=MONTHLY.")
    if any(day.nth for day in rule.by_weekday):
        if frequency in {Frequency.DAILY, Frequency.WEEKLY}:
            raise InvalidRule("BYDAY", "numbers weekdays, which needs FREQ=MONTHLY or FREQ=YEARLY.")
        if rule.by_week:
            raise InvalidRule("BYDAY", "numbers weekdays, but beside BYWEEKNO each week has one of them.")
    if rule.by_position and rule.is_bare and not rule.by_month:
        raise InvalidRule("BYSETPOS", "picks among the days of another BY part. Add one, such as BYDAY.")


def _check_month_days(rule: Rule) -> None:
    """A month that is shorter at times has a last day to fall on; one that never has the day is a mistake."""
    if not rule.clamps or not rule.by_month or not rule.by_month_day:
        return
    longest = max(LONGEST_MONTHS[month] for month in rule.by_month)
    if rule.by_month_day[-1] > longest:
        raise InvalidRule(
            "BYMONTHDAY",
            f"{rule.by_month_day[-1]} is a day that none of the months has. For their last day use -1.",
        )


def _check_happens(rule: Rule) -> None:
    endless = replace(rule, interval=1, count=None, until=None)
    if next(days(endless, dt.date(2000, 1, 1)), None) is None:
        raise InvalidRule("RRULE", "no day was found that fits all its BY parts. Leave one of them out.")
