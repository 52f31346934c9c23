"""Several operations, of several kinds, in one transaction."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field, TypeAdapter

from dutiful.access import Actor
from dutiful.api.deps import CurrentActor, Db
from dutiful.api.idempotency import remade_by
from dutiful.api.representations import represent
from dutiful.api.transaction import TransactionRoute
from dutiful.batches import service
from dutiful.batches.schemas import BatchDone, Operation, OperationDone
from dutiful.batches.service import Done
from dutiful.database.session import Writer

MOST_OPERATIONS = 1000

router = APIRouter(tags=["batch"], route_class=TransactionRoute)

Operations = Annotated[list[Operation], Field(min_length=1, max_length=MOST_OPERATIONS)]


async def _remake(session: Writer, actor: Actor, kept: Sequence[int], request: Request) -> bytes:
    operations = TypeAdapter(Operations).validate_json(await request.body())
    done = await service.find_done(session, actor, operations, [abs(one) for one in kept])
    # What was deleted in the batch is not shown, even if somebody has restored it since.
    shown = [
        Done(one.operation, one.id, one.thing if kept_id > 0 else None)
        for one, kept_id in zip(done, kept, strict=True)
    ]
    return _answer(shown).model_dump_json().encode()


@router.post("/batch", response_model=BatchDone, responses={412: {}})
@remade_by(_remake)
async def run_batch(body: Operations, db: Db, actor: CurrentActor, request: Request) -> Any:
    """All or none; an error points to its operation (`/3/data/title`)."""
    done = await service.run(db, actor, body)
    # The request says the rest when the answer is made again; below zero is what the batch deleted.
    request.state.made_ids = [one.id if one.thing is not None else -one.id for one in done]
    return _answer(done)


def _answer(done: Sequence[Done]) -> BatchDone:
    return BatchDone(count=len(done), items=[_done(one) for one in done])


def _done(done: Done) -> OperationDone:
    operation = done.operation
    item = None if done.thing is None else represent(done.thing)
    return OperationDone(op=operation.op, type=operation.type, id=done.id, ref=operation.ref, item=item)
