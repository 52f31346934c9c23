"""Asking a server that is not well: every write is done once, and the person is told what happened."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dutiful.cli import client as client_module
from dutiful.cli.client import Client, CliError, NotSignedIn, Server, find_server
from dutiful.datafolder import DataFolder

DROP = 0
"""Instead of a status: read the request, answer nothing."""


class SickServer(ThreadingHTTPServer):
    """Answers as it was told, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, dict[str, str], Any]] = []
        self.keys: list[str | None] = []
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def will(self, status: int, body: Any = None, **headers: str) -> None:
        self.answers.append(
            (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
        )


class _Handler(BaseHTTPRequestHandler):
    server: SickServer

    def _answer(self) -> None:
        self.server.keys.append(self.headers["Idempotency-Key"])
        self.server.paths.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        status, headers, body = self.server.answers.pop(0)
        if status == DROP:
            self.close_connection = True
            return
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/problem+json" if status >= 400 else "application/json"
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names http.server looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        pass


@pytest.fixture
def sick() -> Iterator[SickServer]:
    with SickServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(sick: SickServer) -> Iterator[Client]:
    with Client(Server(sick.url, "dtf_test")) as client:
        yield client


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits without waiting; the seconds that would have been waited."""
    waited: list[float] = []
    monkeypatch.setattr(client_module, "_wait", waited.append)
    return waited


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DataFolder:
    for name in ("DUTIFUL_SERVER", "DUTIFUL_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DUTIFUL_DATA_DIR", str(tmp_path / "data"))
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    return folder


BUSY = {"status": 503, "detail": "The database is busy.", "code": "unavailable", "request_id": "r1"}


# --- asking again -----------------------------------------------------------------------------------------------------


def test_a_write_is_repeated_under_one_key(sick: SickServer, client: Client) -> None:
    sick.will(DROP)
    sick.will(503, BUSY)
    sick.will(502, b"<html>")
    sick.will(201, {"id": 1})
    assert client.write("POST", "tasks", {"title": "x"}) == {"id": 1}
    assert len(sick.keys) == 4
    assert len(set(sick.keys)) == 1
    assert sick.keys[0]


def test_two_writes_have_two_keys(sick: SickServer, client: Client) -> None:
    for _ in range(2):
        sick.will(201, {"id": 1})
        client.write("POST", "tasks", {"title": "x"})
    assert len(set(sick.keys)) == 2


def test_the_server_says_how_long_to_wait(sick: SickServer, client: Client, quick: list[float]) -> None:
    sick.will(503, BUSY, Retry_After="7")
    sick.will(409, {"status": 409, "detail": "still running"}, Retry_After="1")
    sick.will(200, {})
    client.write("PATCH", "tasks/1", {})
    assert quick == [7, 1]


def test_a_long_wait_is_left_to_the_person(sick: SickServer, client: Client) -> None:
    sick.will(429, {"status": 429, "detail": "Too many requests."}, Retry_After="600")
    with pytest.raises(CliError, match=r"Too many requests\."):
        client.get("tasks")
    assert len(sick.keys) == 1


def test_a_refusal_is_not_repeated(sick: SickServer, client: Client) -> None:
    fault = {"pointer": "/title", "detail": "String should have at most 500 characters"}
    sick.will(422, {"status": 422, "detail": "bad", "errors": [fault]})
    with pytest.raises(CliError, match=r"^title: String should have at most 500 characters$"):
        client.write("POST", "tasks", {})
    assert len(sick.keys) == 1


def test_in_the_end_it_gives_up(sick: SickServer, client: Client) -> None:
    for _ in range(len(client_module.PAUSES) + 1):
        sick.will(503, BUSY)
    with pytest.raises(CliError, match=r"^The database is busy\. \(request r1\)$"):
        client.write("POST", "tasks", {})
    assert not sick.answers


def test_a_write_without_an_answer_may_be_done(sick: SickServer, client: Client) -> None:
    for _ in range(len(client_module.PAUSES) + 1):
        sick.will(DROP)
    with pytest.raises(CliError, match="may have been done"):
        client.write("POST", "tasks", {})


def test_a_write_that_never_got_through_is_not_done() -> None:
    with Client(Server("http://127.0.0.1:1", "t")) as client, pytest.raises(CliError) as caught:
        client.write("POST", "tasks", {})
    assert "No answer from http://127.0.0.1:1" in str(caught.value)
    assert "may have been done" not in str(caught.value)


def test_lists_are_read_to_their_end_and_no_further(sick: SickServer, client: Client) -> None:
    for _ in range(2):
        sick.will(200, {"items": [1, 2], "count": 2, "next_cursor": "c"})
        sick.will(200, {"items": [3], "count": 1, "next_cursor": None})
    assert list(client.pages("tasks")) == [1, 2, 3]
    assert list(client.pages("tasks", limit=2)) == [1, 2]


# --- what is not an answer --------------------------------------------------------------------------------------------


def test_another_program_on_that_port_is_told_apart(sick: SickServer, client: Client) -> None:
    sick.will(200, b"<html>")
    with pytest.raises(CliError, match="does not answer as a Dutiful server"):
        client.get("tasks")
    sick.will(404, b"<html>", Content_Type="text/html")
    with pytest.raises(CliError, match="answered 404; is it a Dutiful server"):
        client.get("tasks")


def test_a_token_does_not_follow_a_redirect(sick: SickServer, client: Client) -> None:
    sick.will(301, {}, Location="https://tasks.example.org/")
    with pytest.raises(CliError, match=r"https://tasks\.example\.org/"):
        client.get("tasks")


def test_a_token_that_is_not_accepted(sick: SickServer, client: Client) -> None:
    sick.will(401, {"status": 401, "detail": "no"})
    with pytest.raises(NotSignedIn, match="DUTIFUL_TOKEN") as caught:
        client.get("tasks")
    assert caught.value.exit_code == 4


# --- where the server is ----------------------------------------------------------------------------------------------


def test_the_running_server_is_found(folder: DataFolder) -> None:
    folder.write_owner_token("dtf_owner")
    with folder.hold("1.0"):
        folder.announce("http://127.0.0.1:4321")
        assert find_server(None) == Server("http://127.0.0.1:4321", "dtf_owner")


def test_a_token_in_the_environment_wins(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write_owner_token("dtf_owner")
    monkeypatch.setenv("DUTIFUL_TOKEN", "dtf_mine")
    with folder.hold("1.0"):
        folder.announce("http://127.0.0.1:4321")
        assert find_server(None).token == "dtf_mine"


def test_no_server_here(folder: DataFolder) -> None:
    with pytest.raises(CliError, match="start one with `dutiful serve`") as caught:
        find_server(None)
    assert caught.value.exit_code == 1


def test_a_server_that_is_starting_is_waited_for(folder: DataFolder) -> None:
    folder.write_owner_token("dtf_owner")
    with folder.hold("1.0"):
        timer = threading.Timer(0.2, folder.announce, ("http://127.0.0.1:4321",))
        timer.start()
        assert find_server(None).url == "http://127.0.0.1:4321"
        timer.join()


def test_the_data_folder_of_an_env_file_is_found(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DUTIFUL_DATA_DIR")
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("DUTIFUL_DATA_DIR=./data\n")
    folder.write_owner_token("dtf_owner")
    with folder.hold("1.0"):
        folder.announce("http://127.0.0.1:4321")
        assert find_server(None).token == "dtf_owner"


def test_the_owners_token_is_not_sent_to_another_server(folder: DataFolder) -> None:
    folder.write_owner_token("dtf_owner")
    with pytest.raises(NotSignedIn, match="DUTIFUL_TOKEN"):
        find_server("https://tasks.example.org")


@pytest.mark.parametrize(
    "address", ["tasks.example.org", "ftp://tasks.example.org", "https://", "localhost:8000"]
)
def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DUTIFUL_TOKEN", "dtf_mine")
    with pytest.raises(CliError, match="it should look like https://"):
        find_server(address)


def test_a_server_below_a_path(sick: SickServer) -> None:
    sick.will(200, {"id": 1})
    with Client(Server(f"{sick.url}/dutiful", "t")) as client:
        client.get("tasks/1")
    assert sick.paths == ["/dutiful/api/v1/tasks/1"]
