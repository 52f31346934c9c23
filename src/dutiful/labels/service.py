"""Every write of labels."""

from collections.abc import Iterable, Sequence

from dutiful import trash
from dutiful.access import Actor, get_for_write, lock_workspace
from dutiful.changes import journal
from dutiful.database.failures import flush
from dutiful.database.session import Writer
from dutiful.errors import named_by
from dutiful.labels import queries
from dutiful.labels.queries import GivenName
from dutiful.labels.schemas import LabelCreate, LabelPatch
from dutiful.models import Label, Task
from dutiful.versions import ANY, Expected


async def create(session: Writer, actor: Actor, data: LabelCreate) -> Label:
    workspace_id = data.workspace_id or actor.personal_workspace_id
    with named_by("/workspace_id"):
        await lock_workspace(session, actor, workspace_id)
    label = Label(workspace_id=workspace_id, name=data.name, color=data.color, created_by=actor.user_id)
    await _add(session, actor, [label])
    return label


async def update(
    session: Writer, actor: Actor, label_id: int, patch: LabelPatch, expected: Expected = ANY
) -> Label:
    label = await get_for_write(session, actor, Label, label_id)
    expected.check(label)
    before = label.state()
    for field, value in patch.sent().items():
        setattr(label, field, value)
    journal.record(session, actor, "label.updated", label, before)
    await flush(session)
    return label


async def delete(session: Writer, actor: Actor, label_id: int, expected: Expected = ANY) -> None:
    """To the trash, and off every task."""
    label = await get_for_write(session, actor, Label, label_id)
    expected.check(label)
    tasks = await queries.tasks_with(session, label)
    # Its own change comes first: `queries.tasks_it_was_on` relies on that.
    trash.discard(session, actor, [label])
    for task in tasks:
        _set_labels(session, actor, task, {*task.label_ids} - {label.id})
    await flush(session)


async def restore(session: Writer, actor: Actor, label_id: int, expected: Expected = ANY) -> Label:
    """Out of the trash, and back on the tasks that its deletion took it from."""
    label = await get_for_write(session, actor, Label, label_id, deleted=True)
    expected.check(label)
    tasks = await queries.tasks_it_was_on(session, label)
    await trash.bring_back_named(session, actor, label, Label.workspace_id == label.workspace_id)
    for task in tasks:
        _set_labels(session, actor, task, {*task.label_ids, label.id})
    await flush(session)
    return label


async def resolve(
    session: Writer, actor: Actor, workspace_id: int, wanted: Iterable[int | str]
) -> dict[int | str, int]:
    """The ids of labels wanted by id or by name, in three statements at most; the workspace is locked already.

    A name that no label has makes one. An id that is no living label of this workspace is left out.
    """
    ids, names = _ids_and_names(wanted)
    found = await queries.look_up(session, workspace_id, names)
    made = await _make_missing(session, actor, workspace_id, found)
    resolved: dict[int | str, int] = {
        one: one for one in await queries.living_ids(session, workspace_id, ids)
    }
    for given in found:
        resolved[given.name] = given.label_id or made[given.folded].id
    return resolved


async def _make_missing(
    session: Writer, actor: Actor, workspace_id: int, found: Sequence[GivenName]
) -> dict[str, Label]:
    """By folded name: “Home” and “home” wanted together are one label."""
    made: dict[str, Label] = {}
    for given in found:
        if given.label_id is None and given.folded not in made:
            made[given.folded] = Label(workspace_id=workspace_id, name=given.name, created_by=actor.user_id)
    await _add(session, actor, list(made.values()))
    return made


async def find(session: Writer, workspace_id: int, wanted: Iterable[int | str]) -> set[int]:
    """The ids of those that exist."""
    ids, names = _ids_and_names(wanted)
    found = await queries.look_up(session, workspace_id, names)
    by_name = {given.label_id for given in found if given.label_id is not None}
    return by_name | await queries.living_ids(session, workspace_id, ids)


async def _add(session: Writer, actor: Actor, labels: Sequence[Label]) -> None:
    session.add_all(labels)
    await flush(session)
    for label in labels:
        journal.record(session, actor, "label.created", label, None)


def _set_labels(session: Writer, actor: Actor, task: Task, label_ids: set[int]) -> None:
    before = task.state()
    task.label_ids = sorted(label_ids)
    journal.record(session, actor, "task.updated", task, before)


def _ids_and_names(wanted: Iterable[int | str]) -> tuple[list[int], list[str]]:
    """Each once, in their order."""
    distinct = dict.fromkeys(wanted)
    ids = [one for one in distinct if isinstance(one, int)]
    return ids, [one for one in distinct if isinstance(one, str)]
