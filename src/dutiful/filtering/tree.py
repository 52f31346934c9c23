"""What a filter says, once it is read."""

from dataclasses import dataclass
from typing import Any, Literal

from dutiful.errors import Place

Field = Literal[
    "title", "status", "priority", "due", "start", "created", "updated", "completed", "assignee", "parent",
    "label",
]  # fmt: skip
Operator = Literal["=", "<", "<=", ">", ">=", "~"]
Kind = Literal["project", "label", "workspace", "person"]


class FilterError(Exception):
    """A filter that cannot be read, or names what is not there.

    `detail` says what happened and what to do, `place` where; `suggestion`, if any, could stand there instead.
    """

    def __init__(self, detail: str, place: Place, suggestion: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.place = place
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Comparison:
    """The value is of the field's own kind. Of a field of days or moments the operator is `<` or `>=`, and the value a
    date-time in UTC; of `start`, a date-time without zone."""

    field: Field
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class Missing:
    """The field is empty."""

    field: Field


@dataclass(frozen=True, slots=True)
class Named:
    """Is in, has or belongs to what has this name or id. A person is named by e-mail address. `sign` is what the name
    begins with where it stands, `#` or `@`."""

    kind: Kind
    name: str
    place: Place
    sign: str = ""


@dataclass(frozen=True, slots=True)
class Me:
    """Belongs to whoever asks."""


@dataclass(frozen=True, slots=True)
class Text:
    """These words in a row, in title or description. `is_unfinished`: the last may go on, as if it ended in a star."""

    text: str
    is_unfinished: bool = False


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True where `part` is not, and so for what lacks the field as well."""

    part: "Node"


Node = All | Either | Not | Comparison | Missing | Named | Me | Text


def all_of(*parts: Node) -> Node:
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, All) else (part,))]
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def either_of(*parts: Node) -> Node:
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Either) else (part,))]
    return flat[0] if len(flat) == 1 else Either(tuple(flat))


def not_(part: Node) -> Node:
    match part:
        case Not(inner):
            return inner
        case Text(text):
            # Whoever types what they do not want has not typed all of it yet.
            return Not(Text(text))
        case _:
            return Not(part)
