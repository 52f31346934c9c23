"""The one place that asks what time it is, so that tests can replace it."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
