"""What Prometheus is told, and who may ask."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update
from tests.support.contract import hold_to_contract
from tests.support.people import Person
from tests.support.problems import problem

from dutiful.database.session import Database
from dutiful.models import User


@pytest.fixture
async def from_elsewhere(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, client=("203.0.113.9", 4711))
    hooks = {"response": [hold_to_contract]}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://dutiful.test", event_hooks=hooks
    ) as client:
        yield client


async def figure(client: httpx.AsyncClient, name: str) -> float:
    """The sum over all labels that `name`, a pattern, leaves open."""
    response = await client.get("/metrics")
    assert response.status_code == 200, response.text
    found = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", response.text, re.MULTILINE)
    return sum(map(float, found))


async def test_requests_are_counted_by_route_and_never_by_path(
    ana: Person, anonymous: httpx.AsyncClient
) -> None:
    count = r'dutiful_http_request_duration_seconds_count\{method="GET",route="%s",status="%s"\}'
    seen = count % ("/api/v1/tasks/{task_id}", "2xx"), count % (r"\(no route\)", "4xx")
    before = [await figure(anonymous, name) for name in seen]
    task = await ana.make("/tasks", title="Counted")
    await ana.get(f"/tasks/{task['id']}")
    await anonymous.get("/never-heard-of")
    assert [await figure(anonymous, name) for name in seen] == [value + 1 for value in before]
    everything = (await anonymous.get("/metrics")).text
    assert f"/tasks/{task['id']}" not in everything
    assert "never-heard-of" not in everything


async def test_made_up_methods_are_one_label(anonymous: httpx.AsyncClient) -> None:
    await anonymous.request("PROPFIND", "/healthz")
    everything = (await anonymous.get("/metrics")).text
    assert "PROPFIND" not in everything
    assert 'method="other"' in everything


async def test_transactions_and_changes_are_counted(ana: Person, anonymous: httpx.AsyncClient) -> None:
    names = (
        r'dutiful_transactions_total\{outcome="committed"\}',
        r'dutiful_transactions_total\{outcome="rolled_back"\}',
        "dutiful_journal_changes_total",
    )
    before = [await figure(anonymous, name) for name in names]
    await ana.post("/tasks/batch", [{"title": "one"}, {"title": "two"}])
    assert (await ana.post("/tasks", {"title": "x", "project_id": 2**62})).status_code == 422
    await ana.get("/tasks")
    assert [await figure(anonymous, name) for name in names] == [
        before[0] + 1,
        before[1] + 1,
        before[2] + 2,
    ]


async def test_the_state_of_the_process_is_told(anonymous: httpx.AsyncClient) -> None:
    assert await figure(anonymous, "dutiful_process_resident_memory_bytes") > 10_000_000
    assert await figure(anonymous, "dutiful_process_cpu_seconds_total") > 0
    assert await figure(anonymous, "dutiful_db_pool_size") == 20
    assert await figure(anonymous, "dutiful_build_info") == 1
    # The one that asks.
    assert await figure(anonymous, "dutiful_http_requests_in_progress") == 1


async def test_only_this_machine_and_administrators_may_ask(
    ana: Person, database: Database, from_elsewhere: httpx.AsyncClient
) -> None:
    token = {"Authorization": f"Bearer {ana.token}"}
    assert problem(await from_elsewhere.get("/metrics"), 401)["code"] == "unauthenticated"
    wrong = {"Authorization": "Bearer dtf_wrong"}
    assert problem(await from_elsewhere.get("/metrics", headers=wrong), 401)["code"] == "unauthenticated"
    assert problem(await from_elsewhere.get("/metrics", headers=token), 403)["code"] == "forbidden"
    await database.run_aside(update(User).where(User.id == ana.user_id).values(is_admin=True))
    assert (await from_elsewhere.get("/metrics", headers=token)).status_code == 200
    await database.run_aside(update(User).where(User.id == ana.user_id).values(is_admin=False))


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Anything", "Forwarded", "Via",
        "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "Fly-Client-IP",
    ],
)  # fmt: skip
async def test_what_a_proxy_on_this_machine_passes_on_is_not_from_this_machine(
    anonymous: httpx.AsyncClient, header: str
) -> None:
    assert (await anonymous.get("/metrics", headers={header: "127.0.0.1"})).status_code == 401
