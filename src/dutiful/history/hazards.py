"""What would not be sound any more once changes are taken back: told before anything is written."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from dutiful.access import Actor
from dutiful.changes import journal
from dutiful.database.session import Writer
from dutiful.errors import Conflict
from dutiful.history import queries
from dutiful.history.effects import Key, Thing, name_of
from dutiful.models import Label, Project, Section, Status, Task
from dutiful.tasks import queries as task_queries
from dutiful.tasks.place import Place


@dataclass(frozen=True, slots=True)
class Was:
    """What matters of a thing as it was before the undo."""

    deleted_at: datetime | None
    name: str
    place: Place | None = None
    label_ids: frozenset[int] = frozenset()
    assignee_id: int | None = None
    is_done: bool = False
    next_id: int | None = None

    @classmethod
    def of(cls, thing: Thing) -> Self:
        if isinstance(thing, Task):
            labels = frozenset(thing.label_ids)
            is_done, next_id = thing.status is Status.DONE, _next_id(thing)
            return cls(
                thing.deleted_at,
                thing.title,
                Place.of(thing),
                labels,
                thing.assignee_id,
                is_done,
                next_id,
            )
        return cls(thing.deleted_at, thing.name)

    @property
    def is_alive(self) -> bool:
        return self.deleted_at is None


@dataclass
class Undoing:
    """The things of an undo with what they were, while they are already as they shall be; nothing is written yet."""

    session: Writer
    actor: Actor
    workspace_ids: Collection[int]
    things: Mapping[Key, Thing]
    was: Mapping[Thing, Was]
    others: dict[Key, Thing] = field(default_factory=dict)
    """What is changed along with them."""

    def of(self, kind: type[Any]) -> list[Any]:
        return [thing for thing in self.things.values() if isinstance(thing, kind)]

    def trashed(self, kind: type[Any] = object) -> list[Any]:
        """Those that go to the trash."""
        return [one for one in self.of(kind) if one.deleted_at is not None and self.was[one].is_alive]

    def restored(self, kind: type[Any] = object) -> list[Any]:
        return [one for one in self.of(kind) if one.deleted_at is None and not self.was[one].is_alive]

    def newly_trashed(self) -> list[Thing]:
        """The same, with those that were in the trash and come back to it."""
        things = self.things.values()
        return [one for one in things if one.deleted_at not in {None, self.was[one].deleted_at}]

    def named_anew(self) -> list[Thing]:
        """Those that need a name which they did not have among the living."""
        return [
            one
            for one in self.things.values()
            if one.deleted_at is None and (not self.was[one].is_alive or name_of(one) != self.was[one].name)
        ]

    def moved(self) -> list[Task]:
        return [task for task in self.of(Task) if Place.of(task) != self.was[task].place]


async def check(undoing: Undoing) -> None:
    """Raises `Conflict` with a sentence that says what to do. Takes along what must go along: subtasks of what moves,
    labels off what is in the trash."""
    await _check_inboxes(undoing)
    await _check_family(undoing)
    await _check_containers(undoing)
    await _check_left_behind(undoing)
    await _check_labels(undoing)
    await _check_assignees(undoing)
    await _check_series(undoing)


async def _check_inboxes(undoing: Undoing) -> None:
    ids = [project.id for project in undoing.trashed(Project)]
    if await queries.inboxes_among(undoing.session, ids):
        raise Conflict("The Inbox cannot be deleted: it is where new tasks land.", code="inbox")


# --- subtasks ---------------------------------------------------------------------------------------------------------


async def _check_family(undoing: Undoing) -> None:
    """Subtasks are where their parent is, no deeper than may be, and never above themselves."""
    moved = undoing.moved()
    if not moved:
        return
    session = undoing.session
    below = await task_queries.all_below(session, [task.id for task in moved])
    above = await task_queries.all_above(session, [task.parent_id for task in moved if task.parent_id])
    known = {task.id: task for task in (*undoing.of(Task), *above, *below)}
    depths = {task: _depth(task, known) for task in {*moved, *below}}
    for task in sorted(depths, key=lambda each: depths[each]):
        parent = known.get(task.parent_id or 0)
        if parent is None or (task.project_id, task.section_id) == (parent.project_id, parent.section_id):
            continue
        if (task.entity, task.id) in undoing.things:
            raise Conflict(
                f"“{task.title}” belongs to “{parent.title}”, which is elsewhere now. Take back the whole request, or "
                "move it by hand.",
                code="moved",
            )
        _follow(undoing, task, parent)


def _depth(task: Task, known: Mapping[int, Task]) -> int:
    depth, above = 0, known.get(task.parent_id or 0)
    while above is not None:
        depth, above = depth + 1, known.get(above.parent_id or 0)
        if depth > task_queries.DEEPEST:
            raise Conflict(
                f"“{task.title}” would be below itself, or more than {task_queries.DEEPEST} levels deep: tasks around it "
                "were moved since. Move it by hand.",
                code="too_deep",
            )
    return depth


def _follow(undoing: Undoing, task: Task, parent: Task) -> None:
    before = task.state()
    task.project_id, task.section_id = parent.project_id, parent.section_id
    journal.record(undoing.session, undoing.actor, "task.moved", task, before)
    undoing.others[task.entity, task.id] = task


# --- what holds, and what is held -------------------------------------------------------------------------------------


async def _check_containers(undoing: Undoing) -> None:
    """What lives is in what lives, and what is in the trash in what still exists."""
    tasks: set[Task] = {*undoing.moved(), *undoing.restored(Task)}
    sections = undoing.restored(Section)
    projects = await _load(undoing, Project, {thing.project_id for thing in (*tasks, *sections)})
    their_sections = await _load(undoing, Section, {task.section_id for task in tasks})
    parents = await _load(undoing, Task, {task.parent_id for task in tasks})
    for thing in (*sections, *tasks):
        _check_holder(thing, "project", projects.get(thing.project_id))
    for task in tasks:
        if task.section_id is not None:
            _check_holder(task, "section", their_sections.get(task.section_id))
        if task.parent_id is not None:
            _check_holder(task, "parent", parents.get(task.parent_id))


async def _load(undoing: Undoing, model: type[Any], ids: Iterable[int | None]) -> dict[int, Any]:
    wanted = [one for one in ids if one is not None]
    return await queries.by_id(undoing.session, model, wanted, undoing.workspace_ids)


def _check_holder(thing: Section | Task, role: str, holder: Thing | None) -> None:
    name, entity = name_of(thing), thing.entity
    if holder is None:
        raise Conflict(
            f"The {role} of the {entity} “{name}” was deleted for good, so it cannot be put back.",
            code="gone",
        )
    if thing.deleted_at is None and holder.deleted_at is not None:
        raise Conflict(
            f"The {role} of the {entity} “{name}”, “{name_of(holder)}”, is in the trash. Restore that first, or take "
            "back the whole request.",
            code="in_trash",
        )


async def _check_left_behind(undoing: Undoing) -> None:
    """Nothing that lives stays in what goes to the trash: others may have put it there."""
    projects = {project.id for project in undoing.trashed(Project)}
    sections = {section.id for section in undoing.trashed(Section)}
    parents = {task.id for task in undoing.trashed(Task)}
    left = {
        ("task", task_id)
        for task_id in await queries.living_tasks_in(undoing.session, projects, sections, parents)
        if _is_inside(undoing, task_id, projects, sections, parents)
    }
    for section_id in await queries.living_sections_in(undoing.session, projects):
        section = undoing.things.get(("section", section_id))
        if section is None or section.deleted_at is None:
            left.add(("section", section_id))
    if left:
        await _refuse_to_leave(undoing, left)


def _is_inside(
    undoing: Undoing, task_id: int, projects: set[int], sections: set[int], parents: set[int]
) -> bool:
    key = ("task", task_id)
    task: Any = undoing.things.get(key) or undoing.others.get(key)
    if task is None:
        return True
    is_in = task.project_id in projects or task.section_id in sections or task.parent_id in parents
    return task.deleted_at is None and is_in


async def _refuse_to_leave(undoing: Undoing, left: set[Key]) -> None:
    found = await queries.things(undoing.session, left, undoing.workspace_ids)
    shown = listed([name_of(thing) for thing in found.values()])
    raise Conflict(
        f"What would go to the trash holds what came there otherwise: {shown}. Move or delete it first; if the same "
        "request made it, take back the whole request.",
        code="not_empty",
        changes=await queries.latest_changes(
            undoing.session, {(thing.workspace_id, thing.entity, thing.id) for thing in found.values()}
        ),
    )


def listed(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


# --- labels and people ------------------------------------------------------------------------------------------------


async def _check_labels(undoing: Undoing) -> None:
    """Whatever has a label has one that lives."""
    wanted: dict[int, Task] = {}
    for task in undoing.of(Task):
        wanted |= dict.fromkeys({*task.label_ids} - undoing.was[task].label_ids, task)
    labels = await _load(undoing, Label, wanted)
    for label_id, task in wanted.items():
        label = labels.get(label_id)
        if label is None or label.deleted_at is not None:
            raise _no_label(task, label)
    await _take_labels_off(undoing, {label.id: label for label in undoing.trashed(Label)})


def _no_label(task: Task, label: Label | None) -> Conflict:
    if label is None:
        return Conflict(f"A label that “{task.title}” had was deleted for good.", code="gone")
    return Conflict(
        f"The label “{label.name}” of “{task.title}” is in the trash. Restore that first, or take back the whole "
        "request.",
        code="in_trash",
    )


async def _take_labels_off(undoing: Undoing, labels: Mapping[int, Label]) -> None:
    """Off tasks in the trash; living ones that have them were labelled by others."""
    if not labels:
        return
    found = await queries.tasks_with_labels(undoing.session, labels, undoing.workspace_ids)
    tasks = [task for task in {*found, *undoing.of(Task)} if labels.keys() & set(task.label_ids)]
    living = [task for task in tasks if task.deleted_at is None]
    if living:
        names = listed(sorted(labels[label_id].name for label_id in labels))
        raise Conflict(
            f"The label {names} is on tasks that others put it on: {listed([task.title for task in living])}. Take it "
            "off them, or delete it.",
            code="not_empty",
            changes=await queries.latest_changes(
                undoing.session, {(task.workspace_id, task.entity, task.id) for task in living}
            ),
        )
    for task in sorted(tasks, key=lambda each: each.id):
        before = task.state()
        task.label_ids = [label_id for label_id in task.label_ids if label_id not in labels]
        journal.record(undoing.session, undoing.actor, "task.updated", task, before)


async def _check_assignees(undoing: Undoing) -> None:
    tasks = [
        task
        for task in undoing.of(Task)
        if task.assignee_id is not None and task.assignee_id != undoing.was[task].assignee_id
    ]
    members = await task_queries.members(undoing.session, {task.assignee_id for task in tasks})
    for task in tasks:
        if (task.workspace_id, task.assignee_id) not in members:
            raise Conflict(
                f"Whoever “{task.title}” was assigned to is no member of the workspace any more. Assign it by hand.",
                code="not_a_member",
            )


# --- series -----------------------------------------------------------------------------------------------------------


async def _check_series(undoing: Undoing) -> None:
    """A task that is done has its next, and one that is not has none that came of it."""
    changed = [task for task in undoing.of(Task) if _next_id(task) != undoing.was[task].next_id]
    nexts = await _load(
        undoing, Task, {one for task in changed for one in (_next_id(task), undoing.was[task].next_id)}
    )
    living = {task.id for task in nexts.values() if task.deleted_at is None}
    for task in changed:
        was, next_id = undoing.was[task], _next_id(task)
        is_done_anew = task.status is Status.DONE and not was.is_done
        if was.next_id in living or (is_done_anew and next_id is not None and next_id not in living):
            those = {(one.workspace_id, one.entity, one.id) for one in nexts.values()}
            raise Conflict(
                f"“{task.title}” repeats, and the next of its series would not go along. Take back the whole request.",
                code="series",
                changes=await queries.latest_changes(undoing.session, those),
            )


def _next_id(task: Task) -> int | None:
    """The task that was made when this one was done."""
    return (task.recurrence or {}).get("next_id")
