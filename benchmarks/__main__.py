"""How fast Dutiful is beside the least that a Python process can do, beside the way of the tutorials, and beside peers.

Starts a PostgreSQL of its own, fills it, checks one answer of each kind in full, then measures in rounds with wrk, in
which every answer is checked as well. All traffic stays on this machine. How to read it: benchmarks/README.md
"""

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.chart import draw
from benchmarks.load import HOW_TO_INSTALL, WrongAnswer, has_wrk
from benchmarks.measuring import Benchmark, as_json
from benchmarks.peers.candidates import installed_peers
from benchmarks.postgres import running, temporary_folder
from benchmarks.results import JUDGED_AT, Results, growth, print_all
from benchmarks.servers import DUTIFUL, FLOOR, TUTORIAL, Candidate
from benchmarks.starts import seconds_to_start
from benchmarks.work import WORK, Work

_HERE = Path(__file__).parent
_RESULTS = _HERE / "results"


def main() -> None:
    arguments = _parser().parse_args()
    if not has_wrk():
        if not arguments.smoke:
            sys.exit(HOW_TO_INSTALL)
        _say(f"{HOW_TO_INSTALL}. Until then httpx sends the requests.")
    try:
        asyncio.run(_smoke(arguments) if arguments.smoke else _measure(arguments))
    except WrongAnswer as error:
        sys.exit(f"Wrong answer. {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="work: " + ", ".join(work.name for work in WORK),
    )
    add = parser.add_argument
    add("--smoke", action="store_true", help="a few dozen requests of each kind, to see that they are right")
    add("--tasks", type=int, default=10_000, help="in all 100 workspaces together")
    add("--rounds", type=int, default=3)
    add("--seconds", type=int, default=5, help="of each measurement")
    add("--connections", type=int, nargs="+", default=[16, 64])
    add("--threads", type=int, default=max(1, (os.cpu_count() or 2) // 2), help="of wrk")
    add("--only", nargs="+", metavar="WORK", choices=[work.name for work in WORK], help="some work alone")
    add("--candidates", nargs="+", metavar="NAME", help="some candidates alone, by name")
    add("--workers", type=int, default=1, metavar="N", help="measure Dutiful with N workers as well")
    add(
        "--peers",
        action="store_true",
        help="what people would take instead as well, if `make bench-peers` was run",
    )
    add("--compare", type=Path, metavar="JSON", help="results of an earlier run, with fewer tasks")
    return parser


async def _smoke(arguments: argparse.Namespace) -> None:
    with temporary_folder() as folder, running(folder, log_statements=True) as postgres:
        benchmark = Benchmark(_candidates(arguments), _work(arguments), folder, _say)
        answers = await benchmark.prepare(postgres, arguments.tasks)
        await benchmark.check_and_count(postgres, answers)
        await benchmark.smoke(postgres, answers)
    _say("All answers were right.")


async def _measure(arguments: argparse.Namespace) -> None:
    began = datetime.now(UTC)
    with temporary_folder() as folder:
        benchmark = Benchmark(_candidates(arguments), _work(arguments), folder, _say)
        # Its statements are logged, and only then: to measure, it is started anew.
        with running(folder, log_statements=True) as postgres:
            answers = await benchmark.prepare(postgres, arguments.tasks)
            await benchmark.check_and_count(postgres, answers)
        starts = seconds_to_start(folder, arguments.rounds)
        with running(folder) as postgres:
            for number in range(arguments.rounds):
                await benchmark.measure(
                    postgres, answers, number, arguments.connections, arguments.seconds, arguments.threads
                )
    results = Results(benchmark.findings, benchmark.candidates, starts[1:])
    print_all(results, _say)
    _say(
        f"serve, with its private PostgreSQL: ready after {_seconds(starts[:1])} at first, then {_seconds(starts[1:])}"
    )
    if arguments.compare:
        _say(f"\nBeside {arguments.compare}:")
        for line in growth(results, json.loads(arguments.compare.read_text())):
            _say(line)
    _write(results, arguments, began, starts)


def _seconds(starts: Sequence[float]) -> str:
    return ", ".join(f"{seconds:.2f}" for seconds in starts) + " s"


def _candidates(arguments: argparse.Namespace) -> list[Candidate]:
    """Dutiful first: the others are checked against it."""
    found = [DUTIFUL]
    if arguments.workers > 1:
        name, title = f"dutiful-{arguments.workers}", f"Dutiful, {arguments.workers} workers"
        found.append(replace(DUTIFUL, name=name, title=title, workers=arguments.workers))
    found += [TUTORIAL, FLOOR]
    if arguments.peers:
        found += installed_peers()
    if arguments.candidates:
        found = [one for one in found if one.name in arguments.candidates]
    return found


def _work(arguments: argparse.Namespace) -> list[Work]:
    return [work for work in WORK if not arguments.only or work.name in arguments.only]


def _write(results: Results, arguments: argparse.Namespace, began: datetime, starts: Sequence[float]) -> None:
    _RESULTS.mkdir(exist_ok=True)
    name = f"{began:%Y-%m-%dT%H%M%SZ}-{arguments.tasks}"
    facts = {
        "began": began.isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load_before": os.getloadavg(),
        "arguments": {key: str(value) for key, value in vars(arguments).items()},
        "first_and_warm_starts": starts,
        **as_json(results.findings),
    }
    (_RESULTS / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")
    said = f"\nWritten: benchmarks/results/{name}.json"
    if FLOOR in results.candidates and results.works(min(arguments.connections)):
        shown = JUDGED_AT if JUDGED_AT in arguments.connections else min(arguments.connections)
        (_RESULTS / f"{name}.svg").write_text(draw(results, shown))
        said += f" and {name}.svg"
    _say(said)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
