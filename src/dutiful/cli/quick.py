"""`dutiful quick`: a task from one line, as it is said."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from dutiful.cli import output
from dutiful.cli.client import Refused, connect
from dutiful.cli.output import print_json, print_lines
from dutiful.cli.tasks import JsonOption, ServerOption, ZoneOption, pointed_out
from dutiful.plain import one_line


def register(app: typer.Typer) -> None:
    app.command()(quick)


def quick(
    text: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT...",
            help="Such as 'Pay rent every 1st at 9:00 #Home @bank !high //from the joint account'; "
            "in single quotes, since # and ! mean something to a shell.",
        ),
    ],
    preview: Annotated[bool, typer.Option("--preview", help="Show what is understood; add nothing.")] = False,
    workspace: Annotated[
        int | None,
        typer.Option(metavar="ID", min=1, help="Where it goes, and its project is looked for."),
    ] = None,
    timezone: ZoneOption = None,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a task by one line, with its dates, repetition, #project, @labels, !priority and //description."""
    line = " ".join(text)
    body = {"text": line, "workspace_id": workspace, "timezone": timezone, "preview": preview}
    with connect(server) as client:
        try:
            answer = client.write("POST", "tasks/quick", body)
        except Refused as error:
            raise pointed_out(error, line) from None
    if as_json:
        print_json(answer)
    elif preview:
        places = [(span["start"], span["end"]) for span in answer["spans"]]
        print_lines([*output.marked(line, places), "", *_understood(answer["task"])])
    else:
        project = next((span["value"] for span in answer["spans"] if span["kind"] == "project"), "")
        print_lines([f"Added {output.task_line(answer['task'], project)}"])


def _understood(said: Mapping[str, Any]) -> Iterator[str]:
    facts = {
        "title": said["title"],
        "due": output.due_in_full(said["due"]),
        "repeats": said["recurrence"]["text"] if said["recurrence"] else "",
        "priority": "" if said["priority"] == "none" else said["priority"],
        "project": said["project"] or "",
        "labels": ", ".join(said["labels"]),
        "text": said["description"],
    }
    for name, fact in facts.items():
        if fact:
            yield f"  {name:<9} {one_line(fact)}"
