from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr

from dutiful.models import Scope
from dutiful.vocabulary import Email, IfSent, Input, Moment, Name, Output, Patch, TimeZoneName

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


YesOrNo = Annotated[bool, Field(strict=True)]


def _require_unicode(secret: SecretStr) -> SecretStr:
    try:
        secret.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("must not contain half a character (a lone surrogate)") from None
    return secret


Password = Annotated[SecretStr, Field(min_length=1, max_length=1000), AfterValidator(_require_unicode)]
"""As it was typed: `passwords.check_password` says what it must be, and only where a new one is set."""


class SignIn(Input):
    email: Email
    password: Password


class SessionOut(Output):
    """A sign-in. `is_current`: the one this request came with."""

    id: int
    address: str | None
    user_agent: str | None
    is_current: bool
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime


class SessionCreated(Output):
    """`token` is the secret, to be sent as `Authorization: Bearer …`: shown here, once, and never again."""

    id: int
    token: str
    expires_at: datetime
    user: UserOut


class SignUp(Input):
    email: Email
    password: Password
    name: Name | None = None
    timezone: TimeZoneName = "UTC"


class PasswordChange(Input):
    """`current_password` is left out by whoever has none yet."""

    current_password: Password | None = None
    new_password: Password


class PasswordResetRequest(Input):
    email: Email


class PasswordResetUse(Input):
    """`token` is what stands behind `#token=` in the link."""

    token: Annotated[SecretStr, Field(min_length=1, max_length=200)]
    password: Password


class PasswordResetAsked(Output):
    detail: str


class PasswordResetLink(Output):
    """For setting a password, once. `link` is null when the server has no DUTIFUL_BASE_URL."""

    token: str
    link: str | None
    expires_at: datetime


class Goodbye(Input):
    """`password` is left out by whoever has none."""

    password: Password | None = None


class AccountCreate(Input):
    """Without a name it is taken from the e-mail address."""

    email: Email
    name: Name | None = None
    timezone: TimeZoneName = "UTC"
    is_admin: YesOrNo = False


class AccountPatch(Patch):
    email: IfSent[Email] = None
    name: IfSent[Name] = None
    timezone: IfSent[TimeZoneName] = None
    is_admin: IfSent[YesOrNo] = None


class AccountOut(Output):
    """A person as an administrator of the server sees them."""

    id: int
    email: str | None
    name: str
    timezone: str
    is_admin: bool
    has_password: bool
    disabled_at: datetime | None
    erased_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


class AccountCreated(AccountOut):
    """`password_reset` is for the new person, to set a password with."""

    password_reset: PasswordResetLink


class AccountEventOut(Output):
    """`actor_id` is who did it; null for the server's command line, and for somebody who was not signed in."""

    id: int
    at: datetime
    verb: str
    actor_id: int | None
    details: dict[str, Any]


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
