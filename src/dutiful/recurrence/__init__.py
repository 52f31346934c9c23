"""What repeats, and when: RFC 5545 rules for tasks. Pure: no database, no clock of its own."""

from dutiful.recurrence.parsing import parse
from dutiful.recurrence.rule import Frequency, InvalidRule, NthWeekday, Rule
from dutiful.recurrence.sentence import in_words
from dutiful.recurrence.series import Anchor, Next, Recurrence, next_due, occurrences, starting

__all__ = [
    "Anchor",
    "Frequency",
    "InvalidRule",
    "Next",
    "NthWeekday",
    "Recurrence",
    "Rule",
    "in_words",
    "next_due",
    "occurrences",
    "parse",
    "starting",
]
