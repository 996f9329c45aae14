"""The tables of storage, one file a step, applied by Alembic."""
