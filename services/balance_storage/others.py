"""Rows of the topics beside events: status, reconciliations, proofs, alerts, frames.

Each record becomes statements with values, executed in the transaction that moves its
position. Records reach us in topic order and exactly once: what arrives later is later.
No I/O.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from balance_schemas.decimals import plain
from balance_schemas.records import (
    Alert,
    BalanceProof,
    ConnectorStatus,
    RawFrame,
    Reconciliation,
    Record,
)
from balance_schemas.topics import (
    ALERTS,
    FRAMES,
    PROOFS,
    RECONCILIATIONS,
    STATUS,
    Topic,
)
from balance_shared.errors import RecordInvalid
from balance_storage.rows import KEY_BYTES_MAX, Statement

Values = dict[str, Any]
"""Column → value."""


@dataclass(frozen=True, slots=True)
class Table:
    """Where the records of a topic go.

    Attributes:
        name: of the table.
        identity: columns that make a row the same row.
        replaces: a later record replaces the row; else the first one stays.
        guard: what must hold besides, in SQL; empty: nothing.
    """

    name: str
    identity: tuple[str, ...]
    replaces: bool
    guard: str = ""


TABLES: Mapping[Topic, Table] = {
    STATUS: Table(
        "status",
        ("venue", "account", "feed"),
        replaces=True,
        guard="excluded.epoch >= known.epoch OR excluded.epoch = 0",
    ),
    RECONCILIATIONS: Table(
        "reconciliations", ("venue", "account", "requested_at"), replaces=False
    ),
    PROOFS: Table("proofs", ("balance_key",), replaces=True),
    ALERTS: Table("alerts", ("alert_id",), replaces=True),
    FRAMES: Table(
        "frames",
        ("venue", "account", "feed", "epoch", "index", "part", "received_at"),
        replaces=False,
    ),
}
"""Topic → table.

A status of an older epoch is an old process's and says nothing of the feed any more. A
process that has just started has no epoch yet, which is 0: it speaks for the feed.
"""

_CHANGES = Table(
    "status_changes",
    ("venue", "account", "feed", "epoch", "since", "state"),
    replaces=False,
)
_OF_CHANGES = (*_CHANGES.identity, "reason", "instance", "version")

_DIFFERENCES = Table(
    "reconciliation_differences",
    ("venue", "account", "requested_at", "line"),
    replaces=False,
)


def statements(
    topic: Topic, record: Record, place: tuple[str, int, int]
) -> list[Statement]:
    """Return what stores a record.

    Args:
        topic: of `TABLES`.
        record: of the topic's type.
        place: name of its topic, partition and offset.

    Raises:
        RecordInvalid: PostgreSQL could not hold it: a NUL character in a text, or an
            identity over `KEY_BYTES_MAX`. Dead-letter it.
    """
    return [_insert(table, row) for table, row in _rows(topic, record, place)]


def told(
    topic: Topic, record: Record, place: tuple[str, int, int]
) -> list[tuple[Table, Values]]:
    """Return the rows that `statements` stores, as `compared` takes them.

    Raises:
        RecordInvalid: as of `statements`.
    """
    return [
        (table, {name: _told(name, value) for name, value in row.items()})
        for table, row in _rows(topic, record, place)
        if _insert(table, row)
    ]


def _told(name: str, value: Any) -> Any:
    return value if isinstance(value, dict) else _value(name, value)


def compared(table: Table, columns: Iterable[str]) -> str:
    """Return the query that names the rows that a table has otherwise, or not.

    It takes rows as a JSON array, and returns of each its number from 1, whether it is
    absent, and the columns that differ.

    Args:
        table: which.
        columns: what is compared.
    """
    same = " AND ".join(f"known.{name} = excluded.{name}" for name in table.identity)
    unlike = ", ".join(
        f"CASE WHEN known.{name} IS DISTINCT FROM excluded.{name} THEN '{name}' END"
        for name in columns
    )
    absent = f"known.{table.identity[0]} IS NULL"
    row = f"balancebus.{table.name}"
    return (
        "SELECT * FROM ("  # noqa: S608 — column names are our own
        f"SELECT at, {absent} AS absent, array_remove(ARRAY[{unlike}], NULL) AS unlike "
        "FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS one (told, at) "
        f"CROSS JOIN LATERAL jsonb_populate_record(NULL::{row}, told) AS excluded "
        f"LEFT JOIN {row} AS known ON {same} "
        f"WHERE {absent} OR {table.guard or 'true'}"
        ") AS found WHERE absent OR unlike <> '{}' ORDER BY at"
    )


def identities(table: Table) -> str:
    """Return the query of the identities of a table's rows."""
    columns = ", ".join(table.identity)
    return f"SELECT {columns} FROM balancebus.{table.name} ORDER BY {columns}"  # noqa: S608 — column names are our own


UNCHANGED_STATUS = """
SELECT venue, account, feed FROM balancebus.status AS s
WHERE NOT EXISTS (SELECT FROM balancebus.status_changes AS c
    WHERE (c.venue, c.account, c.feed, c.epoch, c.since, c.state)
        = (s.venue, s.account, s.feed, s.epoch, s.since, s.state))
"""
"""States that no change led to; each status is stored with its change."""


def _rows(
    topic: Topic, record: Record, place: tuple[str, int, int]
) -> Iterator[tuple[Table, Values]]:
    values = msgspec.structs.asdict(record)
    if isinstance(record, BalanceProof):
        values["balance_key"] = record.key
    if isinstance(record, Alert | RawFrame):
        del values["attributes"]  # what alerting and replay note for themselves
    if isinstance(record, RawFrame):
        names = ("topic", "topic_partition", "topic_offset")
        values |= dict(zip(names, place, strict=True))
    differences = values.pop("differences", ())
    yield TABLES[topic], values
    if isinstance(record, ConnectorStatus):
        yield _CHANGES, {name: values[name] for name in _OF_CHANGES}
    if isinstance(record, Reconciliation):
        for line, difference in enumerate(differences):
            yield (
                _DIFFERENCES,
                {
                    "venue": record.venue,
                    "account": record.account,
                    "requested_at": record.requested_at,
                    "line": line,
                }
                | msgspec.structs.asdict(difference),
            )


def _insert(table: Table, row: Values) -> Statement:
    values = {name: _value(name, value) for name, value in row.items()}
    identity = "".join(str(values[name]) for name in table.identity)
    if len(identity.encode()) > KEY_BYTES_MAX:
        raise RecordInvalid(f"identity is longer than {KEY_BYTES_MAX} bytes")
    columns = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    insert = (
        f"INSERT INTO balancebus.{table.name} AS known ({columns}) "  # noqa: S608 — column names are our own
        f"VALUES ({marks}) ON CONFLICT ({', '.join(table.identity)}) "
    )
    if not table.replaces:
        return f"{insert}DO NOTHING", tuple(values.values())
    changes = ", ".join(
        f"{name} = excluded.{name}" for name in values if name not in table.identity
    )
    guard = f" WHERE {table.guard}" if table.guard else ""
    return f"{insert}DO UPDATE SET {changes}{guard}", tuple(values.values())


def _value(name: str, value: Any) -> Any:
    """Return a value as PostgreSQL reads it: texts, but for bytes and null."""
    match value:
        case None | bytes():
            return value
        case Decimal():
            return plain(value)
        case datetime():
            return value.isoformat()
        case dict():
            text = msgspec.json.encode(value).decode()
            nul = any("\0" in part for pair in value.items() for part in pair)
        case _:
            text = str(value)
            nul = "\0" in text
    if nul:
        raise RecordInvalid(f"{name} has a NUL character, which PostgreSQL cannot hold")
    return text
