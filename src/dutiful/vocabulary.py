"""The words schemas are made of: base models and the field types every feature uses."""

import re
from datetime import UTC, datetime, time
from datetime import date as Date  # noqa: N812 - `date` is a field's name below
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    StringConstraints,
    model_validator,
)
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function

from dutiful.models.when import When, format_time, known_timezones

T = TypeVar("T")

BIGGEST_ID = 2**63 - 1


class Input(BaseModel):
    """A body. Unknown fields are refused: a misspelt one would be lost without a word."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False, allow_inf_nan=False)


class Output(BaseModel):
    """A representation, read from a model's attributes."""

    # An answer has all fields, those with a default too.
    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)


class Patch(Input):
    """A JSON merge patch (RFC 7396): only what was sent changes."""

    def sent(self) -> dict[str, Any]:
        """The fields that were sent, with their validated values."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Page(BaseModel, Generic[T]):
    """One page of a list. `count` is the number of items in it; `next_cursor` is null on the last."""

    items: list[T]
    count: int
    next_cursor: str | None


def _refuse_null(value: Any) -> Any:
    if value is None:
        raise ValueError("must not be null; leave it out to keep it as it is")
    return value


class _NotNull:
    """Takes the null out of `T | None`, which is there for the default alone. As a union of two it would also put
    pydantic's name of the type into the pointers of errors."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        nullable = handler(source)
        assert nullable["type"] == "nullable"  # noqa: S101 - it annotates nothing else
        return no_info_before_validator_function(_refuse_null, nullable["schema"])


def _refuse_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain NUL characters")
    return value


def _require_email(value: str) -> str:
    name, _, domain = value.rpartition("@")
    if not name or not domain or any(char.isspace() for char in value):
        raise ValueError("is not an e-mail address")
    return value


def _require_timezone(value: str) -> str:
    if value not in known_timezones():
        raise ValueError("is not a time zone name of the IANA database, such as Europe/Berlin")
    return value


def _parse_time(value: Any) -> Any:
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not re.fullmatch(TIME_PATTERN, value):
        raise ValueError("must be a time such as 17:00 or 17:00:30, without a zone")
    return time.fromisoformat(value)


def _parse_date(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError("must be a date such as 2026-12-01")
    return value


def require_date_time(value: Any) -> Any:
    """No seconds since 1970, which pydantic would take too."""
    if isinstance(value, (int, float)) or (
        isinstance(value, str) and not re.match(r"\d{4}-\d{2}-\d{2}[Tt _]", value)
    ):
        raise ValueError("must be a date-time such as 2026-12-01T17:00:00Z")
    return value


def _near_enough(value: datetime) -> datetime:
    if not Date.min.year < value.year < Date.max.year:
        raise ValueError("is too far away")
    return value


def _as_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is too far away") from error


def _require_int(value: Any) -> Any:
    if isinstance(value, (bool, float, str)):
        raise ValueError("must be a whole number")
    return value


TIME_PATTERN = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"

EntityId = Annotated[int, BeforeValidator(_require_int), Field(ge=1, le=BIGGEST_ID)]
"""An id in a body: a JSON number."""

VersionNumber = Annotated[int, BeforeValidator(_require_int), Field(ge=1, le=2**31 - 1)]

IdParameter = Annotated[int, Field(ge=1, le=BIGGEST_ID)]
"""An id in a path or query."""

IfSent = Annotated[T | None, _NotNull()]
"""A field of a patch that may be left out, but not be null."""

NO_NUL = AfterValidator(_refuse_nul)
# What is cut off both ends: Unicode's White_Space, spelt out because every dialect has a `\s` of its own.
_SPACE = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
NOT_BLANK = Field(json_schema_extra={"pattern": f"[^{_SPACE}]"})
"""Tells in the schema that of a string that is stripped something must be left."""

# Lengths belong to the string itself: said of a validated one, the error would speak of items.
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), NO_NUL, NOT_BLANK
]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=254),
    NO_NUL,
    AfterValidator(_require_email),
    # Python takes four separators more for spaces.
    Field(
        json_schema_extra={
            "pattern": rf"^[{_SPACE}]*[^{_SPACE}\x1c-\x1f]+@[^{_SPACE}\x1c-\x1f@]+[{_SPACE}]*$"
        }
    ),
]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
TimeZoneName = Annotated[str, StringConstraints(max_length=64), AfterValidator(_require_timezone)]
LocalTime = Annotated[
    time,
    BeforeValidator(_parse_time, json_schema_input_type=str),
    PlainSerializer(format_time, return_type=str),
    Field(json_schema_extra={"type": "string", "pattern": f"^{TIME_PATTERN}$", "examples": ["17:00"]}),
]
LocalDate = Annotated[Date, BeforeValidator(_parse_date), Field(ge=Date(1, 1, 2), le=Date(9999, 12, 30))]
WallMoment = Annotated[datetime, BeforeValidator(require_date_time), AfterValidator(_near_enough)]
"""A moment; without a zone a time on the wall, of a place that is known otherwise."""
Moment = Annotated[AwareDatetime, BeforeValidator(require_date_time), AfterValidator(_as_utc)]


class WhenFields(Input):
    """A date, perhaps with a time, perhaps in a time zone."""

    date: LocalDate
    time: LocalTime | None = None
    timezone: TimeZoneName | None = None

    @model_validator(mode="after")
    def _a_zone_needs_a_time(self) -> Self:
        if self.timezone is not None and self.time is None:
            raise ValueError("a time zone needs a time: a date alone is all day, wherever you are")
        return self

    def when(self) -> When:
        return When(self.date, self.time, self.timezone)


class WhenPatch(Input):
    """A merge patch of a date: what is left out stays, null clears."""

    date: IfSent[LocalDate] = None
    time: LocalTime | None = None
    timezone: TimeZoneName | None = None

    def merged(self, current: When | None) -> dict[str, Any]:
        """The fields after the patch, not yet checked against each other."""
        fields: dict[str, Any] = {"date": None, "time": None, "timezone": None}
        if current is not None:
            fields = {"date": current.date, "time": current.time, "timezone": current.timezone}
        return fields | {name: getattr(self, name) for name in self.model_fields_set}


class WhenOut(Output):
    date: Date
    time: LocalTime | None
    timezone: str | None
