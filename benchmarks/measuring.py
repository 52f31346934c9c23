"""Runs the work against the candidates: once to check and count, then in rounds to measure."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import dataset, facts
from benchmarks.checks import Checker
from benchmarks.load import Plan, Sender, WrongAnswer, has_wrk, with_httpx, with_wrk
from benchmarks.postgres import Postgres, StatementLog
from benchmarks.processes import cpu_seconds
from benchmarks.servers import Candidate, Server, serving
from benchmarks.work import Ground, Work

# A connection's first requests prepare its statements, and PostgreSQL settles on a plan after five of a kind.
_WARM_UP_SECONDS = 1
_COUNTED = 5
_SMOKE_REQUESTS = 40


@dataclass(frozen=True)
class Measured:
    """One run of wrk."""

    round: int
    candidate: str
    work: str
    connections: int
    throughput: float
    """Requests a second."""
    p50: float
    """Milliseconds, as `p99`."""
    p99: float
    server_cpu: float
    """Seconds of all its processes for 1,000 requests."""
    database_cpu: float
    """The same for all processes of PostgreSQL."""


@dataclass
class Findings:
    statements: dict[str, dict[str, float]] = field(default_factory=dict)
    """For a request, by work and candidate."""
    runs: list[Measured] = field(default_factory=list)
    memory: dict[str, list[float]] = field(default_factory=dict)
    """Megabytes of each process at the end, by candidate."""
    seconds_to_start: dict[str, list[float]] = field(default_factory=dict)
    deep_page: int = 0


@dataclass(frozen=True)
class Benchmark:
    candidates: Sequence[Candidate]
    """The one that is checked first and that others are compared with stands first."""
    work: Sequence[Work]
    folder: Path
    say: Callable[[str], None]
    findings: Findings = field(default_factory=Findings)

    # --- once ---------------------------------------------------------------------------------------------------------

    async def prepare(self, postgres: Postgres, tasks: int) -> facts.Facts:
        """Fills the template of all databases."""
        began = time.perf_counter()
        world = await dataset.fill(postgres, tasks)
        self.say(
            f"{tasks:,} tasks in {dataset.WORKSPACES} workspaces, made in {time.perf_counter() - began:.0f} s"
        )
        async with postgres.connection() as connection:
            answers = await facts.ask(connection, world)
        self.findings.deep_page = answers.deep_number
        return answers

    async def check_and_count(self, postgres: Postgres, answers: facts.Facts) -> None:
        """`postgres` logs every statement."""
        checker = Checker({})
        for candidate in self.candidates:
            await postgres.copy(candidate.database)
            with serving(candidate, postgres, self.folder, answers) as server:
                ground = Ground(answers, postgres, server)
                log = StatementLog(postgres, candidate.database)
                for work in self._work_of(candidate):
                    with _named(work, candidate):
                        await checker.check(work, ground, await ground.plan(work))
                        if not candidate.plans:
                            counted = await _count(work, await ground.plan(work), server, log)
                            self.findings.statements.setdefault(work.name, {})[candidate.name] = counted
        self.say("Checked one answer of each kind in full")

    # --- in rounds ----------------------------------------------------------------------------------------------------

    async def measure(
        self,
        postgres: Postgres,
        answers: facts.Facts,
        number: int,
        connections: Sequence[int],
        seconds: int,
        threads: int,
    ) -> None:
        """One round, on fresh copies of the data. For each kind of work the candidates follow each other at once, so
        that what else happens on the machine meets all of them."""
        with ExitStack() as stack:
            grounds = await self._start(stack, postgres, answers)
            await postgres.settle()
            for at, work in enumerate(self.work):
                for many in [work.connections] if work.connections else connections:
                    for candidate in _rotated(self.candidates, number + at):
                        if candidate.can(work.name):
                            with _named(work, candidate):
                                run = await self._run(
                                    work, grounds[candidate.name], number, many, seconds, threads
                                )
                            self.findings.runs.append(run)
            for name, ground in grounds.items():
                self.findings.memory[name] = ground.server.memory()

    async def _run(
        self, work: Work, ground: Ground, number: int, connections: int, seconds: int, threads: int
    ) -> Measured:
        server, postmaster = ground.server, ground.postgres.pid
        options: dict[str, Any] = {"connections": connections, "threads": threads}
        with_wrk(await ground.plan(work), server.port, self.folder, seconds=_WARM_UP_SECONDS, **options)
        await ground.postgres.become_quiet()
        plan = await ground.plan(work)
        server_before, database_before = server.cpu_seconds(), cpu_seconds(postmaster)
        figures = with_wrk(plan, server.port, self.folder, seconds=seconds, **options)
        await ground.postgres.become_quiet()
        thousands = figures.requests / 1000
        run = Measured(
            number,
            server.candidate.name,
            work.name,
            connections,
            figures.throughput,
            figures.p50,
            figures.p99,
            (server.cpu_seconds() - server_before) / thousands,
            (cpu_seconds(postmaster) - database_before) / thousands,
        )
        self.say(
            f"  round {number + 1}, {connections:2} connections, {work.title:28} {server.candidate.title:28}"
            f"{run.throughput:9,.1f}/s  p50 {run.p50:8.2f} ms  p99 {run.p99:8.2f} ms"
        )
        return run

    async def smoke(self, postgres: Postgres, answers: facts.Facts) -> None:
        """A few dozen requests of each kind, several at a time."""
        with ExitStack() as stack:
            grounds = await self._start(stack, postgres, answers)
            for work in self.work:
                able = [grounds[one.name] for one in self.candidates if one.can(work.name)]
                await asyncio.gather(*(self._send_some(work, ground) for ground in able))
                await postgres.become_quiet()
                self.say(f"  {work.title}: right")

    async def _send_some(self, work: Work, ground: Ground) -> None:
        plan, port = await ground.plan(work), ground.server.port
        with _named(work, ground.server.candidate):
            if has_wrk():
                # wrk knows no number of requests; a second is the least it can be told.
                await asyncio.to_thread(
                    with_wrk, plan, port, self.folder, connections=4, threads=1, seconds=1
                )
            else:
                requests = _SMOKE_REQUESTS if work.tasks_each == 1 else 4
                await with_httpx(plan, port, connections=4, requests=requests)

    async def _start(self, stack: ExitStack, postgres: Postgres, answers: facts.Facts) -> dict[str, Ground]:
        grounds = {}
        for candidate in self.candidates:
            await postgres.copy(candidate.database)
            server = stack.enter_context(serving(candidate, postgres, self.folder, answers))
            self.findings.seconds_to_start.setdefault(candidate.name, []).append(server.seconds_to_start)
            grounds[candidate.name] = Ground(answers, postgres, server)
        return grounds

    def _work_of(self, candidate: Candidate) -> Iterator[Work]:
        return (work for work in self.work if candidate.can(work.name))


async def _count(work: Work, plan: Plan, server: Server, log: StatementLog) -> float:
    """Statements for a request that was made before: what is noted once a minute, or prepared once, is left out. The
    least of three: a server may do work of its own meanwhile."""
    times = _COUNTED if work.tasks_each == 1 else 2
    sender = Sender(replace(plan, lines=plan.lines[:times]), server.port)
    counts = []
    async with sender.client:
        await sender.send(times)
        for _ in range(3):
            before = await log.count()
            await sender.send(times)
            counts.append(await log.count() - before)
    return round(min(counts) / times, 1)


def _rotated(candidates: Sequence[Candidate], by: int) -> list[Candidate]:
    by %= len(candidates)
    return [*candidates[by:], *candidates[:by]]


@contextmanager
def _named(work: Work, candidate: Candidate) -> Iterator[None]:
    try:
        yield
    except WrongAnswer as error:
        raise WrongAnswer(f"{candidate.title}, {work.title}: {error}") from error


def as_json(findings: Findings) -> Mapping[str, Any]:
    return {
        "statements": findings.statements,
        "runs": [vars(run) for run in findings.runs],
        "memory": findings.memory,
        "seconds_to_start": findings.seconds_to_start,
        "deep_page": findings.deep_page,
    }
