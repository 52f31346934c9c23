"""The operations of `POST /batch`, one schema for each kind of thing and verb, made from what the batch works with."""

from collections.abc import Mapping
from typing import Any

from dutiful.api.openapi.schemas import REFERENCE, Schema, reference, rewrite
from dutiful.batches.kinds import KINDS
from dutiful.batches.references import ID_FIELDS, LABEL_FIELDS

GENERAL_OPERATION = "Operation"
GENERAL_RESULT = "OperationDone"

_REFS = "In fields that take an id, `$a` stands for what an earlier operation made under the ref `a`."
_REF_USE = {
    "type": "string",
    "pattern": r"^\$[A-Za-z0-9_-]{1,50}$",
}


def spell_out(schemas: dict[str, Schema]) -> None:
    """Puts a choice of exact schemas in the place of the general ones."""
    general, result = schemas[GENERAL_OPERATION], schemas[GENERAL_RESULT]
    operations: list[str] = []
    results: dict[str, str] = {}
    for thing, kind in KINDS.items():
        for verb in kind.verbs:
            name = f"{thing.title()}{verb.title()}Operation"
            data = _data(schemas, kind.schemas[verb].__name__) if verb in kind.schemas else None
            needs_data = data is not None and bool(schemas[data].get("required"))
            schemas[name] = _operation(general, thing, verb, data, needs_data=needs_data)
            operations.append(name)
        results[thing] = f"{thing.title()}OperationDone"
        schemas[results[thing]] = _result(result, thing, list(kind.verbs))
    schemas[GENERAL_OPERATION] = {
        "description": general["description"] + " " + _REFS,
        "oneOf": [reference(name) for name in operations],
    }
    schemas[GENERAL_RESULT] = {
        "description": result["description"],
        "oneOf": [reference(name) for name in results.values()],
        "discriminator": {
            "propertyName": "type",
            "mapping": {thing: REFERENCE + name for thing, name in results.items()},
        },
    }


def _operation(general: Schema, thing: str, verb: str, data: str | None, *, needs_data: bool) -> Schema:
    fields = general["properties"]
    properties: dict[str, Any] = {"op": _only(verb), "type": _only(thing)}
    required = ["op", "type"]
    if verb == "create":
        properties["ref"] = fields["ref"]
    else:
        properties |= {"id": _id_or_ref({}), "version": fields["version"]}
        required.append("id")
    if data is not None:
        properties["data"] = reference(data)
        required += ["data"] if needs_data else []
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _data(schemas: dict[str, Schema], name: str) -> str:
    """The schema of the route, in which refs may stand for ids."""
    original = schemas[name]
    changed = {
        **original,
        "properties": {field: _with_refs(field, part) for field, part in original["properties"].items()},
    }
    changed.pop("examples", None)
    if changed["properties"] == original["properties"]:
        return name
    schemas[f"Batch{name}"] = changed
    return f"Batch{name}"


def _with_refs(field: str, schema: Schema) -> Schema:
    if field in ID_FIELDS:
        return _id_or_ref(schema)
    if field in LABEL_FIELDS and schema["items"].get("type") == "integer":
        return {**schema, "items": _id_or_ref(schema["items"])}
    return schema


def _id_or_ref(schema: Schema) -> Schema:
    nullable = "null" in schema.get("type", ()) or {"type": "null"} in schema.get("anyOf", ())
    number = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
    return {"anyOf": [number, _REF_USE, *([{"type": "null"}] if nullable else [])]}


def _result(general: Schema, thing: str, verbs: list[str]) -> Schema:
    properties: Mapping[str, Any] = general["properties"]
    item = {"anyOf": [reference(thing.title()), {"type": "null"}]}
    return {
        **rewrite({name: part for name, part in general.items() if name != "description"}, lambda node: node),
        "properties": {
            **properties,
            "op": {"type": "string", "enum": verbs},
            "type": _only(thing),
            "item": item,
        },
    }


def _only(word: str) -> Schema:
    return {"type": "string", "const": word}
