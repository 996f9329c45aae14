"""The statements of storage.

Theory of operation. A batch costs these, in one transaction: the positions are locked
and compared; the ends of the accounts' chains are locked; ids and rows are copied
straight into their tables; which rows hold now is merged; ends and positions move.
Mostly the batch was drafted while the one before was stored, see `drafts`, and the ends
are compared. Else numbers are found, or made, for its accounts and balance keys, and
ids that are stored already and what holds for the batch's keys are read.

Texts stand once, in ``accounts`` and ``balance_keys``: rows and indexes have numbers,
and ids are indexed by 128 bits of their digest. ``event_ids`` stands apart because the
partitions of ``tellings`` could each keep ids unique among their own rows only. Ledger
lines stand in the row of their event, in the text that is chained: a row and an index
entry of their own would cost more than they say. ``held`` says which row holds.

What the process knows of other instances it knows by the positions alone: whoever holds
the lock of a partition's position is the only one to write what depends on it.
"""

from balance_storage.chain import COLUMNS as CHAINED
from balance_storage.rows import COLUMNS

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
SELECT h.balance_id, t.epoch, t.effective_at
FROM balancebus.held AS h
CROSS JOIN LATERAL (
    SELECT * FROM balancebus.tellings AS one
    WHERE one.account_id = h.account_id AND one.number = h.number
        AND one.received_at = h.received_at
    LIMIT 1
) AS t
WHERE h.balance_id = ANY(string_to_array(%s, ',')::bigint[])
"""
"""There is one such row at most; the limit has each looked up in its own partition."""

COPY_TELLINGS = (
    "COPY balancebus.tellings (balance_id, account_id, number, place_id, "
    f"{', '.join(COLUMNS)}, effective_at, again, chain, lines) FROM STDIN"
)

COPY_IDS = """
COPY balancebus.event_ids (digest, live_epoch, account_id, number)
FROM STDIN (FORMAT BINARY)
"""

MERGE = """
MERGE INTO balancebus.held AS known
USING unnest(string_to_array(%s, ',')::bigint[], string_to_array(%s, ',')::integer[],
        string_to_array(%s, ',')::bigint[], string_to_array(%s, ',')::timestamptz[])
    AS told (balance_id, account_id, number, received_at)
ON known.balance_id = told.balance_id
WHEN MATCHED THEN UPDATE SET number = told.number, received_at = told.received_at
WHEN NOT MATCHED THEN INSERT (balance_id, account_id, number, received_at)
    VALUES (told.balance_id, told.account_id, told.number, told.received_at)
"""
"""Takes which tellings hold now, at most one a balance. No other instance writes those
of an account whose end we have locked."""

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
    SELECT t.number, t.chain, t.lines, {", ".join(CHAINED)}
    FROM balancebus.tellings AS t
    LEFT JOIN balancebus.balance_keys USING (balance_id)
    LEFT JOIN balancebus.consumer_offsets USING (place_id)
    WHERE t.account_id = %s AND t.number > %s
    ORDER BY t.number LIMIT %s
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

WRONG_KEYS = """
SELECT venue, account, balance_key FROM balancebus.balance_keys
WHERE balance_key <> (SELECT format('%s|%s|%s|%s/%s|%s', VARIADIC array_agg(
    replace(replace(replace(part, '%', '%25'), '|', '%7C'), '/', '%2F') ORDER BY at))
    FROM unnest(ARRAY[venue, account, subaccount, wallet, wallet_id, asset])
        WITH ORDINALITY AS parts (part, at))
"""

WRONG_HEADS = """
SELECT k.venue, k.account, k.balance_key, b.balance, t.balance
FROM balancebus.balance_keys k
LEFT JOIN balancebus.held h USING (balance_id)
LEFT JOIN balancebus.balances b USING (balance_key)
LEFT JOIN LATERAL (
    SELECT * FROM balancebus.tellings one
    WHERE one.balance_id = k.balance_id AND one.effective_at IS NOT NULL
        AND one.kind <> 'backfill'
    ORDER BY one.effective_at DESC, one.number DESC LIMIT 1
) AS t ON true
WHERE (h.account_id, h.number, h.received_at)
    IS DISTINCT FROM (t.account_id, t.number, t.received_at)
"""

HELD = """
SELECT balance_key, venue, account, event_id, epoch, balance, received_at
FROM balancebus.balances WHERE event_id IS NOT NULL
"""
"""What holds, where the row that says so is still there."""

KNOWN_RECORDS = f"""
COPY (
    SELECT i.digest, i.live_epoch, o.topic, o.topic_partition, {", ".join(COLUMNS)}
    FROM balancebus.event_ids AS i
    JOIN balancebus.tellings AS t USING (account_id, number)
    LEFT JOIN balancebus.consumer_offsets AS o USING (place_id)
    WHERE i.digest = ANY(string_to_array(%s, ',')::uuid[])
) TO STDOUT
"""  # noqa: S608 — column names are our own
