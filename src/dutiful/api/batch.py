"""Several operations, of several kinds, in one transaction."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field, StringConstraints, ValidationError

from dutiful.access import Actor, find_workspaces, lock_workspaces
from dutiful.api.deps import CurrentActor, Db
from dutiful.api.problems import pointer
from dutiful.api.representations import represent
from dutiful.api.transaction import TransactionRoute
from dutiful.database.session import Writer
from dutiful.errors import DutifulError, Fault, Invalid
from dutiful.labels import service as labels
from dutiful.labels.schemas import LabelCreate, LabelPatch
from dutiful.models import Label, Project, Section, Task, Workspace
from dutiful.ordering import Move
from dutiful.projects import sections
from dutiful.projects import service as projects
from dutiful.projects.schemas import ProjectCreate, ProjectPatch, SectionCreate, SectionPatch
from dutiful.tasks import creation
from dutiful.tasks import service as tasks
from dutiful.tasks.schemas import TaskCreate, TaskMove, TaskPatch
from dutiful.versions import ANY, Expected
from dutiful.vocabulary import BIGGEST_ID, EntityId, Input, Output

router = APIRouter(tags=["batch"], route_class=TransactionRoute)

Ref = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,50}$")]
RefUse = Annotated[str, StringConstraints(pattern=r"^\$[A-Za-z0-9_-]{1,50}$")]
TypeName = Literal["task", "project", "section", "label"]

# The fields whose values name things, so that "$a" in them means what an earlier operation made.
ID_FIELDS = frozenset({"project_id", "section_id", "parent_id", "after", "before"})
ID_LIST_FIELDS = frozenset({"label_ids", "labels_add", "labels_remove"})


class Operation(Input):
    """`ref` names what a `create` makes, for the operations after it. `version` guards against changes by others."""

    op: Literal["create", "update", "move", "delete"]
    type: TypeName
    ref: Ref | None = None
    id: EntityId | RefUse | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    data: dict[str, Any] = Field(default={})


class OperationDone(Output):
    """`item` is the thing after the whole batch; null when it was deleted."""

    op: str
    type: str
    id: int
    ref: str | None
    item: dict[str, Any] | None


class BatchDone(Output):
    count: int
    items: list[OperationDone]


Verb = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class _Kind:
    """The schemas and verbs of one type of thing."""

    model: type[Any]
    schemas: Mapping[str, type[Input]]
    verbs: Mapping[str, Verb]


KINDS: Mapping[str, _Kind] = {
    "task": _Kind(
        Task,
        {"create": TaskCreate, "update": TaskPatch, "move": TaskMove},
        {"create": creation.create, "update": tasks.update, "move": tasks.move, "delete": tasks.delete},
    ),
    "project": _Kind(
        Project,
        {"create": ProjectCreate, "update": ProjectPatch, "move": Move},
        {
            "create": projects.create,
            "update": projects.update,
            "move": projects.move,
            "delete": projects.delete,
        },
    ),
    "section": _Kind(
        Section,
        {"create": SectionCreate, "update": SectionPatch, "move": Move},
        {
            "create": sections.create,
            "update": sections.update,
            "move": sections.move,
            "delete": sections.delete,
        },
    ),
    "label": _Kind(
        Label,
        {"create": LabelCreate, "update": LabelPatch},
        {"create": labels.create, "update": labels.update, "delete": labels.delete},
    ),
}


@router.post("/batch", response_model=BatchDone)
async def run_batch(
    body: Annotated[list[Operation], Field(min_length=1, max_length=1000)], db: Db, actor: CurrentActor
) -> Any:
    """All or none; an error points to its operation (`/3/data/title`)."""
    _check(body)
    await _lock(db, actor, body)
    return await _Run(db, actor).all(body)


def _check(operations: Sequence[Operation]) -> None:
    """Finds what can be found before anything is read: every fault of every operation at once."""
    faults: list[Fault] = []
    made: set[str] = set()
    for index, operation in enumerate(operations):
        faults += [fault.below(f"/{index}") for fault in _faults(operation, made)]
        if operation.op == "create" and operation.ref is not None:
            made.add(operation.ref)
    if faults:
        raise Invalid("Some operations cannot be done, so none was.", *faults)


def _faults(operation: Operation, made: set[str]) -> Iterator[Fault]:
    kind = KINDS[operation.type]
    if operation.op not in kind.verbs:
        yield Fault("/op", f"a {operation.type} cannot be moved")
        return
    yield from _faults_of_target(operation, made)
    # Any id will do to check the shape; the real ones are known when the operations before are done.
    data, unknown = _resolve(operation.data, dict.fromkeys(made, BIGGEST_ID))
    yield from (
        Fault(f"/data{where}", "names nothing made by an operation before this one") for where in unknown
    )
    if operation.op in kind.schemas and not unknown:
        try:
            kind.schemas[operation.op].model_validate(data)
        except ValidationError as error:
            yield from _faults_of_data(error)
    elif operation.op == "delete" and operation.data:
        yield Fault("/data", "a delete takes none")


def _faults_of_target(operation: Operation, made: set[str]) -> Iterator[Fault]:
    is_create = operation.op == "create"
    if is_create and operation.id is not None:
        yield Fault("/id", "is given by the server")
    if not is_create and operation.id is None:
        yield Fault("/id", "is needed")
    if not is_create and operation.ref is not None:
        yield Fault("/ref", "only a create makes something to refer to")
    if operation.ref in made:
        yield Fault("/ref", "is used twice")
    if isinstance(operation.id, str) and operation.id[1:] not in made:
        yield Fault("/id", "names nothing made by an operation before this one")


def _faults_of_data(error: ValidationError) -> Iterator[Fault]:
    for fault in error.errors():
        yield Fault(
            f"/data{pointer(fault['loc'])}",
            str(fault["msg"]).removeprefix("Value error, "),
            str(fault["type"]),
        )


def _resolve(data: Mapping[str, Any], made: Mapping[str, int]) -> tuple[dict[str, Any], list[str]]:
    """The data with every "$a" replaced by an id, and the pointers of those that are not known."""
    resolved, unknown = dict(data), []

    def replace(value: Any, where: str, *, may_be_a_name: bool = False) -> Any:
        if not isinstance(value, str) or not value.startswith("$"):
            return value
        if value[1:] in made:
            return made[value[1:]]
        if not may_be_a_name:
            unknown.append(where)
        return value

    for field in ID_FIELDS & data.keys():
        resolved[field] = replace(data[field], f"/{field}")
    for field in ID_LIST_FIELDS & data.keys():
        if isinstance(data[field], list):
            is_name = field != "label_ids"
            resolved[field] = [
                replace(value, f"/{field}/{index}", may_be_a_name=is_name)
                for index, value in enumerate(data[field])
            ]
    return resolved, unknown


async def _lock(session: Writer, actor: Actor, operations: Sequence[Operation]) -> None:
    """Locks every workspace concerned at once and in order, so that two batches cannot wait for each other."""
    named: dict[type[Any], set[int]] = {
        Workspace: set(),
        Project: set(),
        Section: set(),
        Task: set(),
        Label: set(),
    }
    for operation in operations:
        _note(named[KINDS[operation.type].model], operation.id)
        for field, thing in (
            ("workspace_id", Workspace),
            ("project_id", Project),
            ("section_id", Section),
            ("parent_id", Task),
        ):
            _note(named[thing], operation.data.get(field))
    workspace_ids = await find_workspaces(session, actor, named)
    await lock_workspaces(session, workspace_ids | {actor.personal_workspace_id})


def _note(ids: set[int], value: Any) -> None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= BIGGEST_ID:
        ids.add(value)


@dataclass
class _Run:
    """The operations being done, one after the other, but tasks that are made in a row all at once."""

    session: Writer
    actor: Actor

    def __post_init__(self) -> None:
        self.made: dict[str, int] = {}
        self.things: list[tuple[Operation, int, Any]] = []

    async def all(self, operations: Sequence[Operation]) -> dict[str, Any]:
        start = 0
        while start < len(operations):
            end = self._end_of_run(operations, start)
            await self._create_tasks(operations, start, end) if end > start else await self._one(
                operations, start
            )
            start = max(end, start + 1)
        done = [self._done(*thing) for thing in self.things]
        return {"count": len(done), "items": done}

    def _end_of_run(self, operations: Sequence[Operation], start: int) -> int:
        """Behind the last of the tasks in a row that refer to none of each other; `start` when there is no row."""
        fresh: set[str] = set()
        for index in range(start, len(operations)):
            operation = operations[index]
            is_new_task = operation.op == "create" and operation.type == "task"
            _, unknown = _resolve(operation.data, self.made)
            if not is_new_task or unknown:
                return index
            fresh |= {operation.ref} - {None} if operation.ref else set()
        return len(operations)

    async def _create_tasks(self, operations: Sequence[Operation], start: int, end: int) -> None:
        row = operations[start:end]
        items = [TaskCreate.model_validate(_resolve(operation.data, self.made)[0]) for operation in row]
        pointers = [f"/{index}/data" for index in range(start, end)]
        for operation, task in zip(
            row, await creation.create_many(self.session, self.actor, items, pointers=pointers), strict=True
        ):
            self._note_made(operation, task)

    async def _one(self, operations: Sequence[Operation], index: int) -> None:
        operation = operations[index]
        try:
            await self._do(operation)
        except DutifulError as error:
            raise error.below(f"/{index}/data" if error.faults else f"/{index}") from None

    async def _do(self, operation: Operation) -> None:
        kind = KINDS[operation.type]
        verb = kind.verbs[operation.op]
        arguments: list[Any] = []
        if operation.op in kind.schemas:
            data, _ = _resolve(operation.data, self.made)
            arguments.append(kind.schemas[operation.op].model_validate(data))
        if operation.op == "create":
            self._note_made(operation, await verb(self.session, self.actor, *arguments))
            return
        thing_id = self._target(operation)
        expected = ANY if operation.version is None else Expected(frozenset({operation.version}))
        thing = await verb(self.session, self.actor, thing_id, *arguments, expected)
        self.things.append((operation, thing_id, thing))

    def _target(self, operation: Operation) -> int:
        return self.made[operation.id[1:]] if isinstance(operation.id, str) else operation.id or 0

    def _note_made(self, operation: Operation, thing: Any) -> None:
        if operation.ref is not None:
            self.made[operation.ref] = thing.id
        self.things.append((operation, thing.id, thing))

    @staticmethod
    def _done(operation: Operation, thing_id: int, thing: Any) -> dict[str, Any]:
        item = None if thing is None or thing.deleted_at is not None else represent(thing)
        return {
            "op": operation.op,
            "type": operation.type,
            "id": thing_id,
            "ref": operation.ref,
            "item": item,
        }
