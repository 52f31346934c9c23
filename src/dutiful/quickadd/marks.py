"""What stands in a line besides its words: project, labels, priority, description, and what quotes keep as it is."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dutiful.models import Priority

_QUOTES = {
    '"': '"',
    "'": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "\N{RIGHT DOUBLE QUOTATION MARK}",
    "\N{LEFT SINGLE QUOTATION MARK}": "\N{RIGHT SINGLE QUOTATION MARK}",
    "\N{DOUBLE LOW-9 QUOTATION MARK}": "\N{LEFT DOUBLE QUOTATION MARK}",
    "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}": "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}",
}
_OPENING = re.escape("".join(_QUOTES))
_NAMES = {"#": "project", "@": "label"}

# Where a word begins: a sign, a quote, or the description.
_MARK = re.compile(rf"(?:^|(?<=[\s(]))(?:(?P<description>//)|[#@]?(?P<quote>[{_OPENING}])|[#@!](?=\w))")
# A name that begins with a digit would be a number: an issue, a house. It needs quotes.
_NAME = re.compile(r"[^\W\d]\S*")
_PRIORITY = re.compile(r"\w+")
_TRAILING = ".,;:!?)"


@dataclass(frozen=True, slots=True)
class Mark:
    """`kind` is project, label, priority, description or quote, which has no value of its own."""

    start: int
    end: int
    kind: str
    value: str = ""


def find(text: str, priorities: Mapping[str, Priority]) -> Iterator[Mark]:
    """All that is marked, in order. Nothing overlaps."""
    closers = _Closers(text)
    position = 0
    while match := _MARK.search(text, position):
        mark = _read(text, match, closers, priorities)
        if mark is not None:
            yield mark
        position = match.start() + 1 if mark is None else mark.end


def _read(
    text: str, match: re.Match[str], closers: "_Closers", priorities: Mapping[str, Priority]
) -> Mark | None:
    start = match.start()
    if match["description"]:
        return Mark(start, len(text), "description", text[match.end() :].strip())
    kind = _NAMES.get(text[start])
    if match["quote"]:
        end = closers.after(match.end(), _QUOTES[match["quote"]])
        if end is None:
            return None
        inside = text[match.end() : end].strip()
        if kind is None:
            return Mark(start, end + 1, "quote")
        return Mark(start, end + 1, kind, inside) if inside else None
    if kind is None:
        return _priority(text, start, priorities)
    word = _NAME.match(text, start + 1)
    name = word[0].rstrip(_TRAILING) if word else ""
    return Mark(start, start + 1 + len(name), kind, name) if name else None


def _priority(text: str, start: int, priorities: Mapping[str, Priority]) -> Mark | None:
    word = _PRIORITY.match(text, start + 1)
    if word is None or text[word.end() :][:1] not in {"", " ", "\t", "\n", *_TRAILING}:
        return None
    priority = priorities.get(word[0].casefold())
    return None if priority is None else Mark(start, word.end(), "priority", priority.value)


class _Closers:
    """Where quotes end: behind a word, before none, so that those of `Mum's` and `don't` are none. Found once for each
    kind of quote, so that a line of nothing but opening ones takes no longer."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: dict[str, list[int]] = {}

    def after(self, position: int, quote: str) -> int | None:
        if quote not in self._found:
            closing = re.compile(rf"(?<=\S){re.escape(quote)}(?!\w)")
            self._found[quote] = [match.start() for match in closing.finditer(self._text)]
        found = self._found[quote]
        index = bisect_left(found, position + 1)
        return found[index] if index < len(found) else None
