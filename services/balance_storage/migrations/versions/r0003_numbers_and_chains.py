"""Numbers instead of texts in rows and indexes, and a chain over each account's rows.

What people read is called as before, but ``events``, ``retellings``, ``movements`` and
``balances`` are views now. Existing rows are moved and chained in the order of their
topic. Instances of the previous release stop at their next batch with an error and
store nothing: the new ones go on from the same positions.
"""

from collections.abc import Iterator
from hashlib import blake2b

import psycopg
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OLD = """
ALTER TABLE balancebus.events RENAME TO events_0002;
ALTER TABLE balancebus.event_ids RENAME TO event_ids_0002;
ALTER INDEX balancebus.event_ids_pkey RENAME TO event_ids_0002_pkey;
ALTER TABLE balancebus.retellings RENAME TO retellings_0002;
ALTER TABLE balancebus.movements RENAME TO movements_0002;
ALTER TABLE balancebus.balances RENAME TO balances_0002;
DROP FUNCTION balancebus.balances_as_of;
"""

_TABLES = """
CREATE TABLE balancebus.accounts (
    account_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    venue text NOT NULL,
    account text NOT NULL,
    number bigint NOT NULL DEFAULT 0,
    chain uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    UNIQUE (venue, account)
) WITH (fillfactor = 50);
CREATE TABLE balancebus.balance_keys (
    balance_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id integer NOT NULL,
    balance_key text NOT NULL UNIQUE,
    venue text NOT NULL,
    account text NOT NULL,
    subaccount text NOT NULL,
    wallet text NOT NULL,
    wallet_id text NOT NULL,
    asset text NOT NULL
);
ALTER TABLE balancebus.consumer_offsets
    ADD COLUMN place_id integer GENERATED ALWAYS AS IDENTITY UNIQUE;
CREATE TABLE balancebus.event_ids (
    digest uuid PRIMARY KEY,
    live_epoch bigint,
    account_id integer NOT NULL,
    number bigint NOT NULL
);
CREATE TABLE balancebus.tellings (
    balance_id bigint NOT NULL,
    number bigint NOT NULL,
    topic_offset bigint NOT NULL,
    received_at timestamptz NOT NULL,
    epoch bigint NOT NULL,
    account_id integer NOT NULL,
    place_id integer NOT NULL,
    effective_at timestamptz,
    venue_time timestamptz,
    stored_at timestamptz NOT NULL DEFAULT now(),
    chain uuid NOT NULL,
    again boolean NOT NULL,
    event_id text NOT NULL,
    feed text NOT NULL,
    nature text NOT NULL,
    venue_asset text NOT NULL,
    asset_class text NOT NULL,
    network text NOT NULL,
    kind text NOT NULL,
    balance numeric NOT NULL,
    available numeric,
    delta numeric,
    reported_balance numeric,
    balance_scope text NOT NULL,
    sequence bigint,
    snapshot_id text,
    snapshot_index integer,
    snapshot_size integer,
    attributes json NOT NULL,
    CONSTRAINT tellings_place UNIQUE (account_id, number, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX tellings_history ON balancebus.tellings (balance_id, effective_at);
CREATE TABLE balancebus.tellings_default
    PARTITION OF balancebus.tellings DEFAULT;
CREATE TABLE balancebus.movement_lines (
    number bigint NOT NULL,
    received_at timestamptz NOT NULL,
    account_id integer NOT NULL,
    line integer NOT NULL,
    movement_id text NOT NULL,
    reference_id text,
    type text NOT NULL,
    subtype text,
    category text,
    amount numeric,
    fee numeric,
    change numeric,
    occurred_at timestamptz,
    occurred_at_text text,
    attributes json NOT NULL,
    CONSTRAINT movement_lines_place UNIQUE (account_id, number, line, received_at)
) PARTITION BY RANGE (received_at);
CREATE TABLE balancebus.movement_lines_default
    PARTITION OF balancebus.movement_lines DEFAULT;
ALTER TABLE balancebus.alerts ADD COLUMN attributes jsonb NOT NULL DEFAULT '{}';
ALTER TABLE balancebus.frames ADD COLUMN attributes jsonb NOT NULL DEFAULT '{}';
CREATE TABLE balancebus.chain_starts (
    account_id integer NOT NULL,
    number bigint NOT NULL,
    chain uuid NOT NULL,
    PRIMARY KEY (account_id, number)
);
CREATE TABLE balancebus.held (
    balance_id bigint PRIMARY KEY,
    nature text NOT NULL,
    venue_asset text NOT NULL,
    kind text NOT NULL,
    balance numeric NOT NULL,
    available numeric,
    venue_time timestamptz,
    received_at timestamptz NOT NULL,
    epoch bigint NOT NULL,
    event_id text NOT NULL,
    place_id integer NOT NULL,
    topic_offset bigint NOT NULL,
    effective_at timestamptz NOT NULL
) WITH (fillfactor = 50);
"""

_VIEWS = """
CREATE VIEW balancebus.events AS
SELECT t.event_id, k.balance_key, k.venue, k.account, k.subaccount, t.feed, k.wallet,
    k.wallet_id, t.nature, k.asset, t.venue_asset, t.asset_class, t.network, t.kind,
    t.balance, t.available, t.delta, t.reported_balance, t.balance_scope, t.venue_time,
    t.received_at, t.epoch, t.sequence, t.snapshot_id, t.snapshot_index,
    t.snapshot_size, t.attributes::jsonb AS attributes, o.topic, o.topic_partition,
    t.topic_offset, t.effective_at, t.stored_at, t.account_id, t.number, t.chain
FROM balancebus.tellings t
LEFT JOIN balancebus.balance_keys k USING (balance_id)
LEFT JOIN balancebus.consumer_offsets o USING (place_id)
WHERE NOT t.again;
CREATE VIEW balancebus.retellings AS
SELECT k.balance_key, k.venue, k.account, k.subaccount, k.wallet, k.wallet_id,
    t.nature, k.asset, t.event_id, t.kind, t.balance, t.available, t.venue_time,
    t.received_at, t.epoch, o.topic, o.topic_partition, t.topic_offset,
    t.effective_at, t.account_id, t.number, t.chain
FROM balancebus.tellings t
LEFT JOIN balancebus.balance_keys k USING (balance_id)
LEFT JOIN balancebus.consumer_offsets o USING (place_id)
WHERE t.again;
CREATE VIEW balancebus.movements AS
SELECT t.event_id, m.received_at, k.balance_key, m.line, m.movement_id, m.reference_id,
    m.type, m.subtype, m.category, m.amount, m.fee, m.change, m.occurred_at,
    m.occurred_at_text, m.attributes::jsonb AS attributes, m.account_id, m.number
FROM balancebus.movement_lines m
LEFT JOIN balancebus.tellings t USING (account_id, number, received_at)
LEFT JOIN balancebus.balance_keys k USING (balance_id);
CREATE VIEW balancebus.balances AS
SELECT k.balance_key, k.venue, k.account, k.subaccount, k.wallet, k.wallet_id,
    h.nature, k.asset, h.kind, h.balance, h.available, h.venue_time, h.received_at,
    h.epoch, h.event_id, o.topic, o.topic_partition, h.topic_offset, h.effective_at,
    h.venue_asset
FROM balancebus.held h
LEFT JOIN balancebus.balance_keys k USING (balance_id)
LEFT JOIN balancebus.consumer_offsets o USING (place_id);
"""

_PARTITIONS = """
CREATE OR REPLACE FUNCTION balancebus.make_partition(month timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    first timestamptz := date_trunc('month', month);
    next timestamptz := date_trunc('month', month) + interval '1 month';
    parent text;
    part text;
BEGIN
    -- Months that no clock should say share the default partition.
    IF first < '2009-01-01' OR first > now() + interval '3 months' THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(1650551920);
    FOREACH parent IN ARRAY ARRAY['tellings', 'movement_lines', 'frames'] LOOP
        part := parent || to_char(first, '_YYYY_MM');
        CONTINUE WHEN to_regclass('balancebus.' || part) IS NOT NULL;
        -- Made apart and then attached: readers and writers go on meanwhile.
        EXECUTE format('CREATE TABLE balancebus.%I (LIKE balancebus.%I INCLUDING ALL)',
            part, parent);
        EXECUTE format('WITH moved AS (DELETE FROM balancebus.%I'
            ' WHERE received_at >= %L AND received_at < %L RETURNING *)'
            ' INSERT INTO balancebus.%I SELECT * FROM moved',
            parent || '_default', first, next, part);
        EXECUTE format('ALTER TABLE balancebus.%I ATTACH PARTITION balancebus.%I'
            ' FOR VALUES FROM (%L) TO (%L)', parent, part, first, next);
    END LOOP;
END
$$;
CREATE OR REPLACE FUNCTION balancebus.drop_partitions(before timestamptz)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    horizon timestamptz := date_trunc('month', before);
    parent text;
    part text;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(1650551920);
    CREATE TEMPORARY TABLE kept_tellings ON COMMIT DROP AS
        SELECT * FROM balancebus.tellings WHERE false;
    CREATE TEMPORARY TABLE kept_lines ON COMMIT DROP AS
        SELECT * FROM balancebus.movement_lines WHERE false;
    -- What answers for a key at the horizon and after it stays, whatever its age.
    INSERT INTO kept_tellings
        SELECT DISTINCT ON (balance_id) * FROM balancebus.tellings
        WHERE received_at < horizon AND effective_at IS NOT NULL
        ORDER BY balance_id, effective_at DESC, epoch DESC, number DESC;
    INSERT INTO kept_tellings
        SELECT t.* FROM balancebus.tellings t JOIN balancebus.held h
            USING (balance_id, place_id, topic_offset)
        WHERE t.received_at < horizon AND NOT EXISTS (SELECT FROM kept_tellings k
            WHERE (k.account_id, k.number) = (t.account_id, t.number));
    INSERT INTO kept_lines
        SELECT m.* FROM balancebus.movement_lines m JOIN kept_tellings k
            USING (account_id, number, received_at);
    CREATE TEMPORARY TABLE dropped_tellings ON COMMIT DROP AS
        SELECT t.account_id, t.number, t.chain, t.again FROM balancebus.tellings t
        WHERE t.received_at < horizon AND NOT EXISTS (SELECT FROM kept_tellings k
            WHERE (k.account_id, k.number) = (t.account_id, t.number));
    -- Chains go on behind what is dropped.
    DELETE FROM balancebus.chain_starts s USING dropped_tellings d
        WHERE (s.account_id, s.number) = (d.account_id, d.number);
    INSERT INTO balancebus.chain_starts
        SELECT d.account_id, d.number + 1, d.chain FROM dropped_tellings d
        WHERE NOT EXISTS (SELECT FROM dropped_tellings n
            WHERE (n.account_id, n.number) = (d.account_id, d.number + 1));
    DELETE FROM balancebus.event_ids i USING dropped_tellings d
        WHERE (i.account_id, i.number) = (d.account_id, d.number) AND NOT d.again;
    FOREACH parent IN ARRAY ARRAY['tellings', 'movement_lines', 'frames'] LOOP
        FOR part IN
            SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
            WHERE inhparent = ('balancebus.' || parent)::regclass
                AND c.relname < parent || to_char(horizon, '_YYYY_MM')
                AND c.relname <> parent || '_default'
        LOOP
            EXECUTE format('DROP TABLE balancebus.%I', part);
            dropped := dropped + 1;
        END LOOP;
        EXECUTE format('DELETE FROM balancebus.%I WHERE received_at < %L',
            parent || '_default', horizon);
    END LOOP;
    INSERT INTO balancebus.tellings SELECT * FROM kept_tellings;
    INSERT INTO balancebus.movement_lines SELECT * FROM kept_lines;
    RETURN dropped;
END
$$;
"""

_FUNCTIONS = """
CREATE FUNCTION balancebus.digest_of(event_id text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT encode(substr(sha256(convert_to(event_id, 'UTF8')), 1, 16), 'hex')::uuid
$$;
COMMENT ON FUNCTION balancebus.digest_of IS
'The 128 bits that stand for an event id in event_ids.';
CREATE FUNCTION balancebus.event_of(event_id text) RETURNS SETOF balancebus.events
LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT e.* FROM balancebus.event_ids i
JOIN balancebus.events e ON e.account_id = i.account_id AND e.number = i.number
WHERE i.digest = balancebus.digest_of(event_of.event_id)
$$;
COMMENT ON FUNCTION balancebus.event_of IS
'The event of an id, found by its index.';
CREATE FUNCTION balancebus.balances_as_of(
    at timestamptz, known_at timestamptz DEFAULT now()
) RETURNS TABLE (
    balance_key text, venue text, account text, subaccount text, wallet text,
    wallet_id text, nature text, asset text, kind text, balance numeric,
    available numeric, venue_time timestamptz, received_at timestamptz, epoch bigint,
    event_id text, topic text, topic_partition integer, topic_offset bigint,
    effective_at timestamptz
) LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT k.balance_key, k.venue, k.account, k.subaccount, k.wallet, k.wallet_id,
    told.nature, k.asset, told.kind, told.balance, told.available, told.venue_time,
    told.received_at, told.epoch, told.event_id, o.topic, o.topic_partition,
    told.topic_offset, told.effective_at
FROM balancebus.balance_keys k
CROSS JOIN LATERAL (
    SELECT one.* FROM balancebus.tellings one
    WHERE one.balance_id = k.balance_id
        AND one.effective_at <= least(at, known_at)
        AND one.received_at <= known_at
    ORDER BY one.effective_at DESC, one.epoch DESC, one.number DESC
    LIMIT 1
) AS told
LEFT JOIN balancebus.consumer_offsets o USING (place_id)
$$;
COMMENT ON FUNCTION balancebus.balances_as_of IS
'What was true at a time of the venues, by what was known at a time of arrival: of the
facts received by known_at that took effect (see events.effective_at) by at, which is
cut to known_at, the last to take effect of each key; of equal ones that of the greater
epoch, then the later record. Facts learned late change what was true, never what was
known.';
CREATE FUNCTION balancebus.balance_as_of(
    key text, at timestamptz, known_at timestamptz DEFAULT now()
) RETURNS TABLE (
    balance_key text, venue text, account text, subaccount text, wallet text,
    wallet_id text, nature text, asset text, kind text, balance numeric,
    available numeric, venue_time timestamptz, received_at timestamptz, epoch bigint,
    event_id text, topic text, topic_partition integer, topic_offset bigint,
    effective_at timestamptz
) LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT held.* FROM balancebus.balances_as_of(at, known_at) AS held
WHERE held.balance_key = key
$$;
COMMENT ON FUNCTION balancebus.balance_as_of IS
'The balance of one key by the rule of balances_as_of.';
"""

_NAME = """
INSERT INTO balancebus.consumer_offsets (topic, topic_partition, next_offset)
SELECT topic, topic_partition, max(topic_offset) + 1 FROM (
    SELECT topic, topic_partition, topic_offset FROM balancebus.events_0002
    UNION ALL
    SELECT topic, topic_partition, topic_offset FROM balancebus.retellings_0002
    UNION ALL
    SELECT topic, topic_partition, topic_offset FROM balancebus.balances_0002
) AS told GROUP BY 1, 2
ON CONFLICT DO NOTHING;
CREATE TEMPORARY TABLE named ON COMMIT DROP AS
SELECT balance_key, venue, account, subaccount, wallet, wallet_id, asset
    FROM balancebus.events_0002
UNION SELECT balance_key, venue, account, subaccount, wallet, wallet_id, asset
    FROM balancebus.retellings_0002
UNION SELECT balance_key, venue, account, subaccount, wallet, wallet_id, asset
    FROM balancebus.balances_0002;
INSERT INTO balancebus.accounts (venue, account)
SELECT DISTINCT venue, account FROM named ORDER BY 1, 2;
INSERT INTO balancebus.balance_keys
    (account_id, balance_key, venue, account, subaccount, wallet, wallet_id, asset)
SELECT account_id, balance_key, venue, account, subaccount, wallet, wallet_id, asset
FROM named JOIN balancebus.accounts USING (venue, account) ORDER BY balance_key;
SELECT balancebus.make_partition(month) FROM (
    SELECT DISTINCT date_trunc('month', received_at, 'UTC') AS month FROM (
        SELECT received_at FROM balancebus.events_0002
        UNION SELECT received_at FROM balancebus.retellings_0002) AS times
) AS months;
"""

_NUMBER = """
CREATE TEMPORARY TABLE numbered ON COMMIT DROP AS
WITH told AS (
    SELECT event_id, balance_key, feed, nature, venue_asset, asset_class, network,
        kind, balance, available, delta, reported_balance, balance_scope, venue_time,
        received_at, epoch, sequence, snapshot_id, snapshot_index, snapshot_size,
        attributes::text AS attributes, topic, topic_partition, topic_offset,
        effective_at, stored_at, false AS again
    FROM balancebus.events_0002
    UNION ALL
    SELECT r.event_id, r.balance_key, coalesce(e.feed, ''), r.nature,
        coalesce(e.venue_asset, ''), coalesce(e.asset_class, ''),
        coalesce(e.network, ''), r.kind, r.balance, r.available, NULL, NULL,
        coalesce(e.balance_scope, ''), r.venue_time, r.received_at, r.epoch, NULL,
        NULL, NULL, NULL, '{}', r.topic, r.topic_partition, r.topic_offset,
        r.effective_at, now(), true
    FROM balancebus.retellings_0002 r
    LEFT JOIN balancebus.events_0002 e USING (event_id)
)
SELECT balance_id, account_id, place_id, told.*, row_number() OVER (
    PARTITION BY account_id ORDER BY topic, topic_partition, topic_offset) AS number
FROM told JOIN balancebus.balance_keys USING (balance_key)
JOIN balancebus.consumer_offsets USING (topic, topic_partition);
CREATE UNIQUE INDEX ON numbered (account_id, number);
CREATE INDEX ON numbered (event_id) WHERE NOT again;
INSERT INTO balancebus.movement_lines (account_id, number, received_at, line,
    movement_id, reference_id, type, subtype, category, amount, fee, change,
    occurred_at, occurred_at_text, attributes)
SELECT n.account_id, n.number, n.received_at, line, movement_id, reference_id, type,
    subtype, category, amount, fee, change, occurred_at, occurred_at_text,
    m.attributes::text::json
FROM balancebus.movements_0002 m JOIN numbered n
    ON n.event_id = m.event_id AND NOT n.again;
CREATE TEMPORARY TABLE chained (account_id integer, number bigint, chain uuid)
    ON COMMIT DROP;
"""

_LINES = """
COPY (SELECT number, balance_key, topic, topic_partition, topic_offset, event_id, feed,
    nature, venue_asset, asset_class, network, kind, balance_scope, snapshot_id,
    attributes, balance, available, delta, reported_balance, venue_time, received_at,
    epoch, sequence, snapshot_index, snapshot_size, effective_at, again
FROM numbered WHERE account_id = %s AND number > %s AND number <= %s ORDER BY number
) TO STDOUT
"""

_MOVEMENTS = """
COPY (SELECT number, received_at, line, movement_id, reference_id, type, subtype,
    category, occurred_at_text, attributes, amount, fee, change, occurred_at
FROM balancebus.movement_lines
WHERE account_id = %s AND number > %s AND number <= %s ORDER BY number, line) TO STDOUT
"""

_MOVE = """
INSERT INTO balancebus.tellings (balance_id, number, topic_offset, received_at, epoch,
    account_id, place_id, effective_at, venue_time, stored_at, chain, again, event_id,
    feed, nature, venue_asset, asset_class, network, kind, balance, available, delta,
    reported_balance, balance_scope, sequence, snapshot_id, snapshot_index,
    snapshot_size, attributes)
SELECT balance_id, number, topic_offset, received_at, epoch, account_id, place_id,
    effective_at, venue_time, stored_at, chain, again, event_id, feed, nature,
    venue_asset, asset_class, network, kind, balance, available, delta,
    reported_balance, balance_scope, sequence, snapshot_id, snapshot_index,
    snapshot_size, attributes::json
FROM numbered JOIN chained USING (account_id, number);
INSERT INTO balancebus.event_ids (digest, live_epoch, account_id, number)
SELECT balancebus.digest_of(event_id), live_epoch, account_id, number
FROM numbered LEFT JOIN balancebus.event_ids_0002 USING (event_id) WHERE NOT again;
UPDATE balancebus.accounts a SET number = c.number, chain = c.chain
FROM (SELECT DISTINCT ON (account_id) * FROM chained ORDER BY account_id, number DESC)
    AS c
WHERE c.account_id = a.account_id;
INSERT INTO balancebus.held (balance_id, nature, venue_asset, kind, balance, available,
    venue_time, received_at, epoch, event_id, place_id, topic_offset, effective_at)
SELECT k.balance_id, b.nature, coalesce(n.venue_asset, ''), b.kind, b.balance,
    b.available, b.venue_time, b.received_at, b.epoch, b.event_id, o.place_id,
    b.topic_offset, b.effective_at
FROM balancebus.balances_0002 b JOIN balancebus.balance_keys k USING (balance_key)
JOIN balancebus.consumer_offsets o USING (topic, topic_partition)
LEFT JOIN numbered n ON n.event_id = b.event_id AND NOT n.again;
DROP TABLE balancebus.events_0002, balancebus.event_ids_0002,
    balancebus.retellings_0002, balancebus.movements_0002, balancebus.balances_0002;
ANALYZE balancebus.tellings, balancebus.movement_lines, balancebus.balance_keys,
    balancebus.held, balancebus.event_ids;
"""

_ROWS_AT_ONCE = 10_000


def upgrade() -> None:
    """Make the tables and move the rows into them."""
    bind = op.get_bind()
    run = bind.exec_driver_sql
    run("SET LOCAL timezone = 'UTC'")
    run("SET LOCAL datestyle = 'ISO'")
    scripts = (_OLD, _TABLES, _VIEWS, _PARTITIONS, _FUNCTIONS, _NAME, _NUMBER)
    for script in scripts:
        run(script.replace("%", "%%"))
    counts = run("SELECT account_id, max(number) FROM numbered GROUP BY 1").fetchall()
    with bind.connection.driver_connection.cursor() as cursor:  # type: ignore[union-attr]
        for account_id, count in counts:
            _chain(cursor, account_id, count)
    run(_MOVE)


def _chain(cursor: psycopg.Cursor[tuple[object, ...]], owner: int, count: int) -> None:
    """Chain the rows of one account: each link is of the one before and the row."""
    link = bytes(16)
    for first in range(0, count, _ROWS_AT_ONCE):
        stretch = owner, first, first + _ROWS_AT_ONCE
        movements: dict[str, str] = {}
        for number, line in _read(cursor, _MOVEMENTS, stretch):
            movements[number] = f"{movements.get(number, '')}\n{line}"
        chained = []
        for number, line in _read(cursor, _LINES, stretch):
            text = line + movements.get(number, "")
            link = blake2b(link + text.encode(), digest_size=16).digest()
            chained.append(f"{owner}\t{number}\t{link.hex()}\n")
        with cursor.copy("COPY chained FROM STDIN") as copy:
            copy.write("".join(chained))


def _read(
    cursor: psycopg.Cursor[tuple[object, ...]], query: str, stretch: tuple[int, ...]
) -> Iterator[tuple[str, str]]:
    """Yield (number, the rest of the line) of what COPY writes."""
    with cursor.copy(query, stretch) as copy:
        text = b"".join(copy).decode()
    for line in text.split("\n")[:-1]:
        number, _, rest = line.partition("\t")
        yield number, rest


def downgrade() -> None:
    """There is no way back: rows are numbered now; restore a backup."""
    raise NotImplementedError("restore a backup of before revision 0003")
