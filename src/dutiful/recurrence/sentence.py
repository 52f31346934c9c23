"""A recurrence as an English sentence, without the time of day, which the due date has."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

from dutiful.recurrence.expansion import LONGEST_MONTHS
from dutiful.recurrence.rule import Frequency, NthWeekday, Rule
from dutiful.recurrence.series import Anchor, Recurrence

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_UNITS = {
    Frequency.DAILY: "day",
    Frequency.WEEKLY: "week",
    Frequency.MONTHLY: "month",
    Frequency.YEARLY: "year",
}
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}
_NAMED_DAYS = {
    (0, 1, 2, 3, 4): "weekday",
    (5, 6): "weekend day",
    (0, 1, 2, 3, 4, 5, 6): "day",
}


def in_words(recurrence: Recurrence) -> str:
    """Such as `every 2 weeks on Monday and Friday, until 1 Dec 2027`, for every rule that can be stored."""
    rule = recurrence.rule
    if recurrence.anchor is Anchor.SCHEDULE:
        text = _scheduled(rule)
    elif rule.is_bare:
        text = " ".join([f"{_span(rule)} after it is done", *_in_months(rule)])
    else:
        text = f"{_scheduled(rule)}, counted from when it is done"
    return ", ".join([text, *_end(rule)])


def _span(rule: Rule) -> str:
    unit = _UNITS[rule.frequency]
    return f"1 {unit}" if rule.interval == 1 else f"{rule.interval} {unit}s"


def _end(rule: Rule) -> Iterator[str]:
    if rule.until is not None:
        yield f"until {_date(rule.until)}"
    if rule.count is not None:
        yield "once" if rule.count == 1 else f"{rule.count} times"


def _date(value: dt.date | dt.datetime) -> str:
    day = f"{value.day} {_MONTHS[value.month - 1][:3]} {value.year}"
    if not isinstance(value, dt.datetime):
        return day
    return f"{day} {value:%H:%M}{' UTC' if value.tzinfo else ''}"


def _scheduled(rule: Rule) -> str:
    short = None if rule.by_position else _short(rule)
    return short or _position(rule) or _long(rule)


def _short(rule: Rule) -> str | None:
    """The everyday rules as people say them: `every 31st`, `every last Friday`. None for the others."""
    if rule.interval != 1 or rule.is_bare or rule.by_week or rule.by_year_day:
        return None
    if rule.by_month_day and rule.by_weekday:
        return None
    if rule.frequency is Frequency.YEARLY:
        return _in_a_year(rule)
    if rule.by_weekday:
        noun = _weekdays(rule.by_weekday)
        if any(day.nth for day in rule.by_weekday) and not rule.by_month:
            # Alone, "every second Tuesday" is every other one.
            noun += " of the month"
    elif len(rule.by_month_day) == 1 and rule.by_month_day[0] < 0:
        noun = f"{_from_the_end(rule.by_month_day[0])} day of the month"
    elif rule.by_month_day[0] > 0:
        noun = _month_days(rule)
    else:
        return None
    return " ".join([f"every {noun}", *_in_months(rule)])


def _in_a_year(rule: Rule) -> str | None:
    if rule.by_month_day and len(rule.by_month) == 1 and rule.by_month_day[0] > 0:
        month = _MONTHS[rule.by_month[0] - 1]
        days = _listed(str(day) for day in rule.by_month_day)
        # Only in February does the month's length vary.
        note = " (the 28th when it has no more days)" if month == "February" and _is_late(rule) else ""
        return f"every year on {days} {month}{note}"
    if rule.by_weekday and rule.by_month:
        each = all(day.nth == 0 for day in rule.by_weekday)
        if each:
            return f"every {_weekdays(rule.by_weekday)} {_in_months(rule)[0]}"
        return f"every year on the {_weekdays(rule.by_weekday)} {_in_months(rule)[0].replace('in', 'of', 1)}"
    return None


def _position(rule: Rule) -> str | None:
    """`every last weekday of the month`: one of a named set, once a period."""
    named = _named(rule.by_weekday)
    is_plain = not (rule.by_week or rule.by_year_day or rule.by_month_day)
    if named is None or len(rule.by_position) != 1 or not is_plain or rule.interval != 1:
        return None
    if rule.frequency not in {Frequency.MONTHLY, Frequency.YEARLY}:
        return None
    noun = f"{_nth(rule.by_position[0])} {named} of the {_UNITS[rule.frequency]}"
    return " ".join([f"every {noun}", *_in_months(rule)])


def _long(rule: Rule) -> str:
    """Part by part, which every rule can be said in."""
    words = [f"every {_UNITS[rule.frequency]}" if rule.interval == 1 else f"every {_span(rule)}"]
    words += _in_months(rule)
    if rule.by_week:
        weeks = _listed(_counted(number) for number in rule.by_week)
        words.append(f"in the {weeks} week" + ("s" if len(rule.by_week) > 1 else ""))
    if rule.by_year_day:
        words.append(f"on the {_listed(map(_counted, rule.by_year_day))} day of the year")
    if rule.by_month_day:
        narrowed = "if it is" if rule.by_weekday else "on"
        month_days = f"the {_month_days(rule)}"
        if rule.by_weekday:
            words.append(f"on {_weekdays(rule.by_weekday)}")
        words.append(f"{narrowed} {month_days}")
    elif rule.by_weekday:
        numbered = any(day.nth for day in rule.by_weekday)
        words.append(f"on {'the ' if numbered else ''}{_weekdays(rule.by_weekday)}")
    text = " ".join(words)
    if rule.by_position:
        text += f", only the {_listed(map(_counted, rule.by_position))} of these days"
    if rule.week_start and (rule.by_week or (rule.frequency is Frequency.WEEKLY and rule.interval > 1)):
        text += f", in weeks that start on {_WEEKDAYS[rule.week_start]}"
    return text


def _in_months(rule: Rule) -> list[str]:
    return [f"in {_listed(_MONTHS[month - 1] for month in rule.by_month)}"] if rule.by_month else []


def _month_days(rule: Rule) -> str:
    positive = [f"{day}{_suffix(day)}" for day in rule.by_month_day if day > 0]
    text = _listed([*positive, *(f"{_from_the_end(day)} day" for day in rule.by_month_day if day < 0)])
    return f"{text} (the last day of shorter months)" if _is_late(rule) else text


def _is_late(rule: Rule) -> bool:
    """Whether a day is meant that some of its months lack, and that falls on their last one."""
    shortest = min(28 if month == 2 else LONGEST_MONTHS[month] for month in rule.by_month or range(1, 13))
    return rule.clamps and max(rule.by_month_day) > shortest


def _named(days: Sequence[NthWeekday]) -> str | None:
    if any(day.nth for day in days):
        return None
    return _NAMED_DAYS.get(tuple(day.weekday for day in days))


def _weekdays(days: Sequence[NthWeekday]) -> str:
    named = _named(days)
    if named is not None:
        return named
    return _listed(
        f"{_nth(day.nth)} {_WEEKDAYS[day.weekday]}" if day.nth else _WEEKDAYS[day.weekday]
        for day in sorted(days, key=lambda day: (day.nth < 0, day.nth, day.weekday))
    )


def _nth(number: int) -> str:
    if number in _ORDINALS:
        return _ORDINALS[number]
    return f"{number}{_suffix(number)}" if number > 0 else _from_the_end(number)


def _counted(number: int) -> str:
    return f"{number}{_suffix(number)}" if number > 0 else _from_the_end(number)


def _from_the_end(number: int) -> str:
    return "last" if number == -1 else f"{_nth(-number)} to last"


def _suffix(number: int) -> str:
    if number % 100 in {11, 12, 13}:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _listed(words: Iterable[str]) -> str:
    *rest, last = words
    return f"{', '.join(rest)} and {last}" if rest else last
