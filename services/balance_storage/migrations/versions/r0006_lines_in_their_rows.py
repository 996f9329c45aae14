r"""Ledger lines in the row of their event, and what holds now by its number.

What people read is called as before. ``movement_lines`` goes: its rows are moved into
``tellings.lines``, written as COPY writes them, which is what is chained: links stay as
they are. ``held`` copies nothing of a row any more: it is made anew from the rows, by
the rule of `balance_storage.facts`. Instances of the previous release stop at their
next batch with an error and store nothing: the new ones go on from the same positions.
Rows with ledger lines are rewritten, which takes about a minute a million.
"""

from alembic import op

from balance_shared.errors import SettingsError

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STRAY = """
SELECT count(*) FROM balancebus.movement_lines m
WHERE NOT EXISTS (SELECT FROM balancebus.tellings t
    WHERE (t.account_id, t.number, t.received_at)
        = (m.account_id, m.number, m.received_at))
"""

_FUNCTIONS = r"""
CREATE FUNCTION balancebus.unescaped(told text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE WHEN strpos(told, '\') = 0 THEN told ELSE
    -- A backspace cannot stand in it: it stands for a backslash meanwhile, and a
    -- backslash for it, until the two change places.
    translate(replace(replace(replace(replace(replace(replace(replace(told,
        '\\', E'\b'), '\f', E'\f'), '\n', E'\n'), '\r', E'\r'), '\t', E'\t'),
        '\v', E'\v'), '\b', '\'), E'\\\b', E'\b\\') END
$$;
COMMENT ON FUNCTION balancebus.unescaped IS
'A text that COPY wrote, as it was.';
CREATE FUNCTION balancebus.lines_of(lines text) RETURNS TABLE (
    line integer, movement_id text, reference_id text, type text, subtype text,
    category text, amount numeric, fee numeric, change numeric,
    occurred_at timestamptz, occurred_at_text text, attributes jsonb
) LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT told[2]::integer, balancebus.unescaped(told[3]), balancebus.unescaped(told[4]),
    balancebus.unescaped(told[5]), balancebus.unescaped(told[6]),
    balancebus.unescaped(told[7]), told[10]::numeric, told[11]::numeric,
    told[12]::numeric, told[13]::timestamptz, balancebus.unescaped(told[8]),
    balancebus.unescaped(told[9])::jsonb
FROM string_to_table(lines, E'\n') AS one
CROSS JOIN LATERAL string_to_array(one, E'\t', '\N') AS told
$$;
COMMENT ON FUNCTION balancebus.lines_of IS
'The ledger lines that tellings.lines tells; the view movements shows them.';
"""

_LINES = r"""
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO';
ALTER TABLE balancebus.tellings ADD COLUMN lines text;
CREATE FUNCTION pg_temp.escaped(told text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT replace(replace(replace(replace(replace(replace(replace(told, '\', '\\'),
    E'\b', '\b'), E'\f', '\f'), E'\n', '\n'), E'\r', '\r'), E'\t', '\t'), E'\v', '\v')
$$;
UPDATE balancebus.tellings AS t SET lines = told.lines FROM (
    SELECT account_id, number, received_at,
        string_agg(array_to_string(ARRAY[received_at::text, line::text,
            pg_temp.escaped(movement_id), pg_temp.escaped(reference_id),
            pg_temp.escaped(type), pg_temp.escaped(subtype), pg_temp.escaped(category),
            pg_temp.escaped(occurred_at_text), pg_temp.escaped(attributes::text),
            amount::text, fee::text, change::text, occurred_at::text],
            E'\t', '\N'), E'\n' ORDER BY line) AS lines
    FROM balancebus.movement_lines GROUP BY 1, 2, 3
) AS told
WHERE (t.account_id, t.number, t.received_at)
    = (told.account_id, told.number, told.received_at);
CREATE OR REPLACE VIEW balancebus.movements AS
SELECT t.event_id, t.received_at, k.balance_key, m.line, m.movement_id, m.reference_id,
    m.type, m.subtype, m.category, m.amount, m.fee, m.change, m.occurred_at,
    m.occurred_at_text, m.attributes, t.account_id, t.number
FROM balancebus.tellings t
CROSS JOIN LATERAL balancebus.lines_of(t.lines) m
LEFT JOIN balancebus.balance_keys k USING (balance_id);
CREATE OR REPLACE VIEW balancebus.movements_by_day AS
SELECT (coalesce(m.occurred_at, t.received_at) AT TIME ZONE 'UTC')::date AS day,
    k.venue, k.account, k.subaccount, k.wallet, k.wallet_id, k.asset, m.type,
    count(*) AS lines, sum(m.amount) AS amount, sum(m.fee) AS fee,
    sum(m.change) AS change
FROM balancebus.tellings t
CROSS JOIN LATERAL balancebus.lines_of(t.lines) m
JOIN balancebus.balance_keys k USING (balance_id)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
DROP TABLE balancebus.movement_lines;
"""

_HELD = """
ALTER TABLE balancebus.held RENAME TO held_0005;
ALTER INDEX balancebus.held_pkey RENAME TO held_0005_pkey;
CREATE TABLE balancebus.held (
    balance_id bigint PRIMARY KEY,
    number bigint NOT NULL,
    received_at timestamptz NOT NULL,
    account_id integer NOT NULL
) WITH (fillfactor = 50);
INSERT INTO balancebus.held
SELECT k.balance_id, told.number, told.received_at, told.account_id
FROM balancebus.balance_keys k
CROSS JOIN LATERAL (
    SELECT * FROM balancebus.tellings one
    WHERE one.balance_id = k.balance_id AND one.effective_at IS NOT NULL
        AND one.kind <> 'backfill'
    ORDER BY one.effective_at DESC, one.number DESC LIMIT 1
) AS told;
CREATE OR REPLACE VIEW balancebus.balances AS
SELECT k.balance_key, k.venue, k.account, k.subaccount, k.wallet, k.wallet_id,
    t.nature, k.asset, t.kind, t.balance, t.available, t.venue_time, h.received_at,
    t.epoch, t.event_id, o.topic, o.topic_partition, t.topic_offset, t.effective_at,
    t.venue_asset
FROM balancebus.held h
LEFT JOIN balancebus.balance_keys k USING (balance_id)
LEFT JOIN LATERAL (
    -- One at most; the limit has each looked up in its own partition.
    SELECT * FROM balancebus.tellings one
    WHERE one.account_id = h.account_id AND one.number = h.number
        AND one.received_at = h.received_at
    LIMIT 1
) AS t ON true
LEFT JOIN balancebus.consumer_offsets o USING (place_id);
DROP TABLE balancebus.held_0005;
ANALYZE balancebus.held;
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
    FOREACH parent IN ARRAY ARRAY['tellings', 'frames'] LOOP
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
    -- What answers for a key at the horizon and after it stays, whatever its age.
    INSERT INTO kept_tellings
        SELECT DISTINCT ON (balance_id) * FROM balancebus.tellings
        WHERE received_at < horizon AND effective_at IS NOT NULL
        ORDER BY balance_id, effective_at DESC, epoch DESC, number DESC;
    INSERT INTO kept_tellings
        SELECT t.* FROM balancebus.tellings t JOIN balancebus.held h
            USING (account_id, number, received_at)
        WHERE t.received_at < horizon AND NOT EXISTS (SELECT FROM kept_tellings k
            WHERE (k.account_id, k.number) = (t.account_id, t.number));
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
    FOREACH parent IN ARRAY ARRAY['tellings', 'frames'] LOOP
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
    RETURN dropped;
END
$$;
"""


def upgrade() -> None:
    """Move ledger lines into their rows, and make anew what holds."""
    run = op.get_bind().exec_driver_sql
    run("LOCK TABLE balancebus.tellings, balancebus.movement_lines, balancebus.held")
    stray = run(_STRAY).scalar()
    if stray:
        raise SettingsError(
            f"BALANCEBUS_POSTGRES_DSN: cannot use this database: {stray} ledger lines "
            "belong to no row; `balancebus verify` of the release before names them"
        )
    for script in (_FUNCTIONS, _LINES, _HELD, _PARTITIONS):
        run(script.replace("%", "%%"))


def downgrade() -> None:
    """There is no way back: ledger lines have no table now; restore a backup."""
    raise NotImplementedError("restore a backup of before revision 0006")
