"""Reads a filter."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args
from lark.exceptions import VisitError

from dutiful.errors import Place
from dutiful.filtering import meaning
from dutiful.filtering.days import STEP_WITHOUT_SIGN, Now
from dutiful.filtering.meaning import Piece
from dutiful.filtering.tree import FilterError, Node, all_of, either_of, not_

# `and` binds tighter than `or`, and two conditions side by side mean `and`.
GRAMMAR = r"""
?start: either
?either: both (_OR both)*
?both: unary (_AND? unary)*
?unary: NOT+ single -> negation
      | single
?single: _OPEN either _CLOSE
       | WORD -> word
       | PHRASE -> phrase
       | UNWANTED -> unwanted
       | PROJECT -> project
       | LABEL -> label
       | _NO value -> missing
       | WORD OPERATOR value -> comparison
?value: WORD | PHRASE

_OPEN: "("
_CLOSE: ")"
_AND: "&&" | "&"
_OR: "||" | "|"
NOT: "!"
OPERATOR.2: "<=" | ">=" | "<>" | "!=" | "==" | "<" | ">" | "=" | "~"
PROJECT: "#" (QUOTED | CHARACTER+)
LABEL: "@" (QUOTED | CHARACTER+)
UNWANTED.2: "-" QUOTED
PHRASE: QUOTED
WORD: FIRST CHARACTER*
QUOTED: /(?:"(?:[^"\\]|\\[\s\S])*"|[“”„‟«»][^“”„‟«»]*[“”„‟«»])/
FIRST: /[^\s()&|!"“”„‟«»<>=~#@]/
CHARACTER: /(?:[^\s()&|!"“”„‟«»<>=~]|!(?!=))/
SPACE: /\s+/
%ignore SPACE
%declare _NO
"""
MOST_NESTED = 32

_KEYWORDS: Mapping[str, str] = {"and": "_AND", "or": "_OR", "not": "NOT", "no": "_NO"}

# Telephones and word processors type the others. Between straight ones all others may stand.
_QUOTES = '"“”„‟«»'


def parse(text: str, now: Now, *, most_terms: int) -> Node:
    """Raises FilterError."""
    try:
        tree = _lark().parse(text)
        return _Builder(text, now, most_terms).transform(tree)
    except UnexpectedCharacters as error:
        raise _unreadable(text, cast("int", error.pos_in_stream)) from None
    except UnexpectedToken as error:
        raise _misplaced(text, error) from None
    except VisitError as error:
        raise error.orig_exc from None


@cache
def _lark() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="basic", postlex=_Keywords(), maybe_placeholders=False)


class _Keywords:
    """Tells words of the language from others: whole words, so `orange` is no `or`."""

    always_accept = ()

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth = 0
        for token in stream:
            depth += (token.type == "_OPEN") - (token.type == "_CLOSE")
            if depth > MOST_NESTED:
                raise FilterError(
                    f"there are more than {MOST_NESTED} parentheses within each other; take some out",
                    _place(token),
                )
            if token.type == "WORD" and token.lower() in _KEYWORDS:
                yield Token.new_borrow_pos(_KEYWORDS[token.lower()], token.value, token)
            else:
                yield token


@v_args(inline=True)
class _Builder(Transformer[Token, Node]):
    def __init__(self, text: str, now: Now, most_terms: int) -> None:
        super().__init__()
        self._text = text
        self._now = now
        self._most_terms = most_terms
        self._terms = 0
        self._end_of_day: int | None = None

    def either(self, *parts: Node) -> Node:
        return either_of(*parts)

    def both(self, *parts: Node) -> Node:
        return all_of(*parts)

    def negation(self, *parts: Any) -> Node:
        *signs, part = parts
        return not_(part) if len(signs) % 2 else not_(not_(part))

    def word(self, token: Token) -> Node:
        piece = self._piece(token)
        if token.start_pos == self._end_of_day and STEP_WITHOUT_SIGN.fullmatch(piece.text):
            raise piece.fault(
                f"“{piece.text}” stands alone; write it without a space, as in today+7d (in an address + is %2B)"
            )
        return meaning.word(piece, self._now, is_last=token.end_pos == len(self._text))

    def phrase(self, token: Token) -> Node:
        return meaning.text(self._piece(token))

    def unwanted(self, token: Token) -> Node:
        return not_(meaning.text(self._piece(token, begins_with="-")))

    def project(self, token: Token) -> Node:
        return meaning.named("project", self._piece(token, begins_with="#"))

    def label(self, token: Token) -> Node:
        return meaning.named("label", self._piece(token, begins_with="@"))

    def missing(self, token: Token) -> Node:
        return meaning.missing(self._piece(token))

    def comparison(self, field: Token, operator: Token, value: Token) -> Node:
        self._end_of_day = (value.end_pos or 0) + 1
        pieces = (_unquoted(field), _unquoted(operator), self._piece(value))
        return meaning.comparison(*pieces, self._now)

    def _piece(self, token: Token, *, begins_with: str = "") -> Piece:
        self._terms += 1
        piece = _unquoted(token, begins_with)
        if self._terms > self._most_terms:
            raise piece.fault(f"there are more than {self._most_terms} conditions; take some out")
        return piece


def _unquoted(token: Token, begins_with: str = "") -> Piece:
    text = token.value.removeprefix(begins_with)
    is_quoted = text.startswith(tuple(_QUOTES))
    if is_quoted:
        text = re.sub(r'\\(["\\])', r"\1", text[1:-1]) if text[0] == '"' else text[1:-1]
    return Piece(text, _place(token), begins_with, is_quoted=is_quoted)


def _place(token: Token) -> Place:
    return Place(token.start_pos or 0, len(token))


# --- what is said of a filter that cannot be read ---------------------------------------------------------------------


def _unreadable(text: str, position: int) -> FilterError:
    """Characters that begin nothing."""
    rest = text[position:]
    if set(rest[:2]).intersection(_QUOTES):
        end = '"' if '"' in rest[:2] else "”"
        return FilterError(
            "this quote is not closed; add one at its end", Place(position, len(rest)), rest + end
        )
    kind, example = ("project", '#Inbox or #"Big house"') if rest[0] == "#" else ("label", "@home")
    return FilterError(f"after “{rest[0]}” comes the name of a {kind}, such as {example}", Place(position, 1))


def _misplaced(text: str, error: UnexpectedToken) -> FilterError:
    """A part that is right, and not here."""
    token = error.token
    is_end = token.type == "$END"
    place = Place(len(text), 0) if is_end else _place(token)
    what = "the end" if is_end else f"“{token}”"
    wanted = error.accepts or error.expected
    before = _before(error)
    if before is not None and before.type == "OPERATOR":
        return FilterError(
            f"after “{before}” comes a value, not {what}; what has such characters is quoted", place
        )
    if before is not None and before.type == "_NO":
        return meaning.nothing_missing(Piece(what, place))
    if token.type == "OPERATOR":
        return FilterError(f"before {what} comes a field, as in due < today", place)
    if "PROJECT" in wanted and "_OR" not in wanted:
        return FilterError(f"before {what} comes a condition, such as overdue, @home or due < today", place)
    if is_end:
        return FilterError("a “)” is missing at the end", place, ")")
    return FilterError(f"there is no “(” that this {what} could close; take it out", place, "")


def _before(error: UnexpectedToken) -> Token | None:
    """The part in front of it, if it is a single token still."""
    last = error.interactive_parser.parser_state.value_stack[-1:]
    return last[0] if last and isinstance(last[0], Token) else None
