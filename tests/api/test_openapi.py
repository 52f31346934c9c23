"""The description of the API is complete, for every route there is and will be."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from jsonschema_rs import Draft202012Validator, ValidationError, meta
from pydantic import SecretStr, TypeAdapter
from pydantic import ValidationError as PydanticValidationError
from tests.support.contract import NO_DATABASE, BrokenContract, the_contract
from tests.support.people import Person
from tests.support.problems import pointers, problem

from dutiful.accounts import authentication, password_resets
from dutiful.api.invitations import _link as link_of_invitation
from dutiful.api.openapi.examples import FIELDS
from dutiful.api.openapi.schemas import rewrite, walk
from dutiful.api.query import names_of
from dutiful.api.transaction import TransactionRoute
from dutiful.app import create_app
from dutiful.bearer import new_secret
from dutiful.settings import Settings
from dutiful.vocabulary import Email, Name
from dutiful.workspaces import invitations

METHODS = {"get", "post", "put", "patch", "delete"}

contract = the_contract()
DOCUMENT = contract.document
SCHEMAS: Mapping[str, Any] = DOCUMENT["components"]["schemas"]


def operations() -> Iterator[tuple[str, str, Any]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def every_operation(check: Callable[[str, str, Any], None]) -> Callable[[], None]:
    """One test for all of them, which names those that fail."""

    def test() -> None:
        faults = []
        for method, path, operation in operations():
            try:
                check(method, path, operation)
            except (AssertionError, ValidationError) as error:
                faults.append(f"{operation['operationId']}: {error}")
        assert not faults, "\n".join(faults)

    return test


def parameters(operation: Any) -> dict[str, Any]:
    found = [contract.resolve(each) for each in operation.get("parameters", ())]
    return {each["name"]: each for each in found}


# --- every operation --------------------------------------------------------------------------------------------------


@every_operation
def test_an_operation_has_a_readable_name_a_tag_and_a_summary(method: str, path: str, operation: Any) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation["operationId"])
    [tag] = operation["tags"]
    assert tag in {each["name"] for each in DOCUMENT["tags"]}
    assert operation["summary"]


@every_operation
def test_every_parameter_is_described(method: str, path: str, operation: Any) -> None:
    silent = [name for name, each in parameters(operation).items() if not each.get("description")]
    assert not silent, f"describe in the route, or in api/openapi/words.py: {silent}"


@every_operation
def test_bodies_and_answers_have_examples_that_are_valid(method: str, path: str, operation: Any) -> None:
    for place, media_type, media in bodies(operation):
        if "schema" not in media or not media_type.endswith("json"):
            continue
        found = examples(media)
        assert found, f"{place} has no example"
        for example in found:
            strict_validator(media["schema"]).validate(example)


@every_operation
def test_errors_are_problem_documents(method: str, path: str, operation: Any) -> None:
    for status, response in operation["responses"].items():
        if status >= "400":
            content = contract.resolve(response)["content"]
            assert list(content) == ["application/problem+json"], status
            assert content["application/problem+json"]["schema"]["$ref"].endswith("/Problem")


@every_operation
def test_who_needs_a_token_may_be_refused(method: str, path: str, operation: Any) -> None:
    responses = operation["responses"]
    if "security" in operation:
        assert {"401", "403"} <= responses.keys()
    if path.startswith("/api/"):
        assert {"422", "503"} <= responses.keys()
        assert "Retry-After" in contract.resolve(responses["503"])["headers"]
    if "{" in path and "security" in operation:
        assert "404" in responses


@every_operation
def test_a_write_takes_a_key_and_a_change_a_version(method: str, path: str, operation: Any) -> None:
    names, responses = parameters(operation), operation["responses"]
    if method != "get" and "security" in operation:
        assert "Idempotency-Key" in names
        assert "409" in responses
    if method in {"put", "patch"}:
        assert "If-Match" in names
    if "If-Match" in names:
        assert "412" in responses
    if method != "get" and "requestBody" in operation:
        assert {"400", "413"} <= responses.keys()


@every_operation
def test_every_answer_tells_its_headers(method: str, path: str, operation: Any) -> None:
    for status, response in operation["responses"].items():
        assert "X-Request-Id" in contract.resolve(response)["headers"], status
    if "304" in operation["responses"]:
        assert "If-None-Match" in parameters(operation)


# --- the document -----------------------------------------------------------------------------------------------------


def test_it_is_valid_json_schema_throughout() -> None:
    for name, schema in SCHEMAS.items():
        assert meta.is_valid({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}), name


def test_names_of_operations_are_unique() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))


def test_names_of_schemas_are_words() -> None:
    assert [name for name in SCHEMAS if not re.fullmatch(r"([A-Z][a-z]+)+", name)] == []
    assert len({name.lower() for name in SCHEMAS}) == len(SCHEMAS)


def test_no_schema_repeats_its_name_as_a_title_or_uses_words_that_no_schema_has() -> None:
    for name, schema in SCHEMAS.items():
        for node in walk(schema):
            assert not isinstance(node.get("title"), str) or "type" not in node, name
            assert not {"ge", "le", "gt", "lt", "nullable"} & node.keys(), name


def test_every_reference_leads_somewhere_and_nothing_is_left_over() -> None:
    references = {node["$ref"] for node in walk(DOCUMENT) if "$ref" in node}
    for reference in references:
        contract.resolve({"$ref": reference})
    used = {reference.rpartition("/")[2] for reference in references if "/schemas/" in reference}
    assert set(SCHEMAS) == used


def test_every_text_has_an_example_of_its_own() -> None:
    silent = {
        f"{name}.{field}"
        for name, schema in SCHEMAS.items()
        for field, part in schema.get("properties", {}).items()
        if part.get("type") in ("string", ["string", "null"])
        and not {"const", "enum", "default", "examples", "format"} & part.keys()
        and field not in FIELDS
    }
    assert not silent, f"give the field `examples`, or name it in api/openapi/examples.py: {sorted(silent)}"


def test_of_a_string_that_must_have_something_the_schema_says_that_spaces_are_nothing() -> None:
    lax = {
        f"{name}.{field}"
        for name, schema in SCHEMAS.items()
        for field, part in schema.get("properties", {}).items()
        for node in walk(part)
        # Secrets are taken as they are.
        if not field.endswith(("password", "token"))
        and node.get("minLength") == 1
        and Draft202012Validator({"pattern": node.get("pattern", "")}).is_valid(" ")
    }
    assert not lax


def test_the_schema_knows_every_space_that_is_cut_off() -> None:
    adapter = TypeAdapter(Name)
    schema = Draft202012Validator(adapter.json_schema())
    for code in (*range(1, 0xD800), *range(0xE000, 0x20000)):
        assert schema.is_valid(chr(code)) is _takes(adapter, chr(code)), hex(code)


@pytest.mark.parametrize(
    "email",
    [
        "\v",
        "\v@\v",
        "a",
        "@",
        "a@",
        "@b",
        "a@b",
        "\u3000a@b ",
        "a b@c",
        "a@b@c",
        "a@\x1cb",
        "\x1ca@b",
        "a@b\n",
    ],
)
def test_the_schema_knows_what_an_email_is(email: str) -> None:
    adapter = TypeAdapter(Email)
    assert Draft202012Validator(adapter.json_schema()).is_valid(email) is _takes(adapter, email)


def _takes(adapter: TypeAdapter[str], value: str) -> bool:
    try:
        adapter.validate_python(value)
    except PydanticValidationError:
        return False
    return True


def test_every_tag_is_described() -> None:
    assert [tag["name"] for tag in DOCUMENT["tags"] if not tag["description"]] == []


def test_the_address_of_the_server_is_told_when_it_is_set() -> None:
    settings = Settings(base_url="https://tasks.example.org")
    assert create_app(settings, NO_DATABASE).openapi()["servers"] == [{"url": "https://tasks.example.org"}]
    assert "servers" not in DOCUMENT


def test_the_parameters_described_are_those_taken(app: FastAPI) -> None:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, TransactionRoute):
            for method in context.methods or ():
                operation = DOCUMENT["paths"][context.path_format][method.lower()]
                described = {name for name, each in parameters(operation).items() if each["in"] == "query"}
                assert described == names_of(route.dependant), operation["operationId"]


def test_every_route_is_described_or_leads_to_a_page(app: FastAPI) -> None:
    hidden = {
        context.path
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute) and not context.include_in_schema
    }
    assert not {path for path in hidden if str(path).startswith("/api/")}


async def test_the_document_is_served(anonymous: httpx.AsyncClient) -> None:
    response = await anonymous.get("/openapi.json")
    assert response.json()["openapi"].startswith("3.1")


# --- what it says is so -----------------------------------------------------------------------------------------------


def test_a_field_that_no_schema_names_makes_an_example_wrong() -> None:
    media = {"$ref": "#/components/schemas/ChangePage"}
    example = {**contract.resolve(media)["examples"][0]}
    example["items"] = [{**example["items"][0], "user_agent": "dutiful/0.1"}]
    contract.validator(media).validate(example)
    with pytest.raises(ValidationError):
        strict_validator(media).validate(example)


def test_secrets_and_links_of_examples_look_like_real_ones() -> None:
    settings = Settings(
        base_url="https://tasks.example.org", secret_key=SecretStr("gHc2mV8xQp0ZsT4kWb9yLr6nJd1fUe3a")
    )
    reset = SCHEMAS["AccountCreated"]["examples"][0]["password_reset"]
    assert shape(reset["token"]) == shape(password_resets.sign(settings, 17, 1, None, None))
    assert reset["link"] == password_resets.link_of(settings, reset["token"])
    assert SCHEMAS["PasswordResetUse"]["examples"][0]["token"] == reset["token"]
    invitation = SCHEMAS["InvitationCreated"]["examples"][0]
    assert shape(invitation["token"]) == shape(new_secret(invitations.PREFIX))
    assert invitation["url"] == link_of_invitation(settings, invitation["token"])
    assert SCHEMAS["InvitationToken"]["examples"][0]["token"] == invitation["token"]
    for name in ("TokenCreated", "SessionCreated"):
        assert shape(SCHEMAS[name]["examples"][0]["token"]) == shape(new_secret(authentication.PREFIX))


def shape(secret: str) -> tuple[str, int]:
    """What it begins with, and how long it is."""
    found = re.fullmatch(r"([a-z]+_(?:\d+\.)?)([\w-]+)", secret)
    assert found, secret
    return found[1], len(found[2])


async def test_the_examples_of_a_batch_can_be_sent(ana: Person) -> None:
    task = await ana.make("/tasks", title="Renew passport")
    *creations, update = batch_example()
    response = await ana.post("/batch", [*creations, {**update, "id": task["id"], "version": 1}])
    assert response.status_code == 200, response.text


async def test_an_example_of_a_task_can_be_sent(ana: Person) -> None:
    await ana.make("/tasks", **SCHEMAS["TaskCreate"]["examples"][0])


async def test_an_answer_that_is_not_as_described_fails_a_test(ana: Person) -> None:
    response = await ana.get("/users/me")
    for broken in (
        {"json": {**response.json(), "id": "one"}, "headers": response.headers},
        {"json": response.json()},
    ):
        with pytest.raises(BrokenContract):
            contract.check(httpx.Response(200, request=response.request, **broken))
    with pytest.raises(BrokenContract):
        contract.check(httpx.Response(418, request=response.request))


async def test_a_misspelt_parameter_is_refused_with_the_right_word(ana: Person) -> None:
    response = await ana.get("/tasks", params={"statsu": "done"})
    assert problem(response, 422, "invalid")["errors"] == [
        {
            "in": "query",
            "pointer": "/statsu",
            "detail": "is not a parameter of this path; do you mean “status”?",
            "code": "unknown_parameter",
        }
    ]


async def test_an_unknown_parameter_is_refused_everywhere(ana: Person) -> None:
    for method, path, operation in operations():
        if path.startswith("/api/"):
            somewhere = re.sub(r"\{[^}]+\}", "1", path).removeprefix("/api/v1")
            response = await ana.request(method.upper(), somewhere, params={"no/such": "1"})
            assert pointers(response) == ["/no~1such"], operation["operationId"]


async def test_a_parameter_that_is_given_twice_is_refused(ana: Person) -> None:
    response = await ana.get("/tasks?status=open&status=done")
    assert pointers(response) == ["/status"]


async def test_a_refused_method_is_told_all_that_would_be_taken(ana: Person) -> None:
    for path, methods in DOCUMENT["paths"].items():
        somewhere = re.sub(r"\{[^}]+\}", "1", path)
        for method in sorted(METHODS - methods.keys()):
            response = await ana.client.request(
                method, somewhere, headers={"Authorization": f"Bearer {ana.token}"}
            )
            problem(response, 405, "method_not_allowed")
            allowed = set(response.headers["allow"].lower().split(", ")) - {"head"}
            assert allowed == set(methods), path


async def test_seconds_since_1970_are_no_date_time(ana: Person) -> None:
    for name in ("updated_after", "due_before"):
        assert pointers(await ana.get("/tasks", params={name: "0.5"})) == [f"/{name}"]


def bodies(operation: Any) -> Iterator[tuple[str, str, Any]]:
    for media_type, media in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", media_type, media
    for status, response in operation["responses"].items():
        for media_type, media in contract.resolve(response).get("content", {}).items():
            yield status, media_type, media


def strict_validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    """Unlike the one for answers it takes no field that the schema does not name."""

    def close(node: dict[str, Any]) -> dict[str, Any]:
        return {"additionalProperties": False, **node} if "properties" in node else node

    return Draft202012Validator(
        rewrite({"components": {"schemas": SCHEMAS}, **schema}, close), validate_formats=True
    )


def examples(media: Any) -> list[Any]:
    if "example" in media:
        return [media["example"]]
    schema = media["schema"]
    found: list[Any] = schema.get("examples") or contract.resolve(schema).get("examples", [])
    return found


def batch_example() -> list[Any]:
    body = DOCUMENT["paths"]["/api/v1/batch"]["post"]["requestBody"]["content"]["application/json"]
    [example] = examples(body)
    return list(example)
