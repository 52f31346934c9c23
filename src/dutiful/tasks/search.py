"""What people type to find tasks, and the tasks it finds.

| typed           | finds tasks with                                             |
|-----------------|--------------------------------------------------------------|
| `milk bread`    | both words, in any order, in title or description            |
| `pass*`         | a word that begins so; the last word needs no star while nothing follows it |
| `"oat milk"`    | these words in a row                                         |
| `foo-bar`       | the same: punctuation splits words, and they stay in a row   |
| `-milk`, `-"oat milk"` | none of that                                          |

Whatever is typed means something: a quote that is not closed goes on to the end, and what has no letter, digit or
symbol is passed over.
"""

import re
import unicodedata
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    SQLColumnExpression,
    String,
    any_,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY

from dutiful import words
from dutiful.access import VIEWER, Actor, workspaces_of
from dutiful.database.session import Reader, fetch
from dutiful.errors import invalid_parameter
from dutiful.models import Member, Task

MOST_CHARACTERS = 500
MOST_TERMS = 32

# So many are fetched by id faster than they are met by reading a list of a million.
FEW = 10_000

_TERM = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)(?P<end>"?)|(?P<bare>[^\s"]+))')
# As telephones and word processors type them.
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"'))

# Stands for the id of a workspace, with which each word in the index begins.
_WORKSPACE = "#"


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    is_prefix: bool = False

    def __str__(self) -> str:
        # There is nothing to escape: words have no quotes and no backslashes.
        return f"'{_WORKSPACE}:{self.text}'" + (":*" if self.is_prefix else "")


@dataclass(frozen=True, slots=True)
class Term:
    """Words in a row."""

    words: tuple[Word, ...]
    is_unwanted: bool = False

    def __str__(self) -> str:
        row = " <-> ".join(map(str, self.words))
        if len(self.words) == 1 or self.is_unwanted:
            return f"({row})"
        # In texts so long that positions are missing, to have all the words is enough.
        return f"({row} | {' & '.join(map(str, (Word(''), *self.words)))})"


def parse(q: str) -> list[Term]:
    """Raises Invalid when there are too many terms."""
    q = unicodedata.normalize("NFKC", q).translate(_QUOTES)
    terms = []
    for match in _TERM.finditer(q):
        is_unwanted = bool(match["minus"])
        text = match["bare"] if match["phrase"] is None else match["phrase"]
        is_unfinished = match.end() == len(q) and not match["end"] and not is_unwanted
        is_prefix = text.endswith("*") or (is_unfinished and text == text.rstrip())
        if row := tuple(_words(text, is_prefix=is_prefix)):
            terms.append(Term(row, is_unwanted))
    if len(terms) > MOST_TERMS:
        raise invalid_parameter(
            "q", f"has more than {MOST_TERMS} terms; put words that belong together in quotes"
        )
    return terms


def term(text: str, *, is_unfinished: bool = False, is_unwanted: bool = False) -> Term:
    """What stands between quotes, or between spaces; of what `words.pieces` finds nothing in it has no words."""
    text = unicodedata.normalize("NFKC", text)
    return Term(tuple(_words(text, is_prefix=is_unfinished or text.endswith("*"))), is_unwanted)


def _words(text: str, *, is_prefix: bool) -> Iterator[Word]:
    pieces = list(words.pieces(text))
    for index, piece in enumerate(pieces):
        is_last = index == len(pieces) - 1
        if not piece.is_unspaced:
            yield Word(piece.text, is_prefix and is_last)
        elif not is_last:
            yield from map(Word, words.pairs(piece.text))
        elif len(piece.text) == 1:
            # Alone it stands in the index only at the end of a run.
            yield Word(piece.text, is_prefix=True)
        else:
            yield from map(Word, words.pairs(piece.text)[:-1])


async def values(session: Reader, actor: Actor, q: str | None, workspace_id: int | None) -> dict[str, Any]:
    """Of the parameters that `conditions` names; `workspace_id` narrows the search to one of the actor's workspaces.

    Few are looked up in the index beforehand and named by their ids. Many are met soon in whichever order the list is
    read. PostgreSQL cannot tell the one from the other, and would at times read a whole table to find three.
    """
    if q is None or not q.strip():
        return {}
    terms = parse(q)
    wanted = [str(term) for term in terms if not term.is_unwanted]
    unwanted = [str(term) for term in terms if term.is_unwanted]
    if not wanted:
        return {"unwanted": " | ".join(unwanted)} if unwanted else {"found": []}
    query = " & ".join([*wanted, *(f"!{term}" for term in unwanted)])
    found = await find_few(session, actor, query, workspace_id)
    return {"query": query} if found is None else {"found": found}


def conditions(parameters: Container[str]) -> Iterator[ColumnElement[bool]]:
    """True for the tasks that are searched for."""
    if "query" in parameters:
        yield has_words("query")
    if "unwanted" in parameters:
        yield ~has_words("unwanted")
    if "found" in parameters:
        yield Task.id == any_(bindparam("found", type_=ARRAY(BigInteger)))


def has_words(parameter: str) -> ColumnElement[bool]:
    """Of terms joined with `&` and `|`, in the parameter of this name."""
    return _matches(_query_in(parameter, Task.__table__.c.workspace_id))


async def find_few(session: Reader, actor: Actor, query: str, workspace_id: int | None) -> list[int] | None:
    """The ids, or None if there are too many. The index is asked once for each workspace."""
    values = {"viewer": actor.user_id, "query": query, "rows": FEW + 1}
    if workspace_id is not None:
        values["workspace_id"] = workspace_id
    found = await fetch(session, _few(in_one_workspace=workspace_id is not None), values)
    return None if len(found) > FEW else [task_id for (task_id,) in found]


@cache
def _few(*, in_one_workspace: bool) -> Select[int]:
    mine = workspaces_of(VIEWER).add_columns(_query_in("query", Member.workspace_id).label("query"))
    if in_one_workspace:
        mine = mine.where(Member.workspace_id == bindparam("workspace_id"))
    # Read from its text once for each workspace, not for each task that a plan may look at: a long one takes 5 ms.
    here = mine.cte("here").prefix_with("MATERIALIZED")
    found = select(Task.id).join(here, _matches(here.c.query)).where(Task.deleted_at.is_(None))
    return found.limit(bindparam("rows", type_=Integer))


def _matches(query: ColumnElement[str]) -> ColumnElement[bool]:
    return Task.search.bool_op("@@")(query)


def _query_in(parameter: str, workspace_id: SQLColumnExpression[int]) -> ColumnElement[str]:
    query = bindparam(parameter, type_=String)
    return cast(func.replace(query, _WORKSPACE, cast(workspace_id, String)), TSQUERY)
