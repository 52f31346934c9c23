"""Takes tasks of another program into a workspace, through the same services as everything else.

Importing twice makes nothing twice. A second import brings what changed there, and leaves alone what was changed,
moved or deleted here since, saying so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    LargeBinary,
    String,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from dutiful.access import Actor, get, lock_workspace
from dutiful.database.session import Writer
from dutiful.database.types import any_of
from dutiful.imports.source import ImportReport, Remark, SourceTask
from dutiful.labels import queries as label_queries
from dutiful.labels import service as labels
from dutiful.models import ImportRecord, Task, When, Workspace
from dutiful.projects import queries as project_queries
from dutiful.projects import service as projects
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
    fresh, changed = [], []
    for source in sources:
        if source.source_id not in known:
            if source.source_id in uids:
                report.left.append(Remark(where=source.where, why="a task with this uid is here already"))
            else:
                fresh.append(source)
        elif known[source.source_id] == source.digest:
            report.unchanged += 1
        else:
            changed.append(source)
    again = [
        one for one in await _imported(session, workspace_id, report, changed) if _is_as_left(one, report)
    ]
    names = _Names(session, actor, workspace_id, report)
    await names.load(fresh + [one.source for one in again])
    await _create(session, actor, fresh, names)
    for one in again:
        await _update(session, actor, one, names)


async def _known(
    session: Writer, workspace_id: int, format_name: str, sources: Iterable[SourceTask]
) -> dict[str, bytes]:
    """What the source said when these were last imported, as digests by source id."""
    statement = select(ImportRecord.source_id, ImportRecord.digest).where(
        *_are_of(workspace_id, format_name, sources)
    )
    return {source_id: digest for source_id, digest in await session.execute(statement)}  # noqa: C416 - `dict(rows)` has no types


@dataclass(frozen=True, slots=True)
class _Imported:
    """A task that was imported before, and what is said of it now."""

    source: SourceTask
    record: ImportRecord
    task: Task


async def _imported(
    session: Writer, workspace_id: int, report: ImportReport, sources: Sequence[SourceTask]
) -> list[_Imported]:
    if not sources:
        return []
    rows = await session.execute(
        select(ImportRecord, Task)
        .join(Task, (Task.id == ImportRecord.task_id) & (Task.workspace_id == ImportRecord.workspace_id))
        .where(*_are_of(workspace_id, report.format, sources))
    )
    found = {record.source_id: (record, task) for record, task in rows}
    return [_Imported(source, *found[source.source_id]) for source in sources]


def _is_as_left(one: _Imported, report: ImportReport) -> bool:
    """False for what people changed here since the last import; said in `report`."""
    if one.task.deleted_at is not None:
        report.left.append(Remark(where=one.source.where, why="it is in the trash here"))
    elif one.task.version != one.record.version:
        report.left.append(Remark(where=one.source.where, why="it was changed here since it was imported"))
    else:
        return True
    return False


def _are_of(
    workspace_id: int, format_name: str, sources: Iterable[SourceTask]
) -> tuple[ColumnElement[bool], ...]:
    return (
        ImportRecord.workspace_id == workspace_id,
        ImportRecord.format == format_name,
        ImportRecord.source_id == _any_id_of(sources),
    )


async def _uids(session: Writer, workspace_id: int, sources: Iterable[SourceTask]) -> set[str]:
    statement = select(Task.uid).where(Task.workspace_id == workspace_id, Task.uid == _any_id_of(sources))
    return set(await session.scalars(statement))


def _any_id_of(sources: Iterable[SourceTask]) -> ColumnElement[bool]:
    return any_of((source.source_id for source in sources), String)


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
        await self._load_labels(list(dict.fromkeys(name for source in sources for name in source.labels)))
        await self._load_projects(list(dict.fromkeys(source.project for source in sources if source.project)))

    async def _load_labels(self, names: list[str]) -> None:
        found = await label_queries.look_up(self.session, self.workspace_id, names)
        new = [(given.folded, given.name) for given in found if given.label_id is None]
        self.report.labels_created = _first_spellings(new)
        self.labels = await labels.resolve(self.session, self.actor, self.workspace_id, names)

    async def _load_projects(self, names: list[str]) -> None:
        found = await project_queries.look_up(self.session, self.workspace_id, names)
        new = [(given.folded, given.name) for given in found if given.project_id is None]
        self.report.projects_created = _first_spellings(new)
        self.projects = await projects.resolve(self.session, self.actor, self.workspace_id, names)

    def project_of(self, source: SourceTask) -> int:
        return self.inbox_id if source.project is None else self.projects[source.project]

    def labels_of(self, source: SourceTask) -> list[int]:
        return sorted({self.labels[name] for name in source.labels})


def _first_spellings(names: Iterable[tuple[str, str]]) -> list[str]:
    """Of names with what PostgreSQL compares of them, one of each: that which is made."""
    spellings: dict[str, str] = {}
    for folded, name in names:
        spellings.setdefault(folded, name)
    return list(spellings.values())


async def _create(session: Writer, actor: Actor, sources: Sequence[SourceTask], names: _Names) -> None:
    made: list[Task] = []
    for start in range(0, len(sources), BATCH):
        batch = sources[start : start + BATCH]
        items = [_record_of(source, names) for source in batch]
        made += await creation.create_many(session, actor, items, pointers=[source.where for source in batch])
    # After all tasks: PostgreSQL keeps the plan of its first foreign key check, and over the few tasks of an empty
    # workspace it would plan to read them all for each record.
    await _remember(session, names, sources, made)
    names.report.created += len(made)


async def _remember(
    session: Writer, names: _Names, sources: Sequence[SourceTask], made: Sequence[Task]
) -> None:
    """One statement with one parameter a column: a thousand rows one by one take as long as their tasks."""
    rows = (
        func.unnest(
            literal([source.source_id for source in sources], ARRAY(String)),
            literal([task.id for task in made], ARRAY(BigInteger)),
            literal([task.version for task in made], ARRAY(Integer)),
            literal([source.digest for source in sources], ARRAY(LargeBinary)),
        )
        .table_valued("source_id", "task_id", "version", "digest")
        .render_derived()
    )
    constants = literal(names.workspace_id, BigInteger), literal(names.report.format, String)
    columns = ["workspace_id", "format", "source_id", "task_id", "version", "digest"]
    await session.execute(insert(ImportRecord).from_select(columns, select(*constants, *rows.c)))


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


async def _update(session: Writer, actor: Actor, one: _Imported, names: _Names) -> None:
    patch = _patch_of(one.source, names)
    task = await tasks.update(session, actor, one.task.id, patch, completed_at=one.source.completed_at)
    one.record.version, one.record.digest = task.version, one.source.digest
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
