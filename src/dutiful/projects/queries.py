"""Every SELECT of projects and sections."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import Select, String, and_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from dutiful import paging
from dutiful.access import Actor, is_visible
from dutiful.database.session import Reader, Writer
from dutiful.models import Project, Section, Task, Workspace
from dutiful.paging import Order, Slice
from dutiful.vocabulary import IdParameter

Inner = TypeVar("Inner", Section, Task)


class Sort(StrEnum):
    ID = "id"
    ID_DESCENDING = "-id"
    POSITION = "position"
    POSITION_DESCENDING = "-position"

    def order(self, thing: type[Project | Section]) -> Order:
        columns = thing.__table__.c
        return Order(self, columns[self.removeprefix("-")], columns.id, descending=self.startswith("-"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFilter:
    """What is left None does not narrow."""

    workspace_id: IdParameter | None = None
    archived: bool | None = None
    sort: Sort = Sort.ID


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionFilter:
    """What is left None does not narrow."""

    workspace_id: IdParameter | None = None
    project_id: IdParameter | None = None
    sort: Sort = Sort.ID


async def page(
    session: Reader, actor: Actor, wanted: Slice, narrow: ProjectFilter
) -> tuple[Sequence[Project], str | None]:
    statement = select(Project).where(is_visible(actor, Project))
    if narrow.workspace_id is not None:
        statement = statement.where(Project.workspace_id == narrow.workspace_id)
    if narrow.archived is not None:
        statement = statement.where(Project.archived == narrow.archived)
    return await paging.page(session, statement, narrow.sort.order(Project), wanted)


async def page_sections(
    session: Reader, actor: Actor, wanted: Slice, narrow: SectionFilter
) -> tuple[Sequence[Section], str | None]:
    statement = select(Section).where(is_visible(actor, Section))
    if narrow.workspace_id is not None:
        statement = statement.where(Section.workspace_id == narrow.workspace_id)
    if narrow.project_id is not None:
        statement = statement.where(Section.project_id == narrow.project_id)
    return await paging.page(session, statement, narrow.sort.order(Section), wanted)


@dataclass(frozen=True, slots=True)
class GivenName:
    """A name somebody gave, what PostgreSQL makes of it when it compares, and the living project that has it."""

    name: str
    folded: str
    project_id: int | None


async def look_up(session: Writer, workspace_id: int, names: Collection[str]) -> list[GivenName]:
    """One for each of `names`, in their order."""
    if not names:
        return []
    given = func.unnest(literal(list(names), ARRAY(String))).column_valued("given")
    has_it = and_(
        func.lower(Project.name) == func.lower(given),
        Project.workspace_id == workspace_id,
        Project.deleted_at.is_(None),
    )
    rows = await session.execute(
        select(given, func.lower(given), Project.id).join(Project, has_it, isouter=True)
    )
    found = {row[0]: GivenName(*row) for row in rows}
    return [found[name] for name in names]


async def last_position(session: Writer, workspace_id: int) -> str | None:
    """The last order key of the workspace's list, the trash counted in."""
    statement = select(func.max(Project.position)).where(Project.workspace_id == workspace_id)
    last: str | None = await session.scalar(statement)
    return last


def projects_beside(project: Project) -> Select[Project]:
    """The list it is in, itself and the trash included."""
    return select(Project).where(Project.workspace_id == project.workspace_id)


def sections_beside(section: Section) -> Select[Section]:
    """The list it is in, itself and the trash included."""
    return select(Section).where(Section.project_id == section.project_id)


async def contents(session: Writer, container: Project | Section) -> list[Section | Task]:
    """What shares its fate: of a living one what lives, of one in the trash what went there with it."""
    if isinstance(container, Section):
        return list(await session.scalars(_inside(Task, container).where(Task.section_id == container.id)))
    sections = await session.scalars(_inside(Section, container))
    return [*sections, *await session.scalars(_inside(Task, container))]


def _inside(thing: type[Inner], container: Project | Section) -> Select[Inner]:
    project_id = container.id if isinstance(container, Project) else container.project_id
    # The living have no `trash_id`, and `== None` is IS NULL here.
    share_fate = thing.trash_id == container.trash_id
    return select(thing).where(thing.project_id == project_id, share_fate).order_by(thing.id)


async def is_inbox(session: Writer, project: Project) -> bool:
    inbox_id = await session.scalar(select(Workspace.inbox_id).where(Workspace.id == project.workspace_id))
    return inbox_id == project.id


async def is_in_trash(session: Writer, project_id: int) -> bool:
    return await session.scalar(select(Project.deleted_at).where(Project.id == project_id)) is not None
