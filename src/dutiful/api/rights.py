"""What a route needs of whoever asks, as its dependencies say it: so that it can be asked for again where none of them
runs, before a kept answer is repeated."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from fastapi import Request
from fastapi.dependencies.models import Dependant

from dutiful.access import Actor

Need = Callable[[Request, Actor], Awaitable[Actor]]
"""Raises Forbidden."""
NeedT = TypeVar("NeedT", bound=Need)


def need(dependency: NeedT) -> NeedT:
    """Marks a dependency that looks at nothing but the request and its actor."""
    dependency.is_need = True  # type: ignore[attr-defined]
    return dependency


def needs_of(dependant: Dependant) -> Sequence[Need]:
    """Those of an endpoint and of its dependencies, the lesser ones first."""
    own = [dependant.call] if getattr(dependant.call, "is_need", False) else []
    return [*(each for below in dependant.dependencies for each in needs_of(below)), *own]  # type: ignore[list-item]
