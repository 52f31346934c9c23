"""Link a change to the one it takes back, and find what a thing and a request did."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("changes", sa.Column("undo_of", sa.BigInteger(), nullable=True))
    op.create_index("ix_changes_entity", "changes", ["workspace_id", "entity", "entity_id"])
    op.create_index("ix_changes_request_id", "changes", ["request_id"])
    op.create_index("ix_changes_user_id", "changes", ["user_id", "at", "request_id"])
    op.create_index(
        "ix_changes_undo_of",
        "changes",
        ["workspace_id", "undo_of"],
        postgresql_where=sa.text("undo_of IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_changes_undo_of", "changes")
    op.drop_index("ix_changes_user_id", "changes")
    op.drop_index("ix_changes_request_id", "changes")
    op.drop_index("ix_changes_entity", "changes")
    op.drop_column("changes", "undo_of")
