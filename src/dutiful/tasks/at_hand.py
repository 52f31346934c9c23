"""What a batch knows of the tasks around those it changes, so that not every operation asks the database."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Self

from dutiful import ordering, positions
from dutiful.access import Actor, find_held
from dutiful.database.session import Writer
from dutiful.errors import invalid
from dutiful.labels import service as labels
from dutiful.models import Project, Section, Task
from dutiful.ordering import Gap
from dutiful.tasks import queries
from dutiful.tasks.place import Place
from dutiful.tasks.queries import ListName, list_name

# For fewer moves than this, a look at the neighbours of each is cheaper than reading whole lists.
WORTH_A_LIST = 10


class AtHand:
    """Read under the lock, and kept true by the verbs of tasks that are given it.

    The subtasks of all whose subtrees are wanted, the ancestors of all that are named as a place, and the order keys
    of the lists that tasks are moved in.
    """

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self._children: dict[int | None, dict[int, Task]] = defaultdict(dict)
        self._keys: dict[ListName, list[str]] = {}
        # The rows are written later, many at once, and in the order of their ids: the unique index must not meet a new
        # key while its old owner still has it there.
        self._left: dict[ListName, set[str]] = defaultdict(set)
        self._labels: dict[tuple[int, int | str], int] = {}
        self._labels_found: dict[tuple[int, tuple[int | str, ...]], set[int]] = {}
        self.members: set[tuple[int, int]] = set()
        self.knows_lists = False

    @classmethod
    async def load(
        cls,
        session: Writer,
        *,
        changed: Collection[int],
        moves: int,
        named: Mapping[str, Collection[int]],
    ) -> Self:
        """`changed`: the tasks to be moved or deleted. `named`: by its field, what operations on tasks name; all of it
        is held. A handful of statements, whatever the numbers."""
        self = cls()
        anchors = {*named["after"], *named["before"]}
        family = find_held(session, Task, {*changed, *anchors, *named["parent_id"]})
        self._add_family(await queries.all_above(session, [task.id for task in family]))
        self._add_family(await queries.all_below(session, changed))
        self.members = await queries.members(session, named["assignee_id"])
        self.knows_lists = moves >= WORTH_A_LIST
        if self.knows_lists:
            self._keys = await queries.order_keys(session, _places(session, named, anchors))
        return self

    def add_made(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self._add_family([task])
            keys = self._keys.get(list_name(Place.of(task)))
            if keys is not None:
                insort(keys, task.position)

    def forget_list(self, place: Place) -> None:
        """Somebody else put a task into it. Its keys are read again when they are needed."""
        self._keys.pop(list_name(place), None)
        self._left.pop(list_name(place), None)

    def below(self, task: Task) -> list[Task]:
        """All below `task`, parents first, those in the trash too."""
        ordered: list[Task] = []
        level = [task]
        while level := [child for parent in level for child in self._children_of(parent)]:
            ordered += level
        return ordered

    def depth(self, task_id: int) -> int:
        """How many tasks are above it."""
        depth, parent_id = 0, self._tasks[task_id].parent_id
        while parent_id is not None:
            depth, parent_id = depth + 1, self._tasks[parent_id].parent_id
        return depth

    def knows(self, task_id: int) -> bool:
        return task_id in self._tasks

    def note_parent(self, task: Task, parent_id: int | None) -> None:
        """That `task` is going to be below `parent_id`."""
        self._children[task.parent_id].pop(task.id, None)
        self._children[parent_id][task.id] = task

    async def put_in_list(
        self,
        session: Writer,
        actor: Actor,
        task: Task,
        place: Place,
        *,
        after: int | None = None,
        before: int | None = None,
    ) -> None:
        """What `ordering.place` does, without a look into the database for each task."""
        keys = await self._keys_of(session, place)
        name = list_name(place)
        stays = list_name(Place.of(task)) == name
        own = task.position if stays else None
        gap = await _gap(session, task, keys, own, place, after=after, before=before)
        if _fits(task.position, gap) and (stays or task.position not in self._left[name]):
            key = task.position
        else:
            key = self._free_key(name, gap)
        self._leave(task)
        if len(key) <= positions.LONG:
            task.position = key
            insort(keys, key)
            return
        # All keys of the list are going to be new ones.
        del self._keys[name], self._left[name]
        await session.flush()
        await ordering.place(session, actor, task, queries.siblings(place), after=after, before=before)

    async def resolve_labels(
        self, session: Writer, actor: Actor, workspace_id: int, wanted: Sequence[int | str]
    ) -> dict[int | str, int]:
        """What `labels.resolve` does; what was wanted before is not looked up again."""
        unknown = [one for one in wanted if (workspace_id, one) not in self._labels]
        if unknown:
            found = await labels.resolve(session, actor, workspace_id, unknown)
            self._labels |= {(workspace_id, one): label_id for one, label_id in found.items()}
            self._labels_found.clear()
        known = ((one, self._labels.get((workspace_id, one))) for one in wanted)
        return {one: label_id for one, label_id in known if label_id is not None}

    async def find_labels(self, session: Writer, workspace_id: int, wanted: Sequence[int | str]) -> set[int]:
        """What `labels.find` does, once for the same labels."""
        key = (workspace_id, tuple(wanted))
        if key not in self._labels_found:
            self._labels_found[key] = await labels.find(session, workspace_id, wanted)
        return self._labels_found[key]

    def forget_labels(self) -> None:
        """One was made, renamed or deleted."""
        self._labels.clear()
        self._labels_found.clear()

    def _add_family(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self._tasks[task.id] = task
            self._children[task.parent_id][task.id] = task

    def _children_of(self, task: Task) -> list[Task]:
        children = self._children.get(task.id)
        return [children[child_id] for child_id in sorted(children)] if children else []

    async def _keys_of(self, session: Writer, place: Place) -> list[str]:
        if list_name(place) not in self._keys:
            self._keys |= await queries.order_keys(session, [place])
        return self._keys[list_name(place)]

    def _free_key(self, name: ListName, gap: Gap) -> str:
        key = positions.between(*gap)
        while key in self._left[name]:
            key = positions.between(key, gap[1])
        return key

    def _leave(self, task: Task) -> None:
        """Takes the key of `task` out of the list it is in, if that was read."""
        name = list_name(Place.of(task))
        if name in self._keys:
            self._keys[name].remove(task.position)
            self._left[name].add(task.position)


def _places(session: Writer, named: Mapping[str, Collection[int]], anchors: Collection[int]) -> list[Place]:
    """Those whose lists the operations are likely to need; others are read when they are needed."""
    return [
        *(Place.of(anchor) for anchor in find_held(session, Task, anchors)),
        *(
            Place(task.project_id, task.section_id, task.id)
            for task in find_held(session, Task, named["parent_id"])
        ),
        *(
            Place(section.project_id, section.id)
            for section in find_held(session, Section, named["section_id"])
        ),
        *(Place(project.id) for project in find_held(session, Project, named["project_id"])),
    ]


async def _gap(
    session: Writer,
    task: Task,
    keys: Sequence[str],
    own: str | None,
    place: Place,
    *,
    after: int | None,
    before: int | None,
) -> Gap:
    """Between which of `keys` the task goes; `own` is its key if it is in the list already, and does not count."""
    if after is not None:
        key = await _key_of(session, task, after, place, "/after")
        return key, _next(keys, bisect_right(keys, key), own, 1)
    if before is not None:
        key = await _key_of(session, task, before, place, "/before")
        return _next(keys, bisect_left(keys, key) - 1, own, -1), key
    return _next(keys, len(keys) - 1, own, -1), None


async def _key_of(session: Writer, task: Task, anchor_id: int, place: Place, pointer: str) -> str:
    anchor = await session.get(Task, anchor_id)
    is_there = anchor is not None and anchor.deleted_at is None and Place.of(anchor) == place
    if anchor is None or anchor is task or not is_there:
        raise invalid(pointer, "names no other task of this list", "not_found")
    return anchor.position


def _next(keys: Sequence[str], index: int, own: str | None, step: int) -> str | None:
    """The key at `index`, or the next in the direction of `step` if that is `own`; None behind the last."""
    if 0 <= index < len(keys) and keys[index] == own:
        index += step
    return keys[index] if 0 <= index < len(keys) else None


def _fits(key: str, gap: Gap) -> bool:
    low, high = gap
    return (low is None or low < key) and (high is None or key < high)
