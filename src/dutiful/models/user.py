"""People, their API tokens, and what happened to their accounts."""

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from dutiful import clock
from dutiful.database.base import Base
from dutiful.database.types import BigInt, Id, Instant, JsonObject, word_enum

if TYPE_CHECKING:
    from dutiful.models.workspace import Workspace


class Scope(StrEnum):
    """What a token may be used for; each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class TokenKind(StrEnum):
    """How somebody came by a token: they made it for a program, or they signed in."""

    API = "api"
    SIGN_IN = "sign_in"


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
    # The person asked to be forgotten: what they wrote for others stays, and nothing here tells who they were.
    erased_at: Mapped[Instant | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    updated_at: Mapped[Instant] = mapped_column(default=clock.now, onupdate=clock.now)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's way to say it

    home: Mapped["Workspace"] = relationship(lazy="raise", viewonly=True)

    @property
    def has_password(self) -> bool:
        return self.password_hash is not None

    @property
    def workspace_id(self) -> int:
        """Of the personal workspace."""
        return self.home.id

    @property
    def inbox_id(self) -> int:
        return self.home.inbox_id


class Token(Base):
    """An API key or a sign-in. Only its SHA-256 is stored: it has 256 random bits, so nothing slower is needed."""

    __tablename__ = "tokens"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    kind: Mapped[TokenKind] = mapped_column(word_enum(TokenKind, "kind"), default=TokenKind.API)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(20)))
    expires_at: Mapped[Instant | None]
    # Kept lazily: at most one write a minute, so that reading with a token does not write.
    last_used_at: Mapped[Instant | None]
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    # Of a sign-in: where from and with what, so that people recognise theirs.
    address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(300))


class PasswordReset(Base):
    """Leave to set a new password, once. The link carries a signature made with the SECRET_KEY over the row's id, so
    that who reads the database alone can make no link of it."""

    __tablename__ = "password_resets"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    expires_at: Mapped[Instant]
    used_at: Mapped[Instant | None]
    # For a link that goes by mail: when to try next; null once it is sent or given up, or was handed over by hand.
    mail_at: Mapped[Instant | None] = mapped_column(index=True)
    mail_attempts: Mapped[int] = mapped_column(default=0)


class SignInThrottle(Base):
    """Failed attempts of one account or from one address. Committed on its own: the failed request rolls back."""

    __tablename__ = "sign_in_throttles"

    # `account:` and its id, or a digest: of an unknown account too, so that the two cannot be told apart.
    subject: Mapped[str] = mapped_column(String(300), primary_key=True)
    failures: Mapped[int]
    last_failure_at: Mapped[Instant] = mapped_column(index=True)
    blocked_until: Mapped[Instant | None]


class SignInPlace(Base):
    """Where somebody has signed in from. Guesses made elsewhere do not lock them out there."""

    __tablename__ = "sign_in_places"

    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    # A digest of the address, or of its IPv6 network.
    network: Mapped[str] = mapped_column(String(40), primary_key=True)
    seen_at: Mapped[Instant]


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
