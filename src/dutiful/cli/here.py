"""What this machine knows about the person who sits at it."""

import os
from pathlib import Path

from dutiful.models.when import known_timezones

_ZONES = "/zoneinfo/"


def local_timezone() -> str:
    """The IANA name of the machine's time zone; UTC when it has none."""
    candidates = [os.environ.get("TZ", "").lstrip(":"), _linked_zone(), _written_zone()]
    return next((name for name in candidates if name in known_timezones()), "UTC")


def _linked_zone() -> str:
    """Linux and macOS link /etc/localtime to the file of the zone."""
    return os.path.realpath("/etc/localtime").partition(_ZONES)[2].removeprefix("posix/")


def _written_zone() -> str:
    try:
        return Path("/etc/timezone").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
