"""Reads what `task export` writes: a JSON array, or one JSON object a line (`rc.json.array=off`).

Taskwarrior's own description of the format: https://taskwarrior.org/docs/design/task/
"""

import datetime as dt
import io
import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from dutiful.errors import Invalid
from dutiful.imports.source import ImportReport, Kept, Remark, SourceTask, digest
from dutiful.models import Priority, Status, When
from dutiful.tasks.schemas import Uid

FORMAT = "taskwarrior"
MOST_TITLE, MOST_DESCRIPTION, MOST_NAME, MOST_LABEL, MOST_LABELS = 500, 50_000, 200, 100, 100
# Far beyond what Taskwarrior writes, and well within what Python can walk through.
DEEPEST = 100
# With more than these it is another kind of file, and telling of each would take more room than the file.
MOST_FAULTS = 10_000

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

_UID: TypeAdapter[str] = TypeAdapter(Uid)


def read(data: bytes, timezone: str, report: ImportReport) -> list[SourceTask]:
    """The tasks of an export, its instants as dates and times on the clock of `timezone`.

    What cannot be taken in is told in `report`. Raises `Invalid`, with the line, when the file is no export.
    """
    zone = ZoneInfo(timezone)
    taken: dict[str, tuple[SourceTask, _Item]] = {}
    faults: list[Remark] = []
    for where, value in _values(_decode(data)):
        report.read += 1
        try:
            item = _Item(value, zone)
            task = item.task(where)
        except _Refused as refused:
            faults.append(Remark(where=where, why=str(refused)))
            report.refused.append(faults[-1])
            _check_number_of(faults)
            continue
        if task.source_id in taken:
            # Taskwarrior's own logs hold a task once for each of its states.
            earlier, _ = taken[task.source_id]
            report.refused.append(
                Remark(where=earlier.where, why=f"is an earlier state of the task at {where}")
            )
        taken[task.source_id] = task, item
    _close_templates(taken.values())
    report.kept_as_note = [
        Kept(where=task.where, what=note) for task, item in taken.values() for note in item.notes
    ]
    return [task for task, _ in taken.values()]


def _check_number_of(faults: list[Remark]) -> None:
    if len(faults) > MOST_FAULTS:
        raise Invalid(
            f"This is not a Taskwarrior export: more than {MOST_FAULTS:,} of its items cannot be taken in. "
            f"The first of them: {faults[0].where} {faults[0].why}."
        )


def _close_templates(taken: Iterable[tuple[SourceTask, "_Item"]]) -> None:
    """A template is never done itself: where a task made from it is there too, that one is the task to do."""
    taken = list(taken)
    parents = {item.parent for _, item in taken}
    for task, item in taken:
        if item.is_template and task.source_id in parents:
            task.status = Status.CANCELLED


# --- the file ---------------------------------------------------------------------------------------------------------


def _decode(data: bytes) -> str:
    """Taskwarrior 2 writes characters beyond U+FFFF as two surrogates of three bytes each, which is no UTF-8."""
    data = data.removeprefix(BOM_UTF8)
    try:
        text = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Invalid(f"The file is not UTF-8 text: see line {line}.") from error
    return _with_whole_characters(text)


def _values(text: str) -> Iterator[tuple[str, Any]]:
    """Each item with its pointer; of one object a line, the line is all there is to point to."""
    if text.lstrip().startswith("["):
        yield from ((f"/{index}", value) for index, value in enumerate(_parse(text, 1)))
        return
    # Not `splitlines`: what else that takes for the end of a line may stand in a JSON string as it is.
    for number, line in enumerate(io.StringIO(text, newline="\n"), 1):
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


# --- one item ---------------------------------------------------------------------------------------------------------


class _Refused(Exception):
    """Says why an item cannot be taken in."""


class _Item:
    """One item of the file. What of it a task has no field for, or no such value, becomes a note."""

    def __init__(self, fields: Any, zone: ZoneInfo) -> None:
        if not isinstance(fields, dict):
            raise _Refused("is not an object with the fields of a task")
        if _is_deep(fields):
            raise _Refused("is nested too deeply")
        self.fields: dict[str, Any] = fields
        self.zone = zone
        self.notes: list[str] = []
        self.is_template = fields.get("status") == "recurring"
        self.parent = _clean(fields.get("parent")).strip()

    def task(self, where: str) -> SourceTask:
        status = self._status()
        task = SourceTask(
            where=where,
            source_id=self._source_id(),
            digest=digest({name: value for name, value in self.fields.items() if name not in DERIVED}),
            title=self._title(),
            status=status,
            priority=self._priority(),
            project=self._project(),
            labels=self._labels(),
            start=self._when("scheduled"),
            due=self._when("due"),
            created_at=self._instant("entry"),
            completed_at=self._instant("end") if status is Status.DONE else None,
        )
        self._note_the_rest()
        task.description = self._description()
        return task

    def _source_id(self) -> str:
        value = self.fields.get("uuid")
        if value is None:
            raise _Refused("has no uuid")
        try:
            return _UID.validate_python(value)
        except ValidationError:
            raise _Refused(
                "has no uuid that can be kept: it must be text of 1 to 255 characters, no NUL among them"
            ) from None

    def _title(self) -> str:
        value = self.fields.get("description")
        if isinstance(value, (bool, list, dict)):
            raise _Refused("has a description that is no text")
        title = _clean(value).strip()
        if not title:
            raise _Refused("has no description")
        return self._fitting("description", title, MOST_TITLE - 1, "…") if len(title) > MOST_TITLE else title

    def _status(self) -> Status:
        status = self.fields.get("status", "pending")
        if self.is_template:
            return Status.OPEN
        if not isinstance(status, str) or status not in STATUSES:
            shown = json.dumps(status) if status is None else _clean(status)[:50]
            raise _Refused(f"has the status “{shown}”, which Taskwarrior does not know")
        return STATUSES[status]

    def _priority(self) -> Priority:
        value = self._text("priority")
        if value and value not in PRIORITIES:
            self._note("priority", value)
        return PRIORITIES.get(value, Priority.NONE)

    def _project(self) -> str | None:
        name = self._text("project")
        return (self._fitting("project", name, MOST_NAME) if len(name) > MOST_NAME else name) or None

    def _labels(self) -> list[str]:
        tags = self.fields.get("tags") or ()
        # Version 1 wrote them as one string.
        tags = tags.split(",") if isinstance(tags, str) else tags
        if not isinstance(tags, (list, tuple)):
            raise _Refused("has tags that are no list")
        names = dict.fromkeys(_clean(tag).strip() for tag in tags if not isinstance(tag, (list, dict)))
        labels = [name for name in names if 0 < len(name) <= MOST_LABEL][:MOST_LABELS]
        came_in = {"", *labels}
        for tag in dict.fromkeys(_clean(tag).strip() for tag in tags):
            if tag not in came_in:
                self._note("tag", tag)
        return labels

    def _when(self, name: str) -> When | None:
        instant = self._instant(name)
        if instant is None:
            return None
        local = instant.astimezone(self.zone)
        if not dt.MINYEAR < local.year < dt.MAXYEAR:
            self._note(name, self._text(name))
            return None
        if local.time() == dt.time():
            # A day without a time is midnight to Taskwarrior.
            return When(local.date())
        return When(local.date(), local.time(), self.zone.key)

    def _instant(self, name: str) -> dt.datetime | None:
        value = self._text(name)
        if not value:
            return None
        try:
            instant = dt.datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
            instant.astimezone(self.zone)
        except (ValueError, OverflowError):
            self._note(name, value)
            return None
        return instant

    def _text(self, name: str) -> str:
        """What a field says. A value that is no text says nothing to us, so it becomes a note."""
        value = self.fields.get(name)
        if value is None or isinstance(value, str):
            return _clean(value).strip()
        self._note(name, _clean(value))
        return ""

    def _fitting(self, name: str, text: str, most: int, end: str = "") -> str:
        self._note(name, text)
        return text[:most].strip() + end

    def _note(self, name: str, text: str) -> None:
        self.notes.append(f"{name}: {text}")

    def _note_the_rest(self) -> None:
        """Dependencies, repetition, waiting and everything users defined themselves."""
        for name, value in self.fields.items():
            if name not in UNDERSTOOD and value not in (None, "", []):
                shown = ", ".join(map(_clean, value)) if isinstance(value, list) else _clean(value)
                self._note(_clean(name), shown)
        if self.fields.get("status") == "deleted" and self.fields.get("end"):
            self._note("deleted", _clean(self.fields["end"]))

    def _description(self) -> str:
        text = "\n".join([*self._annotations(), *(f"taskwarrior {note}" for note in self.notes)])
        if len(text) > MOST_DESCRIPTION:
            raise _Refused(f"has notes of more than {MOST_DESCRIPTION:,} characters in all")
        return text

    def _annotations(self) -> Iterator[str]:
        annotations = self.fields.get("annotations") or []
        for annotation in annotations if isinstance(annotations, list) else [annotations]:
            if isinstance(annotation, dict):
                day = _DAY.match(_clean(annotation.get("entry")))
                dated = f"{day[1]}-{day[2]}-{day[3]}: " if day else ""
                yield f"- {dated}{_clean(annotation.get('description'))}"
            elif annotation is not None:
                yield f"- {_clean(annotation)}"


_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _clean(value: Any) -> str:
    """Text that a database and a page can hold: no NUL, no half characters."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _with_whole_characters(text.replace("\x00", ""))


def _with_whole_characters(text: str) -> str:
    """Joins halves that belong together; one that stands alone becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


READERS: Mapping[str, Callable[[bytes, str, ImportReport], list[SourceTask]]] = {FORMAT: read}
