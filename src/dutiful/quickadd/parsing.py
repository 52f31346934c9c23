"""One line of text into a task."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from zoneinfo import ZoneInfo

from dutiful.models import Priority, When
from dutiful.quickadd import marks, phrases
from dutiful.quickadd.days import A_DAY, A_WEEK, later
from dutiful.quickadd.english import ENGLISH
from dutiful.quickadd.language import Language, Span
from dutiful.quickadd.lexing import Token, tokens, vocabulary
from dutiful.quickadd.marks import Mark
from dutiful.quickadd.phrases import Phrase
from dutiful.quickadd.rules import Now, Reading
from dutiful.quickadd.times import settled
from dutiful.recurrence import Anchor, InvalidRule, Recurrence, occurrences, starting
from dutiful.recurrence import Rule as Repeat


@dataclass(frozen=True, slots=True)
class TextSpan:
    """Characters from `start` to before `end`, counted in code points, and what they were taken for.

    `kind` is project, label, priority, description, due or recurrence; `value` the name, the text, the due date as
    `2026-12-01` or `2026-12-01T09:00`, or the rule."""

    start: int
    end: int
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class QuickTask:
    """`title` is empty where the line has nothing else; no length is checked. `due` is the first of a recurrence."""

    title: str
    description: str = ""
    priority: Priority = Priority.NONE
    project: str | None = None
    labels: tuple[str, ...] = ()
    due: When | None = None
    recurrence: Recurrence | None = None
    spans: tuple[TextSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Understood:
    due: When
    recurrence: Recurrence | None = None


def parse(
    text: str,
    now: dt.datetime,
    timezone: str | None = None,
    language: Language = ENGLISH,
    week_start: int = 0,
) -> QuickTask:
    """The task that `text` says. Never raises, whatever the text.

    `now` is the time on the wall where the person is, or any moment with a time zone. Times of day are in `timezone`, an
    IANA name, or float without one. Weeks start on `week_start`, 0 is Monday.
    """
    moment = _now(now, timezone, language, week_start)
    found = list(marks.find(text, language.priorities))
    taken = list(_taken(found))
    gone = {mark.start for mark in taken}
    pieces = tokens(
        text, vocabulary(language), [(mark.start, mark.end, mark.start in gone) for mark in found]
    )
    reading, said = phrases.chosen(pieces, moment)
    understood = _understood(reading, moment)
    spans = [TextSpan(mark.start, mark.end, mark.kind, mark.value) for mark in taken]
    if understood is not None:
        spans += _when_spans(text, pieces, said, understood)
    spans.sort(key=lambda span: span.start)
    values = {mark.kind: mark.value for mark in taken}
    return QuickTask(
        title=_title(text, spans, found),
        description=values.get("description", ""),
        priority=Priority(values.get("priority", Priority.NONE)),
        project=values.get("project"),
        labels=_labels(taken),
        due=understood.due if understood else None,
        recurrence=understood.recurrence if understood else None,
        spans=tuple(spans),
    )


def parse_when(
    text: str,
    now: dt.datetime,
    timezone: str | None = None,
    language: Language = ENGLISH,
    week_start: int = 0,
) -> Understood | None:
    """What `text` says of when, and nothing besides: `next friday`, `every! 2 weeks`. None if any of it is something else.

    It also takes what in a line of other words is too little to go by, such as a month alone. Never raises.
    """
    moment = _now(now, timezone, language, week_start)
    reading = phrases.the_whole(tokens(text, vocabulary(language)), moment)
    return None if reading is None else _understood(reading, moment)


def _now(now: dt.datetime, timezone: str | None, language: Language, week_start: int) -> Now:
    if now.tzinfo is not None and timezone is not None:
        now = now.astimezone(ZoneInfo(timezone))
    return Now(now.replace(tzinfo=None), timezone, week_start, language)


def _taken(found: Iterable[Mark]) -> Iterator[Mark]:
    """All labels, the first project and priority, the description. What quotes keep is not taken."""
    seen = {"quote"}
    for mark in found:
        if mark.kind not in seen:
            yield mark
        if mark.kind != "label":
            seen.add(mark.kind)


def _labels(taken: Iterable[Mark]) -> tuple[str, ...]:
    """Each once, as it was written first."""
    names: dict[str, str] = {}
    for mark in taken:
        if mark.kind == "label":
            names.setdefault(mark.value.casefold(), mark.value)
    return tuple(names.values())


def _understood(reading: Reading, now: Now) -> Understood | None:
    """None where nothing is said, or what cannot be: a rule without a day, a date beyond all calendars."""
    if reading == Reading():
        return None
    try:
        time = settled(reading.clock, reading.part, now)
        is_ahead = time is None or time > now.local.time()
        day = reading.day or (now.today if is_ahead else now.today + A_DAY)
        due = When(day, time, now.timezone if time else None)
        if reading.repeat is None:
            return Understood(due)
        return _repeating(reading, reading.repeat, due)
    except (InvalidRule, OverflowError, ValueError):
        return None


def _repeating(reading: Reading, repeat: Repeat, earliest: When) -> Understood | None:
    """The interval begins with the first day that fits, so it has no part in finding that."""
    every = Recurrence.of(str(replace(repeat, interval=1)))
    due = next(occurrences(every, earliest), None)
    if due is None:
        return None
    until = reading.until if reading.lasting is None else _last_day(due.date, reading.lasting)
    rule = replace(repeat, count=reading.count, until=until)
    anchor = Anchor.COMPLETION if reading.follows_completion else Anchor.SCHEDULE
    return Understood(due, starting(Recurrence.of(str(rule), anchor), due))


def _last_day(first: dt.date, lasting: Span) -> dt.date:
    if lasting.unit in {"month", "year"}:
        return later(first, lasting.count * (12 if lasting.unit == "year" else 1)) - A_DAY
    return first + lasting.count * (A_WEEK if lasting.unit == "week" else A_DAY) - A_DAY


def _when_spans(
    text: str, pieces: Sequence[Token], said: Iterable[Phrase], understood: Understood
) -> Iterator[TextSpan]:
    due = understood.due
    date = due.date.isoformat() if due.time is None else f"{due.date}T{due.as_json()['time']}"
    for phrase in said:
        kind, value = "due", date
        if understood.recurrence is not None and not phrase.reading.is_only_due:
            kind, value = "recurrence", understood.recurrence.rrule
        for start, end in _runs(text, pieces[phrase.start : phrase.end]):
            yield TextSpan(start, end, kind, value)


def _runs(text: str, pieces: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Where words stand that have no project, label or priority between them."""
    start = pieces[0].start
    for piece, following in pairwise(pieces):
        if text[piece.end : following.start].strip():
            yield start, piece.end
            start = following.start
    yield start, pieces[-1].end


_LEADING = re.compile(r"(?:[,;:]+|[-\u2013\u2014]+(?=\s|$)|\s+)+")
_TRAILING = re.compile(r"(?:[\s,;:]|(?<=\s)[-\u2013\u2014])+$")
_SIGNS = (".", ",", ";", ":", "!", "?", ")")


def _title(text: str, spans: Iterable[TextSpan], found: Iterable[Mark]) -> str:
    """What is left of the text, as it is written. Quotes around all of it have done their work, others stay."""
    title, position = "", 0
    for number, (start, end) in enumerate([*((span.start, span.end) for span in spans), (len(text), 0)]):
        piece = text[position:start].rstrip()
        title = _put_together(title, piece) if number else piece.lstrip()
        position = end
    for mark in found:
        if mark.kind == "quote" and title == text[mark.start : mark.end]:
            return title[1:-1].strip()
    return title


def _put_together(left: str, right: str) -> str:
    """The text before and after a part that was taken out, without the signs that set it off."""
    if left.endswith("(") and right.startswith(")"):
        left, right = left[:-1].rstrip(), right[1:]
    if not left:
        return _LEADING.sub("", right, count=1) if _LEADING.match(right) else right
    if not right or right.startswith(_SIGNS):
        return _TRAILING.sub("", left) + right
    return f"{left} {right.lstrip()}"
