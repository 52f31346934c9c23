import uuid
from datetime import datetime

from pydantic import Field

from dutiful.database.types import JsonObject
from dutiful.vocabulary import Output


class ChangeOut(Output):
    """One line of a workspace's journal. `before` and `after` hold the fields that changed, `before` is null for a
    creation, `after` for what is gone for good; `version` is that of the thing afterwards; `undo_of` is the id of the
    change that this one takes back."""

    id: str
    workspace_id: int
    seq: int
    at: datetime
    user_id: int | None
    verb: str
    entity: str
    entity_id: int
    version: int
    before: JsonObject | None
    after: JsonObject | None
    request_id: uuid.UUID
    undo_of: str | None = Field(validation_alias="undone_id")


class ChangePage(Output):
    """A piece of the feed. `next_cursor` is never null: ask again with it as `after`, now or later."""

    items: list[ChangeOut]
    count: int
    next_cursor: str
