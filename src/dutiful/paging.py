"""Pages of a list, by cursor or by number.

A cursor names the last row's place in the order (sort key and id), so the next page starts behind it, whatever was
written meanwhile, and page 10,000 costs what page 1 does.
"""

import base64
import binascii
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Integer, Select, bindparam, literal, tuple_

from dutiful.database.session import Reader, Writer
from dutiful.errors import invalid_parameter

MOST_ITEMS = 200
MOST_SKIPPED = 10_000


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a list is wanted."""

    limit: int = 50
    skip: int = 0
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A total order: by `key`, then by `id`, both in one direction. `name` guards a cursor against another order."""

    name: str
    key: ColumnElement[Any]
    id: ColumnElement[int]
    descending: bool = False

    def apply(self, statement: Select[Any]) -> Select[Any]:
        columns = (self.key,) if self.key is self.id else (self.key, self.id)
        return statement.order_by(*(column.desc() if self.descending else column.asc() for column in columns))

    def behind(self, cursor: str) -> ColumnElement[bool]:
        key, row_id = self.decode(cursor)
        return self._behind(literal(key, self.key.type), literal(row_id, self.id.type))

    def behind_place(self) -> ColumnElement[bool]:
        """With parameters, which `place` gives."""
        return self._behind(
            bindparam("behind_key", type_=self.key.type), bindparam("behind_id", type_=self.id.type)
        )

    def place(self, cursor: str) -> dict[str, Any]:
        key, row_id = self.decode(cursor)
        return {"behind_key": key, "behind_id": row_id}

    def _behind(self, key: ColumnElement[Any], row_id: ColumnElement[int]) -> ColumnElement[bool]:
        if self.key is self.id:
            return self.id < row_id if self.descending else self.id > row_id
        here, there = tuple_(self.key, self.id), tuple_(key, row_id)
        return here < there if self.descending else here > there

    def cursor(self, key: Any, row_id: int) -> str:
        value = key.isoformat() if isinstance(key, datetime) else key
        return base64.urlsafe_b64encode(orjson.dumps([self.name, value, row_id])).decode().rstrip("=")

    def decode(self, cursor: str) -> tuple[Any, int]:
        try:
            name, key, row_id = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            if name != self.name:
                raise ValueError("a cursor of another order")
            return _as_key(key, self.key.type.python_type), _as_id(row_id)
        except (binascii.Error, ValueError, TypeError, OverflowError) as error:
            raise invalid_parameter(
                "cursor", "is not a cursor of this list in this order; start again without one"
            ) from error


def _as_key(value: Any, kind: type[Any]) -> Any:
    """What `cursor` made text of, as PostgreSQL can take it: whoever sends a cursor may have made it up."""
    if issubclass(kind, datetime):
        return _as_moment(value)
    if issubclass(kind, Enum):
        return kind(value)
    if kind is int:
        return _as_id(value)
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("no text")
    return value


def _as_moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return moment.astimezone(UTC)


def _as_id(value: Any) -> int:
    # True is an int as well.
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("no id")
    return value


async def page(
    session: Reader | Writer, statement: Select[Any], order: Order, wanted: Slice
) -> tuple[Sequence[Any], str | None]:
    """What the statement selects first, of the rows of one page, and the cursor of the next. One statement, whatever the
    size."""
    values = values_of(wanted, order)
    rows = (await session.execute(part_of(statement, order, frozenset(values)), values)).all()
    rows, next_cursor = cut(rows, order, wanted)
    return [row[0] for row in rows], next_cursor


def part_of(statement: Select[Any], order: Order, parameters: Container[str]) -> Select[Any]:
    """The page that `values_of` gives these parameters for. Its rows end in two columns for the cursor of the next."""
    statement = order.apply(statement.add_columns(order.key, order.id)).limit(
        bindparam("rows", type_=Integer)
    )
    if "behind_id" in parameters:
        statement = statement.where(order.behind_place())
    if "skip" in parameters:
        statement = statement.offset(bindparam("skip", type_=Integer))
    return statement


def values_of(wanted: Slice, order: Order) -> dict[str, Any]:
    # One more than asked for tells whether there is a next page.
    values: dict[str, Any] = {"rows": wanted.limit + 1}
    if wanted.cursor is not None:
        values |= order.place(wanted.cursor)
    if wanted.skip:
        values["skip"] = wanted.skip
    return values


def cut(rows: Sequence[Any], order: Order, wanted: Slice) -> tuple[Sequence[Any], str | None]:
    """The rows of the page, and the cursor of the next."""
    shown = rows[: wanted.limit]
    return shown, order.cursor(*shown[-1][-2:]) if len(rows) > wanted.limit else None
