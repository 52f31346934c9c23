"""The days of a rule.

Years, months and weeks are looked up one by one, from any day on without walking there from the first. Inside, days are
ordinals (`date.toordinal`), which add and compare fastest.
"""

import datetime as dt
from calendar import isleap
from collections.abc import Iterable, Iterator
from dataclasses import replace

from dutiful.recurrence.rule import Frequency, NthWeekday, Rule

LONGEST_MONTHS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

FURTHEST = dt.date(9999, 12, 30)
"""The last day a due date may have."""

# How much is looked at before a rule counts as ended, in steps of about half a microsecond. Between two days of a rule that
# people mean lie a few hundred steps; all days of a rule with COUNT share these.
_PATIENCE = 15_000

_ANY_DAY = tuple(NthWeekday(weekday) for weekday in range(7))

Found = tuple[Iterable[int], int]
"""Days of one period, and the steps it took to find them."""


def days(rule: Rule, start: dt.date, since: dt.date | None = None) -> Iterator[dt.date]:
    """The days of a series that starts with `start`, in order; with `since` only those from there on.

    COUNT counts from `start`; `until` is left to the caller, who knows the time of day. What the rule does not say comes
    from `start`: its weekday, day of the month, month.
    """
    rule = filled(rule, start)
    first = start.toordinal()
    least = max(first, since.toordinal()) if since else first
    left, looked = rule.count, 0
    for found, cost in _periods(rule, start, first if left is not None else least):
        looked += cost
        for day in found:
            if day < first:
                continue
            if left is not None:
                if left == 0:
                    return
                left -= 1
            else:
                looked = 0
            if day >= least:
                yield dt.date.fromordinal(day)
        if looked > _PATIENCE:
            return


def filled(rule: Rule, start: dt.date) -> Rule:
    """The rule with the days it leaves to its start."""
    if rule.by_week and not (rule.by_year_day or rule.by_month_day or rule.by_weekday):
        return replace(rule, by_weekday=(NthWeekday(start.weekday()),))
    if not rule.is_bare:
        return rule
    match rule.frequency:
        case Frequency.WEEKLY:
            return replace(rule, by_weekday=(NthWeekday(start.weekday()),))
        case Frequency.MONTHLY:
            return replace(rule, by_month_day=(start.day,))
        case Frequency.YEARLY:
            return replace(rule, by_month=rule.by_month or (start.month,), by_month_day=(start.day,))
        case Frequency.DAILY:
            return rule


def _periods(rule: Rule, start: dt.date, least: int) -> Iterator[Found]:
    """From the period with the day `least` on, or a little before, up to the end of time."""
    last = FURTHEST.toordinal()
    for inside, cost in _expanded(rule, start, least):
        ordered = sorted(inside)
        picked = _at_positions(ordered, rule.by_position) if rule.by_position and ordered else ordered
        yield [day for day in picked if day <= last] if picked and picked[-1] > last else picked, cost


def _expanded(rule: Rule, start: dt.date, least: int) -> Iterator[Found]:
    match rule.frequency:
        case Frequency.DAILY:
            return _each_day(rule, start, least)
        case Frequency.WEEKLY:
            return _weeks(rule, start, least)
        case Frequency.MONTHLY:
            return _months(rule, start, least, clamps=rule.clamps)
        case Frequency.YEARLY:
            return _years(rule, start, least)


def _at_positions(ordered: list[int], positions: Iterable[int]) -> list[int]:
    size = len(ordered)
    indexes = {position - 1 if position > 0 else size + position for position in positions}
    return [ordered[index] for index in sorted(indexes) if 0 <= index < size]


def _steps(start: int, least: int, step: int) -> int:
    """How many steps from `start` reach `least`."""
    return -((start - least) // step)


def _each_day(rule: Rule, start: dt.date, least: int) -> Iterator[Found]:
    if rule.interval > 1 or rule.by_position:
        return _single_days(rule, start, least)
    # The same days, found a month at a time.
    named = rule.by_weekday or (() if rule.by_month_day else _ANY_DAY)
    monthly = replace(rule, frequency=Frequency.MONTHLY, by_weekday=named)
    return _months(monthly, start, least, clamps=rule.clamps)


def _single_days(rule: Rule, start: dt.date, least: int) -> Iterator[Found]:
    first = start.toordinal()
    day = first + _steps(first, least, rule.interval) * rule.interval
    last = FURTHEST.toordinal()
    cost = 3 + len(rule.by_month_day) + len(rule.by_weekday)
    while day <= last:
        date = dt.date.fromordinal(day)
        if rule.by_month and date.month not in rule.by_month:
            # On to the next month, which has other chances.
            ahead = dt.date(date.year, date.month, 1).toordinal() + _length(date.year, date.month)
            yield (), 3
            day = first + _steps(first, ahead, rule.interval) * rule.interval
            continue
        yield (() if _is_left_out(rule, date) else (day,)), cost
        day += rule.interval


def _weeks(rule: Rule, start: dt.date, least: int) -> Iterator[Found]:
    first = start.toordinal() - (start.weekday() - rule.week_start) % 7
    step = 7 * rule.interval
    offsets = [(day.weekday - rule.week_start) % 7 for day in rule.by_weekday]
    week = first + (least - first) // step * step
    last = FURTHEST.toordinal()
    while week <= last:
        found = [week + offset for offset in offsets if 1 <= week + offset <= last]
        if rule.by_month:
            found = [day for day in found if dt.date.fromordinal(day).month in rule.by_month]
        yield found, 2 + len(offsets)
        week += step


def _months(rule: Rule, start: dt.date, least: int, *, clamps: bool) -> Iterator[Found]:
    first = start.year * 12 + start.month - 1
    date = dt.date.fromordinal(least)
    number = first + _steps(first, date.year * 12 + date.month - 1, rule.interval) * rule.interval
    while number < 120_000:
        year, month = number // 12, number % 12 + 1
        if rule.by_month and month not in rule.by_month:
            yield (), 2
        else:
            yield _month(rule, year, month, clamps=clamps)
        number += rule.interval


def _month(rule: Rule, year: int, month: int, *, clamps: bool) -> tuple[set[int], int]:
    first, length = dt.date(year, month, 1).toordinal(), _length(year, month)
    found: set[int] = set()
    if rule.by_weekday:
        found = _weekdays(rule.by_weekday, first, length)
    if rule.by_month_day:
        numbered = {
            first + day - 1
            for number in rule.by_month_day
            if (day := _day_of_month(number, length, clamps=clamps)) is not None
        }
        found = found & numbered if rule.by_weekday else numbered
    return found, 5 + 2 * len(rule.by_weekday) + len(rule.by_month_day)


def _day_of_month(number: int, length: int, *, clamps: bool) -> int | None:
    """The day that is meant in a month of this length. Short months end early rather than leave a day out (RFC 7529's
    SKIP=BACKWARD); a day counted from the end that a month does not reach is left out (RFC 5545)."""
    if number < 0:
        return length + 1 + number if number >= -length else None
    if number <= length:
        return number
    return length if clamps else None


def _weekdays(wanted: Iterable[NthWeekday], first: int, length: int) -> set[int]:
    """Of the days from `first` on. 0001-01-01, whose ordinal is 1, was a Monday."""
    found: set[int] = set()
    for day in wanted:
        all_such = range(first + (day.weekday - first + 1) % 7, first + length, 7)
        if day.nth == 0:
            found.update(all_such)
        elif abs(day.nth) <= len(all_such):
            found.add(all_such[day.nth - 1 if day.nth > 0 else day.nth])
    return found


def _years(rule: Rule, start: dt.date, least: int) -> Iterator[Found]:
    # The weeks of a year may begin before it, and end after it.
    reached = dt.date.fromordinal(least).year - (1 if rule.by_week else 0)
    year = start.year + _steps(start.year, reached, rule.interval) * rule.interval
    while year <= FURTHEST.year:
        if year >= 1:
            yield _year(rule, year)
        year += rule.interval


def _year(rule: Rule, year: int) -> Found:
    if rule.by_week:
        return _limited(rule, _in_weeks(rule, year))
    first, length = dt.date(year, 1, 1).toordinal(), 366 if isleap(year) else 365
    if rule.by_year_day:
        inside = [number for number in rule.by_year_day if abs(number) <= length]
        return _limited(rule, [first + (number - 1 if number > 0 else length + number) for number in inside])
    if not rule.by_month and not rule.by_month_day:
        return _weekdays(rule.by_weekday, first, length), 5 + 6 * len(rule.by_weekday)
    if rule.by_month:
        return _merged(_month(rule, year, month, clamps=rule.clamps) for month in rule.by_month)
    # Without BYMONTH weekdays are numbered within the year.
    monthly = replace(rule, by_weekday=())
    found, cost = _merged(_month(monthly, year, month, clamps=rule.clamps) for month in range(1, 13))
    if rule.by_weekday:
        found &= _weekdays(rule.by_weekday, first, length)
    return found, cost + 6 * len(rule.by_weekday)


def _merged(found: Iterable[tuple[set[int], int]]) -> tuple[set[int], int]:
    parts = list(found)
    return set().union(*(inside for inside, _ in parts)), sum(cost for _, cost in parts)


def _in_weeks(rule: Rule, year: int) -> list[int]:
    """The days of the weeks with these numbers. The first has at least four of its days in the year."""
    first, length = dt.date(year, 1, 1).toordinal(), 366 if isleap(year) else 365
    begin = _first_week(first, rule.week_start)
    weeks = (_first_week(first + length, rule.week_start) - begin) // 7
    numbers = {number if number > 0 else weeks + 1 + number for number in rule.by_week}
    last = FURTHEST.toordinal()
    return [
        day
        for number in numbers
        if 1 <= number <= weeks
        for day in range(begin + 7 * (number - 1), begin + 7 * number)
        if 1 <= day <= last
    ]


def _first_week(new_year: int, week_start: int) -> int:
    into_week = (new_year - 1 - week_start) % 7
    return new_year - into_week + (7 if into_week > 3 else 0)


def _limited(rule: Rule, found: list[int]) -> Found:
    kept = {day for day in found if not _is_left_out(rule, dt.date.fromordinal(day))}
    return kept, 6 + 3 * len(found)


def _is_left_out(rule: Rule, date: dt.date) -> bool:
    """Whether a part that narrows leaves the day out."""
    if rule.by_month and date.month not in rule.by_month:
        return True
    if rule.by_week and rule.by_year_day and not _is_year_day(rule, date):
        return True
    if rule.by_month_day:
        length = _length(date.year, date.month)
        meant = (_day_of_month(number, length, clamps=rule.clamps) for number in rule.by_month_day)
        if date.day not in meant:
            return True
    return bool(rule.by_weekday) and not any(_is_weekday(rule, day, date) for day in rule.by_weekday)


def _is_year_day(rule: Rule, date: dt.date) -> bool:
    length = 366 if isleap(date.year) else 365
    number = date.toordinal() - dt.date(date.year, 1, 1).toordinal() + 1
    return number in rule.by_year_day or number - length - 1 in rule.by_year_day


def _is_weekday(rule: Rule, day: NthWeekday, date: dt.date) -> bool:
    if day.weekday != date.weekday() or day.nth == 0:
        return day.weekday == date.weekday()
    if rule.by_month:
        first, length = date.replace(day=1), _length(date.year, date.month)
    else:
        first, length = dt.date(date.year, 1, 1), 366 if isleap(date.year) else 365
    return date.toordinal() in _weekdays((day,), first.toordinal(), length)


def _length(year: int, month: int) -> int:
    return 28 if month == 2 and not isleap(year) else LONGEST_MONTHS[month]
