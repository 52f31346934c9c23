"""The journal: every change of every workspace, numbered in the order of commit."""

import uuid

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from dutiful.database.base import Base
from dutiful.database.types import BigInt, Instant, JsonObject


class Change(Base):
    """`before` and `after` hold the fields that changed; `version` is that of the thing afterwards."""

    __tablename__ = "changes"

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

    @property
    def id(self) -> str:
        return f"{self.workspace_id}-{self.seq}"
