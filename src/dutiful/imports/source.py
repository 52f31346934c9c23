"""What every importer makes of a foreign file, and what is said of it afterwards."""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field

from pydantic import Field

from dutiful.models import Priority, Status, When
from dutiful.vocabulary import Output


@dataclass
class SourceTask:
    """A task of another program, in our words. `where` is its pointer in the file."""

    where: str
    source_id: str
    digest: bytes
    title: str
    description: str = ""
    status: Status = Status.OPEN
    priority: Priority = Priority.NONE
    project: str | None = None
    labels: list[str] = field(default_factory=list)
    start: When | None = None
    due: When | None = None
    created_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None


class Remark(Output):
    """Something about one item of the file. `where` is an RFC 6901 pointer into it."""

    where: str
    why: str


class Kept(Output):
    """Something we have no field for, kept as a line of the description."""

    where: str
    what: str


class ImportReport(Output):
    """`left`: changed here since the last import, so not touched. `refused`: could not be taken in at all."""

    format: str
    dry_run: bool = False
    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    left: list[Remark] = Field(default=[])
    kept_as_note: list[Kept] = Field(default=[])
    refused: list[Remark] = Field(default=[])
    projects_created: list[str] = Field(default=[])
    labels_created: list[str] = Field(default=[])


def digest(item: object) -> bytes:
    """The same for the same content, whatever the order of its fields.

    By the standard library: orjson refuses numbers beyond 64 bits and half characters, which a file may well hold.
    """
    return hashlib.sha256(json.dumps(item, sort_keys=True).encode()).digest()
