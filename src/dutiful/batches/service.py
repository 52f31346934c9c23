"""Operations of several kinds in one transaction: all of them, or none."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import select

from dutiful.access import (
    Actor,
    find_workspaces,
    get_for_write,
    hold,
    hold_made,
    is_visible,
    lock_workspaces,
)
from dutiful.batches.checks import check
from dutiful.batches.kinds import KINDS
from dutiful.batches.references import Made, faults_of_refs, resolve
from dutiful.batches.schemas import Operation
from dutiful.database.session import Writer
from dutiful.errors import DutifulError, StaleVersion
from dutiful.models import Project, Section, Task, Workspace
from dutiful.tasks import creation
from dutiful.tasks.at_hand import AtHand
from dutiful.tasks.schemas import TaskCreate
from dutiful.vocabulary import BIGGEST_ID

PLACE_FIELDS = {"project_id", "section_id", "parent_id"}
MODELS: Mapping[str, type[Any]] = {
    "workspace_id": Workspace,
    "project_id": Project,
    "section_id": Section,
    "parent_id": Task,
}


@dataclass(frozen=True, slots=True)
class Done:
    """`thing` is as it is after the whole batch; None when it was deleted."""

    operation: Operation
    id: int
    thing: Any


async def run(session: Writer, actor: Actor, operations: Sequence[Operation]) -> list[Done]:
    """An error points to its operation (`/3/data/title`)."""
    check(operations)
    await _lock_and_hold(session, actor, operations)
    await _check_targets(session, actor, operations)
    at_hand = await _load_at_hand(session, operations)
    done = await _Run(session, actor, at_hand).all(operations)
    return [Done(one.operation, one.id, _if_alive(one.thing)) for one in done]


async def find_done(
    session: Writer, actor: Actor, operations: Sequence[Operation], ids: Sequence[int]
) -> list[Done]:
    """What `run` gave, from the ids of what it worked on: the things as they are now, None for those that the actor
    does not see any more."""
    wanted: dict[type[Any], set[int]] = defaultdict(set)
    for operation, thing_id in zip(operations, ids, strict=True):
        wanted[KINDS[operation.type].model].add(thing_id)
    found = {
        (model, thing.id): thing
        for model, model_ids in wanted.items()
        for thing in await session.scalars(
            select(model).where(model.id.in_(model_ids), is_visible(actor, model))
        )
    }
    return [
        Done(operation, thing_id, found.get((KINDS[operation.type].model, thing_id)))
        for operation, thing_id in zip(operations, ids, strict=True)
    ]


def _if_alive(thing: Any) -> Any:
    return None if thing is None or thing.deleted_at is not None else thing


async def _lock_and_hold(session: Writer, actor: Actor, operations: Sequence[Operation]) -> None:
    """Locks every workspace concerned at once and in order, so that two batches cannot wait for each other; then
    reads what the operations name."""
    named: dict[type[Any], set[int]] = defaultdict(set)
    for operation in operations:
        own = KINDS[operation.type].model
        models = {**MODELS, "after": own, "before": own}
        named[own] |= _ids(operation.id)
        for name in models.keys() & operation.data.keys():
            named[models[name]] |= _ids(operation.data[name])
    workspace_ids = await find_workspaces(session, actor, named)
    if any(operation.op == "create" for operation in operations):
        workspace_ids.add(actor.personal_workspace_id)
    await lock_workspaces(session, workspace_ids)
    named.pop(Workspace, None)
    await hold(session, actor, named)


async def _check_targets(session: Writer, actor: Actor, operations: Sequence[Operation]) -> None:
    """Before anything changes, so that a 412 shows what is there."""
    for index, operation in enumerate(operations):
        if not isinstance(operation.id, int):
            continue
        with _told_of(f"/{index}"):
            thing = await get_for_write(session, actor, KINDS[operation.type].model, operation.id)
        if operation.version not in {None, thing.version}:
            raise StaleVersion(thing).below(f"/{index}/version")


async def _load_at_hand(session: Writer, operations: Sequence[Operation]) -> AtHand:
    changed: set[int] = set()
    moves = 0
    named: dict[str, set[int]] = defaultdict(set)
    for operation in operations:
        if operation.type == "task":
            is_move = operation.op == "move" or (
                operation.op == "update" and bool(PLACE_FIELDS & operation.data.keys())
            )
            moves += is_move
            if is_move or operation.op == "delete":
                changed |= _ids(operation.id)
            for name, value in operation.data.items():
                named[name] |= _ids(value)
    return await AtHand.load(session, changed=changed, moves=moves, named=named)


def _ids(value: Any) -> set[int]:
    is_id = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= BIGGEST_ID
    return {value} if is_id else set()


@contextmanager
def _told_of(prefix: str, data: str = "") -> Iterator[None]:
    """Makes an error one of the operation at `prefix`; the faults it has lie in the operation's data."""
    try:
        yield
    except DutifulError as error:
        raise error.below(f"{prefix}{data}" if error.faults else prefix) from None


@dataclass
class _Run:
    """The operations being done, one after the other, but tasks that are made in a row all at once."""

    session: Writer
    actor: Actor
    at_hand: AtHand
    made: dict[str, Made] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)

    async def all(self, operations: Sequence[Operation]) -> list[Done]:
        start = 0
        while start < len(operations):
            end = self._end_of_row(operations, start)
            if end > start:
                await self._create_tasks(operations, start, end)
            else:
                end = start + 1
                with _told_of(f"/{start}", "/data"):
                    await self._do(operations[start])
            start = end
        return self.done

    def _end_of_row(self, operations: Sequence[Operation], start: int) -> int:
        """Behind the last of the tasks made in a row that refer to none of each other; `start` when there is none."""
        for index in range(start, len(operations)):
            operation = operations[index]
            is_new_task = operation.op == "create" and operation.type == "task"
            if not is_new_task or any(faults_of_refs(operation, self.made)):
                return index
        return len(operations)

    async def _create_tasks(self, operations: Sequence[Operation], start: int, end: int) -> None:
        row = operations[start:end]
        items = [TaskCreate.model_validate(resolve(operation, self.made)) for operation in row]
        pointers = [f"/{index}/data" for index in range(start, end)]
        tasks = await creation.create_many(self.session, self.actor, items, pointers=pointers)
        self.at_hand.add_made(tasks)
        for operation, task in zip(row, tasks, strict=True):
            self._note_made(operation, task)

    async def _do(self, operation: Operation) -> None:
        kind = KINDS[operation.type]
        verb = kind.verbs[operation.op]
        arguments: list[Any] = []
        if operation.op in kind.schemas:
            arguments.append(kind.schemas[operation.op].model_validate(resolve(operation, self.made)))
        if operation.op == "create":
            self._note_made(operation, await verb(self.session, self.actor, *arguments))
        else:
            thing_id = self._target(operation)
            more = {"at_hand": self.at_hand} if operation.type == "task" else {}
            thing = await verb(self.session, self.actor, thing_id, *arguments, **more)
            self.done.append(Done(operation, thing_id, thing))
        if operation.type == "label":
            self.at_hand.forget_labels()

    def _target(self, operation: Operation) -> int:
        if isinstance(operation.id, str):
            return self.made[operation.id[1:]].id
        # The checks let none through without.
        return cast("int", operation.id)

    def _note_made(self, operation: Operation, thing: Any) -> None:
        hold_made(self.session, [thing])
        if operation.ref is not None:
            self.made[operation.ref] = Made(operation.type, thing.id)
        self.done.append(Done(operation, thing.id, thing))
