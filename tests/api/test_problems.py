"""Bad input is a clear 4xx, and every refusal has the same form."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import URL
from tests.support.journals import latest_seq, titles_of
from tests.support.people import Person
from tests.support.plain import PLAIN
from tests.support.problems import pointers, problem
from tests.support.servers import running

from dutiful.database.session import Database
from dutiful.settings import Settings

JSON = {"Content-Type": "application/json"}
BODIES = ["/tasks", "/tasks/batch", "/batch", "/projects", "/labels"]


def nested(depth: int) -> bytes:
    return b'{"title":' + b"[" * depth + b"]" * depth + b"}"


MALFORMED = {
    "cut off": b'{"title": "x"',
    "nothing but a word": b"hello",
    "two values": b"{} {}",
    "single quotes": b"{'title': 'x'}",
    "trailing comma": b'{"title": "x",}',
    "byte order mark alone": b"\xef\xbb\xbf",
    "not UTF-8": b'{"title": "\xff\xfe"}',
    "nested too deep": nested(100_000),
    "a number of too many digits": b'{"title": ' + b"9" * 5000 + b"}",
    "a raw line break in a string": b'{"title": "a\nb"}',
}
UNUSABLE = {
    "null": b"null",
    "a string": b'"x"',
    "a number": b"5",
    "NaN": b"NaN",
    "nothing": b"",
    "NaN as a title": b'{"title": NaN}',
    "infinity as an id": b'{"title": "x", "project_id": Infinity}',
    "minus infinity as an id": b'{"title": "x", "project_id": -Infinity}',
    "a NUL byte": b'{"title": "a\\u0000b"}',
    "a lone high surrogate": b'{"title": "\\ud800"}',
    "a lone low surrogate": b'{"title": "\\udc00x"}',
    "a surrogate as a field's name": b'{"title": "x", "\\ud800": 1}',
    "a surrogate in a uid": b'{"title": "x", "uid": "\\ud83d"}',
    "a surrogate in a label": b'{"title": "x", "labels_add": ["\\ud83d"]}',
    "2 to the 63": b'{"title": "x", "project_id": 9223372036854775808}',
    "a huge number": b'{"title": "x", "project_id": 1e400}',
    "a fraction": b'{"title": "x", "project_id": 1.5}',
    "a negative number": b'{"title": "x", "project_id": -1}',
    "true as a number": b'{"title": "x", "project_id": true}',
    "deep in a field": nested(200),
    "as a batch": b"[[[[]]]]",
    "a list of null": b"[null]",
    "an object of null": b'{"": null}',
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_json_is_400(ana: Person, name: str) -> None:
    for path in BODIES:
        problem(await ana.request("POST", path, content=MALFORMED[name], headers=JSON), 400)


@pytest.mark.parametrize("name", UNUSABLE)
async def test_what_is_json_but_means_nothing_is_422(ana: Person, database: Database, name: str) -> None:
    seq = await latest_seq(database, ana.workspace_id)
    for path in BODIES:
        problem(await ana.request("POST", path, content=UNUSABLE[name], headers=JSON), 422)
    task = await ana.make("/tasks", title="x")
    for method in ("PATCH", "PUT"):
        for where in (f"/tasks/{task['id']}",):
            problem(await ana.request(method, where, content=UNUSABLE[name], headers=JSON), 422)
    assert await latest_seq(database, ana.workspace_id) == seq + 1


@pytest.mark.parametrize("text", ["\ud800", "a\x00b"], ids=["surrogate", "NUL"])
@pytest.mark.parametrize(
    "operation",
    [
        {"op": "create", "type": "task", "data": {"title": "TEXT"}},
        {"op": "create", "type": "task", "data": {"title": "x", "TEXT": 1}},
        {"op": "create", "type": "task", "data": {"title": "x", "labels_add": ["TEXT"]}},
        {"op": "create", "type": "label", "data": {"name": "TEXT"}},
        {"op": "create", "type": "project", "data": {"name": "TEXT"}},
        {"op": "create", "type": "task", "ref": "TEXT", "data": {"title": "x"}},
        {"op": "update", "type": "task", "id": "$TEXT"},
        {"op": "TEXT", "type": "task"},
    ],
)
async def test_text_that_cannot_be_stored_is_refused_wherever_it_is(
    ana: Person, text: str, operation: dict[str, Any]
) -> None:
    body = json.dumps([operation]).replace("TEXT", json.dumps(text)[1:-1]).encode()
    problem(await ana.request("POST", "/batch", content=body, headers=JSON), 422)


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data", "json", ""])
async def test_another_content_type_is_refused(ana: Person, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    for path in BODIES:
        response = await ana.request("POST", path, content=b'{"title": "x"}', headers=headers)
        assert response.status_code in {415, 422}
        problem(response, response.status_code)
    assert await ana.all("/tasks") == []


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/merge-patch+json"])
async def test_relatives_of_json_are_taken(ana: Person, content_type: str) -> None:
    task = await ana.make("/tasks", title="x")
    headers = {"Content-Type": content_type}
    response = await ana.request("PATCH", f"/tasks/{task['id']}", content=b'{"title": "y"}', headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v1", "/api/v1/", "/nothing", "/api/v2/tasks", "/docs/nothing"]
)
async def test_an_unknown_address_is_404(ana: Person, path: str) -> None:
    problem(await ana.client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/tasks"),
        ("PUT", "/tasks"),
        ("GET", "/batch"),
        ("POST", "/tasks/1"),
        ("PATCH", "/tasks/1/move"),
    ],
)
async def test_a_method_an_address_does_not_know_is_405(ana: Person, method: str, path: str) -> None:
    response = await ana.request(method, path)
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"]


BIG = b'{"title": "x", "description": "' + b"y" * 3000 + b'"}'


async def test_a_body_that_grows_over_the_limit_is_413_and_nothing_is_written(
    ana: Person, database: Database, settings: Settings, database_url: URL
) -> None:
    """Without Content-Length it is found out on the way."""

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(BIG), 100):
            yield BIG[start : start + 100]

    small = settings.model_copy(update={"max_body_bytes": 2048})
    async with running(small, database_url) as server:
        person = server.serve(ana)
        for path in (*BODIES, "/imports/taskwarrior"):
            problem(await person.request("POST", path, content=in_pieces(), headers=JSON), 413)
        assert (await person.post("/tasks", {"title": "x"})).status_code == 201
    assert await titles_of(database, ana.workspace_id) == ["x"]


async def test_a_body_that_says_it_is_over_the_limit_is_413(
    ana: Person, settings: Settings, database_url: URL
) -> None:
    small = settings.model_copy(update={"max_body_bytes": 2048})
    async with running(small, database_url) as server:
        for path in (*BODIES, "/imports/taskwarrior"):
            problem(await server.serve(ana).request("POST", path, content=BIG, headers=JSON), 413)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer dtf_wrong",
        "Basic YW5hOnNlY3JldA==",
        "bearer \xff",
        "Bearer " + "x" * 10_000,
        "Bearer a b",
    ],
)
async def test_who_is_not_signed_in_is_401(ana: Person, authorization: str) -> None:
    headers = {b"Authorization": authorization.encode("latin-1")}
    for method, path in (("GET", "/tasks"), ("POST", "/tasks"), ("POST", "/batch"), ("GET", "/tasks/1")):
        response = await ana.client.request(method, f"/api/v1{path}", headers=headers, json={"title": "x"})
        problem(response, 401, "unauthenticated")
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_request_id_is_ours_and_new_each_time(ana: Person) -> None:
    headers = {"X-Request-Id": "mine"}
    ids = {(await ana.get("/tasks", headers=headers)).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert "mine" not in ids


async def test_a_bug_is_a_500_that_tells_nothing(app: FastAPI, ana: Person, monkeypatch: Any) -> None:
    """The one test that breaks the server from inside: a bug is what nothing from outside should bring about."""

    async def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("SELECT secret FROM nowhere")

    monkeypatch.setattr("dutiful.tasks.creation.create", fail)
    response = await ana.post("/tasks", {"title": "x", **PLAIN})
    document = problem(response, 500, "internal_error")
    assert "secret" not in response.text
    assert document["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize("value", [0, 1, "true", "off"])
async def test_what_looks_like_true_or_false_is_neither(ana: Person, value: Any) -> None:
    project = await ana.make("/projects", name="x")
    changed = await ana.patch(f"/projects/{project['id']}", {"archived": value})
    assert pointers(changed, 422, "invalid") == ["/archived"]
    undone = await ana.post(f"/changes/{ana.workspace_id}-1/undo", {"request": value})
    assert pointers(undone, 422, "invalid") == ["/request"]


async def test_of_very_many_faults_the_first_thousand_are_told(ana: Person) -> None:
    many = {f"field {number}": 1 for number in range(2_000)}
    operation = {"op": "create", "type": "task", "data": many}
    for path, body, first in (
        ("/tasks", {"title": "x", **many}, "/field 0"),
        ("/tasks/batch", [{"title": "x", **many}], "/0/field 0"),
        ("/batch", [operation], "/0/data/title"),
    ):
        faults = pointers(await ana.post(path, body), 422, "invalid")
        assert len(faults) == 1_000
        assert faults[0] == first


async def test_what_was_sent_is_not_repeated_in_the_answer(ana: Person) -> None:
    secret = "correct horse battery staple"
    response = await ana.post("/tasks", {"title": [secret], "priority": secret, "uid": {"a": secret}})
    assert set(pointers(response)) == {"/title", "/priority", "/uid"}
    assert secret not in response.text


async def test_a_length_of_thousands_of_digits_is_refused(
    ana: Person, settings: Settings, database_url: URL
) -> None:
    async with running(settings, database_url) as server:
        length = {"Content-Length": "1" + "0" * 5000}
        problem(await server.serve(ana).request("POST", "/tasks", content=b"{}", headers=JSON | length), 413)


async def test_no_redirect_follows_the_host_that_was_named(ana: Person) -> None:
    problem(await ana.get("/tasks/", headers={"Host": "evil.example"}), 404)
