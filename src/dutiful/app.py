"""The composition root: the only module that knows every other."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import URL
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from dutiful import __version__
from dutiful.api.health import health_router
from dutiful.api.problems import add_problem_handlers
from dutiful.api.request_id import RequestIdMiddleware
from dutiful.api.router import api_router
from dutiful.database import migrate
from dutiful.database.engine import create_engine
from dutiful.database.session import Database
from dutiful.settings import Settings


def create_app(settings: Settings, database_url: URL | str) -> FastAPI:
    """The application on one database. Nothing is opened before its lifespan starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.database = Database(create_engine(settings, database_url))
        app.state.schema_revision = migrate.head()
        _calm_garbage_collector()
        yield
        await app.state.database.close()

    app = _Application(
        title="Dutiful",
        version=__version__,
        summary="Tasks, kept: what was answered is committed.",
        lifespan=lifespan,
        # A redirect would name the host that the request names.
        redirect_slashes=False,
        # FastAPI's pages load their scripts from elsewhere, which a server without internet cannot.
        docs_url=None,
        redoc_url=None,
        max_body_size=settings.max_body_bytes,
        generate_unique_id_function=_operation_id,
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    app.state.settings = settings
    add_problem_handlers(app)
    app.include_router(health_router())
    app.include_router(api_router())
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=[
                "ETag",
                "Location",
                "Dutiful-Cursor",
                "Idempotency-Replayed",
                "Retry-After",
                "X-Request-Id",
            ],
        )
    return app


class _Application(FastAPI):
    """With our middleware around FastAPI's own, whose answers need a request id too."""

    def build_middleware_stack(self) -> ASGIApp:
        return RequestIdMiddleware(super().build_middleware_stack(), self.max_body_size or 0)


def _operation_id(route: APIRoute) -> str:
    return route.name


def _calm_garbage_collector() -> None:
    """What start-up made lives as long as the process: looking through it again and again cost 60 ms at the 99th
    percentile (measured; see docs/decisions)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
