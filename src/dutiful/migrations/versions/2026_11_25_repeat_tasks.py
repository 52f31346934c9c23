"""Let tasks repeat."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tasks", sa.Column("series_id", sa.Uuid(), nullable=True))
    op.add_column(
        "tasks",
        sa.Column("recurrence", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    )
    op.create_index(
        "ix_tasks_series", "tasks", ["series_id"], postgresql_where=sa.text("series_id IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_index("ix_tasks_series", "tasks")
    op.drop_column("tasks", "recurrence")
    op.drop_column("tasks", "series_id")
