"""What the words of a filter mean."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from dutiful import words
from dutiful.errors import Place
from dutiful.filtering import days
from dutiful.filtering.days import Now
from dutiful.filtering.tree import (
    Comparison,
    Field,
    FilterError,
    Kind,
    Me,
    Missing,
    Named,
    Node,
    Operator,
    Text,
    all_of,
    not_,
)
from dutiful.models import Priority, Status
from dutiful.vocabulary import BIGGEST_ID


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a filter, and where it stands. `text` is without quotes and without the sign it begins with."""

    text: str
    place: Place
    sign: str = ""
    is_quoted: bool = False

    def fault(self, detail: str, suggestion: str | None = None) -> FilterError:
        return FilterError(detail, self.place, suggestion)


_STATUSES = frozenset(map(str, Status))
_WORDS = _STATUSES | days.WORDS.keys() | {"overdue", "subtask"}

# --- single words -----------------------------------------------------------------------------------------------------


def word(piece: Piece, now: Now, *, is_last: bool) -> Node:
    """A word of the language, or one to look for."""
    name = piece.text.lower()
    if name in _STATUSES:
        return Comparison("status", "=", Status(name))
    if name in days.WORDS:
        return _when("due", "=", piece, now)
    match name:
        case "overdue":
            is_open = Comparison("status", "=", Status.OPEN)
            return all_of(is_open, Comparison("due", "<", now.moment))
        case "subtask":
            return not_(Missing("parent"))
    _refuse_what_is_half_a_condition(piece)
    if name.startswith("-"):
        return not_(text(Piece(piece.text[1:], piece.place)))
    return text(piece, is_unfinished=is_last)


def text(piece: Piece, *, is_unfinished: bool = False) -> Text:
    if not any(words.pieces(piece.text)):
        raise piece.fault(f"“{piece.text}” has no letters or digits to look for; take it out")
    return Text(piece.text, is_unfinished)


def _refuse_what_is_half_a_condition(piece: Piece) -> None:
    """Such words would be looked for in silence, and whoever wrote them meant something else."""
    name = piece.text.lower()
    if name in FIELDS:
        example = f"{name} {FIELDS[name].example}"
        raise piece.fault(
            f"“{name}” needs a comparison, such as {example}; to look for the word, quote it", f'"{name}"'
        )
    field, colon, value = name.partition(":")
    if colon and field in FIELDS:
        meant = f"{field} = {value or FIELDS[field].example[2:]}"
        raise piece.fault(f"a comparison is written {meant}; to look for these words, quote them", meant)
    if name.startswith(("-#", "-@")) or (name[0] == "-" and name[1:] in _WORDS):
        raise piece.fault(f"“-” is for words to look for; write !{piece.text[1:]}", f"!{piece.text[1:]}")


def missing(piece: Piece) -> Node:
    """`no date` and the like."""
    field = _WHAT_MAY_BE_MISSING.get(piece.text.lower())
    if field is None or piece.is_quoted:
        raise nothing_missing(piece)
    return Comparison("priority", "=", Priority.NONE) if field == "priority" else Missing(field)


def nothing_missing(piece: Piece) -> FilterError:
    return piece.fault(
        f"after “no” comes {_or(_WHAT_MAY_BE_MISSING)}; to look for the word “no”, quote it",
        _close(piece.text, _WHAT_MAY_BE_MISSING),
    )


_WHAT_MAY_BE_MISSING: Mapping[str, Field] = {
    "date": "due",
    "due": "due",
    "start": "start",
    "label": "label",
    "priority": "priority",
    "assignee": "assignee",
    "parent": "parent",
}


# --- comparisons ------------------------------------------------------------------------------------------------------


def comparison(field: Piece, operator: Piece, value: Piece, now: Now) -> Node:
    name = field.text.lower()
    if name not in FIELDS:
        close = _close(name, FIELDS)
        hint = f"; did you mean “{close}”?" if close else f"; there are {_and(FIELDS)}"
        raise field.fault(f"there is no field “{field.text}”{hint}", close)
    known = FIELDS[name]
    symbol = {"==": "=", "<>": "!="}.get(operator.text, operator.text)
    if symbol not in known.operators:
        raise operator.fault(f"“{name}” is compared with {_or(known.operators)}", known.operators.split()[0])
    if symbol == "!=":
        return not_(known.read("=", value, now))
    return known.read(_OPERATORS[symbol], value, now)


_OPERATORS: Mapping[str, Operator] = {"=": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "~": "~"}


@dataclass(frozen=True, slots=True)
class _Known:
    operators: str
    example: str
    read: Callable[[Operator, Piece, Now], Node]


def _title(operator: Operator, value: Piece, _: Now) -> Node:
    if not value.text.strip():
        raise value.fault("there is nothing between the quotes; give the words of the title")
    return Comparison("title", operator, value.text)


def _status(operator: Operator, value: Piece, _: Now) -> Node:
    return Comparison("status", operator, Status(_one_of(value, Status)))


def _priority(operator: Operator, value: Piece, _: Now) -> Node:
    return Comparison("priority", operator, Priority(_one_of(value, Priority)))


def _time(field: Field) -> Callable[[Operator, Piece, Now], Node]:
    return lambda operator, value, now: _when(field, operator, value, now)


def _when(field: Field, operator: Operator, value: Piece, now: Now) -> Node:
    if _is_none(value) and field in {"due", "start", "completed"}:
        return _none(field, operator, value)
    # Of what was done the last Monday is meant, of what is to be done the next; today is either.
    direction: Literal[-1, 1] = 1 if field in {"due", "start"} else -1
    try:
        span = days.read(value.text, now.today, direction)
    except ValueError as error:
        raise _no_day(value, str(error)) from None
    as_value = days.wall_time_of if field == "start" else days.moment_of
    first, end = as_value(span.first, now.timezone), as_value(span.end, now.timezone)
    match operator:
        case "<" | ">=":
            return Comparison(field, operator, first)
        case "<=":
            return Comparison(field, "<", end)
        case ">":
            return Comparison(field, ">=", end)
        case _:
            return all_of(Comparison(field, ">=", first), Comparison(field, "<", end))


def _no_day(value: Piece, why: str) -> FilterError:
    if why:
        return value.fault(f"“{value.text}” {why}")
    close = f"+{value.text}" if days.STEP_WITHOUT_SIGN.fullmatch(value.text) else None
    close = close or _close(value.text, (*days.WORDS, *days.WEEKDAYS))
    hint = f"; did you mean “{close}”?" if close else ""
    return value.fault(
        f"“{value.text}” is no day such as today, monday, +2w, today+7d, 2026-12-01 or 2026-12-01T17:00{hint}",
        close,
    )


def _named(kind: Kind) -> Callable[[Operator, Piece, Now], Node]:
    def read(operator: Operator, value: Piece, _: Now) -> Node:
        if _is_none(value) and kind in {"label", "person"}:
            return Missing("label" if kind == "label" else "assignee")
        return named(kind, value)

    return read


def named(kind: Kind, piece: Piece) -> Node:
    if not piece.text.strip():
        raise piece.fault(f"there is nothing between the quotes; give the name of a {kind}")
    is_me = kind == "person" and not piece.is_quoted and piece.text.lower() == "me"
    return Me() if is_me else Named(kind, piece.text.strip(), piece.place, piece.sign)


def _parent(operator: Operator, value: Piece, _: Now) -> Node:
    if _is_none(value):
        return Missing("parent")
    if not (value.text.isascii() and value.text.isdigit() and 0 < int(value.text) <= BIGGEST_ID):
        raise value.fault(f"“{value.text}” is no number of a task; write one, or none")
    return Comparison("parent", operator, int(value.text))


_ORDERED = "= != < <= > >="
_EQUAL = "= !="

FIELDS: Mapping[str, _Known] = {
    "title": _Known("~ = !=", "~ passport", _title),
    "status": _Known(_EQUAL, "= open", _status),
    "priority": _Known(_ORDERED, ">= high", _priority),
    "due": _Known(_ORDERED, "< today+7d", _time("due")),
    "start": _Known(_ORDERED, "<= today", _time("start")),
    "created": _Known(_ORDERED, ">= -7d", _time("created")),
    "updated": _Known(_ORDERED, ">= yesterday", _time("updated")),
    "completed": _Known(_ORDERED, ">= monday", _time("completed")),
    "assignee": _Known(_EQUAL, "= me", _named("person")),
    "parent": _Known(_EQUAL, "= 4711", _parent),
    "project": _Known(_EQUAL, "= Inbox", _named("project")),
    "label": _Known(_EQUAL, "= home", _named("label")),
    "workspace": _Known(_EQUAL, "= Home", _named("workspace")),
}


# --- what they share --------------------------------------------------------------------------------------------------


def _is_none(value: Piece) -> bool:
    return not value.is_quoted and value.text.lower() == "none"


def _none(field: Field, operator: Operator, value: Piece) -> Node:
    if operator != "=":
        raise value.fault(f"with “none” a field is compared by = or !=; write {field} = none")
    return Missing(field)


def _one_of(value: Piece, known: Iterable[str]) -> str:
    name = value.text.lower()
    known = list(map(str, known))
    if name in known:
        return name
    close = _close(name, known)
    hint = f"; did you mean “{close}”?" if close else ""
    raise value.fault(f"“{value.text}” is not one of {_and(known)}{hint}", close)


def _close(given: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(given.lower(), list(known), n=1)), None)


def _or(names: Iterable[str] | str) -> str:
    return _listed(names, "or")


def _and(names: Iterable[str] | str) -> str:
    return _listed(names, "and")


def _listed(names: Iterable[str] | str, word: str) -> str:
    *others, last = names.split() if isinstance(names, str) else names
    return f"{', '.join(others)} {word} {last}" if others else last
