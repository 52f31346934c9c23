"""A date as people mean it: a day, perhaps a time, perhaps a place whose clock counts."""

import datetime as dt
from dataclasses import dataclass
from functools import cache
from typing import Self
from zoneinfo import ZoneInfo, available_timezones

from dutiful.database.types import JsonObject


@dataclass(frozen=True, slots=True)
class When:
    """A date alone is all-day; with a time it floats; with a time zone it is the time on the wall there."""

    date: dt.date
    time: dt.time | None = None
    timezone: str | None = None

    def instant(self) -> dt.datetime | None:
        """The moment in UTC, if a zone fixes one. A time that the clock skips counts from before the gap, one that it
        shows twice is the first (PEP 495, fold=0)."""
        if self.time is None or self.timezone is None:
            return None
        return dt.datetime.combine(self.date, self.time, ZoneInfo(self.timezone)).astimezone(dt.UTC)

    def as_json(self) -> JsonObject:
        return {
            "date": self.date.isoformat(),
            "time": None if self.time is None else format_time(self.time),
            "timezone": self.timezone,
        }

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """What `as_json` gave."""
        time = None if value["time"] is None else dt.time.fromisoformat(value["time"])
        return cls(dt.date.fromisoformat(value["date"]), time, value["timezone"])


def format_time(value: dt.time) -> str:
    return value.isoformat("seconds" if value.second else "minutes")


@cache
def known_timezones() -> frozenset[str]:
    """IANA names. `localtime` and the like mean this machine, so they mean nothing to others."""
    return frozenset(
        name for name in available_timezones() if name not in {"localtime", "posixrules", "Factory"}
    )
