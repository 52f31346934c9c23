"""`dutiful db`, and what every command says of a database that it cannot use."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import make_url
from tests.cli.programs import execute, fresh_database

from dutiful.cli import db
from dutiful.cli.main import main
from dutiful.cli.output import note
from dutiful.database import migrate
from dutiful.database.embedded import EmbeddedPostgres

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET_KEY", "0123456789abcdef-for-tests-only-0123456789")


@pytest.fixture
def database(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with fresh_database(postgres) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        yield url


def dutiful(*arguments: str) -> object:
    """The exit code."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


@pytest.mark.usefixtures("database")
def test_up_and_down(capsys: Capture) -> None:
    assert dutiful("db", "current") == 0
    said = capsys.readouterr()
    assert said.out == "base\n"
    assert "Run `dutiful db upgrade`" in said.err
    assert dutiful("db", "check") == 1
    assert "not up to date" in capsys.readouterr().err
    assert dutiful("db", "upgrade") == 0
    assert "Applied migration 0001" in capsys.readouterr().err
    assert dutiful("db", "current") == 0
    assert capsys.readouterr() == (f"{migrate.history()[0].revision}\n", "")
    assert dutiful("db", "check") == 0
    capsys.readouterr()
    assert dutiful("db", "downgrade", "-1") == 0
    assert "Took back migration" in capsys.readouterr().err


def test_a_difference_fails_the_check_and_is_shown(database: str, capsys: Capture) -> None:
    assert dutiful("db", "upgrade") == 0
    execute(database, "ALTER TABLE labels DROP COLUMN color")
    capsys.readouterr()
    assert dutiful("db", "check") == 1
    said = capsys.readouterr()
    assert said.out.startswith("op.add_column('labels', sa.Column('color'")
    assert "dutiful db revision" in said.err


def test_history_and_statements_need_no_database(capsys: Capture) -> None:
    assert dutiful("db", "history") == 0
    assert capsys.readouterr().out.endswith("0001  Create tables.\n")
    assert dutiful("db", "sql", "base:0001") == 0
    assert "CREATE TABLE tasks" in capsys.readouterr().out


@pytest.mark.usefixtures("database")
def test_an_empty_database_gets_its_tables_and_an_owner_with_the_first_token(capsys: Capture) -> None:
    assert dutiful("token", "create", "first") == 0
    said = capsys.readouterr()
    assert said.out.startswith("dtf_")
    assert said.out.count("\n") == 1
    assert dutiful("token", "list", "--json") == 0
    assert '"name": "first"' in capsys.readouterr().out


def test_a_schema_of_another_time_is_one_line(database: str, capsys: Capture) -> None:
    assert dutiful("db", "upgrade") == 0
    execute(database, "UPDATE alembic_version SET version_num = '9999'")
    capsys.readouterr()
    for command in (["db", "upgrade"], ["token", "list"]):
        assert dutiful(*command) == 1
        said = capsys.readouterr()
        assert said.err.startswith("The database schema 9999 is newer than this program")
        assert said.err.count("\n") == 1


def test_a_database_of_another_program_is_one_line_and_left_alone(database: str, capsys: Capture) -> None:
    execute(database, "CREATE TABLE tasks (title text)")
    assert dutiful("db", "upgrade") == 1
    line = capsys.readouterr().err
    assert "has tables of another program in " in line
    assert line.count("\n") == 1
    assert dutiful("db", "current") == 0
    assert capsys.readouterr().out == "base\n"


def test_a_database_that_ends_in_the_middle_is_one_line_and_the_next_run_goes_on(
    database: str, postgres: EmbeddedPostgres, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        f"WHERE datname = '{make_url(database).database}'"
    )

    def end_the_second(line: str) -> None:
        note(line)
        if "0002" in line:
            # On a loop of its own. The command's stands still meanwhile.
            thread = Thread(target=execute, args=(postgres.url, ending))
            thread.start()
            thread.join()

    with monkeypatch.context() as patched:
        patched.setattr(db, "note", end_the_second)
        assert dutiful("db", "upgrade") == 1
    first, second, line = capsys.readouterr().err.splitlines()
    assert (first[:22], second[:22]) == ("Applied migration 0001", "Applied migration 0002")
    assert line.startswith("The database at ")
    assert line.endswith(
        " hung up. What was not finished is undone; run this again when the database is back."
    )
    assert dutiful("db", "current") == 0
    assert capsys.readouterr().out == "0001\n"
    assert dutiful("db", "upgrade") == 0
    assert dutiful("db", "check") == 0


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"database": "nonesuch"}, "has no database nonesuch. Make it there with: CREATE DATABASE nonesuch"),
        ({"username": "stranger"}, "does not let stranger in: "),
        ({"query": {"host": "/nowhere"}}, "at /nowhere cannot be reached: No such file or directory."),
        (
            {"query": {}, "host": "127.0.0.1", "port": 1},
            "at 127.0.0.1:1 cannot be reached: Connect call failed",
        ),
        (
            {"query": {}, "host": "nowhere.invalid"},
            "nowhere.invalid:5432 cannot be reached: no host has this name.",
        ),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(
    postgres: EmbeddedPostgres,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    changes: dict[str, Any],
    line: str,
) -> None:
    url = make_url(postgres.url)._replace(**changes)
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    assert dutiful("db", "current") == 1
    said = capsys.readouterr()
    assert line in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)
