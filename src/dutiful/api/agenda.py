"""The agenda."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Response

from dutiful.api.deps import CurrentActor, ReadDb
from dutiful.api.rendered import rendered
from dutiful.api.transaction import TransactionRoute
from dutiful.tasks import agenda
from dutiful.tasks.agenda import AgendaAsked
from dutiful.tasks.schemas import TaskOut
from dutiful.vocabulary import IdParameter, Output, TimeZoneName

router = APIRouter(prefix="/agenda", tags=["tasks"], route_class=TransactionRoute)


class AgendaPart(Output):
    """`count` is of all of them, `items` are the first."""

    count: int
    items: list[TaskOut]


class AgendaDay(AgendaPart):
    date: date


class Agenda(Output):
    date: date
    timezone: str
    overdue: AgendaPart
    days: list[AgendaDay]


@router.get("", response_model=Agenda)
async def get_agenda(
    db: ReadDb,
    actor: CurrentActor,
    days: Annotated[int, Query(ge=1, le=31, description="How many, today included.")] = 7,
    limit: Annotated[int, Query(ge=1, le=200, description="Tasks of each part; all are counted.")] = 50,
    workspace_id: Annotated[IdParameter | None, Query(description="Instead of all of yours.")] = None,
    timezone: Annotated[
        TimeZoneName | None, Query(description="Whose days these are; by default that of your profile.")
    ] = None,
) -> Response:
    """The open tasks that are late, and those of today and the days to come, each in the order of their time. Late is what
    was due before now; all-day tasks are so when their day is over."""
    asked = AgendaAsked(
        timezone=timezone or actor.timezone, days=days, limit=limit, workspace_id=workspace_id
    )
    return rendered(await agenda.agenda(db, actor, asked))
