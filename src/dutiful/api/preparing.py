"""What `prepared_by` functions read of a request. Where it does not fit they get None and do nothing: the endpoint's own
validation and dependencies refuse the request, in the words of all others."""

import json
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from dutiful.access import Actor
from dutiful.api.transaction import find_actor
from dutiful.errors import Forbidden
from dutiful.models import Scope
from dutiful.vocabulary import IdParameter

Body = TypeVar("Body", bound=BaseModel)

_ID: TypeAdapter[int] = TypeAdapter(IdParameter)


async def body_of(request: Request, schema: type[Body]) -> Body | None:
    try:
        return schema.model_validate(json.loads(await request.body()))
    except (ValueError, RecursionError):
        return None


def revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def id_of(request: Request, name: str) -> int | None:
    try:
        return _ID.validate_python(request.path_params[name])
    except ValidationError:
        return None


async def admin_scoped_actor(request: Request) -> Actor | None:
    actor = await find_actor(request)
    try:
        if actor is not None:
            actor.require_scope(Scope.ADMIN)
    except Forbidden:
        return None
    return actor
