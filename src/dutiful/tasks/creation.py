"""Making tasks, one or a thousand, in the same handful of statements."""

from collections import defaultdict
from collections.abc import Sequence

from dutiful import clock, positions
from dutiful.access import Actor
from dutiful.changes import journal
from dutiful.database.session import Writer
from dutiful.errors import Conflict, Fault, Invalid
from dutiful.labels import service as labels
from dutiful.models import Status, Task
from dutiful.models.task import new_uid
from dutiful.tasks import queries, repeating
from dutiful.tasks.labelling import label_ids_of
from dutiful.tasks.place import Place
from dutiful.tasks.schemas import TaskCreate, TaskRecord
from dutiful.tasks.surroundings import Surroundings


async def create(session: Writer, actor: Actor, item: TaskCreate) -> Task:
    (task,) = await create_many(session, actor, [item], pointers=[""])
    return task


async def create_many(
    session: Writer, actor: Actor, items: Sequence[TaskCreate], *, pointers: Sequence[str] | None = None
) -> list[Task]:
    """All of them, or none: then the error names every bad item by its pointer (`/3/project_id`)."""
    pointers = pointers or [f"/{index}" for index in range(len(items))]
    surroundings = await Surroundings.load(session, actor, items)
    places = _places(surroundings, items, pointers)
    keys = await _keys_at_the_end(session, places)
    workspace_ids = [surroundings.workspace_of(place) for place in places]
    label_ids = await _label_ids(session, actor, items, workspace_ids, pointers)
    tasks = [
        new_task(actor, *parts) for parts in zip(items, workspace_ids, places, keys, label_ids, strict=True)
    ]
    _begin_series(tasks, items, actor.timezone, pointers)
    session.add_all(tasks)
    await session.flush()
    for task in tasks:
        journal.record(session, actor, "task.created", task, None)
    return tasks


def _places(surroundings: Surroundings, items: Sequence[TaskCreate], pointers: Sequence[str]) -> list[Place]:
    places: list[Place] = []
    faults: list[Fault] = []
    for item, pointer in zip(items, pointers, strict=True):
        try:
            places.append(surroundings.place_for(item))
        except Invalid as error:
            faults += error.below(pointer).faults
    if faults and all(fault.code == "taken" for fault in faults):
        raise Conflict(faults[0].detail, *faults, code="taken")
    if faults:
        raise Invalid("The request has values that cannot be used, so nothing was written.", *faults)
    return places


async def _keys_at_the_end(session: Writer, places: Sequence[Place]) -> list[str]:
    """An order key for each, behind what its place holds and behind those before it in the batch."""
    last: dict[Place, str | None] = defaultdict(lambda: None)
    last.update(await queries.last_positions(session, dict.fromkeys(places)))
    keys = []
    for place in places:
        last[place] = positions.between(last[place], None)
        keys.append(last[place] or "")
    return keys


async def _label_ids(
    session: Writer,
    actor: Actor,
    items: Sequence[TaskCreate],
    workspace_ids: Sequence[int],
    pointers: Sequence[str],
) -> list[list[int]]:
    """The label ids of each item; names are looked up, or made, once for each workspace."""
    wanted: dict[int, list[int | str]] = defaultdict(list)
    for item, workspace_id in zip(items, workspace_ids, strict=True):
        # In their order: of two spellings of a new name, the first counts.
        wanted[workspace_id] += [*item.label_ids, *item.labels_add]
    known = {
        workspace_id: await labels.resolve(session, actor, workspace_id, these)
        for workspace_id, these in sorted(wanted.items())
        if these
    }
    label_ids = []
    for item, workspace_id, pointer in zip(items, workspace_ids, pointers, strict=True):
        here = known.get(workspace_id, {})
        given = label_ids_of(here, item.label_ids, f"{pointer}/label_ids")
        label_ids.append(sorted(given | label_ids_of(here, item.labels_add, f"{pointer}/labels_add")))
    return label_ids


def _begin_series(
    tasks: Sequence[Task], items: Sequence[TaskCreate], timezone: str, pointers: Sequence[str]
) -> None:
    faults: list[Fault] = []
    for task, item, pointer in zip(tasks, items, pointers, strict=True):
        if item.recurrence is not None:
            try:
                repeating.begin(task, item.recurrence, timezone)
            except Invalid as error:
                faults += error.below(pointer).faults
    if faults:
        raise Invalid("The request has values that cannot be used, so nothing was written.", *faults)


def new_task(
    actor: Actor, item: TaskCreate, workspace_id: int, place: Place, key: str, label_ids: list[int]
) -> Task:
    now = clock.now()
    past = item if isinstance(item, TaskRecord) else TaskRecord(title=item.title)
    return Task(
        workspace_id=workspace_id,
        project_id=place.project_id,
        section_id=place.section_id,
        parent_id=place.parent_id,
        title=item.title,
        description=item.description,
        status=item.status,
        priority=item.priority,
        label_ids=label_ids,
        assignee_id=item.assignee_id,
        start=None if item.start is None else item.start.when(),
        due=None if item.due is None else item.due.when(),
        position=key,
        uid=item.uid or new_uid(),
        created_by=actor.user_id,
        created_at=past.created_at or now,
        updated_at=now,
        completed_at=(past.completed_at or now) if item.status is Status.DONE else None,
    )
