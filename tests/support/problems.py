"""What every refusal must look like."""

from typing import Any

import httpx

SQL_WORDS = ("SELECT ", "INSERT ", "UPDATE ", "asyncpg", "sqlalchemy", "Traceback", "psycopg", "constraint")


def problem(response: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem document of a response that must have this status (RFC 9457), its form checked on the way."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json", response.text
    document: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "code", "request_id"} <= document.keys(), document
    assert document["status"] == status
    assert document["type"] == "urn:dutiful:problem:" + document["code"].replace("_", "-")
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == response.headers["x-request-id"]
    assert not [word for word in SQL_WORDS if word in response.text], response.text
    for error in document.get("errors", ()):
        assert error["pointer"] == "" or error["pointer"].startswith("/"), error
        assert error["detail"], error
    assert code in {None, document["code"]}, document
    return document


def pointers(response: httpx.Response, status: int = 422, code: str | None = None) -> list[str]:
    """Where the faults are that a refused request was told of."""
    return [error["pointer"] for error in problem(response, status, code).get("errors", ())]
