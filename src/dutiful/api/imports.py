"""Files of other programs."""

from typing import Annotated, Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from dutiful.api.deps import CurrentActor, Db
from dutiful.api.transaction import TransactionRoute
from dutiful.database.session import Rollback
from dutiful.imports import service
from dutiful.imports.source import ImportReport
from dutiful.imports.taskwarrior import READERS
from dutiful.vocabulary import IdParameter, TimeZoneName

router = APIRouter(prefix="/imports", tags=["imports"], route_class=TransactionRoute)

# Reading a large file takes a second and many times its size in memory: beside the event loop, and few at once.
_AT_A_TIME = CapacityLimiter(2)

FILE_BODY = {
    "requestBody": {
        "required": True,
        "description": "The file as it is, under any content type.",
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"},
                "example": '[{"uuid": "9b2d5c8e-1f64-4f0e-8a57-2f6f1c3f1f10", "description": "Renew passport"}]',
            }
        },
    }
}


@router.post("/{format}", openapi_extra=FILE_BODY)
async def import_file(
    format: Literal["taskwarrior"],  # noqa: A002 - the name in the path
    request: Request,
    db: Db,
    actor: CurrentActor,
    workspace_id: Annotated[
        IdParameter | None, Query(description="By default the personal workspace.")
    ] = None,
    timezone: Annotated[
        TimeZoneName | None, Query(description="Instead of the zone of your profile.")
    ] = None,
    dry_run: Annotated[bool, Query(description="Tell what would happen; write nothing.")] = False,
) -> ImportReport:
    report = ImportReport(format=format, dry_run=dry_run)
    read, zone = READERS[format], timezone or actor.timezone
    sources = await to_thread.run_sync(read, await request.body(), zone, report, limiter=_AT_A_TIME)
    await service.run(db, actor, workspace_id or actor.personal_workspace_id, sources, report)
    if dry_run:
        raise Rollback(Response(report.model_dump_json(), media_type="application/json"))
    return report
