"""What other teams read: holdings, movements by day, quality and the proven watermark.

And a history of states. Only adds: may be applied beside the previous release.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STATUS_CHANGES = """
CREATE TABLE balancebus.status_changes (
    venue text NOT NULL,
    account text NOT NULL,
    feed text NOT NULL,
    epoch bigint NOT NULL,
    since timestamptz NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    instance text NOT NULL,
    version text NOT NULL,
    PRIMARY KEY (venue, account, feed, epoch, since, state)
);
INSERT INTO balancebus.status_changes
SELECT venue, account, feed, epoch, since, state, reason, instance, version
FROM balancebus.status;
"""

_BALANCES = """
CREATE VIEW balancebus.current_balances AS
SELECT b.balance_key, b.venue, b.account, b.subaccount, b.wallet, b.wallet_id, b.asset,
    b.venue_asset, b.nature, b.balance, b.available, b.kind, b.effective_at,
    b.received_at, b.event_id, p.verdict, p.proven_through
FROM balancebus.balances b LEFT JOIN balancebus.proofs p USING (balance_key);
CREATE VIEW balancebus.holdings AS
SELECT asset, assets - liabilities AS net, assets, liabilities, claims, unknown, venues
FROM (
    SELECT asset,
        coalesce(sum(balance) FILTER (WHERE nature = 'asset'), 0) AS assets,
        coalesce(sum(balance) FILTER (WHERE nature = 'liability'), 0) AS liabilities,
        coalesce(sum(balance) FILTER (WHERE nature = 'claim'), 0) AS claims,
        coalesce(sum(balance) FILTER (
            WHERE nature NOT IN ('asset', 'liability', 'claim')), 0) AS unknown,
        array_agg(DISTINCT venue ORDER BY venue) AS venues
    FROM balancebus.balances GROUP BY asset
) AS sums;
CREATE VIEW balancebus.movements_by_day AS
SELECT (coalesce(m.occurred_at, m.received_at) AT TIME ZONE 'UTC')::date AS day,
    k.venue, k.account, k.subaccount, k.wallet, k.wallet_id, k.asset, m.type,
    count(*) AS lines, sum(m.amount) AS amount, sum(m.fee) AS fee,
    sum(m.change) AS change
FROM balancebus.movement_lines m
JOIN balancebus.tellings t USING (account_id, number, received_at)
JOIN balancebus.balance_keys k USING (balance_id)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
"""

_QUALITY = """
CREATE VIEW balancebus.account_quality AS
WITH known AS (
    SELECT venue, account FROM balancebus.accounts
    UNION SELECT venue, account FROM balancebus.status
), reconciled AS (
    SELECT DISTINCT ON (venue, account) venue, account, requested_at, verdict
    FROM balancebus.reconciliations ORDER BY venue, account, requested_at DESC
), concluded AS (
    SELECT DISTINCT ON (venue, account) venue, account, requested_at
    FROM balancebus.reconciliations WHERE verdict <> 'inconclusive'
    ORDER BY venue, account, requested_at DESC
), differing AS (
    SELECT venue, account, count(*) AS differences
    FROM balancebus.reconciliation_differences
    JOIN concluded USING (venue, account, requested_at) GROUP BY 1, 2
), proven AS (
    SELECT b.venue, b.account, count(*) AS balances,
        count(*) FILTER (WHERE p.verdict = 'PROVEN') AS proven,
        count(*) FILTER (WHERE p.verdict = 'VIOLATED') AS violated
    FROM balancebus.balances b LEFT JOIN balancebus.proofs p USING (balance_key)
    GROUP BY 1, 2
)
SELECT venue, account, s.feed, s.state, s.reason, s.since, s.last_message_at,
    s.last_event_at, s.confirmed_at, r.requested_at AS reconciled_at,
    r.verdict AS reconciliation, coalesce(d.differences, 0) AS open_differences,
    CASE WHEN v.violated > 0 THEN 'VIOLATED'
        WHEN v.proven = v.balances THEN 'PROVEN' ELSE 'UNPROVEN' END AS worst_verdict,
    coalesce(v.balances, 0) AS balances, coalesce(v.proven, 0) AS proven,
    coalesce(v.violated, 0) AS violated
FROM known
LEFT JOIN balancebus.status s USING (venue, account)
LEFT JOIN reconciled r USING (venue, account)
LEFT JOIN differing d USING (venue, account)
LEFT JOIN proven v USING (venue, account);
CREATE VIEW balancebus.proven_watermark AS
WITH known AS (
    SELECT venue, account FROM balancebus.accounts
    UNION SELECT venue, account FROM balancebus.status
), judged AS (
    SELECT known.venue, known.account, b.balance_key, p.proven_through,
        coalesce(p.verdict, 'UNPROVEN') AS verdict,
        CASE WHEN b.balance_key IS NULL THEN 'no balance is known'
            WHEN p.verdict IS NULL THEN 'there is no proof' ELSE p.reason END AS reason
    FROM known LEFT JOIN balancebus.balances b USING (venue, account)
    LEFT JOIN balancebus.proofs p ON p.balance_key = b.balance_key
)
SELECT least.proven_through, least.venue, least.account, least.balance_key,
    least.verdict, least.reason
FROM (SELECT) AS firm
LEFT JOIN (
    SELECT * FROM judged
    ORDER BY proven_through NULLS FIRST, venue, account, balance_key
    LIMIT 1
) AS least ON true;
"""


def upgrade() -> None:
    """Make the views and the table."""
    run = op.get_bind().exec_driver_sql
    for script in (_STATUS_CHANGES, _BALANCES, _QUALITY):
        run(script)


def downgrade() -> None:
    """Drop what was added; the states before the last are lost."""
    run = op.get_bind().exec_driver_sql
    run("DROP TABLE balancebus.status_changes")
    for view in (
        "proven_watermark",
        "account_quality",
        "movements_by_day",
        "holdings",
        "current_balances",
    ):
        run(f"DROP VIEW balancebus.{view}")
