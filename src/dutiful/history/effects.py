"""What of the past still holds, and what stands in the way of taking back the rest. No I/O."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from dutiful.history.schemas import DoneOut
from dutiful.models import Change, Label, Project, Section, Task

Thing = Project | Section | Label | Task
Key = tuple[str, int]
"""Names a thing: its entity and its id."""

EXISTENCE = "deleted_at"
PLACE_FIELDS = ("project_id", "section_id", "parent_id")
Touched = set[str | tuple[str, int]]

_UNDOABLE = re.compile(
    r"(project|section|label|task)\.(created|updated|moved|completed|reopened|cancelled|deleted|restored)"
)


def is_undoable(verb: str) -> bool:
    return _UNDOABLE.fullmatch(verb) is not None


def key_of(change: Change) -> Key:
    return change.entity, change.entity_id


def name_of(thing: Thing) -> str:
    return thing.title if isinstance(thing, Task) else thing.name


def undone_seqs(undos: Iterable[tuple[int, int | None]]) -> set[int]:
    """The seqs of the changes that were taken back, from `seq` and `undo_of` of every change of a workspace that may
    have taken back another.

    From the latest on: what was taken back itself takes nothing back.
    """
    undone: set[int] = set()
    for seq, undo_of in sorted(undos, reverse=True):
        if undo_of is not None and seq not in undone:
            undone.add(undo_of)
    return undone


def in_the_way(change: Change, later: Sequence[Change], undone: set[int]) -> Iterator[Change]:
    """Those of `later`, which are changes of the same thing, that `change` cannot be taken back from below.

    A change and the one that took it back are as if they had never been, if both came after it.
    """
    for other in later:
        is_over = other.seq in undone or (other.undo_of is not None and other.undo_of > change.seq)
        if other.seq > change.seq and not is_over and _collide(change, other):
            yield other


def _collide(change: Change, later: Change) -> bool:
    if later.after is None or EXISTENCE in later.after:
        return True
    if change.before is None:
        # Somebody worked on what would go to the trash; that it got another place in its list is no work on it.
        return later.after.keys() != {"position"}
    return bool(_touched(change) & _touched(later))


def _touched(change: Change) -> Touched:
    """The fields that changed; of a task's labels each counts for itself, as two people may both add some. Those that
    say where a task is belong together: a section is of one project alone."""
    before, after = change.before or {}, change.after or {}
    fields: Touched = {name for name in after if name != "label_ids"}
    labels = set(before.get("label_ids", ())) ^ set(after.get("label_ids", ()))
    if not fields.isdisjoint(PLACE_FIELDS):
        fields.update(PLACE_FIELDS)
    return fields | {("label", label_id) for label_id in labels}


def summary(done: Iterable[tuple[str, str | None]]) -> list[DoneOut]:
    """Pairs of verb and name, in short."""
    counts: Counter[str] = Counter()
    names: dict[str, str | None] = {}
    for verb, name in done:
        counts[verb] += 1
        names.setdefault(verb, name)
    return [DoneOut(verb=verb, count=count, name=names[verb]) for verb, count in counts.items()]


def by_thing(changes: Iterable[Change]) -> dict[Key, list[Change]]:
    found: dict[Key, list[Change]] = defaultdict(list)
    for change in changes:
        found[key_of(change)].append(change)
    return found
