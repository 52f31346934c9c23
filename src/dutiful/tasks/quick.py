"""A task from one line of text (see `quickadd`), in the workspaces of a person."""

from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy import select

from dutiful import clock, quickadd
from dutiful.access import Actor
from dutiful.database.session import Writer
from dutiful.errors import Place, invalid
from dutiful.filtering.tree import FilterError, Named
from dutiful.labels.schemas import LONGEST_NAME
from dutiful.models import Project, Task, User
from dutiful.quickadd import QuickTask
from dutiful.tasks import creation, naming
from dutiful.tasks.schemas import LONGEST_TITLE, MOST_LABELS, QuickText, RecurrenceFields, TaskCreate
from dutiful.vocabulary import WhenFields


async def read(session: Writer, actor: Actor, body: QuickText) -> QuickTask:
    """What the text says, by the clock and the calendar of the person."""
    week_start = await session.scalar(select(User.week_start).where(User.id == actor.user_id)) or 1
    now = body.now or clock.now()
    if now.tzinfo is not None:
        now = now.astimezone(ZoneInfo(body.timezone or actor.timezone)).replace(tzinfo=None)
    return quickadd.parse(body.text, now, body.timezone, week_start=week_start - 1)


async def create(session: Writer, actor: Actor, said: QuickTask, workspace_id: int | None) -> Task:
    _check(said)
    project = None if said.project is None else await _find_project(session, actor, said, workspace_id)
    item = TaskCreate(
        title=said.title,
        description=said.description,
        priority=said.priority,
        workspace_id=workspace_id if project is None else project.workspace_id,
        project_id=None if project is None else project.id,
        labels_add=list(said.labels),
        due=_due(said),
        recurrence=None
        if said.recurrence is None
        else RecurrenceFields.model_validate(said.recurrence, from_attributes=True),
    )
    return await creation.create(session, actor, item)


def _due(said: QuickTask) -> WhenFields | None:
    try:
        return None if said.due is None else WhenFields.model_validate(said.due, from_attributes=True)
    except ValidationError as error:
        raise invalid("/text", "has a date that is too far away") from error


def _check(said: QuickTask) -> None:
    if not said.title:
        raise invalid("/text", "has nothing to do: say it in some words besides date, project and labels")
    if len(said.title) > LONGEST_TITLE:
        raise invalid(
            "/text", f"makes a title of more than {LONGEST_TITLE} characters; put the rest behind “//”"
        )
    if len(said.labels) > MOST_LABELS:
        raise invalid("/text", f"has more than {MOST_LABELS} labels")
    for label in said.labels:
        if len(label) > LONGEST_NAME:
            raise invalid("/text", f"has a label of more than {LONGEST_NAME} characters")


async def _find_project(session: Writer, actor: Actor, said: QuickTask, workspace_id: int | None) -> Project:
    """The one of this name in the workspace; without one, the person's own before those of others. Raises Invalid."""
    (span,) = (span for span in said.spans if span.kind == "project")
    place = Place(span.start, span.end - span.start)
    try:
        ids = await naming.find(session, actor, [Named("project", span.value, place, sign="#")])
    except FilterError as error:
        raise invalid("/text", error.detail, "not_found", error.place, error.suggestion) from error
    named = select(Project).where(Project.id.in_(ids["project", span.value])).order_by(Project.id)
    if workspace_id is not None:
        named = named.where(Project.workspace_id == workspace_id)
    found = (await session.scalars(named)).all()
    own = [project for project in found if project.workspace_id == actor.personal_workspace_id]
    if not found:
        raise invalid(
            "/text", f"names a project “{span.value}”, which that workspace has not", "not_found", place
        )
    if len(found) > 1 and not own:
        detail = f"names a project “{span.value}”, which several workspaces have: send “workspace_id” too"
        raise invalid("/text", detail, place=place)
    return (own or found)[0]
