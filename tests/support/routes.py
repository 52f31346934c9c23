"""What the application serves, as FastAPI knows it (`app.routes` hides the routers it includes)."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

API = "/api/v1"


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    route: APIRoute

    @property
    def is_write(self) -> bool:
        return self.method in {"POST", "PUT", "PATCH", "DELETE"}

    @property
    def name(self) -> str:
        """`PATCH /tasks/{task_id}`."""
        return f"{self.method} {self.path.removeprefix(API)}"


def routes_of(app: FastAPI) -> Iterator[Route]:
    """One for each method of each address under `/api/v1`."""
    for context in iter_route_contexts(app.routes):
        path = context.path
        if path is not None and path.startswith(API):
            route = context.original_route
            assert isinstance(route, APIRoute)
            for method in sorted(context.methods or ()):
                yield Route(method, path, route)
