"""Every write of projects."""

from collections.abc import Iterable, Sequence

from dutiful import ordering, positions, trash
from dutiful.access import Actor, get_for_write, lock_workspace
from dutiful.changes import journal
from dutiful.database.failures import flush
from dutiful.database.session import Writer
from dutiful.errors import Conflict, named_by
from dutiful.models import Project
from dutiful.ordering import Move
from dutiful.projects import queries
from dutiful.projects.queries import GivenName
from dutiful.projects.schemas import ProjectCreate, ProjectPatch
from dutiful.versions import ANY, Expected


async def create(session: Writer, actor: Actor, data: ProjectCreate) -> Project:
    """At the end of its workspace's list."""
    workspace_id = data.workspace_id or actor.personal_workspace_id
    with named_by("/workspace_id"):
        await lock_workspace(session, actor, workspace_id)
    project = Project(workspace_id=workspace_id, name=data.name, color=data.color, created_by=actor.user_id)
    await ordering.place(session, actor, project, queries.projects_beside(project))
    session.add(project)
    await flush(session)
    journal.record(session, actor, "project.created", project, None)
    return project


async def update(
    session: Writer, actor: Actor, project_id: int, patch: ProjectPatch, expected: Expected = ANY
) -> Project:
    project = await get_for_write(session, actor, Project, project_id)
    expected.check(project)
    if patch.archived:
        await _refuse_inbox(session, project, "archived")
    before = project.state()
    for field, value in patch.sent().items():
        setattr(project, field, value)
    journal.record(session, actor, "project.updated", project, before)
    await flush(session)
    return project


async def move(
    session: Writer, actor: Actor, project_id: int, target: Move, expected: Expected = ANY
) -> Project:
    project = await get_for_write(session, actor, Project, project_id)
    expected.check(project)
    before = project.state()
    siblings = queries.projects_beside(project)
    await ordering.place(session, actor, project, siblings, after=target.after, before=target.before)
    journal.record(session, actor, "project.moved", project, before)
    await flush(session)
    return project


async def delete(session: Writer, actor: Actor, project_id: int, expected: Expected = ANY) -> None:
    """To the trash, with its sections and tasks, as one group."""
    project = await get_for_write(session, actor, Project, project_id)
    expected.check(project)
    await _refuse_inbox(session, project, "deleted")
    trash.discard(session, actor, [project, *await queries.contents(session, project)])
    await flush(session)


async def restore(session: Writer, actor: Actor, project_id: int, expected: Expected = ANY) -> Project:
    """Out of the trash, with all that went there with it."""
    project = await get_for_write(session, actor, Project, project_id, deleted=True)
    expected.check(project)
    contents = await queries.contents(session, project)
    await trash.bring_back_named(session, actor, project, Project.workspace_id == project.workspace_id)
    trash.bring_back(session, actor, contents)
    await flush(session)
    return project


async def resolve(session: Writer, actor: Actor, workspace_id: int, names: Iterable[str]) -> dict[str, int]:
    """The ids of projects by name, in three statements at most; the workspace is locked already.

    A name that no project has makes one, at the end of the workspace's list.
    """
    found = await queries.look_up(session, workspace_id, list(dict.fromkeys(names)))
    made = await _make_missing(session, actor, workspace_id, found)
    return {given.name: given.project_id or made[given.folded].id for given in found}


async def _make_missing(
    session: Writer, actor: Actor, workspace_id: int, found: Sequence[GivenName]
) -> dict[str, Project]:
    """By folded name: “Home” and “home” are one project, and the first spelling counts."""
    names: dict[str, str] = {}
    for given in found:
        if given.project_id is None:
            names.setdefault(given.folded, given.name)
    if not names:
        return {}
    keys = positions.spread(await queries.last_position(session, workspace_id), None, len(names))
    made = {
        folded: Project(workspace_id=workspace_id, name=name, position=key, created_by=actor.user_id)
        for (folded, name), key in zip(names.items(), keys, strict=True)
    }
    session.add_all(made.values())
    await flush(session)
    for project in made.values():
        journal.record(session, actor, "project.created", project, None)
    return made


async def _refuse_inbox(session: Writer, project: Project, done: str) -> None:
    if await queries.is_inbox(session, project):
        raise Conflict(f"The Inbox cannot be {done}: it is where new tasks land.", code="inbox")
