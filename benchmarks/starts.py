"""How long `dutiful serve` takes from the command to the first 200 of `/readyz`, with its private PostgreSQL."""

import sys
import time
from pathlib import Path

from benchmarks.servers import free_port, started, wait_until_ready


def seconds_to_start(folder: Path, times: int) -> list[float]:
    """The first is that of an empty data folder, all others find one."""
    return [_start_once(folder) for _ in range(times + 1)]


def _start_once(folder: Path) -> float:
    port = free_port()
    command = [sys.executable, "-m", "dutiful", "serve", "--port", str(port)]
    environ = {"DUTIFUL_DATA_DIR": str(folder / "private")}
    log = folder / "private.log"
    began = time.perf_counter()
    with started(command, environ, folder, log) as process:
        wait_until_ready(process, port, "/readyz", log)
        return time.perf_counter() - began
