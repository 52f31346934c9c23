"""Work that is due from time to time, whichever process comes first."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from dutiful.database.base import Base
from dutiful.database.types import Instant


class Chore(Base):
    """When a chore was last begun. Its row lock keeps all other processes and replicas from doing it meanwhile."""

    __tablename__ = "chores"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    last_run_at: Mapped[Instant | None]
