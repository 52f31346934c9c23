"""Every write of tasks but their making, which is in `creation`."""

from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select

from dutiful import clock, trash
from dutiful.access import Actor, get_for_write
from dutiful.changes import journal
from dutiful.database.session import Writer
from dutiful.database.types import JsonObject
from dutiful.errors import Fault, Invalid, invalid
from dutiful.models import Member, Status, Task, When
from dutiful.tasks import labelling, moving, repeating
from dutiful.tasks.at_hand import AtHand
from dutiful.tasks.schemas import TaskMove, TaskPatch
from dutiful.versions import ANY, Expected
from dutiful.vocabulary import WhenFields, WhenPatch

VERBS = {Status.DONE: "task.completed", Status.OPEN: "task.reopened", Status.CANCELLED: "task.cancelled"}
PLACE_FIELDS = {"project_id", "section_id", "parent_id"}
LABEL_FIELDS = {"label_ids", "labels_add", "labels_remove"}


async def update(
    session: Writer,
    actor: Actor,
    task_id: int,
    patch: TaskPatch,
    expected: Expected = ANY,
    *,
    completed_at: datetime | None = None,
    at_hand: AtHand | None = None,
) -> Task:
    """`completed_at` is for an import that knows when; otherwise completing means now. `at_hand` is for a batch."""
    task = await get_for_write(session, actor, Task, task_id)
    expected.check(task)
    before = task.state()
    sent = patch.model_fields_set
    if sent & PLACE_FIELDS:
        place = {name: getattr(patch, name) for name in sent & PLACE_FIELDS}
        await moving.move(session, actor, task, TaskMove(**place), at_hand)
    if sent & LABEL_FIELDS:
        await labelling.apply(session, actor, task, patch, at_hand)
    if patch.assignee_id is not None:
        await _check_is_member(session, task, patch.assignee_id, at_hand)
    apply(task, patch)
    if completed_at is not None and task.status is Status.DONE:
        task.completed_at = completed_at
    await repeating.change(session, task, patch, before, actor.timezone)
    await repeating.go_on(session, actor, task, before, at_hand)
    journal.record(session, actor, verb_of(task, before), task, before)
    return task


async def move(
    session: Writer,
    actor: Actor,
    task_id: int,
    target: TaskMove,
    expected: Expected = ANY,
    *,
    at_hand: AtHand | None = None,
) -> Task:
    task = await get_for_write(session, actor, Task, task_id)
    expected.check(task)
    before = task.state()
    await moving.move(session, actor, task, target, at_hand)
    journal.record(session, actor, "task.moved", task, before)
    return task


async def skip(session: Writer, actor: Actor, task_id: int, expected: Expected = ANY) -> Task:
    """Puts a task that repeats off to the next date of its series."""
    task = await get_for_write(session, actor, Task, task_id)
    expected.check(task)
    before = task.state()
    await repeating.skip(session, actor, task)
    journal.record(session, actor, "task.updated", task, before)
    return task


async def delete(
    session: Writer,
    actor: Actor,
    task_id: int,
    expected: Expected = ANY,
    *,
    at_hand: AtHand | None = None,
) -> None:
    """To the trash, with its subtasks, as one group."""
    task = await get_for_write(session, actor, Task, task_id)
    expected.check(task)
    below = await moving.subtasks(session, task, at_hand)
    # What went to the trash before stays in its own group.
    trash.discard(session, actor, [task, *(one for one in below if one.deleted_at is None)])


async def restore(session: Writer, actor: Actor, task_id: int, expected: Expected = ANY) -> Task:
    """Out of the trash, with all that went there with it."""
    task = await get_for_write(session, actor, Task, task_id, deleted=True)
    expected.check(task)
    group = (
        await session.scalars(select(Task).where(Task.trash_id == task.trash_id).order_by(Task.id))
    ).all()
    await moving.bring_back(session, actor, task, group)
    return task


def verb_of(task: Task, before: JsonObject) -> str:
    """What became of it since it was in the state `before`."""
    return VERBS[task.status] if task.status != before["status"] else "task.updated"


def apply(task: Task, patch: TaskPatch) -> None:
    """The fields that need no look at anything else."""
    for name in patch.model_fields_set & {"title", "description", "priority", "assignee_id"}:
        setattr(task, name, getattr(patch, name))
    for name in patch.model_fields_set & {"due", "start"}:
        setattr(task, name, _merged(getattr(task, name), getattr(patch, name), f"/{name}"))
    if patch.status is not None:
        task.set_status(patch.status, clock.now())


def _merged(current: When | None, patch: WhenPatch | None, pointer: str) -> When | None:
    if patch is None:
        return None
    merged: dict[str, Any] = patch.merged(current)
    if merged["date"] is None:
        raise invalid(f"{pointer}/date", "is needed: the task has no date yet")
    try:
        return WhenFields(**merged).when()
    except ValidationError as error:
        faults = [Fault(pointer, fault["msg"].removeprefix("Value error, ")) for fault in error.errors()]
        raise Invalid("The request has values that cannot be used.", *faults) from error


async def _check_is_member(session: Writer, task: Task, user_id: int, at_hand: AtHand | None) -> None:
    if at_hand is not None and (task.workspace_id, user_id) in at_hand.members:
        return
    member = select(Member.id).where(Member.workspace_id == task.workspace_id, Member.user_id == user_id)
    if await session.scalar(member) is None:
        raise invalid("/assignee_id", "is not a member of the workspace")
