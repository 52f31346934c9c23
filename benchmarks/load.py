"""Sends the lines of a plan to a server and checks every answer: with wrk, or with httpx where there is no wrk."""

import asyncio
import json
import re
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

_SCRIPT = Path(__file__).with_name("load.lua")
# Longer than the product takes to give up by itself.
_TIMEOUT = 35
HOW_TO_INSTALL = "wrk is missing. On Debian and Ubuntu: apt-get install wrk; with Homebrew: brew install wrk"


class WrongAnswer(Exception):
    """One answer that should not be, and how many there were."""


@dataclass(frozen=True)
class Line:
    """A request and what its answer must hold. With a `version` it is an update of a task that has this one."""

    path: str
    key: str
    """Stands in the answer where the plan's pattern finds it."""
    expected: tuple[str, ...] = ()
    token: str = ""
    body: str = ""
    """`\\\\n` stands for the end of a line."""
    version: int | None = None

    def columns(self) -> str:
        version = "" if self.version is None else str(self.version)
        return "\t".join((self.path, self.token, self.body, self.key, version, *self.expected))


@dataclass(frozen=True)
class Plan:
    method: str
    status: int
    lines: Sequence[Line]
    key_pattern: str = '"id":"?([%d-]+)'
    """As Lua writes it; one group."""
    idempotency_prefix: str = ""
    """Each request comes with a key of its own, which begins so."""
    content_type: str = "application/json"
    scheme: str = "Bearer"
    """Of the tokens."""

    def write(self, path: Path) -> None:
        settings = (
            self.method,
            str(self.status),
            self.key_pattern,
            self.idempotency_prefix,
            self.content_type,
            self.scheme,
        )
        path.write_text("\n".join(["\t".join(settings), *(line.columns() for line in self.lines)]) + "\n")


@dataclass(frozen=True)
class Figures:
    requests: int
    seconds: float
    p50: float
    """Milliseconds, as `p99`."""
    p99: float

    @property
    def throughput(self) -> float:
        return self.requests / self.seconds


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def with_wrk(plan: Plan, port: int, folder: Path, *, connections: int, threads: int, seconds: int) -> Figures:
    """Raises WrongAnswer if there was one."""
    path = folder / f"plan-{port}.tsv"
    plan.write(path)
    threads = min(threads, connections)
    options = [
        f"-t{threads}",
        f"-c{connections}",
        f"-d{seconds}s",
        f"--timeout={_TIMEOUT}s",
        "-s",
        str(_SCRIPT),
    ]
    command = ["wrk", *options, f"http://127.0.0.1:{port}", "--", str(path), str(threads)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"^figures((?:\t\d+){6})$", ended.stdout, re.MULTILINE)
    if found is None:
        raise WrongAnswer(f"wrk failed: {ended.stdout[-2000:]} {ended.stderr[-2000:]}")
    requests, microseconds, p50, p99, wrong, errors = map(int, found[1].split())
    if wrong or errors:
        sample = re.search(r"^sample\t(.*)$", ended.stdout, re.MULTILINE)
        raise WrongAnswer(
            f"{wrong} wrong answers and {errors} lost ones of {requests}. {sample[1] if sample else ''}"
        )
    return Figures(requests, microseconds / 1e6, p50 / 1000, p99 / 1000)


# --- without wrk ------------------------------------------------------------------------------------------------------


async def with_httpx(plan: Plan, port: int, *, connections: int, requests: int) -> Figures:
    """The same work and the same checks; too slow to measure with."""
    sender = Sender(plan, port)
    began = time.perf_counter()
    async with sender.client:
        await asyncio.gather(*(sender.send(requests // connections) for _ in range(connections)))
    return Figures(requests, time.perf_counter() - began, 0.0, 0.0)


@dataclass
class Sender:
    plan: Plan
    port: int
    client: httpx.AsyncClient = field(init=False)
    keys_used: int = 0

    def __post_init__(self) -> None:
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=_TIMEOUT)
        self._queue = deque(self.plan.lines)
        self._pattern = re.compile(self.plan.key_pattern.replace("%d", r"\d").replace("%-", "-"))

    async def send(self, times: int) -> None:
        for _ in range(times):
            line = self._queue.popleft()
            self._queue.append(self.checked(line, await self.request(line)))

    async def request(self, line: Line) -> httpx.Response:
        headers = {"Content-Type": self.plan.content_type}
        body = line.body.replace("\\n", "\r\n")
        if line.token:
            headers["Authorization"] = f"{self.plan.scheme} {line.token}"
        if self.plan.idempotency_prefix:
            self.keys_used += 1
            headers["Idempotency-Key"] = f"{self.plan.idempotency_prefix}{self.keys_used}"
        if line.version is not None:
            headers["If-Match"] = f'"{line.version}"'
            body = json.dumps({"priority": "urgent" if line.version % 2 else "medium"})
        return await self.client.request(self.plan.method, line.path, headers=headers, content=body.encode())

    def checked(self, line: Line, answer: httpx.Response) -> Line:
        """The line to send next time."""
        if fault := self._fault(line, answer):
            raise WrongAnswer(f"{fault}; status {answer.status_code}: {answer.text[:600]}")
        return line if line.version is None else replace(line, version=line.version + 1)

    def _fault(self, line: Line, answer: httpx.Response) -> str | None:
        if answer.status_code != self.plan.status:
            return "another status"
        found = self._pattern.search(answer.text)
        if found is None or found[1] != line.key:
            return f"not the answer to {line.path}"
        for expected in line.expected:
            if expected not in answer.text:
                return f"without {expected}"
        if line.version is not None and answer.json()["version"] != line.version + 1:
            return f"not version {line.version + 1}"
        return None
