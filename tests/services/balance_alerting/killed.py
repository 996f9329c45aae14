"""Kafka, routes and a clock in memory, and alerting that is killed between two effects.

An effect is what outlasts a process: one record written, one commit, one hand-over that
a route took. `World` counts them, and kills whoever makes the one that it was told of.
The service is the real one: what it reads at a start, how it decides, and in which
order it writes, commits and tells.
"""

import asyncio
from contextlib import suppress
from types import SimpleNamespace

from balance_alerting.courier import Couriers
from balance_alerting.memory import episode_of
from balance_alerting.restore import FOLLOWED
from balance_alerting.service import Alerting
from balance_schemas.codec import decode, encode_body, frame
from balance_schemas.records import Alert
from balance_schemas.topics import ALERTS
from balance_shared.errors import BusInterrupted, NotDelivered
from balance_shared.kafka import Incoming
from balance_shared.service import Parts
from balance_shared.testing import ManualClock
from balance_shared.testing.clock import settle

TOGETHER = 3
"""Most records of one place that a process is given at once."""


class Clock(ManualClock):
    """A clock that is moved while nobody waits for it."""

    def move(self, seconds):
        """Move it."""
        self._move(self.monotonic() + seconds)


class KilledError(BaseException):
    """The process is gone."""


class World:
    """All that outlasts a process.

    Args:
        ruleset: the rules.
        now: the time.
        kill_after: numbers of the effects after which the process is killed.

    Attributes:
        log: (topic, partition) → its records, in order; compaction leaves gaps.
        committed: the group's positions.
        told: route → what it took: every notice, in order.
        away: routes that take nothing.
        mute: routes that take what they are given, and do not say so.
        owner: the process that has the partitions.
        written: every record of the alerts topic, whatever compaction takes away.
    """

    def __init__(self, ruleset, now, kill_after=()):
        self.ruleset, self.clock = ruleset, Clock(now)
        self.kill_after = set(kill_after)
        self.effects = 0
        self.dead = set()
        self.log, self.ends, self.committed = {}, {}, {}
        self.told = {name: [] for name in ruleset.routes}
        self.away, self.mute = set(), set()
        self.owner = None
        self.written = []

    def effect(self, process):
        """Count an effect that has happened, and kill the process if it is time."""
        self.effects += 1
        if self.effects in self.kill_after:
            self.dead.add(process)
            raise KilledError

    def write(self, topic, record, key=None):
        """Append a record."""
        place = f"w.{topic.name}.v1", 0
        offset = self.ends.get(place, 0)
        self.ends[place] = offset + 1
        value = frame(1, record) if isinstance(record, bytes) else None
        value = value or frame(1, encode_body(record))
        time_ms = int(self.clock.now().timestamp() * 1000)
        one = Incoming(*place, offset, key or record.key, value, time_ms)
        self.log.setdefault(place, []).append(one)
        if topic is ALERTS:
            self.written.append(decode(Alert, value))

    def compact(self):
        """Keep the last record of each key of the alerts topic."""
        place = f"w.{ALERTS.name}.v1", 0
        last = {one.key: one for one in self.log.get(place, [])}
        self.log[place] = sorted(last.values(), key=lambda one: one.offset)

    def alerts(self):
        """Return the records of the alerts topic, in order."""
        records = self.log.get((f"w.{ALERTS.name}.v1", 0), [])
        return [decode(Alert, one.value) for one in records]

    def last(self):
        """Return the last record of each alert."""
        return {one.alert_id: episode_of(one) for one in self.alerts()}


class Reads:
    """Reads a stretch of the topics, as `balance_shared.kafka.Reader`."""

    def __init__(self, world):
        self.world = world

    async def __aenter__(self):
        """Be there."""
        return self

    async def __aexit__(self, *_):
        """Go."""

    async def beginnings(self, places):
        """Return where each place begins."""
        log = self.world.log
        return {
            place: log[place][0].offset if log.get(place) else self._end(place)
            for place in places
        }

    async def ends(self, places):
        """Return where each place ends."""
        return {place: self._end(place) for place in places}

    async def since(self, times):
        """Return the first record written at a time or later."""
        found = {}
        for place, time in times.items():
            after = [
                one.offset
                for one in self.world.log.get(place, [])
                if one.time_ms >= time.timestamp() * 1000
            ]
            found |= {place: after[0]} if after else {}
        return found

    async def read(self, starts, ends):
        """Yield the records between."""
        for place, start in starts.items():
            log = self.world.log.get(place, [])
            yield [one for one in log if start <= one.offset < ends.get(place, 0)]

    def _end(self, place):
        return self.world.ends.get(place, 0)


class Way:
    """A route."""

    resend_s = None
    together = 64

    def __init__(self, name, process):
        self.name, self.process = name, process

    async def send(self, notices):
        """Take notices."""
        await self.process.send(self.name, notices)


class Process:
    """Alerting, from its start to its end.

    Args:
        world: around it.
    """

    def __init__(self, world):
        self.world = world
        self.positions = {}
        self.couriers = Couriers(Parts(), world.clock)
        self.rules = SimpleNamespace(
            ruleset=world.ruleset, version=1, clock=world.clock, couriers=self.couriers
        )
        self.rules.look = self._nothing
        settings = SimpleNamespace(topic_prefix="w")
        reads = lambda *_: Reads(world)  # noqa: E731
        self.alerting = Alerting(settings, self, self, self.rules, Parts(), reads)

    async def _nothing(self):
        """Do it."""

    # As the registry

    async def schema(self, _number):
        """Return our own."""

    # As the producer

    async def publish(self, records):
        """Write records; a kill may leave some of them out."""
        for one in records:
            self._live()
            self.world.write(one.topic, one.body, one.key)
            self.world.effect(self)

    # As the consumer

    async def lag(self):
        """Return how much is unread."""
        return {
            place: self.world.ends.get(place, 0) - self.positions[place]
            for place in self.positions
        }

    async def seek(self, positions):
        """Read on from there."""
        self.positions |= positions

    async def committed(self, places):
        """Return the group's positions."""
        known = self.world.committed
        return {place: known[place] for place in places if place in known}

    async def commit(self, positions):
        """Store positions, if the partitions are ours."""
        self._live()
        if self.world.owner is not self:
            raise BusInterrupted("somebody else has them")
        if any(self.world.committed.get(at) != n for at, n in positions.items()):
            self.world.committed |= positions
            self.world.effect(self)

    async def send(self, name, notices):
        """Have a route take notices, if it is there."""
        self._live()
        await asyncio.sleep(0)
        if name in self.world.away:
            raise NotDelivered("away")
        self.world.told[name] += notices
        if name in self.world.mute:
            raise NotDelivered("its answer is lost")
        self.world.effect(self)

    # Life

    async def start(self):
        """Take the partitions."""
        self.world.owner = self
        await self.couriers.use({name: Way(name, self) for name in self.world.told})
        await self.alerting.assigned([(f"w.{one.name}.v1", 0) for one in FOLLOWED])

    async def turn(self):
        """Take what is unread, a few records of each place, and do all that follows."""
        batch = {}
        for topic in FOLLOWED if self.positions else ():
            place = f"w.{topic.name}.v1", 0
            start = self.positions[place]
            log = self.world.log.get(place, [])
            found = [one for one in log if one.offset >= start][:TOGETHER]
            if found:
                batch[place] = found
                self.positions[place] = found[-1].offset + 1
        await self.alerting.turn(self, batch)
        await settle(8)

    async def settle(self):
        """Take turns until nothing happens any more."""
        still = 0
        while still < 2:
            before = self.world.effects, dict(self.positions)
            await self.turn()
            still = 0 if (self.world.effects, self.positions) != before else still + 1

    async def end(self):
        """Be gone; nothing is written down."""
        self.world.dead.add(self)
        with suppress(KilledError):
            await self.couriers.recall()
        with suppress(KilledError):
            await self.couriers.stop()

    def _live(self):
        if self in self.world.dead:
            raise KilledError


async def share(world, steps, given):
    """Live through steps with two processes; the partitions go from one to the other.

    Args:
        world: around them.
        steps: as for `live`.
        given: numbers of the turns after which they go to the other one, which takes
            its first turn before the old one knows.
    """
    processes = [Process(world), Process(world)]
    await processes[0].start()
    mine, turns = 0, 0
    for step in [lambda _: 0, *steps, lambda _: 0]:
        world.clock.move(step(world) or 0)
        for _ in range(12):
            await processes[mine].turn()
            turns += 1
            if turns in given:
                old, mine = processes[mine], 1 - mine
                await processes[mine].start()
                await processes[mine].turn()
                with suppress(BusInterrupted):
                    await old.turn()  # it does not know yet
                await old.end()
                processes[1 - mine] = Process(world)
    for one in processes:
        await one.end()


async def live(world, steps):
    """Live through steps; whoever is killed is followed by another process at once.

    Args:
        world: around it.
        steps: each is called with the world, and may return seconds to let pass.
    """
    process = None
    for step in [lambda _: 0, *steps]:
        world.clock.move(step(world) or 0)
        while True:
            try:
                if process is None:
                    process = Process(world)
                    await process.start()
                await process.settle()
                break
            except KilledError:
                await process.end()
                process = None
    await process.end()


def heard(world, route):
    """Return alert → (beginning, number, kind) of what a route was told of it.

    What it was told again at once is left out.
    """
    found = {}
    for one in world.told[route]:
        said = one.alert.started_at, one.number, one.kind
        known = found.setdefault(one.alert.alert_id, [])
        if known[-1:] != [said]:
            known.append(said)
    return found


def happened(world):
    """Return alert → beginning → (last notice, whether it is over), by its topic."""
    found = {}
    for one in world.written:
        said = int(one.attributes["notice"]), one.state == "resolved"
        found.setdefault(one.alert_id, {})[one.started_at] = said
    return found
