"""The language of filters: `overdue & @home`, `#garden due < today+7d and not done`. docs/filters.md teaches it.

| module    | what it does                                                        |
|-----------|---------------------------------------------------------------------|
| `parsing` | reads a filter: the grammar, and what is said of one that fits not  |
| `meaning` | what its words mean: fields, operators, values                      |
| `days`    | days and moments: `today+7d`, `monday`, `2026-12-01T17:00`          |
| `tree`    | what comes of it, for `tasks/conditions.py` to make SQL of          |

Nothing here asks the database: names of projects, labels, workspaces and people stay names.
"""

from dutiful.filtering.days import Now
from dutiful.filtering.tree import FilterError, Node

__all__ = ["MOST_CHARACTERS", "MOST_TERMS", "FilterError", "Node", "Now", "parse"]

MOST_CHARACTERS = 1000
MOST_TERMS = 32


def parse(text: str, now: Now) -> Node | None:
    """None for a filter that says nothing. Raises FilterError."""
    # Only whoever filters waits for the parser's library, which takes 50 ms to load: no start of the server or of a
    # command does.
    from dutiful.filtering import parsing  # noqa: PLC0415

    return parsing.parse(text, now, most_terms=MOST_TERMS) if text.strip() else None
