"""Repetitions: every weekday, every 15th and last day, every! 2 weeks, 10 times."""

from collections.abc import Iterator, Sequence
from typing import Any

from dutiful.quickadd.dates import ONE_DAY, ONE_MONTH
from dutiful.quickadd.language import Span
from dutiful.quickadd.lexing import Token
from dutiful.quickadd.rules import Found, Now, Reading, Rule, Where
from dutiful.recurrence import Frequency, NthWeekday
from dutiful.recurrence import Rule as Repeat

_FREQUENCIES = {
    "day": Frequency.DAILY,
    "week": Frequency.WEEKLY,
    "month": Frequency.MONTHLY,
    "year": Frequency.YEARLY,
}
_WORKDAYS = tuple(NthWeekday(weekday) for weekday in range(5))


def _reading(found: Found, frequency: Frequency, **parts: Any) -> Reading:
    lists: dict[str, Any] = {
        name: tuple(sorted(set(part))) if isinstance(part, list) else part for name, part in parts.items()
    }
    follows = True if found.has("strict") or found.has("completion") else None
    return Reading(repeat=Repeat(frequency=frequency, **lists), follows_completion=follows)


def _period(found: Found, unsaid: Frequency = Frequency.DAILY) -> tuple[Frequency, int]:
    """How often, and every how many. Raises ValueError for hours: nothing repeats within a day."""
    unit: Span | None = found.value("unit") or found.value("adverb")
    if unit is None:
        return unsaid, 1
    count = found.value("n") or 1
    if unit.unit not in _FREQUENCIES:
        raise ValueError("too often")
    return _FREQUENCIES[unit.unit], count * unit.count


def _bare(found: Found, now: Now) -> Reading:
    frequency, interval = _period(found)
    return _reading(found, frequency, interval=interval)


def _period_on_weekdays(found: Found, now: Now) -> Reading | None:
    frequency, interval = _period(found)
    return _weekly(found, now, interval) if frequency is Frequency.WEEKLY else None


def _weekdays(found: Found, now: Now) -> Reading | None:
    interval = found.value("n") or 1
    # `every third friday` and `every 2nd friday` number those of a month; only `every second friday` is every other one.
    values = found.token("n").values if found.has("n") else {}
    if "ORDINAL" in values or ("ORDWORD" in values and interval != 2):
        return None
    return _weekly(found, now, interval)


def _weekly(found: Found, now: Now, interval: int) -> Reading:
    weekdays = sorted(set(_listed_weekdays(found.within("days"))))
    # Where a week begins decides only which of several days are in the same one.
    week_start = now.week_start if interval > 1 and len(weekdays) > 1 else 0
    by_weekday = [NthWeekday(weekday) for weekday in weekdays]
    return _reading(found, Frequency.WEEKLY, interval=interval, by_weekday=by_weekday, week_start=week_start)


def _listed_weekdays(tokens: Sequence[Token]) -> Iterator[int]:
    """`mon-fri` is all from the first to the last."""
    begun: int | None = None
    is_range = False
    for token in tokens:
        weekday = token.values.get("WEEKDAY", token.values.get("WEEKDAYS"))
        if weekday is None:
            is_range = "RANGE" in token.values
            continue
        if is_range and begun is not None:
            yield from ((begun + step) % 7 for step in range((weekday - begun) % 7 + 1))
        yield weekday
        begun, is_range = weekday, False


def _workdays(found: Found, now: Now) -> Reading:
    return _reading(found, Frequency.WEEKLY, by_weekday=_WORKDAYS)


def _weekend(found: Found, now: Now) -> Reading:
    return _reading(found, Frequency.WEEKLY, by_weekday=(NthWeekday(5),))


def _weekend_days(found: Found, now: Now) -> Reading:
    return _reading(found, Frequency.WEEKLY, by_weekday=(NthWeekday(5), NthWeekday(6)))


def _parts_of_days(found: Found, now: Now) -> Reading | None:
    return _reading(found, Frequency.DAILY).merged(Reading(part=found.value("part")))


def _month_days(found: Found, now: Now) -> Reading | None:
    """Such as every 15th and last day, every 2 months on the 1st."""
    frequency, interval = _period(found, Frequency.MONTHLY)
    is_of_month = found.value("month") in {None, ONE_MONTH}
    if frequency is not Frequency.MONTHLY or not is_of_month:
        return None
    tokens = found.within("days")
    # The last of what, if said, must be a day.
    if any(token.values["UNIT"] != ONE_DAY for token in tokens if "UNIT" in token.values):
        return None
    return _reading(found, frequency, interval=interval, by_month_day=_checked(found.numbers("days")))


def _checked(month_days: list[int]) -> list[int]:
    if any(day > 31 for day in month_days):
        raise ValueError("no such day")
    return month_days


def _nth_weekdays(found: Found, now: Now) -> Reading | None:
    """Such as every 2nd tuesday of the month, every last workday, every year on the first monday of may."""
    is_yearly = found.has("month")
    expected = Frequency.YEARLY if is_yearly else Frequency.MONTHLY
    frequency, interval = _period(found, expected)
    nths = found.numbers("nths")
    if frequency is not expected or found.value("span") not in {None, ONE_MONTH} or max(nths) > 5:
        return None
    by_month = (found.value("month"),) if is_yearly else ()
    if not found.has("weekday"):
        return _reading(
            found, frequency, interval=interval, by_month=by_month, by_weekday=_WORKDAYS, by_position=nths
        )
    by_weekday = [NthWeekday(found.value("weekday"), nth) for nth in nths]
    return _reading(found, frequency, interval=interval, by_month=by_month, by_weekday=by_weekday)


def _year_day(found: Found, now: Now) -> Reading | None:
    """Such as every dec 1, every 2 years on 1 december; of a month alone, its first."""
    frequency, interval = _period(found, Frequency.YEARLY)
    if frequency is not Frequency.YEARLY:
        return None
    day = found.value("day") or 1
    return _reading(
        found, frequency, interval=interval, by_month=(found.value("month"),), by_month_day=_checked([day])
    )


def _completion(found: Found, now: Now) -> Reading:
    return Reading(follows_completion=True)


def _times(found: Found, now: Now) -> Reading:
    return Reading(count=found.value("count"))


def _lasting(found: Found, now: Now) -> Reading | None:
    unit: Span = found.value("unit")
    if unit.unit not in _FREQUENCIES:
        return None
    return Reading(lasting=Span(found.value("count") * unit.count, unit.unit))


_EVERY = "EVERY (strict:BANG)?"
_PERIOD = f"({_EVERY} (n:EACH)? unit:ANYUNIT|adverb:ADVERB)"
_WEEKDAY_LIST = "ANYDAY (RANGE ANYDAY)? (SEPARATOR{0,2} ANYDAY (RANGE ANYDAY)?){0,6}"
_MONTH_DAY = "THE? (ORDINAL|LAST UNIT)"
_MONTH_DAYS = f"days:({_MONTH_DAY} (SEPARATOR{{1,2}} {_MONTH_DAY}){{0,6}})"
_DAY_OF_MONTH = "THE? (NTH|LAST UNIT)"
_NTHS = "nths:((NTH|LAST) (SEPARATOR{1,2} (NTH|LAST)){0,4})"
_OF_MONTH = "(weekday:WEEKDAY|WORKDAY) ((OF|IN) (THE|EVERY)? (span:UNIT|month:MONTH))? (?!OF)"
_AFTER_COMPLETION = "completion:AFTER FILLER{0,3} COMPLETION"

REPEATS = (
    Rule(f"{_EVERY} (n:EACH)? unit:ANYUNIT", _bare, Where.ANYWHERE),
    Rule("adverb:ADVERB", _bare, Where.LAST),
    Rule("ONCE (ARTICLE|EVERY) unit:UNIT", _bare, Where.LAST),
    Rule(f"ARTICLE? n:NUM unit:ANYUNIT {_AFTER_COMPLETION}", _bare, Where.EDGE),
    # Days of the week.
    Rule(f"{_EVERY} (n:EACH)? days:({_WEEKDAY_LIST})", _weekdays, Where.ANYWHERE),
    Rule(f"{_PERIOD} ON days:({_WEEKDAY_LIST})", _period_on_weekdays, Where.ANYWHERE),
    Rule("ON? days:(WEEKDAYS (SEPARATOR{1,2} WEEKDAYS){0,6})", _weekdays, Where.LAST),
    Rule(f"{_EVERY} WORKDAY", _workdays, Where.ANYWHERE),
    Rule("ON? WORKDAYS", _workdays, Where.LAST),
    Rule(f"{_EVERY} WEEKEND", _weekend, Where.ANYWHERE),
    Rule(f"{_EVERY} WEEKEND UNIT", _weekend_days, Where.ANYWHERE),
    Rule("(ON|AT)? WEEKENDS", _weekend_days, Where.LAST),
    Rule(f"{_EVERY} part:PART", _parts_of_days, Where.ANYWHERE),
    # Days of the month.
    Rule(f"{_EVERY} {_MONTH_DAYS} (OF (THE|EVERY)? month:UNIT)? (?!OF)", _month_days, Where.ANYWHERE),
    Rule(
        f"days:({_DAY_OF_MONTH} (SEPARATOR{{1,2}} {_DAY_OF_MONTH}){{0,6}}) OF EVERY month:UNIT",
        _month_days,
        Where.ANYWHERE,
    ),
    Rule(f"{_PERIOD} ON {_MONTH_DAYS}", _month_days, Where.ANYWHERE),
    Rule(f"{_EVERY} {_NTHS} {_OF_MONTH}", _nth_weekdays, Where.ANYWHERE),
    Rule(f"THE? {_NTHS} (weekday:WEEKDAY|WORKDAY) OF EVERY span:UNIT", _nth_weekdays, Where.ANYWHERE),
    Rule(f"{_PERIOD} ON THE? {_NTHS} {_OF_MONTH}", _nth_weekdays, Where.ANYWHERE),
    # Days of the year.
    Rule(f"{_EVERY} month:MONTH (THE? day:DAY)?", _year_day, Where.ANYWHERE),
    Rule(f"{_EVERY} day:DAY OF? month:MONTH", _year_day, Where.ANYWHERE),
    Rule(f"{_PERIOD} (ON|IN) month:MONTH (THE? day:DAY)?", _year_day, Where.ANYWHERE),
    Rule(f"{_PERIOD} ON THE? day:DAY OF? month:MONTH", _year_day, Where.ANYWHERE),
    # What belongs to a repetition.
    Rule(_AFTER_COMPLETION, _completion, Where.COMPANY),
    Rule("FOR? count:NUM TIMES (?!ARTICLE|EVERY)", _times, Where.COMPANY),
    Rule("FOR count:COUNTED unit:ANYUNIT", _lasting, Where.COMPANY),
)
