"""Another language is a table: the rules are the same."""

import datetime as dt

import pytest

from dutiful.models import Priority
from dutiful.quickadd import ENGLISH, Language, parse
from dutiful.quickadd.language import Part, Role, Span
from dutiful.quickadd.lexing import vocabulary
from dutiful.quickadd.rules import Rule, Where, compile_rule

NOW = dt.datetime(2026, 11, 25, 14, 0)  # noqa: DTZ001 - the time on the wall

GERMAN = Language(
    words={
        Role.DAYWORD: {"heute": 0, "morgen": 1, "übermorgen": 2},
        Role.WEEKDAY: {"montag": 0, "mittwoch": 2, "freitag": 4},
        Role.MONTH: {"januar": 1, "märz": 3, "dezember": 12},
        Role.UNIT: {"tag": Span(1, "day"), "woche": Span(1, "week"), "monat": Span(1, "month")},
        Role.UNITS: {
            "tage": Span(1, "day"), "tagen": Span(1, "day"), "wochen": Span(1, "week"), "stunden": Span(1, "hour"),
        },
        Role.NUMWORD: {"zwei": 2, "drei": 3},
        Role.OTHER: {"zweiten": 2},
        Role.PART: {"abend": Part(dt.time(19), range(16, 24))},
        Role.OCLOCK: {"uhr": None},
        Role.AT: {"um": None},
        Role.ON: {"am": None},
        Role.IN: {"in": None},
        Role.AND: {"und": None},
        Role.NEXT: {"nächsten": None, "nächste": None},
        Role.EVERY: {"jeden": None, "jede": None, "alle": None},
        Role.UNTIL: {"bis": None},
    },
    priorities={"hoch": Priority.HIGH},
    ordinal_endings=frozenset({"."}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("line", "title", "due", "rrule"),
    [
        ("Milch kaufen morgen um 17 Uhr", "Milch kaufen", "2026-11-26T17:00:00", None),
        ("Miete am 1. Dezember 2027 !hoch", "Miete", "2027-12-01", None),
        ("Arzt am 3.12.", "Arzt am 3.12.", None, None),
        ("Arzt am 3.12.2026", "Arzt", "2026-12-03", None),
        ("Arzt 12/3", "Arzt", "2027-03-12", None),
        ("Anruf in zwei Stunden", "Anruf", "2026-11-25T16:00:00", None),
        ("Anruf nächsten Freitag", "Anruf", "2026-12-04", None),
        ("Anruf um 5", "Anruf", "2026-11-26T05:00:00", None),
        ("Sport alle 3 Tage", "Sport", "2026-11-25", "FREQ=DAILY;INTERVAL=3"),
        (
            "Sport jeden zweiten Freitag Abend",
            "Sport",
            "2026-11-27T19:00:00",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR",
        ),
        ("Sport jeden Montag und Mittwoch", "Sport", "2026-11-25", "FREQ=WEEKLY;BYDAY=MO,WE"),
        ("Sport jeden Tag bis 24. Dezember", "Sport", "2026-11-25", "FREQ=DAILY;UNTIL=20261224"),
        ("Sport jeden 1.", "Sport", "2026-12-01", "FREQ=MONTHLY;BYMONTHDAY=1"),
        ("Call mum tomorrow", "Call mum tomorrow", None, None),
    ],
)
def test_german(line: str, title: str, due: str | None, rrule: str | None) -> None:
    task = parse(line, NOW, language=GERMAN)
    found = None if task.due is None else task.due.date.isoformat()
    if task.due is not None and task.due.time is not None:
        found = f"{found}T{task.due.time}"
    assert (task.title, found, task.recurrence and task.recurrence.rrule) == (title, due, rrule)
    assert task.priority is (Priority.HIGH if "!hoch" in line else Priority.NONE)


def test_a_table_in_capitals_is_refused() -> None:
    with pytest.raises(ValueError, match="lower case"):
        Language(words={Role.DAYWORD: {"Heute": 0}}, priorities={}, ordinal_endings=frozenset())


def test_english_has_words_for_every_role() -> None:
    assert set(ENGLISH.words) == set(Role)


def test_a_rule_that_names_no_role_is_refused() -> None:
    rule = Rule("WEAKDAY", lambda *_: None, Where.EDGE)
    with pytest.raises(ValueError, match="WEAKDAY is no role"):
        compile_rule(rule, vocabulary(ENGLISH))
