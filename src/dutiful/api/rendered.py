"""Answers made of rows, past FastAPI, which takes as long to check and translate fifty of them as all the rest does. What
they are is said by the `response_model` of their route; the tests hold them to it."""

from typing import Any

from fastapi import Response

from dutiful.database.types import encode_json


def rendered(content: Any) -> Response:
    return Response(encode_json(content), media_type="application/json")


def rendered_page(items: list[Any], next_cursor: str | None) -> Response:
    """What `Page` describes, or a page of the feed."""
    return rendered({"items": items, "count": len(items), "next_cursor": next_cursor})
