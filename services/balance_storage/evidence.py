"""Reads what explains a figure from PostgreSQL; what it means is in ``explain.py``.

All columns are those of the views that people read, and of ``balance_keys``.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, LiteralString, Self, TypeVar

import psycopg
from psycopg.rows import class_row

from balance_shared.errors import SettingsError
from balance_storage.connecting import connected
from balance_storage.database import checked_dsn
from balance_storage.explain import (
    Compared,
    Explanation,
    Fact,
    FrameAt,
    FrameName,
    Line,
    Proof,
    explain,
    key_of,
)

T = TypeVar("T")

COMPARED_MAX = 20
"""Most comparisons that are read, the newest."""

_KEYS = "SELECT balance_key FROM balancebus.balance_keys ORDER BY 1"

_UP_TO = """
    balance_key = %(key)s
    AND effective_at <= least(coalesce(%(at)s, now()), coalesce(%(known_at)s, now()))
    AND received_at <= coalesce(%(known_at)s, now())
"""

_PICTURE: LiteralString = f"""
SELECT effective_at, epoch, topic_offset FROM balancebus.events
WHERE {_UP_TO} AND snapshot_id IS NOT NULL
ORDER BY effective_at DESC, epoch DESC, topic_offset DESC LIMIT 1
"""  # noqa: S608 — column names are our own

_FACTS: LiteralString = f"""
WITH told AS (
    SELECT event_id, feed, kind, balance, available, delta, reported_balance,
        balance_scope, venue_time, received_at, epoch, sequence, snapshot_id,
        snapshot_index, snapshot_size, topic, topic_partition, topic_offset,
        effective_at, false AS again
    FROM balancebus.events
    WHERE {_UP_TO} AND (%(from)s::timestamptz IS NULL OR effective_at >= %(from)s)
    UNION ALL
    SELECT event_id, NULL, kind, balance, available, NULL, NULL, NULL, venue_time,
        received_at, epoch, NULL, NULL, NULL, NULL, topic, topic_partition,
        topic_offset, effective_at, true
    FROM balancebus.retellings
    WHERE {_UP_TO} AND (%(from)s::timestamptz IS NULL OR effective_at >= %(from)s)
)
SELECT * FROM told WHERE %(from)s::timestamptz IS NULL
    OR (effective_at, epoch, topic_offset)
        >= (%(from)s::timestamptz, %(epoch)s::bigint, %(offset)s::bigint)
ORDER BY effective_at, epoch, topic_offset
"""  # noqa: S608 — column names are our own

_LINES = """
SELECT event_id, movement_id, reference_id, type, subtype, amount, fee, change,
    occurred_at
FROM balancebus.movements
WHERE balance_key = %(key)s AND received_at BETWEEN %(first)s AND %(last)s
ORDER BY event_id, line
"""

_COMPARED = """
SELECT r.requested_at, r.answered_at, r.verdict, r.checked, d.streamed, d.observed,
    d.residual, d.cause
FROM balancebus.reconciliations r
JOIN balancebus.balance_keys k ON k.balance_key = %(key)s
    AND (k.venue, k.account) = (r.venue, r.account)
LEFT JOIN balancebus.reconciliation_differences d
    ON (d.venue, d.account, d.requested_at, d.subaccount, d.asset)
        = (r.venue, r.account, r.requested_at, k.subaccount, k.asset)
    AND (d.wallet_id IN ('', k.wallet_id))
WHERE r.answered_at >= %(since)s
    AND r.answered_at <= least(coalesce(%(at)s, now()), coalesce(%(known_at)s, now()))
ORDER BY r.requested_at DESC, d.line
LIMIT %(most)s
"""

_PROOF = """
SELECT verdict, method, reason, expected, observed, residual, proven_through,
    checked_at, last_event_id
FROM balancebus.proofs WHERE balance_key = %(key)s
"""

_FRAMES = """
SELECT f.feed, f.epoch, f.received_at, f.topic, f.topic_partition, f.topic_offset,
    f.index, f.source, f.parts, f.payload
FROM balancebus.frames f
JOIN balancebus.balance_keys k ON k.balance_key = %(key)s
    AND (k.venue, k.account) = (f.venue, f.account)
WHERE f.part = 0 AND f.epoch = ANY(%(epochs)s) AND f.received_at = ANY(%(times)s)
"""

_ABSENT = (
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
)


async def explained(
    dsn: str,
    text: str,
    at: datetime | None = None,
    known_at: datetime | None = None,
) -> Explanation:
    """Return why a balance was what it was, but for the frames.

    Args:
        dsn: libpq connection string or URL; the role balancebus_reader suffices.
        text: its key, or parts of it; see `key_of`.
        at: what was true then, UTC; None: now.
        known_at: by what was known then, UTC; None: now.

    Raises:
        SettingsError: no or several balances are meant, nothing was known of it at that
            time, or the database has no such tables, or we may not read them.
        psycopg.OperationalError: the database cannot be reached.
    """
    async with _Asking(dsn) as ask:
        keys = [key for (key,) in await ask.rows(_KEYS, {})]
        key = key_of(text, keys)
        asked = {"key": key, "at": at, "known_at": known_at}
        picture = (await ask.rows(_PICTURE, asked) or [(None, None, None)])[0]
        begin = dict(zip(("from", "epoch", "offset"), picture, strict=True))
        facts = await ask.all(Fact, _FACTS, asked | begin)
        if not facts:
            raise SettingsError(f"KEY: nothing was known of {key} then")
        times = [fact.received_at for fact in facts]
        within = {"key": key, "first": min(times), "last": max(times)}
        lines = await ask.all(Line, _LINES, within)
        since = {"since": facts[0].received_at, "most": COMPARED_MAX}
        compared = await ask.all(Compared, _COMPARED, asked | since)
        proofs = await ask.all(Proof, _PROOF, asked)
    proof = proofs[0] if proofs else None
    return explain(key, facts, lines, compared, proof, at=at, known_at=known_at)


async def stored_frames(
    dsn: str, key: str, names: Collection[FrameName]
) -> dict[FrameName, FrameAt]:
    """Return those of some frames that are kept in the database.

    Args:
        dsn: as of `explained`.
        key: of the balance whose facts they made.
        names: of which frames.
    """
    asked = {
        "key": key,
        "epochs": [name.epoch for name in names],
        "times": [name.received_at for name in names],
    }
    async with _Asking(dsn) as ask:
        rows = await ask.rows(_FRAMES, asked)
    return {
        FrameName(*row[:3]): FrameAt(*row[3:])
        for row in rows
        if FrameName(*row[:3]) in names
    }


class _Asking:
    """One connection that reads; use as an async context manager."""

    def __init__(self, dsn: str) -> None:
        self._options = checked_dsn(dsn)

    async def __aenter__(self) -> Self:
        self._connection = await connected(self._options)
        await self._connection.execute(
            "SET timezone = 'UTC'; SET default_transaction_read_only = on"
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._connection.close()

    async def rows(
        self, query: LiteralString, values: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        cursor = self._connection.cursor()
        await self._asked(cursor, query, values)
        return await cursor.fetchall()

    async def all(
        self, kind: type[T], query: LiteralString, values: Mapping[str, Any]
    ) -> list[T]:
        """Return the rows of a query as values of a type."""
        cursor = self._connection.cursor(row_factory=class_row(kind))
        await self._asked(cursor, query, values)
        return await cursor.fetchall()

    async def _asked(
        self,
        cursor: psycopg.AsyncCursor[Any],
        query: LiteralString,
        values: Mapping[str, Any],
    ) -> None:
        try:
            await cursor.execute(query, values)
        except _ABSENT as error:
            raise SettingsError(
                "BALANCEBUS_POSTGRES_DSN: this database has no balances of this "
                "version: run `balancebus storage migrate`"
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise SettingsError(
                f"BALANCEBUS_POSTGRES_DSN: {error.diag.message_primary}: "
                "GRANT balancebus_reader to this user"
            ) from error
