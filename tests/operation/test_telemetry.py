"""OpenTelemetry, to a collector that keeps what it is sent."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.cli.programs import Serving, data_folder

from dutiful import telemetry


@pytest.fixture
def collector() -> Iterator["Collector"]:
    with Collector() as collector:
        yield collector


class Collector(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keep)
        self.sent: list[tuple[str, bytes]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list[dict[str, Any]]:
        """Attributes of each, with its name and service."""
        found = []
        for path, body in self.sent:
            if path != "/v1/traces":
                continue
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = {one.key: one.value.string_value for one in of_resource.resource.attributes}[
                    "service.name"
                ]
                for of_scope in of_resource.scope_spans:
                    for span in of_scope.spans:
                        attributes = {one.key: one.value.string_value for one in span.attributes}
                        found.append({"name": span.name, "service": service, **attributes})
        return found


class _Keep(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.sent.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name is given
        pass


def test_spans_carry_route_and_request_id_and_no_secret(public_tmp: Path, collector: Collector) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(data_folder(public_tmp))
        serving = stack.enter_context(
            closing(Serving(folder, "--workers", "2", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url))
        )
        serving.wait_until_ready()
        with serving.client() as client:
            response = client.get("/tasks", params={"q": "passport"})
            client.get("/invitations/0123456789abcdef-secret")
        assert serving.end() == 0
    spans = collector.spans()
    (span,) = [one for one in spans if one["name"] == "GET /api/v1/tasks"]
    assert span["service"] == "dutiful"
    assert span["http.route"] == "/api/v1/tasks"
    assert span["dutiful.request_id"] == response.headers["X-Request-Id"]
    everything = b"".join(body for _, body in collector.sent)
    assert b"passport" not in everything
    assert b"0123456789abcdef-secret" not in everything
    assert {path for path, _ in collector.sent} >= {"/v1/traces", "/v1/metrics"}


def test_it_is_off_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in telemetry._ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    assert not telemetry.config()["tracing"]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    assert telemetry.config()["auto_configure"]
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not telemetry.config()["auto_configure"]


def test_what_is_not_installed_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setattr(telemetry, "find_spec", lambda _: None)
    assert not telemetry.config()["tracing"]
    (line,) = caplog.messages
    assert line.startswith("OTEL_EXPORTER_OTLP_ENDPOINT is set")
    assert line.endswith("pip install '.[telemetry]'")
