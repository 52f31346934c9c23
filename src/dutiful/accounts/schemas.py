from datetime import datetime
from typing import Annotated

from pydantic import Field

from dutiful.models import Scope
from dutiful.vocabulary import IfSent, Input, Moment, Name, Output, Patch, TimeZoneName

WeekDay = Annotated[int, Field(strict=True, ge=1, le=7, description="1 is Monday, 7 is Sunday (ISO 8601).")]


class UserPatch(Patch):
    name: IfSent[Name] = None
    timezone: IfSent[TimeZoneName] = None
    week_start: IfSent[WeekDay] = None


class UserOut(Output):
    """`workspace_id` is the personal workspace, `inbox_id` its Inbox: where a task lands that names no place."""

    id: int
    email: str | None
    name: str
    timezone: str
    week_start: int
    is_admin: bool
    workspace_id: int
    inbox_id: int
    version: int
    created_at: datetime
    updated_at: datetime


class TokenCreate(Input):
    name: Name
    scopes: list[Scope] = Field(default=[Scope.READ, Scope.WRITE], min_length=1, max_length=3)
    expires_at: Moment | None = None


class TokenOut(Output):
    id: int
    name: str
    scopes: list[str]
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class TokenCreated(TokenOut):
    """`token` is the secret: shown here, once, and never again."""

    token: str
