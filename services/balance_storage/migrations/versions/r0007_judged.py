"""Whether the verdict beside a current balance is of that very figure.

Only adds a column to a view: may be applied beside the previous release.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_VIEW = """
CREATE {replacing} VIEW balancebus.current_balances AS
SELECT b.balance_key, b.venue, b.account, b.subaccount, b.wallet, b.wallet_id, b.asset,
    b.venue_asset, b.nature, b.balance, b.available, b.kind, b.effective_at,
    b.received_at, b.event_id, p.verdict, p.proven_through{more}
FROM balancebus.balances b LEFT JOIN balancebus.proofs p USING (balance_key)
"""

_JUDGED = """,
    p.last_event_id = b.event_id AND (
        p.verdict <> 'PROVEN' OR coalesce(p.observed = b.balance, true)
    ) AS is_judged
"""


def upgrade() -> None:
    """Add the column."""
    view = _VIEW.format(replacing="OR REPLACE", more=_JUDGED)
    op.get_bind().exec_driver_sql(view)


def downgrade() -> None:
    """Make the view as it was; `balancebus storage migrate` gives the reader it."""
    run = op.get_bind().exec_driver_sql
    run("DROP VIEW balancebus.current_balances")
    run(_VIEW.format(replacing="", more=""))
