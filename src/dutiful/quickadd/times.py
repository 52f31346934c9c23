"""Times of day: 5pm, at 17:00, half past 8, noon, tomorrow morning."""

import datetime as dt

from dutiful.quickadd.language import Part
from dutiful.quickadd.rules import Clock, Found, Now, Reading, Rule, Where


def _written(found: Found, now: Now) -> Reading:
    """Such as 17:00, 5:30pm, 9.30am."""
    hour, minute, *_ = map(int, found.value("time").replace(".", ":").split(":"))
    return Reading(clock=_clock(found, hour, minute, found.value("time")))


def _hour(found: Found, now: Now) -> Reading:
    hour = found.value("hour")
    text = found.token("hour").values.get("TEXT", "")
    # 1030 and 730 are how some write 10:30 and 7:30.
    hour, minute = divmod(hour, 100) if len(text) >= 3 else (hour, 0)
    return Reading(clock=_clock(found, hour, minute, text))


def _hour_and_minute(found: Found, now: Now) -> Reading | None:
    """Such as seven thirty pm."""
    minute = found.value("minute")
    return Reading(clock=_clock(found, found.value("hour"), minute, "")) if minute >= 10 else None


def _hour_mark(found: Found, now: Now) -> Reading:
    """Such as 16h30, which is on the 24-hour clock."""
    return Reading(clock=Clock(dt.time(found.value("hour"), found.value("minute") or 0)))


def _clock(found: Found, hour: int, minute: int, text: str) -> Clock:
    """Raises ValueError for what is no time."""
    if not found.has("meridiem"):
        return Clock(dt.time(hour, minute), is_open=1 <= hour <= 12 and not text.startswith("0"))
    if not 1 <= hour <= 12:
        raise ValueError("no such hour")
    return Clock(dt.time(hour % 12 + found.value("meridiem"), minute))


def _past(found: Found, now: Now) -> Reading:
    """Such as half past 8, a quarter to 9, 20 past 3pm."""
    minutes = _minutes(found)
    if minutes > 59:
        raise ValueError("an hour has 60 minutes")
    clock = Clock(found.value("fixed")) if found.has("fixed") else _clock(found, found.value("hour"), 0, "")
    shift = dt.timedelta(minutes=minutes if found.has("past") else -minutes)
    time = (dt.datetime.combine(now.today, clock.time) + shift).time()
    # A quarter to 1 is after noon.
    return Reading(clock=Clock(time.replace(hour=time.hour or 12) if clock.is_open else time, clock.is_open))


def _minutes(found: Found) -> int:
    if found.has("half"):
        return 30
    return 15 if found.has("quarter") else int(found.value("count"))


def _fixed(found: Found, now: Now) -> Reading:
    return Reading(clock=Clock(found.value("time")))


def _part(found: Found, now: Now) -> Reading:
    return Reading(part=found.value("part"))


def _this_part(found: Found, now: Now) -> Reading:
    return Reading(day=now.today, part=found.value("part"))


def _hour_of_this_part(found: Found, now: Now) -> Reading:
    return Reading(day=now.today, part=found.value("part"), clock=_hour(found, now).clock)


def _hour_of_day(found: Found, now: Now) -> Reading:
    return Reading(day=now.today + dt.timedelta(days=found.value("day")), clock=_hour(found, now).clock)


_HOUR = "(hour:NUM meridiem:MERIDIEM?|fixed:FIXED)"

TIMES = (
    Rule("hour:NUM OCLOCK? meridiem:MERIDIEM", _hour, Where.ANYWHERE),
    Rule("hour:NUM OCLOCK", _hour, Where.EDGE),
    Rule("(?<=AT) hour:(NUM|YEAR)", _hour, Where.LAST),
    Rule("time:(CLOCK|DECIMAL) meridiem:MERIDIEM", _written, Where.ANYWHERE),
    Rule("time:CLOCK", _written, Where.EDGE),
    Rule("hour:NUMBER HOURMARK minute:NUMBER", _hour_mark, Where.EDGE),
    Rule("hour:NUMBER HOURMARK", _hour_mark, Where.COMPANY),
    Rule("hour:NUM minute:NUM meridiem:MERIDIEM", _hour_and_minute, Where.ANYWHERE),
    Rule("(?<=AT) hour:NUM minute:NUM", _hour_and_minute, Where.ALONE),
    Rule("ARTICLE? (half:HALF|quarter:QUARTER) (past:PAST|TO) " + _HOUR, _past, Where.EDGE),
    Rule("count:NUM ANYUNIT? past:PAST " + _HOUR, _past, Where.EDGE),
    Rule("count:NUM ANYUNIT? TO hour:NUM meridiem:MERIDIEM", _past, Where.EDGE),
    # Without company, `5 to 10` is something to count.
    Rule("count:NUM ANYUNIT? TO " + _HOUR, _past, Where.COMPANY),
    Rule("time:FIXED", _fixed, Where.COMPANY),
    Rule("IN THE part:PART", _part, Where.EDGE),
    Rule("part:PART", _part, Where.COMPANY),
    Rule("THIS part:PART", _this_part, Where.ANYWHERE),
    Rule("part:TONIGHT", _this_part, Where.ANYWHERE),
    Rule("hour:NUM part:TONIGHT", _hour_of_this_part, Where.ALONE),
    Rule("hour:NUM THIS part:PART", _hour_of_this_part, Where.ALONE),
    Rule("hour:NUM day:DAYWORD", _hour_of_day, Where.ALONE),
    Rule("hour:YEAR", _hour, Where.ALONE),
)


def settled(clock: Clock | None, part: Part | None, now: Now) -> dt.time | None:
    """The time of day that is meant. One that says neither am nor pm is as the part of the day says, else as the language
    has it. Raises ValueError where the two do not fit."""
    if clock is None:
        return part.time if part else None
    time = clock.time
    if clock.is_open:
        if part is not None:
            return _within(time, part)
        if time.hour in now.language.afternoon_hours:
            return time.replace(hour=time.hour + 12)
    return time


def _within(time: dt.time, part: Part) -> dt.time:
    """Raises ValueError for the likes of `tonight at 2`, which is neither in the afternoon nor today."""
    for hour in (time.hour % 12, time.hour % 12 + 12):
        if hour in part.hours:
            return time.replace(hour=hour)
    raise ValueError("no such hour in that part of the day")
