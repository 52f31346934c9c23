"""Putting a task somewhere else, with all below it."""

from collections.abc import Sequence
from typing import TypeVar

from dutiful import ordering
from dutiful.access import Actor
from dutiful.changes import journal
from dutiful.database.session import Writer
from dutiful.errors import Conflict, invalid
from dutiful.models import Project, Section, Task
from dutiful.tasks import queries
from dutiful.tasks.at_hand import AtHand
from dutiful.tasks.place import Place
from dutiful.tasks.schemas import TaskMove

Thing = TypeVar("Thing", Project, Section, Task)


async def move(
    session: Writer, actor: Actor, task: Task, target: TaskMove, at_hand: AtHand | None = None
) -> None:
    """Changes `task`, and records what became of its subtasks; the caller records the task itself."""
    anchor = await _anchor(session, task, target)
    place = await _target_place(session, task, target, anchor)
    _check_agreement(target, place)
    if place == Place.of(task) and anchor is None:
        return
    below = await subtasks(session, task, at_hand)
    await _check_parent(session, task, place, below, at_hand)
    await put(session, actor, task, place, below, after=target.after, before=target.before, at_hand=at_hand)


async def subtasks(session: Writer, task: Task, at_hand: AtHand | None) -> Sequence[Task]:
    """All below `task`, parents first, those in the trash too."""
    return await queries.descendants(session, task) if at_hand is None else at_hand.below(task)


async def put(
    session: Writer,
    actor: Actor,
    task: Task,
    place: Place,
    below: Sequence[Task],
    *,
    after: int | None = None,
    before: int | None = None,
    at_hand: AtHand | None = None,
) -> None:
    """Puts `task` at `place`, by default at its end, and those `below` it into its project and section."""
    # The key first: with its old one the task might meet another in the new place.
    if at_hand is not None and at_hand.knows_lists:
        await at_hand.put_in_list(session, actor, task, place, after=after, before=before)
    else:
        # It reads without writing first: whatever this transaction moved before must be there.
        await session.flush()
        await ordering.place(session, actor, task, queries.siblings(place), after=after, before=before)
    if at_hand is not None:
        at_hand.note_parent(task, place.parent_id)
    task.project_id, task.section_id, task.parent_id = place.project_id, place.section_id, place.parent_id
    for one in below:
        state = one.state()
        one.project_id, one.section_id = place.project_id, place.section_id
        journal.record(session, actor, "task.moved", one, state)


async def _anchor(session: Writer, task: Task, target: TaskMove) -> Task | None:
    for name in ("after", "before"):
        wanted = getattr(target, name)
        if wanted is not None:
            anchor = await _find(session, Task, task.workspace_id, wanted)
            if anchor is None:
                raise invalid(f"/{name}", "names no task of this workspace", "not_found")
            return anchor
    return None


async def _target_place(session: Writer, task: Task, target: TaskMove, anchor: Task | None) -> Place:
    """What is sent says where to; if nothing but a neighbour is, its place is meant."""
    sent = target.model_fields_set
    if target.parent_id is not None:
        return await _below_parent(session, task, target)
    if target.section_id is not None:
        return await _in_section(session, task, target)
    if target.project_id is not None and target.project_id != task.project_id:
        await _check_project(session, task, target.project_id)
        return Place(target.project_id)
    if sent & {"section_id", "parent_id"}:
        section_id = None if "section_id" in sent else task.section_id
        parent_id = None if "parent_id" in sent or section_id != task.section_id else task.parent_id
        return Place(task.project_id, section_id, parent_id)
    return Place.of(task if anchor is None else anchor)


def _check_agreement(target: TaskMove, place: Place) -> None:
    """What was named must be where it ends up, whichever of the things named said where that is."""
    for name in ("project_id", "section_id", "parent_id"):
        if name in target.model_fields_set and getattr(target, name) != getattr(place, name):
            raise invalid(f"/{name}", "does not go with the other things named")


async def _below_parent(session: Writer, task: Task, target: TaskMove) -> Place:
    parent = await _find(session, Task, task.workspace_id, target.parent_id)
    if parent is None:
        raise invalid("/parent_id", "names no task of this workspace", "not_found")
    return Place(parent.project_id, parent.section_id, parent.id)


async def _in_section(session: Writer, task: Task, target: TaskMove) -> Place:
    section = await _find(session, Section, task.workspace_id, target.section_id)
    if section is None:
        raise invalid("/section_id", "names no section of this workspace", "not_found")
    stays_below = task.section_id == section.id and "parent_id" not in target.model_fields_set
    return Place(section.project_id, section.id, task.parent_id if stays_below else None)


async def _check_project(session: Writer, task: Task, project_id: int) -> None:
    if await _find(session, Project, task.workspace_id, project_id) is None:
        raise invalid("/project_id", "names no project of this task's workspace", "not_found")


async def _check_parent(
    session: Writer, task: Task, place: Place, below: Sequence[Task], at_hand: AtHand | None
) -> None:
    if place.parent_id is None:
        return
    if place.parent_id in {task.id, *(one.id for one in below)}:
        raise invalid("/parent_id", "is the task itself or one of its subtasks")
    depth = await _depth(session, place.parent_id, at_hand)
    if depth + 1 + _height(task, below) > queries.DEEPEST:
        raise invalid("/parent_id", f"is too deep: subtasks nest up to {queries.DEEPEST} levels")


async def _depth(session: Writer, task_id: int, at_hand: AtHand | None) -> int:
    if at_hand is not None and at_hand.knows(task_id):
        return at_hand.depth(task_id)
    return (await queries.depths(session, [task_id]))[task_id]


def _height(task: Task, below: Sequence[Task]) -> int:
    """How many levels there are below `task`; `below` has parents first."""
    heights = {task.id: 0}
    for one in below:
        heights[one.id] = heights[one.parent_id or task.id] + 1
    return max(heights.values())


async def bring_back(session: Writer, actor: Actor, task: Task, group: Sequence[Task]) -> None:
    """Takes a group out of the trash. Each comes back where it was, as far as that still is there."""
    waiting = {one.id: one for one in group}
    while waiting:
        # Parents before their children, so that these find them alive.
        ready = [one for one in waiting.values() if one.parent_id not in waiting]
        for one in ready:
            await _bring_back_one(session, actor, waiting.pop(one.id))


async def _bring_back_one(session: Writer, actor: Actor, task: Task) -> None:
    before = task.state()
    place = await _living_place(session, task)
    task.untrash()
    if place != Place.of(task):
        await put(session, actor, task, place, await queries.descendants(session, task))
    journal.record(session, actor, "task.restored", task, before)


async def _living_place(session: Writer, task: Task) -> Place:
    if task.parent_id is not None:
        parent = await _find(session, Task, task.workspace_id, task.parent_id)
        if parent is not None:
            return Place(parent.project_id, parent.section_id, parent.id)
    if await _find(session, Project, task.workspace_id, task.project_id) is None:
        raise Conflict(
            "The project of this task is in the trash. Restore the project first.", code="in_trash"
        )
    section = await _find(session, Section, task.workspace_id, task.section_id)
    return Place(task.project_id, None if section is None else section.id)


async def _find(session: Writer, thing: type[Thing], workspace_id: int, thing_id: int | None) -> Thing | None:
    """The living one of this id in this workspace, from the session's identity map if it was read before."""
    found = None if thing_id is None else await session.get(thing, thing_id)
    is_here = found is not None and found.workspace_id == workspace_id and found.deleted_at is None
    return found if is_here else None
