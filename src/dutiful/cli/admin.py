"""`dutiful token` and `dutiful user`: straight on the database, for the person who runs the server."""

import asyncio
import datetime as dt
import sys
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from dutiful import clock
from dutiful.accounts import service as accounts
from dutiful.accounts.passwords import check_password, hash_password
from dutiful.accounts.schemas import UserOut
from dutiful.cli.client import CliError
from dutiful.cli.here import local_timezone
from dutiful.cli.instance import with_database
from dutiful.cli.output import note, print_json
from dutiful.cli.rows import print_rows
from dutiful.database.session import Database, Writer
from dutiful.models import Scope, Token, User
from dutiful.vocabulary import Email, Name, TimeZoneName

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL")]
UserOption = Annotated[
    str | None, typer.Option(metavar="EMAIL", help="Whose; by default the first administrator's.")
]
NameOption = Annotated[str | None, typer.Option(metavar="NAME")]
EmailOption = Annotated[str | None, typer.Option(metavar="EMAIL")]
ZoneOption = Annotated[str | None, typer.Option(metavar="ZONE", help="Such as Europe/Berlin.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin instead of asking for it.")
]


def register(app: typer.Typer) -> None:
    token = typer.Typer(no_args_is_help=True)
    token.command("create")(create_token)
    token.command("list")(list_tokens)
    token.command("revoke")(revoke_token)
    app.add_typer(token, name="token", help="API tokens: make, list and revoke them.")
    user = typer.Typer(no_args_is_help=True)
    user.command("create")(create_user)
    user.command("list")(list_users)
    user.command("set")(change_user)
    user.command("password")(set_password)
    app.add_typer(user, name="user", help="People: add, list and change them, set passwords.")


# --- tokens -----------------------------------------------------------------------------------------------------------


def create_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="May be given several times. [default: read and write]")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="DATE", help="The last day on which it works, such as 2027-01-31.")
    ] = None,
    user: UserOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it. It is shown only now."""
    title = _valid(Name, "NAME", name)
    scopes = scope or [Scope.READ, Scope.WRITE]
    expires_at = _end_of(expires)

    async def work(session: Writer) -> tuple[Token, str]:
        owner = await _whose(session, user)
        return await accounts.create_token(session, owner.id, title, scopes, expires_at=expires_at)

    token, secret = with_database(lambda database: database.write(work))
    if as_json:
        print_json({**_token_as_json(token), "token": secret})
    else:
        print(secret)


def list_tokens(*, as_json: JsonOption = False) -> None:
    """List everybody's tokens, without what makes them work."""

    async def work(database: Database) -> list[tuple[Token, User]]:
        async with database.read() as session:
            return list(await accounts.all_tokens(session))

    rows = with_database(work)
    if as_json:
        print_json([{**_token_as_json(token), "user_id": user.id} for token, user in rows])
        return
    print_rows(
        ["ID", "NAME", "USER", "SCOPES", "LAST USED", "EXPIRES"],
        [
            (
                str(token.id),
                token.name,
                user.email or user.name,
                ",".join(token.scopes),
                _local(token.last_used_at),
                _local(token.expires_at),
            )
            for token, user in rows
        ],
    )


def revoke_token(token_id: Annotated[int, typer.Argument(metavar="ID", min=1)]) -> None:
    """Revoke a token. It stops working at once."""
    token = with_database(lambda database: _revoke_token(database, token_id))
    note(f"Revoked {token.id} {token.name}.")


async def _revoke_token(database: Database, token_id: int) -> Token:
    await accounts.stop_token(database, token_id)
    return await database.write(lambda session: accounts.revoke_token(session, token_id))


def _token_as_json(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes,
        "expires_at": _iso(token.expires_at),
        "last_used_at": _iso(token.last_used_at),
        "created_at": _iso(token.created_at),
    }


def _end_of(day: str | None) -> dt.datetime | None:
    """Midnight after that day, here."""
    if day is None:
        return None
    try:
        midnight = dt.datetime.fromisoformat(f"{dt.date.fromisoformat(day) + dt.timedelta(days=1)}T00:00")
        end = midnight.astimezone()
    except (ValueError, OverflowError):
        raise typer.BadParameter("must be a date such as 2027-01-31", param_hint="--expires") from None
    if end <= clock.now():
        raise typer.BadParameter("lies in the past", param_hint="--expires")
    return end


# --- people -----------------------------------------------------------------------------------------------------------


def create_user(
    email: EmailArgument,
    name: NameOption = None,
    timezone: ZoneOption = None,
    *,
    admin: Annotated[bool, typer.Option("--admin", help="May administer this server.")] = False,
    password_stdin: FromStdin = False,
) -> None:
    """Add a person, with a workspace and an Inbox of their own.

    Without --password-stdin they have no password yet: see `dutiful user password`.
    """
    address = _valid(Email, "EMAIL", email)
    called = _valid(Name, "--name", name if name is not None else address.partition("@")[0])
    zone = _valid(TimeZoneName, "--timezone", timezone if timezone is not None else local_timezone())
    password_hash = _hashed(_typed_password()) if password_stdin else None

    async def work(session: Writer) -> User:
        return await accounts.create_user(
            session, called, email=address, password_hash=password_hash, timezone=zone, is_admin=admin
        )

    user = with_database(lambda database: database.write(work))
    note(f"Added {user.id} {user.name} <{user.email}>.")


def list_users(*, as_json: JsonOption = False) -> None:
    """List the people of this server."""

    async def work(database: Database) -> list[User]:
        async with database.read() as session:
            return list(await accounts.all_users(session))

    users = with_database(work)
    if as_json:
        print_json([_user_as_json(user) for user in users])
        return
    print_rows(
        ["ID", "EMAIL", "NAME", "TIMEZONE", ""],
        [
            (str(user.id), user.email or "", user.name, user.timezone, "admin" if user.is_admin else "")
            for user in users
        ],
    )


def change_user(
    user: UserOption = None, email: EmailOption = None, name: NameOption = None, timezone: ZoneOption = None
) -> None:
    """Change the e-mail address, name or time zone of a person."""
    wanted = {
        "email": None if email is None else _valid(Email, "--email", email),
        "name": None if name is None else _valid(Name, "--name", name),
        "timezone": None if timezone is None else _valid(TimeZoneName, "--timezone", timezone),
    }
    changes = {field: value for field, value in wanted.items() if value is not None}
    if not changes:
        raise typer.BadParameter("nothing to change: give --email, --name or --timezone")

    async def work(session: Writer) -> User:
        found = await _whose(session, user)
        await accounts.change_user(session, found, changes)
        return found

    changed = with_database(lambda database: database.write(work))
    note(f"Changed {changed.id} {changed.name} <{changed.email or 'no e-mail address'}>.")


def set_password(email: EmailArgument, *, password_stdin: FromStdin = False) -> None:
    """Set the password of a person."""
    password_hash = _hashed(_typed_password() if password_stdin else _asked_password())

    async def work(session: Writer) -> None:
        await accounts.set_password(session, await accounts.get_user(session, email), password_hash)

    with_database(lambda database: database.write(work))
    note(f"{email} has a new password.")


async def _whose(session: Writer, email: str | None) -> User:
    """On an instance that was never served the owner is made here."""
    await accounts.make_first_user(session, timezone=local_timezone())
    return await (accounts.get_first_admin(session) if email is None else accounts.get_user(session, email))


def _user_as_json(user: User) -> dict[str, Any]:
    return UserOut.model_validate(user).model_dump(mode="json")


def _typed_password() -> str:
    return sys.stdin.readline().rstrip("\r\n")


def _asked_password() -> str:
    if not sys.stdin.isatty():
        raise CliError("There is no terminal to ask for the password on; pipe it in with --password-stdin.")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _hashed(password: str) -> str:
    check_password(password)
    return asyncio.run(hash_password(password))


# --- values -----------------------------------------------------------------------------------------------------------


def _valid(kind: Any, where: str, value: str) -> str:
    try:
        return str(TypeAdapter(kind).validate_python(value))
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise typer.BadParameter(reason, param_hint=where) from None


def _iso(at: dt.datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def _local(at: dt.datetime | None) -> str:
    return "" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M}"
