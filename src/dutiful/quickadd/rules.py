"""How rules are written down: patterns over roles, and what is made of what they find."""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from dutiful.quickadd.days import A_DAY
from dutiful.quickadd.language import Language, Part, Span
from dutiful.quickadd.lexing import ROLES, Token, Vocabulary
from dutiful.recurrence import Rule as Repeat


class Where(IntEnum):
    """How sure a rule is that words are meant as a date: where in a line they count. Each place includes those below."""

    ALONE = 0
    """Where the whole text is a date."""
    COMPANY = 1
    """Beside another date or time. From here on, but for LAST, also after `on`, `at`, `by`, `due`."""
    LAST = 2
    """At the end of the line."""
    END = 3
    """At its start before a comma or colon."""
    EDGE = 4
    """At its start."""
    ANYWHERE = 5


@dataclass(frozen=True, slots=True)
class Clock:
    """A time as it is written. `is_open` means that it may be in the afternoon: it says neither am nor pm."""

    time: dt.time
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What words say. Readings that say different things make one."""

    day: dt.date | None = None
    clock: Clock | None = None
    part: Part | None = None
    repeat: Repeat | None = None
    follows_completion: bool | None = None
    lasting: Span | None = None
    until: dt.date | None = None
    count: int | None = None

    @property
    def belongs_to_repeat(self) -> bool:
        """Means nothing without a repetition."""
        return self.repeat is None and not (
            self.follows_completion is None
            and self.lasting is None
            and self.until is None
            and self.count is None
        )

    @property
    def is_only_due(self) -> bool:
        return self.repeat is None and not self.belongs_to_repeat

    @property
    def is_only_time(self) -> bool:
        return self.day is None and self.repeat is None

    def merged(self, other: "Reading") -> "Reading | None":
        """None where both speak of the same."""
        fields: dict[str, Any] = {}
        for name in Reading.__dataclass_fields__:
            mine, its = getattr(self, name), getattr(other, name)
            if mine is not None and its is not None:
                return None
            fields[name] = its if mine is None else mine
        ends = [fields[name] for name in ("lasting", "until", "count") if fields[name] is not None]
        return Reading(**fields) if len(ends) <= 1 else None


@dataclass(frozen=True, slots=True)
class Now:
    """When and for whom a line is read. `local` is the time on the wall, naive; weeks start on `week_start`, 0 is Monday."""

    local: dt.datetime
    timezone: str | None
    week_start: int
    language: Language

    @property
    def today(self) -> dt.date:
        return self.local.date()

    @property
    def week(self) -> dt.date:
        """The first day of this week."""
        return self.today - (self.today.weekday() - self.week_start) % 7 * A_DAY


@dataclass(frozen=True, slots=True)
class Found:
    """The tokens that a pattern found, by the names it gives them."""

    tokens: Sequence[Token]
    match: re.Match[str]
    roles: Mapping[str, Sequence[str]]

    def has(self, name: str) -> bool:
        return name in self.roles and self.match[name] is not None

    def token(self, name: str) -> Token:
        return self.tokens[self.match.start(name)]

    def value(self, name: str) -> Any:
        """That of the one token of this name; None if it is not there."""
        return self._value(self.token(name), name) if self.has(name) else None

    def numbers(self, name: str) -> list[int]:
        """Those of a list, in the order of the text."""
        values = [self._value(token, name) for token in self.within(name)]
        return [value for value in values if isinstance(value, int)]

    def within(self, name: str) -> Sequence[Token]:
        first, last = self.match.span(name)
        return self.tokens[first:last]

    def _role(self, token: Token, name: str) -> str | None:
        return next((role for role in self.roles[name] if role in token.values), None)

    def _value(self, token: Token, name: str) -> Any:
        role = self._role(token, name)
        return None if role is None else token.values[role]


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` is a regular expression whose characters are roles or, from `MACROS`, several. `name:ROLE` names what is
    found. `read` raises ValueError or OverflowError, or gives None, where that is no date."""

    pattern: str
    read: Callable[[Found, Now], Reading | None]
    where: Where


MACROS = {
    "NUM": ("NUMBER", "NUMWORD"),
    "DAY": ("ORDINAL", "NUMBER", "ORDWORD"),
    "NTH": ("ORDINAL", "ORDWORD"),
    "ANYUNIT": ("UNIT", "UNITS"),
    "ANYDAY": ("WEEKDAY", "WEEKDAYS"),
    "COUNTED": ("NUMBER", "NUMWORD", "FEW", "ARTICLE"),
    "ENDING": ("BY", "UNTIL"),
    "SEPARATOR": ("COMMA", "AND"),
    "EACH": ("ORDINAL", "ORDWORD", "OTHER", "NUMBER", "NUMWORD"),
}

_ITEM = re.compile(r"(?:([a-z]+):)?(?:([A-Z]+)|\((?!\?))")


@dataclass(frozen=True, slots=True)
class Compiled:
    rule: Rule
    regex: re.Pattern[str]
    roles: Mapping[str, Sequence[str]]


def compile_rule(rule: Rule, words: Vocabulary) -> Compiled:
    """`rule` for the letters of one language. A role that it has no words for is never found."""
    named: dict[str, Sequence[str]] = {}

    def group(item: re.Match[str]) -> str:
        name, role = item[1], item[2]
        if role is None:
            if name is None:
                return "(?:"
            named[name] = _roles_inside(rule.pattern, item.end())
            return f"(?P<{name}>"
        roles = MACROS.get(role, (role,))
        if not ROLES.issuperset(roles):
            raise ValueError(f"{role} is no role")
        letters = "".join(letter for known, letter in words.letters.items() if known & set(roles))
        one = f"[{letters}]" if letters else r"[^\s\S]"
        if name is None:
            return one
        named[name] = roles
        return f"(?P<{name}>{one})"

    return Compiled(rule, re.compile(_ITEM.sub(group, rule.pattern).replace(" ", "")), named)


def _roles_inside(pattern: str, start: int) -> Sequence[str]:
    """The roles between a parenthesis and its end."""
    depth, end = 1, start
    while depth:
        depth += {"(": 1, ")": -1}.get(pattern[end], 0)
        end += 1
    names = re.findall(r"[A-Z]+", pattern[start:end])
    return [role for name in names for role in MACROS.get(name, (name,))]
