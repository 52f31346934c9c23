"""The three kinds of dependency: who asks, the transaction, which part of a list.

None of them waits for anything, and yet they are coroutines: FastAPI hands plain functions, and classes, to a thread,
which takes longer than all they do.
"""

import inspect
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPBearer

from dutiful.access import Actor
from dutiful.accounts.administration import not_an_administrator
from dutiful.accounts.visitors import Visitor
from dutiful.api.headers import parse_if_match
from dutiful.api.rights import need
from dutiful.api.transaction import SAFE_METHODS
from dutiful.database.session import Database, OwnCommits, Reader, Writer
from dutiful.errors import Unauthenticated
from dutiful.models import Scope
from dutiful.paging import MOST_ITEMS, MOST_SKIPPED, Slice
from dutiful.settings import Settings
from dutiful.versions import Expected

# For the API's description; the route class has read the token by the time this runs.
_bearer = HTTPBearer(
    auto_error=False, description="A token made with `dutiful token create NAME` or `POST /tokens`."
)


async def get_db(request: Request) -> Writer:
    """The session of this request's transaction. It commits after the answer is made; nobody else does."""
    session: Writer = request.state.session
    return session


async def get_read_db(request: Request) -> Reader:
    session: Reader = request.state.session
    return session


Db = Annotated[Writer, Depends(get_db)]
ReadDb = Annotated[Reader, Depends(get_read_db)]


async def get_signed_in_actor(request: Request, _: Annotated[object, Depends(_bearer)]) -> Actor:
    actor: Actor | None = request.state.actor
    if actor is None:
        raise Unauthenticated("A token is needed: send it as “Authorization: Bearer dtf_…”.")
    return actor


SignedInActor = Annotated[Actor, Depends(get_signed_in_actor)]
"""Whatever the token's scope: for the few writes that any token may do."""


def get_database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def get_own_commits(request: Request) -> OwnCommits:
    own_commits: OwnCommits = request.app.state.own_commits
    return own_commits


OwnCommit = Annotated[OwnCommits, Depends(get_own_commits)]
"""For the rare thing that must be committed on its own, whatever becomes of the request."""


@need
async def get_actor(request: Request, actor: SignedInActor) -> Actor:
    actor.require_scope(Scope.READ if request.method in SAFE_METHODS else Scope.WRITE)
    return actor


CurrentActor = Annotated[Actor, Depends(get_actor)]


@need
async def get_admin_scoped_actor(_: Request, actor: CurrentActor) -> Actor:
    actor.require_scope(Scope.ADMIN)
    return actor


AdminScopedActor = Annotated[Actor, Depends(get_admin_scoped_actor)]
"""For tokens, members and other rights: a stolen `write` token must not make itself a better one."""


@need
async def get_administrator(_: Request, actor: AdminScopedActor) -> Actor:
    if not actor.is_admin:
        raise not_an_administrator()
    return actor


Administrator = Annotated[Actor, Depends(get_administrator)]


async def get_visitor(request: Request) -> Visitor:
    """The address is the socket's, or what a trusted proxy says (the server sees to that)."""
    return Visitor.of(request.client.host if request.client else None, request.headers.get("user-agent"))


CurrentVisitor = Annotated[Visitor, Depends(get_visitor)]


async def get_prepared(request: Request) -> object:
    """What `prepared_by` did before the transaction."""
    return request.state.prepared


async def get_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


CurrentSettings = Annotated[Settings, Depends(get_settings)]


async def get_if_match(
    if_match: Annotated[str | None, Header(description="The ETag the change is based on.")] = None,
) -> Expected:
    return parse_if_match(if_match)


IfMatch = Annotated[Expected, Depends(get_if_match)]


async def get_slice(
    limit: Annotated[int, Query(ge=1, le=MOST_ITEMS)] = 50,
    skip: Annotated[int, Query(ge=0, le=MOST_SKIPPED)] = 0,
    cursor: Annotated[
        str | None, Query(max_length=2000, description="`next_cursor` of the page before.")
    ] = None,
) -> Slice:
    return Slice(limit, skip, cursor)


WantedSlice = Annotated[Slice, Depends(get_slice)]


def of_query(kind: type[Any]) -> Any:
    """One of `kind`, made of the query parameters that its fields name."""

    async def make(**given: Any) -> Any:
        return kind(**given)

    make.__signature__ = inspect.signature(kind)  # type: ignore[attr-defined]
    return Depends(make)
