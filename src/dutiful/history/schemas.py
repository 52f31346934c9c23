import uuid
from datetime import datetime
from enum import StrEnum

from pydantic import StrictBool

from dutiful.changes.schemas import ChangeOut
from dutiful.vocabulary import Input, Output


class UndoWanted(Input):
    """`request`: not this change alone, but all that its request did."""

    request: StrictBool = False


class DoneOut(Output):
    """How often a verb was done, and what the first thing it was done to is called now; null when that is gone."""

    verb: str
    count: int
    name: str | None


class UndoneOut(Output):
    """The new changes. `took_back` says in short what they took back."""

    items: list[ChangeOut]
    count: int
    took_back: list[DoneOut]


class Standing(StrEnum):
    """What became of a request since."""

    DONE = "done"
    PARTLY_UNDONE = "partly_undone"
    UNDONE = "undone"


class RequestOut(Output):
    """What one request did, in the workspaces you see. `change_id` is its first change: to take the request back is
    `POST /changes/{change_id}/undo` with `{"request": true}`.

    `undoable` says that it is of a kind that can be taken back, and was not yet. Later changes may still be in the way.
    """

    request_id: uuid.UUID
    change_id: str
    at: datetime
    workspace_ids: list[int]
    count: int
    did: list[DoneOut]
    is_undo: bool
    standing: Standing
    undoable: bool


class RequestPage(Output):
    items: list[RequestOut]
    count: int
