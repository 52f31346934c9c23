"""Dates: today, next friday, 1 december 2027, in 3 days, the last day of next month."""

import datetime as dt
import re
from collections.abc import Callable
from zoneinfo import ZoneInfo

from dutiful.quickadd import days
from dutiful.quickadd.days import A_DAY, A_WEEK
from dutiful.quickadd.language import Span
from dutiful.quickadd.rules import Clock, Found, Now, Reading, Rule, Where

ONE_DAY, ONE_WEEK, ONE_MONTH = Span(1, "day"), Span(1, "week"), Span(1, "month")


def _dayword(found: Found, now: Now) -> Reading:
    return Reading(day=now.today + found.value("day") * A_DAY)


def _day_after(found: Found, now: Now) -> Reading | None:
    is_day = found.value("unit") == ONE_DAY
    return Reading(day=now.today + (found.value("day") + 1) * A_DAY) if is_day else None


def _weekday(found: Found, now: Now) -> Reading:
    return Reading(day=days.coming(now.today, found.value("weekday")))


def _next_weekday(found: Found, now: Now) -> Reading:
    return Reading(day=days.in_week(now.week + A_WEEK, found.value("weekday")))


def _weekday_after_next(found: Found, now: Now) -> Reading:
    return Reading(day=days.coming(now.today, found.value("weekday")) + A_WEEK)


def _weekday_of_week(found: Found, now: Now) -> Reading | None:
    if found.value("unit") != ONE_WEEK:
        return None
    first = now.week + A_WEEK if found.has("next") else now.week
    return Reading(day=days.in_week(first, found.value("weekday")))


def _weekend(found: Found, now: Now) -> Reading:
    """Saturday; on Sunday, this one is today."""
    if found.has("next"):
        return Reading(day=days.in_week(now.week + A_WEEK, 5))
    return Reading(day=now.today if now.today.weekday() >= 5 else days.coming(now.today, 5))


def _month_day(found: Found, now: Now) -> Reading:
    month, day, year = found.value("month"), found.value("day"), found.value("year")
    if year is not None:
        return Reading(day=dt.date(days.full_year(year), month, day))
    return Reading(day=days.coming_in_year(now.today, month, day, found.value("weekday")))


def _day_of_month(found: Found, now: Now) -> Reading:
    return Reading(day=days.coming_in_month(now.today, found.value("day"), found.value("weekday")))


def _day_of_this_month(found: Found, now: Now) -> Reading | None:
    if found.value("unit") != ONE_MONTH:
        return None
    return Reading(day=_month(found, now).replace(day=found.value("day")))


def _iso(found: Found, now: Now) -> Reading:
    year, month, day = map(int, found.value("date").split("-"))
    return Reading(day=dt.date(year, month, day))


def _full(found: Found, now: Now) -> Reading:
    first, second, year = map(int, re.split("[./-]", found.value("date")))
    month, day = _ordered(first, second, now)
    return Reading(day=dt.date(days.full_year(year), month, day))


def _short(found: Found, now: Now) -> Reading:
    first, second = map(int, re.split("[/-]", found.value("date")))
    return Reading(day=days.coming_in_year(now.today, *_ordered(first, second, now)))


def _ordered(first: int, second: int, now: Now) -> tuple[int, int]:
    """Month and day. What makes sense in one order only is read in it, whatever that of the language."""
    is_month_first = now.language.is_month_first if max(first, second) <= 12 else second > 12
    return (first, second) if is_month_first else (second, first)


def _this_unit(found: Found, now: Now) -> Reading | None:
    return _edge("end", found.value("unit"), now)


def _next_unit(found: Found, now: Now) -> Reading | None:
    return _edge("start", found.value("unit"), now, 1)


def _edge_of_unit(found: Found, now: Now) -> Reading | None:
    return _edge(found.value("edge"), found.value("unit"), now, 1 if found.has("next") else 0)


def _edge_word(found: Found, now: Now) -> Reading | None:
    edge, unit = found.value("edge")
    return _edge(edge, unit, now)


def _edge(edge: str, unit: Span, now: Now, ahead: int = 0) -> Reading | None:
    """The first, middle or last day of this week, month, quarter or year, or one so many ahead. Today ends today."""
    if unit == ONE_DAY:
        return Reading(day=now.today) if edge == "end" and not ahead else None
    if unit == ONE_WEEK:
        first = now.week + ahead * A_WEEK
        end = first + 6 * A_DAY
    elif unit.unit in {"month", "year"}:
        months = unit.count * (12 if unit.unit == "year" else 1)
        first = now.today.replace(month=(now.today.month - 1) // months * months + 1, day=1)
        first = days.later(first, ahead * months)
        end = days.last_of_month(days.later(first, months - 1))
    else:
        return None
    middle = first + (end - first) // 2 // A_DAY * A_DAY
    return Reading(day={"start": first, "middle": middle, "end": end}[edge])


def _edge_of_month(found: Found, now: Now) -> Reading:
    edge, month, year = found.value("edge"), found.value("month"), found.value("year")

    def day_in(first: dt.date) -> dt.date:
        return (
            days.last_of_month(first) if edge == "end" else first.replace(day=15 if edge == "middle" else 1)
        )

    return Reading(day=_coming_month(day_in, now, month, year))


def _month_alone(found: Found, now: Now) -> Reading:
    """Its first day; of the month that it is, the last."""
    month, year = found.value("month"), found.value("year")
    first = dt.date(days.full_year(year) if year else now.today.year, month, 1)
    if (first.year, first.month) == (now.today.year, now.today.month):
        return Reading(day=days.last_of_month(first))
    return Reading(day=first if year else days.coming_in_year(now.today, month, 1))


def _nth_weekday(found: Found, now: Now) -> Reading | None:
    nth, weekday = found.value("nth"), found.value("weekday")
    return _in_month(found, now, lambda first: days.nth_weekday(first, nth, weekday))


def _last_day(found: Found, now: Now) -> Reading | None:
    return _in_month(found, now, days.last_of_month) if found.value("day") == ONE_DAY else None


def _in_month(found: Found, now: Now, day_in: Callable[[dt.date], dt.date]) -> Reading | None:
    """`day_in` the month, given by its first day, that is named, this or next."""
    if found.has("month"):
        return Reading(day=_coming_month(day_in, now, found.value("month"), found.value("year")))
    if found.value("unit") != ONE_MONTH:
        return None
    day = day_in(_month(found, now))
    if day < now.today and not found.has("this"):
        day = day_in(days.later(now.today.replace(day=1), 1))
    return Reading(day=day)


def _month(found: Found, now: Now) -> dt.date:
    """The first day of this or next month."""
    return days.later(now.today.replace(day=1), 1 if found.has("next") else 0)


def _coming_month(day_in: Callable[[dt.date], dt.date], now: Now, month: int, year: int | None) -> dt.date:
    if year is not None:
        return day_in(dt.date(days.full_year(year), month, 1))
    day = day_in(dt.date(now.today.year, month, 1))
    return day if day >= now.today else day_in(dt.date(now.today.year + 1, month, 1))


def _in_span(found: Found, now: Now) -> Reading:
    unit: Span = found.value("unit")
    return _after(now, found.value("count") * unit.count, unit.unit)


def _in_two_spans(found: Found, now: Now) -> Reading | None:
    """Such as in 1 hour 30 minutes."""
    units: tuple[Span, Span] = found.value("unit"), found.value("smaller")
    if [unit.unit for unit in units] != ["hour", "minute"]:
        return None
    return _after(now, 60 * found.value("count") + found.value("more"), "minute")


def _weekdays_on(found: Found, now: Now) -> Reading:
    """Such as 3 fridays from now."""
    return Reading(day=days.coming(now.today, found.value("weekday")) + (found.value("count") - 1) * A_WEEK)


def _in_fraction(found: Found, now: Now) -> Reading | None:
    minutes = 30 if found.has("half") else 15
    return _after(now, minutes, "minute") if found.value("unit") == Span(1, "hour") else None


def _in_part(found: Found, now: Now) -> Reading | None:
    """Such as in 1/2 h, in 2.5 hours."""
    if found.value("unit") != Span(1, "hour"):
        return None
    above, slash, below = found.value("count").partition("/")
    if slash and not int(below):
        return None
    return _after(now, round(60 * float(above) / int(below or 1)), "minute")


def _after(now: Now, count: int, unit: str) -> Reading:
    if unit in {"minute", "hour"}:
        at = _moment_after(now, dt.timedelta(**{f"{unit}s": count}))
        return Reading(day=at.date(), clock=Clock(at.time().replace(second=0, microsecond=0)))
    if unit in {"month", "year"}:
        return Reading(day=days.later(now.today, count * (12 if unit == "year" else 1)))
    return Reading(day=now.today + count * (A_WEEK if unit == "week" else A_DAY))


def _moment_after(now: Now, span: dt.timedelta) -> dt.datetime:
    """On the wall, which jumps where the clocks change."""
    if now.timezone is None:
        return now.local + span
    zone = ZoneInfo(now.timezone)
    moment = now.local.replace(tzinfo=zone).astimezone(dt.UTC) + span
    return moment.astimezone(zone).replace(tzinfo=None)


def _now(found: Found, now: Now) -> Reading:
    return _after(now, 0, "minute")


_OF_SOME_MONTH = "(OF|IN) THE? ((next:NEXT|this:THIS)? unit:UNIT|month:MONTH COMMA? year:YEAR?)"

DATES = (
    Rule("day:DAYWORD", _dayword, Where.ANYWHERE),
    Rule("THE? unit:UNIT AFTER day:DAYWORD", _day_after, Where.ANYWHERE),
    # Weekdays.
    Rule("(?!UNCLEAR) weekday:WEEKDAY", _weekday, Where.END),
    Rule("(?=UNCLEAR) weekday:WEEKDAY", _weekday, Where.LAST),
    Rule("(THIS|COMING) weekday:WEEKDAY", _weekday, Where.EDGE),
    Rule("(?!COMING) NEXT weekday:WEEKDAY", _next_weekday, Where.ANYWHERE),
    Rule("weekday:WEEKDAY AFTER NEXT", _weekday_after_next, Where.EDGE),
    Rule("weekday:WEEKDAY (COMMA|OF)? THE? (next:NEXT|THIS) unit:UNIT", _weekday_of_week, Where.EDGE),
    Rule("(next:NEXT|THIS) unit:UNIT (COMMA|ON)? weekday:WEEKDAY", _weekday_of_week, Where.EDGE),
    Rule("(THIS|next:NEXT) WEEKEND", _weekend, Where.EDGE),
    Rule("(AT|ON) THE? WEEKEND", _weekend, Where.EDGE),
    # Days of a month.
    Rule("(weekday:WEEKDAY COMMA?)? month:MONTH THE? day:DAY (COMMA? year:YEAR)?", _month_day, Where.EDGE),
    Rule(
        "(weekday:WEEKDAY COMMA?)? THE? day:DAY (OF THE?)? month:MONTH (COMMA? year:YEAR)?",
        _month_day,
        Where.EDGE,
    ),
    Rule("THE? day:ORDINAL", _day_of_month, Where.LAST),
    Rule("(?<=ON) THE day:ORDWORD", _day_of_month, Where.LAST),
    Rule("weekday:WEEKDAY COMMA? THE? day:ORDINAL", _day_of_month, Where.EDGE),
    Rule("THE? day:DAY OF THE? (next:NEXT|THIS) unit:UNIT", _day_of_this_month, Where.EDGE),
    Rule("THE? nth:(ORDINAL|ORDWORD|LAST) weekday:WEEKDAY " + _OF_SOME_MONTH, _nth_weekday, Where.EDGE),
    Rule("THE? LAST day:UNIT " + _OF_SOME_MONTH, _last_day, Where.EDGE),
    Rule("(ANYDAY COMMA?)? date:ISODATE", _iso, Where.ANYWHERE),
    Rule("(ANYDAY COMMA?)? date:FULLDATE", _full, Where.EDGE),
    Rule("(ANYDAY COMMA?)? date:SLASHDATE", _short, Where.EDGE),
    Rule("date:DASHDATE", _short, Where.ALONE),
    # Weeks, months and longer.
    Rule("(NEXT|THE NEXT) unit:UNIT", _next_unit, Where.EDGE),
    Rule("THIS unit:UNIT", _this_unit, Where.EDGE),
    Rule("THE? edge:EDGE OF? THE? (THIS|next:NEXT)? unit:UNIT", _edge_of_unit, Where.EDGE),
    Rule("THE? edge:EDGEWORD", _edge_word, Where.EDGE),
    Rule("THE? edge:EDGE OF? month:MONTH year:YEAR?", _edge_of_month, Where.EDGE),
    Rule("(?<=ENDING) month:MONTH year:YEAR?", _month_alone, Where.LAST),
    Rule("IN? month:MONTH year:YEAR?", _month_alone, Where.ALONE),
    # From now on.
    Rule("IN ARTICLE? count:COUNTED OF? unit:ANYUNIT", _in_span, Where.ANYWHERE),
    Rule("ARTICLE? count:COUNTED OF? unit:ANYUNIT (FROM NOW|LATER)", _in_span, Where.EDGE),
    Rule("IN (half:HALF|ARTICLE? QUARTER OF) ARTICLE? unit:ANYUNIT", _in_fraction, Where.ANYWHERE),
    Rule("half:HALF ARTICLE? unit:ANYUNIT (FROM NOW|LATER)", _in_fraction, Where.EDGE),
    Rule("IN count:COUNTED unit:ANYUNIT AND? more:NUM smaller:ANYUNIT", _in_two_spans, Where.ANYWHERE),
    Rule("IN count:(DECIMAL|SLASHDATE) ARTICLE? unit:ANYUNIT", _in_part, Where.ANYWHERE),
    Rule("count:NUM weekday:ANYDAY FROM NOW", _weekdays_on, Where.EDGE),
    Rule("NOW", _now, Where.ALONE),
)
