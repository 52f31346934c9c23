"""`dutiful user`: straight on the database, for the person who runs the server."""

import asyncio
import json
import sys
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from dutiful.accounts import administration, erasure, password_changes, password_resets
from dutiful.accounts import service as accounts
from dutiful.accounts.administration import Account
from dutiful.accounts.password_resets import Link
from dutiful.accounts.passwords import check_password, hash_password
from dutiful.accounts.schemas import AccountEventOut, AccountOut
from dutiful.cli.client import CliError
from dutiful.cli.here import local_timezone
from dutiful.cli.instance import with_database
from dutiful.cli.options import JsonOption, UserOption
from dutiful.cli.output import note, print_json
from dutiful.cli.rows import print_rows
from dutiful.cli.values import iso, local, valid, whose
from dutiful.database.session import Database, Writer
from dutiful.datafolder import DataFolder
from dutiful.models import AccountEvent, User
from dutiful.paging import Slice
from dutiful.settings import Settings, load_settings
from dutiful.vocabulary import Email, Name, TimeZoneName

EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL")]
NameOption = Annotated[str | None, typer.Option(metavar="NAME")]
EmailOption = Annotated[str | None, typer.Option(metavar="EMAIL")]
ZoneOption = Annotated[str | None, typer.Option(metavar="ZONE", help="Such as Europe/Berlin.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin instead of asking for it.")
]


def register(app: typer.Typer) -> None:
    user = typer.Typer(no_args_is_help=True)
    user.command("create")(create_user)
    user.command("list")(list_users)
    user.command("set")(change_user)
    user.command("password")(set_password)
    user.command("reset")(reset_password)
    user.command("disable")(disable_user)
    user.command("enable")(enable_user)
    user.command("erase")(erase_user)
    user.command("events")(list_events)
    app.add_typer(user, name="user", help="People: add, list and change them, their passwords, their end.")


def create_user(
    email: EmailArgument,
    name: NameOption = None,
    timezone: ZoneOption = None,
    *,
    admin: Annotated[bool, typer.Option("--admin", help="May administer this server.")] = False,
    password_stdin: FromStdin = False,
) -> None:
    """Add a person, with a workspace and an Inbox of their own.

    Without --password-stdin they have no password yet: see `dutiful user reset` for a link with which they set one, or
    `dutiful user password`.
    """
    address = valid(Email, "EMAIL", email)
    called = valid(Name, "--name", name if name is not None else address.partition("@")[0])
    zone = valid(TimeZoneName, "--timezone", timezone if timezone is not None else local_timezone())
    password_hash = _hashed(_typed_password(), called, address) if password_stdin else None

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
        [(str(user.id), user.email or "", user.name, user.timezone, _state(user)) for user in users],
    )


def _state(user: User) -> str:
    if user.erased_at is not None:
        return "erased"
    words = {"admin": user.is_admin, "disabled": user.disabled_at is not None}
    return ", ".join(word for word, holds in words.items() if holds)


def change_user(
    user: UserOption = None,
    email: EmailOption = None,
    name: NameOption = None,
    timezone: ZoneOption = None,
    *,
    admin: Annotated[
        bool | None, typer.Option("--admin/--no-admin", help="May, or may not, administer this server.")
    ] = None,
) -> None:
    """Change the e-mail address, name, time zone or rights of a person."""
    wanted = {
        "email": None if email is None else valid(Email, "--email", email),
        "name": None if name is None else valid(Name, "--name", name),
        "timezone": None if timezone is None else valid(TimeZoneName, "--timezone", timezone),
        "is_admin": admin,
    }
    changes = {field: value for field, value in wanted.items() if value is not None}
    if not changes:
        raise typer.BadParameter("nothing to change: give --email, --name, --timezone or --admin")

    async def work(session: Writer) -> User:
        found = await administration.get_for_write(session, (await whose(session, user)).id)
        await administration.change(session, found, changes, None)
        return found

    changed = with_database(lambda database: database.write(work))
    note(f"Changed {changed.id} {changed.name} <{changed.email or 'no e-mail address'}>.")


# --- passwords --------------------------------------------------------------------------------------------------------


def set_password(email: EmailArgument, *, password_stdin: FromStdin = False) -> None:
    """Set the password of a person. Ends their sign-ins; their API tokens stay."""
    password = _typed_password() if password_stdin else _asked_password()
    check_password(password, email)

    async def work(database: Database) -> None:
        user = await _find(database, email)
        await password_changes.set_password(
            database, user.id, await hash_password(password, user.name, user.email)
        )

    with_database(work)
    note(f"{email} has a new password.")


def reset_password(email: EmailArgument, *, as_json: JsonOption = False) -> None:
    """Make a link with which a person sets a new password: good for a day, and once. Hand it to nobody else."""

    async def work(database: Database) -> tuple[Settings, Link]:
        settings = _settings_with_key()

        async def give(session: Writer) -> Link:
            user = await administration.get_for_write(session, (await accounts.get_user(session, email)).id)
            return await password_resets.give(session, user, None, settings)

        return settings, await database.write(give)

    settings, link = with_database(work)
    if as_json:
        print_json({"token": link.token, "link": link.link, "expires_at": iso(link.expires_at)})
        return
    print(link.link or link.token)
    body = json.dumps({"token": "…", "password": "…"}, ensure_ascii=False)
    where = f"{settings.base_url or ''}/api/v1/password-resets/use"
    note(f"Good until {local(link.expires_at)}. A program sets the password with POST {where} {body}")


def _settings_with_key() -> Settings:
    settings = load_settings()
    if settings.secret_key is not None:
        return settings
    key = SecretStr(DataFolder(settings.data_dir).secret_key())
    return settings.model_copy(update={"secret_key": key})


# --- the end, for a while or for good ---------------------------------------------------------------------------------


def disable_user(email: EmailArgument) -> None:
    """Keep a person out, at once, whatever tokens they have. Nothing of theirs is lost."""

    async def work(database: Database) -> None:
        user = await _find(database, email)
        await administration.stop(database, None, user.id)
        await database.write(lambda session: administration.wait_for_writes(session, user.id))

    with_database(work)
    note(f"{email} is disabled. To undo it: dutiful user enable {email}")


def enable_user(email: EmailArgument) -> None:
    """Let a disabled person in again."""

    async def work(database: Database) -> None:
        user = await _find(database, email)
        await database.write(lambda session: administration.enable(session, None, user.id))

    with_database(work)
    note(f"{email} is enabled.")


def erase_user(
    email: EmailArgument, *, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Forget a person, for good: their account, their own workspaces, and what tells who they were.

    What they wrote in workspaces shared with others stays there, under “Deleted user”. Backups made before keep them.
    """
    if not yes:
        if not sys.stdin.isatty():
            raise CliError("There is no terminal to ask on; add --yes to erase without being asked.")
        typer.confirm(
            f"Erase {email} for good, with every workspace that is theirs alone?", abort=True, err=True
        )

    async def work(database: Database) -> None:
        user = await _find(database, email)
        await erasure.erase_at_once(database, user.id)

    with_database(work)
    note(f"{email} is erased.")


# --- what happened ----------------------------------------------------------------------------------------------------


def list_events(
    email: EmailArgument,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="How many, the latest first.")
    ] = 50,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what happened to an account: sign-ins, tokens, passwords, rights."""

    async def work(database: Database) -> list[AccountEvent]:
        user = await _find(database, email)
        async with database.read() as session:
            events, _ = await administration.page_events(session, user.id, Slice(limit))
            return list(events)

    events = with_database(work)
    if as_json:
        print_json([AccountEventOut.model_validate(event).model_dump(mode="json") for event in events])
        return
    print_rows(["WHEN", "WHAT", "BY", "DETAILS"], [_event_row(event) for event in events])


def _event_row(event: AccountEvent) -> tuple[str, ...]:
    details = ", ".join(f"{name}: {value}" for name, value in event.details.items() if value is not None)
    return (local(event.at), event.verb, str(event.actor_id or ""), details)


# --- values -----------------------------------------------------------------------------------------------------------


async def _find(database: Database, email: str) -> User:
    async with database.read() as session:
        return await accounts.get_user(session, email)


def _user_as_json(user: User) -> dict[str, Any]:
    return AccountOut.model_validate(Account.of(user)).model_dump(mode="json")


def _typed_password() -> str:
    return sys.stdin.readline().rstrip("\r\n")


def _asked_password() -> str:
    if not sys.stdin.isatty():
        raise CliError("There is no terminal to ask for the password on; pipe it in with --password-stdin.")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _hashed(password: str, *about: str) -> str:
    check_password(password, *about)
    return asyncio.run(hash_password(password, *about))
