"""Whether the process lives and whether it can work."""

from fastapi import APIRouter, Request
from sqlalchemy import text

from dutiful.database.session import Database


def health_router() -> APIRouter:
    """Outside `/api/v1`, without a token: probes have none."""
    router = APIRouter(tags=["health"])
    router.add_api_route("/healthz", health, name="get_health", summary="Is the process alive?")
    router.add_api_route("/readyz", readiness, name="get_readiness", summary="Can it reach its database?")
    return router


async def health() -> dict[str, str]:
    return {"status": "ok"}


async def readiness(request: Request) -> dict[str, str]:
    database: Database = request.app.state.database
    async with database.read() as session:
        await session.execute(text("SELECT 1"))
    return {"status": "ok"}
