"""What Schemathesis cannot know of this API. `SCHEMATHESIS_HOOKS` names this module."""

import re
import uuid
from typing import Any, get_args

import schemathesis
from pydantic_core.core_schema import ErrorType
from schemathesis import Case, CheckContext, GenerationMode, HookContext, Response

KEY = "Idempotency-Key"

# pydantic's words for a form that the schema describes; `value_error` is what no schema can say, such as that a time
# zone exists.
FAULTS_OF_FORM = set(get_args(ErrorType)) - {"value_error"}


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Most generated keys are the same few, and the second use of a key is refused before anything else."""
    headers: Any = case.headers or {}
    if re.fullmatch(r"[!-~]{1,255}", str(headers.get(KEY, ""))):
        headers[KEY] = str(uuid.uuid4())
    # JSON Schema takes 6.0 for an integer. We do not, on purpose, and no schema can say so.
    case.body = _with_plain_integers(case.body)
    # There `null` is described and means no body; in a chain of calls it is taken for a fault all the same.
    if case.path.endswith("/undo") and case.body is None:
        case.body = {}
    # A line of 64 KiB is refused before there is a request, by uvicorn, which knows no problem documents.
    case.path_parameters = _cut(case.path_parameters)
    case.query = _cut(case.query)


def _cut(values: Any) -> Any:
    return {
        name: value[:2_500] if isinstance(value, str) else value for name, value in (values or {}).items()
    }


def _with_plain_integers(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_with_plain_integers(one) for one in value]
        case dict():
            return {name: _with_plain_integers(one) for name, one in value.items()}
        case _:
            return value


@schemathesis.check
def what_fits_the_schema_is_not_refused_for_its_form(
    ctx: CheckContext, response: Response, case: Case[Any]
) -> None:
    """In the place of `positive_data_acceptance`, which takes every refusal for one of the form."""
    if (
        response.status_code != 422
        or case.meta is None
        or case.meta.generation.mode != GenerationMode.POSITIVE
    ):
        return
    codes = {fault["code"] for fault in response.json().get("errors", ())} & FAULTS_OF_FORM
    assert not codes, f"fits the schema, but is refused: {sorted(codes)}"
