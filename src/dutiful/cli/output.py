"""What people and programs read: tables that fit the terminal, JSON as the server sent it.

The tables are plain text made here. `rich` lays out more than they need and takes 50 ms to load, a third of what a
whole `dutiful list` may take; its measure of how wide a character is, is all that is used.
"""

import datetime as dt
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from dutiful import clock
from dutiful.cli.client import Named, Priority, Status, Task, When
from dutiful.plain import one_line

# SGR codes of ECMA-48. The colours are those of the terminal's own palette, so they suit light and dark.
PLAIN, BOLD, DIM, RED = "", "1", "2", "31"
PRIORITY_STYLES: Mapping[Priority, str] = {
    "none": PLAIN,
    "low": DIM,
    "medium": "36",
    "high": "33",
    "urgent": "1;31",
}
STATUS_MARKS: Mapping[Status, str] = {"open": " ", "done": "✓", "cancelled": "✗"}
REPEATS = "↻"
GAP = "  "


@dataclass(frozen=True)
class Look:
    """How lines may look where they go."""

    colour: bool = False
    width: int | None = None
    """None: as wide as they are. What is piped is for programs, which want all of it."""


@dataclass(frozen=True)
class Cell:
    text: str
    style: str = PLAIN


@dataclass(frozen=True)
class Column:
    heading: str
    narrowest: int | None = None
    """None: never cut."""
    share: int = 1
    """Of two columns that must give way, one with share 2 stays twice as wide."""


def look_of(stream: TextIO) -> Look:
    is_terminal = stream.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else None
    return Look(_wants_colour(is_terminal=is_terminal), width)


def _wants_colour(*, is_terminal: bool) -> bool:
    """https://no-color.org and https://force-color.org"""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (is_terminal and os.environ.get("TERM") != "dumb")


def print_lines(lines: Sequence[str]) -> None:
    _put("".join(f"{line}\n" for line in lines), sys.stdout)


def print_json(data: Any) -> None:
    _put(json.dumps(data, indent=2, ensure_ascii=not _is_unicode(sys.stdout)) + "\n", sys.stdout)


def note(line: str) -> None:
    """A message to the person; never part of the data."""
    _put(line + "\n", sys.stderr)


def _is_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") in {"utf8", "utf16", "utf32"}


def _put(text: str, stream: TextIO) -> None:
    encoding = stream.encoding or "utf-8"
    # A terminal that lacks a character shows "?" for it, rather than nothing of the rest.
    stream.write(text.encode(encoding, "replace").decode(encoding))


# --- tasks ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Names:
    """What ids are called."""

    projects: Mapping[int, str]
    labels: Mapping[int, str]

    def project(self, task: Task) -> str:
        return self.projects.get(task["project_id"], str(task["project_id"]))

    def labels_of(self, task: Task) -> str:
        return ", ".join(sorted(self.labels.get(label_id, str(label_id)) for label_id in task["label_ids"]))


def task_table(tasks: Sequence[Task], names: Names, look: Look) -> list[str]:
    columns = [
        Column("ID"),
        Column(""),
        Column("TITLE", 16, share=2),
        Column("DUE", len("2026-12-01 17:00…")),
        Column("PRIORITY"),
        Column("PROJECT", 6),
        Column("LABELS", 6),
    ]
    return table(columns, [_task_row(task, depth, names) for task, depth in in_outline(tasks)], look)


def in_outline(tasks: Sequence[Task]) -> Iterator[tuple[Task, int]]:
    """Each task with its depth: subtasks behind their parent where it is in the list too, else in their place."""
    listed = {task["id"] for task in tasks}
    children: dict[int | None, list[Task]] = {}
    for task in tasks:
        parent = task["parent_id"] if task["parent_id"] in listed else None
        children.setdefault(parent, []).append(task)

    def below(parent: int | None, depth: int) -> Iterator[tuple[Task, int]]:
        for task in children.get(parent, ()):
            yield task, depth
            yield from below(task["id"], depth + 1)

    return below(None, 0)


def _task_row(task: Task, depth: int, names: Names) -> list[Cell]:
    cells = [
        Cell(str(task["id"]), DIM),
        Cell(STATUS_MARKS[task["status"]].strip() or (REPEATS if task["recurrence"] else "")),
        Cell("  " * depth + one_line(task["title"])),
        Cell(when_text(task["due"], short=True), RED if is_overdue(task) else PLAIN),
        _priority(task),
        Cell(one_line(names.project(task))),
        Cell(one_line(names.labels_of(task))),
    ]
    return cells if task["status"] == "open" else [Cell(cell.text, DIM) for cell in cells]


def _priority(task: Task) -> Cell:
    return Cell("" if task["priority"] == "none" else task["priority"], PRIORITY_STYLES[task["priority"]])


def task_line(task: Task, project: str = "") -> str:
    """One task in a sentence: what was added or changed."""
    parts = [f"{task['id']} {one_line(task['title'])}"]
    if project:
        parts.append(one_line(project))
    if task["due"]:
        parts.append(f"due {when_text(task['due'])}")
    if task["recurrence"]:
        parts.append(task["recurrence"]["text"])
    if task["priority"] != "none":
        parts.append(task["priority"])
    return " · ".join(parts)


def task_sheet(task: Task, subtasks: Sequence[Task], names: Names, look: Look) -> list[str]:
    """Everything about one task."""
    paint = _painter(look)
    lines = [paint(f"{task['id']}  {one_line(task['title'])}", BOLD)]
    facts = [(name, cell) for name, cell in _facts(task, names) if cell.text]
    lines += [f"  {paint(f'{name:<9}', DIM)} {paint(cell.text, cell.style)}" for name, cell in facts]
    if task["description"]:
        lines += ["", *_paragraphs(task["description"], look.width)]
    if subtasks:
        lines += ["", *(f"  {line}" for line in _checklist(subtasks, paint))]
    return lines


def _facts(task: Task, names: Names) -> Iterator[tuple[str, Cell]]:
    yield "status", Cell("in the trash" if task["deleted_at"] else task["status"])
    yield "due", Cell(due_in_full(task["due"]), RED if is_overdue(task) else PLAIN)
    yield "repeats", Cell(task["recurrence"]["text"] if task["recurrence"] else "")
    yield "start", Cell(when_text(task["start"]))
    yield "priority", _priority(task)
    yield "project", Cell(f"{one_line(names.project(task))} ({task['project_id']})")
    yield "labels", Cell(one_line(names.labels_of(task)))
    yield "part of", Cell(str(task["parent_id"] or ""))
    yield "created", Cell(instant_text(task["created_at"]))
    yield (
        "changed",
        Cell(instant_text(task["updated_at"]) if task["updated_at"] != task["created_at"] else ""),
    )
    yield "completed", Cell(instant_text(task["completed_at"]))


def _checklist(subtasks: Sequence[Task], paint: "Paint") -> list[str]:
    return [
        paint(
            f"[{STATUS_MARKS[task['status']]}] {task['id']}  {one_line(task['title'])}",
            PLAIN if task["status"] == "open" else DIM,
        )
        for task in subtasks
    ]


def _paragraphs(text: str, width: int | None) -> list[str]:
    lines = (one_line(line, keep_spaces=True) for line in text.splitlines())
    if width is None:
        return [f"  {line}".rstrip() for line in lines]
    return [
        f"  {part}"
        for line in lines
        for part in (textwrap.wrap(line, max(width - 2, 20), replace_whitespace=False) or [""])
    ]


# --- projects and labels ----------------------------------------------------------------------------------------------


def name_table(things: Sequence[Named], look: Look) -> list[str]:
    # Whose they are matters only to somebody with several workspaces.
    several = len({thing["workspace_id"] for thing in things}) > 1
    columns = [Column("ID"), Column("NAME", 16), Column("WORKSPACE"), Column("")]
    rows = [
        [
            Cell(str(thing["id"]), DIM),
            Cell(one_line(thing["name"])),
            Cell(str(thing["workspace_id"]) if several else ""),
            Cell("archived" if thing.get("archived") else "", DIM),
        ]
        for thing in things
    ]
    return table(columns, rows, look)


# --- dates ------------------------------------------------------------------------------------------------------------


def when_text(when: When | None, *, short: bool = False) -> str:
    """`2026-12-01 17:00 Europe/Berlin`. The short form leaves out a zone whose clocks show the same as here."""
    if when is None:
        return ""
    parts = [when["date"], when["time"], when["timezone"]]
    if short and when["time"] and when["timezone"] and _is_clock_of_here(when):
        parts.pop()
    return " ".join(part for part in parts if part)


def due_in_full(due: When | None) -> str:
    if due is None:
        return ""
    days = (dt.date.fromisoformat(due["date"]) - _today()).days
    distance = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(days)
    return f"{when_text(due)} ({distance or (f'in {days} days' if days > 0 else f'{-days} days ago')})"


def marked(text: str, places: Sequence[tuple[int, int]]) -> list[str]:
    """The text in one line, and a line that marks these characters, each from one to before another."""
    marks, at = "", 0
    for start, end in sorted(places):
        between, within = text[at:start], text[max(at, start) : end]
        marks += " " * _width(one_line(between, keep_spaces=True))
        marks += "^" * max(1, _width(one_line(within, keep_spaces=True)))
        at = max(at, end)
    return [f"  {one_line(text, keep_spaces=True)}", *([f"  {marks}"] if marks else [])]


def instant_text(instant: str | None) -> str:
    """A moment, as clocks here showed it."""
    if instant is None:
        return ""
    return dt.datetime.fromisoformat(instant).astimezone().strftime("%Y-%m-%d %H:%M")


def is_overdue(task: Task) -> bool:
    due = task["due"]
    if due is None or task["status"] != "open":
        return False
    days = (dt.date.fromisoformat(due["date"]) - _today()).days
    # Time zones move a day by less than two.
    return days < 0 if abs(days) >= 2 else _moment(due) < clock.now()


def _moment(when: When) -> dt.datetime:
    """All-day ends with its day; a time without a zone means here."""
    wall = dt.datetime.fromisoformat(f"{when['date']} {when['time'] or '23:59:59.999999'}")
    zone = _zone(when)
    return wall.replace(tzinfo=zone) if zone else wall.astimezone()


def _is_clock_of_here(when: When) -> bool:
    zone, wall = _zone(when), dt.datetime.fromisoformat(f"{when['date']} {when['time']}")
    try:
        return zone is not None and wall.replace(tzinfo=zone).utcoffset() == wall.astimezone().utcoffset()
    except (OverflowError, ValueError, OSError):  # the years 1 and 9999
        return False


def _zone(when: When) -> ZoneInfo | None:
    try:
        return ZoneInfo(when["timezone"]) if when["timezone"] else None
    except KeyError:  # younger than the rules on this machine
        return None


def _today() -> dt.date:
    return clock.now().astimezone().date()


# --- layout -----------------------------------------------------------------------------------------------------------

Paint = Callable[[str, str], str]


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], look: Look) -> list[str]:
    """Columns that are empty throughout are left out, and the last ones where even narrow ones have no room."""
    used = [at for at in range(len(columns)) if any(row[at].text for row in rows)]
    lines = [[Cell(columns[at].heading, DIM) for at in used], *([row[at] for at in used] for row in rows)]
    natural = [max(_width(line[at].text) for line in lines) for at in range(len(used))]
    widths = _fitted([columns[at] for at in used], natural, look.width)
    paint = _painter(look)
    return [
        GAP.join(_fill(cell, width, paint) for cell, width in zip(line, widths, strict=False)).rstrip()
        for line in lines
    ]


def _fitted(columns: Sequence[Column], widths: list[int], room: int | None) -> list[int]:
    """Takes from the widest column that may still give, until the row has room."""
    if room is None:
        return widths
    smallest = [min(width, column.narrowest or width) for column, width in zip(columns, widths, strict=True)]
    shown = len(widths)
    while shown > 1 and _row_width(smallest[:shown]) > room:
        shown -= 1
    widths, smallest = widths[:shown], smallest[:shown]
    while _row_width(widths) > room and widths != smallest:
        giving = [at for at, width in enumerate(widths) if width > smallest[at]]
        widths[max(giving, key=lambda at: widths[at] / columns[at].share)] -= 1
    return widths


def _row_width(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _painter(look: Look) -> Paint:
    def paint(text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if look.colour and style and text.strip() else text

    return paint


def _fill(cell: Cell, width: int, paint: Paint) -> str:
    text = _cut(cell.text, width)
    return paint(text, cell.style) + " " * (width - _width(text))


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    start = text[: width - 1] if text.isascii() else str(_cells().set_cell_size(text, width - 1))
    return start.rstrip() + "…"


def _width(text: str) -> int:
    return len(text) if text.isascii() else int(_cells().cell_len(text))


def _cells() -> ModuleType:
    import rich.cells  # noqa: PLC0415 - few lists need it, and it costs 10 ms

    return rich.cells
