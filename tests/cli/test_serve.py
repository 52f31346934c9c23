"""From nothing to a server that answers, and back, however roughly it is ended."""

import asyncio
import contextlib
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import httpx
import pytest
from tests.cli.programs import (
    PATIENCE,
    Serving,
    children,
    data_folder,
    fresh_database,
    postgres_processes,
    run,
    wait_for,
)

import dutiful
from dutiful.database.embedded import EmbeddedPostgres
from dutiful.datafolder import DataFolder

Serve = Callable[..., Serving]


@pytest.fixture(scope="module")
def data(public_tmp: Path) -> Iterator[Path]:
    """One data folder for all these tests: whatever one of them does to it, the next must be able to start."""
    with data_folder(public_tmp) as folder:
        yield folder


@pytest.fixture
def serve(data: Path) -> Iterator[Serve]:
    started: list[Serving] = []

    def start(*arguments: str, folder: Path = data, **variables: str) -> Serving:
        started.append(Serving(folder, *arguments, **variables))
        return started[-1]

    yield start
    for serving in started:
        serving.close()


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


# --- one server -------------------------------------------------------------------------------------------------------


def test_the_first_start_makes_everything_and_sigterm_ends_it_cleanly(serve: Serve, data: Path) -> None:
    serving = serve().wait_until_ready()
    assert "Database: PostgreSQL 18" in serving.said
    assert stat.S_IMODE((data / "owner-token").stat().st_mode) == 0o600
    with serving.client() as client:
        me = client.get("/users/me").json()
    assert (me["name"], me["is_admin"]) == ("Owner", True)
    running = DataFolder(data).running_server()
    assert running is not None
    assert (running.pid, running.url) == (serving.process.pid, serving.address)
    assert serving.end() == 0
    assert serving.said.endswith("Stopped.\n")
    assert postgres_processes(data) == []
    assert DataFolder(data).running_server() is None


def test_what_stands_in_the_way_is_told_by_name(serve: Serve, data: Path, taken_port: int) -> None:
    serving = serve().wait_until_ready()
    second = run("serve", folder=data)
    assert second.returncode == 1
    assert second.stderr.startswith(f"{data} is in use by process {serving.process.pid} ({serving.address}).")
    other = run("serve", "--port", str(taken_port), folder=data.with_name("other"))
    assert other.returncode == 1
    assert other.stderr == (
        f"Port {taken_port} on 127.0.0.1 is in use by another program. "
        "Stop that one, or choose another with --port.\n"
    )
    assert not list(data.with_name("other").glob("postgres*"))


def test_a_killed_server_leaves_nothing_behind_that_hinders_the_next(serve: Serve, data: Path) -> None:
    killed = serve().wait_until_ready()
    task = killed.add_task("Survive a kill")
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    serving = serve("--port", killed.address.rpartition(":")[2]).wait_until_ready()
    assert "PostgreSQL still runs from before" in serving.said
    assert "Survive a kill" in serving.titles()
    assert serving.end(signal.SIGINT) == 0
    assert postgres_processes(data) == []
    assert task


def test_a_killed_postgresql_comes_back_while_serving(serve: Serve, data: Path) -> None:
    serving = serve().wait_until_ready()
    serving.add_task("Survive the postmaster")
    os.kill(int(next((data / "postgres-18").glob("postmaster.pid")).read_text().split()[0]), signal.SIGKILL)
    wait_for(lambda: "PostgreSQL is back" in serving.said)
    assert "Survive the postmaster" in serving.titles()
    assert serving.add_task("Written after")
    assert serving.end() == 0
    assert postgres_processes(data) == []


def test_a_token_that_no_longer_works_is_replaced(serve: Serve, data: Path) -> None:
    DataFolder(data).prepare()
    DataFolder(data).write_owner_token("dtf_from-a-backup")
    serving = serve().wait_until_ready()
    with serving.client() as client:
        assert client.get("/users/me").status_code == 200
    assert serving.end() == 0


@pytest.mark.parametrize("reached", ["Dutiful", "Database: ", "Applied migration 0001"])
def test_sigterm_while_starting_ends_postgresql_too(serve: Serve, public_tmp: Path, reached: str) -> None:
    with data_folder(public_tmp) as folder:
        serving = serve(folder=folder)
        wait_for(lambda: reached in serving.said and postgres_processes(folder))
        assert serving.end() == 0, serving.said
        assert serving.said.endswith("Stopped.\n")
        assert postgres_processes(folder) == []


# --- several workers --------------------------------------------------------------------------------------------------


def test_workers_are_replaced_and_end_with_a_killed_parent(serve: Serve) -> None:
    serving = serve("--workers", "2").wait_until_ready()
    workers = children(serving.process.pid, "dutiful.server")
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    wait_for(lambda: f"Worker {workers[0]} died; starting another." in serving.said)
    wait_for(lambda: len(set(children(serving.process.pid, "dutiful.server")) - {workers[0]}) == 2)
    assert serving.titles() is not None
    crew = children(serving.process.pid, "dutiful.server")
    serving.end(signal.SIGKILL)
    wait_for(lambda: not any(is_alive(pid) for pid in crew))
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{serving.address}/healthz")


def test_workers_answer_what_they_were_asked_before_they_end(serve: Serve, data: Path) -> None:
    serving = serve("--workers", "2").wait_until_ready()
    workers = children(serving.process.pid, "dutiful.server")
    with ThreadPoolExecutor() as pool:
        with locked_tasks(data) as is_waiting:
            task = pool.submit(serving.add_task, "Asked before the end")
            wait_for(is_waiting)
            serving.process.send_signal(signal.SIGTERM)
            wait_for(lambda: refuses_connections(serving.address))
        assert task.result(PATIENCE)
    assert serving.process.wait(PATIENCE) == 0
    assert not any(is_alive(pid) for pid in workers)
    assert "died" not in serving.said
    assert postgres_processes(data) == []


@contextlib.contextmanager
def locked_tasks(folder: Path) -> Iterator[Callable[[], bool]]:
    """Nobody can write tasks meanwhile. Gives a function that tells whether somebody waits to."""
    pid_file = EmbeddedPostgres(folder, say=print).cluster.read_pid_file()
    assert pid_file is not None
    url = f"postgresql://dutiful@/dutiful?host={pid_file.socket_folder}"
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(url))
        runner.run(connection.execute("BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE"))
        query = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'tasks'::regclass"
        yield lambda: bool(runner.run(connection.fetchval(query)))
        runner.run(connection.close())


def refuses_connections(address: str) -> bool:
    try:
        httpx.get(f"{address}/healthz", timeout=0.2)
    except httpx.HTTPError as error:
        return isinstance(error, httpx.ConnectError)
    return False


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_starts_again_when_a_file_changes(serve: Serve) -> None:
    serving = serve("--reload").wait_until_ready()
    (before,) = children(serving.process.pid, "dutiful.server")
    os.utime(dutiful.__file__)
    wait_for(lambda: "Files have changed; starting again." in serving.said)
    wait_for(lambda: not is_alive(before))
    wait_for(lambda: answers(serving.address))
    assert serving.titles() is not None
    assert serving.end() == 0


def test_systemd_is_told_when_it_answers(serve: Serve, public_tmp: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(public_tmp / "notify"))
        systemd.settimeout(PATIENCE)
        serving = serve(NOTIFY_SOCKET=str(public_tmp / "notify"))
        assert systemd.recv(100) == b"READY=1"
    assert answers(serving.address)
    assert serving.end() == 0


def test_the_figures_of_all_workers_are_added_up(serve: Serve) -> None:
    serving = serve("--workers", "2").wait_until_ready()
    for _ in range(20):
        # Each over a connection of its own, so that both workers get some.
        assert answers(serving.address)
    counted = r'route="/healthz",status="2xx"} '
    (line,) = [
        line
        for line in httpx.get(f"{serving.address}/metrics").text.splitlines()
        if "_seconds_count{" in line and counted in line
    ]
    assert float(line.rpartition(" ")[2]) == 20
    workers = children(serving.process.pid, "dutiful.server")
    os.kill(workers[0], signal.SIGKILL)
    wait_for(lambda: set(children(serving.process.pid, "dutiful.server")) - set(workers))
    told = httpx.get(f"{serving.address}/metrics", timeout=PATIENCE).text
    # What it counted stays; what it used does not.
    assert f"{line}\n" in told
    assert f'dutiful_process_resident_memory_bytes{{pid="{workers[0]}"}}' not in told
    assert serving.end() == 0


def answers(address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{address}/healthz", timeout=PATIENCE).status_code == 200
    return False


# --- a database elsewhere ---------------------------------------------------------------------------------------------

KEY = "0123456789abcdef-for-tests-only-0123456789"


@pytest.fixture
def new_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    with fresh_database(postgres) as url:
        yield url


def test_a_database_elsewhere_is_migrated_and_served(serve: Serve, new_database: str, data: Path) -> None:
    folder = data.with_name("neighbours")
    serving = serve(folder=folder, DATABASE_URL=new_database, SECRET_KEY=KEY).wait_until_ready()
    assert "Make a token to sign in with: dutiful token create NAME" in serving.said
    assert not list(folder.glob("postgres*"))
    # Another one on the same machine and database, as in an upgrade without a pause.
    neighbour = serve(folder=folder, DATABASE_URL=new_database, SECRET_KEY=KEY).wait_until_ready()
    assert neighbour.address != serving.address
    assert "Make a token" not in neighbour.said
    assert (serving.end(), neighbour.end()) == (0, 0)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://root@localhost/tasks", "keeps its data in PostgreSQL only"),
        ("postgresql://dutiful@127.0.0.1:1/tasks", "The database at 127.0.0.1:1 cannot be reached: "),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(data: Path, url: str, reason: str) -> None:
    ended = run("serve", folder=data.with_name("unused"), DATABASE_URL=url, SECRET_KEY=KEY)
    assert ended.returncode == 1
    lines = ended.stderr.splitlines()
    assert reason in lines[-1]
    assert [line for line in lines[:-1] if not line.startswith("Dutiful ")] == []


def test_settings_that_are_wrong_are_told_each_on_a_line(data: Path) -> None:
    ended = run("serve", folder=data, DUTIFUL_WORKERS="0", DUTIFUL_LOG_LEVEL="loud")
    assert ended.returncode == 1
    assert [line.split("=")[0] for line in ended.stderr.splitlines()] == [
        "DUTIFUL_WORKERS",
        "DUTIFUL_LOG_LEVEL",
    ]
