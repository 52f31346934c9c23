"""Which words of a line speak of when, and which are its title."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

from dutiful.quickadd.dates import DATES
from dutiful.quickadd.language import Language
from dutiful.quickadd.lexing import Token, vocabulary
from dutiful.quickadd.repeats import REPEATS
from dutiful.quickadd.rules import Compiled, Found, Now, Reading, Where, compile_rule
from dutiful.quickadd.times import TIMES

_NUMBERS = ("NUMBER", "ORDINAL", "NUMWORD")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Tokens from `start` to before `end`. `is_introduced` by a word such as `on` or `due`."""

    start: int
    end: int
    reading: Reading
    where: Where
    is_introduced: bool = False


@lru_cache(maxsize=16)
def _compiled(language: Language) -> Sequence[Compiled]:
    words = vocabulary(language)
    return [compile_rule(rule, words) for rule in (*REPEATS, *DATES, *TIMES)]


def the_whole(tokens: Sequence[Token], now: Now) -> Reading | None:
    """What all of `tokens` together say; None if any of them is something else."""
    named = [token for token in tokens if "VAGUE" not in token.values and (token.values or not token.is_sign)]
    found = _joined(named, _atoms(named, now, Where.ALONE))
    phrase = found[0] if len(found) == 1 else None
    is_whole = phrase is not None and (phrase.start, phrase.end) == (0, len(named))
    return phrase.reading if phrase and is_whole and not phrase.reading.belongs_to_repeat else None


def chosen(tokens: Sequence[Token], now: Now) -> tuple[Reading, list[Phrase]]:
    """What the line says of when, and the phrases that say it. Of two that say the same thing differently the last counts,
    and the other stays in the title."""
    found = _joined(tokens, _atoms(tokens, now, Where.COMPANY))
    borders = {phrase.start for phrase in found}, {phrase.end for phrase in found}
    clashing = _clashing(found)
    possible = [
        phrase
        for phrase in found
        if phrase.start not in clashing and not _is_blocked(phrase, tokens, *borders)
    ]
    last = max((index for index, token in enumerate(tokens, 1) if not token.is_sign), default=0)
    taken = [phrase for phrase in possible if _is_accepted(phrase, tokens, last)]
    reading, used = _merged(taken)
    if used and reading.is_only_time:
        # A weekday that alone would be too little to go by: `Friday call mum at 5pm`.
        companions = [phrase for phrase in possible if phrase.where is Where.END]
        reading, used = _merged([*companions, *used])
    return reading, used


def _atoms(tokens: Sequence[Token], now: Now, least: Where) -> list[Phrase]:
    """What the rules find: from left to right, the longest at each place."""
    letters = "".join(token.letter for token in tokens)
    found = sorted(_matches(tokens, letters, now, least), key=lambda atom: (atom.start, -atom.end))
    repeats = any(atom.reading.repeat is not None for atom in found)
    kept: list[Phrase] = []
    for atom in found:
        if atom.reading.belongs_to_repeat and not repeats:
            continue
        if not kept or atom.start >= kept[-1].end:
            kept.append(atom)
    return kept


def _matches(tokens: Sequence[Token], letters: str, now: Now, least: Where) -> Iterator[Phrase]:
    for compiled in _compiled(now.language):
        if compiled.rule.where < least:
            continue
        for match in compiled.regex.finditer(letters):
            start, end = match.span()
            if tokens[start].opens and tokens[end - 1].closes:
                reading = _read(compiled, Found(tokens, match, compiled.roles), now)
                if reading is not None:
                    yield Phrase(start, end, reading, compiled.rule.where)


def _read(compiled: Compiled, found: Found, now: Now) -> Reading | None:
    try:
        return compiled.rule.read(found, now)
    except (ValueError, OverflowError):
        # There is no 30 February, no hour 25 and no year 12000.
        return None


def _joined(tokens: Sequence[Token], atoms: Iterable[Phrase]) -> list[Phrase]:
    """Neighbours that say different things are one phrase: `every monday` `at 5pm` `until dec 24`."""
    atoms = list(atoms)
    repeats = any(atom.reading.repeat is not None for atom in atoms)
    found: list[Phrase] = []
    for atom in atoms:
        phrase = _introduced(atom, tokens, found[-1].end if found else 0, repeats=repeats)
        joined = _join(found[-1], phrase, tokens) if found else None
        if joined is not None:
            found[-1] = joined
        else:
            found.append(phrase)
    return found


def _introduced(atom: Phrase, tokens: Sequence[Token], least: int, *, repeats: bool) -> Phrase:
    """With the word before it that belongs to it, which in a line that repeats may say that it begins or ends then."""
    before = tokens[atom.start - 1].values if atom.start > least else {}
    if repeats and atom.reading.day is not None and atom.reading.repeat is None:
        if "UNTIL" in before:
            reading = replace(atom.reading, day=None, until=atom.reading.day)
            return Phrase(atom.start - 1, atom.end, reading, Where.ANYWHERE, is_introduced=True)
        if "STARTING" in before:
            return replace(atom, start=atom.start - 1, where=Where.ANYWHERE, is_introduced=True)
    if atom.reading.belongs_to_repeat:
        return atom
    if "COLON" in before and atom.start - 1 > least and "DUE" in tokens[atom.start - 2].values:
        return replace(atom, start=atom.start - 2, is_introduced=True)
    # `Drop by every monday`: there the word is the title's.
    leads = ("ON", "DUE") if atom.reading.repeat is not None else ("ON", "AT", "BY", "FOR", "DUE")
    if not any(role in before for role in leads):
        return atom
    start = atom.start - 1
    if start > least and "DUE" in tokens[start - 1].values:
        start -= 1
    return replace(atom, start=start, is_introduced="FOR" not in before)


def _join(left: Phrase, right: Phrase, tokens: Sequence[Token]) -> Phrase | None:
    between = tokens[left.end : right.start]
    if len(between) > 1 or any("COMMA" not in token.values for token in between):
        return None
    if right.reading.belongs_to_repeat and left.reading.repeat is None:
        return None
    # A lunch tomorrow and a movie night on Friday are titles; tomorrow at lunch and Friday night are times.
    if _is_too_little(left):
        return None
    reading = left.reading.merged(right.reading)
    if reading is None:
        return None
    is_day_and_time = reading.day is not None and reading.clock is not None
    where = Where.ANYWHERE if is_day_and_time else max(left.where, right.where, Where.END)
    return Phrase(left.start, right.end, reading, where, left.is_introduced)


def _is_too_little(phrase: Phrase) -> bool:
    return phrase.where is Where.COMPANY and not phrase.is_introduced


def _clashing(found: Sequence[Phrase]) -> set[int]:
    """Where phrases start that stand side by side and contradict each other: `in two weeks on saturday`."""
    pairs = (
        (left, right)
        for left, right in pairwise(found)
        if left.end == right.start and not _is_too_little(left) and not _is_too_little(right)
    )
    return {phrase.start for pair in pairs for phrase in pair}


def _is_blocked(
    phrase: Phrase, tokens: Sequence[Token], starts: Container[int], ends: Container[int]
) -> bool:
    """Whether it follows a word that makes it part of the title (`the sun`, `about friday`), or is one of several dates or
    one end of a span of time, for which a task has no place."""
    before = tokens[phrase.start - 1].values if phrase.start else {}
    after = tokens[phrase.end].values if phrase.end < len(tokens) else {}
    if "NOTAFTER" in before:
        return True
    if _links(before) and phrase.start - 1 in ends:
        return True
    if _links(after) and phrase.end + 1 in starts:
        return True
    return ("RANGE" in before and _is_number(tokens, phrase.start - 2)) or (
        "RANGE" in after and _is_number(tokens, phrase.end + 1)
    )


def _links(values: Mapping[str, Any]) -> bool:
    return any(role in values for role in ("RANGE", "AND", "COMMA"))


def _is_number(tokens: Sequence[Token], index: int) -> bool:
    return 0 <= index < len(tokens) and any(role in tokens[index].values for role in _NUMBERS)


def _is_accepted(phrase: Phrase, tokens: Sequence[Token], last: int) -> bool:
    """By where it stands. The words of the line end before `last`."""
    where = phrase.where
    if where is Where.ANYWHERE or (phrase.is_introduced and where is not Where.LAST):
        return True
    if where >= Where.LAST and phrase.end >= last:
        return True
    if phrase.start or where < Where.END:
        return False
    after = tokens[phrase.end].values
    return where >= Where.EDGE or "COMMA" in after or "COLON" in after


def _merged(phrases: Sequence[Phrase]) -> tuple[Reading, list[Phrase]]:
    """Repetitions come first, then the later before the earlier ones."""
    reading, used = Reading(), []
    order = sorted(phrases, key=lambda phrase: (phrase.reading.repeat is None, -phrase.start))
    for phrase in order:
        merged = reading.merged(phrase.reading)
        if merged is not None and not merged.belongs_to_repeat:
            reading = merged
            used.append(phrase)
    return reading, sorted(used, key=lambda phrase: phrase.start)
