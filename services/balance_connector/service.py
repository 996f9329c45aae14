"""One connector: puts the parts together and sees to a clean end."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from pydantic import SecretStr

from balance_connector.backfill import Backfiller
from balance_connector.books import Account
from balance_connector.connection import Connect, connected
from balance_connector.feed import Feed
from balance_connector.memory import Memory
from balance_connector.outbox import Entry, Outbox, Publisher
from balance_connector.poll import PollRunner
from balance_connector.recall import KafkaRecall, Recall
from balance_connector.rest import Nonces, RestClient
from balance_connector.rivals import Overtaken, Rivals
from balance_connector.status import HEARTBEAT_S, INSTANCE, Board
from balance_connector.stream import StreamRunner
from balance_connector.stretches import Stretches
from balance_connector.tell import Teller
from balance_connector.venue import Credentials, State, Venue
from balance_connector.watch import PAUSED_S
from balance_connector.witness import StreamWitness
from balance_schemas.records import ConnectorStatus
from balance_schemas.topics import (
    DEAD_LETTERS,
    EVENTS,
    FRAMES,
    LATEST,
    RECONCILIATIONS,
    STATUS,
)
from balance_shared import telemetry
from balance_shared.clock import Clock, SystemClock
from balance_shared.errors import RecordInvalid, SettingsError, VenueRefused
from balance_shared.kafka import (
    INVALID_RECORD,
    Incoming,
    Producer,
    apply_topics,
    dead_letter,
    outgoing,
)
from balance_shared.registry import Registry
from balance_shared.service import Parts
from balance_shared.settings import PREFIX, ConnectorSettings

TOPICS = (EVENTS, LATEST, FRAMES, STATUS, RECONCILIATIONS, DEAD_LETTERS)

log = structlog.get_logger(__name__)

DRAIN_S_MAX = 10.0
"""How long the last records may take to reach Kafka when stopping, in seconds."""


async def run(venue: Venue, settings: ConnectorSettings, parts: Parts) -> None:
    """Run a connector until it is cancelled.

    Raises:
        SettingsError: a URL is needed that is not set, or the aliases cannot be read.
        VenueRefused: the venue refuses the credentials or the request: exit 3.
        PublishError: the bus is lost for good: exit 4.
    """
    clock = SystemClock()
    options = options_of(venue, settings)
    rest_url = url_of(venue, settings, "rest")
    if "ws" in settings.feeds:
        url_of(venue, settings, "ws")
    parts.not_ready("registry", "not reached yet")
    parts.not_ready("kafka", "not reached yet")
    async with Registry(settings.schema_registry_url) as registry:
        await apply_topics(settings, TOPICS, correct=False)

        names = venue.name, settings.account
        recall = KafkaRecall(settings, registry, *names, clock)
        async with (
            Producer(settings, registry, TOPICS) as producer,
            RestClient(rest_url, clock) as rest,
        ):
            parts.ready("registry")
            parts.ready("kafka")
            await Connector(
                venue, settings, options, parts, producer, rest, recall, clock
            ).run()


class Connector:
    """The feeds of one account and their common way to the bus.

    While a process that began later tells the account, it stands by; see ``rivals.py``.
    """

    def __init__(
        self,
        venue: Venue,
        settings: ConnectorSettings,
        options: Any,
        parts: Parts,
        producer: Publisher,
        rest: RestClient,
        recall: Recall,
        clock: Clock,
        connect: Connect = connected,
        instance: str = INSTANCE,
    ) -> None:
        self._connect = connect
        self._venue = venue
        self._settings = settings
        self._options = options
        self._parts = parts
        self._producer = producer
        self._rest = rest
        self._recall = recall
        recall.leave_out = self._dead_letter
        self._clock = clock
        self._primary = settings.feeds[0]
        self._feeds = settings.feeds
        if self._primary == "ws" and not venue.comparable(options):
            log.warning("not_compared", reason="polls tell other balances")
            self._feeds = ("ws",)
        parts.not_ready(self._primary, "starting")
        self._instance = instance
        self._rivals = Rivals(recall, instance, clock)
        self._begin()

    def _begin(self) -> None:
        """Make what is of one turn: nothing is known yet, and nothing owed."""
        self._stretches = Stretches()
        self._memory = Memory(self._recall, self._clock, self._rivals.epoch)
        self._boards = {feed: self._board(feed) for feed in ("ws", "rest")}
        counts = self._boards[self._primary].count
        self._outbox = Outbox(self._producer, self._clock, counts, self._kafka_is)
        counts.queue.set_function(lambda: float(self._outbox.frames))

    async def run(self) -> None:
        """Run until cancelled, then publish the last state and drain."""
        while True:
            # In a task of its own: a group that fails leaves its task cancelled.
            await asyncio.create_task(self._tell())
            await self._rivals.silence()
            log.info("taking_over")
            self._begin()

    async def _tell(self) -> None:
        """Tell the account until another process does."""
        sending = asyncio.create_task(self._outbox.run())
        end = State.STOPPED, "a bug"
        try:
            async with asyncio.TaskGroup() as group:
                for running in self._runners():
                    group.create_task(running)
                group.create_task(self._heartbeat())
                group.create_task(_until(sending))
                board = self._boards[self._primary]
                below = self._outbox.distrust
                group.create_task(self._rivals.overtake(lambda: board.epoch, below))
        except asyncio.CancelledError:
            end = State.STOPPED, "asked to stop"
            raise
        except ExceptionGroup as group:
            error = group.exceptions[0]
            if isinstance(error, Overtaken):
                log.warning("standing_by", reason=str(error))
                end = State.STALE, f"standing by: {error}"
                self._outbox.drop()  # what waits is below the other's epoch
                return
            refused = isinstance(error, VenueRefused)
            end = State.REFUSED if refused else State.STOPPED, str(error)
            raise
        finally:
            for feed in self._feeds:
                self._boards[feed].set(*end)
            drained = asyncio.create_task(self._outbox.drained())
            await asyncio.wait(
                {drained, sending},
                timeout=DRAIN_S_MAX,
                return_when=asyncio.FIRST_COMPLETED,
            )
            drained.cancel()
            sending.cancel()

    def _dead_letter(self, incoming: Incoming, error: RecordInvalid) -> None:
        """Dead-letter a record of the bus that cannot be read."""
        record = dead_letter(incoming, error, "connector", self._clock.now())
        born_s, size = self._clock.monotonic(), len(record.body)
        self._outbox.put(Entry([record], born_s, size=size))
        telemetry.DEAD_LETTERS.labels("connector", INVALID_RECORD).inc()

    def _runners(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield what runs: the feeds, and what a stream and its polls do together."""
        settings = self._settings
        interval_s = settings.poll_interval_s or self._venue.poll_interval_s
        key = _key(settings.api_key, settings.api_secret, settings)
        nonces = Nonces(self._clock, self._venue.nonces_per_s)
        polls = self._feed("rest", *self._poll_key(key, nonces))
        if self._primary == "rest":
            yield PollRunner(polls, interval_s).run()
            return
        stream = self._feed("ws", key, nonces)
        history = replace(polls, teller=self._teller(polls.board))
        backfiller = Backfiller(history, stream.memory, self._stretches)
        url = url_of(self._venue, settings, "ws")
        runner = StreamRunner(stream, url, self._connect, self._stretches)
        yield runner.run()
        yield backfiller.run()
        if "rest" in self._feeds:
            witness = StreamWitness(polls, stream, runner)
            yield PollRunner(polls, interval_s, witness).run()

    def _poll_key(self, key: Credentials, nonces: Nonces) -> tuple[Credentials, Nonces]:
        """Return the second key with nonces of its own where it is set."""
        settings = self._settings
        if settings.rest_api_key is None or settings.rest_api_secret is None:
            return key, nonces
        second = _key(settings.rest_api_key, settings.rest_api_secret, settings)
        return second, Nonces(self._clock, self._venue.nonces_per_s)

    def _feed(self, name: str, key: Credentials, nonces: Nonces) -> Feed:
        """Return a feed; one beside the primary feed tells no current balances."""
        board = self._boards[name]
        owns = name == self._primary
        return Feed(
            self._venue,
            key,
            self._options,
            self._rest,
            nonces,
            self._memory if owns else Memory(None, self._clock),
            self._teller(board),
            self._outbox,
            board,
            self._clock,
        )

    def _teller(self, board: Board) -> Teller:
        return Teller(self._account, board, self._outbox, self._clock)

    @property
    def _account(self) -> Account:
        return Account(self._venue.name, self._settings.account)

    def _board(self, feed: str) -> Board:
        owed = self._stretches
        return Board(
            self._account,
            feed,
            self._clock,
            self._publish_status,
            lambda: owed.owed_since if feed == "ws" else None,
            self._instance,
        )

    def _publish_status(self, status: ConnectorStatus) -> None:
        """Send a status out, and say whether the primary feed does its job."""
        if status.feed == self._primary:
            if status.state in {State.LIVE, State.DEGRADED}:
                self._parts.ready(status.feed)
            else:
                self._parts.not_ready(
                    status.feed, f"{status.state}: {status.reason}".strip(": ")
                )
        time_ms = int(self._clock.now().timestamp() * 1000)
        record = outgoing(STATUS, self._account.key, status, time_ms)
        born_s = self._clock.monotonic()
        self._outbox.put(Entry([record], born_s, is_status=True))

    def _kafka_is(self, reason: str | None) -> None:
        if reason is None:
            self._parts.ready("kafka")
        else:
            self._parts.not_ready("kafka", reason)

    async def _heartbeat(self) -> None:
        """Publish the states now and then, so that silence means a dead process.

        After a pause of the process the feeds find out first what they missed in it.
        """
        while True:
            due_s = self._clock.monotonic() + HEARTBEAT_S
            await self._clock.sleep(HEARTBEAT_S)
            if self._clock.monotonic() - due_s >= PAUSED_S:
                await self._clock.sleep(PAUSED_S)
            for feed in self._feeds:
                self._boards[feed].publish()


def _key(key: SecretStr, secret: SecretStr, settings: ConnectorSettings) -> Credentials:
    passphrase = settings.api_passphrase
    return Credentials(
        key.get_secret_value(),
        secret.get_secret_value(),
        passphrase.get_secret_value() if passphrase else "",
    )


async def _until(task: asyncio.Task[None]) -> None:
    """Raise what a task raises; the task outlives us if we are cancelled."""
    await asyncio.shield(task)


def url_of(venue: Venue, settings: ConnectorSettings, feed: str) -> str:
    """Return the URL of a feed.

    Raises:
        SettingsError: the venue has none and none is set, or it is no URL.
    """
    schemes = {"ws": ("ws", "wss"), "rest": ("http", "https")}[feed]
    given = settings.ws_url if feed == "ws" else settings.rest_url
    url = given or (venue.ws_url if feed == "ws" else venue.rest_url)
    name = f"{PREFIX}{feed.upper()}_URL"
    if url is None:
        raise SettingsError(f"{name}: required for {venue.name} and not set")
    parsed = urlsplit(url)
    if parsed.scheme not in schemes or not parsed.hostname:
        wanted = " or ".join(f"{scheme}://" for scheme in schemes)
        raise SettingsError(f"{name}: should begin with {wanted} (was {url!r})")
    if feed == "rest" and parsed.path.strip("/"):
        raise SettingsError(f"{name}: scheme and host only, no path (was {url!r})")
    return url


def options_of(venue: Venue, settings: ConnectorSettings) -> Any:
    """Return what the settings say to a venue: a value of its ``options`` type.

    Raises:
        SettingsError: the file of aliases cannot be read, or the venue's API keys have
            a passphrase and none is set.
    """
    if venue.needs_passphrase and settings.api_passphrase is None:
        name = f"{PREFIX}API_PASSPHRASE"
        raise SettingsError(
            f"{name}: required for {venue.name} and not set (or {name}_FILE)"
        )
    values: dict[str, Any] = {}
    for option in fields(venue.options):
        own = f"{venue.name}_{option.name}"
        name = own if own in type(settings).model_fields else option.name
        values[option.name] = (
            _aliases(settings.asset_aliases_file)
            if name == "aliases"
            else getattr(settings, name)
        )
    return venue.options(**values)


def _aliases(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError(
            f"{PREFIX}ASSET_ALIASES_FILE: cannot read {path} as a JSON object of "
            f"venue code to asset: {error}"
        ) from error
