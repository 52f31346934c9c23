"""Whether the process lives and whether it can work."""

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import text

from dutiful.database.session import Database, Reader
from dutiful.errors import Unavailable

_ALWAYS: dict[int | str, dict[str, Any]] = {}
_UNLESS_NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"description": "Not now: no database, another schema, or the server is being stopped."}
}


def health_router() -> APIRouter:
    """Outside `/api/v1`, without a token: probes have none."""
    router = APIRouter(tags=["health"])
    for path, endpoint, name, question, answers in (
        ("/healthz", health, "get_health", "Is the process alive?", _ALWAYS),
        ("/readyz", readiness, "get_readiness", "Can it be sent requests?", _UNLESS_NOT_READY),
    ):
        router.add_api_route(path, endpoint, name=name, summary=question, responses=answers)
        router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    return router


async def health() -> dict[str, str]:
    return {"status": "ok"}


async def readiness(request: Request) -> dict[str, str]:
    if request.app.state.draining:
        raise Unavailable("The server is being stopped. Ask another one.", code="draining")
    database: Database = request.app.state.database
    revision = await database.run_read(_revision)
    if revision != request.app.state.schema_revision:
        raise Unavailable("The database has another schema than this program. Run `dutiful db upgrade`.")
    return {"status": "ok"}


async def _revision(session: Reader) -> str | None:
    revision: str | None = await session.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
