"""Radicale, a CalDAV server that keeps each task in a file: what it is started with and asked."""

import uuid
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from benchmarks.facts import PAGE, Facts
from benchmarks.load import Line, Plan
from benchmarks.work import Ground

CONFIGURATION = """
[server]
hosts = 127.0.0.1:{port}
# Of the usual eight connections, half of the benchmark's would wait for a second at a time.
max_connections = 100
[auth]
type = none
[storage]
filesystem_folder = {folder}
[logging]
level = warning
"""
_TASK = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//benchmark//EN\r\nBEGIN:VTODO\r\nUID:{uid}\r\n"
    "DTSTAMP:20261122T100000Z\r\nSUMMARY:{title}\r\nPRIORITY:3\r\nSTATUS:NEEDS-ACTION\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
)
_COLLECTION = '{"tag": "VCALENDAR", "C:supported-calendar-component-set": "VTODO"}'
_QUERY = (
    '<?xml version="1.0"?><C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
    "<prop><getetag/><C:calendar-data/></prop><C:filter><C:comp-filter name='VCALENDAR'>"
    "<C:comp-filter name='VTODO'/></C:comp-filter></C:filter></C:calendar-query>"
)
# Its answer to a PUT is empty.
_ANY = "^(%d*)"


def prepare(facts: Facts, folder: Path, port: int) -> None:
    """A collection of fifty tasks for each person, and an empty one for new tasks."""
    for number in range(len(facts.world.people)):
        home = folder / "collection-root" / f"person-{number}"
        for name in ("tasks", "new"):
            (home / name).mkdir(parents=True, exist_ok=True)
            (home / name / ".Radicale.props").write_text(_COLLECTION)
        for uid, title in _tasks(number):
            (home / "tasks" / f"{uid}.ics").write_text(_TASK.format(uid=uid, title=title), newline="")
    (folder / "config").write_text(CONFIGURATION.format(port=port, folder=folder))


def _tasks(number: int) -> Iterator[tuple[str, str]]:
    for at in range(PAGE):
        yield f"task-{number}-{at}", f"Call plumber about invoice {at}"


async def listing(ground: Ground) -> Plan:
    lines = [
        Line(
            f"/person-{number}/tasks/",
            str(number),
            (f"UID:task-{number}-0", f"UID:task-{number}-{PAGE - 1}"),
            _credentials(number),
            _QUERY,
        )
        for number in range(len(ground.facts.world.people))
    ]
    return Plan("REPORT", 207, lines * 20, "/person%-(%d+)/", content_type="application/xml", scheme="Basic")


async def creating(ground: Ground) -> Plan:
    """Each task under a name of its own: to write over one that is there would be less work."""
    lines = []
    for at in range(20_000):
        number, uid = at % len(ground.facts.world.people), uuid.uuid4()
        # A line of the plan ends with the line, so what stands in for the ends of lines is put in when it is sent.
        body = _TASK.format(uid=uid, title=f"Call plumber about invoice {at}").replace("\r\n", "\\n")
        lines.append(Line(f"/person-{number}/new/{uid}.ics", "", (), _credentials(number), body))
    return Plan("PUT", 201, lines, _ANY, content_type="text/calendar", scheme="Basic")


def _credentials(number: int) -> str:
    """It believes everybody, but wants to know who it is."""
    return b64encode(f"person-{number}:x".encode()).decode()
