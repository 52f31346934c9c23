"""What an attack came to, in numbers."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    promise: str
    what: str
    value: float
    bound: str = ""
    """Empty for one that only tells how large the attack was."""
    is_kept: bool = True


class Figures:
    """Of one test. They travel as properties of its report, so that they arrive from other processes too."""

    def __init__(self, record: Callable[[str, object], None], *, is_long: bool) -> None:
        self._record = record
        self._is_long = is_long
        self._broken: list[Figure] = []

    def tell(self, promise: str, **values: float) -> None:
        """How large the attack was."""
        for what, value in values.items():
            self._add(Figure(promise, what.replace("_", " "), value))

    def none(self, promise: str, **values: float) -> None:
        """What must not have happened at all."""
        for what, value in values.items():
            self._add(Figure(promise, what.replace("_", " "), value, "0", value == 0))

    def at_most(self, promise: str, what: str, value: float, bound: float) -> None:
        self._add(Figure(promise, what, value, f"≤ {bound:g}", value <= bound))

    def within(self, promise: str, what: str, seconds: float, bound: float) -> None:
        """Only a long run measures time: the short one shares the machine with other tests."""
        if self._is_long:
            self.at_most(promise, f"{what} (s)", seconds, bound)
        else:
            self.tell(promise, **{f"{what} (s)": seconds})

    def at_least(self, promise: str, what: str, value: float, bound: float) -> None:
        self._add(Figure(promise, what, value, f"≥ {bound:g}", value >= bound))

    def check(self) -> None:
        """Called last, so that all of them are told."""
        assert not self._broken, "\n".join(table(self._broken))

    def _add(self, figure: Figure) -> None:
        self._record("figure", asdict(figure))
        if not figure.is_kept:
            self._broken.append(figure)


def table(figures: Sequence[Figure]) -> list[str]:
    rows = [("promise", "what", "seen", "allowed", "")]
    rows += [
        (each.promise, each.what, f"{each.value:g}", each.bound, "" if each.is_kept else "BROKEN")
        for each in figures
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return lines
