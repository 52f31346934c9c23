"""A token that was revoked is revoked in every process, whichever a connection reaches."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest
from tests.cli.programs import Serving, children, data_folder

PER_WORKER = 6


@pytest.fixture
def serving(public_tmp: Path) -> Iterator[Serving]:
    with data_folder(public_tmp) as folder, closing(Serving(folder, "--workers", "2")) as serving:
        yield serving.wait_until_ready()


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_revoked_token_is_refused_by_every_worker_over_every_connection(serving: Serving) -> None:
    workers = children(serving.process.pid, "dutiful.server")
    with ExitStack() as stack:
        owner = stack.enter_context(serving.client())
        made = owner.post("/tokens", json={"name": "lost", "scopes": ["write"]}).json()
        lost: list[httpx.Client] = []
        for worker in workers:
            # So that what connects now is answered by the other.
            with standing_still(worker):
                for _ in range(PER_WORKER):
                    client = stack.enter_context(serving.client())
                    client.headers["Authorization"] = f"Bearer {made['token']}"
                    lost.append(client)
                    for _ in range(2):
                        assert client.get("/tasks").status_code == 200
                        assert client.post("/tasks", json={"title": "mine"}).status_code == 201
                        assert client.get("/labels").status_code == 200
        assert owner.delete(f"/tokens/{made['id']}").status_code == 204
        for client in lost:
            assert client.post("/tasks", json={"title": "too late"}).status_code == 401
            assert client.post("/labels", json={"name": "too late"}).status_code == 401
        # As long as a process may trust what it looked up for a read.
        time.sleep(1)
        for client in lost:
            assert client.get("/tasks").status_code == 401
            assert client.get("/labels").status_code == 401
        titles = [task["title"] for task in owner.get("/tasks").json()["items"]]
        assert titles == ["mine"] * (2 * len(lost))
    assert serving.end() == 0
