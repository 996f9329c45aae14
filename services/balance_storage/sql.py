"""The statements of storage.

Theory of operation. A batch costs these, in one transaction: the positions are locked
and compared; the ids are inserted, which tells new ones from repeated ones; what holds
for the batch's keys is read; `facts.settle` decides; events and ledger lines are copied
straight into their tables, what holds now is merged, and the positions move.

``event_ids`` stands apart because the partitions of ``events`` could each keep ids
unique among their own rows only.
"""

from balance_storage.rows import COLUMNS, MOVEMENT_COLUMNS

_COLUMNS = ", ".join((*COLUMNS, "effective_at"))

_HELD = (
    "balance_key, venue, account, subaccount, wallet, wallet_id, nature, asset, kind, "
    "balance, available, venue_time, received_at, epoch, event_id, topic, "
    "topic_partition, topic_offset, effective_at"
)

NEW_IDS = """
INSERT INTO balancebus.event_ids (event_id, live_epoch)
SELECT * FROM unnest(%s::text[], %s::bigint[]) AS told (event_id, live_epoch)
ON CONFLICT DO NOTHING
RETURNING event_id
"""
"""Takes ids, sorted, and their live epochs; returns those that are new."""

KNOWN_IDS = """
SELECT event_id, live_epoch FROM balancebus.event_ids
WHERE event_id = ANY(%s) ORDER BY event_id FOR UPDATE
"""

LIVE_EPOCHS = """
UPDATE balancebus.event_ids AS known SET live_epoch = told.live_epoch
FROM unnest(%s::text[], %s::bigint[]) AS told (event_id, live_epoch)
WHERE known.event_id = told.event_id
"""

HEADS = """
SELECT balance_key, epoch, effective_at FROM balancebus.balances
WHERE balance_key = ANY(%s)
"""

COPY_EVENTS = f"COPY balancebus.events ({_COLUMNS}) FROM STDIN"
"""Takes the lines of `rows.event_lines`."""

COPY_MOVEMENTS = f"COPY balancebus.movements ({', '.join(MOVEMENT_COLUMNS)}) FROM STDIN"
"""Takes the lines of `rows.movement_lines`."""

STAGE = f"""
CREATE TEMPORARY TABLE staged_events ON COMMIT DELETE ROWS AS
SELECT {_COLUMNS} FROM balancebus.events WITH NO DATA
"""  # noqa: S608 — column names are our own
"""Makes the table that what holds now is copied into; once a connection."""

COPY_STAGED = f"COPY staged_events ({_COLUMNS}) FROM STDIN"
"""Takes the lines of `rows.event_lines`, at most one a balance key."""

MERGE = f"""
INSERT INTO balancebus.balances AS known ({_HELD}) SELECT {_HELD} FROM staged_events
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
    topic_offset = excluded.topic_offset,
    effective_at = excluded.effective_at
WHERE excluded.epoch >= known.epoch
"""  # noqa: S608 — column names are our own
"""Takes the staged rows into balances."""

RETELL = f"""
INSERT INTO balancebus.retellings ({_HELD}) SELECT {_HELD} FROM staged_events
ON CONFLICT DO NOTHING
"""  # noqa: S608 — column names are our own
"""Takes the staged rows into retellings."""

CLEAR_STAGED = "DELETE FROM staged_events"

MAKE_PARTITION = "SELECT balancebus.make_partition(%s)"

DROP_PARTITIONS = "SELECT balancebus.drop_partitions(now() - %s * interval '1 day')"

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
SET timezone = 'UTC';
SET lock_timeout = '10s';
SET idle_in_transaction_session_timeout = '30s'
"""
"""Ends the transaction of an instance that was stopped in the middle of it."""
