"""What "$a" in an operation stands for: the thing that an earlier operation made under the ref `a`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dutiful.batches.schemas import Operation, TypeName
from dutiful.errors import Fault

# The fields whose values name things, and the type of these; None: of the type the operation is about.
ID_FIELDS: Mapping[str, TypeName | None] = {
    "project_id": "project",
    "section_id": "section",
    "parent_id": "task",
    "after": None,
    "before": None,
}
LABEL_FIELDS = ("label_ids", "labels_add", "labels_remove")


@dataclass(frozen=True, slots=True)
class Made:
    """What a ref stands for. Ids are counted for each type, so an id alone says nothing."""

    type: TypeName
    id: int


def resolve(operation: Operation, made: Mapping[str, Made]) -> dict[str, Any]:
    """Its data with every ref replaced by the id of what it stands for."""
    resolved = dict(operation.data)
    for field in ID_FIELDS.keys() & resolved.keys():
        resolved[field] = _resolve(resolved[field], made)
    for field in LABEL_FIELDS:
        if isinstance(resolved.get(field), list):
            resolved[field] = [_resolve(value, made) for value in resolved[field]]
    return resolved


def faults_of_refs(operation: Operation, made: Mapping[str, Made]) -> Iterator[Fault]:
    """One for each use of a ref that stands for nothing, or for something of another type."""
    if isinstance(operation.id, str):
        yield from _faults(operation.id, "/id", operation.type, made)
    for field, wanted in ID_FIELDS.items():
        yield from _faults(operation.data.get(field), f"/data/{field}", wanted or operation.type, made)
    for field in LABEL_FIELDS:
        values = operation.data.get(field)
        for index, value in enumerate(values if isinstance(values, list) else ()):
            # Where names may stand, one that is no ref is a name.
            if field == "label_ids" or _ref(value) in made:
                yield from _faults(value, f"/data/{field}/{index}", "label", made)


def _faults(value: Any, pointer: str, wanted: TypeName, made: Mapping[str, Made]) -> Iterator[Fault]:
    ref = _ref(value)
    if ref is None:
        return
    if ref not in made:
        yield Fault(pointer, "names nothing made by an operation before this one")
    elif made[ref].type != wanted:
        yield Fault(pointer, f"names a {made[ref].type}, where a {wanted} is needed")


def _resolve(value: Any, made: Mapping[str, Made]) -> Any:
    ref = _ref(value)
    return value if ref is None or ref not in made else made[ref].id


def _ref(value: Any) -> str | None:
    return value[1:] if isinstance(value, str) and value.startswith("$") else None
