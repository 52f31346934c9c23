"""The express lane against the plain path, which is its specification: the same requests, by two people who have the
same, one of them on a server whose lane is closed."""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import URL, String, cast, func, select
from tests.support.journals import changes_of, latest_seq, tasks_of
from tests.support.locks import waiting
from tests.support.people import Person
from tests.support.plain import PLAIN
from tests.support.problems import problem
from tests.support.servers import running
from tests.support.sharing import make_shared
from tests.support.statements import count_statements

from dutiful.api.express import ExpressLane, writing
from dutiful.database.session import Database, Writer
from dutiful.models import Change, Role, Task
from dutiful.settings import Settings
from dutiful.tasks import rows
from dutiful.tasks.schemas import TaskOut
from dutiful.versions import ANY
from dutiful.workspaces import service as workspaces
from dutiful.workspaces.schemas import MemberPatch

JSON = {"Content-Type": "application/json"}


@dataclass
class Pair:
    """The same person twice, as far as anything can be the same."""

    express: Person
    plain: Person
    database: Database

    async def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[httpx.Response, httpx.Response]:
        """Both answers, which say the same. Names in `{}` are attributes of the person."""
        answers = []
        for person in (self.express, self.plain):
            content = None if body is None else json.dumps(body) if not isinstance(body, bytes) else body
            filled = {**(JSON if body is not None else {}), **(headers or {})}
            answers.append(
                await person.request(
                    method, _filled(path, person), content=_filled(content, person), headers=filled
                )
            )
        express, plain = answers
        assert express.status_code == plain.status_code, (express.text, plain.text)
        assert await self.blurred(express, self.express) == await self.blurred(plain, self.plain)
        return express, plain

    async def blurred(self, response: httpx.Response, person: Person) -> Any:
        """Without what no two answers share: ids count from each person's first, moments and secrets are one."""
        text = response.text
        content = json.loads(text) if text else None
        tasks = await tasks_of(self.database, person.workspace_id)
        names: Names = {
            ("workspace_id", person.workspace_id): "workspace",
            ("project_id", person.inbox_id): "inbox",
            ("created_by", person.user_id): "user",
            **{("id", task.id): f"task {number}" for number, task in enumerate(tasks)},
        }
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in {"content-length", "x-request-id", "dutiful-cursor", "location"}
        }
        assert ("dutiful-cursor" in response.headers) == (
            response.request.method != "GET" and response.is_success
        )
        return response.status_code, headers, _blur(content, names)

    async def journals(self) -> list[list[Any]]:
        """What is kept of it all."""
        return [
            [
                (
                    change.seq,
                    change.user_id == person.user_id,
                    change.verb,
                    change.entity,
                    change.version,
                    _blur(change.before, {}),
                    _blur(change.after, {}),
                )
                for change in await changes_of(self.database, person.workspace_id)
                if change.entity == "task"
            ]
            for person in (self.express, self.plain)
        ]


def _filled(text: Any, person: Person) -> Any:
    if not isinstance(text, str):
        return text
    for name in ("workspace_id", "inbox_id", "user_id"):
        text = text.replace(f"{{{name}}}", str(getattr(person, name)))
        text = text.replace(f'"<{name}>"', str(getattr(person, name)))
    return text


Names = dict[tuple[str, int], str]
_IDS = {"id", "workspace_id", "project_id", "created_by"}
# Of a position it counts only which comes first; the others are one's own.
_OWN = {"position", "next_cursor", "next_id", "request_id", "label_ids"}


def _blur(value: Any, names: Names) -> Any:
    match value:
        case dict():
            return {name: _blur_member(name, part, names) for name, part in value.items()}
        case list():
            return [_blur(part, names) for part in value]
        case str() if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value):
            return "a moment"
        case str() if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value):
            return "a uid"
        case _:
            return value


def _blur_member(name: str, value: Any, names: Names) -> Any:
    if name in _OWN:
        return "*" if value else value
    return names.get((name, value), "an id") if name in _IDS else _blur(value, names)


@pytest.fixture
async def pair(
    ana: Person, bob: Person, settings: Settings, database_url: URL, database: Database
) -> AsyncIterator[Pair]:
    async with running(settings, database_url) as server:
        server.app.state.direct_pool.is_usable = False
        yield Pair(ana, server.serve(bob), database)


@pytest.fixture
def handed_on(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the lane did not answer itself."""
    handed: list[str] = []
    lane = ExpressLane.__call__

    async def watched(self: ExpressLane, scope: Any, receive: Any, send: Any) -> None:
        app = self.app

        async def note(scope: Any, receive: Any, send: Any) -> None:
            if scope["app"].state.direct_pool.is_usable:
                handed.append(f"{scope['method']} {scope['path']}")
            await app(scope, receive, send)

        await lane(_Lane(note, self), scope, receive, send)

    class _Lane(ExpressLane):
        def __init__(self, app: Any, of: ExpressLane) -> None:
            super().__init__(app)
            self._routes, self._askers = of._routes, of._askers

    monkeypatch.setattr(ExpressLane, "__call__", watched)
    return handed


# --- the same answers -------------------------------------------------------------------------------------------------

BODIES: list[dict[str, Any]] = [
    {"title": "Buy milk"},
    {"title": "  trimmed  ", "description": '**two** lines\nof "text", ß, 日本語, 🎉 and \\ and a \' too'},
    {"title": "x", "project_id": "<inbox_id>"},
    {"title": "x", "workspace_id": "<workspace_id>"},
    {"title": "x", "workspace_id": "<workspace_id>", "project_id": "<inbox_id>"},
    {"title": "x", "priority": "urgent", "status": "done"},
    {"title": "x", "status": "cancelled"},
    {"title": "x", "due": {"date": "2026-12-01"}},
    {"title": "x", "due": {"date": "2026-12-01", "time": "17:00"}, "start": {"date": "2026-11-30"}},
    {"title": "x", "due": {"date": "2026-12-01", "time": "17:00:30", "timezone": "Europe/Berlin"}},
    {"title": "x", "uid": "a name of its own"},
]


@pytest.mark.parametrize("body", BODIES)
async def test_a_new_task_is_the_same(pair: Pair, handed_on: list[str], body: dict[str, Any]) -> None:
    express, _ = await pair.ask("POST", "/tasks", body)
    assert handed_on == []
    assert express.status_code == 201
    task = express.json()
    assert list(task) == list(TaskOut.model_fields)
    assert express.headers["location"] == f"/api/v1/tasks/{task['id']}"
    mine, theirs = await pair.journals()
    assert mine == theirs
    (one,), (other,) = [await _words(pair.database, person) for person in (pair.express, pair.plain)]
    assert one == other


async def test_a_batch_is_the_same(pair: Pair, handed_on: list[str]) -> None:
    await pair.ask("POST", "/tasks", {"title": "there before"})
    bodies = [body for body in BODIES if not body.keys() & {"workspace_id", "project_id"}]
    express, _ = await pair.ask("POST", "/tasks/batch", bodies)
    assert (express.status_code, express.json()["created"]) == (201, len(bodies))
    await pair.ask("POST", "/tasks", {"title": "after"})
    assert handed_on == []
    mine, theirs = await pair.journals()
    assert mine == theirs
    one, other = [await _words(pair.database, person) for person in (pair.express, pair.plain)]
    assert one == other
    in_order = await pair.express.all("/tasks", sort="position")
    assert [task["id"] for task in in_order] == sorted(task["id"] for task in in_order)


@pytest.mark.parametrize(
    "more",
    [
        [{"title": "x", "workspace_id": "<workspace_id>"}],
        [{"title": "x", "labels_add": ["one"]}],
        [{"title": ""}],
        [{"title": "x", "uid": "twice"}, {"title": "y", "uid": "twice"}],
        [{"title": "x"}] * 1000,
    ],
)
async def test_a_batch_that_the_lane_does_not_know_is_answered_the_same(
    pair: Pair, handed_on: list[str], more: list[dict[str, Any]]
) -> None:
    await pair.ask("POST", "/tasks/batch", [{"title": "first"}, *more])
    assert len(handed_on) == 1
    mine, theirs = await pair.journals()
    assert mine == theirs


PATCHES: list[dict[str, Any]] = [
    {"title": "Another"},
    {"description": "searched anew"},
    {"title": "Another", "description": ""},
    {"priority": "low"},
    {"status": "done"},
    {"status": "cancelled", "priority": "high"},
    {"due": {"date": "2027-01-01"}},
    {"due": {"time": "09:30"}},
    {"due": {"time": "09:30", "timezone": "America/New_York"}},
    {"due": None},
    {"start": {"date": "2026-11-01"}, "title": "Both"},
]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("patch", PATCHES)
async def test_a_change_is_the_same(
    pair: Pair, handed_on: list[str], patch: dict[str, Any], method: str
) -> None:
    due = {"date": "2026-12-01", "time": "17:00", "timezone": "Europe/Berlin"}
    await pair.ask("POST", "/tasks", {"title": "Buy milk", "description": "oat", "due": due})
    for headers in ({"If-Match": '"1"'}, {}):
        answers = [
            await person.request(method, f"/tasks/{await _only(pair, person)}", json=patch, headers=headers)
            for person in (pair.express, pair.plain)
        ]
        seen = [await pair.blurred(*each) for each in zip(answers, (pair.express, pair.plain), strict=True)]
        assert seen[0] == seen[1]
        assert answers[0].status_code == 200
        # The second time there is nothing to change, and the plain path says so.
        assert len(handed_on) == (0 if headers else 1)
    mine, theirs = await pair.journals()
    assert mine == theirs
    assert len(mine) == 2
    (one,), (other,) = [await _words(pair.database, person) for person in (pair.express, pair.plain)]
    assert one == other


async def test_completing_and_reopening_tell_the_same(pair: Pair, handed_on: list[str]) -> None:
    await pair.ask("POST", "/tasks", {"title": "x"})
    for status in ("done", "open", "cancelled", "done", "open"):
        for person in (pair.express, pair.plain):
            response = await person.patch(f"/tasks/{await _only(pair, person)}", {"status": status})
            assert response.status_code == 200
    assert handed_on == []
    mine, theirs = await pair.journals()
    assert mine == theirs
    assert [change[2] for change in mine][-2:] == ["task.completed", "task.reopened"]


async def test_what_repeats_is_told_and_goes_on_the_same(pair: Pair, handed_on: list[str]) -> None:
    due = {"date": "2040-01-31", "time": "09:00", "timezone": "Europe/Berlin"}
    await pair.ask("POST", "/tasks", {"title": "x", "due": due, "recurrence": {"rrule": "FREQ=MONTHLY"}})
    await pair.ask("GET", "/tasks")
    assert len(handed_on) == 1
    patches: list[dict[str, Any]] = [
        *PATCHES,
        {"status": "done"},
        {"status": "open"},
        {"recurrence": {}},
        {"recurrence": {"anchor": "completion"}},
        {"title": "y", "apply_to": "this"},
        {"recurrence": None},
    ]
    for patch in patches:
        answers = [
            await person.patch(f"/tasks/{(await tasks_of(pair.database, person.workspace_id))[0].id}", patch)
            for person in (pair.express, pair.plain)
        ]
        seen = [await pair.blurred(*each) for each in zip(answers, (pair.express, pair.plain), strict=True)]
        assert seen[0] == seen[1], patch
    # None of it was the lane's to change.
    assert len(handed_on) == 1 + len(patches)
    await pair.ask("GET", "/tasks")
    mine, theirs = await pair.journals()
    assert mine == theirs


LISTS = [
    "/tasks",
    "/tasks?limit=2",
    "/tasks?workspace_id={workspace_id}",
    "/tasks?project_id={inbox_id}&limit=3",
    "/tasks?status=open&priority=high",
    "/tasks?status=done&limit=1",
    "/tasks?status=cancelled",
    "/tasks?workspace_id=900000000000000000",
]


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_is_the_same_page_by_page(pair: Pair, handed_on: list[str], path: str) -> None:
    for number in range(7):
        due = {"date": "2026-12-01", "time": "17:00"} if number % 2 else None
        priority = ["high", "none"][number % 3 == 0]
        await pair.ask("POST", "/tasks", {"title": str(number), "due": due, "priority": priority})
    await pair.ask("POST", "/tasks", {"title": "done", "status": "done"})
    pages = [[await person.get(_filled(path, person))] for person in (pair.express, pair.plain)]
    for person, seen in zip((pair.express, pair.plain), pages, strict=True):
        while cursor := seen[-1].json()["next_cursor"]:
            join = "&" if "?" in path else "?"
            seen.append(await person.get(f"{_filled(path, person)}{join}cursor={cursor}"))
    blurred = [
        [await pair.blurred(page, person) for page in seen]
        for person, seen in zip((pair.express, pair.plain), pages, strict=True)
    ]
    assert blurred[0] == blurred[1]
    # Where there is nothing, the lane cannot tell whether somebody may not see it.
    assert len(handed_on) == (0 if pages[0][0].json()["items"] else 1)
    # A cursor of the one leads on in the other.
    assert [page.json()["next_cursor"] is None for page in pages[0]] == [
        page.json()["next_cursor"] is None for page in pages[1]
    ]


@pytest.mark.parametrize("count", [3, 22])
async def test_a_list_over_few_or_many_workspaces_is_the_same(
    ana: Person, bob: Person, handed_on: list[str], count: int
) -> None:
    workspaces = [await ana.make("/workspaces", name=f"Team {number}") for number in range(count)]
    for title in range(3):
        for workspace in reversed(workspaces):
            status = "done" if title == 1 else "open"
            await ana.make("/tasks", title=f"{title}", workspace_id=workspace["id"], status=status)
            await bob.make("/tasks", title="of somebody else", status=status)
    gone = (await ana.get("/tasks?limit=2")).json()["items"][1]["id"]
    await ana.delete(f"/tasks/{gone}")
    for narrow in ("", "&status=done"):
        # The lane leaves it to the plain path to understand an order.
        del handed_on[:]
        plain = (await ana.get(f"/tasks?limit=200&sort=id{narrow}")).json()["items"]
        assert len(handed_on) == 1
        assert len(plain) >= count
        items: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await ana.get(f"/tasks?limit=7{narrow}" + (cursor and f"&cursor={cursor}"))).json()
            items += page["items"]
            cursor = page["next_cursor"]
        assert items == plain
        assert len(handed_on) == 1


async def test_a_task_is_the_same(pair: Pair, handed_on: list[str]) -> None:
    await pair.ask("POST", "/tasks", BODIES[1])
    answers = [
        await person.get(f"/tasks/{await _only(pair, person)}") for person in (pair.express, pair.plain)
    ]
    seen = [await pair.blurred(*each) for each in zip(answers, (pair.express, pair.plain), strict=True)]
    assert seen[0] == seen[1]
    assert handed_on == []


async def test_at_random_nothing_tells_them_apart(pair: Pair) -> None:
    dice = random.Random(5)  # noqa: S311 - no secret
    known: list[tuple[int, int]] = []
    for _ in range(120):
        if not known or dice.random() < 0.3:
            express, plain = await pair.ask("POST", "/tasks", _any_body(dice, dice.choice(BODIES)))
            if express.is_success:
                known.append((express.json()["id"], plain.json()["id"]))
            continue
        ids = dice.choice(known)
        method = dice.choice(["PATCH", "PATCH", "PUT", "GET", "DELETE"])
        body = _any_body(dice, dice.choice(PATCHES)) if method in {"PATCH", "PUT"} else None
        headers = (
            {"If-Match": dice.choice(['"1"', '"2"', '"3"', "*", 'W/"1"'])} if dice.random() < 0.4 else {}
        )
        answers = [
            await person.request(method, f"/tasks/{task_id}", json=body, headers=headers)
            for person, task_id in zip((pair.express, pair.plain), ids, strict=True)
        ]
        seen = [await pair.blurred(*each) for each in zip(answers, (pair.express, pair.plain), strict=True)]
        assert seen[0] == seen[1], (method, body, headers)
    mine, theirs = await pair.journals()
    assert mine == theirs


def _any_body(dice: random.Random, body: dict[str, Any]) -> dict[str, Any]:
    """Sometimes with something that is refused, or that the lane does not know."""
    odd: list[dict[str, Any]] = [
        {"title": ""},
        {"no_field": 1},
        {"labels_add": ["one"]},
        {"parent_id": 2**62},
        {"title": "a\0b"},
        {"project_id": 2**62},
        {"priority": None},
        {"due": {"date": "2026-13-01"}},
        {"due": {"time": "25:00"}},
    ]
    more = dice.choice(odd) if dice.random() < 0.6 else {}
    return body | more


REFUSED: list[tuple[str, str, Any, dict[str, str]]] = [
    ("GET", "/tasks/9000000000000000000", None, {}),
    ("GET", "/tasks/0", None, {}),
    ("GET", "/tasks/1?fields=id", None, {}),
    ("GET", "/tasks?limit=0", None, {}),
    ("GET", "/tasks?limit=1000", None, {}),
    ("GET", "/tasks?limit=5&limit=6", None, {}),
    ("GET", "/tasks?cursor=x", None, {}),
    ("GET", "/tasks?statsu=open", None, {}),
    ("GET", "/tasks", None, {"Authorization": "Bearer dtf_unknown"}),
    ("GET", "/tasks", None, {"Authorization": "Basic eA=="}),
    ("POST", "/tasks", {}, {}),
    ("POST", "/tasks", {"title": "x", "workspace_id": 2**62}, {}),
    ("POST", "/tasks", {"title": "x", "project_id": 2**62}, {}),
    ("POST", "/tasks", {"title": "x"}, {"Authorization": "Bearer dtf_unknown"}),
    ("POST", "/tasks", {"title": "x"}, {"Content-Type": "text/plain"}),
    ("POST", "/tasks?x=1", {"title": "x"}, {}),
    ("POST", "/tasks", b'{"title": "x"', {}),
    ("POST", "/tasks", b'{"title": NaN}', {}),
    ("POST", "/tasks", b'\xff{"title": "x"}', {}),
    ("POST", "/tasks", b'{"title": "\\ud800"}', {}),
    ("PATCH", "/tasks/9000000000000000000", {"title": "x"}, {}),
]


@pytest.mark.parametrize(("method", "path", "body", "headers"), REFUSED)
async def test_what_is_refused_is_refused_in_the_same_words(
    pair: Pair, method: str, path: str, body: Any, headers: dict[str, str]
) -> None:
    answers = await pair.ask(method, path, body, headers)
    assert 400 <= answers[0].status_code < 500
    assert await tasks_of(pair.database, pair.express.workspace_id) == []


async def test_a_taken_uid_is_refused_in_the_same_words(pair: Pair) -> None:
    for status in (201, 409):
        express, _ = await pair.ask("POST", "/tasks", {"title": "x", "uid": "mine"})
        assert express.status_code == status
    mine, theirs = await pair.journals()
    assert mine == theirs


async def _only(pair: Pair, person: Person) -> int:
    (task,) = await tasks_of(pair.database, person.workspace_id)
    return task.id


async def _words(database: Database, person: Person) -> list[str]:
    """Of each task, as search finds them."""
    async with database.read() as session:
        words = cast(Task.__table__.c.search, String)
        plain = func.replace(words, f"'{person.workspace_id}:", "'")
        statement = select(plain).where(Task.workspace_id == person.workspace_id).order_by(Task.id)
        return list(await session.scalars(statement))


# --- the same effect, once --------------------------------------------------------------------------------------------

KEY = {"Idempotency-Key": "k 1"}
# What could be mistaken for the places that are filled in as the answer is stored.
HOSTILE = {
    "title": '"position":"@"',
    "description": '{"id":-1,"workspace_id":-1,"project_id":-1,"created_by":-1,',
}


@pytest.mark.parametrize("body", [*BODIES, HOSTILE])
async def test_a_keyed_task_is_made_once_and_answered_the_same_again(
    pair: Pair, handed_on: list[str], body: dict[str, Any]
) -> None:
    first, _ = await pair.ask("POST", "/tasks", body, KEY)
    assert first.status_code == 201
    assert handed_on == []
    again, _ = await pair.ask("POST", "/tasks", body, KEY)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.content == first.content
    for name in ("location", "etag", "dutiful-cursor", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert len(await tasks_of(pair.database, pair.express.workspace_id)) == 1
    other, _ = await pair.ask("POST", "/tasks", {"title": "another"}, KEY)
    assert other.status_code == 422
    mine, theirs = await pair.journals()
    assert mine == theirs


@pytest.mark.parametrize("is_express_first", [True, False])
async def test_a_key_of_the_one_is_known_to_the_other(
    ana: Person, settings: Settings, database_url: URL, *, is_express_first: bool
) -> None:
    async with running(settings, database_url) as server:
        person = server.serve(ana)

        async def ask_both(method: str, path: str, key: str) -> httpx.Response:
            answers = []
            for is_express in (is_express_first, not is_express_first):
                server.app.state.direct_pool.is_usable = is_express
                headers = {"Idempotency-Key": key}
                answers.append(await person.request(method, path, json={"title": key}, headers=headers))
            first, again = answers
            assert first.is_success
            assert (again.status_code, again.content) == (first.status_code, first.content)
            assert again.headers["idempotency-replayed"] == "true"
            return first

        task = (await ask_both("POST", "/tasks", "one")).json()
        await ask_both("PATCH", f"/tasks/{task['id']}", "another")


async def test_of_thirty_with_one_key_one_does_it(ana: Person, database: Database) -> None:
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*(ana.post("/tasks", {"title": "x"}, headers=KEY) for _ in range(30)))
    assert [answer.status_code for answer in answers] == [201] * 30
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 29
    assert len(await tasks_of(database, ana.workspace_id)) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
async def test_a_key_that_is_none_is_refused_in_the_same_words(pair: Pair, key: str) -> None:
    answer, _ = await pair.ask("POST", "/tasks", {"title": "x"}, {"Idempotency-Key": key})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("POST", "", {"title": "Not said in full"}),
        ("POST", "/batch", [{"title": "Not said in full"}]),
        ("PATCH", "/{task_id}", {"title": "Not said in full"}),
        ("PUT", "/{task_id}", {"status": "done"}),
    ],
)
async def test_half_a_body_is_not_taken_for_a_whole_one(
    app: FastAPI, ana: Person, database: Database, method: str, path: str, said: Any
) -> None:
    """Of a client that hung up: what it had said by then happens to be JSON."""
    task = await ana.make("/tasks", title="Before")
    seq = await latest_seq(database, ana.workspace_id)
    half = json.dumps(said).encode()
    messages = iter([{"type": "http.request", "body": half, "more_body": True}, {"type": "http.disconnect"}])
    scope = {
        "type": "http",
        "method": method,
        "path": "/api/v1/tasks" + path.format(task_id=task["id"]),
        "query_string": b"",
        "headers": [
            (b"authorization", f"Bearer {ana.token}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % (len(half) + 1)),
        ],
        "client": ("127.0.0.1", 1),
        "http_version": "1.1",
    }

    async def receive() -> Any:
        return next(messages, {"type": "http.disconnect"})

    async def send(_: Any) -> None:
        """Nobody is left to hear it."""

    await app(scope, receive, send)
    assert await latest_seq(database, ana.workspace_id) == seq


async def test_what_fails_before_anything_is_sent_is_handed_on(
    ana: Person, handed_on: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OverflowError("a moment that no clock knows")

    task = await ana.make("/tasks", title="x")
    monkeypatch.setattr(rows.Draft, "of", fail)
    assert (await ana.patch(f"/tasks/{task['id']}", {"title": "y"})).status_code == 200
    assert len(handed_on) == 1


async def test_what_fails_after_it_was_written_is_not_done_twice(
    ana: Person, database: Database, handed_on: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(writing, "encode_cursor", fail)
        problem(await ana.post("/tasks", {"title": "x"}), 503, "outcome_unknown")
        assert handed_on == []
        again = await ana.post("/tasks", {"title": "y"}, headers=KEY)
        assert again.headers["idempotency-replayed"] == "true"
    assert [task.title for task in await tasks_of(database, ana.workspace_id)] == ["x", "y"]


# --- what it is for ---------------------------------------------------------------------------------------------------


async def test_a_token_that_was_seen_lately_is_looked_at_all_the_same(ana: Person) -> None:
    made = await ana.make("/tokens", name="phone")
    phone = ana.with_token(made["token"])
    await ana.make("/tasks", title="x")
    for _ in range(3):
        assert (await phone.get("/tasks")).status_code == 200
    await ana.delete(f"/tokens/{made['id']}")
    problem(await phone.get("/tasks"), 401)


async def test_each_takes_one_statement_and_a_new_title_two(ana: Person, database: Database) -> None:
    task = await ana.make("/tasks", title="x")  # the token's use is noted
    asks: list[tuple[Callable[[], Awaitable[httpx.Response]], int]] = [
        (lambda: ana.post("/tasks", {"title": "y"}), 1),
        (lambda: ana.patch(f"/tasks/{task['id']}", {"priority": "low"}, headers={"If-Match": '"1"'}), 1),
        (lambda: ana.patch(f"/tasks/{task['id']}", {"status": "done", "priority": "high"}), 1),
        (lambda: ana.patch(f"/tasks/{task['id']}", {"title": "z"}), 2),
        (lambda: ana.get(f"/tasks/{task['id']}"), 1),
        (lambda: ana.get("/tasks"), 1),
        (lambda: ana.post("/tasks/batch", [{"title": str(n)} for n in range(1000)]), 1),
    ]
    for ask, count in asks:
        with count_statements(database) as statements:
            assert (await ask()).is_success
        assert len(statements) == count


# --- under others' feet -----------------------------------------------------------------------------------------------


async def test_many_at_once_get_keys_and_numbers_of_their_own(ana: Person, database: Database) -> None:
    async with asyncio.timeout(30):
        made = await asyncio.gather(
            *(ana.post("/tasks", {"title": str(n), **(PLAIN if n % 5 == 0 else {})}) for n in range(40))
        )
    assert [response.status_code for response in made] == [201] * 40
    tasks = await tasks_of(database, ana.workspace_id)
    in_order_of_commit = [
        change.entity_id
        for change in await changes_of(database, ana.workspace_id)
        if change.verb == "task.created"
    ]
    assert [task.id for task in sorted(tasks, key=lambda task: task.position)] == in_order_of_commit
    seqs = [change.seq for change in await changes_of(database, ana.workspace_id)]
    assert seqs == list(range(1, len(seqs) + 1))


async def test_many_who_last_wrote_elsewhere_count_one_journal(
    ana: Person, bob: Person, database: Database, handed_on: list[str]
) -> None:
    team = await make_shared(ana, bob)
    tasks = [await ana.make("/tasks", title=f"{number}", workspace_id=team.id) for number in range(8)]
    del handed_on[:]
    for round_number in range(3):
        # Each is taken for writing where they wrote last, and that is their own workspace.
        for person in (ana, bob):
            await person.make("/tasks", title="mine")
        patch = {"priority": ("low", "high", "urgent")[round_number]}
        answers = await asyncio.gather(
            *(
                (ana, bob)[number % 2].patch(f"/tasks/{task['id']}", patch)
                for number, task in enumerate(tasks)
            )
        )
        assert [answer.status_code for answer in answers] == [200] * 8
        assert {answer.json()["version"] for answer in answers} == {2 + round_number}
    changes = await changes_of(database, team.id)
    assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
    assert [change.verb for change in changes].count("task.updated") == 24
    assert handed_on == []


async def test_of_twenty_with_one_etag_one_wins(ana: Person, database: Database) -> None:
    task = await ana.make("/tasks", title="x")
    answers = await asyncio.gather(
        *(
            ana.patch(f"/tasks/{task['id']}", {"title": f"title {n}"}, headers={"If-Match": '"1"'})
            for n in range(20)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19
    assert (await ana.get(f"/tasks/{task['id']}")).json()["version"] == 2


async def test_ten_who_add_up_lose_nothing(ana: Person) -> None:
    task = await ana.make("/tasks", title="0")

    async def add() -> None:
        done = 0
        while done < 5:
            seen = (await ana.get(f"/tasks/{task['id']}")).json()
            title = str(int(seen["title"]) + 1)
            tag = {"If-Match": f'"{seen["version"]}"'}
            answer = await ana.patch(f"/tasks/{task['id']}", {"title": title}, headers=tag)
            done += answer.status_code == 200

    async with asyncio.timeout(60):
        await asyncio.gather(*(add() for _ in range(10)))
    assert (await ana.get(f"/tasks/{task['id']}")).json()["title"] == "50"


@pytest.mark.parametrize("what", ["create", "update"])
async def test_rights_are_those_there_are_when_the_lock_is_given(
    ana: Person, bob: Person, database: Database, what: str
) -> None:
    """Bob waits for the workspace while his role in it is lowered."""
    shared = await make_shared(ana, bob)
    task = await ana.make("/tasks", title="x", workspace_id=shared.id)
    seq = await latest_seq(database, shared.id)

    begun, done = asyncio.Event(), asyncio.Event()

    async def lower(session: Writer) -> None:
        lower = MemberPatch(role=Role.VIEWER)
        await workspaces.update_member(session, ana.actor(), shared.id, bob.user_id, lower, ANY)
        begun.set()
        await done.wait()

    lowering = asyncio.create_task(database.write(lower))
    await begun.wait()
    if what == "create":
        writing = asyncio.create_task(bob.post("/tasks", {"title": "y", "workspace_id": shared.id}))
    else:
        writing = asyncio.create_task(bob.patch(f"/tasks/{task['id']}", {"title": "y"}))
    await waiting(database, 1)
    done.set()
    await lowering
    problem(await writing, 403)
    assert await latest_seq(database, shared.id) == seq + 1


async def test_what_a_patch_is_based_on_is_looked_at_under_the_lock(ana: Person, database: Database) -> None:
    """Two changes of one task at once, neither with If-Match: both are there afterwards."""
    task = await ana.make("/tasks", title="x")
    for n in range(10):
        answers = await asyncio.gather(
            ana.patch(f"/tasks/{task['id']}", {"title": f"title {n}"}),
            ana.patch(f"/tasks/{task['id']}", {"description": f"description {n}"}),
            ana.patch(f"/tasks/{task['id']}", {"priority": ["low", "high"][n % 2]}),
        )
        assert [answer.status_code for answer in answers] == [200] * 3
        seen = (await ana.get(f"/tasks/{task['id']}")).json()
        assert (seen["title"], seen["description"], seen["priority"]) == (
            f"title {n}",
            f"description {n}",
            ["low", "high"][n % 2],
        )


async def test_a_new_task_comes_last_whatever_was_moved_before(ana: Person, database: Database) -> None:
    dice = random.Random(8)  # noqa: S311 - no secret
    tasks = [await ana.make("/tasks", title=str(n), **dice.choice([PLAIN, {}])) for n in range(4)]
    for n in range(60):
        one, other = dice.sample(tasks, 2)
        where = dice.choice(["after", "before"])
        assert (await ana.post(f"/tasks/{one['id']}/move", {where: other["id"]})).status_code == 200
        if n % 3 == 0:
            made = await ana.make("/tasks", title="new", **dice.choice([PLAIN, {}]))
            tasks.append(made)
            assert (await ana.all("/tasks", sort="position"))[-1]["id"] == made["id"]


async def test_a_streaming_reader_hears_of_it(ana: Person, database: Database) -> None:
    heard: list[Any] = []
    database.on_commit.append(heard.append)
    try:
        task = await ana.make("/tasks", title="x")
        await ana.patch(f"/tasks/{task['id']}", {"title": "y"})
    finally:
        database.on_commit.remove(heard.append)
    assert heard.count({ana.workspace_id: 1}) == 2


async def test_changes_of_the_lane_can_be_undone(ana: Person, database: Database) -> None:
    task = await ana.make("/tasks", title="x", due={"date": "2026-12-01", "time": "17:00"})
    await ana.patch(f"/tasks/{task['id']}", {"title": "y", "status": "done", "due": None})
    changes = await changes_of(database, ana.workspace_id)
    assert isinstance(changes[-1], Change)
    undone = await ana.post(f"/changes/{changes[-1].id}/undo")
    assert undone.status_code == 200, undone.text
    seen = (await ana.get(f"/tasks/{task['id']}")).json()
    assert {**seen, "version": 0, "updated_at": ""} == {**task, "version": 0, "updated_at": ""}
