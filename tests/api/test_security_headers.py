"""What browsers are told with every answer."""

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import URL
from tests.support.live import serving
from tests.support.people import Person
from tests.support.plain import PLAIN
from tests.support.servers import running
from tests.support.signing_in import visitor_at

from dutiful.settings import Settings

EXPECTED = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def told(response: httpx.Response) -> dict[str, str]:
    """Each once."""
    for name in (*EXPECTED, "x-request-id"):
        assert len(response.headers.get_list(name)) == 1, name
    return {name: response.headers[name] for name in EXPECTED}


async def test_answers_of_the_api_have_them_on_both_paths(ana: Person) -> None:
    for body in ({"title": "x"}, {"title": "x", **PLAIN}):
        made = await ana.post("/tasks", body)
        path = f"/tasks/{made.json()['id']}"
        assert (made.status_code, told(made)) == (201, EXPECTED)
        assert told(await ana.get(path)) == EXPECTED
        assert told(await ana.patch(path, body)) == EXPECTED
        assert told(await ana.delete(path)) == EXPECTED
    for path in ("/tasks", "/labels"):
        assert told(await ana.get(path)) == EXPECTED


async def test_refusals_have_them(app: FastAPI, ana: Person, anonymous: httpx.AsyncClient) -> None:
    too_large = {"Content-Length": "99999999"}
    for status, response in {
        401: await anonymous.get("/api/v1/tasks"),
        404: await ana.get("/nothing"),
        405: await ana.delete("/tasks"),
        413: await ana.post("/tasks", headers=too_large),
        415: await ana.post("/tasks", content="{}"),
        422: await ana.get("/tasks?nothing=1"),
    }.items():
        assert (response.status_code, told(response)) == (status, EXPECTED)


async def test_faults_nobody_foresaw_have_them(settings: Settings, database_url: URL) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    async with running(settings, database_url) as server:
        server.app.add_api_route("/fails", fail)
        response = await server.client.get("/fails")
    assert (response.status_code, told(response)) == (500, EXPECTED)


async def test_a_client_is_told_when_a_fault_ends_its_connection(
    settings: Settings, database_url: URL
) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    async with serving(settings, database_url) as live:
        live.app.add_api_route("/fails", fail)
        for _ in range(5):
            response = await live.client.get("/fails")
            assert (response.status_code, response.headers["Connection"]) == (500, "close")
        # Nor is any other connection harmed.
        assert (await live.client.get("/healthz")).status_code == 200


async def test_refusals_of_too_many_and_answers_to_browsers_elsewhere_have_them(
    settings: Settings, database_url: URL
) -> None:
    origin = "https://board.example.org"
    narrow = settings.model_copy(update={"rate_limit_per_address": 1, "cors_origins": (origin,)})
    async with running(narrow, database_url) as server, visitor_at(server.app) as far:
        asking = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        preflight = await far.options("/api/v1/tasks", headers=asking)
        assert (preflight.status_code, told(preflight)) == (200, EXPECTED)
        await far.get("/api/v1/tasks")
        refused = await far.get("/api/v1/tasks")
        assert (refused.status_code, told(refused)) == (429, EXPECTED)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json"])
async def test_what_is_outside_the_api_has_them(anonymous: httpx.AsyncClient, path: str) -> None:
    assert told(await anonymous.get(path)) == EXPECTED


async def test_what_says_something_else_itself_is_left_alone(anonymous: httpx.AsyncClient) -> None:
    page, script = await anonymous.get("/docs"), await anonymous.get("/docs/docs.js")
    assert told(page) == {**EXPECTED, **{name: page.headers[name] for name in ("cache-control", CSP)}}
    assert page.headers["cache-control"] == "no-cache"
    assert "script-src 'self'" in page.headers[CSP]
    assert "immutable" in told(script)["cache-control"]


CSP = "content-security-policy"


async def test_a_program_that_keeps_a_thing_is_still_told_that_it_has_it(ana: Person) -> None:
    task = await ana.post("/tasks", {"title": "x"})
    again = await ana.get(f"/tasks/{task.json()['id']}", headers={"If-None-Match": task.headers["ETag"]})
    assert (again.status_code, again.headers["ETag"]) == (304, task.headers["ETag"])
    assert told(again) == EXPECTED


async def test_a_live_feed_has_them(settings: Settings, database_url: URL, ana: Person) -> None:
    async with serving(settings, database_url) as live, live.follow(ana) as events:
        headers = {name.lower(): value for name, value in events.headers.items()}
        assert {name: headers[name] for name in EXPECTED} == EXPECTED
