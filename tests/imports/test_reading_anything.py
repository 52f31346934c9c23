"""The Taskwarrior reader on arbitrary JSON: it refuses items and files in words, and never fails."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dutiful.errors import Invalid
from dutiful.imports.source import ImportReport, SourceTask
from dutiful.imports.taskwarrior import FORMAT, UNDERSTOOD, read
from dutiful.tasks.schemas import TaskCreate
from dutiful.vocabulary import WhenFields

TEXT = st.text(st.characters(codec=None))
SCALARS = st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)
INSTANTS = st.datetimes().map(lambda at: at.strftime("%Y%m%dT%H%M%SZ").rjust(16, "0"))
OPTIONAL = sorted((UNDERSTOOD | {"wait", "parent", "estimate"}) - {"uuid", "description"})
ITEMS = st.fixed_dictionaries(
    {"uuid": st.uuids().map(str) | TEXT, "description": st.text(min_size=1) | TEXT},
    optional=dict.fromkeys(OPTIONAL, VALUES | INSTANTS | TEXT),
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12", "Africa/Monrovia"])


def read_all(data: bytes, zone: str) -> tuple[list[SourceTask], ImportReport]:
    report = ImportReport(format=FORMAT)
    return read(data, zone, report), report


@settings(max_examples=500, deadline=None)
@given(st.lists(ITEMS | VALUES), ZONES)
def test_any_list_is_read_item_by_item(items: list[Any], zone: str) -> None:
    tasks, report = read_all(json.dumps(items).encode(), zone)
    assert report.read == len(items) == len(tasks) + len(report.refused)
    for task in tasks:
        check_fits(task)
    report.model_dump_json()


@settings(max_examples=200, deadline=None)
@given(VALUES | ITEMS, ZONES)
def test_any_value_is_read_or_refused_as_a_file(value: Any, zone: str) -> None:
    said = read_or_refused(json.dumps(value).encode(), zone)
    assert said is None or "Taskwarrior export" in said


@settings(max_examples=200, deadline=None)
@given(st.binary() | st.text().map(str.encode), ZONES)
def test_any_bytes_are_read_or_refused_with_a_line(data: bytes, zone: str) -> None:
    said = read_or_refused(data, zone)
    assert said is None or "line " in said


def read_or_refused(data: bytes, zone: str) -> str | None:
    """What is said of a file that is refused."""
    try:
        read_all(data, zone)
    except Invalid as error:
        return error.detail
    return None


def check_fits(task: SourceTask) -> None:
    """What the API would refuse must not come in through a file."""
    checked = TaskCreate(
        title=task.title,
        description=task.description,
        uid=task.source_id,
        labels_add=list(task.labels),
        due=None if task.due is None else WhenFields(**vars_of(task.due)),
        start=None if task.start is None else WhenFields(**vars_of(task.start)),
    )
    assert (checked.title, checked.uid, checked.labels_add) == (task.title, task.source_id, task.labels)
    for text in (task.title, task.description, task.source_id, task.project or "", *task.labels):
        assert "\0" not in text
        text.encode()


def vars_of(when: Any) -> dict[str, Any]:
    return {"date": when.date, "time": when.time, "timezone": when.timezone}
