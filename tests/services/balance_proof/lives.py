"""Lives of a whole connector against a stand-in, judged by the venue's own truth.

Run as a program for many seeds: ``python tests/services/balance_proof/lives.py SEEDS
[FIRST]`` (``make proofs``). Each seed is half an hour of one venue, with faults and silent
edits of the books; each venue's quiet lives, without a fault, are seeds too.
"""

import asyncio
import logging
import random
import sys
from bisect import bisect_right
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import structlog

sys.path.insert(0, str(Path(__file__).parents[2] / "venues"))  # for dialects, world

from dialects import DIALECTS
from hours import FAULTS as TROUBLES
from rich.progress import track
from world import POLL_S, World

from balance_proof.account import Account
from balance_proof.book import Book
from balance_proof.calm import Calm
from balance_proof.merge import MARGIN_MS, Merge
from balance_schemas.codec import decode, frame
from balance_schemas.records import (
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    Reconciliation,
)
from balance_schemas.topics import EVENTS, LATEST, RECONCILIATIONS, STATUS
from balance_shared.kafka import Incoming, Outgoing
from balance_shared.testing import InMemoryBus, run_virtually
from balance_simulator.faults import FaultError

FAULTS = (
    *TROUBLES,
    *[
        ("figure", {"text": text, "to": to})
        for text in ("1.5", "0", "123456.789")
        for to in ("update", "snapshot", "rest")
    ],
)
"""What may happen: all that makes trouble, and figures that can be read and are wrong."""

LIFE_S = 1800.0
"""How long a life is, in seconds; then it comes to rest."""
AGAIN = 0.1
"""How often a reading asks for the ends though it need not."""
STEP = timedelta(milliseconds=1)
"""Resolution of the coarsest venue times."""


class Eager(Account):
    """An account that looks at every balance at each comparison and cut."""

    def __init__(self) -> None:
        super().__init__({})
        self._calm = Restless(self.ledger)

    def _judge(self) -> None:
        self._all_touched = True
        super()._judge()


class Restless(Calm):
    """No balance is ever calm."""

    def proven(self, key: str, book: Book) -> None:
        """Note that a balance is proven, and that of it alone."""
        if book.evidence is not None:
            book.proven(book.evidence.through)


@dataclass
class Truth:
    """What the venue held at every time."""

    times: list[datetime] = field(default_factory=list)
    books: list[dict] = field(default_factory=list)

    def note(self, at: datetime, books: dict) -> None:
        """Note the books as of now, if they are others."""
        if not self.books or self.books[-1] != books:
            self.times.append(at)
            self.books.append(books)

    def held(
        self, pocket: tuple, since: datetime, until: datetime | None = None
    ) -> set[Decimal]:
        """Return what a pocket held from a time to another, or then, to a millisecond."""
        first = max(0, bisect_right(self.times, since - STEP) - 1)
        last = bisect_right(self.times, (until or since) + STEP)
        return {books.get(pocket, Decimal(0)) for books in self.books[first:last]}


TYPES = {
    EVENTS: BalanceEvent,
    LATEST: BalanceEvent,
    RECONCILIATIONS: Reconciliation,
    STATUS: ConnectorStatus,
}
"""What the proof reads of a connector."""


class Life:
    """One connector, its venue and what is said of its balances."""

    def __init__(self, name: str, seed: int, feeds: str, **choices: object) -> None:
        self.rng, self.chance = random.Random(seed), random.Random(seed)
        self.world = World(DIALECTS[name], seed=seed, feeds=feeds, **choices)
        self.truth = Truth()
        self.account = Account({})
        self.pockets: dict[str, tuple] = {}
        self.by_asset = feeds == "rest" and name == "kraken"
        self.said: dict[str, tuple] = {}
        self.wrong: list[str] = []
        self.violated: list[BalanceProof] = []
        self.last: list[BalanceProof] = []
        self._taken = dict.fromkeys(TYPES, 0)
        self.published: list[Outgoing] = []
        self._listen(self.world.bus)
        self._observe(self.world.venue, "operate")
        self._observe(self.world.venue, "answer")
        self._observe(self.world.venue.ledger, "post")

    def _listen(self, bus: InMemoryBus) -> None:
        """Keep what is published, in the order over all topics."""
        publish = bus.publish

        async def heard(records):
            await publish(records)
            self.published += records

        bus.publish = heard

    def _observe(self, owner: object, method: str) -> None:
        done = getattr(owner, method)

        def observed(*arguments, **named):
            self.note()
            try:
                return done(*arguments, **named)
            finally:
                self.note()

        object.__setattr__(owner, method, observed)

    def note(self) -> None:
        """Note what the venue holds now."""
        books = self.world.truth()
        if self.by_asset:
            books = self.world.dialect.polled(books)
        self.truth.note(self.world.clock.now(), books)

    def read(self) -> None:
        """Let the proof read what is new on the bus, then judge what it says."""
        takers = {
            EVENTS: (BalanceEvent, lambda e, _: self._event(e)),
            LATEST: (BalanceEvent, lambda e, _: self.account.take_latest(e)),
            RECONCILIATIONS: (Reconciliation, self.account.take_reconciliation),
            STATUS: (ConnectorStatus, self.account.take_status),
        }
        for topic in TYPES:
            record_type, take = takers[topic]
            records = self.world.bus.records[topic.name]
            for record in records[self._taken[topic] :]:
                take(decode(record_type, frame(1, record.body)), record.time_ms)
            self._taken[topic] = len(records)
        self.note()
        for proof in self.account.proofs():
            self.judge(proof)

    def _event(self, event: BalanceEvent) -> None:
        self.pockets[event.key] = self.world.dialect.pocket(event)
        self.account.take_event(event)

    def judge(self, proof: BalanceProof) -> None:
        """Note what is wrong with a verdict, if it is another one than before."""
        said = (proof.verdict, proof.observed, proof.proven_through)
        if self.said.get(proof.key) == said:
            return
        self.said[proof.key] = said
        if proof.verdict == "VIOLATED":
            self.violated.append(proof)
        if proof.verdict != "PROVEN":
            return
        pocket, through = self.pockets[proof.key], proof.proven_through
        if self.by_asset:
            self._judge_sum(pocket[:1], through)
            return
        # A picture is not older than its epoch, but may be younger.
        until = proof.checked_at if proof.method == "snapshot" else None
        held = self.truth.held(pocket, through, until)
        if proof.observed not in held:
            self.wrong.append(f"{proof} but {held}")

    def _judge_sum(self, asset: tuple, through: datetime) -> None:
        """Judge the wallets of an asset together, where polls name them otherwise."""
        alike = [p for p in self.account.proofs() if self.pockets[p.key][:1] == asset]
        if any((p.verdict, p.proven_through) != ("PROVEN", through) for p in alike):
            return
        held = self.truth.held(asset, through, max(p.checked_at for p in alike))
        if sum(p.observed for p in alike) not in held:
            self.wrong.append(f"{alike} but {held}")


async def _traffic(life: Life) -> None:
    for _ in range(life.rng.randint(1, 8)):
        life.world.dialect.move(life.world.venue, life.rng)
        await asyncio.sleep(life.rng.expovariate(2))


async def _fault(life: Life) -> None:
    fault, arguments = life.rng.choice(FAULTS)
    try:
        life.world.venue.fault(fault, **arguments)
    except FaultError:
        return
    if life.rng.random() < 0.7:
        await _traffic(life)


async def _rest(life: Life) -> None:
    await asyncio.sleep(life.world.dialect.silence_s + 3 * POLL_S + 30)


async def _edit(life: Life) -> None:
    life.world.dialect.edit(life.world.venue)
    await asyncio.sleep(life.rng.expovariate(1 / 20))


async def _restart(life: Life) -> None:
    """Stop the connector and start it, whatever it still owes of the history."""
    await life.world.stop()
    if life.rng.random() < 0.7:
        await _traffic(life)
    await asyncio.sleep(life.rng.expovariate(1 / 20))
    life.world.start()


async def live(name: str, seed: int, *, faults: bool) -> Life:
    """Live through an hour, reading all the while; return what came of it."""
    rng = random.Random(seed)
    life = Life(name, seed, rng.choice(["ws,rest", "ws,rest", "rest"]))
    quiet = [_traffic, _traffic, _rest]
    acts = [*quiet, _fault, _fault, _edit] if faults else quiet
    life.world.start()
    reading = asyncio.create_task(_read_on(life))
    try:
        while life.world.clock.monotonic() < LIFE_S:
            await rng.choice(acts)(life)
            if rng.random() < 0.03:
                await _restart(life)
        life.world.venue.fault("clear")
        await asyncio.sleep(90)
        if not faults:
            await life.world.until_live(300)
        await _rest(life)
        await asyncio.sleep(60)
        life.read()
        life.last = list(life.account.proofs())
    finally:
        reading.cancel()
        await life.world.stop()
    life.read()
    return life


async def _read_on(life: Life) -> None:
    while True:
        await asyncio.sleep(life.chance.expovariate(1 / 3))
        life.read()


def verdict_of(life: Life, *, faults: bool) -> str | None:
    """Return what is wrong with what was said, or None."""
    if life.wrong:
        return f"PROVEN and wrong: {life.wrong[0]} and {len(life.wrong) - 1} more"
    if faults:
        return None
    if life.violated:
        return f"VIOLATED without a fault: {life.violated[0]}"
    unproven = [p for p in life.last if p.verdict != "PROVEN"]
    return (
        f"not proven in the end: {unproven[0]} of {len(unproven)}" if unproven else None
    )


def run(name: str, seed: int, *, faults: bool) -> str | None:
    """Return why a seed failed, or None."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )
    try:
        life = run_virtually(live(name, seed, faults=faults))
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed is told
        return f"{name} {seed}: {error!r}"[:2000]
    why = verdict_of(life, faults=faults) or replay_of(life, seed)
    return why and f"{name} {seed} faults={faults}: {why}"[:2000]


def replay_of(life: Life, seed: int) -> str | None:
    """Return how a replay of the same topics differs, or None."""
    rng = random.Random(seed)
    told = [
        Incoming(record.topic.name, 0, number, None, record.body, record.time_ms)
        for number, record in enumerate(life.published)
        if record.topic in TYPES
    ]
    again = read_again(told, rng, margin_ms=rng.choice([0, 1_000, MARGIN_MS]))
    first = {one.key: one for one in life.account.proofs()}
    second = {one.key: one for one in again.proofs()}
    unlike = [key for key in first | second if first.get(key) != second.get(key)]
    if not unlike:
        return None
    return f"a replay says otherwise: {first.get(unlike[0])} {second.get(unlike[0])}"


def read_again(told: list[Incoming], rng: random.Random, margin_ms: int) -> Account:
    """Return an account that read records as a start does, and looks at all of them.

    Args:
        told: all that was written, in that order, each with the bare body as its value.
        rng: how many records of which topic are there, and are read at once.
        margin_ms: of `Merge`.
    """
    again, names = Eager(), [topic.name for topic in TYPES]
    takers = {
        EVENTS.name: lambda value, _: again.take_event(value),
        LATEST.name: lambda value, _: again.take_latest(value),
        RECONCILIATIONS.name: again.take_reconciliation,
    }
    merge = Merge((STATUS.name, 0), [(name, 0) for name in names], margin_ms)
    there = rng.randint(0, len(told))  # the rest comes while it is read
    queues = {(name, 0): [one for one in told if one.topic == name] for name in names}
    read = dict.fromkeys(queues, 0)
    while (
        any(read[at] < len(queues[at]) for at in queues) or merge.hungry or merge.waits
    ):
        there = min(len(told), there + rng.choice([0, 1, 20]))
        counts = Counter((one.topic, 0) for one in told[:there])
        place = rng.choice(list(merge.hungry) or list(queues))
        until = min(counts[place], read[place] + rng.randint(1, 200))
        records = queues[place][read[place] : until]
        merge.put({place: records})
        read[place] = until
        merge.reach(read)
        for one in records if place[0] == STATUS.name else ():
            again.take_status(_value(one), one.time_ms, one.offset + 1)
        ready = list(merge.ready())
        if merge.waits or rng.random() < AGAIN:
            merge.go_to(counts, told[there - 1].time_ms if there else 0)
            ready += merge.ready()
        for one in ready:
            if one.topic == STATUS.name:
                again.complete(one.offset + 1)
            else:
                takers[one.topic](_value(one), one.time_ms)
    return again


def _value(record: Incoming) -> Any:
    types = {topic.name: record_type for topic, record_type in TYPES.items()}
    return decode(types[record.topic], frame(1, record.value or b""))


def main() -> None:
    """Run many seeds on all cores, each venue in its turn, every second one quiet."""
    count, first = int(sys.argv[1]), int((sys.argv[2:] or ["0"])[0])
    names = list(DIALECTS)
    with ProcessPoolExecutor() as pool:
        runs = [
            pool.submit(
                run, names[seed % len(names)], seed, faults=bool(seed // len(names) % 2)
            )
            for seed in range(first, first + count)
        ]
        failures = [
            why
            for each in track(runs, description="lives")
            if (why := each.result()) is not None
        ]
    for why in failures:
        print(why)
    print(f"{count - len(failures)} passed, {len(failures)} failed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
