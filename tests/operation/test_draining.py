"""Told to stop, the server answers whatever it was asked."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.programs import PATIENCE, Serving, data_folder, postgres_processes
from tests.support.load import Load


@pytest.fixture(scope="module")
def data(public_tmp: Path) -> Iterator[Path]:
    with data_folder(public_tmp) as folder:
        yield folder


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_no_request_that_was_sent_is_cut_off(data: Path, workers: str) -> None:
    with closing(Serving(data, "--workers", workers)) as serving:
        await asyncio.to_thread(serving.wait_until_ready)
        load = await end_under_load(serving, clients=12)
    assert load.cut == []
    assert set(load.answered) == {201}
    # Those that nobody listened to know that they were not heard.
    assert load.refused == 12
    assert postgres_processes(data) == []
    with closing(Serving(data)) as again:
        await asyncio.to_thread(again.wait_until_ready)
        with again.client() as client:
            kept = (await asyncio.to_thread(client.get, "/workspaces/1/changes?limit=1000")).json()["items"]
    titles = {change["after"]["title"] for change in kept if change["verb"] == "task.created"}
    assert load.titles <= titles


async def end_under_load(serving: Serving, clients: int) -> Load:
    host, _, port = serving.address.removeprefix("http://").partition(":")
    load = Load(host, int(port), (serving.folder / "owner-token").read_text().strip())
    async with asyncio.timeout(PATIENCE):
        asking = asyncio.create_task(load.run(clients))
        while len(load.answered) < 60:  # noqa: ASYNC110 - answers set no event
            await asyncio.sleep(0.01)
        serving.process.terminate()
        await asking
    assert await asyncio.to_thread(serving.process.wait, PATIENCE) == 0
    return load
