"""Tasks of many kinds, and what a filter must find among them: the same words read a second time, by plain Python."""

import datetime as dt
import random
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from sqlalchemy import update
from tests.support.people import Person
from tests.support.sharing import make_shared

from dutiful.database.session import Database, Writer
from dutiful.models import Task

PRIORITIES = ["none", "low", "medium", "high", "urgent"]
STATUSES = ["open", "done", "cancelled"]
WORDS = ["milk", "bread", "passport", "pass", "oat", "category", "cat", "Äpfel"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]
# Around them the clocks of Berlin, New York and Lord Howe change.
MOMENTS = [
    dt.datetime(2026, 3, 8, 6, 59, tzinfo=dt.UTC),
    dt.datetime(2026, 3, 29, 0, 30, tzinfo=dt.UTC),
    dt.datetime(2026, 4, 4, 15, 15, tzinfo=dt.UTC),
    dt.datetime(2026, 10, 3, 15, 40, tzinfo=dt.UTC),
    dt.datetime(2026, 10, 25, 1, 0, tzinfo=dt.UTC),
    dt.datetime(2026, 11, 1, 6, 30, tzinfo=dt.UTC),
    dt.datetime(2028, 2, 29, 23, 59, tzinfo=dt.UTC),
]
PROJECTS = ["house", "HOUSE", '"Big house"', "Inbox"]
LABELS = ["home", "Home", "work", '"on the phone"']
TIMES = ["00:00", "00:30", "02:00", "02:30", "12:00", "23:59:59"]
COUNT = 72


@dataclass(frozen=True)
class World:
    tasks: list[dict[str, Any]]
    projects: Mapping[str, set[int]]
    """The ids that a name stands for, in small letters."""
    labels: Mapping[str, set[int]]
    workspaces: Mapping[str, set[int]]
    people: Mapping[str, int]


async def make_world(ana: Person, bob: Person, database: Database) -> World:
    """What Ana sees, with things of Bob's beside it that have the same names."""
    dice = random.Random(7)  # noqa: S311 - no secret
    shared = await make_shared(ana, bob, name="Flat")
    mine = [await ana.make("/projects", name=name) for name in ("House", "Big house")]
    ours = await ana.make("/projects", name="house", workspace_id=shared.id)
    theirs = await bob.make("/projects", name="house")
    labels = {
        place: {
            name: (await person.make("/labels", name=name, workspace_id=place))["id"]
            for name in ("home", "work", "on the phone")
        }
        for person, place in ((ana, ana.workspace_id), (ana, shared.id), (bob, bob.workspace_id))
    }
    await bob.make(
        "/tasks", title="milk bread", project_id=theirs["id"], label_ids=[labels[bob.workspace_id]["home"]]
    )
    places = {
        ana.workspace_id: [ana.inbox_id, *(one["id"] for one in mine)],
        shared.id: [shared.inbox_id, ours["id"]],
    }
    made: list[dict[str, Any]] = []
    for number in range(COUNT):
        place = dice.choice(list(places))
        given: dict[str, Any] = {
            "title": " ".join([f"t{number}", *dice.sample(WORDS, 3)]),
            "description": " ".join(dice.sample(WORDS, dice.randint(0, 2))),
            "status": dice.choice(STATUSES),
            "priority": dice.choice(PRIORITIES),
            "due": _some_when(dice),
            "start": _some_when(dice),
            "label_ids": sorted(dice.sample(list(labels[place].values()), dice.randint(0, 2))),
        }
        above = [task for task in made if task["workspace_id"] == place and task["parent_id"] is None]
        if above and dice.random() < 0.2:
            given["parent_id"] = dice.choice(above)["id"]
        else:
            given["project_id"] = dice.choice(places[place])
        if place == shared.id:
            given["assignee_id"] = dice.choice([None, ana.user_id, bob.user_id])
        made.append(await ana.make("/tasks", **given))
    for task in dice.sample([task for task in made if task["parent_id"] is not None], 2):
        assert (await ana.delete(f"/tasks/{task['id']}")).status_code == 204
    await database.write(lambda session: _age(session, made, dice))
    everybody = {ana.email: ana.user_id, bob.email: bob.user_id}
    return World(
        tasks=await ana.all("/tasks"),
        projects={
            "house": {mine[0]["id"], ours["id"]},
            "big house": {mine[1]["id"]},
            "inbox": {ana.inbox_id, shared.inbox_id},
        },
        labels={name: {labels[place][name] for place in places} for name in ("home", "work", "on the phone")},
        workspaces={"flat": {shared.id}, str(ana.workspace_id): {ana.workspace_id}},
        people={"me": ana.user_id, **everybody},
    )


def _some_when(dice: random.Random) -> dict[str, Any] | None:
    if dice.random() < 0.2:
        return None
    day = dice.choice(MOMENTS).date() + dt.timedelta(
        days=dice.choice([-32, -8, -2, -1, -1, 0, 0, 0, 1, 1, 2, 7, 30])
    )
    kind = dice.choice(["all day", "floating", "zoned", "zoned"])
    return {
        "date": day.isoformat(),
        "time": None if kind == "all day" else dice.choice(TIMES),
        "timezone": dice.choice(ZONES) if kind == "zoned" else None,
    }


async def _age(session: Writer, made: list[dict[str, Any]], dice: random.Random) -> None:
    """Moments of writing around those of asking."""
    for task in made:
        moments = [
            dice.choice(MOMENTS) + dt.timedelta(hours=dice.randint(-60, 60), minutes=dice.choice([0, 1, 30]))
            for _ in range(3)
        ]
        completed = moments[2] if task["status"] == "done" else None
        statement = update(Task).where(Task.id == task["id"])
        statement = statement.values(created_at=moments[0], updated_at=moments[1], completed_at=completed)
        await session.execute(statement.execution_options(synchronize_session=False))


# --- filters ----------------------------------------------------------------------------------------------------------

Tree = tuple[Any, ...]

_ORDER = ["=", "!=", "<", "<=", ">", ">="]
_EQUAL = ["=", "!="]
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

_bases = st.sampled_from(
    [
        "today",
        "today",
        "today",
        "tomorrow",
        "yesterday",
        "",
        *_WEEKDAYS,
        *(str(moment.date()) for moment in MOMENTS),
    ]
)
_steps: st.SearchStrategy[list[tuple[int, str]]] = st.one_of(
    # Most near the moment of asking, where the tasks are.
    st.just([]),
    st.lists(st.tuples(st.integers(-2, 2), st.just("d")), min_size=1, max_size=1),
    st.lists(st.tuples(st.integers(-40, 40), st.sampled_from("dwmy")), max_size=2),
)
_days = st.tuples(_bases, _steps).filter(lambda day: day[0] or day[1])
_moments = st.tuples(
    st.sampled_from(MOMENTS),
    st.integers(-300, 300),
    st.sampled_from(["", "Z", "+02:00"]),
)
_time_fields = st.sampled_from(["due", "due", "due", "start", "created", "updated", "completed"])

LEAVES: st.SearchStrategy[Tree] = st.one_of(
    *[st.tuples(st.just("day"), _time_fields, st.sampled_from(_ORDER), _days)] * 3,
    st.tuples(st.just("moment"), _time_fields, st.sampled_from(_ORDER), _moments),
    st.tuples(st.just("status"), st.sampled_from(_EQUAL), st.sampled_from(STATUSES)),
    st.tuples(st.just("priority"), st.sampled_from(_ORDER), st.sampled_from(PRIORITIES)),
    st.tuples(st.just("title"), st.sampled_from(["~", "=", "!="]), st.sampled_from(["milk", "PASS", "at", "t1", "t1 milk"])),
    st.tuples(st.just("word"), st.sampled_from([*STATUSES, "overdue", "subtask", "today", "tomorrow", "yesterday"])),
    st.tuples(st.just("no"), st.sampled_from(["date", "due", "start", "label", "priority", "assignee", "parent"])),
    st.tuples(st.just("text"), st.sampled_from([*WORDS, "MILK", "pass*", "t1*", "oat milk", "-cat", "-oat milk"])),
    st.tuples(st.just("project"), st.sampled_from(["#", "project = ", "project != "]), st.sampled_from(PROJECTS)),
    st.tuples(st.just("label"), st.sampled_from(["@", "label = ", "label != "]), st.sampled_from(LABELS)),
    st.tuples(st.just("workspace"), st.sampled_from(_EQUAL), st.sampled_from([0, 1])),
    st.tuples(st.just("assignee"), st.sampled_from(_EQUAL), st.sampled_from([0, 1, 2, "none"])),
    st.tuples(st.just("parent"), st.sampled_from(_EQUAL), st.integers(0, 20)),
)  # fmt: skip

FILTERS: st.SearchStrategy[Tree] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(
            st.just("and"), st.sampled_from([" and ", " & ", " "]), st.lists(inner, min_size=2, max_size=3)
        ),
        st.tuples(st.just("or"), st.sampled_from([" or ", " | "]), st.lists(inner, min_size=2, max_size=3)),
        st.tuples(st.just("not"), st.sampled_from(["not ", "!"]), inner),
    ),
    max_leaves=8,
)


def text_of(tree: Tree, world: World) -> str:  # noqa: C901, PLR0912 - a table
    match tree:
        case "and" | "or", joint, parts:
            return str(joint).join(f"({text_of(part, world)})" for part in parts)
        case "not", sign, part:
            return f"{sign}({text_of(part, world)})"
        case "day", field, symbol, (base, steps):
            return f"{field} {symbol} {base}" + "".join(f"{count:+d}{unit}" for count, unit in steps)
        case "moment", field, symbol, (moment, minutes, zone):
            return f"{field} {symbol} {_wall(moment, minutes).isoformat(timespec='minutes')}{zone}"
        case "title", symbol, value:
            return f'title {symbol} "{value}"'
        case "word", word:
            return str(word)
        case "no", field:
            return f"no {field}"
        case "text", words:
            is_unwanted, row = _unwanted(words)
            return "-" * is_unwanted + (f'"{row}"' if " " in row else row)
        case "project" | "label", sign, name:
            return f"{sign}{name}"
        case "workspace", symbol, number:
            return f"workspace {symbol} {list(world.workspaces)[number]}"
        case "assignee", symbol, who:
            return f"assignee {symbol} {who if who == 'none' else list(world.people)[who]}"
        case "parent", symbol, number:
            return f"parent {symbol} {_task(number, world)['id']}"
        case field, symbol, value:
            return f"{field} {symbol} {value}"
    raise AssertionError(tree)


def holds(tree: Tree, task: dict[str, Any], world: World, now: dt.datetime, zone: str) -> bool:  # noqa: C901, PLR0912
    match tree:
        case "and", _, parts:
            return all(holds(part, task, world, now, zone) for part in parts)
        case "or", _, parts:
            return any(holds(part, task, world, now, zone) for part in parts)
        case "not", _, part:
            return not holds(part, task, world, now, zone)
        case _, "!=", value:
            return not holds((tree[0], "=", value), task, world, now, zone)
        case kind, field, "!=", value:
            return not holds((kind, field, "=", value), task, world, now, zone)
        case "day", field, symbol, (base, steps):
            day = _day(base, steps, now.astimezone(ZoneInfo(zone)).date(), is_ahead=field in {"due", "start"})
            return _compare(task, field, symbol, day, day + dt.timedelta(days=1), zone)
        case "moment", field, symbol, (moment, minutes, given_zone):
            wall = _wall(moment, minutes)
            meant: dt.datetime = dt.datetime.fromisoformat(wall.isoformat() + given_zone)
            return _compare(task, field, symbol, meant, meant + dt.timedelta(microseconds=1), zone)
        case "word", "overdue":
            moment = _instant(task["due"], zone)
            return task["status"] == "open" and moment is not None and moment < now
        case "word", "subtask":
            return task["parent_id"] is not None
        case "word", ("today" | "tomorrow" | "yesterday") as day:
            return holds(("day", "due", "=", (day, [])), task, world, now, zone)
        case "word", status:
            return bool(task["status"] == status)
        case "text", words:
            is_unwanted, row = _unwanted(words)
            return is_unwanted != any(_has(task[field], row) for field in ("title", "description"))
        case _:
            return _is(tree, task, world)


def _is(tree: Tree, task: dict[str, Any], world: World) -> bool:  # noqa: C901 - a table
    match tree:
        case "status", "=", value:
            return bool(task["status"] == value)
        case "priority", symbol, value:
            return _ordered(symbol, PRIORITIES.index(task["priority"]), PRIORITIES.index(value))
        case "title", "~", value:
            return value.lower() in task["title"].lower()
        case "title", "=", value:
            return bool(task["title"].lower() == value.lower())
        case "no", "priority":
            return bool(task["priority"] == "none")
        case "no", "label":
            return not task["label_ids"]
        case "no", field:
            names = {"date": "due", "assignee": "assignee_id", "parent": "parent_id"}
            return task[names.get(str(field), str(field))] is None
        case "project", sign, name:
            return ("!" in sign) != (task["project_id"] in world.projects[name.strip('"').lower()])
        case "label", sign, name:
            return ("!" in sign) == world.labels[name.strip('"').lower()].isdisjoint(task["label_ids"])
        case "workspace", "=", number:
            return task["workspace_id"] in list(world.workspaces.values())[number]
        case "assignee", "=", who:
            return bool(task["assignee_id"] == (None if who == "none" else list(world.people.values())[who]))
        case "parent", "=", number:
            return bool(task["parent_id"] == _task(number, world)["id"])
    raise AssertionError(tree)


def _task(number: int, world: World) -> dict[str, Any]:
    return world.tasks[number % len(world.tasks)]


def _unwanted(words: str) -> tuple[bool, str]:
    return words.startswith("-"), words.removeprefix("-")


def _has(text: str, row: str) -> bool:
    there, wanted = text.lower().split(), row.lower().split()
    for first in range(len(there) - len(wanted) + 1):
        pairs = zip(there[first:], wanted, strict=False)
        if all(one.startswith(two[:-1]) if two.endswith("*") else one == two for one, two in pairs):
            return True
    return False


def _wall(moment: dt.datetime, minutes: int) -> dt.datetime:
    return (moment + dt.timedelta(minutes=minutes)).replace(tzinfo=None)


def _day(base: str, steps: list[tuple[int, str]], today: dt.date, *, is_ahead: bool) -> dt.date:
    if base in _WEEKDAYS:
        step = dt.timedelta(days=1 if is_ahead else -1)
        day = today
        while day.strftime("%A").lower() != base:
            day += step
    else:
        near = {"": 0, "today": 0, "tomorrow": 1, "yesterday": -1}
        day = today + dt.timedelta(days=near[base]) if base in near else dt.date.fromisoformat(base)
    for count, unit in steps:
        if unit in "dw":
            day += dt.timedelta(days=count) * (7 if unit == "w" else 1)
        else:
            months = day.year * 12 + day.month - 1 + count * (12 if unit == "y" else 1)
            year, month = months // 12, months % 12 + 1
            day = dt.date(year, month, min(day.day, monthrange(year, month)[1]))
    return day


def _compare(task: dict[str, Any], field: str, symbol: str, first: dt.date, end: dt.date, zone: str) -> bool:
    value: Any
    if field == "start":
        value = _start(task["start"])
        bounds = [_on_the_wall(one, zone) for one in (first, end)]
    else:
        value = _instant(task["due"], zone) if field == "due" else _parsed(task[f"{field}_at"])
        bounds = [_first_moment(one, zone) for one in (first, end)]
    return value is not None and _within(symbol, value, *bounds)


def _within(symbol: str, value: Any, first: Any, end: Any) -> bool:
    match symbol:
        case "<":
            return bool(value < first)
        case "<=":
            return bool(value < end)
        case ">":
            return bool(value >= end)
        case ">=":
            return bool(value >= first)
    return bool(first <= value < end)


def _ordered(symbol: str, one: int, other: int) -> bool:
    return {"=": one == other, "<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[
        symbol
    ]


def _parsed(moment: str | None) -> dt.datetime | None:
    return None if moment is None else dt.datetime.fromisoformat(moment)


Fold = Literal[0, 1]


def _utc(wall: dt.datetime, zone: str, fold: Fold) -> dt.datetime:
    return wall.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(dt.UTC)


def _first_moment(value: dt.date, zone: str) -> dt.datetime:
    if not isinstance(value, dt.datetime):
        return _utc(dt.datetime.combine(value, dt.time()), zone, 0)
    return value.astimezone(dt.UTC) if value.tzinfo else _utc(value, zone, 0)


def _on_the_wall(value: dt.date, zone: str) -> dt.datetime:
    if not isinstance(value, dt.datetime):
        return dt.datetime.combine(value, dt.time())
    return value.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if value.tzinfo else value


def _start(when: dict[str, Any] | None) -> dt.datetime | None:
    if when is None:
        return None
    time = dt.time.fromisoformat(when["time"]) if when["time"] else dt.time.max
    return dt.datetime.combine(dt.date.fromisoformat(when["date"]), time)


def _instant(when: dict[str, Any] | None, zone: str) -> dt.datetime | None:
    """A time in a zone that its clock shows twice is the first (docs of due dates); one that floats the second."""
    wall = _start(when)
    if when is None or wall is None:
        return None
    if when["timezone"] is not None:
        return _utc(wall, when["timezone"], 0)
    return max(_utc(wall, zone, 0), _utc(wall, zone, 1))
