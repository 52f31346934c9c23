"""Projects and their sections: where tasks are kept in order."""

from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from dutiful.database.base import Base
from dutiful.database.types import BigInt, PositionKey
from dutiful.models.journaled import Journaled, Trashable

NOT_DELETED = text("deleted_at IS NULL")


class Project(Journaled, Trashable, Base):
    __tablename__ = "projects"
    __table_args__ = (
        # The target of composite foreign keys: a task cannot name a project of another workspace.
        UniqueConstraint("workspace_id", "id"),
        Index(
            "uq_projects_workspace_id_name_lower",
            "workspace_id",
            func.lower(text("name")),
            unique=True,
            postgresql_where=NOT_DELETED,
        ),
        Index("uq_projects_position", "workspace_id", "position", unique=True, postgresql_where=NOT_DELETED),
    )
    entity: ClassVar = "project"
    journal_fields: ClassVar = ("name", "color", "archived", "position", "created_by", "deleted_at")

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    color: Mapped[str | None] = mapped_column(String(7))
    archived: Mapped[bool] = mapped_column(default=False)
    position: Mapped[str] = mapped_column(PositionKey)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))


class Section(Journaled, Trashable, Base):
    __tablename__ = "sections"
    __table_args__ = (
        UniqueConstraint("project_id", "id"),
        ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], ondelete="CASCADE"
        ),
        Index(
            "uq_sections_project_id_name_lower",
            "project_id",
            func.lower(text("name")),
            unique=True,
            postgresql_where=NOT_DELETED,
        ),
        Index("uq_sections_position", "project_id", "position", unique=True, postgresql_where=NOT_DELETED),
    )
    entity: ClassVar = "section"
    journal_fields: ClassVar = ("project_id", "name", "position", "created_by", "deleted_at")

    workspace_id: Mapped[BigInt]
    project_id: Mapped[BigInt]
    name: Mapped[str] = mapped_column(String(200))
    position: Mapped[str] = mapped_column(PositionKey)
    created_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
