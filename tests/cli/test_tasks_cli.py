"""The commands for tasks, on a real server."""

import io
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from tests.cli.conftest import Dutiful
from tests.support.contract import hold_to_contract_blocking

from dutiful.cli import client, tasks
from dutiful.datafolder import DataFolder
from dutiful.models import Priority, Status
from dutiful.tasks.filters import Sort

NUMBERS = itertools.count(1)


@pytest.fixture
def api(served_folder: Path) -> Iterator[httpx.Client]:
    """What the commands cannot do."""
    folder = DataFolder(served_folder)
    running = folder.running_server()
    assert running is not None
    headers = {"Authorization": f"Bearer {folder.read_owner_token()}"}
    hooks = {"response": [hold_to_contract_blocking]}
    with httpx.Client(base_url=f"{running.url}/api/v1/", headers=headers, event_hooks=hooks) as api:
        yield api


@pytest.fixture
def project(api: httpx.Client) -> str:
    """The name of a project of this test alone."""
    name = f"Project {next(NUMBERS)}"
    assert api.post("projects", json={"name": name}).status_code == 201
    return name


def added(dutiful: Dutiful, *arguments: object) -> Any:
    ran = dutiful("add", *arguments, "--json")
    assert ran.code == 0, ran.err
    return ran.json


def titles(dutiful: Dutiful, *arguments: object) -> list[str]:
    ran = dutiful("list", *arguments, "--json")
    assert ran.code == 0, ran.err
    return [task["title"] for task in ran.json]


def test_the_words_of_the_options_are_those_of_the_server() -> None:
    assert set(get_args(client.Status)) == set(Status)
    assert set(get_args(client.Priority)) == set(Priority)
    assert set(get_args(tasks.Sort)) == set(Sort)


# --- add --------------------------------------------------------------------------------------------------------------


def test_a_title_is_enough_and_needs_no_quotes(dutiful: Dutiful) -> None:
    ran = dutiful("add", "Buy", "milk")
    assert ran.code == 0
    assert ran.out.startswith("Added ")
    assert ran.out.endswith(" Buy milk\n")
    assert ran.err == ""


def test_everything_a_task_can_be_given(dutiful: Dutiful, project: str) -> None:
    parent = added(dutiful, "Trip", "--project", project)
    task = added(
        dutiful, "Renew passport", "--project", project.upper(), "--label", "papers", "-l", "city", "--priority",
        "high", "--due", "2026-12-01T17:00", "--timezone", "Europe/Berlin", "--description", "**two** photos",
        "--parent", parent["id"],
    )  # fmt: skip
    assert task["due"] == {"date": "2026-12-01", "time": "17:00", "timezone": "Europe/Berlin"}
    assert (task["priority"], task["description"]) == ("high", "**two** photos")
    assert (task["project_id"], task["parent_id"]) == (parent["project_id"], parent["id"])
    assert len(task["label_ids"]) == 2


def test_a_description_from_stdin(dutiful: Dutiful, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("first\nsecond\n"))
    assert added(dutiful, "Write", "-d", "-")["description"] == "first\nsecond\n"


def test_a_project_that_does_not_exist_is_answered_with_what_was_meant(
    dutiful: Dutiful, project: str
) -> None:
    ran = dutiful("add", "x", "--project", project.replace("ject", "jct"))
    assert ran.code == 1
    assert f"Did you mean {project}" in ran.err
    assert ran.out == ""


def test_a_name_of_several_projects_asks_for_the_id(
    dutiful: Dutiful, api: httpx.Client, project: str
) -> None:
    workspace = api.post("workspaces", json={"name": "Team"}).json()["id"]
    there = api.post("projects", json={"name": project, "workspace_id": workspace}).json()["id"]
    ran = dutiful("add", "x", "--project", project)
    assert ran.code == 1
    assert f"{there} in workspace {workspace}" in ran.err
    assert added(dutiful, "x", "--project", there)["workspace_id"] == workspace


@pytest.mark.parametrize(
    "due", ["2026-13-01", "2026-02-30", "1.12.2026", "2026-12-01T25:00", "17:00", "20261201", ""]
)
def test_a_date_that_is_none_is_a_usage_error(dutiful: Dutiful, due: str) -> None:
    ran = dutiful("add", "x", "--due", due)
    assert ran.code == 2
    assert "is not a date such as 2026-12-01" in ran.err


# --- list -------------------------------------------------------------------------------------------------------------


def test_open_tasks_are_listed(dutiful: Dutiful, project: str) -> None:
    kept, gone = added(dutiful, "Keep", "-p", project), added(dutiful, "Gone", "-p", project)
    dutiful("done", gone["id"])
    ran = dutiful("list", "--project", project)
    assert ran.out.split() == ["ID", "TITLE", "PROJECT", str(kept["id"]), "Keep", *project.split()]
    assert titles(dutiful, "-p", project, "--status", "done") == ["Gone"]
    assert titles(dutiful, "-p", project, "--status", "all") == ["Keep", "Gone"]


def test_a_list_is_read_to_its_end(dutiful: Dutiful, api: httpx.Client, project: str) -> None:
    project_id = added(dutiful, "0", "-p", project)["project_id"]
    rows = [{"title": str(number), "project_id": project_id} for number in range(1, 450)]
    assert api.post("tasks/batch", json=rows).status_code == 201
    assert titles(dutiful, "-p", project) == [str(number) for number in range(450)]
    assert titles(dutiful, "-p", project, "--limit", 250) == [str(number) for number in range(250)]
    assert len(dutiful("list", "-p", project).out.splitlines()) == 451


def test_a_list_can_be_narrowed_and_sorted(dutiful: Dutiful, project: str) -> None:
    added(dutiful, "A", "-p", project, "--due", "2026-12-02", "-l", "Blue")
    added(dutiful, "B", "-p", project, "--due", "2026-12-01", "--priority", "urgent")
    here = ("-p", project)
    assert titles(dutiful, *here, "--sort", "due") == ["B", "A"]
    assert titles(dutiful, *here, "--sort", "-id") == ["B", "A"]
    assert titles(dutiful, *here, "--due-before", "2026-12-02") == ["B"]
    assert titles(dutiful, *here, "--due-after", "2026-12-02") == ["A"]
    assert titles(dutiful, *here, "--due-after", "2026-12-01T12:00", "--due-before", "2026-12-02T12:00") == [
        "B"
    ]
    assert titles(dutiful, *here, "--priority", "urgent") == ["B"]
    assert titles(dutiful, *here, "--label", "blue") == ["A"]


def test_a_list_can_be_searched(dutiful: Dutiful, project: str) -> None:
    for title in ("Renew passport", "Photos for the passport", "Renew the lease"):
        dutiful("add", title, "--project", project)
    assert titles(dutiful, "-p", project, "-q", "passport -photos") == ["Renew passport"]
    assert titles(dutiful, "-p", project, "--search", '"renew the" lea*') == ["Renew the lease"]


def test_a_list_can_be_filtered_in_words(dutiful: Dutiful, project: str) -> None:
    added(dutiful, "Late", "-p", project, "--due", "2026-01-01", "--label", "errands")
    added(dutiful, "Later", "-p", project, "--priority", "high")
    done = added(dutiful, "Done", "-p", project, "--priority", "high")
    assert dutiful("done", done["id"]).code == 0
    assert titles(dutiful, "--filter", f'#"{project}" & overdue & @errands') == ["Late"]
    assert titles(dutiful, "-f", "no date priority >= low", "-p", project) == ["Later"]
    assert titles(dutiful, "-f", "priority >= low", "-p", project, "--status", "all") == ["Later", "Done"]


def test_what_is_wrong_with_a_filter_is_pointed_at(dutiful: Dutiful) -> None:
    ran = dutiful("list", "--filter", "日本 & prioriti >= high")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "there is no field “prioriti”; did you mean “priority”?\n"
        "  日本 & prioriti >= high\n"
        "         ^^^^^^^^\n"
    )
    assert dutiful("list", "--filter", "(done").err == "a “)” is missing at the end\n  (done\n       ^\n"
    too_long = dutiful("list", "--filter", "x" * 1001)
    assert (too_long.code, len(too_long.err.splitlines())) == (1, 1)


def test_nothing_found_among_the_open_may_be_among_the_others(dutiful: Dutiful, project: str) -> None:
    assert dutiful("list", "-p", project, "--filter", "done").err == (
        "No open tasks. --status all asks of the others too.\n"
    )
    assert dutiful("list", "-p", project, "--filter", "done", "-s", "all").err == "No tasks.\n"


def test_an_empty_list_says_so_beside_the_data(dutiful: Dutiful, project: str) -> None:
    ran = dutiful("list", "--project", project)
    assert (ran.code, ran.out, ran.err) == (0, "", "No open tasks.\n")
    assert dutiful("list", "--project", project, "--json").json == []


def test_a_label_that_does_not_exist(dutiful: Dutiful) -> None:
    ran = dutiful("list", "--label", "no such label")
    assert ran.code == 1
    assert 'There is no label "no such label".' in ran.err


# --- show -------------------------------------------------------------------------------------------------------------


def test_a_task_is_shown_with_its_subtasks(dutiful: Dutiful, project: str) -> None:
    task = added(dutiful, "Trip", "-p", project, "-d", "By **train**")
    child = added(dutiful, "Tickets", "--parent", task["id"], "-p", project)
    shown = dutiful("show", task["id"]).out
    assert shown.startswith(f"{task['id']}  Trip\n")
    assert f"project   {project} ({task['project_id']})" in shown
    assert "\n  By **train**\n" in shown
    assert f"[ ] {child['id']}  Tickets" in shown
    assert dutiful("show", task["id"], "--json").json == task


def test_a_task_that_does_not_exist(dutiful: Dutiful) -> None:
    ran = dutiful("show", 2**60)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "There is no such task, or you may not see it.\n"


# --- edit -------------------------------------------------------------------------------------------------------------


def test_only_what_is_given_changes(dutiful: Dutiful, project: str) -> None:
    before = added(dutiful, "Old", "-l", "one", "--priority", "low", "--due", "2026-12-01T17:00")
    ran = dutiful("edit", before["id"], "--title", "New", "-l", "two", "--remove-label", "one", "-p", project)
    assert ran.out == f"Changed {before['id']} New · {project} · due 2026-12-01 17:00 · low\n"
    after = dutiful("show", before["id"], "--json").json
    assert after["label_ids"] != before["label_ids"]
    assert len(after["label_ids"]) == 1
    assert {key for key in after if after[key] == before[key]} >= {"due", "priority", "status", "description"}


@pytest.mark.parametrize(
    ("options", "due"),
    [
        (["--due", "2026-12-05"], ("2026-12-05", "17:00", "Europe/Berlin")),
        (["--due", "2026-12-05T08:00"], ("2026-12-05", "08:00", "Europe/Berlin")),
        (["--timezone", "Asia/Tokyo"], ("2026-12-01", "17:00", "Asia/Tokyo")),
        (["--due", "2026-12-05", "--all-day"], ("2026-12-05", None, None)),
        (["--all-day"], ("2026-12-01", None, None)),
        (["--no-due"], None),
    ],
)
def test_a_date_can_be_changed_in_parts(
    dutiful: Dutiful, options: list[str], due: tuple[str, ...] | None
) -> None:
    task = added(dutiful, "x", "--due", "2026-12-01T17:00", "--timezone", "Europe/Berlin")
    after = dutiful("edit", task["id"], *options, "--json").json["due"]
    assert after == (due and dict(zip(("date", "time", "timezone"), due, strict=True)))


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--no-due", "--due", "today"],
        ["--all-day", "--due", "2026-12-01T17:00"],
        ["--all-day", "--timezone", "Asia/Tokyo"],
        ["--status", "gone"],
    ],
)
def test_an_edit_that_makes_no_sense_is_a_usage_error(dutiful: Dutiful, options: list[str]) -> None:
    ran = dutiful("edit", 1, *options)
    assert (ran.code, ran.out) == (2, "")


def test_what_the_server_refuses_is_one_line(dutiful: Dutiful) -> None:
    task = added(dutiful, "x")
    ran = dutiful("edit", task["id"], "--title", "x" * 501)
    assert ran.code == 1
    assert re.fullmatch(r"title: .* 500 .*\n", ran.err)


# --- done, reopen, delete ---------------------------------------------------------------------------------------------


def test_several_tasks_are_done_at_once_and_opened_again(dutiful: Dutiful, project: str) -> None:
    ids = [added(dutiful, title, "-p", project)["id"] for title in "AB"]
    assert dutiful("done", *ids, ids[0]).out == f"Done: {ids[0]} A\nDone: {ids[1]} B\n"
    assert titles(dutiful, "-p", project) == []
    assert [task["status"] for task in dutiful("reopen", *ids, "--json").json] == ["open", "open"]


def test_of_several_tasks_all_are_done_or_none(dutiful: Dutiful, project: str) -> None:
    task = added(dutiful, "A", "-p", project)
    for command in ("done", "delete"):
        ran = dutiful(command, task["id"], 2**60)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == f"{2**60}: There is no such task, or you may not see it. Nothing was changed.\n"
    assert titles(dutiful, "-p", project) == ["A"]


def test_deleting_moves_to_the_trash(dutiful: Dutiful, project: str) -> None:
    task = added(dutiful, "A", "-p", project)
    assert dutiful("delete", task["id"]).out == f"Moved to the trash: task {task['id']}\n"
    assert titles(dutiful, "-p", project, "--status", "all") == []


def test_a_task_and_its_subtask_can_be_deleted_together(dutiful: Dutiful, project: str) -> None:
    task = added(dutiful, "A", "-p", project)
    child = added(dutiful, "B", "-p", project, "--parent", task["id"])
    assert dutiful("delete", task["id"], child["id"], "--json").json == {"deleted": [task["id"], child["id"]]}
    assert titles(dutiful, "-p", project, "--status", "all") == []


# --- projects and labels ----------------------------------------------------------------------------------------------


def test_projects_and_labels_are_listed(dutiful: Dutiful, project: str) -> None:
    added(dutiful, "x", "-l", "Green")
    assert project in dutiful("projects").out
    assert project in [each["name"] for each in dutiful("projects", "--json").json]
    assert "Green" in dutiful("labels").out
    assert "Green" in [each["name"] for each in dutiful("labels", "--json").json]


# --- import -----------------------------------------------------------------------------------------------------------

EXPORT = [
    {
        "uuid": "0b0f9f4e-{n:04d}-4b6a-9d3c-0f8a3f5b8c11",
        "description": "Fix the tap {n}",
        "status": "pending",
        "entry": "20261101T100000Z",
        "due": "20261201T160000Z",
        "project": "House {n}",
        "tags": ["tools{n}"],
        "mask": "--",
    }
]


@pytest.fixture
def export() -> bytes:
    """A file of a person of its own: what is imported twice is updated."""
    return (
        json.dumps(EXPORT)
        .replace("{n:04d}", f"{next(NUMBERS):04d}")
        .replace("{n}", str(next(NUMBERS)))
        .encode()
    )


def test_a_file_is_imported_and_told_about(dutiful: Dutiful, export: bytes, tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    file.write_bytes(export)
    ran = dutiful("import", "taskwarrior", file, "--timezone", "Europe/Berlin")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0] == "Read 1: 1 created, 0 updated, 0 unchanged, 0 left, 0 refused"
    assert "New projects: House" in ran.out
    assert "0 created, 0 updated, 1 unchanged" in dutiful("import", "taskwarrior", file).out


def test_a_dry_run_from_stdin_changes_nothing(
    dutiful: Dutiful, export: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(export)))
    ran = dutiful("import", "taskwarrior", "-", "--dry-run")
    assert ran.code == 0, ran.err
    assert ran.out.endswith("This was a dry run: nothing was changed.\n")
    (created,) = json.loads(export)
    assert created["project"] not in dutiful("projects").out


def test_the_report_as_json(dutiful: Dutiful, export: bytes, tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    file.write_bytes(export)
    report = dutiful("import", "taskwarrior", file, "--dry-run", "--json").json
    assert (report["format"], report["dry_run"], report["read"], report["created"]) == (
        "taskwarrior",
        True,
        1,
        1,
    )


def test_notes_are_told_by_field_and_refusals_are_cut_short(dutiful: Dutiful, tmp_path: Path) -> None:
    number = next(NUMBERS)
    export = [
        {"uuid": f"note {number} {at}", "description": "x", "status": "pending", "estimate": 30, "issue": at}
        for at in range(3)
    ]
    del export[0]["issue"]
    file = tmp_path / "tasks.json"
    file.write_text(
        json.dumps([*export, {**export[2], "uuid": f"note {number} 3", "estimate": ""}, *range(35)])
    )
    ran = dutiful("import", "taskwarrior", file, "--dry-run")
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0] == "Read 39: 4 created, 0 updated, 0 unchanged, 0 left, 35 refused"
    assert lines[1] == "Kept as a note in the description: estimate (3 tasks), issue (3)"
    assert lines[2:4] == ["Refused:", "  /4: is not an object with the fields of a task"]
    assert lines[22:] == [
        "  /23: is not an object with the fields of a task",
        "  and 15 more; --json tells of all",
        "This was a dry run: nothing was changed.",
    ]
    report = dutiful("import", "taskwarrior", file, "--dry-run", "--json").json
    assert (len(report["kept_as_note"]), len(report["refused"])) == (6, 35)


def test_a_file_that_cannot_be_read(dutiful: Dutiful, tmp_path: Path) -> None:
    ran = dutiful("import", "taskwarrior", tmp_path / "missing.json")
    assert (ran.code, ran.err) == (
        1,
        f"{tmp_path / 'missing.json'} cannot be read: No such file or directory.\n",
    )


def test_a_file_that_is_none(dutiful: Dutiful, tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    file.write_text("no JSON")
    ran = dutiful("import", "taskwarrior", file)
    assert (ran.code, ran.out) == (1, "")
    assert len(ran.err.splitlines()) == 1


# --- who and where ----------------------------------------------------------------------------------------------------


def test_a_wrong_token_is_not_signed_in(dutiful: Dutiful, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUTIFUL_TOKEN", "dtf_wrong")
    ran = dutiful("list")
    assert (ran.code, ran.out) == (4, "")
    assert "does not accept this token" in ran.err


def test_a_server_named_by_its_address(
    dutiful: Dutiful, served_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = DataFolder(served_folder)
    running = folder.running_server()
    assert running is not None
    monkeypatch.setenv("DUTIFUL_DATA_DIR", str(tmp_path))
    assert dutiful("list").code == 1
    monkeypatch.setenv("DUTIFUL_TOKEN", folder.read_owner_token() or "")
    assert dutiful("projects", "--server", running.url).code == 0
    monkeypatch.setenv("DUTIFUL_SERVER", running.url or "")
    assert dutiful("projects").code == 0


def test_the_program_loads_neither_the_database_nor_the_web_framework() -> None:
    code = "import sys, dutiful.cli.tasks, dutiful.cli.importing; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"sqlalchemy", "fastapi", "asyncpg", "httpx", "rich", "pydantic"} & set(loaded)
