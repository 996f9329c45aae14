"""The statements of storage.

Theory of operation. A batch costs these, in one transaction: the positions are locked
and compared; the ends of the accounts' chains are locked; ids, rows and ledger lines
are copied straight into their tables; what holds now is merged; ends and positions
move. Mostly the batch was drafted while the one before was stored, see `drafts`, and
the ends are compared. Else numbers are found, or made, for its accounts and balance
keys, and ids that are stored already and what holds for the batch's keys are read.

Texts stand once, in ``accounts`` and ``balance_keys``: rows and indexes have numbers,
and ids are indexed by 128 bits of their digest. ``event_ids`` stands apart because the
partitions of ``tellings`` could each keep ids unique among their own rows only.

What the process knows of other instances it knows by the positions alone: whoever holds
the lock of a partition's position is the only one to write what depends on it.
"""

from balance_storage.chain import COLUMNS as CHAINED
from balance_storage.rows import COLUMNS, MOVEMENT_COLUMNS

NEW_ACCOUNTS = """
INSERT INTO balancebus.accounts (venue, account)
SELECT DISTINCT venue, account FROM unnest(%s::text[], %s::text[])
    AS told (venue, account)
ORDER BY venue, account
ON CONFLICT DO NOTHING
"""

NEW_KEYS = """
INSERT INTO balancebus.balance_keys
    (balance_key, account_id, venue, account, subaccount, wallet, wallet_id, asset)
SELECT balance_key, account_id, venue, account, subaccount, wallet, wallet_id, asset
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::text[])
    AS told (balance_key, venue, account, subaccount, wallet, wallet_id, asset)
JOIN balancebus.accounts USING (venue, account)
ORDER BY balance_key
ON CONFLICT DO NOTHING
"""

KEYS = """
SELECT balance_key, balance_id, account_id FROM balancebus.balance_keys
WHERE balance_key = ANY(%s)
"""

ENDS = """
SELECT account_id, number, chain FROM balancebus.accounts
WHERE account_id = ANY(%s) ORDER BY account_id FOR UPDATE
"""

MOVE_ENDS = """
UPDATE balancebus.accounts AS known SET number = told.number, chain = told.chain
FROM unnest(%s::integer[], %s::bigint[], %s::uuid[])
    AS told (account_id, number, chain)
WHERE known.account_id = told.account_id
"""

KNOWN_IDS = """
SELECT digest, live_epoch FROM balancebus.event_ids
WHERE digest = ANY(string_to_array(%s, ',')::uuid[]) FOR UPDATE
"""
"""Takes digests, joined by commas: one text is read faster than an array of them."""

LIVE_EPOCHS = """
UPDATE balancebus.event_ids AS known SET live_epoch = told.live_epoch
FROM unnest(%s::uuid[], %s::bigint[]) AS told (digest, live_epoch)
WHERE known.digest = told.digest
"""

HEADS = """
SELECT balance_id, epoch, effective_at FROM balancebus.held
WHERE balance_id = ANY(string_to_array(%s, ',')::bigint[])
"""

COPY_TELLINGS = (
    "COPY balancebus.tellings (balance_id, account_id, number, place_id, "
    f"{', '.join(COLUMNS)}, effective_at, again, chain) FROM STDIN"
)

COPY_LINES = (
    "COPY balancebus.movement_lines (account_id, number, "
    f"{', '.join(MOVEMENT_COLUMNS)}) FROM STDIN"
)

COPY_IDS = """
COPY balancebus.event_ids (digest, live_epoch, account_id, number)
FROM STDIN (FORMAT BINARY)
"""

_HELD = (
    "balance_id, nature, venue_asset, kind, balance, available, venue_time, "
    "received_at, epoch, event_id, place_id, topic_offset, effective_at"
)

MERGE = f"""
INSERT INTO balancebus.held AS known ({_HELD})
SELECT {_HELD}
FROM unnest(string_to_array(%s, ',')::integer[], string_to_array(%s, ',')::bigint[])
    AS told (of_account, numbered)
CROSS JOIN LATERAL (
    SELECT {_HELD} FROM balancebus.tellings AS one
    WHERE one.account_id = told.of_account AND one.number = told.numbered
        AND one.received_at BETWEEN %s AND %s
    LIMIT 1
) AS telling
ON CONFLICT (balance_id) DO UPDATE SET
    nature = excluded.nature,
    venue_asset = excluded.venue_asset,
    kind = excluded.kind,
    balance = excluded.balance,
    available = excluded.available,
    venue_time = excluded.venue_time,
    received_at = excluded.received_at,
    epoch = excluded.epoch,
    event_id = excluded.event_id,
    place_id = excluded.place_id,
    topic_offset = excluded.topic_offset,
    effective_at = excluded.effective_at
WHERE excluded.epoch >= known.epoch
"""  # noqa: S608 — column names are our own
"""Takes which tellings hold now, at most one a balance, and between which times they
arrived: in which partitions they are."""

MAKE_PARTITION = "SELECT balancebus.make_partition(%s)"

DROP_PARTITIONS = "SELECT balancebus.drop_partitions(now() - %s * interval '1 day')"

KNOWN_PLACES = """
INSERT INTO balancebus.consumer_offsets (topic, topic_partition, next_offset)
SELECT topic, topic_partition, 0
FROM unnest(%s::text[], %s::integer[]) AS place (topic, topic_partition)
WHERE NOT EXISTS (SELECT FROM balancebus.consumer_offsets AS known
    WHERE known.topic = place.topic AND known.topic_partition = place.topic_partition)
ON CONFLICT DO NOTHING
"""
"""Makes rows for partitions that were never read: they start at 0."""

POSITIONS = """
SELECT topic, topic_partition, next_offset, place_id
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

READER = """
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET search_path = pg_catalog
"""
"""For a session that reads rows back to the byte."""

READ_LINES = f"""
COPY (
    SELECT t.number, t.chain, {", ".join(CHAINED)}
    FROM balancebus.tellings AS t
    LEFT JOIN balancebus.balance_keys USING (balance_id)
    LEFT JOIN balancebus.consumer_offsets USING (place_id)
    WHERE t.account_id = %s AND t.number > %s
    ORDER BY t.number LIMIT %s
) TO STDOUT
"""  # noqa: S608 — column names are our own

READ_MOVEMENTS = f"""
COPY (
    SELECT number, {", ".join(MOVEMENT_COLUMNS)} FROM balancebus.movement_lines
    WHERE account_id = %s AND number > %s AND number <= %s ORDER BY number, line
) TO STDOUT
"""  # noqa: S608 — column names are our own

VERIFIED = """
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY
"""
"""All that is verified is of one moment."""

ALL_POSITIONS = """
SELECT topic, topic_partition, next_offset FROM balancebus.consumer_offsets
"""

ALL_ENDS = """
SELECT account_id, venue, account, number, chain FROM balancebus.accounts
ORDER BY venue, account
"""

STARTS = "SELECT account_id, number, chain FROM balancebus.chain_starts"

HORIZON = """
SELECT to_timestamp(min(substring(c.relname from '\\d{4}_\\d{2}$')), 'YYYY_MM')
FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
WHERE inhparent = 'balancebus.tellings'::regclass
    AND EXISTS (SELECT FROM balancebus.chain_starts)
"""
"""The first month that retention has left whole; null: it has dropped nothing."""

STRAY_LINES = """
SELECT a.venue, a.account, m.number, m.line, m.movement_id
FROM balancebus.movement_lines m JOIN balancebus.accounts a USING (account_id)
WHERE NOT EXISTS (SELECT FROM balancebus.tellings t
    WHERE t.account_id = m.account_id AND t.number = m.number)
"""

WRONG_KEYS = """
SELECT venue, account, balance_key FROM balancebus.balance_keys
WHERE balance_key <> (SELECT format('%s|%s|%s|%s/%s|%s', VARIADIC array_agg(
    replace(replace(replace(part, '%', '%25'), '|', '%7C'), '/', '%2F') ORDER BY at))
    FROM unnest(ARRAY[venue, account, subaccount, wallet, wallet_id, asset])
        WITH ORDINALITY AS parts (part, at))
"""

WRONG_HEADS = """
SELECT k.venue, k.account, k.balance_key, h.balance, t.balance
FROM balancebus.balance_keys k
LEFT JOIN balancebus.held h USING (balance_id)
LEFT JOIN LATERAL (
    SELECT * FROM balancebus.tellings one
    WHERE one.balance_id = k.balance_id AND one.effective_at IS NOT NULL
        AND one.kind <> 'backfill'
    ORDER BY one.effective_at DESC, one.number DESC LIMIT 1
) AS t ON true
WHERE (h.nature, h.venue_asset, h.kind, h.balance, h.available, h.venue_time,
        h.received_at, h.epoch, h.event_id, h.place_id, h.topic_offset, h.effective_at)
    IS DISTINCT FROM
    (t.nature, t.venue_asset, t.kind, t.balance, t.available, t.venue_time,
        t.received_at, t.epoch, t.event_id, t.place_id, t.topic_offset, t.effective_at)
"""

HELD = """
SELECT balance_key, venue, account, event_id, epoch, balance, received_at
FROM balancebus.balances
"""

KNOWN_RECORDS = f"""
COPY (
    SELECT i.digest, i.live_epoch, o.topic, o.topic_partition, {", ".join(COLUMNS)}
    FROM balancebus.event_ids AS i
    JOIN balancebus.tellings AS t USING (account_id, number)
    LEFT JOIN balancebus.consumer_offsets AS o USING (place_id)
    WHERE i.digest = ANY(string_to_array(%s, ',')::uuid[])
) TO STDOUT
"""  # noqa: S608 — column names are our own
