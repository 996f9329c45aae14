"""The first tables: events, balances and the offsets that go with them."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_EVENTS = """
CREATE TABLE balancebus.events (
    event_id text PRIMARY KEY,
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
    movements jsonb NOT NULL,
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
    live_epoch bigint,
    stored_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT events_place UNIQUE (topic, topic_partition, topic_offset)
);
COMMENT ON TABLE balancebus.events IS
    'Every balance event of the bus. One id, one fact: of records that repeat an id,
the first is kept.';
"""

_BALANCES = """
CREATE TABLE balancebus.balances (
    balance_key text PRIMARY KEY,
    venue text NOT NULL,
    account text NOT NULL,
    subaccount text NOT NULL,
    wallet text NOT NULL,
    wallet_id text NOT NULL,
    nature text NOT NULL,
    asset text NOT NULL,
    kind text NOT NULL,
    balance numeric NOT NULL,
    available numeric,
    venue_time timestamptz,
    received_at timestamptz NOT NULL,
    epoch bigint NOT NULL,
    event_id text NOT NULL,
    topic text NOT NULL,
    topic_partition integer NOT NULL,
    topic_offset bigint NOT NULL
);
COMMENT ON TABLE balancebus.balances IS
    'The current balance of each balance key: the last record in topic order among
those of the greatest epoch, of kind snapshot, update or absent.';
"""

_OFFSETS = """
CREATE TABLE balancebus.consumer_offsets (
    topic text NOT NULL,
    topic_partition integer NOT NULL,
    next_offset bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, topic_partition)
);
COMMENT ON TABLE balancebus.consumer_offsets IS
    'How far each partition is stored; moved in the transaction that stores the rows.';
"""

_PLACE = {
    "topic": "Kafka topic of the record.",
    "topic_partition": "Its partition of that topic.",
    "topic_offset": "Its offset in that partition.",
}
_BALANCE_KEY = "venue|account|subaccount|wallet/wallet_id|asset, parts percent-encoded."
_SHARED = {
    "balance_key": _BALANCE_KEY,
    "venue": "Where the account is: kraken, bitfinex, zerohash, ndax ...",
    "account": "Our alias for one API key at the venue.",
    "subaccount": "Owner below that key as the venue names it; empty if none.",
    "wallet": "Kind of pocket in our words: spot, earn, margin, hold ...",
    "wallet_id": "The venue''s own word for the pocket; empty if it names none.",
    "nature": "What may be summed with what: asset, liability, claim, unknown.",
    "asset": "Canonical asset code.",
    "balance": "Balance of the wallet after the event, in units of the asset.",
    "available": "Part free to use; null where the venue has not said (not 0).",
    "venue_time": "When the venue says that it happened; null if it does not say.",
    "received_at": "When the frame arrived at the connector.",
    "epoch": "Start of the connection''s life, microseconds since 1970.",
}
_COMMENTS = {
    "events": {
        **_SHARED,
        **_PLACE,
        "event_id": "One id, one fact.",
        "feed": "Feed that told it: ws or rest.",
        "venue_asset": "Asset code exactly as the venue sent it.",
        "asset_class": "The venue''s asset class, or currency.",
        "network": "Chain, where the venue tells it; else empty.",
        "kind": "snapshot, update, absent (balance 0) or backfill (told late).",
        "delta": "Net change of the wallet by the event; null where unknown.",
        "reported_balance": "The venue''s own figure; null where it gave none.",
        "balance_scope": "What reported_balance covers: wallet, account, unknown.",
        "movements": "Ledger lines behind the event; amounts are exact texts.",
        "sequence": "The venue''s number of the frame, or the number of the poll.",
        "snapshot_id": "Picture that the event is part of; null if of none.",
        "snapshot_index": "Place in the picture, from 0.",
        "snapshot_size": "Number of records of the whole picture.",
        "attributes": "Whatever else the venue sent, name to text.",
        "live_epoch": "Greatest epoch in which a record of this id other than a "
        "backfill was taken into balances; null while only backfill told it.",
        "stored_at": "When the transaction that stored the row began.",
    },
    "balances": {
        **_SHARED,
        **_PLACE,
        "kind": "Kind of the record: snapshot, update or absent (balance 0).",
        "event_id": "Event id of the record that holds now; a row of events.",
    },
    "consumer_offsets": {
        "topic": "Kafka topic.",
        "topic_partition": "Partition of that topic.",
        "next_offset": "Offset of the first record that is not stored yet.",
        "updated_at": "When it was last moved.",
    },
}


def upgrade() -> None:
    """Make the tables and say what each column means."""
    run = op.get_bind().exec_driver_sql
    for statement in (_EVENTS, _BALANCES, _OFFSETS):
        run(statement)
    for table, columns in _COMMENTS.items():
        for column, comment in columns.items():
            run(f"COMMENT ON COLUMN balancebus.{table}.{column} IS '{comment}'")


def downgrade() -> None:
    """Drop the tables; the topic still has what its retention keeps."""
    run = op.get_bind().exec_driver_sql
    run(
        "DROP TABLE balancebus.events, balancebus.balances, balancebus.consumer_offsets"
    )
