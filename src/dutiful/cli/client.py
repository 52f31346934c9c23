"""The command line's way to the server: where it is, who asks, and asking again until there is an answer."""

import os
import re
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Self, TypedDict
from urllib.parse import urlsplit

from dutiful import __version__
from dutiful.datafolder import DataFolder, DataFolderError, RunningServer, default_data_dir
from dutiful.plain import one_line

if TYPE_CHECKING:
    import httpx

Status = Literal["open", "done", "cancelled"]
Priority = Literal["none", "low", "medium", "high", "urgent"]


class When(TypedDict):
    date: str
    time: str | None
    timezone: str | None


class Recurrence(TypedDict):
    rrule: str
    anchor: Literal["schedule", "completion"]
    text: str


class Task(TypedDict):
    """What the commands use of a task; the server sends more."""

    id: int
    project_id: int
    parent_id: int | None
    title: str
    description: str
    status: Status
    priority: Priority
    label_ids: list[int]
    start: When | None
    due: When | None
    recurrence: Recurrence | None
    series_id: str | None
    created_at: str
    updated_at: str
    completed_at: str | None
    deleted_at: str | None


class Named(TypedDict):
    """A project or a label."""

    id: int
    workspace_id: int
    name: str
    color: str | None
    archived: NotRequired[bool]


class CliError(Exception):
    """One line for the person at the terminal."""

    exit_code = 1


class NotSignedIn(CliError):
    exit_code = 4


@dataclass(frozen=True)
class Fault:
    """One wrong thing in what was sent; `pointer` is an RFC 6901 JSON pointer into it. In a filter it is `length`
    characters from `position`."""

    pointer: str
    detail: str
    position: int | None = None
    length: int = 0

    def __str__(self) -> str:
        if self.position is not None:
            return self.detail
        where = self.pointer.strip("/").replace("/", ".")
        # "is needed" goes on with the field's name, "String should ..." starts a sentence.
        return where + ("" if not where else " " if self.detail[:1].islower() else ": ") + self.detail


class Refused(CliError):
    """The server understood and said no, in a problem document (RFC 9457)."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.faults = [
            Fault(fault.get("pointer", ""), fault["detail"], fault.get("position"), fault.get("length", 0))
            for fault in problem.get("errors", ())
        ]
        line = "; ".join(map(str, self.faults)) or problem["detail"]
        if problem["status"] >= 500:
            # Finds the cause in the server's log.
            line += f" (request {problem['request_id']})"
        super().__init__(one_line(line))


@dataclass(frozen=True)
class Server:
    url: str
    token: str


# --- where the server is ----------------------------------------------------------------------------------------------

MAKE_A_TOKEN = "make one with `dutiful token create NAME` where the server runs"  # noqa: S105 - a sentence


def find_server(url: str | None) -> Server:
    """The server at `url`, or else the one that runs in the data folder of this machine."""
    token = os.environ.get("DUTIFUL_TOKEN")
    if url is None:
        return _local_server(token)
    if not token:
        # The owner's token of this machine is not for every address somebody types.
        raise NotSignedIn(f"No token for {url}. Set DUTIFUL_TOKEN; {MAKE_A_TOKEN}.")
    return Server(_checked(url), token)


def _local_server(token: str | None) -> Server:
    try:
        folder = DataFolder(_data_dir())
        running = _await_url(folder)
        token = token or folder.read_owner_token()
    except DataFolderError as error:
        raise CliError(str(error)) from None
    if running is None or running.url is None:
        raise CliError(
            f"No server is running here ({folder.path}); start one with `dutiful serve`, "
            "or name another with --server."
        )
    if token is None:
        raise NotSignedIn(f"There is no owner token in {folder.path}. Set DUTIFUL_TOKEN; {MAKE_A_TOKEN}.")
    return Server(running.url, token)


def _await_url(folder: DataFolder) -> RunningServer | None:
    """A server that is still starting has no address yet."""
    deadline = time.monotonic() + 15
    while (running := folder.running_server()) and running.url is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return running


def _data_dir() -> Path:
    given = os.environ.get("DUTIFUL_DATA_DIR") or _from_env_file("DUTIFUL_DATA_DIR")
    return Path(given).expanduser() if given else default_data_dir()


def _from_env_file(name: str) -> str | None:
    """The server reads `.env` where it is started, so its commands must find the same folder there."""
    if not Path(".env").is_file():
        return None
    from dotenv import dotenv_values  # noqa: PLC0415 - few need it, and it costs 10 ms

    return dotenv_values(".env").get(name)


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CliError(f"{url} is not the address of a server; it should look like https://tasks.example.org")
    return url.rstrip("/")


# --- asking -----------------------------------------------------------------------------------------------------------

PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each new attempt, unless the server names a longer time. A restart of the server fits in."""
LONGEST_PAUSE = 30.0
PAGE = 200


class Client:
    """Answers are parsed JSON. Whatever goes wrong is a CliError."""

    def __init__(self, server: Server) -> None:
        import httpx  # noqa: PLC0415 - costs 70 ms, which `--help` need not wait for

        self._transport_error = httpx.TransportError
        self._not_reached = (httpx.ConnectError, httpx.ConnectTimeout)
        self._url = server.url
        is_local = re.match(r"http://(127\.0\.0\.1|\[::1\]|localhost)(:|/|$)", server.url) is not None
        self._http = httpx.Client(
            base_url=f"{server.url}/api/v1/",
            headers={"Authorization": f"Bearer {server.token}", "User-Agent": f"dutiful/{__version__}"},
            timeout=httpx.Timeout(30, connect=5),
            # Nobody stands between: no proxy to ask, and no certificate authorities to read, which takes 30 ms.
            verify=not is_local,
            trust_env=not is_local,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        return self._answer(self._http.build_request("GET", path))

    def pages(
        self, path: str, filters: Mapping[str, Any] | None = None, *, limit: int | None = None
    ) -> Iterator[Any]:
        """Every row of a list, at most `limit`, page by page as they are used."""
        wanted, cursor = limit, None
        while wanted is None or wanted > 0:
            size = PAGE if wanted is None else min(PAGE, wanted)
            query = {**(filters or {}), "limit": size} | ({"cursor": cursor} if cursor else {})
            page = self._answer(self._http.build_request("GET", path, params=query))
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return
            wanted = None if wanted is None else wanted - page["count"]

    def write(self, method: Literal["POST", "PATCH", "DELETE"], path: str, body: Any = None) -> Any:
        """None when the answer is empty. Asked again as often as needed, done once: the key sees to it."""
        return self._answer(self._http.build_request(method, path, json=body, headers=_new_key()))

    def upload(self, path: str, content: bytes, query: Mapping[str, Any]) -> Any:
        """A JSON file as it is. The answer may take minutes."""
        headers = {"Content-Type": "application/json", **_new_key()}
        return self._answer(
            self._http.build_request(
                "POST", path, content=content, params=query, headers=headers, timeout=600
            )
        )

    def _answer(self, request: "httpx.Request") -> Any:
        response = self._send(request)
        if response.is_success:
            return _parsed(response) if response.content else None
        raise _refusal(response, self._url)

    def _send(self, request: "httpx.Request") -> "httpx.Response":
        """Repeats the request while that may help. Only reads and keyed writes come here, so it never does harm."""
        may_be_done = False
        pauses = iter(PAUSES)
        while True:
            pause = next(pauses, None)
            try:
                response = self._http.send(request)
            except self._transport_error as error:
                may_be_done |= request.method != "GET" and not isinstance(error, self._not_reached)
                if pause is None:
                    raise _no_answer(self._url, error, may_be_done=may_be_done) from None
            else:
                pause = _pause_asked_for(response, pause)
                if pause is None:
                    return response
            _wait(pause)


def connect(server_url: str | None) -> Client:
    return Client(find_server(server_url))


def _new_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def _pause_asked_for(response: "httpx.Response", pause: float | None) -> float | None:
    """How long to wait before asking again; None when that would not help, or took too long."""
    retry_after = response.headers.get("Retry-After", "")
    asked = float(retry_after) if retry_after.isdecimal() else 0.0
    is_passing = response.status_code in {429, 502, 503, 504} or (response.status_code == 409 and asked)
    if pause is None or not is_passing or asked > LONGEST_PAUSE:
        return None
    return max(pause, asked)


def _wait(seconds: float) -> None:
    if seconds >= 1:
        print(f"No answer yet; asking again in {seconds:g} s.", file=sys.stderr)
    time.sleep(seconds)


# --- what went wrong --------------------------------------------------------------------------------------------------


def _no_answer(url: str, error: Exception, *, may_be_done: bool) -> CliError:
    line = f"No answer from {url}: {str(error) or type(error).__name__}."
    if may_be_done:
        line += " It may have been done all the same: look before you repeat it."
    return CliError(line)


def _parsed(response: "httpx.Response") -> Any:
    try:
        return response.json()
    except ValueError:
        raise CliError(f"{response.url} does not answer as a Dutiful server does.") from None


def _refusal(response: "httpx.Response", url: str) -> CliError:
    if response.status_code == 401:
        return NotSignedIn(
            f"{url} does not accept this token. Set DUTIFUL_TOKEN to a valid one; {MAKE_A_TOKEN}."
        )
    if response.is_redirect:
        return CliError(
            f"{url} sends elsewhere: {one_line(response.headers.get('Location', '?'))}. Use that address."
        )
    if response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return Refused(_parsed(response))
    return CliError(f"{url} answered {response.status_code}; is it a Dutiful server?")
