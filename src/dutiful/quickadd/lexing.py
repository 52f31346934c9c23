"""Words, numbers and signs of a line, each with the roles it can play."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from dutiful.quickadd.language import Language, Role

# Shapes of numbers, which are roles as well. The value of a whole number is an int, else its text.
_SHAPES = {
    "ISODATE": r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}",
    "FULLDATE": r"[0-9]{1,2}(?P<separator>[./-])[0-9]{1,2}(?P=separator)(?:[0-9]{4}|[0-9]{2})",
    "SLASHDATE": r"[0-9]{1,2}/[0-9]{1,2}",
    "DASHDATE": r"[0-9]{1,2}-[0-9]{1,2}",
    "CLOCK": r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?",
    "DECIMAL": r"[0-9]{1,3}\.[0-9]{1,2}",
    "YEAR": r"[0-9]{4}",
    "NUMBER": r"[0-9]{1,3}",
}
_SHAPE = re.compile("|".join(f"(?P<{name}>{shape})" for name, shape in _SHAPES.items()))
_SIGNS = {",": "COMMA", ";": "COMMA", ":": "COLON", "!": "BANG"}
_DASHES = {"-", "\N{EN DASH}", "\N{EM DASH}"}

_TOKEN = re.compile(
    r"(?P<number>[0-9]+(?:[.:/-][0-9]+)*)"
    r"|(?P<word>[^\W\d_]+(?:\.[^\W\d_]+\.?|['\u2019][^\W\d_]+)*)"
    r"|\S"
)
_CLOSED = re.compile(r"[.,;:!?)\]]{0,4}(?:\s|$)")

ROLES = frozenset({*(role.name for role in Role), *_SHAPES, "ORDINAL", *_SIGNS.values()})
"""What patterns may name."""
_GOES_ON = re.compile(r"\s+\w")

NOTHING = "."
"""The letter of what has no role."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text. `opens` and `closes` say whether a word begins and ends with it; signs are no words."""

    start: int
    end: int
    letter: str
    values: Mapping[str, Any]
    opens: bool
    closes: bool
    is_sign: bool = False


class Vocabulary:
    """The words of a language by what they are. Each set of roles has a letter, so that rules become regular expressions
    over the letters of a line."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._values: dict[str, dict[str, Any]] = {}
        for role, words in language.words.items():
            for word, value in words.items():
                self._values.setdefault(word, {})[role.name] = value
        for sign, role_name in _SIGNS.items():
            self._values.setdefault(sign, {})[role_name] = None
        for dash in _DASHES:
            self._values.setdefault(dash, {})["COLON"] = None
        shapes = [frozenset({shape}) for shape in (*_SHAPES, "ORDINAL")]
        sets = dict.fromkeys([*shapes, *map(frozenset, self._values.values())])
        self.letters: dict[frozenset[str], str] = {
            roles: chr(0xE000 + number) for number, roles in enumerate(sets)
        }
        self._words = {
            word: (self.letters[frozenset(values)], values) for word, values in self._values.items()
        }

    def word(self, text: str) -> tuple[str, Mapping[str, Any]]:
        """The letter and the values by role."""
        return self._words.get(text.casefold(), (NOTHING, {}))

    def number(self, text: str) -> tuple[str, Mapping[str, Any]]:
        match = _SHAPE.fullmatch(text)
        if match is None or match.lastgroup is None:
            return NOTHING, {}
        shape = next(name for name in _SHAPES if match[name] is not None)
        value = int(text) if shape in {"NUMBER", "YEAR"} else text
        # A leading zero matters to a time of day.
        return self.letters[frozenset({shape})], {shape: value, "TEXT": text}

    def ordinal(self, number: str) -> tuple[str, Mapping[str, Any]]:
        return self.letters[frozenset({"ORDINAL"})], {"ORDINAL": int(number)}


@lru_cache(maxsize=16)
def vocabulary(language: Language) -> Vocabulary:
    return Vocabulary(language)


def tokens(text: str, words: Vocabulary, omitted: Iterable[tuple[int, int, bool]] = ()) -> list[Token]:
    """Those of `text` without what is `omitted`, by start, end and whether it leaves no trace; else no phrase goes on
    behind it."""
    found: list[Token] = []
    position = 0
    for start, end, is_gone in omitted:
        _scan(text, position, start, words, found)
        if not is_gone:
            found.append(Token(start, end, NOTHING, {}, opens=True, closes=True))
        position = end
    _scan(text, position, len(text), words, found)
    return found


def _scan(text: str, start: int, end: int, words: Vocabulary, found: list[Token]) -> None:
    endings = words.language.ordinal_endings
    for match in _TOKEN.finditer(text, start, end):
        first, last = match.span()
        piece = match[0]
        is_glued = bool(found) and found[-1].end == first and first > start
        if is_glued and piece.casefold() in endings and _is_day(found[-1]) and _ends(text, last):
            before = found.pop()
            letter, values = words.ordinal(text[before.start : before.end])
            found.append(Token(before.start, last, letter, values, before.opens, closes=True))
            continue
        letter, values = words.number(piece) if match["number"] else words.word(piece)
        opens = not is_glued or text[first - 1] in "([@"
        if piece == "." and is_glued and _may_be_short(found[-1]) and _GOES_ON.match(text, last):
            found[-1] = replace(found[-1], end=last)
            continue
        is_sign = match.lastgroup is None
        found.append(Token(first, last, letter, values, opens, _ends(text, last), is_sign))


def _is_day(token: Token) -> bool:
    return token.values.get("NUMBER", 0) in range(1, 32)


def _may_be_short(token: Token) -> bool:
    """Whether a full stop may belong to it: `mon. 9am`."""
    is_short = token.end - token.start <= 4
    return is_short and ("WEEKDAY" in token.values or "MONTH" in token.values)


def _ends(text: str, position: int) -> bool:
    return _CLOSED.match(text, position) is not None
