"""What can go wrong, in the words of the domain. Doors translate these once, each in its own way."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, Self


@dataclass(frozen=True, slots=True)
class Place:
    """Characters of a text, counted from 0."""

    position: int
    length: int


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong thing in what was sent. `pointer` is an RFC 6901 JSON pointer into the body, or into the query. Of a text
    in a language `place` is the part that is meant, and `suggestion` what could stand there instead."""

    pointer: str
    detail: str
    code: str = "invalid"
    source: Literal["body", "query"] = "body"
    place: Place | None = None
    suggestion: str | None = None

    def below(self, prefix: str) -> Self:
        return replace(self, pointer=prefix + self.pointer)


class DutifulError(Exception):
    """Base of every error a client may be told about.

    `code` is stable and may be relied on; `str(error)` says what happened and what to do.
    """

    code = "error"

    def __init__(self, detail: str, *faults: Fault) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = faults

    def below(self, prefix: str) -> Self:
        """The same error, told of an item of a batch: every pointer starts with `prefix`."""
        self.faults = tuple(fault.below(prefix) for fault in self.faults) or (
            Fault(prefix, self.detail, self.code),
        )
        return self


class Unauthenticated(DutifulError):
    code = "unauthenticated"


class Forbidden(DutifulError):
    code = "forbidden"


class NotFound(DutifulError):
    """Absent, or not for this person to see: the answer must be the same."""

    code = "not_found"


class Invalid(DutifulError):
    code = "invalid"


class Conflict(DutifulError):
    """The request is fine, the state of things is not. `retry_after` in seconds when waiting helps; `changes` are the
    ids of those that stand in the way."""

    code = "conflict"

    def __init__(
        self,
        detail: str,
        *faults: Fault,
        code: str = "conflict",
        retry_after: int | None = None,
        changes: Sequence[str] = (),
    ) -> None:
        super().__init__(detail, *faults)
        self.code = code
        self.retry_after = retry_after
        self.changes = list(changes)


class Versioned(Protocol):
    @property
    def version(self) -> Any: ...


class StaleVersion(DutifulError):
    """Somebody else was faster. `current` is the thing as it is now."""

    code = "stale_version"

    def __init__(self, current: Versioned) -> None:
        super().__init__(
            "It was changed since you read it. Look at the current version, then send your change again."
        )
        self.current = current


class Gone(DutifulError):
    """Changes that are not kept any more. Whoever reads the workspaces anew may follow from `next_cursor`."""

    code = "gone"

    def __init__(
        self, detail: str, *, workspace_ids: Sequence[int] = (), next_cursor: str | None = None
    ) -> None:
        super().__init__(detail)
        self.workspace_ids = list(workspace_ids)
        self.next_cursor = next_cursor


class TooManyRequests(DutifulError):
    """More than one person may have. `retry_after` in seconds when waiting helps."""

    code = "too_many_requests"

    def __init__(
        self, detail: str, *, code: str = "too_many_requests", retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.retry_after = retry_after


class Unavailable(DutifulError):
    """The database is busy, unreachable or full. Nothing was written, unless `code` is `outcome_unknown`."""

    code = "unavailable"

    def __init__(self, detail: str, *, code: str = "unavailable", retry_after: int = 1) -> None:
        super().__init__(detail)
        self.code = code
        self.retry_after = retry_after


def invalid(
    pointer: str,
    detail: str,
    code: str = "invalid",
    place: Place | None = None,
    suggestion: str | None = None,
) -> Invalid:
    """An `Invalid` about one field."""
    fault = Fault(pointer, detail, code, place=place, suggestion=suggestion)
    return Invalid("The request has a value that cannot be used.", fault)


@contextmanager
def named_by(pointer: str) -> Iterator[None]:
    """For looking up what a field of the body names: that it is not found is that field's fault, and no 404."""
    try:
        yield
    except NotFound as error:
        raise invalid(pointer, error.detail, error.code) from error


def invalid_parameter(
    name: str, detail: str, place: Place | None = None, suggestion: str | None = None
) -> Invalid:
    """An `Invalid` about one query parameter."""
    fault = Fault(f"/{name}", detail, source="query", place=place, suggestion=suggestion)
    return Invalid("The request has a value that cannot be used.", fault)
