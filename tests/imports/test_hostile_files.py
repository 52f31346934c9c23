"""Exports that no Taskwarrior writes: what is wrong is told of the item it is wrong with, and the rest comes in."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.journals import tasks_of
from tests.support.people import Person
from tests.support.problems import problem
from tests.support.sharing import share

from dutiful.database.session import Database


def item(**fields: Any) -> dict[str, Any]:
    return {"uuid": str(uuid.uuid4()), "description": "Something", "status": "pending", **fields}


async def post(person: Person, items: Any, **params: Any) -> httpx.Response:
    content = items if isinstance(items, bytes) else json.dumps(items).encode()
    return await person.request("POST", "/imports/taskwarrior", content=content, params=params)


async def report_on(person: Person, items: Any, **params: Any) -> dict[str, Any]:
    response = await post(person, items, **params)
    assert response.status_code == 200, response.text
    report: dict[str, Any] = response.json()
    return report


def nested(depth: int) -> Any:
    value: Any = "core"
    for _ in range(depth):
        value = [value]
    return value


NO_UUID = "has no uuid that can be kept: it must be text of 1 to 255 characters, no NUL among them"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"uuid": None}, "has no uuid"),
        ({"uuid": " "}, NO_UUID),
        ({"uuid": 5}, NO_UUID),
        ({"uuid": ["x"]}, NO_UUID),
        ({"uuid": "a\0b"}, NO_UUID),
        ({"uuid": "\ud800"}, NO_UUID),
        ({"uuid": "u" * 256}, NO_UUID),
        ({"status": []}, "has the status “[]”, which Taskwarrior does not know"),
        ({"status": {"a": 1}}, 'has the status “{"a": 1}”, which Taskwarrior does not know'),
        ({"status": "zombie"}, "has the status “zombie”, which Taskwarrior does not know"),
        ({"description": ["x"]}, "has a description that is no text"),
        ({"description": True}, "has a description that is no text"),
        ({"description": "\0 "}, "has no description"),
        ({"tags": 5}, "has tags that are no list"),
        ({"tags": {"a": 1}}, "has tags that are no list"),
        ({"estimate": nested(300)}, "is nested too deeply"),
    ],
)
async def test_only_the_item_that_is_wrong_is_refused(ana: Person, fields: dict[str, Any], why: str) -> None:
    report = await report_on(ana, [item(), item(**fields), item()])
    assert report["refused"] == [{"where": "/1", "why": why}]
    assert (report["read"], report["created"]) == (3, 2)


@pytest.mark.parametrize("value", [0, "task", None, [], [{}], 1.5, True])
async def test_what_is_no_object_is_refused(ana: Person, value: Any) -> None:
    report = await report_on(ana, [item(), value])
    assert report["refused"] == [{"where": "/1", "why": "is not an object with the fields of a task"}]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"description": "half \ud800 a character"}, {"title": "half � a character"}),
        ({"description": 5}, {"title": "5"}),
        ({"uuid": " x "}, {"uid": "x"}),
        ({"project": "half \udfff"}, {"description": ""}),
        ({"project": {}}, {"description": "taskwarrior project: {}"}),
        ({"project": True}, {"description": "taskwarrior project: true"}),
        ({"priority": ["H"]}, {"priority": "none", "description": 'taskwarrior priority: ["H"]'}),
        ({"tags": ["half \udfff"]}, {"description": ""}),
        (
            {"tags": [["x"], {}]},
            {"label_ids": [], "description": 'taskwarrior tag: ["x"]\ntaskwarrior tag: {}'},
        ),
        ({"annotations": 5}, {"description": "- 5"}),
        ({"annotations": {"description": "x"}}, {"description": "- x"}),
        ({"annotations": [5, [1], None]}, {"description": "- 5\n- [1]"}),
        ({"annotations": [{"entry": 1.5, "description": {}}]}, {"description": "- {}"}),
        ({"due": [1]}, {"due": None, "description": "taskwarrior due: [1]"}),
        ({"entry": {}}, {"description": "taskwarrior entry: {}"}),
        ({"parent": []}, {"description": ""}),
        ({"parent": {"a": 1}}, {"description": 'taskwarrior parent: {"a": 1}'}),
        ({"modified": "\ud800", "urgency": 2**70, "id": []}, {"description": ""}),
        ({"estimate": 2**64}, {"description": f"taskwarrior estimate: {2**64}"}),
        ({"estimate": float("inf")}, {"description": "taskwarrior estimate: Infinity"}),
        ({"estimate": "\ud800"}, {"description": "taskwarrior estimate: �"}),
        ({"estimate": {"deep": ["\ud800"]}}, {"description": 'taskwarrior estimate: {"deep": ["�"]}'}),
        ({"\ud800": 1}, {"description": "taskwarrior �: 1"}),
        ({"annotations": ["plain", {"description": "x"}]}, {"description": "- plain\n- x"}),
        ({"due": "99991231T235959Z"}, {"due": None, "description": "taskwarrior due: 99991231T235959Z"}),
        ({"due": "00010101T000001Z"}, {"due": None, "description": "taskwarrior due: 00010101T000001Z"}),
        ({"entry": "00010101T000000Z"}, {"created_at": "0001-01-01T00:00:00Z"}),
        ({"entry": 20260101}, {"description": "taskwarrior entry: 20260101"}),
    ],
)
async def test_what_is_merely_odd_comes_in(
    ana: Person, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    report = await report_on(ana, [item(**fields)], timezone="UTC")
    assert (report["created"], report["refused"]) == (1, [])
    (task,) = await ana.all("/tasks")
    assert {name: task[name] for name in expected} == expected
    assert (await report_on(ana, [item(**{"uuid": task["uid"], **fields})], timezone="UTC"))["unchanged"] == 1


async def test_more_tags_than_a_task_can_have_labels(ana: Person) -> None:
    report = await report_on(ana, [item(tags=[f"tag {number}" for number in range(103)])])
    assert (report["created"], len(report["labels_created"])) == (1, 100)
    assert [kept["what"] for kept in report["kept_as_note"]] == [
        "tag: tag 100",
        "tag: tag 101",
        "tag: tag 102",
    ]
    (task,) = await ana.all("/tasks")
    assert len(task["label_ids"]) == 100
    assert task["description"].splitlines()[-1] == "taskwarrior tag: tag 102"


async def test_what_became_of_an_earlier_state_is_not_told_as_a_note(ana: Person) -> None:
    one = item(estimate=30)
    report = await report_on(ana, [one, {**one, "estimate": 40}])
    assert report["kept_as_note"] == [{"where": "/1", "what": "estimate: 40"}]
    assert [refused["where"] for refused in report["refused"]] == ["/0"]


async def test_a_file_of_nothing_but_faults_is_refused_as_a_whole(ana: Person) -> None:
    document = problem(await post(ana, [0] * 20_000), 422)
    assert "/0 is not an object" in document["detail"]


async def test_half_a_character_in_the_bytes_of_a_file_is_marked(ana: Person) -> None:
    await report_on(
        ana, json.dumps([item(description="half ? of it")]).encode().replace(b"?", b"\xed\xa0\x80")
    )
    assert [task["title"] for task in await ana.all("/tasks")] == ["half � of it"]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]"])
async def test_a_file_without_tasks_brings_none(ana: Person, content: bytes) -> None:
    assert (await report_on(ana, content))["read"] == 0


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"\x00", "line 1"),
        (b"{}\n{]", "line 2"),
        (b"[\n{},\n\xff]", "line 3"),
        (b"[" * 100_000, "line 1"),
        (b'[{"a": ' + b"9" * 5000 + b"}]", "line 1"),
        (b'{"a": 1}{"b": 2}', "line 1"),
    ],
)
async def test_a_file_that_is_no_json_is_refused_with_the_line(
    ana: Person, content: bytes, line: str
) -> None:
    assert line in problem(await post(ana, content), 422)["detail"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e"])
async def test_a_line_of_json_ends_at_a_line_feed_alone(ana: Person, separator: str) -> None:
    lines = [item(description=f"one{separator}two"), item(description="three")]
    content = "\r\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    # JSON escapes control characters; Taskwarrior does not.
    content = content.replace(json.dumps(separator)[1:-1], separator)
    report = await report_on(ana, content.encode())
    assert (report["read"], report["created"]) == (2, 2)
    assert [task["title"] for task in await ana.all("/tasks")] == [f"one{separator}two", "three"]


async def test_who_may_not_write_imports_nothing_not_even_as_a_dry_run(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob, role="viewer")
    for dry_run in (False, True):
        response = await post(bob, [item(project="x")], workspace_id=workspace_id, dry_run=dry_run)
        problem(response, 403, "forbidden")
        response = await post(bob, [item(project="x")], workspace_id=ana.workspace_id, dry_run=dry_run)
        problem(response, 404, "not_found")
    assert await ana.all("/tasks") == []
    assert {project["name"] for project in await ana.all("/projects")} == {"Inbox"}


def json_values() -> st.SearchStrategy[Any]:
    text = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(WORDS)
    scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | text
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
        max_leaves=6,
    )


WORDS = (
    *(
        "pending",
        "waiting",
        "completed",
        "deleted",
        "recurring",
        "H",
        "M",
        "L",
        "home",
        "HOME",
        "ΟΔΟΣ",
        "",
        " ",
    ),
    *("20260101T000000Z", "99991231T235959Z", "00010101T000000Z", "00000000T000000Z", "20260230T000000Z"),
    *("a,b,,c", "x" * 201, "x" * 501, "\ud800", "\x00", "\u2028"),
)
FIELDS = (
    *("uuid", "description", "status", "priority", "project", "tags", "annotations", "entry", "end", "due"),
    *("scheduled", "wait", "until", "recur", "parent", "depends", "id", "urgency", "modified", "estimate"),
)


def hostile_items() -> st.SearchStrategy[list[Any]]:
    fields = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), json_values(), max_size=8)
    sound = st.builds(lambda more: item(**more), fields)
    return st.lists(sound | fields | json_values(), max_size=5)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(items=hostile_items(), as_lines=st.booleans(), dry_run=st.booleans())
async def test_whatever_is_sent_comes_in_as_told_or_not_at_all(
    ana: Person, database: Database, items: Sequence[Any], *, as_lines: bool, dry_run: bool
) -> None:
    before = len(await tasks_of(database, ana.workspace_id))
    content = "\n".join(map(json.dumps, items)) if as_lines else json.dumps(items)
    response = await post(ana, content.encode(), dry_run=dry_run)
    now = len(await tasks_of(database, ana.workspace_id))
    if response.status_code != 200:
        problem(response, 422)
        assert now == before
        return
    report = response.json()
    assert now - before == (0 if dry_run else report["created"])
    told = sum(report[count] for count in ("created", "updated", "unchanged"))
    assert told + len(report["left"]) + len(report["refused"]) == report["read"]
