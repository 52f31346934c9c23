"""What is told of every request: a line in the log, a figure in the metrics, an attribute on its span."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from opentelemetry import trace
from prometheus_client import Histogram
from starlette.types import Scope

from dutiful import logs, metrics
from dutiful.plain import one_line

UNMATCHED = "(no route)"
SLOW_SECONDS = 1.0
NO_ANSWER = 499
"""The status told of a request that ended before it was answered, as when its client hung up. nginx's number."""

# Long enough to be the secret of a link. No name or id in our paths is.
_SECRET = re.compile(r"[^/]{20,}")
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""What programs that watch the server ask for, every few seconds."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observer:
    """One for each application."""

    def __init__(self) -> None:
        self._templates: dict[int, str] = {}
        self._histograms: dict[tuple[str, str, int], Histogram] = {}

    def began(self, scope: Scope) -> None:
        metrics.REQUESTS_IN_PROGRESS.inc()
        # Only there when telemetry was asked for.
        if "fastapi.telemetry" in scope:
            _mark_span(scope)

    def ended(self, scope: Scope, status: int, seconds: float) -> None:
        metrics.REQUESTS_IN_PROGRESS.dec()
        status = status or NO_ANSWER
        route = self._route(scope)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        is_stream = scope["state"].get("is_stream", False)
        if not is_stream:
            # How long somebody listened is no measure of the server.
            self._histogram(route, method, status // 100).observe(seconds)
        _log(scope, route, status, seconds, is_slow=seconds > SLOW_SECONDS and not is_stream)

    def _histogram(self, route: str, method: str, hundreds: int) -> Histogram:
        key = (route, method, hundreds)
        found = self._histograms.get(key)
        if found is None:
            found = self._histograms[key] = metrics.REQUEST_SECONDS.labels(route, method, f"{hundreds}xx")
        return found

    def _route(self, scope: Scope) -> str:
        """The path as the route has it. Never the path that was asked for: there is no end of those."""
        route = scope.get("route")
        if route is None:
            return UNMATCHED
        found = self._templates.get(id(route))
        if found is None:
            self._templates = _templates(scope["app"])
            found = self._templates.setdefault(id(route), getattr(route, "path", UNMATCHED))
        return found


def _templates(app: FastAPI) -> dict[int, str]:
    """A route knows its own path, and only the application the prefix before it."""
    return {id(each.original_route): each.path for each in iter_route_contexts(app.routes) if each.path}


def _log(scope: Scope, route: str, status: int, seconds: float, *, is_slow: bool) -> None:
    if is_slow or status >= 500:
        level = logging.WARNING
    else:
        # Probes come every few seconds and say nothing as long as all is well.
        level = logging.DEBUG if route in PROBES else logging.INFO
    if not logs.access.isEnabledFor(level):
        return
    milliseconds = round(seconds * 1000, 1)
    path = _told(scope["path"])
    fields: Mapping[str, Any] = {
        "method": scope["method"],
        "path": path,
        "route": route,
        "status": status,
        "duration_ms": milliseconds,
        "user_id": getattr(scope["state"].get("actor"), "user_id", None),
        "client": scope["client"][0] if scope["client"] else None,
    }
    words = "%s %s %d in %s ms, slow" if is_slow else "%s %s %d in %s ms"
    logs.access.log(level, words, scope["method"], path, status, milliseconds, extra={"fields": fields})


def _told(path: str) -> str:
    """Without secrets, and without what would begin a line of its own or be obeyed by a terminal."""
    return one_line(_SECRET.sub("…", path) if len(path) > 20 else path, keep_spaces=True)


def _mark_span(scope: Scope) -> None:
    span = trace.get_current_span()
    span.set_attribute("url.path", _told(scope["path"]))
    span.set_attribute("dutiful.request_id", str(scope["state"]["request_id"]))
    if scope["query_string"]:
        # What people search for is theirs.
        span.set_attribute("url.query", "REDACTED")
