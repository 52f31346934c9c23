"""Tasks."""

import datetime as dt
import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter

from dutiful.access import Actor, get
from dutiful.api.deps import CurrentActor, Db, IfMatch, ReadDb, WantedSlice
from dutiful.api.headers import created, tagged
from dutiful.api.idempotency import remade_by
from dutiful.api.rendered import rendered_page
from dutiful.api.transaction import TransactionRoute
from dutiful.database.session import Writer
from dutiful.filtering import MOST_CHARACTERS as LONGEST_FILTER
from dutiful.models import Priority, Status, Task
from dutiful.tasks import creation, queries, quick, rows, service
from dutiful.tasks.filters import Sort, TaskFilter
from dutiful.tasks.schemas import (
    MOST_IN_A_BATCH,
    QuickMade,
    QuickPreview,
    QuickText,
    TaskCreate,
    TaskMove,
    TaskOut,
    TaskPatch,
    TasksMade,
)
from dutiful.tasks.search import MOST_CHARACTERS
from dutiful.vocabulary import NO_NUL, IdParameter, Moment, Page, TimeZoneName, require_date_time

router = APIRouter(prefix="/tasks", tags=["tasks"], route_class=TransactionRoute)


_DATE_TIME: TypeAdapter[dt.datetime] = TypeAdapter(dt.datetime)


def _date_or_moment(value: Any) -> Any:
    """A bare day is a date; with anything after it a date-time, which without a zone floats."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return dt.date.fromisoformat(value)
    if isinstance(value, str):
        return _DATE_TIME.validate_python(require_date_time(value))
    return value


def _near_enough(value: dt.date) -> dt.date:
    """Where a zone's offset, or the days a bound is widened by, cannot lead out of the calendar."""
    if not dt.MINYEAR < value.year < dt.MAXYEAR:
        raise ValueError("is too far away")
    return value


Bound = Annotated[dt.date | dt.datetime, BeforeValidator(_date_or_moment), AfterValidator(_near_enough)]


async def get_task_filter(
    actor: CurrentActor,
    workspace_id: IdParameter | None = None,
    project_id: IdParameter | None = None,
    section_id: IdParameter | None = None,
    label: Annotated[str | None, Query(max_length=100, description="A label's id or name.")] = None,
    status: Status | None = None,
    priority: Priority | None = None,
    assignee_id: IdParameter | None = None,
    due_before: Annotated[Bound | None, Query(description="Exclusive; a date or a date-time.")] = None,
    due_after: Annotated[Bound | None, Query(description="Inclusive; a date or a date-time.")] = None,
    updated_after: Annotated[
        Moment | None, Query(description="Inclusive; a date-time with its zone.")
    ] = None,
    parent_id: IdParameter | None = None,
    q: Annotated[
        str | None,
        Query(
            max_length=MOST_CHARACTERS,
            description="Words in title or description, all of them: `milk`, `pass*` (begins so, as the last word does "
            'while nothing follows it), `"oat milk"` (in a row), `-bread` (not that).',
        ),
        NO_NUL,
    ] = None,
    expression: Annotated[
        str | None,
        Query(
            alias="filter",
            max_length=LONGEST_FILTER,
            description="A filter in words: conditions such as `overdue`, `due < today+7d`, `priority >= high`, `#project`, "
            "`@label`, `no date`, `assignee = me` or words to look for, joined with `and`, `or`, `not` and parentheses. "
            "What is wrong with one is told with its position.",
            openapi_examples={
                "late": {"summary": "Overdue, and pressing", "value": "overdue and priority >= high"},
                "soon": {"summary": "To be done this week", "value": "open and due < today+7d"},
                "unplanned": {"summary": "Inbox without dates", "value": "#Inbox no date"},
                "mine": {"summary": "Mine, or nobody's", "value": "open (assignee = me or no assignee)"},
            },
        ),
        NO_NUL,
    ] = None,
    sort: Sort = Sort.ID,
    timezone: Annotated[
        TimeZoneName | None, Query(description="Instead of the zone of your profile.")
    ] = None,
) -> TaskFilter:
    return TaskFilter(
        timezone=timezone or actor.timezone,
        workspace_id=workspace_id,
        project_id=project_id,
        section_id=section_id,
        parent_id=parent_id,
        label=label,
        assignee_id=assignee_id,
        status=status,
        priority=priority,
        due_before=due_before,
        due_after=due_after,
        updated_after=updated_after,
        q=q,
        expression=expression,
        sort=sort,
    )


@router.get("", response_model=Page[TaskOut])
async def list_tasks(
    db: ReadDb,
    actor: CurrentActor,
    wanted: WantedSlice,
    task_filter: Annotated[TaskFilter, Depends(get_task_filter)],
) -> Response:
    found, next_cursor = await queries.page(db, actor, wanted, task_filter)
    return rendered_page([rows.as_json(row) for row in found], next_cursor)


@router.post("", status_code=201, response_model=TaskOut)
async def create_task(body: TaskCreate, db: Db, actor: CurrentActor, response: Response) -> Task:
    task = await creation.create(db, actor, body)
    return created(response, task, f"/api/v1/tasks/{task.id}")


@router.post(
    "/quick",
    status_code=201,
    response_model=QuickMade,
    responses={200: {"model": QuickPreview, "description": "A preview; nothing was written."}},
)
async def quick_add(body: QuickText, db: Db, actor: CurrentActor, response: Response) -> Any:
    """A task from one line: what it says of date, repetition, `#project`, `@labels`, `!priority` and `//description` is
    taken out of the title, and told in `spans`. What stands in quotes is left alone."""
    said = await quick.read(db, actor, body)
    if body.preview:
        told = QuickPreview.model_validate({"task": said, "spans": said.spans}, from_attributes=True)
        return JSONResponse(told.model_dump(mode="json"))
    task = await quick.create(db, actor, said, body.workspace_id)
    response.headers["Location"] = f"/api/v1/tasks/{task.id}"
    return {"task": task, "spans": said.spans}


async def _remake_batch(session: Writer, actor: Actor, task_ids: Any, _: Request) -> bytes:
    tasks = await queries.get_many(session, actor, task_ids)
    made = TasksMade(created=len(tasks), items=[TaskOut.model_validate(task) for task in tasks])
    return made.model_dump_json().encode()


@router.post("/batch", status_code=201, response_model=TasksMade)
@remade_by(_remake_batch)
async def create_tasks(
    body: Annotated[list[TaskCreate], Field(min_length=1, max_length=MOST_IN_A_BATCH)],
    db: Db,
    actor: CurrentActor,
    request: Request,
) -> Any:
    """All of them in one transaction, or none."""
    tasks = await creation.create_many(db, actor, body)
    request.state.made_ids = [task.id for task in tasks]
    return {"created": len(tasks), "items": tasks}


@router.get("/{task_id}", response_model=TaskOut)
async def get_task(task_id: IdParameter, db: ReadDb, actor: CurrentActor, response: Response) -> Task:
    return tagged(response, await get(db, actor, Task, task_id))


@router.put("/{task_id}", name="replace_task", response_model=TaskOut)
@router.patch("/{task_id}", response_model=TaskOut)
async def update_task(
    task_id: IdParameter, body: TaskPatch, db: Db, actor: CurrentActor, if_match: IfMatch, response: Response
) -> Task:
    """Only what is sent changes. PUT does the same, so a client that knows fewer fields wipes none."""
    return tagged(response, await service.update(db, actor, task_id, body, if_match))


@router.delete("/{task_id}", status_code=204)
async def delete_task(task_id: IdParameter, db: Db, actor: CurrentActor, if_match: IfMatch) -> None:
    await service.delete(db, actor, task_id, if_match)


@router.post("/{task_id}/move", response_model=TaskOut)
async def move_task(
    task_id: IdParameter, body: TaskMove, db: Db, actor: CurrentActor, if_match: IfMatch, response: Response
) -> Task:
    return tagged(response, await service.move(db, actor, task_id, body, if_match))


@router.post("/{task_id}/skip", response_model=TaskOut)
async def skip_task(
    task_id: IdParameter, db: Db, actor: CurrentActor, if_match: IfMatch, response: Response
) -> Task:
    """Puts a task that repeats off to the next date of its series, without making another of it."""
    return tagged(response, await service.skip(db, actor, task_id, if_match))


@router.post("/{task_id}/restore", response_model=TaskOut)
async def restore_task(
    task_id: IdParameter, db: Db, actor: CurrentActor, if_match: IfMatch, response: Response
) -> Task:
    return tagged(response, await service.restore(db, actor, task_id, if_match))
