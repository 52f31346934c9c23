"""What the runs say together: medians over the rounds, ratios, and the goals beside them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.measuring import Findings, Measured
from benchmarks.servers import Candidate
from benchmarks.work import BATCH, WORK, Work

DUTIFUL = "dutiful"
GOAL_FLOOR = {
    "get": 0.5,
    "list": 0.8,
    "create": 0.5,
    "update": 0.5,
    "create-one-workspace": 0.25,
    "update-one-workspace": 0.25,
}
"""Least share of the floor's throughput, at 16 connections."""
GOAL_TUTORIAL = dict.fromkeys(("get", "list", "create", "update"), 4.0)
"""Least multiple of the tutorial way's throughput."""
JUDGED_AT = 16
_TAIL = 3.0
_TASKS_A_SECOND = 10_000
_MEGABYTES = 120
_START_SECONDS = 2.0
_DEEP_PAGE = 1.2


@dataclass(frozen=True)
class Results:
    findings: Findings
    candidates: Sequence[Candidate]
    warm_starts: Sequence[float]
    """Seconds, of `dutiful serve` with its private PostgreSQL."""

    @property
    def connections(self) -> list[int]:
        return sorted({run.connections for run in self.findings.runs})

    def works(self, connections: int) -> list[Work]:
        measured = {run.work for run in self.findings.runs if run.connections == connections}
        return [work for work in WORK if work.name in measured]

    def measured(self, *, peers: bool) -> list[Candidate]:
        ran = {run.candidate for run in self.findings.runs}
        return [one for one in self.candidates if one.name in ran and one.is_peer is peers]

    def figure(self, name: str, candidate: str, work: str, connections: int) -> float | None:
        """The median over the rounds of an attribute of `Measured`."""
        found = [getattr(run, name) for run in self._runs(candidate, work, connections)]
        return median(found) if found else None

    def ratio(self, candidate: str, other: str, work: str, connections: int) -> float | None:
        """Of their throughputs. Of each round by itself: what was slow then was slow for both."""
        ours = {run.round: run.throughput for run in self._runs(candidate, work, connections)}
        theirs = {run.round: run.throughput for run in self._runs(other, work, connections)}
        found = [ours[number] / theirs[number] for number in ours.keys() & theirs.keys()]
        return median(found) if found else None

    def largest_process(self, candidate: str) -> float:
        return max(self.findings.memory.get(candidate, [0.0]))

    def _runs(self, candidate: str, work: str, connections: int) -> Iterable[Measured]:
        return (
            run
            for run in self.findings.runs
            if (run.candidate, run.work, run.connections) == (candidate, work, connections)
        )


# --- tables -----------------------------------------------------------------------------------------------------------


def speed_table(results: Results, connections: int) -> list[str]:
    """Requests a second, and milliseconds at the 50th and the 99th percentile."""
    shown = results.measured(peers=False)
    compared = {"floor": "of the floor", "tutorial": "times tutorial"}
    compared = {name: title for name, title in compared.items() if any(one.name == name for one in shown)}
    head = [
        "",
        *(one.title for one in shown),
        *(f"{title} (goal)" for title in compared.values()),
        "p99 / p50",
    ]
    rows = []
    for work in results.works(connections):
        cells = [_title(results, work)]
        cells += [_speed(results, one.name, work, connections) for one in shown]
        for name in compared:
            goals = GOAL_FLOOR if name == "floor" else GOAL_TUTORIAL
            goal = goals.get(work.name) if connections == JUDGED_AT else None
            cells.append(_with_goal(results.ratio(DUTIFUL, name, work.name, connections), goal))
        cells.append(_number(_tail(results, work.name, connections), 1))
        rows.append(cells)
    return _markdown(head, rows)


def peers_table(results: Results, connections: int) -> list[str]:
    """The same, of the work that peers do too; empty without any."""
    shown = [one for one in results.measured(peers=False) if one.name == DUTIFUL]
    shown += results.measured(peers=True)
    works = [
        work
        for work in results.works(connections)
        if any(one.is_peer and one.can(work.name) for one in shown)
    ]
    rows = [[work.title, *(_speed(results, one.name, work, connections) for one in shown)] for work in works]
    return _markdown(["", *(one.title for one in shown)], rows) if rows else []


def cost_table(results: Results, connections: int, shown: Sequence[Candidate]) -> list[str]:
    """CPU milliseconds of server + database for one request, and its statements."""
    rows = []
    for work in results.works(connections):
        cells = [_title(results, work)]
        for one in shown:
            server = results.figure("server_cpu", one.name, work.name, connections)
            database = results.figure("database_cpu", one.name, work.name, connections)
            statements = results.findings.statements.get(work.name, {}).get(one.name)
            told = "" if statements is None else f" · {statements:g}"
            cells.append("-" if server is None else f"{_number(server, 2)} + {_number(database, 2)}{told}")
        if set(cells[1:]) != {"-"}:
            rows.append(cells)
    return _markdown(["", *(one.title for one in shown)], rows)


def memory_table(results: Results) -> list[str]:
    rows = [
        [
            one.title,
            " + ".join(f"{size:.0f}" for size in results.findings.memory[one.name]),
            f"{median(results.findings.seconds_to_start[one.name]):.2f}",
        ]
        for one in results.candidates
        if one.name in results.findings.memory
    ]
    return _markdown(["", "memory of its processes (PSS, MB)", "ready after (s)"], rows)


def _title(results: Results, work: Work) -> str:
    if work.name == "page-deep":
        return f"page {results.findings.deep_page:,} of all"
    return work.title


def _speed(results: Results, candidate: str, work: Work, connections: int) -> str:
    throughput = results.figure("throughput", candidate, work.name, connections)
    if throughput is None:
        return "-"
    p50 = results.figure("p50", candidate, work.name, connections)
    p99 = results.figure("p99", candidate, work.name, connections)
    return f"{throughput:,.0f} ({_number(p50, 1)}; {_number(p99, 1)})"


def _tail(results: Results, work: str, connections: int) -> float | None:
    found = [run.p99 / run.p50 for run in results._runs(DUTIFUL, work, connections) if run.p50]  # noqa: SLF001
    return median(found) if found else None


def _with_goal(value: float | None, goal: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if goal is None else f"{value:.2f} ({goal:g})"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = [
        list(head),
        ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])],
        *map(list, rows),
    ]
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]


# --- goals ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Goal:
    what: str
    value: float
    bound: float
    at_least: bool

    @property
    def is_met(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return (
            f"{'met    ' if self.is_met else 'NOT MET'} {self.what}: {self.value:.2f} ({sign} {self.bound:g})"
        )


def goals(results: Results) -> list[Goal]:
    """Those of which something was measured."""
    found = [*_ratio_goals(results), *_tail_goals(results)]
    pages = [results.figure("p50", DUTIFUL, name, JUDGED_AT) for name in ("page-first", "page-deep")]
    if pages[0] and pages[1]:
        found.append(
            Goal("p50 of the deep page to that of page 1", pages[1] / pages[0], _DEEP_PAGE, at_least=False)
        )
    batch = next((work for work in WORK if work.name == "batch" and work.connections), None)
    rate = batch and results.figure("throughput", DUTIFUL, "batch", batch.connections or 0)
    if rate:
        found.append(Goal("tasks a second by batches", rate * BATCH, _TASKS_A_SECOND, at_least=True))
    if memory := results.largest_process(DUTIFUL):
        found.append(Goal("megabytes of a worker", memory, _MEGABYTES, at_least=False))
    if results.warm_starts:
        found.append(
            Goal("seconds of a warm start", median(results.warm_starts), _START_SECONDS, at_least=False)
        )
    return found


def _ratio_goals(results: Results) -> list[Goal]:
    found = []
    for other, wanted in (("floor", GOAL_FLOOR), ("tutorial", GOAL_TUTORIAL)):
        for work, bound in wanted.items():
            ratio = results.ratio(DUTIFUL, other, work, JUDGED_AT)
            if ratio is not None:
                found.append(Goal(f"{work} to {other}", ratio, bound, at_least=True))
    return found


def _tail_goals(results: Results) -> list[Goal]:
    tails = {work.name: _tail(results, work.name, JUDGED_AT) for work in results.works(JUDGED_AT)}
    return [
        Goal(f"p99 to p50 of {name}", tail, _TAIL, at_least=False) for name, tail in tails.items() if tail
    ]


def growth(results: Results, earlier: Mapping[str, Any]) -> list[str]:
    """The p50 of now to that of an earlier run, of fewer tasks."""
    lines = []
    for work in results.works(JUDGED_AT):
        then = [
            run["p50"]
            for run in earlier["runs"]
            if (run["candidate"], run["work"], run["connections"]) == (DUTIFUL, work.name, JUDGED_AT)
        ]
        now = results.figure("p50", DUTIFUL, work.name, JUDGED_AT)
        if then and now:
            lines.append(f"{work.title}: p50 {now:.2f} ms, {now / median(then):.2f} times that of then")
    return lines


def print_all(results: Results, say: Callable[[str], None]) -> None:
    for connections in results.connections:
        say(f"\n{connections} connections: requests a second (p50; p99 in ms)\n")
        _say_lines(speed_table(results, connections), say)
        say("")
        _say_lines(peers_table(results, connections), say)
    for connections in results.connections:
        say(f"\n{connections} connections: CPU ms a request, server + database · statements a request\n")
        _say_lines(cost_table(results, connections, results.measured(peers=False)), say)
        if results.measured(peers=True):
            say("")
            _say_lines(cost_table(results, connections, results.measured(peers=True)), say)
    say("")
    _say_lines(memory_table(results), say)
    say("")
    _say_lines(map(str, goals(results)), say)


def _say_lines(lines: Iterable[str], say: Callable[[str], None]) -> None:
    for line in lines:
        say(line)
