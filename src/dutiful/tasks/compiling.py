"""Makes SQL of filters: `dutiful.filtering` reads them.

There are many filters and few shapes of them. `bind` takes the constants out of a filter, and asks the database for
the ids of what it names and for the tasks that have its words; what is left is its shape, for which a condition is
written once. All constants are values of parameters.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    String,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    or_,
)
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from dutiful.access import Actor
from dutiful.database.session import Reader
from dutiful.filtering.tree import All, Comparison, Either, Me, Missing, Named, Node, Not, Text
from dutiful.models import Task
from dutiful.tasks import naming, search
from dutiful.tasks.filters import (
    at_the_latest,
    first_day_from,
    has_labels,
    is_due_before,
    is_due_from,
    last_day_before,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """Of a kind in `_KINDS`, with the names of its parameters."""

    kind: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    word: Literal["and", "or", "not"]
    parts: tuple["Shape", ...]


Shape = Condition | Joined


async def bind(
    session: Reader, actor: Actor, node: Node, workspace_id: int | None
) -> tuple[Shape, dict[str, Any]]:
    """The shape of a filter, and the values of its parameters. `workspace_id` narrows where words are looked for.

    Raises FilterError for names of what is not there.
    """
    ids = await naming.find(session, actor, list(_names_in(node)))
    binding = _Binding(session, actor, workspace_id, ids)
    return await binding.shape_of(node), binding.values


def condition(shape: Shape) -> ColumnElement[bool]:
    match shape:
        case Condition(kind, parameters):
            return _KINDS[kind](*parameters)
        case Joined("not", (part,)):
            # So that what is unknown, as a comparison with a date that is not there, is not so.
            return condition(part).is_not(True)
        case Joined(word, parts):
            return (and_ if word == "and" else or_)(*map(condition, parts))


def _names_in(node: Node) -> Iterator[Named]:
    match node:
        case Named():
            yield node
        case Not(part):
            yield from _names_in(part)
        case All(parts) | Either(parts):
            for part in parts:
                yield from _names_in(part)


# --- taking the constants out -----------------------------------------------------------------------------------------


@dataclass
class _Binding:
    session: Reader
    actor: Actor
    workspace_id: int | None
    ids: naming.Ids
    values: dict[str, Any] = field(default_factory=dict)

    async def shape_of(self, node: Node, *, is_unwanted: bool = False) -> Shape:
        match node:
            case Not(part):
                return Joined("not", (await self.shape_of(part, is_unwanted=not is_unwanted),))
            case All() | Either() if not _is_text(node):
                return await self._joined(node, is_unwanted=is_unwanted)
            case All() | Either() | Text():
                return await self._text(node, is_unwanted=is_unwanted)
            case Comparison():
                return self._comparison(node)
            case Missing(name):
                return self._condition(f"no {name}")
            case Named(kind, name):
                return self._condition(kind, self.ids[kind, name])
            case Me():
                return self._condition("person", [self.actor.user_id])

    def _comparison(self, node: Comparison) -> Condition:
        kind, value = f"{node.field} {node.operator}", node.value
        match node.field, node.operator:
            case "title", "~":
                return self._condition(kind, f"%{_escaped(value)}%")
            case "start", _:
                return self._condition(kind, value, value.date())
            case "due", "<":
                return self._condition(kind, value, last_day_before(value))
            case "due", _:
                return self._condition(kind, value, first_day_from(value))
            case _:
                return self._condition(kind, value)

    async def _joined(self, node: All | Either, *, is_unwanted: bool) -> Shape:
        texts = tuple(part for part in node.parts if _is_text(part))
        others: Sequence[Node] = [part for part in node.parts if not _is_text(part)]
        # Words are looked up together.
        parts = [type(node)(texts), *others] if texts else others
        shapes = [await self.shape_of(part, is_unwanted=is_unwanted) for part in parts]
        return Joined("and" if isinstance(node, All) else "or", tuple(shapes))

    async def _text(self, node: Node, *, is_unwanted: bool) -> Shape:
        query = _query(node, is_unwanted=is_unwanted)
        # Few are named by their ids (see `search.values`). What is not wanted is better looked at row by row.
        if not is_unwanted:
            found = await search.find_few(self.session, self.actor, query, self.workspace_id)
            if found is not None:
                return self._condition("found", found)
        return self._condition("words", query)

    def _condition(self, kind: str, *values: Any) -> Condition:
        names = tuple(f"filter_{len(self.values) + number}" for number in range(len(values)))
        self.values.update(zip(names, values, strict=True))
        return Condition(kind, names)


def _is_text(node: Node) -> bool:
    return isinstance(node, Text) or (isinstance(node, All | Either) and all(map(_is_text, node.parts)))


def _query(node: Node, *, is_unwanted: bool) -> str:
    match node:
        case Text(text, is_unfinished):
            return str(search.term(text, is_unfinished=is_unfinished, is_unwanted=is_unwanted))
        case All(parts):
            joint = " & "
        case Either(parts):
            joint = " | "
        case _:
            raise AssertionError("no text")
    return f"({joint.join(_query(part, is_unwanted=is_unwanted) for part in parts)})"


def _escaped(text: str) -> str:
    """For a pattern of LIKE."""
    return re.sub(r"([\\%_])", r"\\\1", text)


# --- the conditions ---------------------------------------------------------------------------------------------------

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compare(column: ColumnElement[Any], symbol: str, parameter: str) -> ColumnElement[bool]:
    compared: ColumnElement[bool] = _COMPARE[symbol](column, bindparam(parameter, type_=column.type))
    return compared


def _starts(symbol: str, parameter: str, day: str) -> ColumnElement[bool]:
    # As it is written, whatever its zone: unlike what is due, what starts has no moment of its own.
    wall = at_the_latest(Task.start_date, Task.start_time)
    is_so: ColumnElement[bool] = _COMPARE[symbol](wall, bindparam(parameter, type_=TIMESTAMP))
    # Says the same of the day alone, of which PostgreSQL knows how many tasks have one.
    return is_so & (_compare(_COLUMNS.start_date, "<=" if symbol == "<" else ">=", day))


def _title_has(parameter: str) -> ColumnElement[bool]:
    return Task.title.ilike(bindparam(parameter, type_=String), escape="\\")


def _title_is(parameter: str) -> ColumnElement[bool]:
    return func.lower(Task.title) == func.lower(bindparam(parameter, type_=String))


def _ids(parameter: str) -> ColumnElement[Any]:
    return bindparam(parameter, type_=ARRAY(BigInteger))


def _is_one_of(column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    return column == any_(_ids(parameter))


_COLUMNS = Task.__table__.c
_EMPTY: Mapping[str, str] = {
    "due": "due_date",
    "start": "start_date",
    "completed": "completed_at",
    "assignee": "assignee_id",
    "parent": "parent_id",
}

_KINDS: Mapping[str, Callable[..., ColumnElement[bool]]] = {
    "title ~": _title_has,
    "title =": _title_is,
    "status =": partial(_compare, _COLUMNS.status, "="),
    **{f"priority {symbol}": partial(_compare, _COLUMNS.priority, symbol) for symbol in _COMPARE},
    "parent =": partial(_compare, _COLUMNS.parent_id, "="),
    "due <": is_due_before,
    "due >=": is_due_from,
    **{f"start {symbol}": partial(_starts, symbol) for symbol in ("<", ">=")},
    **{
        f"{name} {symbol}": partial(_compare, _COLUMNS[f"{name}_at"], symbol)
        for name in ("created", "updated", "completed")
        for symbol in ("<", ">=")
    },
    **{f"no {name}": partial(_COLUMNS[column].is_, None) for name, column in _EMPTY.items()},
    "no label": lambda: literal_column("tasks.label_ids = '{}'", Boolean),
    "project": partial(_is_one_of, _COLUMNS.project_id),
    "workspace": partial(_is_one_of, _COLUMNS.workspace_id),
    "person": partial(_is_one_of, _COLUMNS.assignee_id),
    "label": lambda parameter: has_labels(_ids(parameter)),
    "found": partial(_is_one_of, _COLUMNS.id),
    "words": search.has_words,
}
