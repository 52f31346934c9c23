"""The commands as a person runs them, on a server of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dutiful.cli import main
from dutiful.datafolder import DataFolder


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Dutiful = Callable[..., Ran]


@pytest.fixture(scope="session")
def served_folder(public_tmp: Path) -> Iterator[Path]:
    """The data folder of a server that runs."""
    path = public_tmp / "served"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DUTIFUL_")}
    command = [sys.executable, "-m", "dutiful", "serve", "--port", "0"]
    with (public_tmp / "serve.log").open("w") as log:
        server = subprocess.Popen(
            command,
            env={**environment, "DUTIFUL_DATA_DIR": str(path)},
            cwd=public_tmp,
            stdout=log,
            stderr=log,
        )
    try:
        _await_server(DataFolder(path), server, public_tmp / "serve.log")
        yield path
    finally:
        server.terminate()
        server.wait(timeout=20)


def _await_server(folder: DataFolder, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        running = folder.running_server()
        if running is not None and running.url is not None:
            return
        time.sleep(0.05)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


@pytest.fixture
def dutiful(
    served_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Dutiful:
    """Runs a command in this process: a start of Python for each would be most of the time."""
    for name in ("DUTIFUL_SERVER", "DUTIFUL_TOKEN", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DUTIFUL_DATA_DIR", str(served_folder))
    monkeypatch.chdir(tmp_path)

    def ran(*arguments: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Ran(int(ended.value.code or 0), said.out, said.err)

    return ran
