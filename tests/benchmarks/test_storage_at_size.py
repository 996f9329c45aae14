"""Storage in large databases: what a batch costs, and how soon the past is told.

The rows before are made by SQL: ten accounts of 500 balances, three months, one venue's
ledger line each. ``STORAGE_ROWS=100000,1000000`` asks for other sizes.
"""

import asyncio
import os
import statistics
import time
from datetime import UTC, datetime

import psycopg
import pytest
from storing import BATCH, BATCHES, bare, batches, stored

pytestmark = pytest.mark.benchmark

SIZES = [
    int(size)
    for size in os.environ.get("STORAGE_ROWS", "100000,1000000,10000000").split(",")
]
BALANCES = 5000
ONE_KEY_S_MAX = 0.050
FIRM_S_MAX = 2.0
AT = datetime(2026, 2, 10, tzinfo=UTC)
KNOWN_AT = datetime(2026, 2, 20, tzinfo=UTC)
ONE = (
    "SELECT * FROM balancebus.balance_as_of(%s, %s, %s)",
    ("kraken|a7||spot/main|C1237", AT, KNOWN_AT),
)
FIRM = "SELECT * FROM balancebus.balances_as_of(%s, %s)", (AT, KNOWN_AT)

NAMES = """
INSERT INTO balancebus.accounts (venue, account)
SELECT 'kraken', 'a' || n FROM generate_series(0, 9) AS n ORDER BY n;
INSERT INTO balancebus.balance_keys
    (account_id, balance_key, venue, account, subaccount, wallet, wallet_id, asset)
SELECT n % 10 + 1, 'kraken|a' || n % 10 || '||spot/main|C' || n, 'kraken',
    'a' || n % 10, '', 'spot', 'main', 'C' || n
FROM generate_series(0, 4999) AS n ORDER BY n;
SELECT balancebus.make_partition(month) FROM generate_series(
    '2026-01-01Z'::timestamptz, '2026-03-01Z', '1 month') AS month;
INSERT INTO balancebus.consumer_offsets (topic, topic_partition, next_offset)
VALUES ('filled', 0, 0);
"""

FILL = """
WITH made AS (
    SELECT n, '2026-01-01Z'::timestamptz + n * (interval '90 days' / {size}) AS at
    FROM generate_series({first}, {last}) AS n
), ids AS (
    INSERT INTO balancebus.event_ids (digest, live_epoch, account_id, number)
    SELECT balancebus.digest_of('filled|L' || n), 1, n % 10 + 1, n / 10 + 1 FROM made
)
INSERT INTO balancebus.tellings (balance_id, number, topic_offset, received_at, epoch,
    account_id, place_id, effective_at, venue_time, chain, again, event_id, feed,
    nature, venue_asset, asset_class, network, kind, balance, delta, balance_scope,
    sequence, attributes, lines)
SELECT n % 5000 + 1, n / 10 + 1, n, at, 1, n % 10 + 1,
    (SELECT place_id FROM balancebus.consumer_offsets WHERE topic = 'filled'),
    at, at, md5(n::text)::uuid, false, 'filled|L' || n, 'ws', 'asset', 'XXBT',
    'currency', '', 'update', n + 0.000000000000000001, n, 'wallet', n, '{{}}',
    concat_ws(E'\\t', at, 0, 'L' || n, 'TXYZ', 'trade', '\\N', '\\N', '\\N', '{{}}', n, 0,
        n, at)
FROM made
"""

HOLD = """
INSERT INTO balancebus.held (balance_id, account_id, number, received_at)
SELECT DISTINCT ON (balance_id) balance_id, account_id, number, received_at
FROM balancebus.tellings WHERE event_id LIKE 'filled|%' AND received_at > '2026-03-25Z'
ORDER BY balance_id, effective_at DESC
ON CONFLICT DO NOTHING
"""


def fill(dsn: str, size: int) -> None:
    """Make that many rows, a hundred thousand a transaction, where there are none."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(NAMES)
        for first in range(0, size, 100_000):
            last = min(first + 100_000, size) - 1
            connection.execute(FILL.format(size=size, first=first, last=last))
        connection.execute(HOLD)
        connection.execute("VACUUM ANALYZE")


def explained(dsn: str, query: str, values: tuple[object, ...]) -> str:
    """Return the plan of a query, as it was executed."""
    with psycopg.connect(dsn) as connection:
        lines = connection.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {query}", values
        )
        return "\n".join(line for (line,) in lines.fetchall())


def timed(dsn: str, query: str, values: tuple[object, ...]) -> float:
    """Return the median seconds of five tries on an open connection, after a first."""
    tries = []
    with psycopg.connect(dsn) as connection:
        for _ in range(6):
            started = time.perf_counter()
            connection.execute(query, values).fetchall()
            tries.append(time.perf_counter() - started)
    return statistics.median(tries[1:])


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("size", SIZES)
def test_storing_and_asking_at_size(tables, size):
    """Prints rows a second, their ratio to bare COPY, and seconds of as-of queries."""
    dsn, started = tables, time.perf_counter()
    fill(dsn, size)
    print(f"\n{size:,} rows, made in {time.perf_counter() - started:.0f} s", flush=True)
    runs = []
    for run in range(3):
        first = run * BATCH * BATCHES
        told = batches(first)
        copied = bare(dsn, told), bare(dsn, told, ready=True)
        runs.append((*copied, asyncio.run(stored(dsn, told, first))))
    count = BATCH * BATCHES
    names = "bare COPY of the same records", "bare COPY of text that is ready", "stored"
    for name, seconds in zip(names, zip(*runs, strict=True), strict=True):
        print(f"{name}: {count / statistics.median(seconds):,.0f} rows/s")
    for at, name in enumerate(names[:-1]):
        ratios = [times[at] / times[-1] for times in runs]
        print(f"ratio to {name}: {statistics.median(ratios):.2f}")
    one, firm = (timed(dsn, *asked) for asked in (ONE, FIRM))
    print(f"as of: one key {one * 1000:.1f} ms, {BALANCES:,} balances {firm:.3f} s")
    for asked in (ONE, FIRM):
        print(explained(dsn, *asked), flush=True)
    assert one < ONE_KEY_S_MAX
    assert firm < FIRM_S_MAX
