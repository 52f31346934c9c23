"""Errors as RFC 9457 problem documents: the one place where the domain's errors become HTTP."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import iter_route_contexts
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException

from dutiful.api.headers import etag
from dutiful.api.representations import represent
from dutiful.database.failures import describe_failure
from dutiful.database.session import commit_was_sent, outcome_unknown
from dutiful.errors import (
    Conflict,
    DutifulError,
    Fault,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    StaleVersion,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

log = logging.getLogger(__name__)

STATUS: Mapping[type[DutifulError], HTTPStatus] = {
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    Conflict: HTTPStatus.CONFLICT,
    StaleVersion: HTTPStatus.PRECONDITION_FAILED,
    Gone: HTTPStatus.GONE,
    TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

MEDIA_TYPE = "application/problem+json"
MOST_FAULTS = 1000
"""Told of one request. A body has room for a million, and to write them all down keeps everybody waiting."""

# Ours rather than the standard library's, which renames some of them from one version to the next.
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
# What FastAPI itself refuses, and what to say of it.
REFUSALS = {
    400: ("malformed", "The body cannot be read."),
    404: ("not_found", "There is nothing at this path. /openapi.json describes what there is."),
    405: (
        "method_not_allowed",
        "This path does not take this method. /openapi.json describes what it takes.",
    ),
    413: ("too_large", "The body is larger than this server accepts."),
}


def add_problem_handlers(app: FastAPI) -> None:
    for error in (DutifulError, SQLAlchemyError, OSError, TimeoutError):
        app.add_exception_handler(error, answer_known)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unknown)


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """`errors` and `more` become members of the document when they are given."""
    content = {
        "type": f"urn:dutiful:problem:{code.replace('_', '-')}",
        "title": TITLES[status],
        "status": int(status),
        "detail": detail,
        "code": code,
        "request_id": str(request.state.request_id),
        **more,
    }
    if errors:
        content["errors"] = list(errors)
    return JSONResponse(content, status, headers, media_type=MEDIA_TYPE)


def faults_of(error: RequestValidationError | ValidationError) -> list[dict[str, str]]:
    return [_fault_of(fault) for fault in error.errors()[:MOST_FAULTS]]


def _fault_of(fault: Mapping[str, Any]) -> dict[str, str]:
    source, *path = fault["loc"] or ("body",)
    # What was sent is not repeated: it may be a secret, or no valid text at all.
    detail = str(fault["msg"]).removeprefix("Value error, ")
    return {"in": str(source), "pointer": pointer(path), "detail": detail, "code": str(fault["type"])}


def pointer(path: Sequence[str | int]) -> str:
    """RFC 6901."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


async def answer_known(request: Request, error: Exception) -> Response:
    known = _as_domain_error(error)
    if known is None:
        raise error
    return problem(
        request,
        STATUS[type(known)],
        known.code,
        known.detail,
        errors=[_as_member(fault) for fault in known.faults[:MOST_FAULTS]],
        headers=_headers(known),
        **_more(known),
    )


def _as_domain_error(error: Exception) -> DutifulError | None:
    if isinstance(error, DutifulError):
        return error
    if isinstance(error, DBAPIError) and commit_was_sent(error):
        return outcome_unknown()
    known = describe_failure(error)
    if isinstance(known, Unavailable):
        said = str(error.orig) if isinstance(error, DBAPIError) else repr(error)
        # In further lines PostgreSQL may repeat what somebody sent.
        log.warning("the database failed: %s", said.partition("\n")[0])
    return known


def _as_member(fault: Fault) -> dict[str, Any]:
    member = {"in": fault.source, "pointer": fault.pointer, "detail": fault.detail, "code": fault.code}
    if fault.place is None:
        return member
    place = {"position": fault.place.position, "length": fault.place.length}
    return member | place | ({} if fault.suggestion is None else {"suggestion": fault.suggestion})


def _headers(error: DutifulError) -> dict[str, str]:
    headers = {}
    if isinstance(error, (Conflict, TooManyRequests, Unavailable)) and error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, StaleVersion):
        headers["ETag"] = etag(error.current)
    return headers


def _more(error: DutifulError) -> dict[str, Any]:
    match error:
        case StaleVersion():
            return {"current": represent(error.current)}
        case Gone(workspace_ids=[_, *_]):
            return {"workspace_ids": error.workspace_ids, "next_cursor": error.next_cursor}
        case Conflict(changes=[_, *_]):
            return {"changes": error.changes}
        case _:
            return {}


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for nothing else
    faults = faults_of(error)
    if any(fault["in"] == "path" for fault in faults) and request.method not in _methods_at(request):
        return await _on_http(request, HTTPException(405))
    if any(fault["code"] == "json_invalid" for fault in faults):
        return problem(
            request, 400, "malformed", "The body is not valid JSON.", errors=[{**faults[0], "pointer": ""}]
        )
    if isinstance(error.body, bytes):
        # FastAPI takes nothing for JSON that does not say so.
        detail = "Send the body as JSON, with the header “Content-Type: application/json”."
        return problem(request, 415, "not_json", detail)
    return problem(request, 422, "invalid", "The request has values that cannot be used.", errors=faults)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    code, detail = REFUSALS.get(error.status_code, ("refused", str(error.detail)))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        # FastAPI names the methods of the first route with this path only, and each method is a route of its own.
        headers["Allow"] = ", ".join(sorted(_methods_at(request)))
    return problem(request, error.status_code, code, detail, headers=headers)


def _methods_at(request: Request) -> set[str]:
    """The methods of the most literal of the paths that match: `/tasks/batch` is no `/tasks/{task_id}`."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    methods: dict[int, set[str]] = defaultdict(set)
    for context in iter_route_contexts(request.app.routes):
        pattern = getattr(context, "path_regex", None)
        if pattern is not None and pattern.match(path):
            methods[pattern.groups] |= context.methods or set()
    return methods[min(methods)] if methods else set()


async def _on_unknown(request: Request, error: Exception) -> Response:
    return problem(
        request,
        500,
        "internal_error",
        "Something went wrong in the server; nothing was written. The request id finds it in the log.",
    )
