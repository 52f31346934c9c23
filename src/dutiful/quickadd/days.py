"""Which day it is that words mean: the next such weekday, the 31st, the last Friday of a month."""

import datetime as dt
from calendar import monthrange

A_DAY = dt.timedelta(days=1)
A_WEEK = dt.timedelta(days=7)

# The 29th of February falls on a given weekday every 28 years, around 2100 every 40.
_MOST_TRIES = 41 * 12


def coming(today: dt.date, weekday: int) -> dt.date:
    """The next such day, never today."""
    return today + ((weekday - today.weekday() - 1) % 7 + 1) * A_DAY


def in_week(first: dt.date, weekday: int) -> dt.date:
    """That weekday of the week that begins with `first`."""
    return first + (weekday - first.weekday()) % 7 * A_DAY


def later(day: dt.date, months: int) -> dt.date:
    """So many months on, the last of the month where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def coming_in_year(today: dt.date, month: int, day: int, weekday: int | None = None) -> dt.date:
    """The next such day of a year, today included; with `weekday` the next that is one. Raises ValueError for 30 Feb."""
    return _first_fit(today, month, day, weekday, 12)


def coming_in_month(today: dt.date, day: int, weekday: int | None = None) -> dt.date:
    """The next such day of a month, today included; months without one are passed over. Raises ValueError for the 32nd."""
    return _first_fit(today, today.month, day, weekday, 1)


def _first_fit(today: dt.date, month: int, day: int, weekday: int | None, step: int) -> dt.date:
    if not 1 <= day <= 31 or not 1 <= month <= 12:
        raise ValueError("no such day")
    first = dt.date(today.year, month, 1)
    for number in range(0, _MOST_TRIES, step):
        month_of = later(first, number)
        if day <= monthrange(month_of.year, month_of.month)[1]:
            found = month_of.replace(day=day)
            if found >= today and weekday in {None, found.weekday()}:
                return found
    raise ValueError("no such day")


def nth_weekday(first: dt.date, nth: int, weekday: int) -> dt.date:
    """That of the month that begins with `first`, the last for -1. Raises ValueError if there is none."""
    if nth == -1:
        end = last_of_month(first)
        return end - (end.weekday() - weekday) % 7 * A_DAY
    return first.replace(day=(weekday - first.weekday()) % 7 + 1 + 7 * (nth - 1))


def last_of_month(day: dt.date) -> dt.date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def full_year(year: int) -> int:
    """Of two digits, those from 70 on are in the last century. Raises ValueError for what is no year, but perhaps a time."""
    if year < 100:
        return year + (1900 if year >= 70 else 2000)
    if year < 1900:
        raise ValueError("no year")
    return year
