"""Labels: words on tasks."""

from typing import ClassVar

from sqlalchemy import ForeignKey, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from dutiful.database.base import Base
from dutiful.models.journaled import Journaled, Trashable


class Label(Journaled, Trashable, Base):
    __tablename__ = "labels"
    __table_args__ = (
        Index(
            "uq_labels_workspace_id_name_lower",
            "workspace_id",
            func.lower(text("name")),
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )
    entity: ClassVar = "label"
    journal_fields: ClassVar = ("name", "color", "created_by", "deleted_at")

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    color: Mapped[str | None] = mapped_column(String(7))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
