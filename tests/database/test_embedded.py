"""The private PostgreSQL, with real processes, real kills and real folders."""

import asyncio
import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from dutiful.database.embedded import EmbeddedError, EmbeddedPostgres, bin_folder, opened, server
from dutiful.database.embedded.account import find_account
from dutiful.database.embedded.cluster import Cluster
from dutiful.datafolder import DataFolder

as_root = pytest.mark.as_root
linux = pytest.mark.linux


@pytest.fixture(autouse=True)
def leftovers() -> Iterator[list[Path]]:
    """Data folders whose PostgreSQL must not outlive the test, whatever went wrong."""
    folders: list[Path] = []
    yield folders
    for folder in folders:
        for major in (16, 18):
            end_all(folder, major)


@pytest.fixture
def base() -> Iterator[Path]:
    """Unlike `tmp_path` this is a folder that an unprivileged account can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="dutiful-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def empty(base: Path, leftovers: list[Path]) -> Path:
    return prepared(base / "data", leftovers)


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="dutiful-test-"))
    folder.chmod(0o711)
    DataFolder(folder / "data").prepare()
    with EmbeddedPostgres(folder / "data", say=print) as postgres:
        query(postgres, "create table kept (n integer)")
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def made(template: Path, leftovers: list[Path]) -> Path:
    """A data folder whose database was made before. All tests share it: no kill may harm it."""
    leftovers.append(template)
    return template


@contextlib.contextmanager
def changed(path: Path, text: str) -> Iterator[None]:
    before = path.read_text()
    path.write_text(text)
    yield
    path.write_text(before)


@contextlib.contextmanager
def away(path: Path) -> Iterator[None]:
    hidden = path.rename(path.with_name("away"))
    yield
    hidden.rename(path)


# --- start and stop ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("major", [16, 18])
def test_the_first_start_makes_a_database_and_the_next_finds_it(empty: Path, major: int) -> None:
    postgres = EmbeddedPostgres(empty, major=major, say=print)
    postgres.start()
    assert query(postgres, "show server_version").startswith(str(major))
    query(postgres, "create table kept (n integer); insert into kept values (42)")
    postgres.stop()
    assert not postgres.is_running()
    with postgres:
        assert query(postgres, "select n from kept") == "42"
        assert query(postgres, "show server_encoding") == "UTF8"
        assert query(postgres, "show data_checksums") == "on"
        # The letters of the world, and the marks that are none.
        assert query(postgres, "select lower('ÄÉЖ')") == "äéж"
        assert (
            query(postgres, "select to_tsvector('«Straße»—日本語。') @@ to_tsquery('straße & 日本語')") == "t"
        )


def test_commits_are_synced_and_the_role_is_no_superuser(made: Path) -> None:
    with EmbeddedPostgres(made, say=print) as postgres:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert query(postgres, f"show {setting}") == "on"
        assert query(postgres, "show max_connections") == "200"
        assert query(postgres, "show shared_buffers") == "128MB"
        assert query(postgres, "show is_superuser") == "off"


def test_starting_and_stopping_twice_does_no_harm(made: Path) -> None:
    postgres = EmbeddedPostgres(made, say=print)
    postgres.start()
    postgres.start()
    assert query(postgres, "select 1") == "1"
    postgres.stop()
    postgres.stop()


def test_stopping_does_not_wait_for_sessions(made: Path) -> None:
    postgres = EmbeddedPostgres(made, say=print)
    postgres.start()
    session = open_session(postgres, "select pg_sleep(60)")
    began = time.monotonic()
    postgres.stop()
    assert time.monotonic() - began < 5
    session.wait()


def test_extra_settings_win(made: Path) -> None:
    with EmbeddedPostgres(made, extra_settings={"fsync": "off"}, say=print) as postgres:
        assert query(postgres, "show fsync") == "off"


def test_the_operators_settings_win_over_ours(made: Path) -> None:
    configuration = made / "postgres-18" / "postgresql.conf"
    with (
        changed(configuration, configuration.read_text() + "random_page_cost = 3\n"),
        EmbeddedPostgres(made, say=print) as postgres,
    ):
        assert query(postgres, "show random_page_cost") == "3"


def test_the_terminals_signals_do_not_reach_it(made: Path) -> None:
    with EmbeddedPostgres(made, say=print) as postgres:
        assert os.getsid(postmaster(postgres)) == os.getpgid(postmaster(postgres)) == postmaster(postgres)


# --- who gets in ------------------------------------------------------------------------------------------------------


def test_every_folder_and_file_is_closed_to_others(made: Path) -> None:
    with EmbeddedPostgres(made, say=print) as postgres:
        owner = find_account(None, made / "postgres-18").uid
        assert stat.S_IMODE(made.stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)
        for folder in (made / "postgres-18", made / "log", postgres.socket_folder):
            assert (stat.S_IMODE(folder.stat().st_mode), folder.stat().st_uid) == (0o700, owner)
        inside = [path for path in made.rglob("*") if path.is_file() or path.is_dir()]
        assert [path for path in inside if path.stat().st_mode & 0o077] == []


@linux
def test_it_listens_on_no_network(made: Path) -> None:
    with EmbeddedPostgres(made, say=print) as postgres:
        assert query(postgres, "show listen_addresses") == ""
        tables = [
            Path(f"/proc/{postmaster(postgres)}/net/{name}") for name in ("tcp", "tcp6") if has_net(name)
        ]
        listening = {line.split()[9] for path in tables for line in path.read_text().splitlines()[1:]}
        links = [os.readlink(path) for path in Path(f"/proc/{postmaster(postgres)}/fd").iterdir()]  # noqa: PTH115
        sockets = {link[8:-1] for link in links if link.startswith("socket:")}
        assert sockets
        assert not sockets & listening


def test_nobody_is_the_superuser(made: Path) -> None:
    with EmbeddedPostgres(made, say=print) as postgres:
        assert "Peer authentication failed" in psql(postgres, "select 1", role="postgres").stderr


def test_access_rules_that_were_changed_are_put_right(made: Path) -> None:
    (made / "postgres-18" / "pg_hba.conf").write_text("local all all trust\n")
    with EmbeddedPostgres(made, say=print) as postgres:
        assert "Peer authentication failed" in psql(postgres, "select 1", role="postgres").stderr


@as_root
def test_another_account_is_refused(made: Path) -> None:
    with EmbeddedPostgres(made, extra_settings={"unix_socket_permissions": "0777"}, say=print) as postgres:
        assert "Permission denied" in psql(postgres, "select 1", user="daemon").stderr
        postgres.socket_folder.chmod(0o711)
        assert "Peer authentication failed" in psql(postgres, "select 1", user="daemon").stderr
        postgres.socket_folder.chmod(0o700)


# --- killed -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round_", range(3))
def test_a_killed_postmaster_is_started_again_with_all_commits(made: Path, round_: int) -> None:
    said: list[str] = []
    with EmbeddedPostgres(made, say=said.append) as postgres:
        postgres.supervise()
        session = open_session(postgres, "select pg_sleep(60)")
        query(postgres, f"insert into kept values (10{round_})")
        first = postmaster(postgres)
        os.kill(first, signal.SIGKILL)
        assert eventually(
            lambda: psql(postgres, f"select n from kept where n = 10{round_}").stdout == f"10{round_}\n"
        )
        assert postmaster(postgres) != first
        session.wait()
    assert said[0] == "PostgreSQL died; starting it again."
    assert said[-1].startswith("PostgreSQL is back after ")


def test_all_processes_killed_at_once(made: Path) -> None:
    postgres = EmbeddedPostgres(made, say=print)
    postgres.start()
    query(postgres, "insert into kept values (7)")
    end_all(made)
    assert not postgres.is_running()
    assert (made / "postgres-18" / "postmaster.pid").exists()
    with postgres:
        assert query(postgres, "select count(*) from kept where n = 7") == "1"


def test_a_busy_session_that_outlives_the_postmaster_is_ended(made: Path) -> None:
    said: list[str] = []
    postgres = EmbeddedPostgres(made, say=said.append)
    postgres.start()
    session = open_session(postgres, "select count(*) from generate_series(1, 1000000000)")
    kill_postmaster(postgres)
    with postgres:
        assert query(postgres, "select 1") == "1"
    # A busy machine adds how long it has been waiting.
    assert said[0] == "Ending what is left of a PostgreSQL that was killed."
    session.wait()


def test_a_session_that_no_longer_listens_is_killed(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_ORPHANS_KILL_SECONDS", 0.7)
    postgres = EmbeddedPostgres(made, say=print)
    postgres.start()
    session = open_session(postgres, "select pg_sleep(60)")
    asleep = next(
        pid for pid, line in Cluster(made, 18, None).processes().items() if "[local] SELECT" in line
    )
    os.kill(asleep, signal.SIGSTOP)
    kill_postmaster(postgres)
    with postgres:
        assert query(postgres, "select 1") == "1"
    session.wait()


def test_a_server_that_was_killed_leaves_one_that_is_taken_over(made: Path) -> None:
    with run_python(
        made, "postgres.start(); print(postgres._pid, flush=True); sys.stdin.readline()"
    ) as first:
        assert first.stdout is not None
        pid = int(first.stdout.readline())
        first.kill()
    said: list[str] = []
    with EmbeddedPostgres(made, say=said.append) as postgres:
        assert said == [f"PostgreSQL still runs from before (process {pid}); using that one."]
        assert query(postgres, "select 1") == "1"
        postgres.supervise()
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: psql(postgres, "select 1").stdout.strip() == "1")
    assert not Cluster(made, 18, None).processes()


@pytest.mark.parametrize("seconds", [0.05, 0.4])
def test_a_first_start_that_was_killed_is_done_again(empty: Path, seconds: float) -> None:
    with run_python(empty, "postgres.start()") as first:
        assert eventually((empty / "postgres-18.new").exists)
        time.sleep(seconds)
        first.kill()
    with EmbeddedPostgres(empty, say=print) as postgres:
        assert query(postgres, "select current_database()") == "dutiful"
    assert not (empty / "postgres-18.new").exists()


def test_an_old_process_id_that_now_means_another_program_is_no_obstacle(made: Path) -> None:
    other = subprocess.Popen(["sleep", "60"], **find_account(None, made / "postgres-18").for_popen())
    lines = [str(other.pid), str(made / "postgres-18"), "1", "5432", str(made / "run"), "", "", "ready"]
    (made / "postgres-18" / "postmaster.pid").write_text("\n".join(lines) + "\n")
    with EmbeddedPostgres(made, say=print) as postgres:
        assert query(postgres, "select 1") == "1"
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_killed_postmaster_that_nobody_collects_is_no_obstacle(made: Path) -> None:
    """As in a container whose first process does not look after orphans."""
    first = EmbeddedPostgres(made, say=print)
    first.start()
    os.kill(postmaster(first), signal.SIGKILL)
    assert eventually(lambda: not Cluster(made, 18, None).processes())
    with EmbeddedPostgres(made, say=print) as second:
        assert query(second, "select 1") == "1"
    first.stop()


def test_supervision_goes_on_until_the_start_succeeds(made: Path) -> None:
    said: list[str] = []
    with EmbeddedPostgres(made, say=said.append) as postgres:
        postgres.supervise()
        with changed(made / "postgres-18" / "postgresql.conf", "no_such_setting = 1\n"):
            os.kill(postmaster(postgres), signal.SIGKILL)
            assert eventually(lambda: any("Trying again" in line for line in said))
        assert eventually(lambda: psql(postgres, "select 1").stdout.strip() == "1")
    assert 'did not start: unrecognized configuration parameter "no_such_setting"' in " ".join(said)


def test_stopping_interrupts_a_supervisor_that_tries_in_vain(made: Path) -> None:
    said: list[str] = []
    postgres = EmbeddedPostgres(made, say=said.append)
    postgres.start()
    postgres.supervise()
    with changed(made / "postgres-18" / "postgresql.conf", "no_such_setting = 1\n"):
        os.kill(postmaster(postgres), signal.SIGKILL)
        assert eventually(lambda: any("Trying again" in line for line in said))
        began = time.monotonic()
        postgres.stop()
        assert time.monotonic() - began < 0.5


# --- several at a time ------------------------------------------------------------------------------------------------


def test_two_first_starts_at_the_same_time_share_one(empty: Path) -> None:
    code = "with opened(data, say=lambda line: None) as postgres: import time; time.sleep(0.5); print(postgres._pid)"
    both = [run_python(empty, code) for _ in range(2)]
    answers = [process.communicate(timeout=20)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert len(answers[0]) == 1
    assert answers[0] == answers[1]
    assert not Cluster(empty, 18, None).processes()


def test_a_command_uses_the_running_one_and_leaves_it_running(made: Path) -> None:
    said: list[str] = []
    with EmbeddedPostgres(made, say=print) as postgres:
        with opened(made, say=said.append) as other:
            assert other.url == postgres.url
            assert query(other, "select 1") == "1"
        assert query(postgres, "select 1") == "1"
    assert said == []


def test_a_command_without_a_server_stops_what_it_started(made: Path) -> None:
    with opened(made, say=print) as postgres:
        assert query(postgres, "select 1") == "1"
    assert not Cluster(made, 18, None).processes()


def test_a_server_that_comes_while_a_command_runs_keeps_it(made: Path) -> None:
    command = run_python(
        made, "with opened(data, say=print): print('open', flush=True); sys.stdin.readline()"
    )
    assert command.stdout is not None
    assert command.stdout.readline() == "open\n"
    with EmbeddedPostgres(made, say=print) as postgres:
        command.communicate("\n", timeout=10)
        assert query(postgres, "select 1") == "1"


def test_a_postgres_that_somebody_else_started_is_left_alone(made: Path) -> None:
    folder = made / "postgres-18"
    arguments = [
        "-D",
        str(folder),
        "-c",
        "listen_addresses=",
        "-c",
        f"unix_socket_directories={made / 'run'}",
    ]
    foreign = subprocess.Popen(
        [bin_folder() / "postgres", *arguments],
        stderr=subprocess.DEVNULL,
        **find_account(None, folder).for_popen(),
    )
    assert eventually(
        lambda: (pid_file := Cluster(made, 18, None).read_pid_file()) and pid_file.status == "ready"
    )
    with pytest.raises(EmbeddedError, match="Dutiful did not start"):
        EmbeddedPostgres(made, say=print).start()
    foreign.send_signal(signal.SIGINT)
    foreign.wait()


# --- folders ----------------------------------------------------------------------------------------------------------


def test_any_name_of_a_data_folder_will_do(base: Path, template: Path, leftovers: list[Path]) -> None:
    for name in ("with space and 'quotes' \"too\"", "with, comma", "größe:%s", "x" * 120):
        data = template.rename(base / name)
        leftovers.append(data)
        with EmbeddedPostgres(data, say=print) as postgres:
            assert asyncio.run(ask_by_url(postgres.url)) == 1
            assert len(os.fsencode(postgres.socket_folder / ".s.PGSQL.5432")) <= 100
            assert stat.S_IMODE(postgres.socket_folder.stat().st_mode) == 0o700
            with opened(data, say=print) as other:
                assert other.socket_folder == postgres.socket_folder
        if postgres.socket_folder != data / "run":
            postgres.socket_folder.rmdir()
        data.rename(template)


def test_a_socket_folder_that_a_stranger_prepared_is_refused(made: Path) -> None:
    with away(made / "run"):
        (made / "run").mkdir()
        (made / "run").chmod(0o777)
        with pytest.raises(EmbeddedError, match=r"run must be a folder .* closed to others"):
            EmbeddedPostgres(made, say=print).start()
        (made / "run").rmdir()


@as_root
def test_a_folder_that_the_account_cannot_enter_is_named(base: Path, leftovers: list[Path]) -> None:
    data = prepared(base / "closed" / "data", leftovers)
    data.parent.chmod(0o700)
    with pytest.raises(
        EmbeddedError, match=rf"cannot enter {data.parent}\. .*DUTIFUL_DATA_DIR.*POSTGRES_ACCOUNT"
    ):
        EmbeddedPostgres(data, say=print).start()
    assert stat.S_IMODE(data.parent.stat().st_mode) == 0o700


@as_root
def test_programs_that_the_account_cannot_reach_are_named(
    empty: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    (closed / "bin").symlink_to(bin_folder())
    monkeypatch.setattr(Cluster, "bin_folder", closed / "bin")
    with pytest.raises(
        EmbeddedError, match=rf"cannot enter {closed}, where its programs are.*POSTGRES_ACCOUNT"
    ):
        EmbeddedPostgres(empty, say=print).start()


@as_root
def test_data_of_another_account_is_named(made: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"belongs to the account .* but PostgreSQL would run as daemon"):
        EmbeddedPostgres(made, account="daemon", say=print).start()


@as_root
@pytest.mark.parametrize("account", ["root", "no-such-account"])
def test_an_account_that_will_not_do_is_named(empty: Path, account: str) -> None:
    with pytest.raises(
        EmbeddedError, match=f"no unprivileged account named {account}.*DUTIFUL_POSTGRES_ACCOUNT"
    ):
        EmbeddedPostgres(empty, account=account, say=print).start()


def test_data_of_another_version_is_refused(made: Path) -> None:
    with (
        changed(made / "postgres-18" / "PG_VERSION", "17\n"),
        pytest.raises(EmbeddedError, match="was made by PostgreSQL 17, and this Dutiful runs 18"),
    ):
        EmbeddedPostgres(made, say=print).start()


def test_a_new_version_does_not_start_empty_beside_the_old_data(made: Path) -> None:
    with pytest.raises(EmbeddedError, match="postgres-18 holds the data of another PostgreSQL version"):
        EmbeddedPostgres(made, major=16, say=print).start()


def test_an_incomplete_folder_is_refused(made: Path) -> None:
    with (
        away(made / "postgres-18" / "PG_VERSION"),
        pytest.raises(EmbeddedError, match="not a complete PostgreSQL folder"),
    ):
        EmbeddedPostgres(made, say=print).start()


def test_a_failed_start_tells_the_reason(made: Path) -> None:
    with pytest.raises(EmbeddedError, match=r'did not start: .*"shared_buffers": "much"'):
        EmbeddedPostgres(made, extra_settings={"shared_buffers": "much"}, say=print).start()


def test_a_failed_start_names_the_log(made: Path) -> None:
    with (
        away(made / "postgres-18" / "pg_wal"),
        pytest.raises(EmbeddedError, match=r'did not start: .*"pg_wal".* \(log: .*/log/postgresql-.*\.log\)'),
    ):
        EmbeddedPostgres(made, say=print).start()


def test_a_full_disk_is_told_plainly(made: Path) -> None:
    written = (
        'FATAL:  could not write to file "pg_wal/xlogtemp.7": No space left on device\nLOG:  shutting down'
    )
    assert (
        Cluster(made, 18, None).explain_output(written).endswith("data is full. Make room and start again.")
    )


def test_old_logs_are_removed(made: Path) -> None:
    old = made / "log" / "postgresql-Old.log"
    old.touch()
    os.utime(old, (0, 0))
    with EmbeddedPostgres(made, say=print):
        assert not old.exists()


def test_a_user_without_a_name_is_told_so(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 3_999_999)
    with pytest.raises(EmbeddedError, match="user id 3999999 has no name on this system"):
        find_account(None, made / "postgres-18")


# --- helpers ----------------------------------------------------------------------------------------------------------


def prepared(folder: Path, leftovers: list[Path]) -> Path:
    folder.parent.mkdir(mode=0o711, exist_ok=True)
    DataFolder(folder).prepare()
    leftovers.append(folder)
    return folder


def query(postgres: EmbeddedPostgres, sql: str) -> str:
    answer = psql(postgres, sql)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


async def ask_by_url(url: str) -> object:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        answer = await connection.scalar(text("select 1"))
    await engine.dispose()
    return answer


def psql(
    postgres: EmbeddedPostgres, sql: str, *, role: str = "dutiful", user: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        psql_command(postgres, sql, role), user=user, capture_output=True, text=True, check=False, cwd="/"
    )


def open_session(postgres: EmbeddedPostgres, sql: str) -> subprocess.Popen[bytes]:
    session = subprocess.Popen(
        psql_command(postgres, sql, "dutiful"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert eventually(
        lambda: query(postgres, f"select count(*) from pg_stat_activity where query = $${sql}$$") == "1"
    )
    return session


def psql_command(postgres: EmbeddedPostgres, sql: str, role: str) -> list[str]:
    program = str(bin_folder() / "psql")
    return [program, "-X", "-At", "-h", str(postgres.socket_folder), "-U", role, "-d", "dutiful", "-c", sql]


def postmaster(postgres: EmbeddedPostgres) -> int:
    pid_file = postgres.cluster.read_pid_file()
    assert pid_file
    return pid_file.pid


def kill_postmaster(postgres: EmbeddedPostgres) -> None:
    os.kill(postmaster(postgres), signal.SIGKILL)
    assert eventually(lambda: not postgres.is_running())


def run_python(data: Path, code: str) -> subprocess.Popen[str]:
    """Run code in a process of its own, with `postgres` and `opened` at hand."""
    lines = [
        "import sys",
        "from pathlib import Path",
        "from dutiful.database.embedded import EmbeddedPostgres, opened",
        f"data = Path({str(data)!r})",
        "postgres = EmbeddedPostgres(data, say=print)",
        code,
    ]
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def eventually(holds: Callable[[], object], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


def end_all(data: Path, major: int = 18) -> None:
    """kill -9 to every process of this database, the postmaster first."""
    cluster = Cluster(data, major, None)
    while processes := cluster.processes():
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def has_net(name: str) -> bool:
    return Path(f"/proc/self/net/{name}").exists()
