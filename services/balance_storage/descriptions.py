"""What each table and column means: the words of the records' schemas, and our own.

`balance_storage.schema` writes them into the database whenever they differ, so that
the comments there cannot drift from ``schemas/balance_schemas/avro``.
"""

import json
from typing import Any

from balance_schemas.codec import schema_text

_PLACE = {
    "topic": "Kafka topic of the record.",
    "topic_partition": "Its partition of that topic.",
    "topic_offset": "Its offset in that partition.",
}
_BALANCE_KEY = {
    "balance_key": "venue|account|subaccount|wallet/wallet_id|asset, parts "
    "percent-encoded."
}
_EFFECTIVE = {
    "effective_at": "When the fact took effect: the venue's time (of arrival where "
    "the venue says none), for all but backfill not before what it replaced did; null "
    "if it never held, being of an older epoch."
}
_CHAIN = {
    "account_id": "Number of the account; a row of accounts.",
    "number": "Place in the account's chain, from 1, over events and retellings.",
    "chain": "Digest of the row before and of this one; see accounts.",
}
_IDS = {
    "balance_id": "Number of the balance key; a row of balance_keys.",
    "place_id": "Number of its topic and partition; a row of consumer_offsets.",
    "again": "Whether the id was told before: a retelling.",
    "stored_at": "When the transaction that stored the row began.",
    "attributes": "Whatever else the venue sent, name to text.",
}
_RECONCILED = {"line": "Place in the reconciliation, from 0."}

_MOVEMENT = {
    "event_id": "Event that the line is behind; a row of events.",
    "received_at": "When that event arrived.",
    "line": "Place of the line in its event, from 0.",
}
_LINES = {
    "lines": "Its ledger lines as COPY writes them, one a line of text, which is what "
    "is chained; null if none. The view movements shows them."
}
_HOLDS = {
    "kind": "Kind of the record: snapshot, update or absent (balance 0).",
    "event_id": "Event id of the record that holds now; a row of events.",
}

_PROVEN = {
    "verdict": "PROVEN, UNPROVEN or VIOLATED; null if there is no proof.",
    "proven_through": "Up to when it is proven; null if it never was.",
}


def _parts(record: str) -> dict[str, str]:
    """Return the words of a record's own fields."""
    return {
        field["name"]: field["doc"] for field in _definition(record, None)["fields"]
    }


def _definition(record: str, part: str | None) -> dict[str, Any]:
    definition: dict[str, Any] = json.loads(schema_text(record))
    if part is None:
        return definition
    fields = {field["name"]: field["type"] for field in definition["fields"]}
    items: dict[str, Any] = fields[part]["items"]
    return items


_SOURCES: dict[str, tuple[str, str | None, str, dict[str, str]]] = {
    "accounts": (
        "BalanceEvent",
        None,
        (
            "The accounts, and where the chain over the rows of each ends: whoever "
            "changes, loses or adds a row of tellings breaks it."
        ),
        {
            "account_id": "Number of the account.",
            "number": "Number of the account's last row in tellings; 0: none.",
            "chain": "Link of that row: a digest of the link before and the row.",
        },
    ),
    "balance_keys": (
        "BalanceEvent",
        None,
        "The balance keys, and the numbers that stand for them.",
        {**_BALANCE_KEY, **_IDS, **_CHAIN},
    ),
    "tellings": (
        "BalanceEvent",
        None,
        (
            "The rows behind events, retellings and movements, partitioned by month "
            "of received_at. Read those views."
        ),
        {**_PLACE, **_EFFECTIVE, **_IDS, **_CHAIN, **_LINES},
    ),
    "chain_starts": (
        "BalanceEvent",
        None,
        (
            "Where chains go on behind rows that retention dropped: the link before "
            "the row of this number."
        ),
        {**_CHAIN, "chain": "Link of the row before it, which was dropped."},
    ),
    "held": (
        "BalanceEvent",
        None,
        "Which row of tellings holds of each balance. Read the view balances.",
        {**_IDS, **_CHAIN},
    ),
    "events": (
        "BalanceEvent",
        None,
        (
            "Every balance event of the bus. One id, one fact: of records that repeat "
            "an id, the first is kept. Reach one by its id through event_of(id)."
        ),
        {**_PLACE, **_BALANCE_KEY, **_EFFECTIVE, **_IDS, **_CHAIN},
    ),
    "event_ids": (
        "BalanceEvent",
        None,
        "The id of every stored event, once.",
        {
            **_CHAIN,
            "digest": "digest_of(event_id): 128 bits that stand for the id.",
            "live_epoch": "Greatest epoch in which a record of this id other than a "
            "backfill was told; null while only backfill told it.",
        },
    ),
    "retellings": (
        "BalanceEvent",
        None,
        (
            "Records that repeat the id of an event and count nevertheless: told live "
            "after a backfill, or in a greater epoch."
        ),
        {**_PLACE, **_BALANCE_KEY, **_EFFECTIVE, **_CHAIN},
    ),
    "movements": (
        "BalanceEvent",
        "movements",
        "The ledger lines behind events, one a row.",
        {**_BALANCE_KEY, **_CHAIN, **_MOVEMENT},
    ),
    "balances": (
        "BalanceEvent",
        None,
        (
            "The current balance of each balance key: the last record in topic order "
            "among those of the greatest epoch, of kind snapshot, update or absent."
        ),
        {**_PLACE, **_BALANCE_KEY, **_EFFECTIVE, **_HOLDS},
    ),
    "status": ("ConnectorStatus", None, "The last known state of each feed.", {}),
    "status_changes": (
        "ConnectorStatus",
        None,
        "Every state that a feed was in, and since when.",
        {},
    ),
    "current_balances": (
        "BalanceEvent",
        None,
        "The current balances, zeros among them, and what is proven of each.",
        {
            **_BALANCE_KEY,
            **_EFFECTIVE,
            **_HOLDS,
            **_PROVEN,
            "is_judged": (
                "Whether the verdict is of this very figure; false: of one before it, "
                "or of another amount; null: there is no verdict."
            ),
        },
    ),
    "holdings": (
        "BalanceEvent",
        None,
        "What is held of each asset over all venues and accounts, exact.",
        {
            "net": "Assets less liabilities; claims and unknown are in no sum.",
            "assets": "Sum of the balances of nature asset.",
            "liabilities": "Sum of those of nature liability: what is owed.",
            "claims": "Sum of those of nature claim: what is not received yet.",
            "unknown": "Sum of all others: wallets that we do not know.",
            "venues": "Where there is a balance of it, zeros among them.",
        },
    ),
    "movements_by_day": (
        "BalanceEvent",
        "movements",
        "The ledger lines of each day, wallet, asset and type, added up.",
        {
            **_parts("BalanceEvent"),
            "day": "Day in UTC: of occurred_at, or of arrival where there is none.",
            "lines": "How many lines.",
            "amount": "Sum of the gross amounts; null if no line has one.",
            "fee": "Sum of the fees; null if no line has one.",
            "change": "Sum of the net changes; null if no line has one.",
        },
    ),
    "account_quality": (
        "ConnectorStatus",
        None,
        "How far the figures of each account can be trusted: a row a feed.",
        {
            "reconciled_at": "When it was last compared with the venue's answer.",
            "reconciliation": "Its verdict: consistent, inconsistent, inconclusive.",
            "open_differences": "Differences of the last comparison that concluded.",
            "worst_verdict": "VIOLATED if a balance is, else UNPROVEN if a balance is "
            "not proven or none is known, else PROVEN.",
            "balances": "How many balances the account has.",
            "proven": "How many of them are PROVEN.",
            "violated": "How many of them are VIOLATED.",
        },
    ),
    "proven_watermark": (
        "BalanceProof",
        None,
        "Up to when all balances of the firm are proven, and what holds that back.",
        {
            **_BALANCE_KEY,
            "proven_through": "The least of all balances; null if any balance or "
            "account has none.",
            "reason": "Why the balance that holds it back is where it is.",
        },
    ),
    "reconciliations": ("Reconciliation", None, "", {}),
    "reconciliation_differences": (
        "Reconciliation",
        "differences",
        "",
        {
            **_RECONCILED,
            "venue": "Venue of the reconciliation.",
            "account": "Account of the reconciliation.",
            "requested_at": "With venue and account: which reconciliation.",
        },
    ),
    "proofs": ("BalanceProof", None, "", _BALANCE_KEY),
    "alerts": ("Alert", None, "", {}),
    "frames": ("RawFrame", None, "", _PLACE),
    "consumer_offsets": (
        "BalanceEvent",
        None,
        (
            "How far each partition is stored; moved in the transaction that stores "
            "the rows."
        ),
        {
            **_PLACE,
            "place_id": "Number of the topic's partition.",
            "next_offset": "Offset of the first record that is not stored yet.",
            "updated_at": "When it was last moved.",
        },
    ),
}
"""Table → record, its array field (None: the record itself), comment (empty: the
record's own words), words of columns that the record does not have or that mean
something else here."""


def of_tables() -> dict[str, str]:
    """Return table → what it holds."""
    return {
        table: own or _definition(record, part)["doc"]
        for table, (record, part, own, _) in _SOURCES.items()
    }


def of_columns(table: str) -> dict[str, str]:
    """Return column → what it means, for all that the table might have."""
    record, part, _, own = _SOURCES[table]
    fields = _definition(record, part)["fields"]
    return {field["name"]: field["doc"] for field in fields} | own
