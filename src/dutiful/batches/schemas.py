from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from dutiful.vocabulary import EntityId, Input, Output, VersionNumber

Ref = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,50}$")]
RefUse = Annotated[str, StringConstraints(pattern=r"^\$[A-Za-z0-9_-]{1,50}$")]
TypeName = Literal["task", "project", "section", "label"]


class Operation(Input):
    """`ref` names what a `create` makes, for the operations after it. `version` is the one that the thing must have
    before the batch."""

    op: Literal["create", "update", "move", "delete"]
    type: TypeName
    ref: Ref | None = None
    id: EntityId | RefUse | None = None
    version: VersionNumber | None = None
    data: dict[str, Any] = Field(default={})


class OperationDone(Output):
    """`item` is the thing after the whole batch; null when it was deleted."""

    op: str
    type: str
    id: int
    ref: str | None
    item: dict[str, Any] | None


class BatchDone(Output):
    count: int
    items: list[OperationDone]
