"""How PostgreSQL's programs get to the database, and what is done with files. The commands: tests/cli/test_backup.py."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from dutiful.database.backup import BackupError, files, programs
from dutiful.database.backup.programs import Programs
from dutiful.database.embedded import MAJOR, bin_folder
from dutiful.database_url import parse_database_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://db.test/dutiful", {"PGHOST": "db.test", "PGPORT": "5432", "PGDATABASE": "dutiful"}),
        ("postgresql://ana@db.test:6000/d", {"PGHOST": "db.test", "PGPORT": "6000", "PGUSER": "ana"}),
        ("postgresql://ana@/d?host=/run/pg", {"PGHOST": "/run/pg", "PGPORT": "5432"}),
        (
            "postgresql://ana@/d?host=h1:6000&host=h2&target_session_attrs=primary",
            {"PGHOST": "h1,h2", "PGPORT": "6000,5432", "PGTARGETSESSIONATTRS": "primary"},
        ),
        ("postgresql://ana@db.test/d?sslmode=verify-full", {"PGSSLMODE": "verify-full"}),
        ("postgresql://ana@db.test/d?passfile=/etc/pass", {"PGPASSFILE": "/etc/pass"}),
    ],
)
def test_programs_reach_what_the_server_reaches(url: str, expected: Mapping[str, str]) -> None:
    with programs.environment(parse_database_url(url)) as found:
        assert found.items() >= expected.items()


def test_a_password_is_in_a_file_that_only_we_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "another")
    with programs.environment(parse_database_url("postgresql://ana:a%3Ab%5Cc@db.test/d")) as found:
        path = Path(found["PGPASSFILE"])
        assert path.read_text() == "*:*:*:*:a\\:b\\\\c\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "PGPASSWORD" not in found
        assert not any("a:b" in value for value in found.values())
    assert not path.exists()


def test_variables_that_change_what_programs_do_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=elsewhere")
    monkeypatch.setenv("PGSERVICE", "elsewhere")
    with programs.environment(parse_database_url("postgresql://ana@db.test/d")) as found:
        assert {"PGOPTIONS", "PGSERVICE"}.isdisjoint(found)


def test_the_programs_fit_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Programs(bin_folder(), MAJOR, has_tls=False)
    older = Programs(Path("/older"), 16, has_tls=True)
    monkeypatch.setattr(programs, "_installed", lambda: (ours, older))
    assert programs.find() == programs.find(15) == programs.find(MAJOR) == ours
    assert programs.find(16, needs_tls=True) == older
    assert programs.newest() == ours
    with pytest.raises(BackupError, match="The database is PostgreSQL 19, and no pg_dump for that"):
        programs.find(19)
    with pytest.raises(BackupError, match=r"over an encrypted connection.*Install postgresql-client-17"):
        programs.find(17, needs_tls=True)


async def test_a_program_does_not_outlive_what_it_is_for() -> None:
    found = programs.find()
    with pytest.raises(ZeroDivisionError):
        async with programs.running(found, "psql", ["--version"], os.environ) as process:
            raise ZeroDivisionError
    assert process.returncode is not None


async def test_a_program_that_fails_says_why() -> None:
    async with programs.running(programs.find(), "pg_restore", ["--list", "/nowhere"], {}) as process:
        with pytest.raises(BackupError, match=r"^It failed: could not open input file .*directory\.$"):
            await programs.output_of(process, "It failed")


def test_a_draft_takes_its_name_when_it_is_complete(tmp_path: Path) -> None:
    final = tmp_path / "dutiful.dump"
    with files.draft(final) as part:
        part.write_text("all")
        assert not final.exists()
    assert final.read_text() == "all"
    assert list(tmp_path.iterdir()) == [final]


def test_a_draft_that_fails_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), files.draft(tmp_path / "dutiful.dump"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_draft_that_is_being_written_is_not_taken_for_abandoned(tmp_path: Path) -> None:
    with files.draft(tmp_path / "one.dump") as one:
        with files.draft(tmp_path / "two.dump"):
            assert one.exists()
        assert one.exists()


def test_two_backups_of_one_second_have_two_names(tmp_path: Path) -> None:
    names = set()
    for _ in range(3):
        path = files.new_name(tmp_path)
        path.touch()
        names.add(path.name)
    assert len(names) == len(files.backups_in(tmp_path)) == 3


def test_a_full_disk_is_told_before(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r" free, and the backup may need 1000000000\.0 GB\. Make room"):
        files.check_room(tmp_path, 10**18, "the backup")


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (345_678_901, "346 MB"), (2.5e9, "2.5 GB")],
)
def test_sizes_are_said_as_people_say_them(size: float, words: str) -> None:
    assert files.in_words(size) == words
