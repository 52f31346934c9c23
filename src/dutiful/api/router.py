"""The table of contents of the REST API."""

from fastapi import APIRouter

from dutiful.api.transaction import TransactionRoute


def api_router() -> APIRouter:
    router = APIRouter(prefix="/api/v1", route_class=TransactionRoute)
    return router
