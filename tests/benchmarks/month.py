"""A month of a firm on the topics that proof reads, as connectors would tell it.

Eight accounts at four venues hold 625 balances each. Connections last half a day on
average; with each begins a picture of all balances, some of which moved meanwhile, and
the history tells how. REST is compared every minute, and the state of both feeds is told
every ten seconds. Kraken, Zero Hash and NDAX tell changes, Bitfinex does not.

Compacted topics have all of the last days and of before only the last of each key, as
the broker leaves them.

Run as a program, it fills the topics of a stack: ``python month.py KAFKA REGISTRY PREFIX
EVENTS``. Prints how many records each topic has then.
"""

import asyncio
import heapq
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from balance_schemas.codec import encode_body
from balance_schemas.keys import account_key, partition_of
from balance_schemas.records import (
    BalanceEvent,
    ConnectorStatus,
    Movement,
    Reconciliation,
    Record,
)
from balance_schemas.topics import EVENTS, LATEST, RECONCILIATIONS, STATUS, Topic
from balance_shared.kafka import Outgoing, Producer, apply_topics
from balance_shared.registry import Registry
from balance_shared.settings import ProofSettings

VENUES = ("kraken", "bitfinex", "zerohash", "ndax")
ACCOUNTS = [(venue, f"desk-{n}") for venue in VENUES for n in range(2)]
BALANCES = 625
PARTITIONS = 12
DAYS, UNCOMPACTED_DAYS = 28, 7
CONNECTION_S = 12 * 3600.0
STATE_S, COMPARISON_S = 10.0, 60.0
DAY_S = 86_400.0
DOUBTFUL = 0.02
BATCH = 5_000

KEPT_S = (DAYS - UNCOMPACTED_DAYS) * DAY_S
"""From when on all of compacted topics is there; states before are not even told."""

Told = tuple[float, Topic, Record]
"""When, in seconds since the month began, on which topic, and what."""

Due = tuple[float, Callable[[float], Iterator[Told]]]
"""When something is told, and what tells it then."""


class Desk:
    """One account's month.

    Args:
        venue: at which venue.
        account: its alias.
        updates: how many updates are told, about.
        began: when the month begins, UTC.
    """

    def __init__(self, venue: str, account: str, updates: int, began: datetime):
        self.venue, self.account, self.began = venue, account, began
        self.rng = random.Random(f"{venue} {account}")
        self.every_s = DAYS * DAY_S / updates
        self.held = [Decimal(1000 + n) for n in range(BALANCES)]
        self.epoch, self.last, self.number, self.lines = 0, 0.0, 0, 0

    def at(self, now: float) -> datetime:
        """Return a time of the month."""
        return self.began + timedelta(seconds=now)

    def told(self) -> Iterator[Told]:
        """Yield all that is told, in that order."""
        now = 0.0
        while now < DAYS * DAY_S:
            until = min(now + self.rng.expovariate(1 / CONNECTION_S), DAYS * DAY_S)
            yield from self._connection(now, until)
            now = until + 3.0  # for which nobody listened

    def _connection(self, now: float, until: float) -> Iterator[Told]:
        self.epoch = int(self.at(now).timestamp() * 1_000_000)
        missed = self.rng.sample(range(BALANCES), 3) if now else []
        for n in missed:
            self.held[n] += 7
        for n in range(BALANCES):
            yield self._picture(now + 1, n)
        yield self._state(now + 1.5, "ws")
        for n in missed:
            yield self._line(now + 5, n)
        dues = heapq.merge(
            self._updates(now + 10, until),
            ((at, self._compared) for at in _every(COMPARISON_S, now + 30, until)),
            ((at, self._live) for at in _every(STATE_S, max(now + 10, KEPT_S), until)),
            key=lambda one: one[0],
        )
        for at, tell in dues:
            yield from tell(at)
        yield self._state(until, "ws", "stale")

    def _updates(self, now: float, until: float) -> Iterator[Due]:
        while (now := now + self.rng.expovariate(1 / self.every_s)) < until:
            yield now, self._moved

    def _moved(self, now: float) -> Iterator[Told]:
        n = min(int(self.rng.expovariate(20 / BALANCES)), BALANCES - 1)
        change = Decimal(self.rng.randint(-500, 500)) / 1000
        self.held[n] += change
        yield self._update(now, n, change)

    def _live(self, now: float) -> Iterator[Told]:
        yield self._state(now, "ws")
        yield self._state(now, "rest")

    def _event(self, now: float, n: int, kind: str, **fields) -> Told:
        self.number += 1
        if kind != "backfill":
            self.last = now
        told = {
            "event_id": f"{self.venue}|{self.account}||E{self.number:08d}",
            "venue": self.venue,
            "account": self.account,
            "subaccount": "",
            "feed": "ws",
            "wallet": "spot",
            "wallet_id": "main",
            "nature": "asset",
            "asset": f"C{n}",
            "venue_asset": f"XC{n}",
            "asset_class": "currency",
            "network": "",
            "kind": kind,
            "balance": self.held[n],
            "balance_scope": "wallet",
            "venue_time": self.at(now - 0.05),
            "received_at": self.at(now),
            "epoch": self.epoch,
        }
        return now, EVENTS, BalanceEvent(**(told | fields))

    def _picture(self, now: float, n: int) -> Told:
        name = {"snapshot_id": str(self.epoch), "snapshot_size": BALANCES}
        return self._event(now, n, "snapshot", snapshot_index=n, **name)

    def _update(self, now: float, n: int, change: Decimal) -> Told:
        if self.venue == "bitfinex":
            return self._event(now, n, "update")
        return self._event(
            now,
            n,
            "update",
            delta=change,
            reported_balance=self.held[n],
            movements=(self._movement(now, change),),
            sequence=self.number,
        )

    def _line(self, now: float, n: int) -> Told:
        at = {"venue_time": self.at(now - 7), "feed": "rest"}
        movements = (self._movement(now - 7, Decimal(7)),)
        return self._event(
            now, n, "backfill", delta=Decimal(7), movements=movements, **at
        )

    def _movement(self, now: float, change: Decimal) -> Movement:
        self.lines += 1
        return Movement(
            movement_id=f"L{self.lines:08d}-AAAAAA-BBBBBB",
            reference_id=f"T{self.lines:08d}-AAAAAA-BBBBBB",
            type="trade",
            category="trade",
            amount=change,
            fee=Decimal(0),
            change=change,
            occurred_at=self.at(now - 0.05),
            occurred_at_text=self.at(now).isoformat(),
        )

    def _state(self, now: float, feed: str, state: str = "live") -> Told:
        status = ConnectorStatus(
            venue=self.venue,
            account=self.account,
            feed=feed,
            state=state,
            reason="",
            epoch=self.epoch,
            since=self.at(0),
            last_message_at=self.at(now),
            last_event_at=self.at(self.last) if feed == "ws" else None,
            confirmed_at=self.at(now),
            instance="desk",
            version="1",
        )
        return now, STATUS, status

    def _compared(self, now: float) -> Iterator[Told]:
        doubtful = self.rng.random() < DOUBTFUL
        record = Reconciliation(
            venue=self.venue,
            account=self.account,
            requested_at=self.at(now - 3),
            answered_at=self.at(now - 2.5),
            verdict="inconclusive" if doubtful else "consistent",
            checked=BALANCES,
            differences=(),
        )
        yield now, RECONCILIATIONS, record


def _every(seconds: float, now: float, until: float) -> Iterator[float]:
    while now < until:
        yield now
        now += seconds


def month(events: int) -> Iterator[Outgoing]:
    """Yield what is on the topics after a month with about so many events."""
    began = datetime.now(UTC) - timedelta(days=DAYS)
    pictures = len(ACCOUNTS) * BALANCES * int(DAYS * DAY_S / CONNECTION_S)
    updates = max(events - pictures, events // 10) // len(ACCOUNTS)
    desks = [Desk(*names, updates, began).told() for names in ACCOUNTS]
    # A producer keeps the order of what it takes as one account's.
    keys = [account_key(*names) for names in ACCOUNTS]
    firsts = {partition_of(key, PARTITIONS): key for key in keys}
    first_of = {key: firsts[partition_of(key, PARTITIONS)] for key in keys}
    old: dict[str, Outgoing] = {}
    for now, topic, record in heapq.merge(*desks, key=lambda one: one[0]):
        account = first_of[account_key(record.venue, record.account)]
        at_ms = int((began + timedelta(seconds=now)).timestamp() * 1000)
        one = Outgoing(topic, account, record.key, encode_body(record), at_ms)
        if topic is EVENTS and record.kind != "backfill":
            copy = one._replace(topic=LATEST)
            if now < KEPT_S:
                old[f"latest {record.key}"] = copy
            else:
                yield from _last_of(old)
                yield copy
        if topic is STATUS and now < KEPT_S:
            old[f"status {record.key}"] = one
        else:
            if topic is STATUS:
                yield from _last_of(old)
            yield one


def _last_of(old: dict[str, Outgoing]) -> Iterator[Outgoing]:
    """Yield what compaction leaves of the time before, once, in its order."""
    yield from sorted(old.values(), key=lambda one: one.time_ms)
    old.clear()


async def fill(kafka: str, registry_url: str, prefix: str, events: int) -> None:
    """Write a month to the topics, which are made first."""
    settings = ProofSettings(
        kafka_bootstrap_servers=kafka,
        schema_registry_url=registry_url,
        topic_prefix=prefix,
        topic_partitions=PARTITIONS,
    )
    topics = (EVENTS, LATEST, RECONCILIATIONS, STATUS)
    await apply_topics(settings)
    counts, batch, started = Counter[str](), [], time.perf_counter()
    async with (
        Registry(registry_url) as registry,
        Producer(settings, registry, topics) as producer,
    ):
        for one in month(events):
            counts[one.topic.name] += 1
            batch.append(one)
            if len(batch) == BATCH:
                await producer.publish(batch)
                batch = []
        await producer.publish(batch)
    took_s = time.perf_counter() - started
    print(", ".join(f"{count:,} {name}" for name, count in counts.items()), end="")
    print(f", written in {took_s:.0f} s", flush=True)


if __name__ == "__main__":
    asyncio.run(fill(*sys.argv[1:4], int(sys.argv[4])))
