"""`dutiful undo`: takes back what was done, request by request."""

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TypedDict

import typer

from dutiful.cli.client import Client, CliError, connect
from dutiful.cli.output import Cell, Column, Look, instant_text, look_of, note, print_json, print_lines, table
from dutiful.cli.tasks import JsonOption, ServerOption
from dutiful.plain import one_line

MOST = 100
SHOWN = 20
DIM = "2"


class Done(TypedDict):
    verb: str
    count: int
    name: str | None


class Request(TypedDict):
    """What the command uses of a request; the server sends more."""

    change_id: str
    at: str
    did: list[Done]
    is_undo: bool
    standing: str
    undoable: bool


def register(app: typer.Typer) -> None:
    app.command()(undo)


def undo(
    change: Annotated[
        str | None,
        typer.Argument(
            metavar="CHANGE", help="A change of the request to take back, as --list shows it, such as 1-42."
        ),
    ] = None,
    only: Annotated[
        bool, typer.Option("--only", help="Take back CHANGE alone, not all of its request.")
    ] = False,
    list_them: Annotated[
        bool, typer.Option("--list", help="Show what you did last; change nothing.")
    ] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=MOST, help="How many to list.")] = SHOWN,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back the latest thing you did that was not taken back; again, the one before it. Or a given change."""
    if only and change is None:
        raise typer.BadParameter("--only needs a CHANGE; see: dutiful undo --list")
    if list_them and change is not None:
        raise typer.BadParameter("--list shows your own latest; leave CHANGE out.")
    with connect(server) as client:
        if list_them:
            _list(client, limit, as_json=as_json)
        else:
            _take_back(client, change or _latest(client), whole=not only, as_json=as_json)


def _latest(client: Client) -> str:
    for request in _requests(client, MOST):
        if request["undoable"] and not request["is_undo"]:
            return request["change_id"]
    raise CliError("There is nothing to take back. `dutiful undo --list` shows what you did last.")


def _requests(client: Client, limit: int) -> list[Request]:
    found: list[Request] = client.get(f"changes/latest?limit={limit}")["items"]
    return found


def _take_back(client: Client, change: str, *, whole: bool, as_json: bool) -> None:
    undone = client.write("POST", f"changes/{_checked(change)}/undo", {"request": whole})
    if as_json:
        print_json(undone)
    else:
        print_lines(["Took back:", *(f"  {line}" for line in in_words(undone["took_back"]))])


def _checked(change: str) -> str:
    workspace, dash, number = change.partition("-")
    if not (
        dash and workspace.isascii() and workspace.isdecimal() and number.isascii() and number.isdecimal()
    ):
        raise typer.BadParameter(
            f'"{one_line(change)}" is not the id of a change, such as 1-42; see: dutiful undo --list',
            param_hint="CHANGE",
        )
    return change


def _list(client: Client, limit: int, *, as_json: bool) -> None:
    requests = _requests(client, limit)
    if as_json:
        print_json(requests)
    elif requests:
        print_lines(_table(requests, look_of(sys.stdout)))
    else:
        note("You have done nothing yet.")


def _table(requests: Sequence[Request], look: Look) -> list[str]:
    columns = [Column("CHANGE"), Column("WHEN"), Column("WHAT", 16), Column("")]
    return table(columns, [_row(request) for request in requests], look)


def _row(request: Request) -> list[Cell]:
    cells = [
        Cell(request["change_id"], DIM),
        Cell(instant_text(request["at"])),
        Cell(", ".join(in_words(request["did"]))),
        Cell(_standing(request)),
    ]
    return [Cell(cell.text, DIM) for cell in cells] if request["standing"] == "undone" else cells


def _standing(request: Request) -> str:
    if request["standing"] != "done":
        return "taken back" if request["standing"] == "undone" else "partly taken back"
    if request["is_undo"]:
        return "undo"
    return "" if request["undoable"] else "cannot be taken back"


def in_words(did: Sequence[Done]) -> list[str]:
    """`project "Home" deleted`, `500 tasks deleted`."""
    return list(_phrases(did))


def _phrases(did: Sequence[Done]) -> Iterator[str]:
    for done in _merged(did):
        thing, _, verb = done["verb"].partition(".")
        verb = verb.replace("_", " ")
        if done["count"] > 1:
            plural = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"
            yield f"{done['count']} {plural} {verb}"
        elif done["name"] is None:
            yield f"{thing} {verb}"
        else:
            yield f'{thing} "{one_line(done["name"])}" {verb}'


def _merged(did: Sequence[Done]) -> list[Done]:
    """The same verb in several workspaces is told once."""
    merged: dict[str, Any] = {}
    for done in did:
        if done["verb"] in merged:
            merged[done["verb"]]["count"] += done["count"]
        else:
            merged[done["verb"]] = dict(done)
    return list(merged.values())
