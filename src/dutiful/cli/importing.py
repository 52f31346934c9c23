"""`dutiful import`: a file of another program into a workspace of a running server."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dutiful.cli.client import CliError, connect
from dutiful.cli.output import print_json, print_lines
from dutiful.cli.tasks import JsonOption, ServerOption
from dutiful.plain import one_line

Format = Literal["taskwarrior"]
Report = Mapping[str, Any]

MOST_REMARKS = 20


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
    counts = [f"{report[count]} {count}" for count in ("created", "updated", "unchanged")]
    counts += [f"{len(report[entries])} {entries}" for entries in ("left", "refused")]
    yield f"Read {report['read']}: {', '.join(counts)}"
    yield from _made("New projects", report["projects_created"])
    yield from _made("New labels", report["labels_created"])
    yield from _made("Kept as a note in the description", _fields(report["kept_as_note"]))
    yield from _section("Left:", report["left"])
    yield from _section("Refused:", report["refused"])
    if report["dry_run"]:
        yield "This was a dry run: nothing was changed."


def _fields(kept: Sequence[Mapping[str, str]]) -> list[str]:
    """Each field that became a note, with the number of tasks it did so for; the most frequent first."""
    tasks: dict[str, set[str]] = {}
    for note in kept:
        tasks.setdefault(note["what"].partition(":")[0], set()).add(note["where"])
    counts = sorted(((field, len(where)) for field, where in tasks.items()), key=lambda count: -count[1])
    return [
        f"{field} ({count}{'' if at else ' task' if count == 1 else ' tasks'})"
        for at, (field, count) in enumerate(counts)
    ]


def _made(heading: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"{heading}: {', '.join(map(one_line, names))}"


def _section(heading: str, remarks: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if remarks:
        yield heading
    for remark in remarks[:MOST_REMARKS]:
        yield f"  {one_line(remark['where'])}: {one_line(remark['why'])}"
    if len(remarks) > MOST_REMARKS:
        yield f"  and {len(remarks) - MOST_REMARKS} more; --json tells of all"
