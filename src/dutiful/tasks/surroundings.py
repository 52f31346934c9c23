"""What new tasks refer to: the workspaces, projects, sections, parents and people around them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import select

from dutiful.access import Actor, find_workspaces, lock_workspaces, require_role
from dutiful.database.session import Writer
from dutiful.errors import invalid
from dutiful.models import Member, Project, Role, Section, Task, Workspace
from dutiful.tasks import queries
from dutiful.tasks.place import Place
from dutiful.tasks.schemas import TaskCreate, TaskRecord


@dataclass
class Surroundings:
    """Read under the lock of every workspace concerned, so it stays true until the transaction ends.

    Statements: one to find the workspaces if items name anything by id, one to lock them, one for the Inboxes, and
    one for each kind of thing the items name, however many items there are.
    """

    actor: Actor
    inboxes: dict[int, int]
    projects: dict[int, Project]
    sections: dict[int, Section]
    parents: dict[int, Task]
    depths: dict[int, int]
    members: set[tuple[int, int]]
    uids: set[tuple[int, str]]

    @classmethod
    async def load(cls, session: Writer, actor: Actor, items: Sequence[TaskCreate]) -> Self:
        workspace_ids = await _workspaces_named(session, actor, items)
        await lock_workspaces(session, workspace_ids)
        inboxes = await _inboxes(session, actor, workspace_ids)
        sections = await _by_id(session, Section, inboxes, _ids(items, "section_id"))
        parents = await _by_id(session, Task, inboxes, _ids(items, "parent_id"))
        project_ids = _ids(items, "project_id") | {
            thing.project_id for thing in (*sections.values(), *parents.values())
        }
        return cls(
            actor,
            inboxes,
            await _by_id(session, Project, inboxes, project_ids),
            sections,
            parents,
            await queries.depths(session, parents.keys()),
            await _members(session, workspace_ids, _ids(items, "assignee_id")),
            await _uids(session, workspace_ids, items),
        )

    def workspace_of(self, place: Place) -> int:
        project = self.projects.get(place.project_id)
        if project is not None:
            return project.workspace_id
        return next(workspace for workspace, inbox in self.inboxes.items() if inbox == place.project_id)

    def place_for(self, item: TaskCreate) -> Place:
        """Where the item goes; raises `Invalid` with a pointer into the item if it cannot be made."""
        parent = _find(self.parents, item.parent_id, "/parent_id", "task")
        section = _find(self.sections, item.section_id, "/section_id", "section")
        project = _find(self.projects, item.project_id, "/project_id", "project")
        place = self._place(item, parent, section, project)
        self._check_depth(parent)
        self._check_person(item, place)
        self._take_uid(item, place)
        return place

    def _place(
        self, item: TaskCreate, parent: Task | None, section: Section | None, project: Project | None
    ) -> Place:
        if parent is not None:
            place = Place(parent.project_id, parent.section_id, parent.id)
        elif section is not None:
            place = Place(section.project_id, section.id)
        elif project is not None:
            place = Place(project.id)
        else:
            place = Place(self._inbox(item))
        self._check_agreement(item, place)
        return place

    def _inbox(self, item: TaskCreate) -> int:
        if item.workspace_id is None:
            return self.actor.inbox_id
        inbox_id: int = _require(self.inboxes.get(item.workspace_id), "/workspace_id", "workspace")
        return inbox_id

    def _check_agreement(self, item: TaskCreate, place: Place) -> None:
        if item.workspace_id not in {None, self.workspace_of(place)}:
            raise invalid("/workspace_id", "is not the workspace of the place named with it")
        if item.project_id not in {None, place.project_id}:
            raise invalid("/project_id", "is not the project of the section or parent named with it")
        if item.section_id not in {None, place.section_id}:
            raise invalid("/section_id", "is not the section of the parent named with it")

    def _check_depth(self, parent: Task | None) -> None:
        if parent is not None and self.depths[parent.id] >= queries.DEEPEST:
            raise invalid("/parent_id", f"is too deep: subtasks nest up to {queries.DEEPEST} levels")

    def _check_person(self, item: TaskCreate, place: Place) -> None:
        if item.assignee_id is not None and (self.workspace_of(place), item.assignee_id) not in self.members:
            raise invalid("/assignee_id", "is not a member of the workspace")

    def _take_uid(self, item: TaskCreate, place: Place) -> None:
        if item.uid is None:
            return
        pair = (self.workspace_of(place), item.uid)
        if pair in self.uids:
            raise invalid(
                "/uid", "The workspace has a task with this uid already, perhaps in its trash.", "taken"
            )
        self.uids.add(pair)


async def _workspaces_named(session: Writer, actor: Actor, items: Sequence[TaskCreate]) -> set[int]:
    """Every workspace the items may end up in, as far as the actor sees it."""
    named = {
        Workspace: _ids(items, "workspace_id"),
        Project: _ids(items, "project_id"),
        Section: _ids(items, "section_id"),
        Task: _ids(items, "parent_id"),
    }
    workspace_ids = await find_workspaces(session, actor, named)
    if any(_is_for_the_inbox(item) for item in items):
        workspace_ids.add(actor.personal_workspace_id)
    return workspace_ids


def _is_for_the_inbox(item: TaskCreate) -> bool:
    return {item.workspace_id, item.project_id, item.section_id, item.parent_id} == {None}


async def _inboxes(session: Writer, actor: Actor, workspace_ids: Collection[int]) -> dict[int, int]:
    """Workspace id to the id of its Inbox. Raises `Forbidden` unless the actor may write in all of them."""
    rows = await session.execute(
        select(Workspace.id, Workspace.inbox_id, Member.role)
        .join(Member, Member.workspace_id == Workspace.id)
        .where(
            Workspace.id.in_(workspace_ids), Member.user_id == actor.user_id, Workspace.deleted_at.is_(None)
        )
    )
    inboxes = {}
    for workspace_id, inbox_id, role in rows:
        require_role(role, Role.EDITOR)
        inboxes[workspace_id] = inbox_id
    return inboxes


async def _by_id(
    session: Writer, thing: Any, workspace_ids: Collection[int], ids: Collection[int]
) -> dict[int, Any]:
    """The living ones in workspaces that are locked, in which the actor may write."""
    if not ids:
        return {}
    statement = select(thing).where(
        thing.id.in_(ids), thing.workspace_id.in_(workspace_ids), thing.deleted_at.is_(None)
    )
    return {one.id: one for one in await session.scalars(statement)}


async def _members(
    session: Writer, workspace_ids: Collection[int], user_ids: Collection[int]
) -> set[tuple[int, int]]:
    if not user_ids:
        return set()
    statement = select(Member.workspace_id, Member.user_id).where(
        Member.workspace_id.in_(workspace_ids), Member.user_id.in_(user_ids)
    )
    return {(workspace_id, user_id) for workspace_id, user_id in await session.execute(statement)}


async def _uids(
    session: Writer, workspace_ids: Collection[int], items: Iterable[TaskCreate]
) -> set[tuple[int, str]]:
    """Taken pairs of workspace and uid among those wanted. An import has asked for all of its own at once."""
    uids = {item.uid for item in items if not isinstance(item, TaskRecord)} - {None}
    if not uids:
        return set()
    statement = select(Task.workspace_id, Task.uid).where(
        Task.workspace_id.in_(workspace_ids), Task.uid.in_(uids)
    )
    return {(workspace_id, uid) for workspace_id, uid in await session.execute(statement)}


def _ids(items: Iterable[TaskCreate], field: str) -> set[int]:
    return {getattr(item, field) for item in items} - {None}


def _find(known: dict[int, Any], wanted: int | None, pointer: str, kind: str) -> Any:
    return None if wanted is None else _require(known.get(wanted), pointer, kind)


def _require(found: Any, pointer: str, kind: str) -> Any:
    if found is None:
        raise invalid(pointer, f"names no {kind} that you can see", "not_found")
    return found
