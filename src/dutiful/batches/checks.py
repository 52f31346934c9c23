"""What can be found wrong with operations before anything is read: every fault of every one at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from dutiful.batches.kinds import KINDS
from dutiful.batches.references import Made, faults_of_refs, resolve
from dutiful.batches.schemas import Operation, TypeName
from dutiful.errors import Fault, Invalid
from dutiful.vocabulary import BIGGEST_ID


@dataclass
class _SoFar:
    """What the operations before the one being checked make and guard."""

    made: dict[str, Made] = field(default_factory=dict)
    guarded: set[tuple[TypeName, int | str]] = field(default_factory=set)


def check(operations: Sequence[Operation]) -> None:
    faults: list[Fault] = []
    so_far = _SoFar()
    for index, operation in enumerate(operations):
        faults += [fault.below(f"/{index}") for fault in _faults(operation, so_far)]
        if operation.op == "create" and operation.ref is not None:
            # Any id will do to check the shape; the real one is known when the operation is done.
            so_far.made[operation.ref] = Made(operation.type, BIGGEST_ID)
        if operation.version is not None and operation.id is not None:
            so_far.guarded.add((operation.type, operation.id))
    if faults:
        raise Invalid("Some operations cannot be done, so none was.", *faults)


def _faults(operation: Operation, so_far: _SoFar) -> Iterator[Fault]:
    kind = KINDS[operation.type]
    if operation.op not in kind.verbs:
        yield Fault("/op", f"a {operation.type} cannot be moved")
        return
    yield from _faults_of_target(operation, so_far)
    yield from _faults_of_version(operation, so_far)
    refs = list(faults_of_refs(operation, so_far.made))
    yield from refs
    if operation.op in kind.schemas and not any(fault.pointer.startswith("/data") for fault in refs):
        try:
            kind.schemas[operation.op].model_validate(resolve(operation, so_far.made))
        except ValidationError as error:
            yield from _faults_of_data(error)
    elif operation.op == "delete" and operation.data:
        yield Fault("/data", "a delete takes none")


def _faults_of_target(operation: Operation, so_far: _SoFar) -> Iterator[Fault]:
    is_create = operation.op == "create"
    if is_create and operation.id is not None:
        yield Fault("/id", "is given by the server")
    if not is_create and operation.id is None:
        yield Fault("/id", "is needed")
    if not is_create and operation.ref is not None:
        yield Fault("/ref", "only a create makes something to refer to")
    if operation.ref in so_far.made:
        yield Fault("/ref", "is used twice")


def _faults_of_version(operation: Operation, so_far: _SoFar) -> Iterator[Fault]:
    if operation.version is None:
        return
    if operation.op == "create" or isinstance(operation.id, str):
        yield Fault("/version", "guards only what was there before the batch")
    elif operation.id is not None and (operation.type, operation.id) in so_far.guarded:
        yield Fault("/version", "is checked by an earlier operation")


def _faults_of_data(error: ValidationError) -> Iterator[Fault]:
    for fault in error.errors():
        # RFC 6901
        path = (str(part).replace("~", "~0").replace("/", "~1") for part in fault["loc"])
        pointer = "".join(f"/{part}" for part in ("data", *path))
        yield Fault(pointer, str(fault["msg"]).removeprefix("Value error, "), str(fault["type"]))
