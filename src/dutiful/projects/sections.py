"""Every write of sections."""

from dutiful import ordering, trash
from dutiful.access import Actor, get_for_write
from dutiful.changes import journal
from dutiful.database.failures import flush
from dutiful.database.session import Writer
from dutiful.errors import Conflict, named_by
from dutiful.models import Project, Section
from dutiful.ordering import Move
from dutiful.projects import queries
from dutiful.projects.schemas import SectionCreate, SectionPatch
from dutiful.versions import ANY, Expected


async def create(session: Writer, actor: Actor, data: SectionCreate) -> Section:
    """At the end of its project's list."""
    with named_by("/project_id"):
        project = await get_for_write(session, actor, Project, data.project_id)
    section = Section(
        workspace_id=project.workspace_id, project_id=project.id, name=data.name, created_by=actor.user_id
    )
    await ordering.place(session, actor, section, queries.sections_beside(section))
    session.add(section)
    await flush(session)
    journal.record(session, actor, "section.created", section, None)
    return section


async def update(
    session: Writer, actor: Actor, section_id: int, patch: SectionPatch, expected: Expected = ANY
) -> Section:
    section = await get_for_write(session, actor, Section, section_id)
    expected.check(section)
    before = section.state()
    for field, value in patch.sent().items():
        setattr(section, field, value)
    journal.record(session, actor, "section.updated", section, before)
    await flush(session)
    return section


async def move(
    session: Writer, actor: Actor, section_id: int, target: Move, expected: Expected = ANY
) -> Section:
    section = await get_for_write(session, actor, Section, section_id)
    expected.check(section)
    before = section.state()
    siblings = queries.sections_beside(section)
    await ordering.place(session, actor, section, siblings, after=target.after, before=target.before)
    journal.record(session, actor, "section.moved", section, before)
    await flush(session)
    return section


async def delete(session: Writer, actor: Actor, section_id: int, expected: Expected = ANY) -> None:
    """To the trash, with its tasks, as one group."""
    section = await get_for_write(session, actor, Section, section_id)
    expected.check(section)
    trash.discard(session, actor, [section, *await queries.contents(session, section)])
    await flush(session)


async def restore(session: Writer, actor: Actor, section_id: int, expected: Expected = ANY) -> Section:
    """Out of the trash, with all that went there with it."""
    section = await get_for_write(session, actor, Section, section_id, deleted=True)
    expected.check(section)
    if await queries.is_in_trash(session, section.project_id):
        raise Conflict(
            "The project of this section is in the trash. Restore the project first.", code="in_trash"
        )
    contents = await queries.contents(session, section)
    await trash.bring_back_named(session, actor, section, Section.project_id == section.project_id)
    trash.bring_back(session, actor, contents)
    await flush(session)
    return section
