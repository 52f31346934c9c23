"""Holds every answer that a test gets against `/openapi.json`, so that the description cannot say what is not so."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import httpx
from jsonschema_rs import Draft202012Validator, ValidationError

from dutiful.app import create_app
from dutiful.settings import Settings

Document = Mapping[str, Any]

NO_DATABASE = "postgresql+asyncpg://nobody@127.0.0.1:1/nothing"
TOLD_HEADERS = ("etag", "location", "dutiful-cursor", "idempotency-replayed", "retry-after")
# Nobody plans to give these: a fault of ours, a method that is not there, a body where none belongs.
UNPLANNED = {405, 413, 500}


class BrokenContract(AssertionError):
    pass


class Contract:
    def __init__(self, document: Document) -> None:
        self.document = document
        # Fixed paths before those with ids: `/tasks/batch` is no id.
        paths = sorted(document["paths"], key=lambda path: path.count("{"))
        self._patterns = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), document["paths"][path]) for path in paths
        ]
        self._validators: dict[int, Draft202012Validator] = {}

    def check(self, response: httpx.Response) -> None:
        """Raises for what the document does not allow. Paths that it does not have are not its business."""
        operation = self.operation(response.request.method, response.request.url.path)
        if operation is None:
            return
        said = f"{response.request.method} {response.request.url.path} -> {response.status_code}"
        described = operation["responses"].get(str(response.status_code))
        if described is None:
            if response.status_code not in UNPLANNED:
                raise BrokenContract(f"{said} is not described: {response.text[:300]}")
            return
        described = self.resolve(described)
        faults = [*self._faults_of_headers(described, response), *self._faults_of_body(described, response)]
        if faults:
            raise BrokenContract(f"{said} is not as described: {'; '.join(faults)}\n{response.text[:500]}")

    def operation(self, method: str, path: str) -> Mapping[str, Any] | None:
        for pattern, methods in self._patterns:
            if pattern.fullmatch(path) and method.lower() in methods:
                found: Mapping[str, Any] = methods[method.lower()]
                return found
        return None

    def resolve(self, thing: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a `$ref` stands for."""
        if "$ref" not in thing:
            return thing
        found: Any = self.document
        for part in thing["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return self.resolve(found)

    def validator(self, schema: Mapping[str, Any]) -> Draft202012Validator:
        return Draft202012Validator(
            {"components": self.document["components"], **schema}, validate_formats=True
        )

    def _validator(self, media: Mapping[str, Any]) -> Draft202012Validator:
        """Made once for each place in the document."""
        if id(media) not in self._validators:
            self._validators[id(media)] = self.validator(media["schema"])
        return self._validators[id(media)]

    def _faults_of_headers(self, described: Mapping[str, Any], response: httpx.Response) -> Iterator[str]:
        told = {name.lower() for name in described.get("headers", {})}
        for name, header in described.get("headers", {}).items():
            if self.resolve(header).get("required") and name not in response.headers:
                yield f"without {name}"
        for name in TOLD_HEADERS:
            if name in response.headers and name not in told:
                yield f"with {name}"

    def _faults_of_body(self, described: Mapping[str, Any], response: httpx.Response) -> Iterator[str]:
        content = described.get("content")
        if not content:
            if response.content:
                yield "with a body"
            return
        media_type = response.headers.get("content-type", "").partition(";")[0]
        if media_type not in content:
            yield f"as {media_type}"
        elif media_type.endswith("json"):
            try:
                self._validator(content[media_type]).validate(response.json())
            except ValidationError as error:
                yield f"{error.instance_path}: {error.message}"


@cache
def the_contract() -> Contract:
    return Contract(create_app(Settings(), NO_DATABASE).openapi())


async def hold_to_contract(response: httpx.Response) -> None:
    """A response hook of the tests' clients."""
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        return
    await response.aread()
    the_contract().check(response)


def hold_to_contract_blocking(response: httpx.Response) -> None:
    """The same for clients without an event loop."""
    response.read()
    the_contract().check(response)
