"""What a language must say for its words to be read: which words play which role, and its habits in writing dates."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Any

from dutiful.models import Priority


class Role(StrEnum):
    """What a word can be in a date. The comment says what its value is; without one there is none."""

    # Days, and what they are in.
    DAYWORD = auto()  # int: days from today
    TONIGHT = auto()  # Part
    WEEKDAY = auto()  # int: 0 is Monday
    WEEKDAYS = auto()  # int: each of these, such as `mondays`
    UNCLEAR = auto()  # a weekday that is another word as well, such as `sun`
    WORKDAY = auto()
    WORKDAYS = auto()
    WEEKEND = auto()
    WEEKENDS = auto()
    MONTH = auto()  # int: 1 to 12
    UNIT = auto()  # Span: of one, such as `week`
    UNITS = auto()  # Span: of each, such as `weeks`
    # Numbers.
    NUMWORD = auto()  # int
    ORDWORD = auto()  # int
    ARTICLE = auto()  # int: 1
    FEW = auto()  # int
    HALF = auto()
    LAST = auto()  # int: -1
    OTHER = auto()  # int: 2
    # Times of day.
    PART = auto()  # Part
    FIXED = auto()  # time: such as `noon`
    MERIDIEM = auto()  # int: hours to add, 0 or 12
    OCLOCK = auto()
    HOURMARK = auto()
    QUARTER = auto()
    PAST = auto()
    TO = auto()
    # Words between them.
    AT = auto()
    ON = auto()
    BY = auto()
    DUE = auto()  # one that may stand before another such word
    FOR = auto()
    IN = auto()
    OF = auto()
    THE = auto()
    AND = auto()
    RANGE = auto()  # from one to another
    THIS = auto()
    NEXT = auto()
    COMING = auto()  # the next one, before a weekday not that of next week
    AFTER = auto()
    FROM = auto()
    NOW = auto()
    LATER = auto()  # after a span: from today on
    VAGUE = auto()  # says `about`; passed over when nothing but a date is read
    EDGE = auto()  # str: start, middle or end
    EDGEWORD = auto()  # tuple[str, Span]: an edge and its unit in one word
    NOTAFTER = auto()  # what follows is part of the title
    # Repetitions.
    EVERY = auto()
    ADVERB = auto()  # Span: such as `weekly`
    STARTING = auto()
    UNTIL = auto()
    TIMES = auto()
    ONCE = auto()
    COMPLETION = auto()
    FILLER = auto()


@dataclass(frozen=True, slots=True)
class Span:
    """A number of `minute hour day week month year`."""

    count: int
    unit: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the day: when it is if nothing else is said, and the hours that are in it."""

    time: dt.time
    hours: range


@dataclass(frozen=True, eq=False)
class Language:
    """`is_month_first` says how 12/11 is read. `afternoon_hours` are those that without am or pm, and written without a
    leading zero, are in the afternoon. `ordinal_endings` follow digits."""

    words: Mapping[Role, Mapping[str, Any]]
    priorities: Mapping[str, Priority]
    ordinal_endings: frozenset[str]
    is_month_first: bool = False
    afternoon_hours: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        for table in self.words.values():
            if any(word != word.casefold() for word in table):
                raise ValueError("words are compared in lower case")
