"""Schemas as generators of clients like them: plain names, null as a type, nothing that no schema knows."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/"

# What pydantic says of bounds that it checks after a function of ours.
_BOUNDS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
_PARTS_BY_NAME = ("properties", "patternProperties", "$defs")
_LISTS_OF_PARTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_PARTS = ("items", "additionalProperties", "not", "contains")


class Fault(BaseModel):
    """One wrong thing in what was sent. `pointer` is a JSON pointer (RFC 6901) into the body, or `/name` of a query
    parameter, path parameter or header. Of a filter `position` and `length` tell which characters (Unicode code points,
    from 0) are meant, and `suggestion`, if there is one, what could stand there instead."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    source: Literal["body", "query", "path", "header", "cookie"] = Field(alias="in")
    pointer: str
    detail: str
    code: str
    position: int = Field(default_factory=int, ge=0)
    length: int = Field(default_factory=int, ge=0)
    suggestion: str = Field(default_factory=str, examples=["#house"])


class Problem(BaseModel):
    """An error (RFC 9457). Programs look at `code`, people read `detail`. Some errors have further members: a 412 the
    `current` representation, a 410 of the feed `workspace_ids` and `next_cursor`, a 409 of an undo `changes`, those in
    the way."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[Fault] = Field(default_factory=list)


def reference(name: str) -> Schema:
    return {"$ref": REFERENCE + name}


def problem_schemas() -> dict[str, Schema]:
    schema = Problem.model_json_schema(ref_template=REFERENCE + "{model}")
    return {**schema.pop("$defs"), "Problem": schema}


def tidy(schema: Schema) -> None:
    """In place, with all that is inside."""
    for part in _parts(schema):
        tidy(part)
    if isinstance(schema.get("title"), str):
        # pydantic's titles repeat the names.
        del schema["title"]
    if isinstance(schema.get("description"), str):
        # The line breaks of a docstring.
        schema["description"] = re.sub(r"(?<!\n)\n(?!\n)", " ", schema["description"])
    for theirs, standard in _BOUNDS.items():
        bound = schema.pop(theirs, None)
        # JSON Schema bounds numbers alone, no dates.
        if isinstance(bound, (int, float)):
            schema[standard] = bound
    _fold_null(schema)


def without_null(schema: Schema) -> Schema:
    """For what cannot be null, such as a parameter."""
    choices: list[Schema] = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        return choices[0] | {name: value for name, value in schema.items() if name != "anyOf"}
    if choices:
        return {**schema, "anyOf": choices}
    if isinstance(schema.get("type"), list):
        types = [name for name in schema["type"] if name != "null"]
        return {**schema, "type": types[0] if len(types) == 1 else types}
    return schema


def rename(document: dict[str, Any]) -> None:
    """`TaskOut` is the `Task` of clients, `Page_TaskOut_` their `TaskPage`, `dutiful__tasks__filters__Sort` their
    `TaskSort`."""
    schemas = document["components"]["schemas"]
    names = {name: _plain(name) for name in schemas}
    if len(set(names.values())) < len(names):
        raise ValueError(f"two schemas would share a name: {sorted(names.values())}")
    document["components"]["schemas"] = {names[name]: schema for name, schema in schemas.items()}
    for node in walk(document):
        if str(node.get("$ref", "")).startswith(REFERENCE):
            node["$ref"] = REFERENCE + names[node["$ref"].removeprefix(REFERENCE)]


def drop_unused(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    used: set[str] = set()
    wanted = _references({name: part for name, part in document.items() if name != "components"})
    wanted |= _references({name: part for name, part in document["components"].items() if name != "schemas"})
    while wanted:
        used |= wanted
        wanted = set().union(*(_references(schemas[name]) for name in wanted)) - used
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(used)}


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in it, itself included."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(child)


def rewrite(schema: Any, change: Callable[[Schema], Schema]) -> Any:
    """A copy in which every object is what `change` makes of it."""
    if isinstance(schema, dict):
        return change({name: rewrite(part, change) for name, part in schema.items()})
    return [rewrite(part, change) for part in schema] if isinstance(schema, list) else schema


def resolve(schema: Mapping[str, Any], schemas: Mapping[str, Schema]) -> Mapping[str, Any]:
    return schemas[schema["$ref"].removeprefix(REFERENCE)] if "$ref" in schema else schema


def _plain(name: str) -> str:
    if "__" in name:
        feature, *_, name = name.removeprefix("dutiful__").split("__")
        name = feature.removesuffix("s").title() + name
    if generic := re.fullmatch(r"([A-Za-z]+)_(\w+)_", name):
        name = generic[2].removesuffix("Out") + generic[1]
    return name.removesuffix("Out")


def _fold_null(schema: Schema) -> None:
    """Null as one of the types; a reference beside null stays a choice of two."""
    choices = schema.get("anyOf", [])
    others = [choice for choice in choices if choice != {"type": "null"}]
    if len(others) == len(choices) or len(others) != 1:
        return
    [other] = others
    if isinstance(other.get("type"), str) and not {"enum", "const"} & other.keys():
        del schema["anyOf"]
        schema.update({**other, **schema, "type": [other["type"], "null"]})


def _parts(schema: Schema) -> Iterator[Schema]:
    for name in _PARTS_BY_NAME:
        yield from schema.get(name, {}).values()
    for name in _LISTS_OF_PARTS:
        yield from schema.get(name, [])
    for name in _PARTS:
        if isinstance(schema.get(name), dict):
            yield schema[name]


def _references(node: Any) -> set[str]:
    return {
        str(found["$ref"]).removeprefix(REFERENCE)
        for found in walk(node)
        if str(found.get("$ref", "")).startswith(REFERENCE)
    }
