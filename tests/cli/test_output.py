"""What the commands print: fitted, coloured where it may be, and safe to show."""

import datetime as dt
import io
import json
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from rich.cells import cell_len

from dutiful import clock
from dutiful.cli import output
from dutiful.cli.client import Named, Task, When
from dutiful.cli.output import (
    Cell,
    Column,
    Look,
    Names,
    table,
    task_line,
    task_sheet,
    task_table,
    when_text,
)
from dutiful.plain import one_line

NAMES = Names({1: "Inbox", 2: "Errands"}, {7: "papers", 8: "city"})
COLOURED = Look(colour=True)


def set_zone_of_here(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """2026-11-22, a Sunday, 12:00 here."""
    set_zone_of_here(monkeypatch, "UTC")
    monkeypatch.setattr(clock, "now", lambda: dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC))
    yield
    monkeypatch.undo()
    time.tzset()


def make(task_id: int = 1, title: str = "Buy milk", **fields: Any) -> Task:
    moment = "2026-11-20T10:00:00Z"
    defaults: dict[str, Any] = {
        "project_id": 1,
        "parent_id": None,
        "description": "",
        "status": "open",
        "priority": "none",
        "label_ids": [],
        "start": None,
        "due": None,
        "recurrence": None,
        "series_id": None,
        "created_at": moment,
        "updated_at": moment,
        "completed_at": None,
        "deleted_at": None,
    }
    return cast("Task", {"id": task_id, "title": title, **defaults, **fields})


def due(date: str, time: str | None = None, timezone: str | None = None) -> When:
    return When(date=date, time=time, timezone=timezone)


FULL = make(
    4711,
    "Renew passport",
    project_id=2,
    label_ids=[7, 8],
    priority="high",
    due=due("2026-12-01", "17:00", "Pacific/Kiritimati"),
)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


# --- the table --------------------------------------------------------------------------------------------------------


def test_a_list_shows_what_matters() -> None:
    assert task_table([FULL], NAMES, Look()) == [
        "ID    TITLE           DUE                                  PRIORITY  PROJECT  LABELS",
        "4711  Renew passport  2026-12-01 17:00 Pacific/Kiritimati  high      Errands  city, papers",
    ]


def test_columns_without_content_are_left_out() -> None:
    assert task_table([make()], NAMES, Look()) == ["ID  TITLE     PROJECT", "1   Buy milk  Inbox"]


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 120, 200])
def test_a_table_fits_the_terminal(width: int) -> None:
    long = make(title="Ask the office " * 20, project_id=2, label_ids=[7], due=due("2026-12-01"))
    wide = make(title="旅券を更新する" * 20, project_id=2, label_ids=[7], due=due("2026-12-01"))
    lines = task_table([long, wide, FULL], NAMES, Look(width=width))
    assert all(cell_len(line) <= width for line in lines)
    assert "LABELS" in lines[0] or width < 80


def test_what_is_piped_is_whole() -> None:
    title = "word " * 99 + "end"
    assert title in task_table([make(title=title)], NAMES, Look())[1]


def test_a_cut_text_says_so_and_keeps_the_columns_in_line() -> None:
    columns = [Column("A", 3), Column("B")]
    rows = [[Cell("abcdefgh"), Cell("1")], [Cell("日本語日本語"), Cell("2")]]
    assert table(columns, rows, Look(width=8)) == ["A      B", "abcd…  1", "日本…  2"]


def test_a_short_text_is_not_cut_for_a_long_one_beside_it() -> None:
    columns = [Column("A", 3), Column("B", 3)]
    rows = [[Cell("abcde"), Cell("x" * 50)]]
    assert table(columns, rows, Look(width=20))[1] == "abcde  xxxxxxxxxxxx…"


def test_a_title_keeps_more_than_what_is_beside_it() -> None:
    task = make(title="t" * 99, label_ids=[1, 2])
    names = Names({1: "p" * 99}, {1: "l" * 99, 2: "k" * 99})
    title, project, labels = map(task_table([task], names, Look(width=100))[1].count, "tpl")
    assert title > 1.8 * max(project, labels)


def test_subtasks_stand_below_their_parent() -> None:
    tasks = [make(1, "Trip"), make(2, "Bread"), make(3, "Tickets", parent_id=1), make(4, "Seat", parent_id=3)]
    titles = [line[4:].rstrip() for line in table_titles(tasks)]
    assert titles == ["Trip", "  Tickets", "    Seat", "Bread"]


def test_a_subtask_whose_parent_is_not_listed_stays_in_its_place() -> None:
    tasks = [make(1, "Bread"), make(3, "Tickets", parent_id=99)]
    assert [line[4:].rstrip() for line in table_titles(tasks)] == ["Bread", "Tickets"]


def table_titles(tasks: list[Task]) -> list[str]:
    return [line[: line.index("Inbox")] for line in task_table(tasks, NAMES, Look())[1:]]


def test_done_and_cancelled_tasks_are_marked() -> None:
    tasks = [make(1), make(2, status="done"), make(3, status="cancelled")]
    assert [line[:6].strip() for line in task_table(tasks, NAMES, Look())[1:]] == ["1", "2   ✓", "3   ✗"]


def test_workspaces_are_shown_when_there_are_several() -> None:
    things = [Named(id=1, workspace_id=1, name="Inbox", color=None)]
    assert output.name_table(things, Look()) == ["ID  NAME", "1   Inbox"]
    things.append(Named(id=5, workspace_id=2, name="Inbox", color=None))
    assert output.name_table(things, Look())[0] == "ID  NAME   WORKSPACE"


# --- colours ----------------------------------------------------------------------------------------------------------


def test_overdue_is_red() -> None:
    assert "\x1b[31m2026-11-21\x1b[0m" in task_table([make(due=due("2026-11-21"))], NAMES, COLOURED)[1]


def test_priorities_are_coloured() -> None:
    assert "\x1b[33mhigh\x1b[0m" in task_table([FULL], NAMES, COLOURED)[1]


def test_a_done_task_is_dim_throughout_and_never_red() -> None:
    line = task_table([make(status="done", due=due("2020-01-01"))], NAMES, COLOURED)[1]
    assert "\x1b[2mBuy milk\x1b[0m" in line
    assert "\x1b[31m" not in line


@pytest.mark.parametrize(
    ("variables", "stream", "coloured"),
    [
        ({}, Terminal(), True),
        ({}, io.StringIO(), False),
        ({"NO_COLOR": "1"}, Terminal(), False),
        ({"NO_COLOR": ""}, Terminal(), True),
        ({"TERM": "dumb"}, Terminal(), False),
        ({"FORCE_COLOR": "1"}, io.StringIO(), True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, Terminal(), False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], stream: io.StringIO, coloured: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert output.look_of(stream).colour is coloured


# --- dates ------------------------------------------------------------------------------------------------------------


def test_dates_read_like_dates() -> None:
    assert when_text(due("2026-12-01")) == "2026-12-01"
    assert when_text(due("2026-12-01", "17:00", "Europe/Berlin")) == "2026-12-01 17:00 Europe/Berlin"
    assert when_text(None) == ""


@pytest.mark.parametrize(
    ("when", "overdue"),
    [
        (due("2026-11-21"), True),
        (due("2026-11-22"), False),
        (due("2026-11-23"), False),
        (due("2026-11-22", "11:59"), True),
        (due("2026-11-22", "12:01"), False),
        (due("0001-01-02", "00:00", "Pacific/Kiritimati"), True),
        (due("9999-12-30", "23:59", "Pacific/Pago_Pago"), False),
        (due("2026-11-22", "11:00", "Mars/Olympus"), True),
        (None, False),
    ],
)
def test_overdue_means_here_and_now(when: When | None, overdue: bool) -> None:
    assert output.is_overdue(make(due=when)) is overdue


def test_overdue_counts_on_the_clock_of_its_zone() -> None:
    assert output.is_overdue(make(due=due("2026-11-22", "20:30", "Asia/Tokyo")))
    assert not output.is_overdue(make(due=due("2026-11-22", "21:30", "Asia/Tokyo")))


def test_a_list_leaves_out_a_zone_whose_clocks_show_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    set_zone_of_here(monkeypatch, "Europe/Berlin")
    rome = make(due=due("2026-12-01", "17:00", "Europe/Rome"))
    assert "17:00  Inbox" in task_table([rome], NAMES, Look())[1]
    assert "17:00 Europe/Rome" in "\n".join(task_sheet(rome, [], NAMES, Look()))


@pytest.mark.parametrize("date", ["0001-01-02", "9999-12-30"])
def test_the_ends_of_the_calendar_can_be_shown(date: str) -> None:
    when = due(date, "12:00", "Asia/Tokyo")
    assert when_text(when, short=True) == f"{date} 12:00 Asia/Tokyo"
    assert task_sheet(make(due=when), [], NAMES, Look())


# --- one task ---------------------------------------------------------------------------------------------------------


def test_a_sheet_tells_everything() -> None:
    task = make(
        3, "Pay rent", due=due("2026-12-01"), label_ids=[7], description="Bring **two** photos\n\n- and a pen"
    )
    text = "\n".join(task_sheet(task, [make(4, "Call", status="done")], NAMES, Look()))
    for part in (
        "3  Pay rent",
        "  due       2026-12-01 (in 9 days)",
        "  project   Inbox (1)",
        "  labels    papers",
        "\n\n  Bring **two** photos\n\n  - and a pen\n\n  [✓] 4  Call",
    ):
        assert part in text
    assert "start" not in text


def test_a_sheet_wraps_its_description() -> None:
    task = make(description="word " * 100)
    lines = task_sheet(task, [], NAMES, Look(width=40))
    assert max(map(len, lines)) <= 40


def test_a_task_in_one_line() -> None:
    assert task_line(FULL) == "4711 Renew passport · due 2026-12-01 17:00 Pacific/Kiritimati · high"
    assert task_line(make()) == "1 Buy milk"


# --- what terminals obey ----------------------------------------------------------------------------------------------


def test_other_peoples_titles_cannot_command_the_terminal() -> None:
    assert one_line("a\x1b]0;title\x07b\x9b31m\u202ec") == "a�]0;title�b�31m�c"
    assert one_line("two\nlines\tand  gaps") == "two lines and gaps"
    assert one_line("👩\u200d👧 ک\u200cد") == "👩\u200d👧 ک\u200cد"


def test_no_field_of_a_task_reaches_the_terminal_raw() -> None:
    evil = "\x1b[2J\r"
    names = Names({1: f"p{evil}"}, {7: f"l{evil}"})
    task = make(title=f"t{evil}", description=f"d{evil}", label_ids=[7])
    lines = [
        *task_table([task], names, Look()),
        *task_sheet(task, [task], names, Look()),
        task_line(task, names.projects[1]),
    ]
    things = [Named(id=1, workspace_id=1, name=f"n{evil}", color=None)]
    assert not any(
        char in line for line in [*lines, *output.name_table(things, Look())] for char in evil[:1] + "\r"
    )


def test_a_terminal_without_a_character_shows_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr("sys.stdout", narrow)
    output.print_lines(["✓ Käse"])
    output.print_json({"title": "✓ Käse"})
    narrow.flush()
    line, *data = narrow.buffer.getvalue().decode("latin-1").splitlines()
    assert line == "? Käse"
    assert json.loads("".join(data)) == {"title": "✓ Käse"}
