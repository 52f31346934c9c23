"""The route class that owns the request's session and transaction.

A write: read the body → slow work that needs no transaction → begin → authenticate → claim the Idempotency-Key →
dependencies, endpoint, serialisation → number the changes → store the keyed answer → commit → answer. Nothing leaves
before the commit, so a 2xx is durable; a 4xx or 5xx, raised or returned, rolls back. A read runs outside any
transaction, one round trip a statement.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect

from dutiful.access import Actor
from dutiful.accounts.authentication import authenticate, authenticate_for_write, note_use
from dutiful.api import idempotency, query
from dutiful.api.fair_share import FairShare
from dutiful.api.headers import etag_matches
from dutiful.api.rights import Need, needs_of
from dutiful.changes.cursor import encode_cursor
from dutiful.changes.journal import positions
from dutiful.database.session import (
    Database,
    Reader,
    Rollback,
    Writer,
    commit_was_begun,
    outcome_unknown,
    run_before_commit,
)
from dutiful.errors import Unavailable
from dutiful.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

log = logging.getLogger(__name__)

Session = TypeVar("Session", Reader, Writer)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


Prepare = Callable[[Request], Awaitable[object]]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def prepared_by(prepare: Prepare) -> Callable[[Endpoint], Endpoint]:
    """Marks an endpoint with work to do before its transaction, while no connection and no lock is held: hashing a
    password, or what must be committed on its own. Its result is in `request.state.prepared`; None when it could do
    nothing with the request, which the endpoint's own validation then refuses."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.prepare = prepare  # type: ignore[attr-defined]
        return endpoint

    return mark


async def _prepare_nothing(_: Request) -> None:
    return None


def if_refused(request: Request, take_back: Callable[[], Awaitable[None]]) -> None:
    """For what a `prepared_by` function had to commit: takes it back should the request come to nothing."""
    request.state.take_back = take_back


class TransactionRoute(APIRoute):
    def get_route_handler(self) -> Handler:
        inner = super().get_route_handler()
        is_read = (self.methods or set()) <= SAFE_METHODS
        run = _read if is_read else partial(_write, needs=needs_of(self.dependant))
        prepare: Prepare = getattr(self.endpoint, "prepare", _prepare_nothing)
        parameters = query.names_of(self.dependant)

        async def handle(request: Request) -> Response:
            settings: Settings = request.app.state.settings
            query.refuse_unknown(request, parameters)
            try:
                # Read before anything is held: a slow upload costs no connection.
                await request.body()
            except ClientDisconnect:
                # Nobody is left to read this.
                return Response(status_code=400)
            deadline = asyncio.timeout(settings.request_timeout)
            try:
                async with deadline:
                    request.state.prepared = await _prepare(request, prepare)
                    async with _share(request).place(request.state.caller):
                        response = await run(request, inner)
            except TimeoutError as error:
                await _take_back(request)
                if not deadline.expired():
                    raise
                raise _given_up(request) from error
            except Exception:
                await _take_back(request)
                raise
            if response.status_code >= 400:
                await _take_back(request)
            if request.state.actor is not None:
                await note_use(_database(request), request.state.actor)
            return response

        return handle


def _given_up(request: Request) -> Unavailable:
    session: Writer | Reader | None = getattr(request.state, "session", None)
    if session is not None and commit_was_begun(session):
        return outcome_unknown()
    return Unavailable(
        "The request took too long and was given up; nothing was written. Try again in a moment."
    )


async def _take_back(request: Request) -> None:
    take_back: Callable[[], Awaitable[None]] | None = getattr(request.state, "take_back", None)
    if take_back is not None:
        try:
            await take_back()
        except (SQLAlchemyError, OSError):
            log.exception("what was prepared for a refused request could not be taken back")


_ALREADY_CLAIMED = object()


async def _prepare(request: Request, prepare: Prepare) -> object:
    """Nothing for a key that was used before: its request is answered from what is kept, where a password that it
    changed would no longer be right, and any other is refused, whose work must not have been begun."""
    if prepare is not _prepare_nothing and idempotency.HEADER in request.headers:
        request.state.actor = await find_actor(request)
        claim = await idempotency.claim_of(request)
        if claim is not None and await _database(request).run_read(
            lambda session: idempotency.is_claimed(session, claim)
        ):
            return _ALREADY_CLAIMED
    return await prepare(request)


async def _read(request: Request, inner: Handler) -> Response:
    async def work(session: Reader) -> Response:
        request.state.session = session
        request.state.actor = await _authenticate(request, session, authenticate)
        return await inner(request)

    response = await _database(request).run_read(work)
    tag = response.headers.get("etag")
    if tag is not None and etag_matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers={"ETag": tag})
    return response


async def _write(request: Request, inner: Handler, *, needs: Sequence[Need]) -> Response:
    async def work(session: Writer) -> Response:
        request.state.session = session
        request.state.actor = await _authenticate(request, session, authenticate_for_write)
        claim = await idempotency.claim_of(request)
        if claim is not None and (answer := await idempotency.take(session, claim, request)) is not None:
            # They may have lost since what the route needs, or have come with a lesser token.
            for need in needs:
                await need(request, claim.actor)
            return answer
        if request.state.prepared is _ALREADY_CLAIMED:
            raise idempotency.no_longer_claimed()
        response = await inner(request)
        if response.status_code >= 400:
            raise Rollback(response)
        await run_before_commit(session)
        if reached := positions(session):
            response.headers["Dutiful-Cursor"] = encode_cursor(reached)
        if claim is not None:
            await idempotency.store(session, claim, request, response, list(reached))
        return response

    return await _database(request).write(work)


async def find_actor(request: Request) -> Actor | None:
    """Who asks, for work before the transaction, which asks again."""

    async def work(session: Reader) -> Actor | None:
        return await _authenticate(request, session, authenticate)

    return await _database(request).run_read(work)


async def _authenticate(
    request: Request, session: Session, authenticated: Callable[[Session, str, uuid.UUID], Awaitable[Actor]]
) -> Actor | None:
    """None for a request without a token: the endpoint decides whether that is enough."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        return None
    return await authenticated(session, secret.strip(), request.state.request_id)


def _share(request: Request) -> FairShare:
    share: FairShare = request.app.state.fair_share
    return share


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database
