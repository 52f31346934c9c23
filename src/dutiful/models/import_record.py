"""What came from which file, so that importing twice makes nothing twice."""

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from dutiful.database.base import Base
from dutiful.database.types import BigInt


class ImportRecord(Base):
    """One thing of another program and the task it became.

    `version` is the task's after the last import: a higher one means it was changed here since. `digest` is the
    SHA-256 of what the source said then.
    """

    __tablename__ = "import_records"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "task_id"], ["tasks.workspace_id", "tasks.id"], ondelete="CASCADE"
        ),
        # Each task that goes for good asks whether it was imported.
        Index("ix_import_records_task_id", "task_id"),
    )

    workspace_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    format: Mapped[str] = mapped_column(String(30), primary_key=True)
    source_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    task_id: Mapped[BigInt]
    version: Mapped[int] = mapped_column(Integer)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
