"""Alembic's entry: runs migrations on the connection that `dutiful.database.migrate` hands over, or prints SQL."""

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script

from dutiful.database.migrate import render_item
from dutiful.models import Base


def tell(
    ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]
) -> None:
    verb = "Applied" if step.is_upgrade else "Took back"
    script = step.up_revision
    if isinstance(script, Script):
        context.config.attributes["say"](f"{verb} migration {script.revision}: {script.doc}")


def run() -> None:
    connection = context.config.attributes["connection"]
    options: dict[str, Any] = {
        "target_metadata": Base.metadata,
        "compare_type": True,
        "compare_server_default": True,
        "render_item": render_item,
    }
    if connection is None:
        context.configure(dialect_name="postgresql", literal_binds=True, **options)
    else:
        context.configure(
            connection=connection, transaction_per_migration=True, on_version_apply=tell, **options
        )
    with context.begin_transaction():
        context.run_migrations()


run()
