"""Compares the tables of the topics beside events with their topics, for `audit`.

Theory of operation. Where a later record replaces a row, each row is the last record of
its identity on the topic, and no row is there that the topic does not tell. Elsewhere
each record that is still on the topic is a row. Only records below the stored position
are compared: of an identity that was told again since, compaction may have left
nothing that we could compare with.

Frames are not compared: `balancebus replay` reads them from their topic.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from balance_schemas.topics import ALERTS, PROOFS, RECONCILIATIONS, STATUS, Topic
from balance_shared.errors import RecordInvalid
from balance_shared.kafka import Consumer, Incoming
from balance_storage import others
from balance_storage.database import Cursor
from balance_storage.lines import Place
from balance_storage.others import Table, Values
from balance_storage.verify import Kind, Report

TOPICS = (STATUS, RECONCILIATIONS, PROOFS, ALERTS)
"""What is compared."""

ROWS_AT_ONCE = 5_000
"""How many rows PostgreSQL compares at once."""

_Rows = dict[tuple[str, ...], Values | None]
"""Identity → values; None: it was told, and what is stored of it is not known."""


class OthersAudit:
    """Takes the records of `TOPICS`, in order, and says what is stored otherwise.

    Args:
        cursor: reads the tables.
        prefix: of the topics.
        positions: up to where each partition is stored.
        report: takes what is found.
    """

    def __init__(
        self,
        cursor: Cursor,
        prefix: str,
        positions: Mapping[Place, int],
        report: Report,
    ) -> None:
        self._cursor = cursor
        self._topics = {topic.full_name(prefix): topic for topic in TOPICS}
        self._positions = positions
        self._report = report
        self._last: dict[Table, _Rows] = {
            others.TABLES[topic]: {}
            for topic in TOPICS
            if others.TABLES[topic].replaces
        }
        self._unread: set[Table] = set()

    async def take(self, consumer: Consumer, records: Iterable[Incoming]) -> None:
        """Take the next records; those of other topics are left out."""
        stay: dict[tuple[Table, bool], _Rows] = {}
        for incoming in records:
            topic = self._topics.get(incoming.topic)
            if topic is None or incoming.value is None:
                continue
            place = incoming.topic, incoming.partition
            due = incoming.offset < self._positions.get(place, 0)
            try:
                record = await consumer.decode(topic.record, incoming)
                told = others.told(topic, record, (*place, incoming.offset))
            except RecordInvalid:
                self._unread.add(others.TABLES[topic])
                continue
            for table, values in told:
                identity = tuple(str(values[name]) for name in table.identity)
                if not table.replaces:
                    if due:
                        of_topic = stay.setdefault((table, _whole(topic)), {})
                        of_topic.setdefault(identity, values)
                elif due:
                    self._last[table][identity] = values
                else:
                    self._last[table].setdefault(identity, None)
        for (table, whole), rows in stay.items():
            await self._compare(table, rows, whole=whole)

    async def finish(self) -> None:
        """Compare what was told last; call this after the last record."""
        for table, rows in self._last.items():
            await self._compare(table, rows, whole=True)
            if table not in self._unread:
                await self._find_added(table, rows)
        await self._cursor.execute(others.UNCHANGED_STATUS)
        async for venue, account, feed in self._cursor:
            where = f"status {feed}: status_changes has no such state"
            self._report.add(Kind.CHANGED, f"{venue}|{account}", where)

    async def _compare(self, table: Table, rows: _Rows, *, whole: bool) -> None:
        """Compare rows with their table, by their identity alone or as a whole."""
        known = [values for values in rows.values() if values is not None]
        for first in range(0, len(known), ROWS_AT_ONCE):
            some = known[first : first + ROWS_AT_ONCE]
            query = others.compared(table, some[0] if whole else table.identity)
            text = msgspec.json.encode(some).decode()
            await self._cursor.execute(query, (text,))
            async for at, absent, columns in self._cursor:
                values = some[at - 1]
                identity = " ".join(str(values[name]) for name in table.identity)
                kind = Kind.NOT_STORED if absent else Kind.OTHER
                where = f"{table.name} {identity}"
                where += "" if absent else f": {', '.join(columns)}"
                self._report.add(kind, _owner(values), where)

    async def _find_added(self, table: Table, rows: _Rows) -> None:
        """Name the rows that the topic does not tell."""
        await self._cursor.execute(others.identities(table))
        async for identity in self._cursor:
            if identity not in rows:
                where = f"{table.name} {' '.join(identity)}: the topic tells none"
                self._report.add(Kind.ADDED, "", where)


def _whole(topic: Topic) -> bool:
    """Whether the record that made a row is there as long as any that tells it."""
    return topic.cleanup == "delete"


def _owner(values: Mapping[str, Any]) -> str:
    return f"{values['venue']}|{values['account']}" if "venue" in values else ""
