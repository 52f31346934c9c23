"""The figures of this server, for Prometheus."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from sqlalchemy import Connection, ExceptionContext, event
from starlette.responses import Response

from dutiful import metrics
from dutiful.access import Actor
from dutiful.accounts.authentication import authenticate
from dutiful.api.this_machine import is_from_this_machine
from dutiful.database.session import Database, Reader
from dutiful.errors import Forbidden, Unauthenticated

_KINDS = {
    "40001": "collision",
    "40P01": "collision",
    "55P03": "lock_timeout",
    "57014": "cancelled",
    "53100": "full",
    "53300": "full",
}


def metrics_router() -> APIRouter:
    """Outside `/api/v1`."""
    router = APIRouter(tags=["health"])
    router.add_api_route(
        "/metrics",
        get_metrics,
        name="get_metrics",
        summary="What is counted, for Prometheus",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            401: {"description": "Asked from elsewhere, without a token that works."},
            403: {"description": "Asked from elsewhere, by somebody who does not administer the server."},
            503: {"description": "The token could not be looked up."},
        },
    )
    return router


async def get_metrics(request: Request) -> Response:
    """All workers together. From this machine without a token, else with one of an administrator of the server."""
    database: Database = request.app.state.database
    if not is_from_this_machine(request.scope):
        await _require_administrator(request, database)
    metrics.sample(database.engine.pool)
    return Response(metrics.exposition(), media_type=metrics.MEDIA_TYPE)


async def _require_administrator(request: Request, database: Database) -> None:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated(
            "From elsewhere a token is needed: send one of an administrator as “Authorization: Bearer dtf_…”."
        )

    async def work(session: Reader) -> Actor:
        return await authenticate(session, secret.strip(), request.state.request_id)

    if not (await database.run_read(work)).is_admin:
        raise Forbidden("Only administrators of this server may read its metrics.")


def watch(database: Database) -> None:
    """Counts what becomes of the transactions of `database`, and how long connections are waited for."""
    engine = database.engine.sync_engine
    database.on_commit.append(_on_commit)
    event.listen(engine, "rollback", _on_rollback)
    event.listen(engine, "handle_error", _on_error)
    metrics.time_waiting(engine.pool)


def _on_commit(appended: Mapping[int, int]) -> None:
    metrics.COMMITTED.inc()
    metrics.CHANGES.inc(sum(appended.values()))


def _on_rollback(connection: Connection) -> None:
    # A read ends this way too.
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        metrics.TRANSACTIONS.labels("rolled_back").inc()


def _on_error(context: ExceptionContext) -> None:
    state = str(getattr(context.original_exception, "sqlstate", None) or "")
    # Integrity is a matter of what was asked for, not of the database.
    if not state.startswith("23"):
        kind = "disconnect" if context.is_disconnect else _KINDS.get(state, "other")
        metrics.DB_ERRORS.labels(kind).inc()
