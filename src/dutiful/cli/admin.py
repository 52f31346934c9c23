"""`dutiful token`: straight on the database, for the person who runs the server."""

import datetime as dt
from typing import Annotated, Any

import typer

from dutiful import clock
from dutiful.accounts import service as accounts
from dutiful.cli.instance import with_database
from dutiful.cli.options import JsonOption, UserOption
from dutiful.cli.output import note, print_json
from dutiful.cli.rows import print_rows
from dutiful.cli.values import iso, local, valid, whose
from dutiful.database.session import Database, Writer
from dutiful.models import Scope, Token, User
from dutiful.vocabulary import Name


def register(app: typer.Typer) -> None:
    token = typer.Typer(no_args_is_help=True)
    token.command("create")(create_token)
    token.command("list")(list_tokens)
    token.command("revoke")(revoke_token)
    app.add_typer(token, name="token", help="API tokens: make, list and revoke them.")


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
    title = valid(Name, "NAME", name)
    scopes = scope or [Scope.READ, Scope.WRITE]
    expires_at = _end_of(expires)

    async def work(session: Writer) -> tuple[Token, str]:
        owner = await whose(session, user)
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
                local(token.last_used_at),
                local(token.expires_at),
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
        "expires_at": iso(token.expires_at),
        "last_used_at": iso(token.last_used_at),
        "created_at": iso(token.created_at),
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
