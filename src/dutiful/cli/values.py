"""What the commands of the person who runs the server share: values from and for people."""

import datetime as dt
from typing import Any

import typer
from pydantic import TypeAdapter, ValidationError

from dutiful.accounts import service as accounts
from dutiful.cli.here import local_timezone
from dutiful.database.session import Writer
from dutiful.models import User


async def whose(session: Writer, email: str | None) -> User:
    """On an instance that was never served the owner is made here."""
    await accounts.make_first_user(session, timezone=local_timezone())
    return await (accounts.get_first_admin(session) if email is None else accounts.get_user(session, email))


def valid(kind: Any, where: str, value: str) -> str:
    try:
        return str(TypeAdapter(kind).validate_python(value))
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise typer.BadParameter(reason, param_hint=where) from None


def iso(at: dt.datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def local(at: dt.datetime | None) -> str:
    return "" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M}"
