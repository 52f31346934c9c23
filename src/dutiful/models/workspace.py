"""Workspaces: the tenant and the unit of sharing."""

from enum import StrEnum
from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from dutiful import clock
from dutiful.database.base import Base
from dutiful.database.types import BigInt, Id, Instant, word_enum
from dutiful.models.journaled import Journaled
from dutiful.models.user import User


class Role(StrEnum):
    """What a member may do; each includes those before it."""

    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"

    def includes(self, other: "Role") -> bool:
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


class Workspace(Journaled, Base):
    __tablename__ = "workspaces"
    __table_args__ = (
        # The Inbox is made right after its workspace: checked at commit.
        ForeignKeyConstraint(
            ["id", "inbox_id"],
            ["projects.workspace_id", "projects.id"],
            name="fk_workspaces_inbox",
            use_alter=True,
            deferrable=True,
            initially="DEFERRED",
        ),
    )
    entity: ClassVar = "workspace"
    journal_fields: ClassVar = ("name", "inbox_id", "personal_of")

    name: Mapped[str] = mapped_column(String(200))
    inbox_id: Mapped[BigInt]
    # Everyone has one workspace of their own, which is never shared or deleted.
    personal_of: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    deleted_at: Mapped[Instant | None]

    @property
    def workspace_id(self) -> int:
        return self.id

    @property
    def is_personal(self) -> bool:
        return self.personal_of is not None


class WorkspaceCounter(Base):
    """The number of a workspace's latest change. Its row lock is what puts the writes of a workspace in order.

    A narrow table of its own with room on every page: the row is rewritten by every write (HOT updates).
    """

    __tablename__ = "workspace_counters"
    __table_args__ = {"postgresql_with": {"fillfactor": "10"}}  # noqa: RUF012 - SQLAlchemy's way to say it

    workspace_id: Mapped[int] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[BigInt] = mapped_column(default=0)


class Member(Journaled, Base):
    """A person in a workspace. The journal knows a member by the person's id."""

    __tablename__ = "members"
    __table_args__ = (UniqueConstraint("workspace_id", "user_id"),)
    entity: ClassVar = "member"
    journal_fields: ClassVar = ("user_id", "role")

    workspace_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[Role] = mapped_column(word_enum(Role, "role"))

    user: Mapped[User] = relationship(lazy="raise")
    workspace: Mapped[Workspace] = relationship(lazy="raise")

    @property
    def entity_id(self) -> int:
        return self.user_id

    @property
    def name(self) -> str:
        return self.user.name

    @property
    def email(self) -> str | None:
        return self.user.email

    @property
    def shown_version(self) -> int:
        return self.user.version


class Invitation(Base):
    """A link that makes whoever opens it a member. Only the SHA-256 of its secret is stored."""

    __tablename__ = "invitations"
    __table_args__ = (CheckConstraint("uses_left >= 0", name="uses_left"),)

    id: Mapped[Id]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    role: Mapped[Role] = mapped_column(word_enum(Role, "role"))
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    expires_at: Mapped[Instant]
    # How many people may still come by it.
    uses_left: Mapped[int]
