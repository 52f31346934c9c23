"""Takes tasks of another program into a workspace, through the same services as everything else.

Importing twice makes nothing twice. A second import brings what changed there, and leaves alone what was changed,
moved or deleted here since, saying so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from dutiful.access import Actor, get, lock_workspace
from dutiful.database.session import Writer
from dutiful.imports.source import ImportReport, Remark, SourceTask
from dutiful.labels import service as labels
from dutiful.models import ImportRecord, Label, Project, Task, When, Workspace
from dutiful.projects import service as projects
from dutiful.projects.schemas import ProjectCreate
from dutiful.tasks import creation
from dutiful.tasks import service as tasks
from dutiful.tasks.schemas import TaskPatch, TaskRecord
from dutiful.vocabulary import WhenFields, WhenPatch

# As many rows as one INSERT can bind the parameters of.
BATCH = 1000


async def run(
    session: Writer, actor: Actor, workspace_id: int, sources: Sequence[SourceTask], report: ImportReport
) -> None:
    """Brings `sources` in and tells in `report` what became of them."""
    await lock_workspace(session, actor, workspace_id)
    known = await _known(session, workspace_id, report.format, sources)
    uids = await _uids(session, workspace_id, sources)
    fresh, again = [], []
    for source in sources:
        if source.source_id in known:
            again.append((source, known[source.source_id]))
        elif source.source_id in uids:
            report.left.append(Remark(where=source.where, why="a task with this uid is here already"))
        else:
            fresh.append(source)
    names = _Names(session, actor, workspace_id, report)
    await names.load(fresh + [source for source, _ in again])
    for start in range(0, len(fresh), BATCH):
        await _create(session, actor, fresh[start : start + BATCH], names)
    for source, one in again:
        await _update(session, actor, source, one, names)


@dataclass(frozen=True, slots=True)
class _Known:
    record: ImportRecord
    task: Task


async def _known(
    session: Writer, workspace_id: int, format_name: str, sources: Iterable[SourceTask]
) -> dict[str, _Known]:
    """What earlier imports made of these, by source id."""
    rows = await session.execute(
        select(ImportRecord, Task)
        .join(Task, (Task.id == ImportRecord.task_id) & (Task.workspace_id == ImportRecord.workspace_id))
        .where(
            ImportRecord.workspace_id == workspace_id,
            ImportRecord.format == format_name,
            ImportRecord.source_id.in_([source.source_id for source in sources]),
        )
    )
    return {record.source_id: _Known(record, task) for record, task in rows}


async def _uids(session: Writer, workspace_id: int, sources: Iterable[SourceTask]) -> set[str]:
    wanted = [source.source_id for source in sources]
    return set(
        await session.scalars(select(Task.uid).where(Task.workspace_id == workspace_id, Task.uid.in_(wanted)))
    )


class _Names:
    """Projects and labels of the workspace by name, made when missing."""

    def __init__(self, session: Writer, actor: Actor, workspace_id: int, report: ImportReport) -> None:
        self.session, self.actor, self.workspace_id, self.report = session, actor, workspace_id, report
        self.projects: dict[str, int] = {}
        self.labels: dict[int | str, int] = {}
        self.inbox_id = 0

    async def load(self, sources: Iterable[SourceTask]) -> None:
        sources = list(sources)
        self.inbox_id = (await get(self.session, self.actor, Workspace, self.workspace_id)).inbox_id
        await self._load_labels(dict.fromkeys(name for source in sources for name in source.labels))
        await self._load_projects(dict.fromkeys(source.project for source in sources if source.project))

    async def _load_labels(self, names: Iterable[str]) -> None:
        names = list(names)
        here = await self._lowered(Label)
        self.report.labels_created = [name for name in _first_spelling(names) if name.lower() not in here]
        if names:
            self.labels = await labels.resolve(self.session, self.actor, self.workspace_id, names)

    async def _load_projects(self, names: Iterable[str]) -> None:
        here = await self._lowered(Project)
        for name in _first_spelling(names):
            if name.lower() not in here:
                body = ProjectCreate(name=name, workspace_id=self.workspace_id)
                here[name.lower()] = (await projects.create(self.session, self.actor, body)).id
                self.report.projects_created.append(name)
        self.projects = here

    async def _lowered(self, thing: type[Label] | type[Project]) -> dict[str, int]:
        rows = await self.session.execute(
            select(func.lower(thing.name), thing.id).where(
                thing.workspace_id == self.workspace_id, thing.deleted_at.is_(None)
            )
        )
        return {name: thing_id for name, thing_id in rows}  # noqa: C416 - `dict(rows)` has no types

    def project_of(self, source: SourceTask) -> int:
        return self.inbox_id if source.project is None else self.projects[source.project.lower()]

    def labels_of(self, source: SourceTask) -> list[int]:
        return sorted({self.labels[name] for name in source.labels})


def _first_spelling(names: Iterable[str]) -> list[str]:
    """One of each name, however it is capitalised."""
    spellings: dict[str, str] = {}
    for name in names:
        spellings.setdefault(name.lower(), name)
    return list(spellings.values())


async def _create(session: Writer, actor: Actor, sources: Sequence[SourceTask], names: _Names) -> None:
    items = [_record_of(source, names) for source in sources]
    made = await creation.create_many(session, actor, items, pointers=[source.where for source in sources])
    session.add_all(
        ImportRecord(
            workspace_id=task.workspace_id,
            format=names.report.format,
            source_id=source.source_id,
            task_id=task.id,
            version=task.version,
            digest=source.digest,
        )
        for source, task in zip(sources, made, strict=True)
    )
    names.report.created += len(made)


def _record_of(source: SourceTask, names: _Names) -> TaskRecord:
    return TaskRecord(
        title=source.title,
        workspace_id=names.workspace_id,
        project_id=names.project_of(source),
        description=source.description,
        status=source.status,
        priority=source.priority,
        label_ids=names.labels_of(source),
        start=_fields(source.start),
        due=_fields(source.due),
        uid=source.source_id,
        created_at=source.created_at,
        completed_at=source.completed_at,
    )


async def _update(session: Writer, actor: Actor, source: SourceTask, known: _Known, names: _Names) -> None:
    record, task = known.record, known.task
    if record.digest == source.digest:
        names.report.unchanged += 1
    elif task.deleted_at is not None:
        names.report.left.append(Remark(where=source.where, why="it is in the trash here"))
    elif task.version != record.version:
        names.report.left.append(Remark(where=source.where, why="it was changed here since it was imported"))
    else:
        task = await tasks.update(
            session, actor, task.id, _patch_of(source, names), completed_at=source.completed_at
        )
        record.version, record.digest = task.version, source.digest
        names.report.updated += 1


def _patch_of(source: SourceTask, names: _Names) -> TaskPatch:
    return TaskPatch(
        title=source.title,
        description=source.description,
        status=source.status,
        priority=source.priority,
        label_ids=names.labels_of(source),
        start=_patch_fields(source.start),
        due=_patch_fields(source.due),
        project_id=names.project_of(source),
    )


def _fields(when: When | None) -> WhenFields | None:
    return None if when is None else WhenFields(date=when.date, time=when.time, timezone=when.timezone)


def _patch_fields(when: When | None) -> WhenPatch | None:
    return None if when is None else WhenPatch(date=when.date, time=when.time, timezone=when.timezone)
