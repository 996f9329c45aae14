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

NEXT_ACCOUNT = "SELECT min(account_id) FROM balancebus.tellings WHERE account_id > %s"
"""The next account that has rows, by an index."""

FIRST_PLACE = "-9223372036854775808", "-infinity"
"""The least number and arrival there can be, as `READ_LINES` takes them."""

READ_LINES = f"""
COPY (
    SELECT t.number, t.received_at, t.chain, t.lines, {", ".join(CHAINED)}
    FROM balancebus.tellings AS t
    LEFT JOIN balancebus.balance_keys USING (balance_id)
    LEFT JOIN balancebus.consumer_offsets USING (place_id)
    WHERE t.account_id = %s AND (t.number, t.received_at) >= (%s, %s)
    ORDER BY t.number, t.received_at LIMIT %s OFFSET %s
) TO STDOUT
"""  # noqa: S608 — column names are our own
"""Takes an account, a number, an arrival, how many rows, and how many to leave out."""

VERIFIED = """
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY
"""
"""All that is verified is of one moment."""

ALL_POSITIONS = """
SELECT topic, topic_partition, next_offset FROM balancebus.consumer_offsets
"""

ALL_ENDS = """
SELECT account_id, coalesce(a.venue, k.venue), coalesce(a.account, k.account),
    a.number, a.chain
FROM balancebus.accounts AS a
FULL JOIN (
    SELECT DISTINCT ON (account_id) account_id, venue, account
    FROM balancebus.balance_keys ORDER BY account_id, balance_id
) AS k USING (account_id)
ORDER BY 2, 3
"""
"""An account that only balance keys name has no end: both are null."""

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

WRONG_ACCOUNTS = """
SELECT k.venue, k.account, account_id, a.venue, a.account, count(*)
FROM balancebus.balance_keys k JOIN balancebus.accounts a USING (account_id)
WHERE (k.venue, k.account) <> (a.venue, a.account)
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3
"""

WRONG_IDS = f"""
WITH later AS MATERIALIZED (
    SELECT event_id, max(epoch) AS epoch, max(stored_at) AS stored_at
    FROM balancebus.tellings WHERE again GROUP BY event_id
)
SELECT account_id, number, t.event_id, t.digest, t.live_epoch, i.digest, i.live_epoch
FROM (
    SELECT one.account_id, one.number, one.received_at, one.event_id,
        balancebus.digest_of(one.event_id) AS digest,
        greatest(CASE WHEN one.kind <> 'backfill' THEN one.epoch END, later.epoch)
            AS live_epoch
    FROM balancebus.tellings AS one
    LEFT JOIN later
        ON later.event_id = one.event_id AND later.stored_at >= one.stored_at
    WHERE NOT one.again
) AS t
FULL JOIN balancebus.event_ids AS i USING (account_id, number)
LEFT JOIN (
    SELECT account_id, number AS last FROM balancebus.accounts
) AS a USING (account_id)
WHERE t.digest IS NULL OR t.digest <> i.digest
    OR i.digest IS NULL AND number BETWEEN 1 AND coalesce(last, number)
    OR t.live_epoch IS DISTINCT FROM i.live_epoch AND i.digest IS NOT NULL
        AND NOT coalesce(
            t.received_at < ({HORIZON}) + interval '1 day'
                AND i.live_epoch > coalesce(t.live_epoch, 0),
            false)
ORDER BY account_id, number
"""  # noqa: S608 — the horizon is our own
"""Ids that are not those of the rows they stand for. Each row that is the first of its
id has one, with the greatest epoch that told it live; retention may have dropped the
row that did. Rows beyond the end of their chain are left to the chain."""

WRONG_HEADS = """
SELECT k.venue, k.account, coalesce(k.balance_key, 'balance_id ' || h.balance_id),
    b.balance, t.balance
FROM balancebus.balance_keys k
FULL JOIN balancebus.held h USING (balance_id)
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
FROM balancebus.balances WHERE event_id IS NOT NULL AND balance_key IS NOT NULL
"""
"""What holds, where the row that says so is still there."""

KNOWN_RECORDS = f"""
COPY (
    SELECT i.digest, i.live_epoch, o.topic, o.topic_partition, {", ".join(COLUMNS)}
    FROM balancebus.event_ids AS i
    JOIN balancebus.tellings AS t USING (account_id, number)
    LEFT JOIN balancebus.consumer_offsets AS o USING (place_id)
    WHERE i.digest = ANY(string_to_array(%s, ',')::uuid[])
    ORDER BY t.received_at DESC
) TO STDOUT
"""  # noqa: S608 — column names are our own
"""Of rows with one number the first to arrive comes last: it is the one that counts."""
