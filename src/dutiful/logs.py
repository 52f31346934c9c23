"""What the server tells, on stderr: plain lines for people, or one JSON object a line."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

_TOLD = logging.getLogger("dutiful.told")

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""Of the request that is being answered; every line logged meanwhile carries it."""


def set_up(level: str, log_format: Literal["console", "json"]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Console())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Whoever starts a server wants to read where it is, however little of the rest.
    _TOLD.setLevel(logging.INFO)
    if level != "debug":
        for chatty in ("uvicorn", "alembic"):
            logging.getLogger(chatty).setLevel(max(root.level, logging.WARNING))


def say(line: str) -> None:
    """A line for the person who started the server."""
    _TOLD.info(line)


class _Console(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(request_id)s]: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return record.getMessage() if record.name == _TOLD.name else super().format(record)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (current := request_id.get()) != "-":
            line["request_id"] = current
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
