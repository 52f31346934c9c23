"""Taking in what `task export` writes."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.journals import changes_of, latest_seq, titles_of
from tests.support.people import Person
from tests.support.problems import problem
from tests.support.statements import count_statements

from dutiful.database.session import Database

DATA = Path(__file__).parents[1] / "data" / "taskwarrior"
EXPORT = (DATA / "export.json").read_bytes()
BACKLOG = (DATA / "syncall-backlog.data").read_bytes()


def uuid(number: int) -> str:
    return f"{number:08x}-1111-4222-8333-444455556666"


def item(number: int, **fields: Any) -> dict[str, Any]:
    base = {"uuid": uuid(number), "description": f"task {number}", "status": "pending"}
    return base | {"entry": "20260101T000000Z"} | fields


async def send(person: Person, data: bytes | list[Any], **params: Any) -> dict[str, Any]:
    """The report of an import that must succeed."""
    content = data if isinstance(data, bytes) else json.dumps(data).encode()
    response = await person.request("POST", "/imports/taskwarrior", content=content, params=params)
    assert response.status_code == 200, response.text
    report: dict[str, Any] = response.json()
    return report


async def refuse(person: Person, data: bytes, status: int = 422) -> str:
    """What is said of a file that cannot be read."""
    response = await person.request("POST", "/imports/taskwarrior", content=data)
    return str(problem(response, status)["detail"])


async def tasks_by_uid(person: Person) -> dict[str, dict[str, Any]]:
    return {task["uid"]: task for task in await person.all("/tasks")}


def counts(report: dict[str, Any]) -> dict[str, int]:
    return {name: report[name] for name in ("read", "created", "updated", "unchanged")}


# --- a whole export ---------------------------------------------------------------------------------------------------


async def test_every_task_of_an_export_is_taken_in(ana: Person) -> None:
    report = await send(ana, EXPORT)
    assert counts(report) == {"read": 12, "created": 12, "updated": 0, "unchanged": 0}
    assert (report["left"], report["refused"]) == ([], [])
    tasks = await tasks_by_uid(ana)
    assert tasks.keys() == {uuid(number) for number in range(1, 13)}
    assert len(await ana.all("/tasks", status="done")) == 2
    # What was deleted there, and the template of a repeating task that is there as well.
    cancelled = {task["uid"] for task in await ana.all("/tasks", status="cancelled")}
    assert cancelled == {uuid(8), uuid(12)}


async def test_priorities_dates_and_the_past_are_kept(ana: Person) -> None:
    await send(ana, EXPORT, timezone="Europe/Berlin")
    tasks = await tasks_by_uid(ana)
    assert [tasks[uuid(number)]["priority"] for number in range(1, 5)] == ["high", "medium", "low", "none"]
    assert tasks[uuid(1)]["created_at"] == "2026-01-10T08:15:00Z"
    assert tasks[uuid(10)]["completed_at"] == "2026-05-01T10:11:12Z"
    berlin = {"date": "2026-07-31", "time": "23:59:59", "timezone": "Europe/Berlin"}
    assert tasks[uuid(2)]["due"] == berlin
    # Midnight is Taskwarrior's way to say a day.
    assert tasks[uuid(3)]["due"] == {"date": "2026-06-12", "time": None, "timezone": None}


async def test_the_zone_is_that_of_the_profile_unless_told_otherwise(ana: Person) -> None:
    await ana.patch("/users/me", {"timezone": "Asia/Tokyo"})
    await send(ana, [item(1, due="20260611T150000Z"), item(2, due="20260611T220000Z")])
    tasks = await tasks_by_uid(ana)
    assert tasks[uuid(1)]["due"] == {"date": "2026-06-12", "time": None, "timezone": None}
    assert tasks[uuid(2)]["due"] == {"date": "2026-06-12", "time": "07:00", "timezone": "Asia/Tokyo"}


async def test_projects_and_labels_are_made_once_however_they_are_capitalised(ana: Person) -> None:
    report = await send(ana, EXPORT)
    assert report["projects_created"] == ["home.repairs", "home"]
    assert report["labels_created"] == ["phone", "home", "Garden", "none", "bills"]
    assert {project["name"] for project in await ana.all("/projects")} == {"Inbox", "home.repairs", "home"}
    tasks = await tasks_by_uid(ana)
    assert tasks[uuid(3)]["project_id"] == tasks[uuid(4)]["project_id"] != ana.inbox_id
    assert tasks[uuid(2)]["project_id"] == ana.inbox_id
    garden = [task["uid"] for task in await ana.all("/tasks", label="garden")]
    assert garden == [uuid(4), uuid(5)]


async def test_what_we_have_no_field_for_is_kept_as_a_note_and_said(ana: Person) -> None:
    report = await send(ana, EXPORT)
    tasks = await tasks_by_uid(ana)
    assert "- 2026-01-10: number: https://example.org/ä" in tasks[uuid(1)]["description"]
    assert f"taskwarrior depends: {uuid(3)}, {uuid(1)}" in tasks[uuid(4)]["description"]
    waiting = tasks[uuid(7)]["description"]
    for note in ("person: John", "issue: 123.000000", "wait: 20260609T000000Z", "until: 20270101T000000Z"):
        assert f"taskwarrior {note}" in waiting
        assert {"where": "/6", "what": note} in report["kept_as_note"]
    assert tasks[uuid(7)]["start"] == {"date": "2026-06-10", "time": None, "timezone": None}
    assert "taskwarrior deleted: 20260503T074707Z" in tasks[uuid(12)]["description"]


async def test_emoji_written_as_two_halves_come_out_whole(ana: Person) -> None:
    await send(ana, EXPORT)
    cake = (await tasks_by_uid(ana))[uuid(6)]
    assert cake["title"] == "Bake a cake 🎂🎉"
    assert "with 🍓" in cake["description"]


async def test_a_title_that_is_too_long_goes_on_in_the_notes(ana: Person) -> None:
    await send(ana, EXPORT)
    task = (await tasks_by_uid(ana))[uuid(12)]
    assert task["title"] == "x" * 499 + "…"
    assert f"taskwarrior description: {'x' * 600}" in task["description"]


async def test_an_import_is_one_request_in_the_journal(ana: Person, database: Database) -> None:
    seq = await latest_seq(database, ana.workspace_id)
    await send(ana, EXPORT)
    changes = await changes_of(database, ana.workspace_id, seq)
    assert len(changes) == 12 + 2 + 5
    assert len({change.request_id for change in changes}) == 1


async def test_a_backlog_of_one_object_a_line_is_read(ana: Person) -> None:
    report = await send(ana, BACKLOG)
    # The same seven tasks again and again as they changed: the last of each is taken, the others are told of.
    assert counts(report) == {"read": 23, "created": 7, "updated": 0, "unchanged": 0}
    assert len(report["refused"]) == 16
    assert report["refused"][0] == {"where": "line 7", "why": "is an earlier state of the task at line 8"}
    statuses = {task["title"]: task["status"] for task in await ana.all("/tasks")}
    assert statuses == {f"Task {number}": "open" for number in range(1, 5)} | {
        "Spam": "open",
        "Spam spam": "cancelled",
        "Spam spam spam": "done",
    }


async def test_a_line_ends_where_a_line_ends_and_nowhere_else(ana: Person) -> None:
    """Other characters that divide lines may stand in a JSON string as they are."""
    titles = ["a\u2028b", "a\u0085b", "a\u001cb", "a\u000cb"]
    lines = [
        json.dumps(item(number, description=title), ensure_ascii=False) for number, title in enumerate(titles)
    ]
    report = await send(ana, "\r\n".join(lines).replace("\\u001c", "\x1c").replace("\\f", "\f").encode())
    assert report["refused"] == []
    assert [task["title"] for task in await ana.all("/tasks")] == titles


async def test_a_byte_order_mark_blank_lines_and_trailing_commas_do_no_harm(ana: Person) -> None:
    lines = [json.dumps(item(number)) for number in range(3)]
    report = await send(ana, ("\ufeff\n" + ",\n\n".join(lines) + "\n").encode())
    assert counts(report)["created"] == 3


@pytest.mark.parametrize("data", [b"", b" \n ", b"[]", b"[\n]\n"])
async def test_an_empty_export_is_nothing_to_do(ana: Person, data: bytes) -> None:
    assert counts(await send(ana, data)) == {"read": 0, "created": 0, "updated": 0, "unchanged": 0}


# --- again ------------------------------------------------------------------------------------------------------------


async def test_importing_twice_makes_nothing_twice(ana: Person, database: Database) -> None:
    await send(ana, EXPORT)
    before, seq = await tasks_by_uid(ana), await latest_seq(database, ana.workspace_id)
    report = await send(ana, EXPORT)
    assert counts(report) == {"read": 12, "created": 0, "updated": 0, "unchanged": 12}
    assert report["projects_created"] == report["labels_created"] == []
    assert await tasks_by_uid(ana) == before
    assert await latest_seq(database, ana.workspace_id) == seq


async def test_a_dry_run_tells_the_same_and_writes_nothing(ana: Person, database: Database) -> None:
    seq = await latest_seq(database, ana.workspace_id)
    dry = await send(ana, EXPORT, dry_run=True)
    assert dry["dry_run"] is True
    assert await titles_of(database, ana.workspace_id) == []
    assert len(await ana.all("/projects")) == 1
    assert await ana.all("/labels") == []
    assert await latest_seq(database, ana.workspace_id) == seq
    assert await send(ana, EXPORT) == dry | {"dry_run": False}


async def test_what_changed_there_is_brought_here(ana: Person) -> None:
    await send(ana, [item(1, due="20260611T000000Z", tags=["a"]), item(2)])
    before = await tasks_by_uid(ana)
    done = item(
        1, description="changed", status="completed", end="20260301T100000Z", project="new", tags=["b"]
    )
    report = await send(ana, [done, item(2, urgency=9, modified="20260301T100000Z")])
    assert counts(report) == {"read": 2, "created": 0, "updated": 1, "unchanged": 1}
    after = await tasks_by_uid(ana)
    task = after[uuid(1)]
    assert (task["title"], task["status"], task["due"]) == ("changed", "done", None)
    assert task["completed_at"] == "2026-03-01T10:00:00Z"
    assert task["version"] == 2
    assert task["project_id"] != ana.inbox_id
    assert [label["name"] for label in await ana.all("/labels")] == ["a", "b"]
    assert after[uuid(2)] == before[uuid(2)]
    # And once more: what was updated is known as it is now.
    assert counts(await send(ana, [done]))["unchanged"] == 1


async def test_what_was_changed_here_is_left_and_said(ana: Person) -> None:
    await send(ana, [item(1), item(2)])
    task = (await tasks_by_uid(ana))[uuid(1)]
    mine = (await ana.patch(f"/tasks/{task['id']}", {"title": "mine"})).json()
    report = await send(ana, [item(1, description="theirs"), item(2, description="theirs")])
    assert report["left"] == [{"where": "/0", "why": "it was changed here since it was imported"}]
    assert report["updated"] == 1
    assert (await tasks_by_uid(ana))[uuid(1)] == mine


async def test_what_was_moved_here_is_left_where_it_is(ana: Person) -> None:
    await send(ana, [item(1, project="there")])
    task = (await tasks_by_uid(ana))[uuid(1)]
    await ana.post(f"/tasks/{task['id']}/move", {"project_id": ana.inbox_id})
    report = await send(ana, [item(1, project="elsewhere")])
    assert len(report["left"]) == 1
    assert (await tasks_by_uid(ana))[uuid(1)]["project_id"] == ana.inbox_id


async def test_what_is_in_the_trash_here_stays_there(ana: Person) -> None:
    await send(ana, [item(1)])
    task = (await tasks_by_uid(ana))[uuid(1)]
    await ana.delete(f"/tasks/{task['id']}")
    report = await send(ana, [item(1, description="theirs")])
    assert report["left"] == [{"where": "/0", "why": "it is in the trash here"}]
    assert await ana.all("/tasks") == []


async def test_a_task_that_has_the_uuid_already_is_left_and_said(ana: Person) -> None:
    mine = await ana.make("/tasks", title="mine", uid=uuid(1))
    report = await send(ana, [item(1)])
    assert report["left"] == [{"where": "/0", "why": "a task with this uid is here already"}]
    assert await ana.all("/tasks") == [mine]


async def test_two_people_may_import_the_same_file(ana: Person, bob: Person) -> None:
    for person in (ana, bob):
        assert counts(await send(person, EXPORT))["created"] == 12


@pytest.mark.parametrize("name", ["İstanbul", "ΟΔΟΣ", "ẞ", "Ǆ", "ﬁ", "K", "ŉ"])
async def test_a_name_in_any_script_is_found_again(ana: Person, name: str) -> None:
    """What two names have in common is for PostgreSQL to say; Python's `lower()` has another opinion."""
    assert (await send(ana, [item(1, project=name, tags=[name])]))["created"] == 1
    report = await send(
        ana, [item(2, project=name, tags=[name]), item(3, project=name.lower(), tags=[name.lower()])]
    )
    assert report["created"] == 2
    projects = [project["name"] for project in await ana.all("/projects")]
    assert projects.count(name) == 1
    assert len(projects) - 2 == len(report["projects_created"])
    labels = [label["name"] for label in await ana.all("/labels")]
    assert len(labels) - 1 == len(report["labels_created"])


async def test_what_was_in_the_trash_is_made_anew(ana: Person) -> None:
    project = await ana.make("/projects", name="there")
    label = await ana.make("/labels", name="tag")
    await ana.delete(f"/projects/{project['id']}")
    await ana.delete(f"/labels/{label['id']}")
    report = await send(ana, [item(1, project="there", tags=["tag"])])
    assert (report["projects_created"], report["labels_created"]) == (["there"], ["tag"])


async def test_a_thousand_tasks_take_a_handful_of_statements(ana: Person, database: Database) -> None:
    items = [item(number, tags=["a", f"{number % 10}"], project=f"{number % 5}") for number in range(1000)]
    with count_statements(database) as statements:
        assert counts(await send(ana, items))["created"] == 1000
    assert len(statements) <= 60, len(statements)
    with count_statements(database) as statements:
        assert counts(await send(ana, items))["unchanged"] == 1000
    assert len(statements) <= 15, len(statements)


# --- files that are broken ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"hello", "line 1, column 1"),
        (b'[\n{"uuid": "1"},\n{"uuid": }\n]', "line 3, column 10"),
        (b'[{"uuid": "1"}', "line 1"),
        (b'{"uuid": "1", "description": "x"}\n\n{"uuid": "2"', "line 3"),
        (b'{"uuid": "1"}\n\xff\xfe\n', "line 2"),
        (b"[" * 100_000, "line 1"),
        (b"\x00", "line 1"),
        (b'{"estimate": ' + b"9" * 5000 + b"}", "line 1"),
    ],
)
async def test_a_broken_file_names_the_line_and_changes_nothing(
    ana: Person, database: Database, data: bytes, said: str
) -> None:
    seq = await latest_seq(database, ana.workspace_id)
    assert said in await refuse(ana, data)
    assert await latest_seq(database, ana.workspace_id) == seq


BROKEN_ITEMS: list[Any] = [
    5,
    None,
    ["a"],
    {"description": "x"},
    item(1) | {"uuid": ""},
    item(1) | {"uuid": "  "},
    item(1) | {"uuid": "\x00"},
    item(1) | {"uuid": "x" * 256},
    item(1) | {"uuid": 5},
    item(1) | {"uuid": ["x"]},
    item(1) | {"uuid": {"a": 1}, "status": "recurring"},
    item(1, description=""),
    item(1, description=" \x00 "),
    item(1, status="lost"),
    item(1, status=["pending"]),
    item(1, status={"a": 1}),
    item(1, status=None),
    item(1, tags=5),
    item(1, tags={"a": 1}),
    item(1, annotations=[{"description": "x" * 60_000}]),
]


async def test_what_cannot_be_taken_in_is_told_and_the_rest_is_taken(ana: Person) -> None:
    report = await send(ana, [*BROKEN_ITEMS, item(99)])
    assert report["created"] == 1
    assert [remark["where"] for remark in report["refused"]] == [f"/{n}" for n in range(len(BROKEN_ITEMS))]
    assert all(remark["why"] for remark in report["refused"])
    assert [task["uid"] for task in await ana.all("/tasks")] == [uuid(99)]


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": "X"},
        {"priority": 5},
        {"priority": ["H"]},
        {"priority": {"a": 1}},
        {"project": ["a"]},
        {"project": "x" * 300},
        {"project": "\x00"},
        {"project": "\ud800"},
        {"tags": "a,b"},
        {"tags": ["a" * 200, "", None, 5, "\ud800", "\x00"]},
        {"annotations": 5},
        {"annotations": "text"},
        {"annotations": ["text", 5, None, {}]},
        {"annotations": [{"entry": 5, "description": ["x"]}]},
        {"due": "soon"},
        {"due": 20260611},
        {"due": ["x"]},
        {"due": "00010101T000000Z"},
        {"due": "99991231T235959Z"},
        {"scheduled": "00010101T000000Z"},
        {"entry": "00010101T000000Z"},
        {"entry": "99991231T235959Z"},
        {"entry": None},
        {"end": "x", "status": "completed"},
        {"end": {}, "status": "deleted"},
        {"parent": ["x"]},
        {"parent": {"a": 1}},
        {"parent": 5},
        {"estimate": 10**30},
        {"estimate": float("nan")},
        {"estimate": float("inf")},
        {"note": "\ud83d"},
        {"note": "a\x00b"},
        {"\ud83d": "x"},
        {"nested": {"a": [{"b": [1, None, True]}]}},
        {"uuid": " x "},
    ],
    ids=lambda fields: ascii(fields)[:60],
)
@pytest.mark.parametrize("timezone", ["Pacific/Kiritimati", "UTC"])
async def test_odd_values_are_taken_or_refused_and_are_no_failure(
    ana: Person, fields: dict[str, Any], timezone: str
) -> None:
    content = json.dumps([item(1, **fields), item(2)]).encode()
    for expected in ("created", "unchanged"):
        response = await ana.request(
            "POST", "/imports/taskwarrior", content=content, params={"timezone": timezone}
        )
        assert response.status_code == 200, response.text
        report = response.json()
        # The odd one comes in with a note or is refused in words; the other comes in whatever that one is.
        assert report[expected] + len(report["refused"]) == 2, report
        assert {remark["where"] for remark in report["refused"]} <= {"/0"}
    assert uuid(2) in await tasks_by_uid(ana)


@pytest.mark.parametrize("depth", [100, 400, 600, 800, 900, 950])
async def test_a_value_nested_deep_is_taken_or_refused(ana: Person, depth: int) -> None:
    nested = "[" * depth + "1" + "]" * depth
    data = json.dumps([item(1, deep="DEEP"), item(2)]).replace('"DEEP"', nested).encode()
    response = await ana.request("POST", "/imports/taskwarrior", content=data)
    assert response.status_code in {200, 422}, response.text
    if response.status_code == 200:
        assert response.json()["created"] + len(response.json()["refused"]) == 2


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/imports/todoist", 422),
        ("/imports/taskwarrior?workspace_id=0", 422),
        (f"/imports/taskwarrior?workspace_id={2**62}", 404),
        ("/imports/taskwarrior?timezone=Mars", 422),
        ("/imports/taskwarrior?dry_run=perhaps", 422),
    ],
)
async def test_a_wrong_parameter_is_refused(ana: Person, path: str, status: int) -> None:
    problem(await ana.request("POST", path, content=EXPORT), status)


async def test_a_repeated_import_with_a_key_is_answered_again(ana: Person) -> None:
    headers = {"Idempotency-Key": "import"}
    first = await ana.request("POST", "/imports/taskwarrior", content=EXPORT, headers=headers)
    again = await ana.request("POST", "/imports/taskwarrior", content=EXPORT, headers=headers)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert again.json()["created"] == 12
