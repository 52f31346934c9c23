"""Rules made up, and what they mean, worked out day by day: slow, and by another way than the server's."""

import calendar
import datetime as dt
from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from dutiful.models.when import When
from dutiful.recurrence import Frequency, InvalidRule, NthWeekday, Recurrence, Rule, occurrences, parse
from dutiful.recurrence.expansion import filled

A_DAY = dt.timedelta(days=1)

dates = st.dates(dt.date(1, 1, 2), dt.date(9999, 12, 30))
recent = st.dates(dt.date(1995, 1, 1), dt.date(2040, 12, 31))


def signed(most: int) -> st.SearchStrategy[int]:
    return st.integers(1, most) | st.integers(-most, -1)


def listed(values: st.SearchStrategy[Any], most: int = 4) -> st.SearchStrategy[tuple[Any, ...]]:
    some = st.sets(values, min_size=1, max_size=most).map(lambda chosen: tuple(sorted(chosen)))
    return st.just(()) | some


@st.composite
def rules(draw: Callable[[st.SearchStrategy[Any]], Any], *, longest: int = 999) -> Rule:
    """Any that the parser lets through, ends included."""
    frequency = draw(st.sampled_from(Frequency))
    can_number = frequency in {Frequency.MONTHLY, Frequency.YEARLY}
    is_yearly = frequency is Frequency.YEARLY
    by_week = draw(listed(signed(53))) if is_yearly and draw(st.booleans()) else ()
    nth = st.just(0)
    if can_number and not by_week:
        nth |= signed(5)
    ends = {
        "none": st.just({}),
        "count": st.integers(1, longest).map(lambda count: {"count": count}),
        "until": recent.map(lambda day: {"until": day}),
    }
    rule = Rule(
        frequency=frequency,
        interval=draw(st.sampled_from([1, 1, 1, 2, 3, 4, 12]) | st.integers(1, longest)),
        by_month=draw(listed(st.integers(1, 12))),
        by_week=by_week,
        by_year_day=draw(listed(signed(366))) if is_yearly and draw(st.booleans()) else (),
        by_month_day=draw(listed(signed(31))) if frequency is not Frequency.WEEKLY else (),
        by_weekday=draw(listed(st.builds(NthWeekday, st.integers(0, 6), nth))),
        by_position=draw(listed(signed(5), 2)) if draw(st.integers(0, 3)) == 0 else (),
        week_start=draw(st.sampled_from([0, 0, 6, 2])),
        **draw(draw(st.sampled_from(list(ends.values())))),
    )
    assume(is_let_through(rule))
    return rule


def is_let_through(rule: Rule) -> bool:
    try:
        return parse(str(rule)) == rule
    except InvalidRule:
        return False


def days_by_looking(rule: Rule, start: dt.date, until: dt.date) -> list[dt.date]:
    """All of the series from `start` to `until`: each day is asked whether it fits, then each period which it picks."""
    rule = filled(rule, start)
    # Periods are whole, and begin before the start.
    day = dt.date.fromordinal(max(1, start.toordinal() - 400))
    sets: dict[int, list[dt.date]] = defaultdict(list)
    while day <= until + 400 * A_DAY:
        number = _period(rule, day) - _first_period(rule, start)
        if number % rule.interval == 0 and _fits(rule, day):
            sets[number].append(day)
        day += A_DAY
    found = [day for number in sorted(sets) for day in _picked(rule, sets[number])]
    return [day for day in found if start <= day <= until][: rule.count]


def _picked(rule: Rule, found: list[dt.date]) -> list[dt.date]:
    if not rule.by_position:
        return found
    return [
        day
        for index, day in enumerate(found)
        if index + 1 in rule.by_position or index - len(found) in rule.by_position
    ]


def _period(rule: Rule, day: dt.date) -> int:
    match rule.frequency:
        case Frequency.DAILY:
            return day.toordinal()
        case Frequency.WEEKLY:
            return (_week_begin(day, rule.week_start)) // 7
        case Frequency.MONTHLY:
            return day.year * 12 + day.month
        case Frequency.YEARLY:
            return _week(day, rule.week_start)[0] if rule.by_week else day.year


def _first_period(rule: Rule, start: dt.date) -> int:
    """Intervals of years are counted from the calendar's, those of weeks as well."""
    return start.year if rule.frequency is Frequency.YEARLY else _period(rule, start)


def _fits(rule: Rule, day: dt.date) -> bool:
    length = calendar.monthrange(day.year, day.month)[1]
    year_length = 366 if calendar.isleap(day.year) else 365
    year_day = day.timetuple().tm_yday
    _, week, weeks = _week(day, rule.week_start)
    return (
        (not rule.by_month or day.month in rule.by_month)
        and (not rule.by_week or week in rule.by_week or week - weeks - 1 in rule.by_week)
        and (
            not rule.by_year_day
            or year_day in rule.by_year_day
            or year_day - year_length - 1 in rule.by_year_day
        )
        and (not rule.by_month_day or _fits_month_day(rule, day.day, length))
        and (not rule.by_weekday or any(_fits_weekday(rule, one, day) for one in rule.by_weekday))
    )


def _fits_month_day(rule: Rule, number: int, length: int) -> bool:
    is_clamped = not (rule.by_week or rule.by_year_day or rule.by_weekday)
    return (
        number in rule.by_month_day
        or number - length - 1 in rule.by_month_day
        or (is_clamped and number == length and max(rule.by_month_day) > length)
    )


def _fits_weekday(rule: Rule, wanted: NthWeekday, day: dt.date) -> bool:
    if day.weekday() != wanted.weekday or wanted.nth == 0:
        return day.weekday() == wanted.weekday
    in_month = rule.frequency is Frequency.MONTHLY or bool(rule.by_month)
    if in_month:
        number, length = day.day, calendar.monthrange(day.year, day.month)[1]
    else:
        number, length = day.timetuple().tm_yday, 366 if calendar.isleap(day.year) else 365
    return (number - 1) // 7 + 1 == wanted.nth or -((length - number) // 7 + 1) == wanted.nth


def _week_begin(day: dt.date, week_start: int) -> int:
    # Of ordinals, which begin on a Monday with 1; rounded so that a division by seven counts weeks.
    return day.toordinal() - 1 - (day.weekday() - week_start) % 7 + 7 - week_start


def _week(day: dt.date, week_start: int) -> tuple[int, int, int]:
    """Year and number of the week, and how many the year has. A week is in the year that its fourth day is in."""
    fourth = day + A_DAY * (3 - (day.weekday() - week_start) % 7)
    number = (fourth.timetuple().tm_yday - 1) // 7 + 1
    later = 0
    while (fourth + A_DAY * 7 * (later + 1)).year == fourth.year:
        later += 1
    return fourth.year, number, number + later


def first(rrule: str, start: str, count: int) -> list[str]:
    """The first due dates of an all-day series, as text."""
    found = occurrences(Recurrence.of(rrule), When(dt.date.fromisoformat(start)))
    return [due.date.isoformat() for due in islice(found, count)]
