"""Keep sign-ins, password resets, failed sign-ins and erased users."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tokens", sa.Column("kind", sa.String(length=20), server_default="api", nullable=False))
    op.alter_column("tokens", "kind", server_default=None)
    op.create_check_constraint(op.f("ck_tokens_kind"), "tokens", "kind IN ('api', 'sign_in')")
    op.add_column("tokens", sa.Column("address", sa.String(length=45), nullable=True))
    op.add_column("tokens", sa.Column("user_agent", sa.String(length=300), nullable=True))
    op.create_table(
        "password_resets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mail_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mail_attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_password_resets_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_resets")),
    )
    op.create_index(op.f("ix_password_resets_user_id"), "password_resets", ["user_id"])
    op.create_index(op.f("ix_password_resets_mail_at"), "password_resets", ["mail_at"])
    op.create_table(
        "sign_in_throttles",
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_sign_in_throttles")),
    )
    op.create_index(op.f("ix_sign_in_throttles_last_failure_at"), "sign_in_throttles", ["last_failure_at"])
    op.create_table(
        "sign_in_places",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sign_in_places_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "network", name=op.f("pk_sign_in_places")),
    )


def downgrade() -> None:
    op.drop_table("sign_in_places")
    op.drop_table("sign_in_throttles")
    op.drop_table("password_resets")
    op.drop_column("tokens", "user_agent")
    op.drop_column("tokens", "address")
    op.drop_constraint(op.f("ck_tokens_kind"), "tokens", type_="check")
    op.drop_column("tokens", "kind")
    op.drop_column("users", "erased_at")
