"""OpenTelemetry, by what FastAPI brings: off unless the standard variables name a collector."""

import logging
import os
from importlib.util import find_spec

from fastapi.telemetry import TelemetryConfig
from starlette.types import Scope

_ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
)
_OFF = TelemetryConfig(tracing=False, metrics=False, logs=False, auto_configure=False)
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})

log = logging.getLogger(__name__)


def config() -> TelemetryConfig:
    """For `FastAPI(telemetry=…)`. Everything else is read from the `OTEL_*` variables by the SDK itself."""
    asked = next((name for name in _ENDPOINTS if os.environ.get(name)), None)
    if asked is None or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return _OFF
    if not _is_installed():
        log.warning(
            "%s is set, but the parts for it are not installed. In a clone of the repository: pip install '.[telemetry]'",
            asked,
        )
        return _OFF
    os.environ.setdefault("OTEL_SERVICE_NAME", "dutiful")
    return TelemetryConfig(auto_configure=True, exclude=_is_probe)


def _is_installed() -> bool:
    try:
        return all(map(find_spec, ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")))
    except ModuleNotFoundError:
        return False


def _is_probe(scope: Scope) -> bool:
    return scope.get("path") in _PROBES
