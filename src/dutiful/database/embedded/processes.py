"""The command lines of running processes, arguments separated and ended by spaces."""

import os
import subprocess
from pathlib import Path


def command(pid: int) -> str:
    """Empty if there is no such process, or only its exit status is left."""
    if not Path("/proc/self").exists():
        return _ps("-p", str(pid)).get(pid, "")
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" "))
    except (FileNotFoundError, ProcessLookupError):
        return ""


def commands() -> dict[int, str]:
    if not Path("/proc/self").exists():
        return _ps("-ax")
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return {pid: command(pid) for pid in pids}


def exists(pid: int) -> bool:
    """Also true of a process that ended and waits to be collected."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _ps(*which: str) -> dict[int, str]:
    arguments = ["/bin/ps", *which, "-ww", "-o", "pid=,command="]
    output = subprocess.run(arguments, capture_output=True, check=False).stdout  # noqa: S603 - no shell, fixed words
    lines = [line.strip().split(maxsplit=1) for line in os.fsdecode(output).splitlines()]
    return {int(line[0]): line[1] + " " for line in lines if len(line) == 2}
