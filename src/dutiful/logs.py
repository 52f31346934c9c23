"""What the server tells, on stderr: plain lines for people, or one JSON object a line.

A message never holds what a client sent beyond method and path: queries, headers and bodies carry secrets.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from dutiful.plain import one_line

_TOLD = logging.getLogger("dutiful.told")
access = logging.getLogger("dutiful.access")
"""One line for each request, with its fields in `extra`."""

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""Of the request that is being answered; every line logged meanwhile carries it."""

hung_up: ContextVar[bool] = ContextVar("hung_up", default=False)
"""That we ended this request without the end of its answer, and have said so."""


def is_news(record: logging.LogRecord) -> bool:
    """A filter for what uvicorn tells of a request, which takes our hanging up for a mistake."""
    return not (hung_up.get() and "without completing response" in record.getMessage())


def set_up(level: str, log_format: Literal["console", "json"]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Console())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Whoever starts a server wants to read where it is, however little of the rest.
    _TOLD.setLevel(logging.INFO)
    # A person at a terminal looks for what is wrong; a program that collects lines wants them all.
    access.setLevel(logging.WARNING if log_format == "console" and level == "info" else logging.NOTSET)
    # At this level it would tell every row that is read, hashes of passwords included.
    logging.getLogger("sqlalchemy").setLevel(logging.WARNING)
    # Or with DUTIFUL_DB_ECHO it would tell its statements a second time, on stdout and in a form of its own.
    logging.getLogger("sqlalchemy.engine.Engine").addHandler(logging.NullHandler())
    if level != "debug":
        for chatty in ("uvicorn", "alembic", "opentelemetry"):
            logging.getLogger(chatty).setLevel(max(root.level, logging.WARNING))


def say(line: str) -> None:
    """A line for the person who started the server."""
    _TOLD.info(line)


class _Formatter(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802 - as logging calls it
        """The traceback with the first line of what each error says. Those that follow repeat what somebody sent:
        PostgreSQL the row that it refuses, pydantic the value."""
        return "".join(_traceback(ei[1])).rstrip("\n")


def _traceback(error: BaseException | None) -> Iterator[str]:
    if error is None:
        return
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _traceback(cause)
        yield "Which led to:\n"
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(error.__traceback__)
    said = "".join(traceback.format_exception_only(error)).strip()
    yield f"{said.splitlines()[0]}\n"
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield "One of these:\n"
            yield from _traceback(each)


class _Console(_Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(request_id)s]: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        if record.name == _TOLD.name:
            return record.getMessage()
        # Whatever somebody got into it, only its first line begins as lines of the log do.
        lines = super().format(record).splitlines()
        return "\n  ".join(one_line(line, keep_spaces=True) for line in lines)


class _Json(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (current := request_id.get()) != "-":
            line["request_id"] = current
        line.update(getattr(record, "fields", ()))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _dump(line)


def _dump(line: dict[str, Any]) -> str:
    try:
        return orjson.dumps(line, default=str).decode()
    except (TypeError, ValueError):
        # A path may hold what is no valid text.
        return orjson.dumps({name: ascii(value) for name, value in line.items()}).decode()
