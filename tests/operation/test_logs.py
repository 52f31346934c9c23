"""What the server tells, and what it never does."""

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import URL, create_engine, text
from tests.cli.programs import Serving, data_folder
from tests.support.contract import hold_to_contract_blocking
from tests.support.live import Events, serving
from tests.support.people import Person

from dutiful import logs
from dutiful.api import stream
from dutiful.changes.cursor import encode_cursor
from dutiful.settings import Settings


def lines(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines()]


def test_a_run_full_of_secrets_leaves_none_of_them_in_the_log(public_tmp: Path) -> None:
    """At the level that tells most."""
    secrets = {
        name: f"{name}-0123456789abcdef"
        for name in ("password", "cookie", "query", "path", "token", "title", "reset", "header")
    }
    with ExitStack() as stack:
        folder = stack.enter_context(data_folder(public_tmp))
        serving = stack.enter_context(
            closing(Serving(folder, DUTIFUL_LOG_FORMAT="json", DUTIFUL_LOG_LEVEL="debug"))
        )
        serving.wait_until_ready()
        owner = (folder / "owner-token").read_text().strip()
        headers = {"Authorization": f"Bearer {owner}"}
        hooks = {"response": [hold_to_contract_blocking]}
        with httpx.Client(base_url=serving.address, headers=headers, event_hooks=hooks) as client:
            made = client.post("/api/v1/tasks", json={"title": secrets["title"]})
            assert made.status_code == 201
            client.get("/api/v1/tasks", params={"q": secrets["query"], "token": secrets["query"]})
            client.get(f"/api/v1/invitations/{secrets['path']}")
            client.post(f"/api/v1/password-resets/{secrets['path']}", json={"password": secrets["password"]})
            client.get("/api/v1/tasks", headers={"Authorization": f"Bearer {secrets['token']}"})
            client.get("/api/v1/tasks", headers={"Cookie": f"session={secrets['cookie']}"})
            client.get("/healthz", headers={"X-Secret": secrets["header"]})
            signing_in = {"email": "nobody@example.org", "password": secrets["password"]}
            client.post("/api/v1/sessions", json=signing_in)
            client.post("/api/v1/users/me/password", json={"current": secrets["password"]})
            client.post("/api/v1/tokens", json={"name": "x", "scopes": ["read"], "token": secrets["reset"]})
            client.post("/api/v1/tasks", content=b'{"title": "' + secrets["password"].encode())
            token = client.post("/api/v1/tokens", json={"name": "made", "scopes": ["read"]}).json()
        assert serving.end() == 0
        said = serving.said
    told = [one for one in lines(said) if one["logger"] == "dutiful.access"]
    assert len(told) >= 12
    assert [one for one in told if one["request_id"] == made.headers["X-Request-Id"]] == [
        {
            **told[0],
            "method": "POST",
            "path": "/api/v1/tasks",
            "route": "/api/v1/tasks",
            "status": 201,
            "user_id": 1,
            "client": "127.0.0.1",
        }
    ]
    shown = [value for value in token.values() if isinstance(value, str) and value.startswith("dtf_")]
    assert shown
    for secret in (*secrets.values(), owner, *shown):
        assert secret not in said


async def test_what_nobody_foresaw_is_told_with_its_traceback_and_request(
    settings: Settings, database_url: URL, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        logging.getLogger("tests").warning("on the way")
        raise ZeroDivisionError("for nobody's eyes")

    ids: dict[str, str] = {}

    def note(record: logging.LogRecord) -> bool:
        ids[record.name] = logs.request_id.get()
        return True

    caplog.handler.addFilter(note)
    async with serving(settings, database_url) as live:
        live.app.add_api_route("/fails", fail)
        response = await live.client.get("/fails")
    assert response.status_code == 500
    assert "nobody" not in response.text
    assert "ZeroDivisionError: for nobody's eyes" in caplog.text
    assert "async def fail" not in response.text
    request_id = response.headers["X-Request-Id"]
    assert ids["uvicorn.error"] == ids["dutiful.access"] == ids["tests"] == request_id
    assert any(
        record.name == "dutiful.access" and record.levelno == logging.WARNING for record in caplog.records
    )


FORGED = "/a%0AERROR%20x%0D%1B[1m%E2%80%AE"


async def test_a_path_cannot_begin_a_line_of_the_log_nor_speak_to_the_terminal(
    anonymous: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dutiful.access")
    await anonymous.get(FORGED)
    [record] = [record for record in caplog.records if record.name == "dutiful.access"]
    assert record.getMessage().startswith("GET /a�ERROR x��[1m� 404 in ")
    assert record.__dict__["fields"]["path"] == "/a�ERROR x��[1m�"


def test_whatever_a_message_holds_only_its_first_line_looks_like_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logging_as("info", "console"):
        try:
            raise ValueError("one\n2026-11-23 10:00:00,000 ERROR forged")
        except ValueError:
            logging.getLogger("tests").exception("two\r\n2026-11-23 ERROR \x1b[1mforged\u2028three")
    first, *others = capsys.readouterr().err.splitlines()
    assert first.endswith("ERROR tests [-]: two")
    assert all(line.startswith("  ") for line in others)
    assert others[0] == "  2026-11-23 ERROR �[1mforged"
    assert "  ValueError: one" in others


def test_of_an_error_its_causes_and_its_parts_the_first_line_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What PostgreSQL and pydantic say in the others repeats what somebody sent."""
    # Not as it stands here: a traceback shows the source.
    rest = f"\nDETAIL:  Key (name)=({'-'.join('sent')})"
    with logging_as("info", "json"):
        try:
            try:
                raise ValueError(f"no such row{rest}")
            except ValueError as error:
                raise ExceptionGroup(f"two{rest}", [RuntimeError(f"one{rest}"), OSError()]) from error
        except ExceptionGroup:
            logging.getLogger("tests").exception("told")
    [line] = lines(capsys.readouterr().err)
    assert "s-e-n-t" not in line["exception"]
    told = line["exception"].splitlines()
    for expected in (
        "ValueError: no such row",
        "Which led to:",
        "ExceptionGroup: two",
        "RuntimeError: one",
        "OSError",
    ):
        assert expected in told


def test_statements_are_told_once_and_where_all_else_is(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as("info", "json"):
        engine = create_engine("sqlite://", echo=True, hide_parameters=True)
        with engine.connect() as connection:
            connection.execute(text("SELECT :it"), {"it": "secret"})
        engine.dispose()
    said = capsys.readouterr()
    assert said.out == ""
    assert [one["message"] for one in lines(said.err)][1] == "SELECT ?"
    assert "secret" not in said.err


async def test_probes_are_told_only_when_something_is_wrong(
    app: FastAPI,
    anonymous: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO, "dutiful.access")
    await anonymous.get("/readyz")
    assert caplog.messages == []
    monkeypatch.setitem(app.state._state, "draining", value=True)
    response = await anonymous.get("/readyz")
    assert (response.status_code, response.json()["code"]) == (503, "draining")
    assert response.headers["Connection"] == "close"
    assert [message.partition(" in ")[0] for message in caplog.messages] == ["GET /readyz 503"]


async def test_a_person_at_the_terminal_is_told_of_trouble_and_a_program_of_all(ana: Person) -> None:
    enabled = {}
    forms: tuple[Literal["console", "json"], ...] = ("console", "json")
    for form in forms:
        with logging_as("info", form):
            enabled[form] = [logs.access.isEnabledFor(level) for level in (logging.INFO, logging.WARNING)]
    assert enabled == {"console": [False, True], "json": [True, True]}


@contextmanager
def logging_as(level: str, form: Literal["console", "json"]) -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logs.access.level)
    try:
        logs.set_up(level, form)
        yield
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        logs.access.setLevel(before[2])


async def test_hanging_up_on_who_reads_nothing_is_no_error(
    ana: Person,
    settings: Settings,
    database_url: URL,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(stream, "PATIENCE_SECONDS", 0.1)
    for _ in range(4):
        tasks = [{"title": "x", "description": "x" * 50_000} for _ in range(50)]
        assert (await ana.post("/tasks/batch", tasks)).status_code == 201
    start = {"Last-Event-ID": encode_cursor({ana.workspace_id: 3})}
    with caplog.at_level(logging.WARNING):
        async with serving(settings, database_url) as live:
            sleeper = await Events.open(live.port, ana, start, {}, limit=1024)
            await live.until_nobody_follows()
            sleeper.close()
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.name for record in told] == ["dutiful.api.stream"]
