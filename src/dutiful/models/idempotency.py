"""Answers kept so that a repeated request is answered, not done again."""

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, SmallInteger, String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from dutiful import clock
from dutiful.database.base import Base
from dutiful.database.types import Instant


class IdempotencyKey(Base):
    """One key of one user. `status` and what follows are filled in by the transaction that claimed it."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    # HMAC-SHA256 with the SECRET_KEY over method, path, query, If-Match and body.
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    # Null when the answer showed a secret, or was so large that `made_ids` stands for it.
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    made_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    # Whose rights are checked again before the answer is repeated.
    workspace_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    created_at: Mapped[Instant] = mapped_column(default=clock.now, index=True)
