"""Commands for tasks, on a running server."""

import datetime as dt
import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import typer

from dutiful import clock
from dutiful.cli import output, repetition
from dutiful.cli.client import Client, CliError, Named, Priority, Refused, Status, Task, connect
from dutiful.cli.output import Names, look_of, note, print_json, print_lines
from dutiful.plain import one_line

# --- options ----------------------------------------------------------------------------------------------------------

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        envvar="DUTIFUL_SERVER",
        metavar="URL",
        help="Address of the server; by default the one that runs here. Takes the token in DUTIFUL_TOKEN.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, as the server sends it.")]
TaskId = Annotated[int, typer.Argument(metavar="ID", min=1, help="The task's number.")]
TaskIds = Annotated[list[int], typer.Argument(metavar="ID...", min=1, help="The tasks' numbers.")]

ProjectOption = Annotated[str | None, typer.Option("--project", "-p", metavar="NAME|ID")]
LabelsOption = Annotated[
    list[str] | None,
    typer.Option("--label", "-l", metavar="NAME", help="Made when it is new; may be given several times."),
]
PriorityOption = Annotated[Priority | None, typer.Option("--priority")]
DateOption = typer.Option(
    metavar="DATE[THH:MM]", help="Such as 2026-12-01, 2026-12-01T17:00, today, tomorrow."
)
DueOption = Annotated[str | None, DateOption]
ZoneOption = Annotated[
    str | None,
    typer.Option(metavar="ZONE", help="Whose clock the time is read on, such as Europe/Berlin."),
]
RepeatOption = Annotated[
    str | None,
    typer.Option(
        "--repeat",
        metavar="WORDS|RRULE",
        help="Such as 'every friday', 'every! 2 weeks', FREQ=MONTHLY;BYMONTHDAY=31; none ends it.",
    ),
]
DescriptionOption = Annotated[
    str | None,
    typer.Option("--description", "-d", metavar="TEXT", help="In Markdown; - reads it from stdin."),
]

Sort = Literal[
    "id", "-id", "due", "-due", "priority", "-priority", "position", "-position", "updated_at", "-updated_at"
]  # fmt: skip


Kind = Literal["project", "label"]


def register(app: typer.Typer) -> None:
    app.command()(add)
    app.command("list")(list_tasks)
    app.command()(show)
    app.command()(edit)
    app.command()(done)
    app.command()(skip)
    app.command()(reopen)
    app.command()(delete)
    app.command()(projects)
    app.command()(labels)


# --- commands ---------------------------------------------------------------------------------------------------------


def add(
    title: Annotated[list[str], typer.Argument(metavar="TITLE...", help="Quotes are not needed.")],
    project: ProjectOption = None,
    label: LabelsOption = None,
    priority: PriorityOption = None,
    due: DueOption = None,
    timezone: ZoneOption = None,
    repeat: RepeatOption = None,
    description: DescriptionOption = None,
    parent: Annotated[
        int | None, typer.Option(metavar="ID", min=1, help="Make it a subtask of this.")
    ] = None,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a task; without a project it lands in the Inbox."""
    body: dict[str, Any] = {"title": " ".join(title), **_given(priority=priority, parent_id=parent)}
    body |= _given(labels_add=label, description=_text(description), due=_due(due, timezone))
    with connect(server) as client:
        place = None if project is None else _named(client, "project", project)
        if place is not None:
            body["project_id"] = place["id"]
        if repeat is not None:
            body |= repetition.fields(client, repeat, body.get("due"))
        _say("Added", client.write("POST", "tasks", body), place, as_json=as_json)


def list_tasks(
    project: ProjectOption = None,
    label: Annotated[str | None, typer.Option("--label", "-l", metavar="NAME|ID")] = None,
    status: Annotated[Literal[Status, "all"], typer.Option("--status", "-s")] = "open",
    priority: PriorityOption = None,
    search: Annotated[
        str | None,
        typer.Option(
            "--search", "-q", metavar="WORDS", help='Words in title or description; "a phrase", pre*, -not.'
        ),
    ] = None,
    expression: Annotated[
        str | None,
        typer.Option(
            "--filter",
            "-f",
            metavar="FILTER",
            help="Such as 'overdue & @home', '#garden due < today+7d', 'no date or not priority >= low'.",
        ),
    ] = None,
    due_before: Annotated[str | None, DateOption] = None,
    due_after: Annotated[str | None, DateOption] = None,
    sort: Annotated[
        Sort,
        typer.Option(metavar="KEY", help="id, due, priority, position or updated_at; -due for the reverse."),
    ] = "id",
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Not more than so many.")] = None,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """List tasks, by default all that are open."""
    filters = {"sort": sort} | _given(
        status=None if status == "all" else status,
        priority=priority,
        q=search,
        filter=expression,
        due_before=_bound(due_before, "--due-before"),
        due_after=_bound(due_after, "--due-after"),
    )
    with connect(server) as client:
        if project is not None:
            filters["project_id"] = _named(client, "project", project)["id"]
        if label is not None:
            found = _matching(client, "label", label)
            # Workspaces that are worked on together tend to have the same labels.
            filters["label"] = found[0]["id"] if len(found) == 1 else found[0]["name"]
        try:
            tasks: list[Task] = list(client.pages("tasks", filters, limit=limit))
        except Refused as error:
            raise pointed_out(error, expression or "") from None
        if as_json:
            print_json(tasks)
        elif tasks:
            print_lines(output.task_table(tasks, _names(client, tasks), look_of(sys.stdout)))
        else:
            note(_nothing(status, is_filtered=expression is not None))


def show(task_id: TaskId, server: ServerOption = None, as_json: JsonOption = False) -> None:
    """Show everything about one task."""
    with connect(server) as client:
        task = client.get(f"tasks/{task_id}")
        if as_json:
            print_json(task)
            return
        subtasks = list(client.pages("tasks", {"parent_id": task_id}))
        names = _names(client, [task])
        print_lines(output.task_sheet(task, subtasks, names, look_of(sys.stdout)))


def edit(
    task_id: TaskId,
    title: Annotated[str | None, typer.Option("--title", "-t", metavar="TEXT")] = None,
    project: ProjectOption = None,
    label: LabelsOption = None,
    remove_label: Annotated[list[str] | None, typer.Option("--remove-label", metavar="NAME")] = None,
    priority: PriorityOption = None,
    status: Annotated[Status | None, typer.Option("--status", "-s")] = None,
    due: DueOption = None,
    timezone: ZoneOption = None,
    all_day: Annotated[bool, typer.Option("--all-day", help="Drop the time of the due date.")] = False,
    no_due: Annotated[bool, typer.Option("--no-due", help="Drop the due date.")] = False,
    repeat: RepeatOption = None,
    apply_to: Annotated[
        Literal["this", "following"] | None,
        typer.Option(
            "--apply-to",
            help="Of a task that repeats: change this one alone, or all that follow too. "
            "By default dates for this one, the rest for all.",
        ),
    ] = None,
    description: DescriptionOption = None,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a task. What is not given stays: a new date alone keeps the time."""
    if no_due and (due or timezone or all_day or (repeat and repeat != "none")):
        raise typer.BadParameter("--no-due takes the date away; give it alone.")
    changes = _given(
        title=title,
        labels_add=label,
        labels_remove=remove_label,
        priority=priority,
        status=status,
        due=_due(due, timezone, all_day=all_day),
        description=_text(description),
    )
    if no_due:
        changes["due"] = None
    if not changes and project is None and repeat is None:
        raise typer.BadParameter("nothing to change; see: dutiful edit --help")
    changes |= _given(apply_to=apply_to)
    with connect(server) as client:
        place = None if project is None else _named(client, "project", project)
        if place is not None:
            changes["project_id"] = place["id"]
        if repeat is not None:
            current = client.get(f"tasks/{task_id}")["due"]
            changes |= repetition.fields(client, repeat, changes.get("due"), current)
        _say("Changed", client.write("PATCH", f"tasks/{task_id}", changes), place, as_json=as_json)


def done(task_ids: TaskIds, server: ServerOption = None, as_json: JsonOption = False) -> None:
    """Complete tasks: all of them, or none when one cannot be."""
    _set_status(task_ids, "done", "Done:", server, as_json=as_json)


def skip(task_id: TaskId, server: ServerOption = None, as_json: JsonOption = False) -> None:
    """Put a task that repeats off to the next date of its series."""
    with connect(server) as client:
        _say("Put off:", client.write("POST", f"tasks/{task_id}/skip"), None, as_json=as_json)


def reopen(task_ids: TaskIds, server: ServerOption = None, as_json: JsonOption = False) -> None:
    """Make done or cancelled tasks open again: all of them, or none."""
    _set_status(task_ids, "open", "Open again:", server, as_json=as_json)


def delete(task_ids: TaskIds, server: ServerOption = None, as_json: JsonOption = False) -> None:
    """Move tasks and their subtasks to the trash: all of them, or none when one cannot be."""
    # A subtask goes before its parent, which would take it along; it is nearly always the younger one.
    ids = sorted(set(task_ids), reverse=True)
    with connect(server) as client:
        if len(ids) == 1:
            client.write("DELETE", f"tasks/{ids[0]}")
        else:
            _all_or_none(client, ids, {"op": "delete"})
    if as_json:
        print_json({"deleted": sorted(ids)})
    else:
        what = "task" if len(ids) == 1 else "tasks"
        print_lines([f"Moved to the trash: {what} {', '.join(map(str, sorted(ids)))}"])


def projects(server: ServerOption = None, as_json: JsonOption = False) -> None:
    """List the projects."""
    _list_named("projects", server, as_json=as_json)


def labels(server: ServerOption = None, as_json: JsonOption = False) -> None:
    """List the labels."""
    _list_named("labels", server, as_json=as_json)


# --- what commands share ----------------------------------------------------------------------------------------------


def _set_status(
    task_ids: Sequence[int], status: Status, word: str, server: str | None, *, as_json: bool
) -> None:
    ids = list(dict.fromkeys(task_ids))
    change = {"status": status}
    with connect(server) as client:
        if len(ids) == 1:
            tasks = [client.write("PATCH", f"tasks/{ids[0]}", change)]
        else:
            tasks = _all_or_none(client, ids, {"op": "update", "data": change})
        if as_json:
            print_json(tasks)
            return
        for task, following in repetition.following(client, tasks):
            print_lines([f"{word} {output.task_line(task)}"])
            if following is not None:
                print_lines([f"Next: {output.task_line(following)}"])


def _all_or_none(client: Client, ids: Sequence[int], operation: Mapping[str, Any]) -> list[Any]:
    """The tasks afterwards."""
    operations = [{**operation, "type": "task", "id": task_id} for task_id in ids]
    try:
        answer = client.write("POST", "batch", operations)
    except Refused as error:
        raise CliError(f"{_by_id(error, ids)} Nothing was changed.") from None
    return [done["item"] for done in answer["items"]]


def _by_id(error: Refused, ids: Sequence[int]) -> str:
    """The server points to the operation; the person knows the task."""
    places = [re.match(r"/(\d+)", fault.pointer) for fault in error.faults]
    if not places or None in places:
        return str(error)
    return " ".join(
        f"{ids[int(place[1])]}: {fault.detail}"
        for place, fault in zip(places, error.faults, strict=True)
        if place
    )


def pointed_out(error: Refused, expression: str) -> CliError:
    fault = next((fault for fault in error.faults if fault.position is not None), None)
    if fault is None:
        return error
    position = fault.position or 0
    return CliError(
        "\n".join([str(error), *output.marked(expression, [(position, position + fault.length)])])
    )


def _nothing(status: str, *, is_filtered: bool) -> str:
    if status == "all":
        return "No tasks."
    hint = " --status all asks of the others too." if is_filtered else ""
    return f"No {status} tasks.{hint}"


def _say(word: str, task: Task, project: Named | None, *, as_json: bool) -> None:
    if as_json:
        print_json(task)
    else:
        print_lines([f"{word} {output.task_line(task, project['name'] if project else '')}"])


def _list_named(kind: Literal["projects", "labels"], server: str | None, *, as_json: bool) -> None:
    with connect(server) as client:
        things = list(client.pages(kind))
    if as_json:
        print_json(things)
    elif things:
        print_lines(output.name_table(things, look_of(sys.stdout)))
    else:
        note(f"No {kind}.")


def _names(client: Client, tasks: Sequence[Task]) -> Names:
    has_labels = any(task["label_ids"] for task in tasks)
    return Names(
        projects={project["id"]: project["name"] for project in client.pages("projects")},
        labels={label["id"]: label["name"] for label in client.pages("labels")} if has_labels else {},
    )


def _named(client: Client, kind: Kind, wanted: str) -> Named:
    found = _matching(client, kind, wanted)
    if len(found) > 1:
        which = ", ".join(f"{thing['id']} in workspace {thing['workspace_id']}" for thing in found)
        raise CliError(f'Several {kind}s are called "{one_line(wanted)}": {which}. Give the id.')
    return found[0]


def _matching(client: Client, kind: Kind, wanted: str) -> list[Named]:
    """By id or by name, whatever its case; never empty."""
    things: list[Named] = list(client.pages(f"{kind}s"))
    # An id comes first: a thing whose name is a number can still be named by its own id.
    found = [thing for thing in things if str(thing["id"]) == wanted]
    found = found or [thing for thing in things if thing["name"].casefold() == wanted.casefold()]
    if not found:
        raise CliError(f'There is no {kind} "{one_line(wanted)}". {_candidates(kind, wanted, things)}')
    return found


def _candidates(kind: Kind, wanted: str, things: Sequence[Named]) -> str:
    names = {thing["name"].casefold(): one_line(thing["name"]) for thing in things}
    if close := difflib.get_close_matches(wanted.casefold(), names, n=3):
        return f"Did you mean {' or '.join(names[name] for name in close)}?"
    if not names:
        return f"There are no {kind}s yet."
    shown = sorted(names.values())[:10]
    return f"There are: {', '.join(shown)}{' ...' if len(names) > 10 else ''}"


# --- reading what was given -------------------------------------------------------------------------------------------


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _text(description: str | None) -> str | None:
    return sys.stdin.read() if description == "-" else description


def _due(given: str | None, timezone: str | None, *, all_day: bool = False) -> dict[str, Any] | None:
    """The fields that were given, in the words of the API."""
    fields = _given(timezone=timezone)
    if given is not None:
        date, time = _moment(given, "--due")
        fields |= _given(date=date, time=time)
    if all_day:
        if timezone is not None or "time" in fields:
            raise typer.BadParameter("--all-day means no time; leave the time and --timezone out.")
        fields |= {"time": None, "timezone": None}
    return fields or None


def _bound(given: str | None, option: str) -> str | None:
    return given and "T".join(part for part in _moment(given, option) if part)


def _moment(given: str, option: str) -> tuple[str, str | None]:
    """Date and time as the API writes them."""
    parts = re.fullmatch(r"(\S+?)(?:[T ](\d\d:\d\d(?::\d\d)?))?", given.strip())
    try:
        if parts is None:
            raise ValueError(given)
        date, time = _date(parts[1]), parts[2]
        if time is not None:
            dt.time.fromisoformat(time)
    except ValueError:
        raise typer.BadParameter(
            f'"{one_line(given)}" is not a date such as 2026-12-01, 2026-12-01T17:00, today or tomorrow',
            param_hint=option,
        ) from None
    return date.isoformat(), time


def _date(word: str) -> dt.date:
    today = clock.now().astimezone().date()
    days_ahead = {"today": 0, "tomorrow": 1}.get(word.lower())
    if days_ahead is not None:
        return today + dt.timedelta(days=days_ahead)
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", word):
        raise ValueError(word)
    return dt.date.fromisoformat(word)
