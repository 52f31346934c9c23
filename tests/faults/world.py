"""What one person's workspace should hold, as plain dictionaries: the rules of the API once more, as simply as can be."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

DEEPEST = 5
FIELDS = ("title", "description", "status", "priority", "due")
VERBS = {"done": "task.completed", "open": "task.reopened", "cancelled": "task.cancelled"}

Place = tuple[int, int | None]
"""A project, and the task above."""
Done = tuple[str, str, int]
"""A verb, and what it was done to."""


class Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class Task:
    project_id: int
    parent_id: int | None
    title: str
    description: str = ""
    status: str = "open"
    priority: str = "none"
    due: dict[str, str | None] | None = None
    label_ids: set[int] = field(default_factory=set)
    group: int | None = None
    """In the trash: what went there together has the same."""

    @property
    def place(self) -> Place:
        return self.project_id, self.parent_id


@dataclass
class Label:
    name: str
    group: int | None = None
    taken_from: set[int] = field(default_factory=set)
    """The tasks that its deletion took it from."""


Thing = Task | Label


@dataclass
class World:
    """Things that were just made have ids below zero, until it is known what the server calls them."""

    inbox_id: int
    tasks: dict[int, Task] = field(default_factory=dict)
    labels: dict[int, Label] = field(default_factory=dict)
    order: dict[Place, list[int]] = field(default_factory=dict)
    """Of the living tasks."""
    floating: set[int] = field(default_factory=set)
    """Back from the trash, somewhere in the order: the keys of those in the trash are not modelled."""
    changes: list[Done] = field(default_factory=list)
    """By what was done last."""
    perhaps: list[Done] = field(default_factory=list)
    """A task moved to where it is may pass one in the trash, which is a change."""
    last_number: int = 0

    def next(self) -> "World":
        copied = deepcopy(self)
        copied.changes, copied.perhaps = [], []
        return copied

    def things(self, kind: str) -> Mapping[int, Thing]:
        return self.tasks if kind == "task" else self.labels

    def living(self, kind: str) -> list[int]:
        return [thing_id for thing_id, thing in self.things(kind).items() if thing.group is None]

    def in_trash(self, kind: str) -> list[int]:
        return [thing_id for thing_id, thing in self.things(kind).items() if thing.group is not None]

    def depth(self, task_id: int) -> int:
        depth, above = 0, self.tasks[task_id].parent_id
        while above is not None:
            depth, above = depth + 1, self.tasks[above].parent_id
        return depth

    def below(self, task_id: int) -> list[int]:
        """Parents first."""
        found = [task_id]
        for each in found:
            found += [other for other, task in self.tasks.items() if task.parent_id == each]
        return found[1:]

    def give_ids(self, made: Iterable[tuple[str, int]]) -> None:
        """What the server calls the things made, those of each kind in the order in which they were made."""
        theirs = list(made)
        task_ids, label_ids = (
            dict(zip(self._made(kind), [each for its_kind, each in theirs if its_kind == kind], strict=True))
            for kind in ("task", "label")
        )

        def task(task_id: int) -> int:
            return task_ids.get(task_id, task_id)

        self.tasks = {
            task(task_id): replace(
                each,
                parent_id=None if each.parent_id is None else task(each.parent_id),
                label_ids={label_ids.get(label_id, label_id) for label_id in each.label_ids},
            )
            for task_id, each in self.tasks.items()
        }
        self.labels = {
            label_ids.get(label_id, label_id): replace(each, taken_from=set(map(task, each.taken_from)))
            for label_id, each in self.labels.items()
        }
        self.order = {
            (project_id, None if parent_id is None else task(parent_id)): list(map(task, here))
            for (project_id, parent_id), here in self.order.items()
        }
        self.changes = [
            (verb, kind, (task_ids if kind == "task" else label_ids).get(thing_id, thing_id))
            for verb, kind, thing_id in self.changes
        ]
        self.perhaps = [(verb, kind, task(task_id)) for verb, kind, task_id in self.perhaps]

    def _made(self, kind: str) -> list[int]:
        return [thing_id for verb, _, thing_id in self.changes if verb == f"{kind}.created"]

    # --- tasks --------------------------------------------------------------------------------------------------------

    def create_task(self, fields: Mapping[str, Any]) -> int:
        project_id, parent_id = fields.get("project_id", self.inbox_id), fields.get("parent_id")
        if parent_id is not None:
            self._require_living(parent_id)
            if self.depth(parent_id) >= DEEPEST:
                raise Refused(422)
            project_id = self.tasks[parent_id].project_id
        label_ids = self._labels(fields.get("labels_add", ()))
        task = Task(project_id, parent_id, fields["title"], label_ids=label_ids)
        for name in FIELDS:
            setattr(task, name, fields.get(name, getattr(task, name)))
        task_id = self._number()
        self.tasks[task_id] = task
        self.order.setdefault(task.place, []).append(task_id)
        self._did("task.created", "task", task_id)
        return task_id

    def update_task(self, task_id: int, patch: Mapping[str, Any]) -> None:
        task = self.tasks[task_id]
        before = deepcopy(task)
        if patch.keys() & {"project_id", "parent_id"}:
            self._move(task_id, patch)
        if "label_ids" in patch:
            task.label_ids = self._labels(patch["label_ids"])
        task.label_ids = task.label_ids | self._labels(patch.get("labels_add", ()))
        task.label_ids -= self._known_labels(patch.get("labels_remove", ()))
        for name in FIELDS:
            setattr(task, name, patch.get(name, getattr(task, name)))
        if task != before:
            verb = VERBS[task.status] if task.status != before.status else "task.updated"
            self._did(verb, "task", task_id)

    def move_task(self, task_id: int, target: Mapping[str, Any]) -> None:
        place, order = self.tasks[task_id].place, deepcopy(self.order)
        self._move(task_id, target)
        if place != self.tasks[task_id].place or order != self.order:
            self._did("task.moved", "task", task_id)
        elif any(task.group is not None and task.place == place for task in self.tasks.values()):
            self.perhaps.append(("task.moved", "task", task_id))

    def delete_task(self, task_id: int) -> None:
        group = self._number()
        for each in (task_id, *self.below(task_id)):
            if self.tasks[each].group is None:
                self.tasks[each].group = group
                self._take_out(each)
                self._did("task.deleted", "task", each)

    def restore_task(self, task_id: int) -> None:
        group = self.tasks[task_id].group
        together = [each for each, task in self.tasks.items() if task.group == group]
        for each in sorted(together, key=self.depth):
            task = self.tasks[each]
            task.group = None
            if task.parent_id is not None and self.tasks[task.parent_id].group is not None:
                task.parent_id = None
            else:
                self.floating.add(each)
            self.order.setdefault(task.place, []).append(each)
            self._did("task.restored", "task", each)

    def _move(self, task_id: int, target: Mapping[str, Any]) -> None:
        task = self.tasks[task_id]
        anchor = target.get("after") or target.get("before")
        if anchor is not None:
            self._require_living(anchor)
        place = self._target(task, target, anchor)
        if place == task.place and anchor is None:
            return
        project_id, parent_id = place
        if parent_id is not None:
            height = max((self.depth(each) for each in self.below(task_id)), default=self.depth(task_id))
            height -= self.depth(task_id)
            if parent_id in {task_id, *self.below(task_id)} or self.depth(parent_id) + 1 + height > DEEPEST:
                raise Refused(422)
        here = [each for each in self.order.get(place, []) if each != task_id]
        if anchor is not None and anchor not in here:
            raise Refused(422)
        self._take_out(task_id)
        at = len(here) if anchor is None else here.index(anchor) + ("after" in target)
        self.order[place] = [*here[:at], task_id, *here[at:]]
        task.parent_id = parent_id
        for each in self.below(task_id):
            if self.tasks[each].project_id != project_id:
                self._change_project(each, project_id)
                self._did("task.moved", "task", each)
        task.project_id = project_id

    def _target(self, task: Task, target: Mapping[str, Any], anchor: int | None) -> Place:
        if target.get("parent_id") is not None:
            self._require_living(target["parent_id"])
            return self.tasks[target["parent_id"]].project_id, target["parent_id"]
        if "parent_id" in target:
            return task.project_id, None
        if target.get("project_id") not in {None, task.project_id}:
            return target["project_id"], None
        return task.place if anchor is None else self.tasks[anchor].place

    def _change_project(self, task_id: int, project_id: int) -> None:
        """With its parent, so that those beside it go along."""
        task = self.tasks[task_id]
        if here := self.order.pop(task.place, None):
            self.order[project_id, task.parent_id] = here
        task.project_id = project_id

    def _take_out(self, task_id: int) -> None:
        here = self.order.get(self.tasks[task_id].place, [])
        if task_id in here:
            here.remove(task_id)

    def _require_living(self, task_id: int) -> None:
        if task_id not in self.tasks or self.tasks[task_id].group is not None:
            raise Refused(422)

    # --- labels -------------------------------------------------------------------------------------------------------

    def create_label(self, name: str) -> int:
        self._require_free(name)
        label_id = self._number()
        self.labels[label_id] = Label(name)
        self._did("label.created", "label", label_id)
        return label_id

    def rename_label(self, label_id: int, name: str) -> None:
        self._require_free(name, label_id)
        if self.labels[label_id].name != name:
            self.labels[label_id].name = name
            self._did("label.updated", "label", label_id)

    def delete_label(self, label_id: int) -> None:
        label = self.labels[label_id]
        label.group = self._number()
        label.taken_from = {each for each, task in self.tasks.items() if label_id in task.label_ids}
        self._did("label.deleted", "label", label_id)
        for each in label.taken_from:
            self.tasks[each].label_ids.remove(label_id)
            self._did("task.updated", "task", each)

    def restore_label(self, label_id: int) -> None:
        label = self.labels[label_id]
        names = [label.name, *(f"{label.name} ({number})" for number in range(2, len(self.labels) + 2))]
        label.name = next(name for name in names if self._named(name) is None)
        label.group = None
        self._did("label.restored", "label", label_id)
        for each in label.taken_from:
            if label_id not in self.tasks[each].label_ids:
                self.tasks[each].label_ids.add(label_id)
                self._did("task.updated", "task", each)

    def _labels(self, wanted: Iterable[int | str]) -> set[int]:
        """A name that no label has makes one."""
        found = set()
        for each in wanted:
            if isinstance(each, str):
                named = self._named(each)
                found.add(self.create_label(each) if named is None else named)
            elif each in self.labels and self.labels[each].group is None:
                found.add(each)
            else:
                raise Refused(422)
        return found

    def _known_labels(self, wanted: Iterable[int | str]) -> set[int | None]:
        return {self._named(each) if isinstance(each, str) else each for each in wanted}

    def _named(self, name: str) -> int | None:
        for label_id in self.living("label"):
            if self.labels[label_id].name.lower() == name.lower():
                return label_id
        return None

    def _require_free(self, name: str, of: int | None = None) -> None:
        if self._named(name) not in {None, of}:
            raise Refused(409)

    # --- many at once -------------------------------------------------------------------------------------------------

    def create_tasks(self, items: Sequence[Mapping[str, Any]]) -> None:
        for item in items:
            # None can be below another of the same request.
            if not item["title"] or (item.get("parent_id") or 0) < 0:
                raise Refused(422)
        for item in items:
            self.create_task(item)

    def run_batch(self, operations: Sequence[Mapping[str, Any]], versions: Mapping[int, int]) -> None:
        """All of tasks."""
        if any(operation.get("data", {}).get("title") == "" for operation in operations):
            raise Refused(422)
        for operation in operations:
            task_id = operation.get("id")
            if isinstance(task_id, int):
                if task_id not in self.tasks or self.tasks[task_id].group is not None:
                    raise Refused(404)
                if operation.get("version") not in {None, versions[task_id]}:
                    raise Refused(412)
        made: dict[str, int] = {}
        for operation in operations:
            self._run(operation, made)

    def _run(self, operation: Mapping[str, Any], made: dict[str, int]) -> None:
        def named(value: Any) -> Any:
            return made[value[1:]] if isinstance(value, str) and value.startswith("$") else value

        fields = {name: named(value) for name, value in operation.get("data", {}).items()}
        if operation["op"] == "create":
            made[operation["ref"]] = self.create_task(fields)
            return
        task_id = named(operation["id"])
        if self.tasks[task_id].group is not None:
            raise Refused(404)
        verbs: dict[str, Callable[..., None]] = {"update": self.update_task, "move": self.move_task}
        if operation["op"] == "delete":
            self.delete_task(task_id)
        else:
            verbs[operation["op"]](task_id, fields)

    # --- undo ---------------------------------------------------------------------------------------------------------

    def go_back_to(self, then: "World") -> None:
        """What was is so again, and what was not yet there is in the trash."""
        before = deepcopy(self)
        for task_id, task in self.tasks.items():
            old = then.tasks.get(task_id)
            self.tasks[task_id] = replace(deepcopy(old) if old else task, group=task.group)
        for label_id, label in self.labels.items():
            if label_id in then.labels:
                label.name = then.labels[label_id].name
        self._regroup(then)
        self._take_along(then)
        self.order = deepcopy(then.order)
        self.floating = set()
        for label_id, label in self.labels.items():
            if before.labels[label_id].group is None and label.group is not None:
                label.taken_from = {
                    task_id
                    for task_id, task in self.tasks.items()
                    if label_id in before.tasks[task_id].label_ids - task.label_ids
                }
        if any(self.depth(task_id) > DEEPEST for task_id in self.tasks):
            raise Refused(409)

    def _regroup(self, then: "World") -> None:
        """What goes to the trash anew does so with what is above it."""
        for kind in ("task", "label"):
            old = then.things(kind)
            for thing_id, thing in self.things(kind).items():
                if thing_id in old and old[thing_id].group is None:
                    thing.group = None
        dying = [
            task_id
            for task_id in self.living("task")
            if task_id not in then.tasks or then.tasks[task_id].group
        ]
        for task_id in sorted(dying, key=self.depth):
            above = self.tasks[task_id].parent_id
            self.tasks[task_id].group = (
                self.tasks[above].group if above is not None and above in dying else self._number()
            )
        for label_id in self.living("label"):
            if label_id not in then.labels or then.labels[label_id].group is not None:
                self.labels[label_id].group = self._number()

    def _take_along(self, then: "World") -> None:
        """What came later is in the trash, and still is where its parent is, and without labels that are there too."""
        for task_id in sorted(self.tasks.keys() - then.tasks.keys(), key=self.depth):
            task = self.tasks[task_id]
            task.label_ids -= set(self.in_trash("label"))
            if task.parent_id is not None:
                task.project_id = self.tasks[task.parent_id].project_id

    # --- what was done ------------------------------------------------------------------------------------------------

    def differences(self, told: Sequence[Done]) -> Counter[Done]:
        """What was told and not done, and the other way round."""
        did, heard = Counter(self.changes), Counter(told)
        return (did - heard) + (heard - did - Counter(self.perhaps))

    def _did(self, verb: str, kind: str, thing_id: int) -> None:
        self.changes.append((verb, kind, thing_id))

    def _number(self) -> int:
        self.last_number -= 1
        return self.last_number
