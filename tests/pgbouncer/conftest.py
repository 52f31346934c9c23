"""A PgBouncer in transaction mode in front of the tests' PostgreSQL, where PgBouncer is installed."""

import os
import shutil
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import URL

from dutiful.database.embedded import EmbeddedPostgres

HERE = Path(__file__).parent
PATIENCE = 30.0
# Debian's is where only the administrator's shell looks.
PROGRAM = shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
# What Dutiful sends when it connects, and PgBouncer would refuse: see docs/database.md.
IGNORED = "jit, statement_timeout, lock_timeout, idle_in_transaction_session_timeout"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where there is no PgBouncer these tests are left out, and the end of the run says so."""
    left_out = [item for item in items if PROGRAM is None and item.path.is_relative_to(HERE)]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
        _note(config, f"PgBouncer is not installed: the {len(left_out)} tests of {HERE.name} were not run.")


def _note(config: pytest.Config, text: str) -> None:
    """Straight into the summary, since warnings fail here. The only way there from a process of xdist."""
    message = warnings.WarningMessage(UserWarning(text), UserWarning, str(HERE), 0)
    config.hook.pytest_warning_recorded.call_historic(
        kwargs={"warning_message": message, "when": "collect", "nodeid": "", "location": None}
    )


@dataclass(frozen=True)
class PgBouncer:
    port: int
    direct: URL

    @property
    def url(self) -> URL:
        return self.direct.set(host="127.0.0.1", port=self.port, query={"ssl": "disable"})


@pytest.fixture(scope="package")
def pgbouncer(postgres: EmbeddedPostgres, database_url: URL, public_tmp: Path) -> Iterator[PgBouncer]:
    with running_pgbouncer(postgres, database_url, public_tmp / "pgbouncer") as pgbouncer:
        yield pgbouncer


@contextmanager
def running_pgbouncer(
    postgres: EmbeddedPostgres, direct: URL, folder: Path, **settings: str
) -> Iterator[PgBouncer]:
    """As PostgreSQL's own account, which PostgreSQL lets in. `settings` are lines of its configuration."""
    folder.mkdir()
    port = _free_port()
    host = str(direct.query["host"])
    lines = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": "transaction",
        # So few that transactions meet on them, and a client nearly never gets the same one twice in a row.
        "default_pool_size": "4",
        "server_round_robin": "1",
        "max_client_conn": "500",
        "ignore_startup_parameters": IGNORED,
        **settings,
    }
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        f"[databases]\n* = host={host} user={direct.username}\n[pgbouncer]\n"
        + "".join(f"{name} = {value}\n" for name, value in lines.items())
    )
    assert PROGRAM is not None
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("w"))
        process = stack.enter_context(
            subprocess.Popen(
                [PROGRAM, configuration],
                stdout=log,
                stderr=log,
                cwd=folder,
                **postgres.cluster.account.for_popen(),
            )
        )
        stack.callback(process.kill)
        _wait_until_open(process, port, folder / "log")
        yield PgBouncer(port, direct)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_open(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise AssertionError(log.read_text())
