"""What is to be done when."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.people import Person
from tests.support.problems import pointers
from tests.support.statements import count_statements

from dutiful import clock
from dutiful.database.session import Database

NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _stop_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


async def agenda(ana: Person, **params: Any) -> Any:
    response = await ana.get("/agenda", params=params)
    assert response.status_code == 200, response.text
    return response.json()


def titles(part: Any) -> list[str]:
    return [task["title"] for task in part["items"]]


async def make(ana: Person, title: str, date: str, time: str | None = None, zone: str | None = None) -> Any:
    return await ana.make("/tasks", title=title, due={"date": date, "time": time, "timezone": zone})


async def test_late_today_and_the_days_to_come(ana: Person) -> None:
    await make(ana, "yesterday", "2026-03-27")
    await make(ana, "this morning", "2026-03-28", "11:59")
    await make(ana, "tonight", "2026-03-28", "20:00")
    await make(ana, "today", "2026-03-28")
    await make(ana, "tomorrow", "2026-03-29", "08:00")
    await make(ana, "in a week", "2026-04-04")
    await ana.make("/tasks", title="some day")
    finished = await make(ana, "done", "2026-03-28")
    await ana.patch(f"/tasks/{finished['id']}", {"status": "done"})
    told = await agenda(ana)
    assert (told["date"], told["timezone"]) == ("2026-03-28", "UTC")
    assert titles(told["overdue"]) == ["yesterday", "this morning"]
    assert [day["date"] for day in told["days"]] == [f"2026-03-{day}" for day in (28, 29, 30, 31)] + [
        f"2026-04-0{day}" for day in (1, 2, 3)
    ]
    assert [titles(day) for day in told["days"][:3]] == [["tonight", "today"], ["tomorrow"], []]
    assert [day["count"] for day in told["days"]] == [2, 1, 0, 0, 0, 0, 0]
    assert titles((await agenda(ana, days=8))["days"][7]) == ["in a week"]
    late = await ana.all("/tasks", filter="overdue", sort="due")
    assert [task["title"] for task in late] == titles(told["overdue"])


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", 1), ("Pacific/Auckland", 1), ("America/Los_Angeles", 0), ("Europe/Berlin", 1)],
)
async def test_the_days_are_those_of_the_zone(ana: Person, zone: str, day: int) -> None:
    # 22:30 in Los Angeles on the 28th; in Berlin the clocks change that night.
    await make(ana, "call", "2026-03-29", "05:30", "UTC")
    told = await agenda(ana, timezone=zone)
    days = [day["date"] for day in told["days"] if day["items"]]
    today = {"Pacific/Auckland": "2026-03-29"}.get(zone, "2026-03-28")
    assert told["date"] == today
    assert days == ["2026-03-28" if day == 0 else "2026-03-29"]


async def test_more_than_are_shown_are_counted(ana: Person) -> None:
    for number in range(5):
        await make(ana, str(number), "2026-03-30")
        await make(ana, str(number), "2026-03-01")
    told = await agenda(ana, limit=2)
    assert (told["overdue"]["count"], titles(told["overdue"])) == (5, ["0", "1"])
    assert (told["days"][2]["count"], titles(told["days"][2])) == (5, ["0", "1"])


async def test_it_is_of_what_one_may_see(ana: Person, bob: Person) -> None:
    await make(ana, "mine", "2026-03-28")
    assert [day["count"] for day in (await agenda(bob))["days"]] == [0] * 7
    assert (await agenda(bob, workspace_id=ana.workspace_id))["days"][0]["items"] == []
    team = await ana.make("/workspaces", name="Team")
    assert (await agenda(ana, workspace_id=team["id"]))["days"][0]["count"] == 0
    assert (await agenda(ana, workspace_id=ana.workspace_id))["days"][0]["count"] == 1


@pytest.mark.parametrize("params", [{"days": 0}, {"days": 32}, {"limit": 201}, {"timezone": "Mars/Base"}])
async def test_what_makes_no_sense_is_refused(ana: Person, params: dict[str, Any]) -> None:
    assert pointers(await ana.get("/agenda", params=params)) == [f"/{next(iter(params))}"]


async def test_it_takes_the_same_statements_whatever_it_tells(ana: Person, database: Database) -> None:
    # Notes that the token was used.
    await agenda(ana)
    counts = []
    for day in ("27", "28", "29"):
        with count_statements(database) as statements:
            await agenda(ana)
        counts.append(len(statements))
        await make(ana, day, f"2026-03-{day}")
    assert counts == [2, 2, 2], "the token, and the agenda"
