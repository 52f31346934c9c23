"""Attacks on what is promised: short ones in `make test`, long ones in `make faults`, which ends with a table of figures."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.faults.figures import Figure, Figures, table
from tests.faults.ground import Ground


@pytest.fixture
def is_long(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture
def figures(record_property: Callable[[str, object], None], is_long: bool) -> Figures:
    return Figures(record_property, is_long=is_long)


@pytest.fixture(scope="session")
async def pristine(public_tmp: Path) -> Path:
    """The folder of one that nothing happened to."""
    folder = public_tmp / "pristine"
    async with Ground.laid(folder):
        pass
    return folder


@pytest.fixture
async def ground(public_tmp: Path, tmp_path: Path, pristine: Path) -> AsyncIterator[Ground]:
    """A PostgreSQL of the test's own that may be killed, with settings under which the promises hold."""
    async with Ground.laid(public_tmp / tmp_path.name, like=pristine) as ground:
        yield ground


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    reports = [each for outcome in ("passed", "failed") for each in terminalreporter.stats.get(outcome, ())]
    figures = [
        Figure(**value)
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "figure"
    ]
    if not figures:
        return
    terminalreporter.section("figures")
    for line in table(figures):
        terminalreporter.write_line(line)
    if file := config.getoption("--figures"):
        Path(file).write_text(json.dumps([vars(figure) for figure in figures], indent=1) + "\n")
        terminalreporter.write_line(f"Written: {file}")
