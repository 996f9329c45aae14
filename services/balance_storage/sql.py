"""The statements of storage.

Theory of operation. A batch is copied into a temporary table, one row a record, and
merged by one statement, `MERGE`:

* events: one row an event id, the first record told. A later record of that id changes
  nothing but ``live_epoch``.
* balances: the last record in topic order among those of the greatest epoch, backfill
  left aside. Records reach us in topic order and exactly once, so that "last" needs no
  comparison of offsets: what arrives later is later.

Which records count for balances when an id is told again? Backfill never does. The
update that repeats a backfill does, since the balance has not seen it. The same id in
a greater epoch does too: a new connection told its own truth. The same id again in the
same epoch (or an older one) does not: it is an echo, and newer events must not be
undone by it. ``live_epoch`` remembers just that.
"""

from balance_storage.rows import COLUMNS

_COLUMNS = ", ".join(COLUMNS)

STAGE = f"""
CREATE TEMPORARY TABLE staged_events ON COMMIT DELETE ROWS AS
SELECT 0 AS line, {_COLUMNS} FROM balancebus.events WITH NO DATA
"""  # noqa: S608 — column names are our own
"""Makes the table that batches are copied into; once a connection."""

COPY = f"COPY staged_events (line, {_COLUMNS}) FROM STDIN"
"""Takes the lines of `rows.copy_line`."""

MERGE = f"""
WITH facts AS (
    -- One row an id: its first record, and the greatest epoch that told it live.
    SELECT
        event_id,
        min(line) AS line,
        max(epoch) FILTER (WHERE kind IN ('snapshot', 'update', 'absent')) AS live_epoch
    FROM staged_events
    GROUP BY event_id
), stored AS (
    -- Returns ids that are new, or told live in a greater epoch than before.
    INSERT INTO balancebus.events AS known ({_COLUMNS}, live_epoch)
    SELECT {", ".join(f"staged.{column}" for column in COLUMNS)}, facts.live_epoch
    FROM facts JOIN staged_events AS staged USING (line)
    ORDER BY line
    ON CONFLICT (event_id) DO UPDATE SET live_epoch = excluded.live_epoch
    WHERE excluded.live_epoch > known.live_epoch
        OR (excluded.live_epoch IS NOT NULL AND known.live_epoch IS NULL)
    RETURNING event_id, live_epoch
), counting AS (
    -- Of an id told more than once in that epoch, the first record.
    SELECT min(staged.line) AS line
    FROM stored JOIN staged_events AS staged
        ON staged.event_id = stored.event_id AND staged.epoch = stored.live_epoch
    WHERE staged.kind IN ('snapshot', 'update', 'absent')
    GROUP BY staged.event_id
), latest AS (
    -- Only the line's number is sorted about: rows are wide.
    SELECT DISTINCT ON (balance_key) line
    FROM counting JOIN staged_events USING (line)
    ORDER BY balance_key, epoch DESC, line DESC
)
INSERT INTO balancebus.balances AS known (
    balance_key, venue, account, subaccount, wallet, wallet_id, nature, asset, kind,
    balance, available, venue_time, received_at, epoch, event_id, topic,
    topic_partition, topic_offset
)
SELECT
    balance_key, venue, account, subaccount, wallet, wallet_id, nature, asset, kind,
    balance, available, venue_time, received_at, epoch, event_id, topic,
    topic_partition, topic_offset
FROM latest JOIN staged_events USING (line)
ON CONFLICT (balance_key) DO UPDATE SET
    nature = excluded.nature,
    kind = excluded.kind,
    balance = excluded.balance,
    available = excluded.available,
    venue_time = excluded.venue_time,
    received_at = excluded.received_at,
    epoch = excluded.epoch,
    event_id = excluded.event_id,
    topic = excluded.topic,
    topic_partition = excluded.topic_partition,
    topic_offset = excluded.topic_offset
WHERE excluded.epoch >= known.epoch
"""  # noqa: S608 — column names are our own
"""Takes the staged rows into events and balances."""

KNOWN_PLACES = """
INSERT INTO balancebus.consumer_offsets (topic, topic_partition, next_offset)
SELECT topic, topic_partition, 0
FROM unnest(%s::text[], %s::integer[]) AS place (topic, topic_partition)
ON CONFLICT DO NOTHING
"""
"""Makes rows for partitions that were never read: they start at 0."""

POSITIONS = """
SELECT topic, topic_partition, next_offset
FROM balancebus.consumer_offsets
JOIN unnest(%s::text[], %s::integer[]) AS place (topic, topic_partition)
    USING (topic, topic_partition)
"""

LOCKED_POSITIONS = (
    f"{POSITIONS} ORDER BY topic, topic_partition FOR UPDATE OF consumer_offsets"
)
"""The same, held until the transaction ends; waits for another instance's."""

ADVANCE = """
UPDATE balancebus.consumer_offsets AS known
SET next_offset = place.next_offset, updated_at = now()
FROM unnest(%s::text[], %s::integer[], %s::bigint[])
    AS place (topic, topic_partition, next_offset)
WHERE known.topic = place.topic AND known.topic_partition = place.topic_partition
"""

SESSION = """
SET lock_timeout = '10s';
SET idle_in_transaction_session_timeout = '30s';
SET enable_nestloop = off
"""
"""Ends the transaction of an instance that was stopped in the middle of it, and keeps
the planner, which knows nothing about a temporary table, from quadratic plans."""
