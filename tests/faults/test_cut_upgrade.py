"""An upgrade whose database goes away, at one message after the other: one line says so, and the next run goes on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from tests.cli.programs import fresh_database
from tests.faults.figures import Figures
from tests.support.cutting import End, Way, way

from dutiful.cli.main import main
from dutiful.database import migrate
from dutiful.database.embedded import EmbeddedPostgres

SHORT_STEP = 23
"""Of so many messages one is where it is cut."""
MOST = 1_000


@pytest.fixture
def direct(postgres: EmbeddedPostgres) -> Iterator[str]:
    """An empty database."""
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture
def cut(postgres: EmbeddedPostgres, public_tmp: Path, tmp_path: Path) -> Iterator[Way]:
    upstream = next(postgres.socket_folder.glob(".s.PGSQL.*[0-9]"))
    with way(public_tmp / tmp_path.name[-20:], upstream) as cut:
        yield cut


@pytest.mark.parametrize("end", End)
def test_an_upgrade_that_is_cut_off_is_one_line_and_the_next_goes_on(
    direct: str,
    cut: Way,
    end: End,
    is_long: bool,
    figures: Figures,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET_KEY", "0123456789abcdef-for-tests-only-0123456789")
    folder = str(Path(str(cut.listener.getsockname())).parent)
    through = direct.partition("?")[0] + f"?host={folder}"
    unclear, unfinished = [], 0
    for number in range(1, MOST, 1 if is_long else SHORT_STEP):
        monkeypatch.setenv("DATABASE_URL", direct)
        # The first of all, or the one after one that was cut off.
        assert _upgrade() == 0, capsys.readouterr().err
        asyncio.run(_take_back(direct))
        cut.open(number, end)
        monkeypatch.setenv("DATABASE_URL", through)
        capsys.readouterr()
        code = _upgrade()
        said = capsys.readouterr().err
        unfinished += code != 0
        if not _is_clear(code, said) or any(record.exc_info for record in caplog.records):
            unclear.append(f"message {number}: {said}{caplog.text}")
        caplog.clear()
        if cut.messages < number:
            break
    promise = f"upgrade cut off, {end.name.lower()}"
    figures.tell(promise, messages=cut.messages)
    figures.none(promise, without_one_clear_line=len(unclear))
    figures.at_least(promise, "cut off", unfinished, 90 if is_long else 3)
    assert unclear == []
    figures.check()


def _upgrade() -> object:
    """The exit code. An error that is not told escapes."""
    with pytest.raises(SystemExit) as ended:
        main(["db", "upgrade"])
    return ended.value.code


async def _take_back(url: str) -> None:
    """The last two migrations."""
    engine = create_async_engine(url, poolclass=NullPool)
    await migrate.downgrade(engine, migrate.history()[2].revision)


def _is_clear(code: object, said: str) -> bool:
    *steps, line = said.splitlines()
    is_told = line.startswith("The database at ") and line.endswith(
        ("run this again when the database is back.", "Is it running?")
    )
    is_done = line.startswith("The database is at ")
    return all(each.startswith("Applied migration") for each in steps) and (is_done if code == 0 else is_told)
