"""Idempotency-Key: a repeated request is answered, not done again.

The claim is the first statement of the transaction, so the key, what the request did and the answer kept for it
are committed together. A second request with the key waits for the first at the claim.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request, Response
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from dutiful.access import Actor, visible_workspaces
from dutiful.database.failures import is_lock_timeout
from dutiful.database.session import Reader, Writer, make_repeatable
from dutiful.errors import Conflict, Invalid, NotFound
from dutiful.models import IdempotencyKey
from dutiful.settings import Settings

HEADER = "Idempotency-Key"
MOST_CHARACTERS = 255
# Longer answers are kept as the ids of what was made, and made again.
MOST_BODY_BYTES = 256_000
KEPT_HEADERS = ("content-type", "etag", "location", "dutiful-cursor")

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Remake = Callable[[Writer, Actor, Sequence[int], Request], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Claim:
    actor: Actor
    key: str
    fingerprint: bytes


def shows_secret(endpoint: Endpoint) -> Endpoint:
    """Marks an endpoint whose answer must not be stored."""
    endpoint.shows_secret = True  # type: ignore[attr-defined]
    return endpoint


def remade_by(remake: Remake) -> Callable[[Endpoint], Endpoint]:
    """Marks an endpoint whose answer may be too long to store. It puts the ids of what it made in
    `request.state.made_ids`, and `remake` gives the body of the answer for them."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.remake = remake  # type: ignore[attr-defined]
        return endpoint

    return mark


async def claim_of(request: Request) -> Claim | None:
    """The claim this request makes; None without a key, or without a person to keep it for."""
    key, actor = request.headers.get(HEADER), request.state.actor
    if key is None or actor is None:
        return None
    if not is_key(key):
        raise Invalid(f"{HEADER} must have 1 to {MOST_CHARACTERS} printable characters.")
    url, if_match = request.url, request.headers.get("if-match", "")
    mark = fingerprint(
        request.app.state.settings, request.method, url.path, url.query, if_match, await request.body()
    )
    return Claim(actor, key, mark)


def is_key(key: str) -> bool:
    return 0 < len(key) <= MOST_CHARACTERS and key.isprintable()


async def take(session: Writer, claim: Claim, request: Request) -> Response | None:
    """Claims the key; the kept answer when it was claimed before."""
    make_repeatable(session)
    statement = (
        insert(IdempotencyKey)
        .values(user_id=claim.actor.user_id, key=claim.key, fingerprint=claim.fingerprint)
        .on_conflict_do_nothing()
        .returning(IdempotencyKey.key)
    )
    try:
        claimed = await session.scalar(statement)
    except DBAPIError as error:
        if not is_lock_timeout(error):
            raise
        raise _come_back("A request with this Idempotency-Key is still running.") from error
    return None if claimed is not None else await _replay(session, claim, request)


def no_longer_claimed() -> Conflict:
    """What was kept for the key went away between two looks at it."""
    return _come_back("What was done under this Idempotency-Key has just ended.")


def _come_back(why: str) -> Conflict:
    return Conflict(f"{why} Repeat this request in a moment.", code="in_progress", retry_after=1)


async def is_claimed(session: Reader, claim: Claim) -> bool:
    """Whether the key was used before, be it for another request."""
    return await session.scalar(select(IdempotencyKey.key).where(*_is(claim))) is not None


async def store(
    session: Writer, claim: Claim, request: Request, response: Response, workspace_ids: list[int]
) -> None:
    """Keeps the answer under the claimed key, in the transaction that made it."""
    endpoint = request.scope["endpoint"]
    body: bytes | None = bytes(response.body)
    made_ids: list[int] | None = None
    if getattr(endpoint, "shows_secret", False):
        body = None
    elif len(response.body) > MOST_BODY_BYTES and hasattr(endpoint, "remake"):
        body, made_ids = None, list(request.state.made_ids)
    values = {
        "status": response.status_code,
        "headers": {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers},
        "body": body,
        "made_ids": made_ids,
        "workspace_ids": workspace_ids,
    }
    await session.execute(update(IdempotencyKey).where(*_is(claim)).values(values))


async def _replay(session: Writer, claim: Claim, request: Request) -> Response:
    # Locked, so that there is something to commit. Who gave up on a commit that waited for a standby sees it done, though
    # the standby may not have it: only a commit that comes after it tells.
    kept = (await session.scalars(select(IdempotencyKey).where(*_is(claim)).with_for_update())).one()
    if kept.fingerprint != claim.fingerprint:
        raise Invalid("This Idempotency-Key was used for another request. Use a new key for a new request.")
    # An empty answer shows nothing, and what it was about may well be gone: that is what a DELETE is for.
    if kept.body != b"":
        await _check_rights_again(session, claim.actor, kept)
    body = await _kept_body(session, claim.actor, kept, request)
    headers = {**(kept.headers or {}), "Idempotency-Replayed": "true"}
    return Response(body, kept.status or 200, headers)


async def _check_rights_again(session: Writer, actor: Actor, kept: IdempotencyKey) -> None:
    visible = set(await session.scalars(visible_workspaces(actor)))
    if not visible.issuperset(kept.workspace_ids or []):
        raise NotFound("What this request was about is no longer yours to see.")


async def _kept_body(session: Writer, actor: Actor, kept: IdempotencyKey, request: Request) -> bytes:
    if kept.body is not None:
        return kept.body
    if kept.made_ids is None:
        raise Conflict(
            "This was done already; its answer showed a secret, which is not kept. Revoke it and make a new one.",
            code="answer_not_kept",
        )
    body: bytes = await request.scope["endpoint"].remake(session, actor, kept.made_ids, request)
    return body


def _is(claim: Claim) -> tuple[Any, ...]:
    return (IdempotencyKey.user_id == claim.actor.user_id, IdempotencyKey.key == claim.key)


def fingerprint(settings: Settings, method: str, path: str, query: str, if_match: str, body: bytes) -> bytes:
    """What tells one request from another."""
    parts = (method.encode(), path.encode(), query.encode(), if_match.encode(), body)
    # Keyed: a body may hold a password, and a plain digest of it would be quick to guess from.
    key = settings.secret_key.get_secret_value() if settings.secret_key else ""
    digest = hmac.new(key.encode(), digestmod=hashlib.sha256)
    for part in parts:
        # Lengths keep the parts apart: "a" + "bc" is not "ab" + "c".
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
