"""What `--repeat` asks for, and what comes after a task that repeats and was done."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dutiful.cli.client import PAGE, Client, CliError, Fault, Refused, Task, When


def fields(
    client: Client, repeat: str, due: Mapping[str, Any] | None, current: When | None = None
) -> dict[str, Any]:
    """The fields of a task that is to repeat so; `due` is what was given beside it, `current` what the task has.

    A rule goes to the server as it is. Words may name a time and a first day as well, which count where neither was given.
    """
    if repeat.strip().casefold() == "none":
        return {"recurrence": None}
    if repeat.strip().upper().startswith(("FREQ=", "RRULE:")):
        return {"recurrence": {"rrule": repeat}}
    first = _understood(client, repeat, None)["items"][0]
    time = {"time": first["time"]} if first["time"] else {}
    wanted = {**(current or first), **time, **(due or {})}
    understood = _understood(client, repeat, wanted)
    return {"recurrence": {name: understood[name] for name in ("rrule", "anchor")}, "due": wanted}


def _understood(client: Client, words: str, due: Mapping[str, Any] | None) -> Any:
    try:
        return client.write("POST", "recurrence/preview", {"text": words, "due": due, "count": 1})
    except Refused as error:
        # The person gave an option, not the field `text`.
        faults = [
            Fault("/--repeat", fault.detail) if fault.pointer == "/text" else fault for fault in error.faults
        ]
        raise CliError("; ".join(map(str, faults)) or str(error)) from None


def following(client: Client, done: Sequence[Task]) -> Iterator[tuple[Task, Task | None]]:
    """Each task with the next of its series, if that was made now: it is in the same project, and not older."""
    for task in done:
        yield task, _next(client, task) if task["recurrence"] and task["completed_at"] else None


def _next(client: Client, task: Task) -> Task | None:
    since = {"project_id": task["project_id"], "status": "open", "updated_after": task["completed_at"]}
    made: Iterator[Task] = client.pages("tasks", since, limit=PAGE)
    return next((one for one in made if one["series_id"] == task["series_id"]), None)
