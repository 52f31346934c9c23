"""The composition root: the only module that knows every other."""

import gc
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import SecretStr
from sqlalchemy import URL
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from dutiful import __version__, telemetry
from dutiful.accounts.authentication import usable_tokens
from dutiful.api import docs_page
from dutiful.api.express import ExpressLane
from dutiful.api.fair_share import FairShare
from dutiful.api.health import health_router
from dutiful.api.metrics import metrics_router, watch
from dutiful.api.observing import Observer
from dutiful.api.openapi import describe
from dutiful.api.problems import add_problem_handlers
from dutiful.api.rate_limits import RateLimits
from dutiful.api.request_id import RequestIdMiddleware
from dutiful.api.router import api_router
from dutiful.changes.live import LiveFeed
from dutiful.changes.wakeups import Wakeups
from dutiful.database import migrate
from dutiful.database.direct import create_direct_pool
from dutiful.database.engine import create_engine, create_engine_without_pool
from dutiful.database.session import Database, OwnCommits
from dutiful.settings import Settings
from dutiful.workers import Loop, at_work
from dutiful.workers.housekeeping import keep_house
from dutiful.workers.mails import send_mails
from dutiful.workers.measuring import keep_measuring

LOOPS: tuple[Loop, ...] = (
    keep_house,
    keep_measuring,
    send_mails,
)


def create_app(settings: Settings, database_url: URL | str) -> FastAPI:
    """The application on one database. Nothing is opened before its lifespan starts."""
    if settings.secret_key is None:
        # For whoever runs the application without `dutiful serve`: what is signed is good as long as the process lives.
        settings = settings.model_copy(update={"secret_key": SecretStr(secrets.token_urlsafe(48))})

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.database = Database(create_engine(settings, database_url))
        app.state.direct_pool = create_direct_pool(settings, database_url)
        app.state.own_commits = OwnCommits(create_engine_without_pool(settings, database_url))
        watch(app.state.database)
        app.state.schema_revision = migrate.head()
        _calm_garbage_collector()
        app.state.live_feed = LiveFeed(app.state.database, usable_tokens, _wakeups(settings, database_url))
        async with at_work(LOOPS, app.state.database, settings):
            yield
        await app.state.live_feed.close()
        await app.state.direct_pool.close()
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
        telemetry=telemetry.config(),
        generate_unique_id_function=_operation_id,
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    app.state.settings = settings
    app.state.fair_share = FairShare(settings)
    # Set when the server was told to stop: what is being answered is finished, and nothing new should come.
    app.state.draining = False
    add_problem_handlers(app)
    app.include_router(health_router())
    app.include_router(metrics_router())
    app.include_router(api_router())
    app.include_router(docs_page.router)
    return app


class _Application(FastAPI):
    """With our middleware around FastAPI's own, whose answers need a request id too."""

    def build_middleware_stack(self) -> ASGIApp:
        settings: Settings = self.state.settings
        app: ASGIApp = ExpressLane(super().build_middleware_stack())
        app = RateLimits(app, settings.rate_limit_per_user, settings.rate_limit_per_address)
        if origins := settings.cors_origins:
            app = CORSMiddleware(
                app,
                allow_origins=list(origins),
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
        return RequestIdMiddleware(app, self.max_body_size or 0, Observer())

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = describe(self)
        return self.openapi_schema


def _wakeups(settings: Settings, database_url: URL | str) -> Wakeups | None:
    """None for a process that has its private PostgreSQL for itself."""
    if settings.uses_embedded_database and settings.workers == 1:
        return None
    return Wakeups(create_engine_without_pool(settings, database_url))


def _operation_id(route: APIRoute) -> str:
    return route.name


def _calm_garbage_collector() -> None:
    """What start-up made lives as long as the process: looking through it again and again cost 60 ms at the 99th
    percentile (measured; see docs/decisions)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
