"""The code in docs/database.md runs as it is printed there."""

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from tests.support.people import Person

from dutiful import access
from dutiful.access import Actor
from dutiful.changes import journal
from dutiful.database.session import Database, Writer
from dutiful.models import Label, Status, Task

TEXT = (Path(__file__).parents[2] / "docs" / "database.md").read_text().partition("## Patterns")[2]
PATTERNS = dict(re.findall(r"^\*\*(.+?)\*\*[^\n]*\n\n```python\n(.+?)```", TEXT, re.MULTILINE | re.DOTALL))
NAMES: dict[str, Any] = {
    "Actor": Actor,
    "DBAPIError": DBAPIError,
    "Label": Label,
    "Status": Status,
    "Task": Task,
    "Writer": Writer,
    "access": access,
    "journal": journal,
    "select": select,
    "update": update,
}


def test_the_patterns_are_found() -> None:
    wanted = {"One object.", "Many objects.", "A savepoint", "Refresh", "An explicit transaction", "Reading."}
    assert PATTERNS.keys() == wanted


@pytest.mark.parametrize("title", PATTERNS)
async def test_a_pattern_works(title: str, ana: Person, database: Database) -> None:
    task, other = [await ana.make("/tasks", title=title) for title in ("one", "two")]
    names = NAMES | {
        "actor": ana.actor(),
        "database": database,
        "task_id": task["id"],
        "other_id": other["id"],
    }
    scope: dict[str, Any] = {}
    source = f"async def run(session):\n{textwrap.indent(PATTERNS[title], '    ')}"
    exec(compile(source, f"docs/database.md: {title}", "exec"), names, scope)  # noqa: S102 - our own text
    await database.write(scope["run"])
