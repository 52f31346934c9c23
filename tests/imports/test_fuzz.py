"""Whatever a file holds: it is taken in, told of or refused, and the server lives on."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.people import Person

from dutiful.errors import Invalid
from dutiful.imports import taskwarrior
from dutiful.imports.source import ImportReport

TEXT = st.text(st.characters(codec=None, categories=None), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
INSTANT = st.datetimes().map(lambda moment: f"{moment.year:04}{moment:%m%dT%H%M%SZ}")
PLAUSIBLE = {
    "uuid": st.uuids().map(str) | TEXT,
    "description": TEXT,
    "status": st.sampled_from(["pending", "waiting", "completed", "deleted", "recurring"]),
    "priority": st.sampled_from(["H", "M", "L", ""]),
    "project": TEXT,
    "tags": st.lists(TEXT, max_size=4) | TEXT,
    "annotations": st.lists(
        st.fixed_dictionaries({}, optional={"entry": INSTANT, "description": TEXT}), max_size=3
    ),
    "entry": INSTANT,
    "end": INSTANT,
    "due": INSTANT,
    "scheduled": INSTANT,
    "parent": st.uuids().map(str),
    "depends": st.lists(st.uuids().map(str)),
}
ITEM = st.fixed_dictionaries(
    {"uuid": PLAUSIBLE["uuid"], "description": PLAUSIBLE["description"]},
    optional={
        name: plausible | JSON for name, plausible in PLAUSIBLE.items() if name not in {"uuid", "description"}
    }
    | {"whatever": JSON},
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
MANGLED = st.builds(
    lambda data, at, byte: data[: at % (len(data) + 1)] + bytes([byte]) + data[(at + 1) % (len(data) + 1) :],
    st.lists(ITEM, max_size=3).map(lambda items: json.dumps(items).encode()),
    st.integers(0, 10_000),
    st.integers(0, 255),
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    data=st.binary(max_size=200) | MANGLED | JSON.map(lambda value: json.dumps(value).encode()), zone=ZONES
)
def test_reading_gives_tasks_or_says_why_not(data: bytes, zone: str) -> None:
    report, refused = ImportReport(format="taskwarrior"), list[str]()
    try:
        tasks = taskwarrior.read(data, zone, report)
    except Invalid as error:
        refused.append(error.detail)
    else:
        assert len(tasks) + len(report.refused) == report.read
    assert all(refused)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(items=st.lists(ITEM | JSON, max_size=6), zone=ZONES)
async def test_what_is_read_is_taken_in_once(ana: Person, items: list[Any], zone: str) -> None:
    content = json.dumps(items).encode()
    params = {"timezone": zone}
    first = await ana.request("POST", "/imports/taskwarrior", content=content, params=params)
    assert first.status_code == 200, first.text
    again = await ana.request("POST", "/imports/taskwarrior", content=content, params=params)
    assert again.status_code == 200, again.text
    assert (again.json()["created"], again.json()["updated"]) == (0, 0)
    assert again.json()["read"] == first.json()["read"] == len(items)
