"""Column types shared by the models."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    Enum,
    Identity,
    SmallInteger,
    String,
    any_,
    bindparam,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

# Fractional keys compare byte by byte, on every server, whatever its locale.
PositionKey = String(collation="C")


class AwareDateTime(TypeDecorator[datetime]):
    """`timestamptz` that refuses naive values and always gives UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise TypeError(f"a time zone is needed: {value!r}")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        # asyncpg gives ±infinity as the first and last moment there is, without a zone.
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class RankedEnum(TypeDecorator[StrEnum]):
    """A word stored as its rank (smallint), so that it sorts by meaning rather than by spelling."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words
        self._ranked = list(words)

    @property
    def python_type(self) -> type[StrEnum]:
        return self.words

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> int | None:
        return None if value is None else self._ranked.index(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self._ranked[value]


def word_enum(words: type[StrEnum], name: str) -> Enum:
    """A text column that holds one of `words`; `name` completes the check constraint's name."""
    return Enum(
        words,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=20,
        values_callable=lambda enum: [word.value for word in enum],
    )


Id = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True, sort_order=-1)]
BigInt = Annotated[int, mapped_column(BigInteger)]
Instant = Annotated[datetime, mapped_column(AwareDateTime)]
JsonObject = dict[str, Any]

# asyncpg gives ±infinity as the first and last moment there is, without a zone.
JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


def encode_json(value: Any) -> bytes:
    """Of what the driver gives."""
    return orjson.dumps(value, option=JSON_OPTIONS)


def any_of(values: Iterable[Any], kind: type[TypeEngine[Any]] = BigInteger) -> ColumnElement[bool]:
    """For `column == any_of(ids)`. One parameter, however many: a statement takes 32,767, and stays one prepared
    statement whatever their number."""
    return any_(bindparam(None, list(values), ARRAY(kind)))
