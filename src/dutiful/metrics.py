"""What is counted, for Prometheus. docs/operations.md says what each means.

Several workers write into files of one folder (`PROMETHEUS_MULTIPROC_DIR`, which the parent makes), and whichever of
them is asked adds them up. The variable must be there before this module is imported: never import it in the parent.
"""

import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from sqlalchemy import Pool, PoolProxiedConnection, QueuePool

from dutiful import __version__

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

REQUEST_SECONDS = Histogram(
    "dutiful_http_request_duration_seconds",
    "Requests by route, method and class of status, and how long they took.",
    ["route", "method", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
REQUESTS_IN_PROGRESS = Gauge(
    "dutiful_http_requests_in_progress", "Requests being answered now.", multiprocess_mode="livesum"
)
STREAMS_OPEN = Gauge(
    "dutiful_streams_open", "Event streams that clients hold open.", multiprocess_mode="livesum"
)
TRANSACTIONS = Counter(
    "dutiful_transactions", "Write transactions by how they ended: committed or rolled_back.", ["outcome"]
)
COMMITTED = TRANSACTIONS.labels("committed")
DB_ERRORS = Counter(
    "dutiful_db_errors",
    "Statements and connections that failed: collision (the transaction runs again), lock_timeout, cancelled (too "
    "slow), disconnect, full (no disk or connections left) or other. Values that were taken are not counted.",
    ["kind"],
)
CHANGES = Counter("dutiful_journal_changes", "Changes appended to the journal.")
POOL_CONNECTIONS = Gauge(
    "dutiful_db_pool_connections",
    "Database connections: in_use, idle, or overflow (those beyond the size of the pool, counted in the others too).",
    ["state"],
    multiprocess_mode="livesum",
)
POOL_SIZE = Gauge(
    "dutiful_db_pool_size", "Connections the pools keep open at most.", multiprocess_mode="livesum"
)
POOL_WAIT_SECONDS = Histogram(
    "dutiful_db_pool_wait_seconds",
    "How long a transaction or read waited for its connection.",
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 1, 5),
)
HOUSEKEEPING_RUNS = Counter(
    "dutiful_housekeeping_runs", "Chores begun, by their end: done or failed.", ["chore", "result"]
)
HOUSEKEEPING_REMOVED = Counter("dutiful_housekeeping_removed_rows", "Rows removed by chores.", ["chore"])
MEMORY = Gauge(
    "dutiful_process_resident_memory_bytes",
    "Memory of each server process (PostgreSQL left out).",
    multiprocess_mode="liveall",
)
CPU_SECONDS = Counter(
    "dutiful_process_cpu_seconds", "Processor time of all server processes, user and system."
)
START_TIME = Gauge(
    "dutiful_process_start_time_seconds", "When each server process began.", multiprocess_mode="liveall"
)
BUILD = Gauge("dutiful_build_info", "Always 1.", ["version", "python"], multiprocess_mode="max")
BUILD.labels(__version__, ".".join(map(str, sys.version_info[:3]))).set(1)
START_TIME.set(time.time())


def exposition() -> bytes:
    """All workers together, in Prometheus' text format."""
    registry = REGISTRY
    if FOLDER in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


_cpu_seconds = 0.0


def sample(pool: Pool) -> None:
    """What is not counted as it happens: this process and its connections, as they are now."""
    global _cpu_seconds  # noqa: PLW0603 - what was counted so far is a matter of the process
    MEMORY.set(resident_memory())
    used = time.process_time()
    CPU_SECONDS.inc(used - _cpu_seconds)
    _cpu_seconds = used
    if isinstance(pool, QueuePool):
        POOL_SIZE.set(pool.size())
        POOL_CONNECTIONS.labels("in_use").set(pool.checkedout())
        POOL_CONNECTIONS.labels("idle").set(pool.checkedin())
        POOL_CONNECTIONS.labels("overflow").set(max(0, pool.overflow()))


def time_waiting(pool: Pool) -> None:
    """Notes from now on how long each connection was waited for. The pool has no event for the beginning of that."""
    connect: Callable[[], PoolProxiedConnection] = pool.connect

    def timed() -> Any:
        began = time.perf_counter()
        try:
            return connect()
        finally:
            POOL_WAIT_SECONDS.observe(time.perf_counter() - began)

    pool.connect = timed  # type: ignore[method-assign]


def resident_memory() -> int:
    """In bytes. Where there is no /proc, the most there ever was."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
