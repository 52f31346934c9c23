"""`dutiful quick`, `dutiful skip`, and the options for tasks that repeat, on a real server."""

from typing import Any

import pytest
from tests.cli.conftest import Dutiful


def added(dutiful: Dutiful, *arguments: object) -> Any:
    ran = dutiful("add", *arguments, "--json")
    assert ran.code == 0, ran.err
    return ran.json


def shown(dutiful: Dutiful, task_id: int) -> Any:
    return dutiful("show", task_id, "--json").json


# --- quick ------------------------------------------------------------------------------------------------------------


def test_a_line_becomes_the_task_it_says(dutiful: Dutiful) -> None:
    ran = dutiful("quick", "Pay", "rent", "2030-12-01", "at", "9:00", "#Inbox", "@bank", "!high")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Added ")
    assert ran.out.endswith(" Pay rent · Inbox · due 2030-12-01 09:00 · high\n")


def test_times_of_a_line_float_unless_a_zone_is_given(dutiful: Dutiful) -> None:
    line = ("quick", "Call 2030-12-01 at 9:00", "--json")
    assert dutiful(*line).json["task"]["due"]["timezone"] is None
    there = dutiful(*line, "--timezone", "Europe/Berlin").json["task"]
    assert there["due"] == {"date": "2030-12-01", "time": "09:00", "timezone": "Europe/Berlin"}


def test_a_preview_marks_what_is_understood_and_adds_nothing(dutiful: Dutiful) -> None:
    line = "日本 2030-12-01 5pm @home !low //by train"
    before = dutiful("list", "--status", "all", "--json").json
    ran = dutiful("quick", "--preview", line)
    assert ran.out.splitlines()[:2] == [f"  {line}", "       ^^^^^^^^^^^^^^ ^^^^^ ^^^^ ^^^^^^^^^^"]
    assert "  title     日本\n  due       2030-12-01 17:00 (in " in ran.out
    assert ran.out.endswith("  priority  low\n  labels    home\n  text      by train\n")
    assert set(dutiful("quick", "--preview", line, "--json").json) == {"task", "spans"}
    assert dutiful("list", "--status", "all", "--json").json == before


def test_nothing_understood_is_not_marked(dutiful: Dutiful) -> None:
    ran = dutiful("quick", "--preview", "Read chapter 12")
    assert ran.out == "  Read chapter 12\n\n  title     Read chapter 12\n"


def test_a_project_that_is_not_there_is_pointed_at(dutiful: Dutiful) -> None:
    ran = dutiful("quick", "Call mum #nowhere")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[1:] == ["  Call mum #nowhere", "           ^^^^^^^^"]
    assert dutiful("quick", "x", "--workspace", 2**60).code == 1


# --- --repeat ---------------------------------------------------------------------------------------------------------


def test_words_say_when_it_begins_and_how_it_repeats(dutiful: Dutiful) -> None:
    task = added(
        dutiful, "Gym", "--repeat", "every monday at 18:00 starting 2030-12-02", "--timezone", "Europe/Berlin"
    )
    assert task["due"] == {"date": "2030-12-02", "time": "18:00", "timezone": "Europe/Berlin"}
    assert (task["recurrence"]["rrule"], task["recurrence"]["anchor"]) == (
        "FREQ=WEEKLY;BYDAY=MO",
        "schedule",
    )
    assert added(dutiful, "Water", "--repeat", "every! 3 days")["recurrence"]["anchor"] == "completion"


@pytest.mark.parametrize("rule", ["FREQ=MONTHLY", "rrule:freq=monthly", "every month"])
def test_a_due_date_that_is_given_counts(dutiful: Dutiful, rule: str) -> None:
    task = added(dutiful, "Backup", "--repeat", rule, "--due", "2030-01-31")
    assert task["due"]["date"] == "2030-01-31"
    assert task["recurrence"]["rrule"] == "FREQ=MONTHLY;BYMONTHDAY=31"


def test_a_repetition_is_changed_and_ended(dutiful: Dutiful) -> None:
    task_id = added(dutiful, "x", "--repeat", "every day", "--due", "2030-12-03T08:00")["id"]
    after = dutiful("edit", task_id, "--repeat", "every tuesday at 7:00", "--json").json
    assert (after["due"]["date"], after["due"]["time"]) == ("2030-12-03", "07:00")
    assert after["recurrence"]["rrule"] == "FREQ=WEEKLY;BYDAY=TU"
    ended = dutiful("edit", task_id, "--repeat", "none", "--json").json
    assert (ended["recurrence"], ended["due"]) == (None, after["due"])
    assert dutiful("edit", task_id, "--repeat", "every friday", "--no-due").code == 2


@pytest.mark.parametrize(
    ("repeat", "complaint"),
    [("sometimes", "--repeat is not understood as a repetition"), ("FREQ=SECONDLY", "too often")],
)
def test_what_is_no_repetition_is_refused(dutiful: Dutiful, repeat: str, complaint: str) -> None:
    ran = dutiful("add", "x", "--repeat", repeat)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1)
    assert complaint in ran.err


# --- a series ---------------------------------------------------------------------------------------------------------


def test_lists_mark_what_repeats_and_show_says_how(dutiful: Dutiful) -> None:
    task_id = added(dutiful, "Marked", "--repeat", "every friday")["id"]
    assert f"{task_id}  ↻  Marked" in " ".join(dutiful("list", "-q", "Marked").out.splitlines())
    assert "\n  repeats   every Friday\n" in dutiful("show", task_id).out


def test_done_says_when_the_next_is_due(dutiful: Dutiful) -> None:
    daily = added(dutiful, "Daily", "--repeat", "every day", "--due", "2030-12-01")["id"]
    once = added(dutiful, "Once")["id"]
    last = added(dutiful, "Last", "--repeat", "FREQ=DAILY;COUNT=1", "--due", "2030-12-01")["id"]
    lines = dutiful("done", daily, once, last).out.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["Done:", "Next:", "Done:", "Done:"]
    assert lines[1].endswith(" Daily · due 2030-12-02 · every day")
    assert dutiful("reopen", daily).out == f"Open again: {daily} Daily · due 2030-12-01 · every day\n"


def test_one_is_skipped(dutiful: Dutiful) -> None:
    task_id = added(dutiful, "Daily", "--repeat", "every day", "--due", "2030-12-01")["id"]
    assert dutiful("skip", task_id).out == f"Put off: {task_id} Daily · due 2030-12-02 · every day\n"
    once = added(dutiful, "Once")["id"]
    ran = dutiful("skip", once)
    assert (ran.code, ran.out) == (1, "")
    assert "does not repeat" in ran.err


def test_a_change_is_for_this_one_or_for_all_that_follow(dutiful: Dutiful) -> None:
    task_id = added(dutiful, "Old", "--repeat", "every day", "--due", "2030-12-01")["id"]
    assert dutiful("edit", task_id, "--title", "New", "--apply-to", "this").code == 0
    assert dutiful("edit", task_id, "--due", "2030-12-05", "--apply-to", "following").code == 0
    after = dutiful("skip", task_id, "--json").json
    assert (after["title"], after["due"]["date"]) == ("Old", "2030-12-06")
    assert shown(dutiful, task_id) == after
    assert dutiful("edit", task_id, "--apply-to", "this").code == 2
