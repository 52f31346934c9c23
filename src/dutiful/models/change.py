"""The journal: every change of every workspace, numbered in the order of commit."""

import uuid

from sqlalchemy import BigInteger, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from dutiful.database.base import Base
from dutiful.database.types import BigInt, Instant, JsonObject


class Change(Base):
    """`before` and `after` hold the fields that changed; `version` is that of the thing afterwards."""

    __tablename__ = "changes"
    __table_args__ = (
        # For undoing: what became of a thing since, and what else a request did.
        Index("ix_changes_entity", "workspace_id", "entity", "entity_id"),
        Index("ix_changes_request_id", "request_id"),
        # The latest requests of a person. A request is one key of it, however many changes it made.
        Index("ix_changes_user_id", "user_id", "at", "request_id"),
        Index("ix_changes_undo_of", "workspace_id", "undo_of", postgresql_where=text("undo_of IS NOT NULL")),
    )

    workspace_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[Instant]
    # A plain number: the journal outlives the account.
    user_id: Mapped[BigInt | None]
    verb: Mapped[str] = mapped_column(String(50))
    entity: Mapped[str] = mapped_column(String(20))
    entity_id: Mapped[BigInt]
    version: Mapped[int]
    before: Mapped[JsonObject | None] = mapped_column(JSONB)
    after: Mapped[JsonObject | None] = mapped_column(JSONB)
    request_id: Mapped[uuid.UUID]
    # The seq of the change that this one takes back, in the same journal.
    undo_of: Mapped[BigInt | None]

    @property
    def id(self) -> str:
        return f"{self.workspace_id}-{self.seq}"

    @property
    def undone_id(self) -> str | None:
        return None if self.undo_of is None else f"{self.workspace_id}-{self.undo_of}"
