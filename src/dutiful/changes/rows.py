"""Changes as the driver gives them, and as JSON: what `ChangeOut` makes of the model, without either."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Text, cast, type_coerce
from sqlalchemy.types import NULLTYPE

NAMES = (
    *("workspace_id", "seq", "at", "user_id", "verb", "entity", "entity_id", "version"),
    *("before", "after", "request_id", "undo_of"),
)

Row = Sequence[Any]
"""That begins with `columns`."""


def columns(source: Any) -> list[ColumnElement[Any]]:
    """Of the table or of what was selected from it. JSON as text, which nobody reads on the way."""
    texts = {name: cast(source.c[name], Text) for name in ("before", "after")}
    return [texts.get(name, type_coerce(source.c[name], NULLTYPE)) for name in NAMES]


def place(row: Row) -> tuple[int, int]:
    """Workspace and seq."""
    return row[0], row[1]


def as_json(row: Row) -> dict[str, Any]:
    (
        workspace_id,
        seq,
        at,
        user_id,
        verb,
        entity,
        entity_id,
        version,
        before,
        after,
        request_id,
        undo_of,
        *_,
    ) = row
    return {
        "id": f"{workspace_id}-{seq}",
        "workspace_id": workspace_id,
        "seq": seq,
        "at": at,
        "user_id": user_id,
        "verb": verb,
        "entity": entity,
        "entity_id": entity_id,
        "version": version,
        "before": before and orjson.Fragment(before),
        "after": after and orjson.Fragment(after),
        "request_id": str(request_id),
        "undo_of": None if undo_of is None else f"{workspace_id}-{undo_of}",
    }
