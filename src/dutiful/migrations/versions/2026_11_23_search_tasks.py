"""Keep the words of tasks for search, and find the trash by its age."""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

from dutiful import words

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROWS = 1000

# SQL alone cannot tell the words; without them search would find none of the old tasks, and say nothing of it.
REFUSE_FULL_TABLE = """
    DO $$ BEGIN
        IF EXISTS (SELECT FROM tasks) THEN
            RAISE EXCEPTION 'There are tasks already, whose words this file cannot index: run "dutiful db upgrade" instead.';
        END IF;
    END $$
"""


def upgrade() -> None:
    op.add_column("tasks", sa.Column("search", postgresql.TSVECTOR(), nullable=True))
    if context.is_offline_mode():
        op.execute(REFUSE_FULL_TABLE)
    else:
        _fill(op.get_bind())
    # After the words are there: one by one they would take longer.
    op.create_index(
        "ix_tasks_search",
        "tasks",
        ["search"],
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": 512},
    )
    op.create_index(
        "ix_tasks_trash",
        "tasks",
        ["workspace_id", "deleted_at"],
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_tasks_trash", "tasks")
    op.drop_index("ix_tasks_search", "tasks")
    op.drop_column("tasks", "search")


def _fill(connection: sa.Connection) -> None:
    read = sa.text(
        "SELECT id, workspace_id, title, description FROM tasks WHERE id > :last ORDER BY id LIMIT :rows"
    )
    write = sa.text("""
        UPDATE tasks SET search = CAST(filled.search AS tsvector)
        FROM unnest(CAST(:ids AS bigint[]), CAST(:vectors AS text[])) AS filled (id, search)
        WHERE tasks.id = filled.id
    """)
    last = 0
    while rows := connection.execute(read, {"last": last, "rows": ROWS}).all():
        last = rows[-1].id
        vectors = [words.vector(row.workspace_id, row.title, row.description) for row in rows]
        connection.execute(write, {"ids": [row.id for row in rows], "vectors": vectors})
