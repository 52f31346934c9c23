"""What a rule of repetition means, before a task has it."""

from typing import Any

from fastapi import APIRouter

from dutiful.api.deps import CurrentActor
from dutiful.api.transaction import TransactionRoute
from dutiful.tasks import repeating
from dutiful.tasks.schemas import RecurrenceAsked, RecurrencePreview

router = APIRouter(prefix="/recurrence", tags=["tasks"], route_class=TransactionRoute)


@router.post("/preview", response_model=RecurrencePreview)
async def preview_recurrence(body: RecurrenceAsked, actor: CurrentActor) -> Any:
    """The rule in words, and its next dates. Nothing is written."""
    return repeating.preview(body, actor)
