"""Alembic's entry: runs migrations on the connection that `dutiful.database.migrate` hands over, or prints SQL."""

from alembic import context

from dutiful.models import Base

# The public names of the tables' expression indexes cannot be read back exactly, so Alembic compares the rest.
OPTIONS = {"target_metadata": Base.metadata, "compare_type": True, "compare_server_default": True}


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None:
        context.configure(dialect_name="postgresql", literal_binds=True, **OPTIONS)
    else:
        context.configure(connection=connection, transaction_per_migration=True, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


run()
