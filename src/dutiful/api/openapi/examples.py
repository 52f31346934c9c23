"""Examples for bodies and answers, made of the fields' own.

A field says `examples` itself, or is found here by its name; the tests want one or the other for every text.
"""

from collections.abc import Mapping
from typing import Any

from dutiful.api.openapi.schemas import Schema, resolve

INVITATION = "dti_Wc3kT0b9yXq8mJ2vRzL5hN7pAaSdFgEu4iOx6tYn1Qs"
RESET = "dtr_17.Wc3kT0b9yXq8mJ2vRzL5hN7pAaSdFgEu4iOx6tYn1Qs"

FIELDS: Mapping[str, Any] = {
    "after": 4710,
    "app": "dutiful",
    "at": "2026-11-22T10:00:00Z",
    "address": "192.0.2.7",
    "archived": False,
    "actor_id": None,
    "assignee_id": None,
    "change_id": "1-41",
    "code": "taken",
    "color": "#3366cc",
    "completed_at": None,
    "count": 1,
    "created": 1,
    "created_at": "2026-11-22T10:00:00Z",
    "date": "2026-12-01",
    "deleted_at": None,
    "description": "Bring **two** photos",
    "detail": "The workspace has a project of this name already.",
    "disabled_at": None,
    "dry_run": False,
    "due": {"date": "2026-12-01", "time": "17:00", "timezone": "Europe/Berlin"},
    "email": "ana@example.org",
    "entity": "task",
    "entity_id": 4711,
    "erased_at": None,
    "expires_at": "2027-01-01T00:00:00Z",
    "format": "taskwarrior",
    "id": 4711,
    "inbox_id": 3,
    "invited_by": "Ana",
    "is_admin": False,
    "is_member": False,
    "is_personal": False,
    "is_undo": False,
    "label_ids": [7],
    "last_used_at": None,
    "link": f"https://tasks.example.org/reset-password#token={RESET}",
    "name": "Home",
    "next_cursor": "WyJpZCIsNDcxMSw0NzExXQ",
    "parent_id": None,
    "password": "correct horse battery staple",
    "pointer": "/name",
    "position": "a1",
    "project_id": 3,
    "purge_at": "2026-12-22T10:00:00Z",
    "ref": "a",
    "request_id": "3c1f3f0e-6f0e-4a53-9d3e-0c9a5a1d1b7e",
    "scope": "read",
    "section_id": None,
    "seq": 42,
    "start": None,
    "time": "17:00",
    "timezone": "Europe/Berlin",
    "title": "Renew passport",
    "token": "dtf_Wc3kT0b9yXq8mJ2vRzL5hN7pAaSdFgEu4iOx6tYn1Qs",
    "type": "urn:dutiful:problem:taken",
    "uid": "9b2d5c8e-1f64-4f0e-8a57-2f6f1c3f1f10",
    "undo_of": None,
    "updated_at": "2026-11-22T10:00:00Z",
    "url": f"https://tasks.example.org/invitations/{INVITATION}",
    "user_agent": "dutiful/0.1",
    "user_id": 1,
    "verb": "task.completed",
    "version": 3,
    "week_start": 1,
    "what": "recur: weekly",
    "where": "/3/recur",
    "why": "recurrence is not supported",
    "workspace_id": 1,
    "workspace_name": "Home",
}

_ANA: Mapping[str, Any] = {"name": "Ana", "email": "ana@example.org"}
_CHANGE: Mapping[str, Any] = {
    "id": "1-42",
    "workspace_id": 1,
    "seq": 42,
    "at": "2026-11-22T10:00:00Z",
    "user_id": 1,
    "verb": "task.completed",
    "entity": "task",
    "entity_id": 4711,
    "version": 3,
    "before": {"status": "open", "completed_at": None},
    "after": {"status": "done", "completed_at": "2026-11-22T10:00:00Z"},
    "request_id": "3c1f3f0e-6f0e-4a53-9d3e-0c9a5a1d1b7e",
    "undo_of": None,
}

WHOLE: Mapping[str, Any] = {
    "Account": _ANA,
    "AccountCreated": {**_ANA, "has_password": False, "version": 1},
    "AccountCreate": {"email": "ana@example.org", "name": "Ana", "timezone": "Europe/Berlin"},
    "AccountPatch": {"name": "Ana"},
    "AccountEvent": {"verb": "user.disabled", "actor_id": 1},
    "Member": _ANA,
    "User": _ANA,
    "UserPatch": {"name": "Ana", "timezone": "Europe/Berlin", "week_start": 1},
    "SignUp": {**_ANA, "password": "correct horse battery staple"},
    "Workspace": {"role": "owner"},
    "InvitationCreated": {"token": INVITATION},
    "InvitationToken": {"token": INVITATION},
    "PasswordChange": {
        "current_password": "lilac tram 82 pond",
        "new_password": "correct horse battery staple",
    },
    "PasswordResetAsked": {"detail": "If somebody here has this e-mail address, a link is on its way to it."},
    "PasswordResetLink": {"token": RESET},
    "PasswordResetUse": {"token": RESET, "password": "correct horse battery staple"},
    "Token": {"name": "backup script"},
    "TokenCreated": {"name": "backup script"},
    "Done": {"name": "Renew passport"},
    "TaskCreate": {
        "title": "Renew passport",
        "description": "Bring **two** photos",
        "priority": "high",
        "due": {"date": "2026-12-01", "time": "17:00", "timezone": "Europe/Berlin"},
        "labels_add": ["errands"],
    },
    "TaskPatch": {"status": "done", "labels_remove": ["errands"]},
    "TaskMove": {"project_id": 3, "after": 4710},
    "Move": {"after": 4710},
    "LabelCreate": {"name": "errands", "color": "#3366cc"},
    "LabelPatch": {"name": "on the way"},
    "ProjectCreate": {"name": "Home", "color": "#3366cc"},
    "ProjectPatch": {"name": "House", "archived": True},
    "SectionCreate": {"name": "Waiting", "project_id": 3},
    "TokenCreate": {"name": "backup script", "scopes": ["read"], "expires_at": "2027-01-01T00:00:00Z"},
    "MemberCreate": {"email": "bob@example.org", "role": "editor"},
    "Change": _CHANGE,
    "Undone": {
        "items": [
            {
                **_CHANGE,
                "id": "1-43",
                "seq": 43,
                "verb": "task.reopened",
                "version": 4,
                "before": _CHANGE["after"],
                "after": _CHANGE["before"],
                "undo_of": "1-42",
            }
        ],
    },
}
"""Where the fields alone do not make a sensible whole: all of it, or the fields that are special there."""

FORMATS: Mapping[str, str] = {
    "date": "2026-12-01",
    "date-time": "2026-11-22T10:00:00Z",
    "email": "ana@example.org",
    "uuid": "3c1f3f0e-6f0e-4a53-9d3e-0c9a5a1d1b7e",
}
_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}

BATCH = [
    {"op": "create", "type": "project", "ref": "move", "data": {"name": "Moving house"}},
    {"op": "create", "type": "task", "data": {"title": "Hire a van", "project_id": "$move"}},
    {"op": "update", "type": "task", "id": 4711, "version": 3, "data": {"status": "done"}},
]


def add_to(schema: Schema, schemas: Mapping[str, Schema]) -> None:
    """Gives the schema of a body or an answer an example, unless it has one."""
    target: Any = resolve(schema, schemas)
    if "examples" not in target:
        target["examples"] = [example_of(schema, schemas)]


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Schema], name: str = "") -> Any:
    if "$ref" in schema:
        return _example_of_component(schema["$ref"].rpartition("/")[2], schemas)
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return FIELDS[name] if FIELDS.get(name) in schema["enum"] else schema["enum"][0]
    if name in FIELDS and _may_be(FIELDS[name], schema):
        return FIELDS[name]
    if "default" in schema:
        return schema["default"]
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return example_of(schema[word][0], schemas, name)
    return _example_of_type(schema, schemas, name)


def _example_of_component(name: str, schemas: Mapping[str, Schema]) -> Any:
    schema, whole = schemas[name], WHOLE.get(name)
    if whole is not None and set(schema.get("required", ())) <= whole.keys():
        return whole
    made = example_of(schema, schemas)
    return {**made, **whole} if whole is not None else made


def _example_of_type(schema: Mapping[str, Any], schemas: Mapping[str, Schema], name: str) -> Any:
    if "properties" in schema:
        return {field: example_of(part, schemas, field) for field, part in schema["properties"].items()}
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    match _types(schema)[0]:
        case "array":
            return [example_of(schema.get("items", {}), schemas, name.removesuffix("s"))]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "string":
            return "…"
        case _:
            return {}


def _may_be(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value of this kind is allowed there. The tests validate what comes out."""
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return any("$ref" not in choice and _may_be(value, choice) for choice in choices) or isinstance(
            value, dict
        )
    kind = "null" if value is None else _JSON_TYPES[type(value)]
    return kind in _types(schema)


def _types(schema: Mapping[str, Any]) -> list[str]:
    kinds = schema.get("type", "object")
    return kinds if isinstance(kinds, list) else [kinds]
