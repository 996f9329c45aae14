"""Partitions, ledger lines, times at which facts took effect, and the other topics.

Existing events are moved. Instances of the previous release stop at their next batch
with an error and store nothing: the new ones go on from the same positions.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OLD = """
ALTER TABLE balancebus.events RENAME TO events_0001;
ALTER INDEX balancebus.events_pkey RENAME TO events_0001_pkey;
ALTER INDEX balancebus.events_place RENAME TO events_0001_place;
"""

_EVENTS = """
CREATE TABLE balancebus.event_ids (
    event_id text PRIMARY KEY,
    live_epoch bigint
);
CREATE TABLE balancebus.events (
    event_id text NOT NULL,
    balance_key text NOT NULL,
    venue text NOT NULL,
    account text NOT NULL,
    subaccount text NOT NULL,
    feed text NOT NULL,
    wallet text NOT NULL,
    wallet_id text NOT NULL,
    nature text NOT NULL,
    asset text NOT NULL,
    venue_asset text NOT NULL,
    asset_class text NOT NULL,
    network text NOT NULL,
    kind text NOT NULL,
    balance numeric NOT NULL,
    available numeric,
    delta numeric,
    reported_balance numeric,
    balance_scope text NOT NULL,
    venue_time timestamptz,
    received_at timestamptz NOT NULL,
    epoch bigint NOT NULL,
    sequence bigint,
    snapshot_id text,
    snapshot_index integer,
    snapshot_size integer,
    attributes jsonb NOT NULL,
    topic text NOT NULL,
    topic_partition integer NOT NULL,
    topic_offset bigint NOT NULL,
    effective_at timestamptz,
    stored_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT events_place
        UNIQUE (topic_partition, topic_offset, topic, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX events_history ON balancebus.events
    (balance_key, effective_at DESC, epoch DESC, topic_offset DESC);
CREATE INDEX events_id ON balancebus.events (event_id);
CREATE INDEX events_backfilled ON balancebus.events (balance_key)
    WHERE kind = 'backfill';
CREATE TABLE balancebus.events_default PARTITION OF balancebus.events DEFAULT;
CREATE TABLE balancebus.retellings (
    balance_key text NOT NULL,
    venue text NOT NULL,
    account text NOT NULL,
    subaccount text NOT NULL,
    wallet text NOT NULL,
    wallet_id text NOT NULL,
    nature text NOT NULL,
    asset text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL,
    balance numeric NOT NULL,
    available numeric,
    venue_time timestamptz,
    received_at timestamptz NOT NULL,
    epoch bigint NOT NULL,
    topic text NOT NULL,
    topic_partition integer NOT NULL,
    topic_offset bigint NOT NULL,
    effective_at timestamptz,
    PRIMARY KEY (event_id, epoch)
);
CREATE INDEX retellings_history ON balancebus.retellings
    (balance_key, effective_at DESC, epoch DESC, topic_offset DESC);
CREATE TABLE balancebus.movements (
    event_id text NOT NULL,
    received_at timestamptz NOT NULL,
    balance_key text NOT NULL,
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
    attributes jsonb NOT NULL,
    PRIMARY KEY (event_id, line, received_at)
) PARTITION BY RANGE (received_at);
CREATE TABLE balancebus.movements_default PARTITION OF balancebus.movements DEFAULT;
ALTER TABLE balancebus.balances ADD COLUMN effective_at timestamptz;
"""

_PARTITIONS = """
CREATE FUNCTION balancebus.make_partition(month timestamptz) RETURNS void
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
    FOREACH parent IN ARRAY ARRAY['events', 'movements', 'frames'] LOOP
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
CREATE FUNCTION balancebus.drop_partitions(before timestamptz) RETURNS integer
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
    CREATE TEMPORARY TABLE kept_events ON COMMIT DROP AS
        SELECT * FROM balancebus.events WHERE false;
    CREATE TEMPORARY TABLE kept_movements ON COMMIT DROP AS
        SELECT * FROM balancebus.movements WHERE false;
    -- What answers for a key at the horizon and after it stays, whatever its age.
    INSERT INTO kept_events
        SELECT DISTINCT ON (balance_key) * FROM balancebus.events
        WHERE received_at < horizon AND effective_at IS NOT NULL
        ORDER BY balance_key, effective_at DESC, epoch DESC, topic_offset DESC;
    INSERT INTO kept_events
        SELECT e.* FROM balancebus.events e JOIN balancebus.balances b
            USING (event_id)
        WHERE e.received_at < horizon
            AND NOT EXISTS (SELECT FROM kept_events k WHERE k.event_id = e.event_id);
    INSERT INTO kept_movements
        SELECT m.* FROM balancebus.movements m JOIN kept_events k USING (event_id)
        WHERE m.received_at < horizon;
    DELETE FROM balancebus.event_ids i USING balancebus.events e
        WHERE e.event_id = i.event_id AND e.received_at < horizon
            AND NOT EXISTS (SELECT FROM kept_events k WHERE k.event_id = e.event_id);
    FOREACH parent IN ARRAY ARRAY['events', 'movements', 'frames'] LOOP
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
    INSERT INTO balancebus.events SELECT * FROM kept_events;
    INSERT INTO balancebus.movements SELECT * FROM kept_movements;
    RETURN dropped;
END
$$;
REVOKE ALL ON FUNCTION balancebus.make_partition, balancebus.drop_partitions
    FROM PUBLIC;
"""

_HELD = """balance_key venue account subaccount wallet wallet_id nature asset kind
balance available venue_time received_at epoch event_id topic topic_partition
topic_offset effective_at"""

_AS_OF = """
CREATE FUNCTION balancebus.balances_as_of(
    at timestamptz, known_at timestamptz DEFAULT now()
) RETURNS TABLE (
    balance_key text, venue text, account text, subaccount text, wallet text,
    wallet_id text, nature text, asset text, kind text, balance numeric,
    available numeric, venue_time timestamptz, received_at timestamptz, epoch bigint,
    event_id text, topic text, topic_partition integer, topic_offset bigint,
    effective_at timestamptz
) LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT held.*
FROM (
    SELECT b.balance_key FROM balancebus.balances b
    UNION
    SELECT e.balance_key FROM balancebus.events e WHERE e.kind = 'backfill'
) AS named
CROSS JOIN LATERAL (
    SELECT told.* FROM (
        (SELECT {columns} FROM balancebus.events AS one
        WHERE one.balance_key = named.balance_key
            AND one.effective_at <= least(at, known_at)
            AND one.received_at <= known_at
        ORDER BY one.effective_at DESC, one.epoch DESC, one.topic_offset DESC LIMIT 1)
        UNION ALL
        (SELECT {columns} FROM balancebus.retellings AS one
        WHERE one.balance_key = named.balance_key
            AND one.effective_at <= least(at, known_at)
            AND one.received_at <= known_at
        ORDER BY one.effective_at DESC, one.epoch DESC, one.topic_offset DESC LIMIT 1)
    ) AS told
    ORDER BY told.effective_at DESC, told.epoch DESC, told.topic_offset DESC LIMIT 1
) AS held
$$;
COMMENT ON FUNCTION balancebus.balances_as_of IS
'What was true at a time of the venues, by what was known at a time of arrival: of the
facts received by known_at that took effect (see events.effective_at) by at, which is
cut to known_at, the last to take effect of each key; of equal ones that of the greater
epoch, then the later record. Facts learned late change what was true, never what was
known.';
""".replace("{columns}", ", ".join(f"one.{column}" for column in _HELD.split()))

_OTHERS = """
CREATE TABLE balancebus.status (
    venue text NOT NULL,
    account text NOT NULL,
    feed text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    epoch bigint NOT NULL,
    since timestamptz NOT NULL,
    last_message_at timestamptz,
    last_event_at timestamptz,
    confirmed_at timestamptz,
    sequence bigint,
    instance text NOT NULL,
    version text NOT NULL,
    PRIMARY KEY (venue, account, feed)
);
CREATE TABLE balancebus.reconciliations (
    venue text NOT NULL,
    account text NOT NULL,
    requested_at timestamptz NOT NULL,
    answered_at timestamptz NOT NULL,
    verdict text NOT NULL,
    checked integer NOT NULL,
    PRIMARY KEY (venue, account, requested_at)
);
CREATE TABLE balancebus.reconciliation_differences (
    venue text NOT NULL,
    account text NOT NULL,
    requested_at timestamptz NOT NULL,
    line integer NOT NULL,
    subaccount text NOT NULL,
    wallet text NOT NULL,
    wallet_id text NOT NULL,
    asset text NOT NULL,
    streamed numeric,
    observed numeric,
    residual numeric NOT NULL,
    cause text NOT NULL,
    PRIMARY KEY (venue, account, requested_at, line)
);
CREATE TABLE balancebus.proofs (
    balance_key text PRIMARY KEY,
    venue text NOT NULL,
    account text NOT NULL,
    subaccount text NOT NULL,
    wallet text NOT NULL,
    wallet_id text NOT NULL,
    asset text NOT NULL,
    verdict text NOT NULL,
    method text NOT NULL,
    reason text NOT NULL,
    expected numeric,
    observed numeric,
    residual numeric,
    proven_through timestamptz,
    checked_at timestamptz NOT NULL,
    last_event_id text NOT NULL
);
CREATE TABLE balancebus.alerts (
    alert_id text PRIMARY KEY,
    rule text NOT NULL,
    severity text NOT NULL,
    state text NOT NULL,
    labels jsonb NOT NULL,
    value numeric,
    threshold numeric,
    summary text NOT NULL,
    description text NOT NULL,
    started_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    resolved_at timestamptz
);
CREATE TABLE balancebus.frames (
    venue text NOT NULL,
    account text NOT NULL,
    feed text NOT NULL,
    epoch bigint NOT NULL,
    index bigint NOT NULL,
    received_at timestamptz NOT NULL,
    source text NOT NULL,
    part integer NOT NULL,
    parts integer NOT NULL,
    payload bytea NOT NULL,
    topic text NOT NULL,
    topic_partition integer NOT NULL,
    topic_offset bigint NOT NULL,
    PRIMARY KEY (venue, account, feed, epoch, index, part, received_at)
) PARTITION BY RANGE (received_at);
CREATE TABLE balancebus.frames_default PARTITION OF balancebus.frames DEFAULT;
"""

_MOVE = """
SELECT balancebus.make_partition(month)
FROM (SELECT DISTINCT date_trunc('month', received_at, 'UTC') AS month
    FROM balancebus.events_0001) AS months;
INSERT INTO balancebus.event_ids
SELECT event_id, live_epoch FROM balancebus.events_0001;
INSERT INTO balancebus.events
WITH told AS (
    SELECT *, least(venue_time, received_at, now()) AS happened_at,
        kind = 'backfill' AS late,
        epoch < max(epoch) FILTER (WHERE kind <> 'backfill') OVER past AS never
    FROM balancebus.events_0001
    WINDOW past AS (PARTITION BY balance_key
        ORDER BY topic, topic_partition, topic_offset)
)
SELECT event_id, balance_key, venue, account, subaccount, feed, wallet, wallet_id,
    nature, asset, venue_asset, asset_class, network, kind, balance, available, delta,
    reported_balance, balance_scope, venue_time, received_at, epoch, sequence,
    snapshot_id, snapshot_index, snapshot_size, attributes, topic, topic_partition,
    topic_offset,
    CASE WHEN late THEN happened_at WHEN NOT never THEN
        max(happened_at) FILTER (WHERE NOT late AND NOT never) OVER (
            PARTITION BY balance_key ORDER BY topic, topic_partition, topic_offset)
    END,
    stored_at
FROM told;
INSERT INTO balancebus.movements
SELECT event_id, received_at, balance_key, number - 1, movement_id, reference_id,
    type, subtype, category, amount, fee, change, occurred_at, occurred_at_text,
    line.attributes
FROM balancebus.events_0001, ROWS FROM (jsonb_to_recordset(movements) AS (
    movement_id text, reference_id text, type text, subtype text, category text,
    amount numeric, fee numeric, change numeric, occurred_at timestamptz,
    occurred_at_text text, attributes jsonb)) WITH ORDINALITY AS line (
    movement_id, reference_id, type, subtype, category, amount, fee, change,
    occurred_at, occurred_at_text, attributes, number);
UPDATE balancebus.balances b SET effective_at = greatest(
    least(b.venue_time, b.received_at, now()),
    (SELECT max(effective_at) FROM balancebus.events e
    WHERE e.balance_key = b.balance_key AND e.kind <> 'backfill'));
ALTER TABLE balancebus.balances ALTER COLUMN effective_at SET NOT NULL;
INSERT INTO balancebus.retellings
SELECT balance_key, b.venue, b.account, b.subaccount, b.wallet, b.wallet_id, b.nature,
    b.asset, b.event_id, b.kind, b.balance, b.available, b.venue_time, b.received_at,
    b.epoch, b.topic, b.topic_partition, b.topic_offset, b.effective_at
FROM balancebus.balances b JOIN balancebus.events_0001 e USING (balance_key, event_id)
WHERE (b.topic, b.topic_partition, b.topic_offset)
    <> (e.topic, e.topic_partition, e.topic_offset);
DROP TABLE balancebus.events_0001;
"""


def upgrade() -> None:
    """Make the tables and move the events into them."""
    run = op.get_bind().exec_driver_sql
    for script in (_OLD, _EVENTS, _OTHERS, _PARTITIONS, _AS_OF, _MOVE):
        run(script.replace("%", "%%"))


def downgrade() -> None:
    """There is no way back: events are partitioned now; restore a backup."""
    raise NotImplementedError("restore a backup of before revision 0002")
