"""What every operation has that its signature does not tell: refusals, headers of answers, keys for repeating."""

import http.client
import re
from collections.abc import Iterator, Mapping
from typing import Any

from dutiful.api.openapi import words
from dutiful.api.openapi.examples import add_to
from dutiful.api.openapi.schemas import Schema, reference, resolve, tidy, without_null
from dutiful.api.problems import MEDIA_TYPE, TITLES

Operation = dict[str, Any]

API = "/api/"
SECURITY = "token"
WRITES = {"post", "put", "patch", "delete"}
JSON = "application/json"
_STANDARD_TITLES = {*TITLES.values(), *http.client.responses.values()}
_NOT_ALWAYS = {"Dutiful-Cursor", "Idempotency-Replayed"}


def complete(method: str, path: str, operation: Operation, schemas: Mapping[str, Schema]) -> None:
    operation["summary"] = operation["summary"].capitalize()
    if "description" in operation:
        operation["description"] = _one_line(operation["description"])
    takes_token = bool(operation.pop("security", ()))
    if takes_token:
        operation["security"] = [{SECURITY: []}]
    is_api, is_write = path.startswith(API), method in WRITES
    responses = operation["responses"]
    _drop_what_fastapi_says(responses)
    _describe_parameters(operation)
    _describe_successes(responses, schemas)
    if is_write and takes_token:
        _parameters(operation).append({"$ref": "#/components/parameters/IdempotencyKey"})
    if method == "get" and "ETag" in responses.get("200", {}).get("headers", {}):
        _parameters(operation).append({"$ref": "#/components/parameters/IfNoneMatch"})
        responses["304"] = {"description": words.NOT_MODIFIED, "headers": _headers("X-Request-Id", "ETag")}
    if is_write and takes_token:
        _describe_write(responses)
    for status in _refusals(method, path, operation, is_api=is_api, takes_token=takes_token):
        responses.setdefault(status, {})
    for status in [status for status in responses if status in words.REFUSALS]:
        own = responses[status].get("description")
        responses[status] = _refusal_of(status, own)
    operation["responses"] = dict(sorted(responses.items()))


def components() -> dict[str, Any]:
    return {
        "headers": {
            name: _header(name, text, required=name not in _NOT_ALWAYS)
            for name, text in words.HEADERS.items()
        },
        "parameters": {
            "IdempotencyKey": {
                "name": "Idempotency-Key",
                "in": "header",
                "description": words.IDEMPOTENCY_KEY,
                "schema": {
                    "type": "string",
                    "maxLength": 255,
                    "pattern": "^[!-~]([ -~]*[!-~])?$",
                },
            },
            "IfNoneMatch": {
                "name": "If-None-Match",
                "in": "header",
                "description": words.IF_NONE_MATCH,
                "schema": {"type": "string", "examples": ['"3"']},
            },
        },
        "responses": {entry[0]: _refusal(status) for status, entry in words.REFUSALS.items()},
        "securitySchemes": {
            SECURITY: {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "dtf_…",
                "description": "A token made with `dutiful token create NAME` or `POST /api/v1/tokens`.",
            }
        },
    }


def _drop_what_fastapi_says(responses: dict[str, Any]) -> None:
    if responses.get("422", {}).get("description") == "Validation Error":
        del responses["422"]


def _describe_parameters(operation: Operation) -> None:
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        if parameter["in"] == "header":
            parameter["name"] = name.title()
        tidy(parameter["schema"])
        parameter["schema"] = without_null(parameter["schema"])
        # It stands at the parameter already.
        parameter["schema"].pop("description", None)
        if "description" not in parameter and (text := _description_of(name, parameter["in"])):
            parameter["description"] = text


def _description_of(name: str, place: str) -> str | None:
    if name in words.PARAMETERS:
        return words.PARAMETERS[name]
    if name.endswith("_id"):
        thing = name.removesuffix("_id").replace("_", " ")
        return f"The id of the {thing}." if place == "path" else f"Only those of this {thing}."
    return None


def _describe_successes(responses: dict[str, Any], schemas: Mapping[str, Schema]) -> None:
    for status, response in responses.items():
        if status not in words.SUCCESSES:
            continue
        if response.get("description") == "Successful Response":
            response["description"] = words.SUCCESSES[status]
        headers = ["X-Request-Id"]
        schema = response.get("content", {}).get(JSON, {}).get("schema")
        if schema is not None:
            tidy(schema)
            add_to(schema, schemas)
            shown = resolve(schema, schemas).get("properties", {})
            if "version" in shown:
                headers.append("ETag")
            if status == "201" and not {"items", "token_type"} & shown.keys():
                headers.append("Location")
        if "text/event-stream" in response.get("content", {}):
            # FastAPI describes the events with a word of OpenAPI 3.2.
            response["content"]["text/event-stream"] = {"schema": {"type": "string"}}
        response["headers"] = _headers(*headers) | response.get("headers", {})


def _describe_write(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        if status in words.SUCCESSES:
            response["headers"] |= _headers("Dutiful-Cursor", "Idempotency-Replayed")


def _refusals(
    method: str, path: str, operation: Operation, *, is_api: bool, takes_token: bool
) -> Iterator[str]:
    """The statuses of the errors it can give, as the code decides about them."""
    names = {parameter.get("name") for parameter in operation.get("parameters", ())}
    if "requestBody" in operation:
        yield from ("400", "413")
        if (
            JSON in operation["requestBody"]["content"]
            and "schema" in operation["requestBody"]["content"][JSON]
        ):
            yield "415"
    if takes_token:
        yield from ("401", "403")
    if takes_token and method in WRITES:
        # A kept answer is not given to somebody who may not see any more what it is about.
        yield from ("404", "409")
    if is_api and method in WRITES and not takes_token:
        # Signing in and up, and what a link allows.
        yield from ("401", "403", "409")
    if "{" in path:
        yield "404"
    if "If-Match" in names:
        yield "412"
    if method == "get" and "after" in names:
        # The feed, whose beginning is not kept for ever.
        yield "410"
    if is_api:
        yield from ("422", "429", "503")


def _refusal_of(status: str, own_description: str | None) -> dict[str, Any]:
    name = words.REFUSALS[status][0]
    if own_description is None or own_description in _STANDARD_TITLES:
        return {"$ref": f"#/components/responses/{name}"}
    return {**_refusal(status), "description": own_description}


def _refusal(status: str) -> dict[str, Any]:
    _, description, code, detail = words.REFUSALS[status]
    example: dict[str, Any] = {
        "type": f"urn:dutiful:problem:{code.replace('_', '-')}",
        "title": TITLES[int(status)],
        "status": int(status),
        "detail": detail,
        "code": code,
        "request_id": "3c1f3f0e-6f0e-4a53-9d3e-0c9a5a1d1b7e",
    }
    if status == "422":
        fault = {"in": "body", "pointer": "/title", "detail": "Field required", "code": "missing"}
        example["errors"] = [fault]
    if status == "412":
        example["current"] = {"id": 3, "name": "House", "version": 4}
    headers = _headers("X-Request-Id")
    if status in {"429", "503"}:
        headers |= _headers("Retry-After")
    if status == "409":
        # Only where waiting helps.
        headers["Retry-After"] = _header("Retry-After", words.HEADERS["Retry-After"], required=False)
    if status == "401":
        headers |= _headers("WWW-Authenticate")
    if status == "412":
        headers |= _headers("ETag")
    return {
        "description": description,
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": reference("Problem"), "example": example}},
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _header(name: str, text: str, *, required: bool) -> dict[str, Any]:
    kind = "integer" if name == "Retry-After" else "string"
    return {"description": text, "required": required, "schema": {"type": kind}}


def _parameters(operation: Operation) -> list[Any]:
    parameters: list[Any] = operation.setdefault("parameters", [])
    return parameters


def _one_line(text: str) -> str:
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)
