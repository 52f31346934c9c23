"""Schemathesis finds nothing: a short run with a fixed seed, and a long one with `--long`. `tests/schemathesis.toml` tells
of one that is longer still."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from tests.support.people import Person

CONFIG = Path(__file__).parent.parent / "schemathesis.toml"
ROOT = CONFIG.parent.parent
SECONDS = 8
LONG_SECONDS = 60


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """The application of the tests on a real port."""
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    # What `serve` does, without taking over the signals.
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    serving = asyncio.create_task(server.main_loop())
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        await server.shutdown()


@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing,stateful"])
async def test_schemathesis_finds_nothing(
    app: FastAPI, ana: Person, tmp_path: Path, phases: str, pytestconfig: pytest.Config
) -> None:
    is_long = pytestconfig.getoption("--long")
    seconds = LONG_SECONDS if is_long else SECONDS
    async with listening(app) as address:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
            *("run", f"{address}/openapi.json", "-H", f"Authorization: Bearer {ana.token}"),
            *("--seed", "1", "--phases", phases, "--max-time", str(seconds), "--no-color"),
            *(("--max-examples", "1000") if is_long else ()),
            *("--generation-database", "none"),
            # It leaves a folder of its own where it runs.
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.support.fuzzing"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-5000:]
