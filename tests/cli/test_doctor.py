"""`dutiful doctor`: what it finds on machines that are well, and on those that are not."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Dutiful
from tests.cli.programs import execute, fresh_database

from dutiful.changes.live import WATCH_SECONDS
from dutiful.cli.doctor import database as doctors_database
from dutiful.cli.main import main
from dutiful.database import migrate
from dutiful.database.embedded import EmbeddedPostgres

Capture = pytest.CaptureFixture[str]
KEY = "0123456789abcdef-for-tests-only-0123456789"


@pytest.fixture
def tmp_path(public_tmp: Path) -> Path:
    """One that PostgreSQL's own account can enter."""
    folder = Path(tempfile.mkdtemp(dir=public_tmp))
    folder.chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DUTIFUL_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def database(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with fresh_database(postgres) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("SECRET_KEY", KEY)
        yield url


def examined(capsys: Capture) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and the texts of each level."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json"])
    said = capsys.readouterr()
    assert said.err == ""
    told: dict[str, Any] = json.loads(said.out)
    by_level: dict[str, list[str]] = {"ok": [], "warning": [], "problem": []}
    for finding in told["findings"]:
        by_level[finding["level"]].append(f"{finding['area']}: {finding['text']} > {finding['advice']}")
        assert finding["advice"] or finding["level"] != "warning"
    assert told["ok"] is not by_level["problem"]
    return int(ended.value.code or 0), by_level


def has(lines: list[str], words: str) -> bool:
    return any(words in line for line in lines)


def test_a_machine_where_nothing_was_started_yet_is_well_and_stays_as_it_is(
    capsys: Capture, tmp_path: Path
) -> None:
    code, found = examined(capsys)
    assert (code, found["problem"]) == (0, [])
    assert has(found["ok"], "is not there yet; `dutiful serve` makes it")
    assert has(found["ok"], "Database: There is none yet")
    assert has(found["warning"], "Backups: None in ")
    assert list(tmp_path.iterdir()) == []


def test_a_running_server_is_well(dutiful: Dutiful, served_folder: Path) -> None:
    made = dutiful("backup", "--no-check")
    assert made.code == 0
    before = sorted(path.name for path in served_folder.iterdir())
    told = dutiful("doctor")
    assert told.code == 0
    for line in (
        "  ok       Its schema is ",
        "  ok       It knows upper and lower case in every script.",
        "  ok       Notifications arrive.",
        "  ok       Housekeeping is up to date.",
        " is ready.",
        "the newest made within the hour",
    ):
        assert line in told.out
    assert "problem" not in told.out
    assert told.out.endswith("1 warning.\n")
    assert sorted(path.name for path in served_folder.iterdir()) == before


def test_broken_settings_are_told_one_by_one(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    Path(".env").write_text("DUTIFUL_PORT=many\nDUTIFUL_WORKERS=0\n")
    Path(".env").chmod(0o644)
    code, found = examined(capsys)
    assert code == 1
    assert has(found["problem"], "DUTIFUL_PORT=many is not valid")
    assert has(found["problem"], "DUTIFUL_WORKERS=0 is not valid")
    assert has(found["warning"], "chmod 600 .env")


def test_settings_that_do_not_fit_together(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    for name, value in {
        "DUTIFUL_HOST": "0.0.0.0",  # noqa: S104 - not bound
        "DUTIFUL_BASE_URL": "http://tasks.example.org",
    }.items():
        monkeypatch.setenv(name, value)
    code, found = examined(capsys)
    assert code == 0
    assert has(found["warning"], "DUTIFUL_HOST=0.0.0.0 is reachable from other machines")
    assert has(found["warning"], "passwords and tokens travel in the clear")
    monkeypatch.setenv("DUTIFUL_TRUSTED_PROXIES", "0.0.0.0/0")
    assert has(examined(capsys)[1]["warning"], "believes everybody's word")


def test_secrets_that_others_can_read_are_a_problem(capsys: Capture, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(0o755)
    (folder / "secret-key").write_text("x")
    (folder / "secret-key").chmod(0o644)
    code, found = examined(capsys)
    assert code == 1
    assert has(found["problem"], f"chmod 600 {folder / 'secret-key'}")
    assert has(found["warning"], "can be read by other accounts (mode 0755)")


def test_a_secret_key_that_no_server_would_take_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir(0o711)
    (folder / "secret-key").write_text("half of i")
    (folder / "secret-key").chmod(0o600)
    code, found = examined(capsys)
    assert code == 1
    assert has(found["problem"], f"Data folder: {folder / 'secret-key'} is damaged")
    assert (folder / "secret-key").read_text() == "half of i"
    monkeypatch.setenv("SECRET_KEY", KEY)
    assert examined(capsys)[1]["problem"] == [], "it is not used"


@pytest.mark.as_root
@pytest.mark.parametrize("is_made", [False, True])
def test_a_folder_that_the_account_of_postgres_cannot_enter_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path, *, is_made: bool
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    if is_made:
        (closed / "data").mkdir(0o711)
    monkeypatch.setenv("DUTIFUL_DATA_DIR", str(closed / "data"))
    code, found = examined(capsys)
    assert code == 1
    assert has(found["problem"], f"which cannot enter {closed}.")
    assert has(found["problem"], "DUTIFUL_POSTGRES_ACCOUNT")
    assert list(closed.iterdir()) == ([closed / "data"] if is_made else [])


@pytest.mark.usefixtures("database")
def test_a_database_that_may_lose_what_was_answered_is_a_problem(capsys: Capture) -> None:
    """The one of the tests."""
    code, found = examined(capsys)
    assert code == 1
    assert has(found["problem"], "fsync, full_page_writes, synchronous_commit are off")
    assert has(found["ok"], "It is empty; `dutiful serve` makes the tables.")


def test_a_database_that_cannot_be_reached_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("DATABASE_URL", "postgresql://ana@127.0.0.1:1/dutiful")
    code, found = examined(capsys)
    assert code == 1
    assert has(found["problem"], "The database at 127.0.0.1:1 cannot be reached")


def test_an_old_schema_and_one_of_the_future(database: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["db", "upgrade", "0002"])
    assert has(examined(capsys)[1]["warning"], f"Its schema is 0002, this program needs {migrate.head()}")
    execute(database, "UPDATE alembic_version SET version_num = '9999'")
    assert has(examined(capsys)[1]["problem"], "The database schema 9999 is newer than this program")


def test_a_housekeeper_who_is_behind(database: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["token", "create", "first"])
    assert has(examined(capsys)[1]["ok"], "Housekeeping is up to date")
    execute(database, "UPDATE changes SET at = now() - interval '400 days'")
    assert has(examined(capsys)[1]["warning"], "there are changes in the journal of longer ago")


@pytest.mark.usefixtures("database")
def test_more_connections_than_the_database_takes(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("DUTIFUL_WORKERS", "64")
    # 64 times two pools of 10, 2 beyond them, 3 for the wake-ups of streams, 1 for commits of their own; 5 for others.
    assert has(examined(capsys)[1]["problem"], "this server may want 1669.")


def test_a_locale_that_knows_few_letters_is_said_to_matter_for_names_and_addresses(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    with fresh_database(postgres, "template0 LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'") as url:
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("SECRET_KEY", KEY)
        told = examined(capsys)[1]["warning"]
    assert has(
        told, "With LC_CTYPE C it knows upper and lower case of A to Z only: names and e-mail addresses"
    )
    assert has(told, "Search does not mind.")


@pytest.mark.usefixtures("database")
def test_notifications_that_do_not_arrive(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(doctors_database, "_LISTEN_SECONDS", 0)
    assert has(examined(capsys)[1]["warning"], f"Live streams look every {WATCH_SECONDS} s instead.")


@pytest.mark.usefixtures("database")
def test_backups_that_are_old_or_damaged(capsys: Capture, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "backups"
    folder.mkdir(parents=True)
    (folder / "dutiful-2026-01-01T120000Z.dump").write_text("no dump")
    _, found = examined(capsys)
    assert has(found["warning"], "days old, 7 bytes.")
    assert has(found["problem"], "is no backup")


def test_what_is_said_fits_the_terminal(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((80, 24)))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with pytest.raises(SystemExit):
        main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    # A path is not broken, so that it can be copied.
    assert all(len(line) <= 80 or line.lstrip().startswith(("/", "> ")) for line in lines)
    assert lines[0] == "Installation"
    assert lines[-1] == "1 warning."
