"""What the doctor says: how it is, and what to do."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    area: str
    level: Level
    text: str
    advice: str = ""


class Findings:
    """Of one area. They are kept in the order in which they were found."""

    def __init__(self, area: str) -> None:
        self.area = area
        self.all: list[Finding] = []

    def ok(self, text: str) -> None:
        self.all.append(Finding(self.area, Level.OK, text))

    def warn(self, text: str, advice: str) -> None:
        self.all.append(Finding(self.area, Level.WARNING, text, advice))

    def problem(self, text: str, advice: str = "") -> None:
        self.all.append(Finding(self.area, Level.PROBLEM, text, advice))

    @contextlib.contextmanager
    def what_fails(self, *kinds: type[Exception]) -> Iterator[None]:
        """Errors made for the person at the terminal are findings; the checks behind them are left out."""
        try:
            yield
        except kinds as error:
            self.problem(str(error))
