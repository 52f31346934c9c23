"""Reads what `task export` writes: a JSON array, or one JSON object a line (`rc.json.array=off`).

Taskwarrior's own description of the format: https://taskwarrior.org/docs/design/task/
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from dutiful.errors import Invalid
from dutiful.imports.source import ImportReport, Kept, Remark, SourceTask, digest
from dutiful.models import Priority, Status, When

FORMAT = "taskwarrior"
MOST_TITLE, MOST_DESCRIPTION, MOST_NAME, MOST_LABEL = 500, 50_000, 200, 100

# Worked out anew by Taskwarrior at every export, or told by other fields.
DERIVED = frozenset({"id", "urgency", "modified", "mask", "imask", "rtype", "last"})
UNDERSTOOD = DERIVED | {
    "uuid", "description", "status", "priority", "project", "tags", "annotations", "entry", "end", "due", "scheduled",
}  # fmt: skip
STATUSES = {
    "pending": Status.OPEN,
    "waiting": Status.OPEN,
    "completed": Status.DONE,
    # Gone from Taskwarrior's lists on purpose, but kept by it: so do we.
    "deleted": Status.CANCELLED,
}
PRIORITIES = {"H": Priority.HIGH, "M": Priority.MEDIUM, "L": Priority.LOW}

Item = Mapping[str, Any]


def read(data: bytes, timezone: str, report: ImportReport) -> list[SourceTask]:
    """The tasks of an export, its instants as dates and times on the clock of `timezone`.

    What cannot be taken in is told in `report`. Raises `Invalid`, with the line, when the file is no export.
    """
    items = list(_items(_decode(data)))
    report.read = len(items)
    templates_with_tasks = {item.get("parent") for _, item in items if isinstance(item, dict)}
    tasks: dict[str, SourceTask] = {}
    for where, item in items:
        try:
            task = _Reader(where, item, ZoneInfo(timezone), templates_with_tasks, report).task()
        except ValueError as error:
            report.refused.append(Remark(where=where, why=str(error)))
            continue
        if (earlier := tasks.get(task.source_id)) is not None:
            # Taskwarrior's own logs hold a task once for each of its states.
            report.refused.append(Remark(where=earlier.where, why=f"is an earlier state of the task at {where}"))
        tasks[task.source_id] = task
    return list(tasks.values())


def _decode(data: bytes) -> str:
    """Taskwarrior 2 writes characters beyond U+FFFF as two surrogates of three bytes each, which is no UTF-8."""
    try:
        text = data.decode("utf-8-sig", "surrogatepass")
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeError as error:
        line = data[: getattr(error, "start", 0)].count(b"\n") + 1
        raise Invalid(f"The file is not UTF-8 text: see line {line}.") from error


def _items(text: str) -> Iterator[tuple[str, Any]]:
    if text.lstrip().startswith("["):
        items = _parse(text, 1)
        yield from ((f"/{index}", item) for index, item in enumerate(items))
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield f"line {number}", _parse(line.strip().rstrip(","), number)


def _parse(text: str, first_line: int) -> Any:
    try:
        return json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise Invalid(
            f"This is not a Taskwarrior export: line {line}, column {error.colno}: {error.msg}. "
            "Make one with “task export > tasks.json”."
        ) from error
    except (RecursionError, ValueError) as error:
        raise Invalid(
            f"This is not a Taskwarrior export: line {first_line} cannot be read as JSON."
        ) from error


class _Reader:
    """Turns one item into a task; `ValueError` says why it cannot be."""

    def __init__(
        self, where: str, item: Any, zone: ZoneInfo, templates_with_tasks: set[Any], report: ImportReport
    ) -> None:
        if not isinstance(item, dict):
            raise ValueError("is not an object with the fields of a task")
        self.where, self.item, self.zone, self.report = where, item, zone, report
        self.templates_with_tasks = templates_with_tasks
        self.notes: list[str] = []

    def task(self) -> SourceTask:
        status = self._status()
        title = self._title()
        task = SourceTask(
            where=self.where,
            source_id=self._source_id(),
            digest=digest({name: value for name, value in self.item.items() if name not in DERIVED}),
            title=title,
            status=status,
            priority=self._priority(),
            project=self._name("project", MOST_NAME),
            labels=self._labels(),
            start=self._when("scheduled"),
            due=self._when("due"),
            created_at=self._instant("entry"),
            completed_at=self._instant("end") if status is Status.DONE else None,
        )
        self._note_the_rest()
        task.description = self._description()
        self.report.kept_as_note += [Kept(where=self.where, what=note) for note in self.notes]
        return task

    def _source_id(self) -> str:
        uuid = self.item.get("uuid")
        if not isinstance(uuid, str) or not 0 < len(uuid) <= 255:
            raise ValueError("has no uuid")
        return uuid

    def _title(self) -> str:
        title = _clean(self.item.get("description")).strip()
        if not title:
            raise ValueError("has no description")
        if len(title) > MOST_TITLE:
            self.notes.append(f"description: {title}")
            title = title[: MOST_TITLE - 1] + "…"
        return title

    def _status(self) -> Status:
        status = self.item.get("status", "pending")
        if status == "recurring":
            return self._status_of_template()
        if status not in STATUSES:
            raise ValueError(f"has the status {status!r}, which Taskwarrior does not know")
        return STATUSES[status]

    def _status_of_template(self) -> Status:
        """A template is never done itself: where a task made from it is there too, that one is the task to do."""
        return Status.CANCELLED if self.item.get("uuid") in self.templates_with_tasks else Status.OPEN

    def _priority(self) -> Priority:
        value = self.item.get("priority")
        if value in (None, ""):
            return Priority.NONE
        if value not in PRIORITIES:
            self.notes.append(f"priority: {_clean(value)}")
        return PRIORITIES.get(value, Priority.NONE)

    def _name(self, field: str, most: int) -> str | None:
        name = _clean(self.item.get(field)).strip()
        if len(name) > most:
            self.notes.append(f"{field}: {name}")
            return name[:most].strip()
        return name or None

    def _labels(self) -> list[str]:
        tags = self.item.get("tags") or []
        # Version 1 wrote them as one string.
        tags = tags.split(",") if isinstance(tags, str) else tags
        if not isinstance(tags, list):
            raise ValueError("has tags that are no list")
        names = dict.fromkeys(_clean(tag).strip() for tag in tags)
        self.notes += [f"tag: {name}" for name in names if len(name) > MOST_LABEL]
        return [name for name in names if 0 < len(name) <= MOST_LABEL]

    def _when(self, field: str) -> When | None:
        instant = self._instant(field)
        if instant is None:
            return None
        local = instant.astimezone(self.zone)
        if local.time() == dt.time():
            # A day without a time is midnight to Taskwarrior.
            return When(local.date())
        return When(local.date(), local.time(), self.zone.key)

    def _instant(self, field: str) -> dt.datetime | None:
        value = self.item.get(field)
        if value in (None, ""):
            return None
        try:
            instant = dt.datetime.strptime(str(value), "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
            instant.astimezone(self.zone)
        except (ValueError, OverflowError):
            self.notes.append(f"{field}: {_clean(value)}")
            return None
        return instant

    def _note_the_rest(self) -> None:
        """Dependencies, repetition, waiting and everything users defined themselves."""
        for name, value in self.item.items():
            if name not in UNDERSTOOD and value not in (None, "", []):
                shown = ", ".join(map(_clean, value)) if isinstance(value, list) else _clean(value)
                self.notes.append(f"{_clean(name)}: {shown}")
        if self.item.get("end") and self.item.get("status") == "deleted":
            self.notes.append(f"deleted: {_clean(self.item['end'])}")

    def _description(self) -> str:
        text = "\n".join([*self._annotations(), *(f"taskwarrior {note}" for note in self.notes)])
        if len(text) > MOST_DESCRIPTION:
            raise ValueError(f"has notes of more than {MOST_DESCRIPTION} characters in all")
        return text

    def _annotations(self) -> Iterator[str]:
        for annotation in self.item.get("annotations") or []:
            if isinstance(annotation, dict):
                at = _clean(annotation.get("entry"))
                day = f"{at[:4]}-{at[4:6]}-{at[6:8]}: " if len(at) >= 8 else ""
                yield f"- {day}{_clean(annotation.get('description'))}"
            else:
                yield f"- {_clean(annotation)}"


def _clean(value: Any) -> str:
    """Text that a database and a page can hold: no NUL, no half characters."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


READERS: Mapping[str, Callable[[bytes, str, ImportReport], list[SourceTask]]] = {FORMAT: read}
