"""Puts the document together."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from dutiful.api.openapi import batches, examples, operations, words
from dutiful.api.openapi.schemas import drop_unused, problem_schemas, rename, tidy
from dutiful.settings import Settings


def describe(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=words.OVERVIEW,
        routes=app.routes,
        license_info=app.license_info,
        servers=_servers(app.state.settings),
    )
    document["components"] = operations.components() | {
        "schemas": document["components"]["schemas"] | problem_schemas()
    }
    for schema in document["components"]["schemas"].values():
        tidy(schema)
    rename(document)
    schemas = document["components"]["schemas"]
    if batches.GENERAL_OPERATION in schemas:
        batches.spell_out(schemas)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            operations.complete(method, path, operation, schemas)
            _give_example(operation, schemas)
    document["tags"] = _tags(document)
    drop_unused(document)
    return document


def _servers(settings: Settings) -> list[dict[str, Any]] | None:
    return None if settings.base_url is None else [{"url": settings.base_url}]


def _give_example(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    body = operation.get("requestBody", {}).get("content", {}).get(operations.JSON, {}).get("schema")
    if not body:
        return
    tidy(body)
    if body.get("items", {}).get("$ref", "").endswith(f"/{batches.GENERAL_OPERATION}"):
        body["examples"] = [examples.BATCH]
    examples.add_to(body, schemas)


def _tags(document: dict[str, Any]) -> list[dict[str, str]]:
    """In the order of the words; a tag without words comes last."""
    used = {
        tag
        for methods in document["paths"].values()
        for operation in methods.values()
        for tag in operation.get("tags", ())
    }
    known = [tag for tag in words.TAGS if tag in used]
    return [
        {"name": tag, "description": words.TAGS.get(tag, "")} for tag in (*known, *sorted(used - set(known)))
    ]
