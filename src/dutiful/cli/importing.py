"""`dutiful import`: a file of another program into a workspace of a running server."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dutiful.cli.client import CliError, connect
from dutiful.cli.output import print_json, print_lines
from dutiful.cli.plain import one_line
from dutiful.cli.tasks import JsonOption, ServerOption

Format = Literal["taskwarrior"]
Report = Mapping[str, Any]


def register(app: typer.Typer) -> None:
    app.command("import")(import_file)


def import_file(
    file_format: Annotated[
        Format, typer.Argument(metavar="FORMAT", help="taskwarrior (the output of `task export`)")
    ],
    file: Annotated[str, typer.Argument(metavar="FILE", help="- reads stdin.")],
    workspace: Annotated[
        int | None, typer.Option(metavar="ID", min=1, help="By default your personal workspace.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be done; change nothing.")
    ] = False,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Where the file was made, such as Europe/Berlin.")
    ] = None,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import tasks of another program: all at once, or nothing. Doing it again updates what was imported before."""
    content = _content(file)
    query = {"workspace_id": workspace, "dry_run": str(dry_run).lower(), "timezone": timezone}
    with connect(server) as client:
        report = client.upload(
            f"imports/{file_format}",
            content,
            {name: value for name, value in query.items() if value is not None},
        )
    if as_json:
        print_json(report)
    else:
        print_lines(list(_told(report)))
    if report["refused"]:
        raise typer.Exit(1)


def _content(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}.") from None


def _told(report: Report) -> Iterator[str]:
    counts = ", ".join(f"{report[count]} {count}" for count in ("created", "updated", "unchanged"))
    yield f"Read {report['read']} tasks: {counts}, {len(report['left'])} left out, {len(report['refused'])} refused."
    yield from _made("New projects", report["projects_created"])
    yield from _made("New labels", report["labels_created"])
    yield from _section("Kept as a note in the description:", report["kept_as_note"], "what")
    yield from _section("Left out:", report["left"], "why")
    yield from _section("Refused:", report["refused"], "why")
    if report["dry_run"]:
        yield "This was a dry run: nothing was changed."


def _made(heading: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"{heading}: {', '.join(map(one_line, names))}"


def _section(heading: str, entries: Sequence[Mapping[str, str]], reason: str) -> Iterator[str]:
    if entries:
        yield heading
    for entry in entries:
        yield f"  {one_line(entry['where'])}: {one_line(entry[reason])}"
