"""Query parameters that nobody asked for: one that is misspelt would be lost without a word, and with it a filter."""

from collections import Counter
from difflib import get_close_matches

from fastapi import Request, params
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params

from dutiful.api.problems import pointer
from dutiful.errors import Fault, Invalid

MOST_FAULTS = 20


def names_of(dependant: Dependant) -> frozenset[str]:
    """The query parameters of an endpoint, those of its dependencies among them."""
    return frozenset(
        field.alias for field in get_flat_params(dependant) if isinstance(field.field_info, params.Query)
    )


def refuse_unknown(request: Request, known: frozenset[str]) -> None:
    """Raises for parameters that are unknown or given more than once."""
    if not request.scope["query_string"]:
        return
    counts = Counter(name for name, _ in request.query_params.multi_items())
    faults = [
        Fault(pointer([name]), _what_is_wrong(name, known), _code(name, known), source="query")
        for name, count in counts.items()
        if count > 1 or name not in known
    ]
    if faults:
        raise Invalid("The request has query parameters that cannot be used.", *faults[:MOST_FAULTS])


def _what_is_wrong(name: str, known: frozenset[str]) -> str:
    if name in known:
        return "is given more than once"
    if not known:
        return "is not a parameter; this path takes none"
    if close := get_close_matches(name, known, n=1):
        return f"is not a parameter of this path; do you mean “{close[0]}”?"
    return f"is not a parameter of this path; there are {', '.join(sorted(known))}"


def _code(name: str, known: frozenset[str]) -> str:
    return "repeated" if name in known else "unknown_parameter"
