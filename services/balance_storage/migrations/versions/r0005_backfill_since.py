"""Since when a feed's history is owed.

Only adds, and rewrites nothing: may be applied beside the previous release, which
leaves the column as it is.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.get_bind().exec_driver_sql(
        "ALTER TABLE balancebus.status ADD COLUMN backfill_since timestamptz"
    )


def downgrade() -> None:
    """Drop it; the next status of each feed says it again."""
    op.get_bind().exec_driver_sql(
        "ALTER TABLE balancebus.status DROP COLUMN backfill_since"
    )
