"""Run by Alembic; `balance_storage.schema.migrate` hands the connection over."""

from alembic import context

from balance_storage.schema import SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema=SCHEMA,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
