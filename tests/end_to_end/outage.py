"""Alertmanager is away for minutes, and alerting is killed meanwhile.

Run as a program (``make outage MINUTES=5``): real Kafka, a real Alertmanager and the real
alerting process. Balances fall below a limit and rise above it again, before and during
the outage, so it is known which alert began and ended when. Alertmanager is stopped,
alerting gets SIGKILL some times meanwhile, Alertmanager comes back. Then it has to hold
what is true, and nobody may have been told anything twice as new: neither by
Alertmanager, nor on a webhook that is up all the time.
"""

import asyncio
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # for processes
sys.path.insert(0, str(Path(__file__).parents[1] / "services" / "balance_alerting"))

from alertmanager import PROGRAM, REQUIRED, Alertmanager
from pages import Page
from processes import Service
from rich.console import Console

from balance_schemas.keys import account_key
from balance_schemas.records import Alert, BalanceEvent
from balance_schemas.topics import ALERTS, EVENTS
from balance_shared.kafka import Producer, Reader, apply_topics, decoded
from balance_shared.kafka.producer import outgoing
from balance_shared.registry import Registry
from balance_shared.settings import ServiceSettings
from balance_stack.running import running_stack

RULES = """
routes:
  am: {{type: alertmanager, url: "{alertmanager}", resend: {resend}}}
  hook: {{type: webhook, url: "{hook}"}}
rules:
  - {{name: low, type: balance_below, below: 10, keep_firing_for: 0s}}
"""

BALANCES = 120
"""How many balances there are, each of an asset of its own."""

ACTS_A_SECOND = 4.0
"""How many of them cross the limit."""

BEFORE_S = 8.0
"""How long all is well before the outage, in seconds."""

DELIVERED_S_MAX = 60.0
"""How long Alertmanager may be back before it holds what is true, in seconds."""

QUIET_S = 5.0
"""How long is waited for what should not come, in seconds."""

INSTALLED, MUST_BE = PROGRAM is not None, REQUIRED
"""Whether there is an Alertmanager, and whether its tests may not be skipped."""

Episode = tuple[str, datetime]
"""Asset and beginning of an alert."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is played.

    Attributes:
        away_s: how long Alertmanager is away, in seconds.
        kills: how often alerting is killed meanwhile.
        seed: of when, and of what moves.
        resend: how often Alertmanager is told again what lasts, as rules say it.
    """

    away_s: float
    kills: int
    seed: int
    resend: str = "1m"

    def killed_at(self) -> list[float]:
        """Return when alerting is killed, in seconds after Alertmanager went."""
        chance = random.Random(self.seed)
        part = self.away_s / max(1, self.kills)
        return [(n + chance.uniform(0.2, 0.8)) * part for n in range(self.kills)]


@dataclass
class Truth:
    """Which balances are low, and every alert that there has to be.

    Attributes:
        low: asset → since when it is below the limit.
        over: alerts that have ended → when.
    """

    low: dict[str, datetime] = field(default_factory=dict)
    over: dict[Episode, datetime] = field(default_factory=dict)

    def move(self, asset: str, at: datetime) -> Decimal:
        """Let a balance cross the limit; return what it is then."""
        if asset not in self.low:
            self.low[asset] = at
            return Decimal("9.999999999999999999")
        self.over[asset, self.low.pop(asset)] = at
        return Decimal(10)

    def episodes(self) -> set[Episode]:
        """Return every alert that there was, lasting or over."""
        return {*self.low.items(), *self.over}


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it.

    Attributes:
        arisen: alerts that began while it was away.
        resolved: alerts that ended while it was away.
        lasting: alerts that last at the end.
        delivered_s: seconds from its return until it held what is true.
        notices: notices that the webhook took.
        repeated: of these, those that it took before, by their id.
        wrong: what should not be, in words; empty if all is well.
    """

    arisen: int
    resolved: int
    lasting: int
    delivered_s: float
    notices: int
    repeated: int
    wrong: tuple[str, ...]


class Outage:
    """One run.

    Args:
        stack: Kafka and the registry.
        folder: for logs and data.
        plan: what is played.
        say: told what happens.
    """

    def __init__(
        self, stack: Any, folder: Path, plan: Plan, say: Callable[[str], None]
    ) -> None:
        self._plan, self._say = plan, say
        self._chance = random.Random(plan.seed)
        self._truth = Truth()
        self._hook, self._receiver = Page(), Page()
        self._alertmanager = Alertmanager(folder, self._receiver.url)
        rules = folder / "rules.yaml"
        urls = {"alertmanager": self._alertmanager.url, "hook": self._hook.url}
        rules.write_text(RULES.format(resend=plan.resend, **urls))
        self._log = folder / "alerting.log"
        self._environment = stack.endpoints.environment() | {
            "BALANCEBUS_TOPIC_PREFIX": f"outage_{uuid.uuid4().hex}",
            "BALANCEBUS_ALERTING_RULES_FILE": str(rules),
        }
        self._settings = ServiceSettings(
            kafka_bootstrap_servers=stack.endpoints.kafka_bootstrap_servers,
            schema_registry_url=stack.endpoints.schema_registry_url,
            topic_prefix=self._environment["BALANCEBUS_TOPIC_PREFIX"],
            topic_partitions=4,
        )
        self._service: Service | None = None

    async def run(self) -> Found:
        """Play it; everything that was started has ended afterwards."""
        try:
            return await self._run()
        finally:
            if self._service is not None:
                self._service.kill()
            self._alertmanager.kill()
            self._hook.stop()
            self._receiver.stop()

    async def _run(self) -> Found:
        self._alertmanager.start()
        await apply_topics(self._settings)
        self._service = Service(self._log, self._environment, "alerting")
        await _until(self._service.ready, 60)
        async with (
            Registry(self._settings.schema_registry_url) as registry,
            Producer(self._settings, registry, [EVENTS]) as producer,
        ):
            await self._move(producer, BEFORE_S)
            await self._all_told(30)
            self._say(f"{len(self._truth.low)} alerts at Alertmanager; it goes")
            self._alertmanager.stop()
            gone_at = datetime.now(UTC)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._move(producer, self._plan.away_s))
                group.create_task(self._kill(self._service))
        self._say("Alertmanager comes back")
        self._alertmanager.start()
        delivered_s = await self._all_told(DELIVERED_S_MAX)
        self._say(f"it holds what is true after {delivered_s:.1f} s")
        await asyncio.sleep(QUIET_S)
        ids = Counter(name for name, _ in self._hook.told)
        return Found(
            arisen=sum(since >= gone_at for _, since in self._truth.episodes()),
            resolved=sum(at >= gone_at for at in self._truth.over.values()),
            lasting=len(self._truth.low),
            delivered_s=delivered_s,
            notices=len(ids),
            repeated=ids.total() - len(ids),
            wrong=(*self._wrong(), *await self._wrong_on_topic()),
        )

    async def _move(self, producer: Producer, seconds: float) -> None:
        """Let balances cross the limit for some time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = datetime.now(UTC)
            now -= timedelta(microseconds=now.microsecond % 1000)  # all that it keeps
            asset = f"A{self._chance.randrange(BALANCES):03}"
            event = _event(asset, self._truth.move(asset, now), now)
            account = account_key(event.venue, event.account)
            now_ms = int(now.timestamp() * 1000)
            await producer.publish([outgoing(EVENTS, account, event, now_ms)])
            await asyncio.sleep(self._chance.expovariate(ACTS_A_SECOND))

    async def _kill(self, service: Service) -> None:
        started = time.monotonic()
        for number, at_s in enumerate(self._plan.killed_at(), 1):
            await asyncio.sleep(max(0.0, started + at_s - time.monotonic()))
            await asyncio.to_thread(service.kill)
            self._say(f"alerting is killed ({number} of {self._plan.kills})")
            await asyncio.sleep(self._chance.uniform(0, 2))
            await asyncio.to_thread(service.start)

    async def _all_told(self, limit_s: float) -> float:
        """Wait until Alertmanager holds what is true and the webhook knows of all."""
        try:
            return await _until(lambda: not self._untold(), limit_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self._untold()[:10]}") from None

    def _untold(self) -> list[str]:
        """Return what Alertmanager or the webhook does not know, in words."""
        held, low = self._held(), self._truth.low
        last = {
            _asset(body): (_began(body), _over(body)) for _, body in self._hook.told
        }
        wanted = {
            asset: max(one for one in self._truth.episodes() if one[0] == asset)[1]
            for asset, _ in self._truth.episodes()
        }
        return [
            *(f"Alertmanager: {one}" for one in held.items() ^ low.items()),
            *(
                f"webhook: {asset} since {since} was told as {last.get(asset)}"
                for asset, since in wanted.items()
                if last.get(asset) != (since, asset not in low)
            ),
        ]

    def _held(self) -> dict[str, datetime]:
        """Return asset → beginning of what Alertmanager says fires."""
        return {
            one["labels"]["asset"]: datetime.fromisoformat(one["startsAt"])
            for one in self._alertmanager.alerts()
        }

    def _wrong(self) -> list[str]:
        """Return what was told wrongly, or twice as new."""
        wrong = []
        held = [one["labels"]["asset"] for one in self._alertmanager.alerts()]
        if len(held) != len(set(held)):
            wrong.append(f"Alertmanager has alerts twice: {held}")
        firsts = Counter(
            (one["labels"]["asset"], one["startsAt"])
            for _, body in self._receiver.told
            for one in body["alerts"]
            if one["status"] == "firing"
        )
        wrong += [
            f"Alertmanager told of {one} {n} times"
            for one, n in firsts.items()
            if n > 1
        ]
        known, news = self._truth.episodes(), dict[Episode, set[str | None]]()
        for name, body in self._hook.told:
            episode = _asset(body), _began(body)
            if episode not in known:
                wrong.append(f"the webhook was told of {episode}, which never was")
            if name != body["id"]:
                wrong.append(f"the header says {name}, the body {body['id']}")
            if body["kind"] == "new":
                news.setdefault(episode, set()).add(name)
        twice = [f"{one} was new twice" for one, ids in news.items() if len(ids) > 1]
        return [*wrong, *twice, *self._ends_left_out()]

    def _ends_left_out(self) -> list[str]:
        """Return where the webhook was told of a beginning before the last end."""
        lasting, found = dict[str, datetime](), []
        for _, body in self._hook.told:
            before = lasting.pop(_asset(body), None)
            if not _over(body):
                lasting[_asset(body)] = _began(body)
                if before not in {None, _began(body)}:
                    found.append(f"{_asset(body)} since {before} was not told as over")
        return found

    async def _wrong_on_topic(self) -> list[str]:
        """Return what the alerts topic tells that is not so."""
        found: dict[Episode, datetime | None] = {}
        async with (
            Registry(self._settings.schema_registry_url) as registry,
            Reader(self._settings, [ALERTS]) as reader,
        ):
            places = reader.places(ALERTS)
            starts, ends = await reader.beginnings(places), await reader.ends(places)
            async for batch in reader.read(starts, ends):
                for incoming in batch:
                    alert = await decoded(registry, Alert, incoming)
                    place = alert.labels["asset"], alert.started_at
                    found[place] = alert.resolved_at
        wanted = {one: self._truth.over.get(one) for one in self._truth.episodes()}
        unlike = [one for one in wanted | found if wanted.get(one) != found.get(one)]
        return [
            f"{one}: over at {wanted.get(one)}, the topic says {found.get(one)}"
            for one in unlike
        ]


def _asset(body: Any) -> str:
    return str(body["labels"]["asset"])


def _began(body: Any) -> datetime:
    return datetime.fromisoformat(body["started_at"])


def _over(body: Any) -> bool:
    return bool(body["kind"] == "resolved")


def _account(asset: str) -> str:
    return f"kraken a{int(asset[1:]) % 4}"


def _event(asset: str, balance: Decimal, now: datetime) -> BalanceEvent:
    venue, account = _account(asset).split()
    return BalanceEvent(
        event_id=f"{asset} {now.isoformat()}",
        venue=venue,
        account=account,
        subaccount="",
        feed="ws",
        wallet="spot",
        wallet_id="main",
        nature="asset",
        asset=asset,
        venue_asset=asset,
        asset_class="currency",
        network="",
        kind="update",
        balance=balance,
        balance_scope="wallet",
        received_at=now,
        epoch=1,
    )


async def _until(met: Callable[[], bool], limit_s: float) -> float:
    """Wait until a condition is met; return how long that took, in seconds.

    Raises:
        TimeoutError: it was not met within the limit.
    """
    started = time.monotonic()
    while not await asyncio.to_thread(met):
        took_s = time.monotonic() - started
        if took_s > limit_s:
            raise TimeoutError(f"not within {limit_s} s")
        await asyncio.sleep(0.1)
    return time.monotonic() - started


def main(minutes: float, seed: int) -> None:
    """Play one outage and print what came of it; exit 1 if anything is wrong."""
    console = Console(highlight=False)
    if not INSTALLED:
        console.print(
            "no Alertmanager: install the Debian package prometheus-alertmanager"
        )
        sys.exit(2)
    plan = Plan(minutes * 60, kills=max(2, round(minutes * 2)), seed=seed)
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - started:6.1f} s  {text}")

    with (
        tempfile.TemporaryDirectory(prefix="outage-") as folder,
        running_stack(Path(folder) / "stack") as stack,
    ):
        found = asyncio.run(Outage(stack, Path(folder), plan, say).run())
    console.print(
        f"Alertmanager was away for {minutes:g} minutes, alerting was killed "
        f"{plan.kills} times (seed {seed}): {found.arisen} alerts arose and "
        f"{found.resolved} ended meanwhile, {found.lasting} last. Alertmanager held "
        f"what is true {found.delivered_s:.1f} s after it was back. The webhook took "
        f"{found.notices} notices, {found.repeated} of them again with the same id."
    )
    for line in found.wrong:
        console.print(f"WRONG: {line}", style="red")
    console.print("nothing is lost, nothing was new twice" if not found.wrong else "")
    sys.exit(bool(found.wrong))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
