"""`dutiful backup` and `dutiful restore`, on a PostgreSQL of one's own and on the private one, with real kills."""

import asyncio
import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from tests.cli import programs
from tests.cli.programs import Serving, data_folder, execute, fresh_database, wait_for

from dutiful.cli import backup as backup_command
from dutiful.cli.main import main
from dutiful.database import migrate
from dutiful.database.backup import figures
from dutiful.database.backup.archive import Archive
from dutiful.database.backup.figures import Figures
from dutiful.database.backup.load import load
from dutiful.database.backup.programs import Programs
from dutiful.database.embedded import EmbeddedPostgres
from dutiful.datafolder import DataFolder

Capture = pytest.CaptureFixture[str]
KEY = "0123456789abcdef-for-tests-only-0123456789"

# Large enough to be killed in the middle of.
MANY_ROWS = """
    INSERT INTO account_events (at, user_id, verb, details)
    SELECT now(), n, 'test', jsonb_build_object('words', repeat(md5(n::text), 8))
    FROM generate_series(1, 60000) AS n
"""


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, public_tmp: Path, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("DUTIFUL_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture(scope="module")
def template(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The name of a database with an owner, their workspace and a token. Making it takes longer than copying it."""
    with fresh_database(postgres) as url:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("DATABASE_URL", url)
            monkeypatch.setenv("SECRET_KEY", KEY)
            assert dutiful("token", "create", "first") == 0
        yield str(make_url(url).database)


@pytest.fixture
def full(postgres: EmbeddedPostgres, template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a copy of it."""
    with fresh_database(postgres, template) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        yield url


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[str]:
    with fresh_database(postgres) as url:
        yield url


def dutiful(*arguments: object) -> object:
    """The exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def backed_up(capsys: Capture, *arguments: object) -> dict[str, Any]:
    assert dutiful("backup", *arguments, "--json") == 0, capsys.readouterr().err
    made: dict[str, Any] = json.loads(capsys.readouterr().out)
    return made


def contents(url: str) -> Figures:
    async def work() -> Figures:
        engine = create_async_engine(url, poolclass=NullPool)
        return await figures.of_database(engine)

    return asyncio.run(work())


def scalar(url: str, statement: str) -> Any:
    async def work() -> Any:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.connect() as connection:
            return await connection.scalar(text(statement))

    return asyncio.run(work())


def is_empty(url: str) -> bool:
    statement = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    return bool(scalar(url, statement) == 0)


# --- a database of one's own ------------------------------------------------------------------------------------------


def test_a_backup_is_restored_row_by_row(
    full: str, empty: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    made = backed_up(capsys, tmp_path)
    path = Path(made["path"])
    assert (made["checked"], made["rows"]["users"], made["wrong"]) == ("restored", 1, [])
    assert path.parent == tmp_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.setenv("DATABASE_URL", empty)
    assert dutiful("restore", path) == 0
    assert "Restored 0 tasks" in capsys.readouterr().err
    assert contents(full).differences(contents(empty)) == []
    assert dutiful("db", "check") == 0


def test_without_a_target_it_goes_into_the_data_folder(full: str, capsys: Capture, tmp_path: Path) -> None:
    assert dutiful("backup", "--no-check") == 0
    said = capsys.readouterr()
    assert Path(said.out.strip()).parent == tmp_path / "data" / "backups"
    assert "Not checked." in said.err


def test_what_goes_on_meanwhile_is_not_in_the_way(full: str, capsys: Capture, tmp_path: Path) -> None:
    """Figures and file are of one snapshot: the check finds no difference however much is written."""
    is_done = threading.Event()
    written: list[int] = []

    async def write() -> None:
        engine = create_async_engine(full, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            while not is_done.is_set():
                await connection.execute(
                    text(
                        "INSERT INTO account_events (at, user_id, verb, details) VALUES (now(), 1, 'x', '{}')"
                    )
                )
                written.append(1)

    writer = threading.Thread(target=lambda: asyncio.run(write()))
    writer.start()
    try:
        wait_for(lambda: written)
        made = backed_up(capsys, tmp_path)
    finally:
        is_done.set()
        writer.join()
    assert made["checked"] == "restored"
    assert 0 < made["rows"]["account_events"] < scalar(full, "SELECT count(*) FROM account_events")


def test_a_backup_that_is_not_good_is_not_kept(
    full: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    def lossy(archive: Archive, url: URL, psql: Programs) -> None:
        load(archive, url, psql)
        execute(url.render_as_string(hide_password=False), "DELETE FROM tokens")

    monkeypatch.setattr(backup_command, "load", lossy)
    assert dutiful("backup", tmp_path) == 1
    assert "not kept. Restored, tokens has 0 rows instead of 1." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_in_the_database_is_told_and_backed_up(
    full: str, capsys: Capture, tmp_path: Path
) -> None:
    execute(full, "UPDATE workspace_counters SET seq = seq + 5")
    made = backed_up(capsys, tmp_path)
    assert made["wrong"] == ["1 workspaces whose counter is not at their last change"]
    assert Path(made["path"]).exists()


def test_a_database_that_is_not_empty_is_left_alone(full: str, capsys: Capture, tmp_path: Path) -> None:
    made = backed_up(capsys, tmp_path, "--no-check")
    before = contents(full)
    assert dutiful("restore", made["path"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("The database is not empty, and a backup is never mixed with what is there.")
    assert said.count("\n") == 1
    assert before.differences(contents(full)) == []


def test_a_database_with_a_table_of_another_program_is_not_empty(
    full: str, empty: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    made = backed_up(capsys, tmp_path, "--no-check")
    execute(empty, "CREATE TABLE theirs (n integer)")
    monkeypatch.setenv("DATABASE_URL", empty)
    assert dutiful("restore", made["path"]) == 1
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        (lambda _: b"", "is no backup"),
        (lambda _: b"hello" * 1000, "is no backup"),
        (lambda data: data[:1000], "is damaged or incomplete"),
        (lambda data: data[:-200], "is damaged or incomplete"),
        (lambda data: data[:-3000] + bytes(2000) + data[-1000:], "is damaged or incomplete"),
    ],
)
def test_a_file_that_is_no_whole_backup_is_refused(
    full: str,
    empty: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    tmp_path: Path,
    harm: Any,
    line: str,
) -> None:
    path = Path(backed_up(capsys, tmp_path, "--no-check")["path"])
    path.write_bytes(harm(path.read_bytes()))
    monkeypatch.setenv("DATABASE_URL", empty)
    assert dutiful("restore", path) == 1
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1
    assert is_empty(empty)


def test_a_file_that_is_not_there_is_one_line(capsys: Capture, tmp_path: Path) -> None:
    for path in (tmp_path / "nonesuch", tmp_path):
        assert dutiful("restore", path) == 1
        said = capsys.readouterr().err
        assert f"{path} cannot be read: " in said
        assert said.count("\n") == 1


def test_a_backup_of_a_newer_dutiful_is_refused(
    full: str, empty: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    execute(full, "UPDATE alembic_version SET version_num = '9999'")
    made = backed_up(capsys, tmp_path)
    monkeypatch.setenv("DATABASE_URL", empty)
    assert dutiful("restore", made["path"]) == 1
    assert "has the database schema 9999, newer than this program" in capsys.readouterr().err
    assert is_empty(empty)


def test_an_older_backup_is_migrated(
    postgres: EmbeddedPostgres,
    empty: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    tmp_path: Path,
) -> None:
    with fresh_database(postgres) as old:
        monkeypatch.setenv("DATABASE_URL", old)
        assert dutiful("db", "upgrade", "0002") == 0
        made = backed_up(capsys, tmp_path)
    assert made["revision"] == "0002"
    monkeypatch.setenv("DATABASE_URL", empty)
    assert dutiful("restore", made["path"], "--json") == 0
    said = capsys.readouterr()
    assert "The backup has schema 0002; migrating it." in said.err
    assert json.loads(said.out)["migrated_from"] == "0002"
    assert json.loads(said.out)["revision"] == migrate.head()


def test_only_older_backups_of_ours_are_removed(full: str, capsys: Capture, tmp_path: Path) -> None:
    kept = [
        "dutiful-2026-01-02T120000Z.dump",
        "dutiful-before-migration-from-0001-2026-01-01T120000Z.dump",
        "dutiful-2026-01-01.dump",
        "other-2026-01-01T120000Z.dump",
        "notes.txt",
    ]
    for name in [*kept, "dutiful-2026-01-01T120000Z.dump", "dutiful-2025-12-31T120000Z.dump"]:
        (tmp_path / name).write_text("old")
    made = backed_up(capsys, tmp_path, "--no-check", "--keep", 2)
    assert sorted(map(Path, made["removed"])) == [
        tmp_path / "dutiful-2025-12-31T120000Z.dump",
        tmp_path / "dutiful-2026-01-01T120000Z.dump",
    ]
    assert {path.name for path in tmp_path.iterdir()} == {*kept, Path(made["path"]).name}


@pytest.mark.parametrize(
    ("here", "named"), [(".", "backups"), (".", "./backups/"), ("backups", "."), ("backups/old", "..")]
)
def test_older_backups_are_removed_from_a_folder_however_it_is_named(
    full: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path, here: str, named: str
) -> None:
    (tmp_path / "backups" / "old").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / here)
    old = tmp_path / "backups" / "dutiful-2026-01-01T120000Z.dump"
    old.write_text("old")
    made = backed_up(capsys, named, "--no-check", "--keep", 1)
    assert [Path(path).resolve() for path in made["removed"]] == [old]
    assert list(old.parent.glob("*.dump")) == [Path(made["path"]).resolve()]


def test_nothing_is_removed_when_the_new_backup_fails(
    full: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    (tmp_path / "dutiful-2026-01-01T120000Z.dump").write_text("old")
    monkeypatch.setenv("DATABASE_URL", full.replace("/cli_", "/nonesuch_"))
    assert dutiful("backup", tmp_path, "--keep", 1) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["dutiful-2026-01-01T120000Z.dump"]


def test_a_backup_never_replaces_a_file(full: str, capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "mine.dump"
    assert dutiful("backup", path, "--no-check") == 0
    before = path.read_bytes()
    assert dutiful("backup", path, "--no-check") == 1
    assert "exists already, and a backup never replaces a file" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert dutiful("backup", path, "--keep", 2) == 2


def test_a_database_without_tables_gives_no_backup(
    empty: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty)
    assert dutiful("backup", tmp_path) == 1
    assert "There is nothing to back up" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_restore_that_is_killed_leaves_the_database_empty_and_can_be_run_again(
    full: str, empty: str, capsys: Capture, tmp_path: Path
) -> None:
    execute(full, MANY_ROWS)
    made = backed_up(capsys, tmp_path, "--no-check")
    command = [sys.executable, "-m", "dutiful", "restore", made["path"]]
    environment = programs.environment(tmp_path / "data", DATABASE_URL=empty, SECRET_KEY=KEY)
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as restoring:
        wait_for(lambda: restorers(empty, "AND query LIKE 'COPY%account_events%'"))
        restoring.kill()
    wait_for(lambda: not restorers(empty))
    assert is_empty(empty)
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
    assert contents(full).differences(contents(empty)) == []


def restorers(url: str, condition: str = "") -> Any:
    return scalar(
        url,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        f"AND application_name = 'dutiful backup' {condition}",
    )


def test_a_backup_that_is_killed_leaves_nothing_that_stays(
    full: str, capsys: Capture, tmp_path: Path
) -> None:
    execute(full, MANY_ROWS)
    folder = tmp_path / "kept"
    folder.mkdir()
    environment = programs.environment(tmp_path / "data", DATABASE_URL=full, SECRET_KEY=KEY)
    command = [sys.executable, "-m", "dutiful", "backup", str(folder), "--no-check"]
    with subprocess.Popen(command, env=environment) as backing_up:
        wait_for(lambda: any(path.stat().st_size for path in folder.iterdir()))
        backing_up.kill()
    assert [path.suffix for path in folder.iterdir()] == [".part"]
    made = backed_up(capsys, folder, "--no-check")
    assert [str(path) for path in folder.iterdir()] == [made["path"]]


# --- the private PostgreSQL -------------------------------------------------------------------------------------------


@pytest.fixture
def private(public_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv("SECRET_KEY")
    with data_folder(public_tmp) as folder:
        monkeypatch.setenv("DUTIFUL_DATA_DIR", str(folder))
        yield folder
        programs.end_all(folder / "restoring")


def test_a_folder_without_a_database_gives_no_backup_and_gets_none(private: Path, capsys: Capture) -> None:
    assert dutiful("backup") == 1
    assert "There is no database in " in capsys.readouterr().err
    assert not private.exists()


def test_a_server_goes_back_to_its_backup(private: Path, capsys: Capture) -> None:
    with contextlib.closing(Serving(private).wait_until_ready()) as serving:
        serving.add_task("before")
        made = backed_up(capsys)
        assert Path(made["path"]).parent == private / "backups"
        serving.add_task("after")
        with serving.client() as client:
            feed = client.get("/changes").json()
            token = (private / "owner-token").read_text()
        assert dutiful("restore", made["path"], "--replace", "--yes") == 1
        assert f"{private} is in use by process " in capsys.readouterr().err
        assert serving.end() == 0
    # Made after the backup, so it works no longer.
    (private / "owner-token").write_text("dtf_gone\n")
    assert dutiful("restore", made["path"]) == 1
    said = capsys.readouterr().err
    assert "there. Restore into another folder, with DUTIFUL_DATA_DIR, or move aside what is there" in said
    assert "dutiful restore --replace FILE" in said
    assert dutiful("restore", made["path"], "--replace") == 1
    assert "say --yes" in capsys.readouterr().err
    assert dutiful("restore", made["path"], "--replace", "--yes") == 0
    [old] = private.glob("postgres-18.2*")
    assert str(old) in capsys.readouterr().err
    with contextlib.closing(Serving(private).wait_until_ready()) as serving:
        assert serving.titles() == ["before"]
        assert (private / "owner-token").read_text() not in {token, "dtf_gone\n"}
        with serving.client() as client:
            answer = client.get("/changes", params={"after": feed["next_cursor"]})
            assert answer.status_code == 410
            again = client.get("/changes", params={"after": answer.json()["next_cursor"]})
            assert again.status_code == 200
        assert serving.end() == 0


def test_a_restore_whose_postmaster_is_killed_can_be_run_again(
    full: str, private: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)
    execute(full, MANY_ROWS)
    made = backed_up(capsys, tmp_path, "--no-check")
    monkeypatch.delenv("DATABASE_URL")
    command = [sys.executable, "-m", "dutiful", "restore", made["path"]]
    environment = programs.environment(private)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as restoring:
        cluster = EmbeddedPostgres(private, say=print).cluster
        wait_for(lambda: any(" COPY" in line for line in cluster.processes().values()))
        found = cluster.read_pid_file()
        assert found is not None
        os.kill(found.pid, signal.SIGKILL)
        _, said = restoring.communicate(timeout=programs.PATIENCE)
    assert restoring.returncode == 1
    assert "Traceback" not in said
    assert dutiful("restore", made["path"]) == 0
    with EmbeddedPostgres(private, say=print) as postgres:
        assert contents(full).differences(contents(postgres.url)) == []


def test_a_replacement_killed_between_two_steps_is_no_empty_instance(private: Path, capsys: Capture) -> None:
    assert dutiful("token", "create", "first") == 0
    capsys.readouterr()
    made = backed_up(capsys, "--no-check")
    DataFolder(private / "restoring").prepare()
    (private / "postgres-18").rename(private / "restoring" / "postgres-18")
    assert dutiful("token", "list") == 1
    assert "did not end. Run the same command again." in capsys.readouterr().err
    assert dutiful("restore", made["path"], "--replace", "--yes") == 0
    assert not (private / "restoring").exists()
    capsys.readouterr()
    assert dutiful("token", "list", "--json") == 0
    assert '"name": "first"' in capsys.readouterr().out


def test_a_migration_is_preceded_by_a_backup(private: Path, capsys: Capture) -> None:
    assert dutiful("db", "upgrade", "0002") == 0
    assert "Backup before" not in capsys.readouterr().err
    assert dutiful("db", "upgrade", "0003") == 0
    path = Path(capsys.readouterr().err.partition("Backup before the migration: ")[2].splitlines()[0])
    assert path.name.startswith("dutiful-before-migration-from-0002-")
    for number in range(1, 4):
        name = f"dutiful-before-migration-from-0001-2026-01-0{number}T120000Z.dump"
        path.with_name(name).write_text("old")
    with contextlib.closing(Serving(private).wait_until_ready()) as serving:
        assert "Backup before the migration: " in serving.said
        assert serving.end() == 0
    kept = sorted(each.name for each in path.parent.iterdir())
    assert [name[30:34] for name in kept] == ["0001", "0002", "0003"]
    assert dutiful("restore", path, "--replace", "--yes") == 0


def test_no_backup_no_migration(private: Path, capsys: Capture) -> None:
    assert dutiful("db", "upgrade", "0002") == 0
    (private / "backups").write_text("in the way")
    capsys.readouterr()
    assert dutiful("db", "upgrade") == 1
    said = capsys.readouterr().err
    assert said.startswith("No migration was begun, for there is no backup to go back to: ")
    assert "dutiful db upgrade --no-backup" in said
    assert dutiful("db", "current") == 0
    assert capsys.readouterr().out == "0002\n"
    assert dutiful("db", "upgrade", "--no-backup") == 0


def test_the_data_of_an_older_postgres_is_taken_over(private: Path, capsys: Capture) -> None:
    DataFolder(private).prepare()
    with EmbeddedPostgres(private, major=16, say=print) as old:
        engine = create_async_engine(old.url, poolclass=NullPool)
        asyncio.run(migrate.upgrade(engine))
        execute(
            old.url,
            "INSERT INTO account_events (at, user_id, verb, details) VALUES (now(), 1, 'Äpfel', '{}')",
        )
        before = contents(old.url)
    failed = programs.run("serve", folder=private)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].endswith("Take it over with: dutiful db upgrade-postgres")
    assert dutiful("db", "upgrade-postgres", "--programs", "/nowhere") == 1
    assert "no program named postgres in /nowhere" in capsys.readouterr().err
    assert dutiful("db", "upgrade-postgres") == 0
    said = capsys.readouterr().err
    assert "PostgreSQL 18 has 0 tasks" in said
    with EmbeddedPostgres(private, say=print) as new:
        assert make_url(new.url).database == "dutiful"
        assert before.differences(contents(new.url)) == []
    assert [path.name[:12] for path in private.glob("postgres-16.2*")] == ["postgres-16."]
    assert len(list((private / "backups").glob("dutiful-before-postgres-18-*.dump"))) == 1
    assert dutiful("db", "upgrade-postgres") == 1
    assert "Nothing to do" in capsys.readouterr().err
