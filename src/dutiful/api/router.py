"""The table of contents of the REST API."""

from fastapi import APIRouter

from dutiful.api import batch, imports, tasks


def api_router() -> APIRouter:
    router = APIRouter(prefix="/api/v1")
    router.include_router(tasks.router)
    router.include_router(batch.router)
    router.include_router(imports.router)
    return router
