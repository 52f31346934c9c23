"""Whether the process lives and whether it can work."""

from fastapi import APIRouter, Request
from sqlalchemy import text

from dutiful.database.session import Database, Reader
from dutiful.errors import Unavailable


def health_router() -> APIRouter:
    """Outside `/api/v1`, without a token: probes have none."""
    router = APIRouter(tags=["health"])
    for path, endpoint, name, question in (
        ("/healthz", health, "get_health", "Is the process alive?"),
        ("/readyz", readiness, "get_readiness", "Can it reach its database, and is that up to date?"),
    ):
        router.add_api_route(path, endpoint, name=name, summary=question)
        router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    return router


async def health() -> dict[str, str]:
    return {"status": "ok"}


async def readiness(request: Request) -> dict[str, str]:
    database: Database = request.app.state.database
    revision = await database.run_read(_revision)
    if revision != request.app.state.schema_revision:
        raise Unavailable("The database has another schema than this program. Run `dutiful db upgrade`.")
    return {"status": "ok"}


async def _revision(session: Reader) -> str | None:
    revision: str | None = await session.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
