"""Remember when chores were last done."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chores",
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("last_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_chores")),
    )
    op.create_index("ix_import_records_task_id", "import_records", ["task_id"])


def downgrade() -> None:
    op.drop_index("ix_import_records_task_id", table_name="import_records")
    op.drop_table("chores")
