"""English words. Times of day, the order of month and day, and what `at 5` means are conventions: docs/decisions/0023."""

import datetime as dt

from dutiful.models import Priority
from dutiful.quickadd.language import Language, Part, Role, Span


def _words(*groups: str) -> dict[str, int]:
    """Groups of synonyms, numbered from 1."""
    return {word: number for number, group in enumerate(groups, 1) for word in group.split()}


def _same(value: object, words: str) -> dict[str, object]:
    return dict.fromkeys(words.split(), value)


_WEEKDAYS = {
    word: number - 1
    for word, number in _words(
        "monday mon", "tuesday tue tues", "wednesday wed weds", "thursday thu thur thurs", "friday fri",
        "saturday sat", "sunday sun",
    ).items()
}  # fmt: skip

_MORNING = Part(dt.time(9), range(1, 12))
_AFTERNOON = Part(dt.time(15), range(12, 19))
_EVENING = Part(dt.time(19), range(16, 24))
_NIGHT = Part(dt.time(21), range(18, 24))

_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90}

ENGLISH = Language(
    words={
        Role.DAYWORD: {
            **_same(0, "today tod eod"),
            **_same(1, "tomorrow tomorrows tmr tmrw"),
            **_same(-1, "yesterday"),
        },
        Role.TONIGHT: _same(_NIGHT, "tonight tonite"),
        Role.WEEKDAY: _WEEKDAYS,
        Role.WEEKDAYS: {
            f"{word}s": number for word, number in _WEEKDAYS.items() if word.endswith(("day", "mon", "fri"))
        },
        Role.UNCLEAR: _same(None, "sun sat wed"),
        Role.WORKDAY: _same(None, "weekday workday"),
        Role.WORKDAYS: _same(None, "weekdays workdays"),
        Role.WEEKEND: _same(None, "weekend"),
        Role.WEEKENDS: _same(None, "weekends"),
        Role.MONTH: _words(
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
            "september sep sept", "october oct", "november nov", "december dec",
        ),
        Role.UNIT: {
            **_same(Span(1, "minute"), "minute min"),
            **_same(Span(1, "hour"), "hour hr h"),
            **_same(Span(1, "day"), "day d"),
            **_same(Span(1, "week"), "week wk w"),
            **_same(Span(2, "week"), "fortnight"),
            **_same(Span(1, "month"), "month"),
            **_same(Span(3, "month"), "quarter qtr"),
            **_same(Span(1, "year"), "year yr y"),
        },
        Role.UNITS: {
            **_same(Span(1, "minute"), "minutes mins"),
            **_same(Span(1, "hour"), "hours hrs"),
            **_same(Span(1, "day"), "days"),
            **_same(Span(1, "week"), "weeks wks"),
            **_same(Span(2, "week"), "fortnights"),
            **_same(Span(1, "month"), "months"),
            **_same(Span(3, "month"), "quarters"),
            **_same(Span(1, "year"), "years yrs"),
        },
        Role.NUMWORD: _words(
            "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
        ) | _TENS,
        Role.ORDWORD: _words(
            "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
        ),
        Role.ARTICLE: _same(1, "a an"),
        Role.FEW: {"few": 3, "couple": 2},
        Role.HALF: _same(None, "half"),
        Role.LAST: {"last": -1},
        Role.OTHER: _same(2, "other"),
        Role.PART: {
            "morning": _MORNING,
            "mornings": _MORNING,
            "afternoon": _AFTERNOON,
            "afternoons": _AFTERNOON,
            "evening": _EVENING,
            "evenings": _EVENING,
            "night": _NIGHT,
            "nights": _NIGHT,
        },
        Role.FIXED: {
            **_same(dt.time(12), "noon midday lunch lunchtime"),
            **_same(dt.time(0), "midnight"),
        },
        Role.MERIDIEM: {**_same(0, "am a.m a.m."), **_same(12, "pm p.m p.m.")},
        Role.OCLOCK: _same(None, "o'clock oclock o\N{RIGHT SINGLE QUOTATION MARK}clock"),
        Role.HOURMARK: _same(None, "h"),
        Role.QUARTER: _same(None, "quarter"),
        Role.PAST: _same(None, "past"),
        Role.TO: _same(None, "to"),
        Role.AT: _same(None, "at @"),
        Role.ON: _same(None, "on"),
        Role.BY: _same(None, "by due"),
        Role.DUE: _same(None, "due"),
        Role.FOR: _same(None, "for"),
        Role.IN: _same(None, "in within"),
        Role.OF: _same(None, "of"),
        Role.THE: _same(None, "the"),
        Role.AND: _same(None, "and &"),
        Role.RANGE: _same(None, "to - \N{EN DASH} \N{EM DASH} till until through thru"),
        Role.THIS: _same(None, "this current"),
        Role.NEXT: _same(None, "next coming upcoming following"),
        Role.COMING: _same(None, "coming upcoming"),
        Role.AFTER: _same(None, "after"),
        Role.FROM: _same(None, "from"),
        Role.NOW: _same(None, "now today"),
        Role.LATER: _same(None, "hence later"),
        Role.VAGUE: _same(None, "about around approximately right just more ish"),
        Role.EDGE: {
            **_same("start", "start beginning"),
            **_same("middle", "mid middle"),
            **_same("end", "end"),
        },
        Role.EDGEWORD: {
            "eow": ("end", Span(1, "week")),
            "eom": ("end", Span(1, "month")),
            "eoy": ("end", Span(1, "year")),
        },
        Role.NOTAFTER: _same(
            None,
            "the a an of about than before after since between from to until till through last past my our your first second third fourth"
        ),
        Role.EVERY: _same(None, "every each ev"),
        Role.ADVERB: {
            "daily": Span(1, "day"),
            "everyday": Span(1, "day"),
            "weekly": Span(1, "week"),
            "biweekly": Span(2, "week"),
            "fortnightly": Span(2, "week"),
            "monthly": Span(1, "month"),
            "quarterly": Span(3, "month"),
            "yearly": Span(1, "year"),
            "annually": Span(1, "year"),
        },
        Role.STARTING: _same(None, "starting beginning from"),
        Role.UNTIL: _same(None, "until till ending"),
        Role.TIMES: _same(None, "times"),
        Role.ONCE: _same(None, "once"),
        Role.COMPLETION: _same(None, "completion completing completed finishing finished done"),
        Role.FILLER: _same(None, "it is its being"),
    },
    priorities={
        **dict.fromkeys(("low", "4"), Priority.LOW),
        **dict.fromkeys(("medium", "3"), Priority.MEDIUM),
        **dict.fromkeys(("high", "2"), Priority.HIGH),
        **dict.fromkeys(("urgent", "1"), Priority.URGENT),
    },
    ordinal_endings=frozenset({"st", "nd", "rd", "th"}),
    is_month_first=True,
    afternoon_hours=frozenset(range(1, 6)),
)  # fmt: skip
