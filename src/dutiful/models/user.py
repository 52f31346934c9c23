"""People, their API tokens, and what happened to their accounts."""

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from dutiful import clock
from dutiful.database.base import Base
from dutiful.database.types import BigInt, Id, Instant, JsonObject

if TYPE_CHECKING:
    from dutiful.models.workspace import Workspace


class Scope(StrEnum):
    """What a token may be used for; each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class User(Base):
    __tablename__ = "users"
    __table_args__ = (
        Index("uq_users_email_lower", func.lower(text("email")), unique=True),
        CheckConstraint("week_start BETWEEN 1 AND 7", name="week_start"),
    )

    id: Mapped[Id]
    # The owner of a fresh instance has neither e-mail nor password until `dutiful user` sets them.
    email: Mapped[str | None] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(200))
    timezone: Mapped[str] = mapped_column(String(64), default="UTC")
    # ISO 8601: 1 is Monday, 7 is Sunday.
    week_start: Mapped[int] = mapped_column(default=1)
    password_hash: Mapped[str | None] = mapped_column(Text)
    is_admin: Mapped[bool] = mapped_column(default=False)
    disabled_at: Mapped[Instant | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    updated_at: Mapped[Instant] = mapped_column(default=clock.now, onupdate=clock.now)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's way to say it

    home: Mapped["Workspace"] = relationship(lazy="raise", viewonly=True)

    @property
    def workspace_id(self) -> int:
        """Of the personal workspace."""
        return self.home.id

    @property
    def inbox_id(self) -> int:
        return self.home.inbox_id


class Token(Base):
    """An API key. Only the SHA-256 of it is stored: it has 256 random bits, so nothing slower is needed."""

    __tablename__ = "tokens"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(20)))
    expires_at: Mapped[Instant | None]
    # Kept lazily: at most one write a minute, so that reading with a token does not write.
    last_used_at: Mapped[Instant | None]
    created_at: Mapped[Instant] = mapped_column(default=clock.now)


class AccountEvent(Base):
    """One line of the audit log of sign-ins, tokens, passwords and rights. Appended to, never changed or undone."""

    __tablename__ = "account_events"
    __table_args__ = (Index(None, "user_id", "id"),)

    id: Mapped[Id]
    at: Mapped[Instant] = mapped_column(default=clock.now)
    # Whose account it is, and who did it; plain numbers, since the log outlives both.
    user_id: Mapped[BigInt]
    actor_id: Mapped[BigInt | None]
    verb: Mapped[str] = mapped_column(String(50))
    details: Mapped[JsonObject] = mapped_column(JSONB, default=dict)
