"""One connector: puts the parts together and sees to a clean end."""

import asyncio
from collections.abc import Collection
from urllib.parse import urlsplit

import msgspec

from balance_connector.books import Account
from balance_connector.memory import Memory, ReadLatest
from balance_connector.outbox import Entry, Outbox, Publisher
from balance_connector.poll import PollRunner
from balance_connector.rest import Nonces, RestClient
from balance_connector.status import HEARTBEAT_S, Board
from balance_connector.stream import StreamRunner, connected
from balance_connector.tell import Teller
from balance_connector.venue import Credentials, Options, State, Venue
from balance_schemas.keys import account_key
from balance_schemas.records import BalanceEvent, ConnectorStatus
from balance_schemas.topics import DEAD_LETTERS, EVENTS, FRAMES, LATEST, STATUS
from balance_shared.clock import Clock, SystemClock
from balance_shared.errors import SettingsError, VenueRefused
from balance_shared.kafka import Producer, apply_topics, outgoing, read_compacted
from balance_shared.registry import Registry
from balance_shared.service import Parts
from balance_shared.settings import PREFIX, ConnectorSettings

TOPICS = (EVENTS, LATEST, FRAMES, STATUS, DEAD_LETTERS)

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
    options = options_of(settings)
    rest_url = url_of(venue, settings, "rest")
    if "ws" in settings.feeds:
        url_of(venue, settings, "ws")
    parts.not_ready("registry", "not reached yet")
    parts.not_ready("kafka", "not reached yet")
    async with Registry(settings.schema_registry_url) as registry:
        await apply_topics(settings, TOPICS, correct=False)

        async def latest() -> Collection[BalanceEvent]:
            key = account_key(venue.name, settings.account)
            records = read_compacted(settings, registry, LATEST, key, BalanceEvent)
            return (await records).values()

        async with (
            Producer(settings, registry, TOPICS) as producer,
            RestClient(rest_url, clock) as rest,
        ):
            parts.ready("registry")
            parts.ready("kafka")
            await Connector(
                venue, settings, options, parts, producer, rest, latest, clock
            ).run()


class Connector:
    """The feeds of one account and their common way to the bus."""

    def __init__(
        self,
        venue: Venue,
        settings: ConnectorSettings,
        options: Options,
        parts: Parts,
        producer: Publisher,
        rest: RestClient,
        latest: ReadLatest,
        clock: Clock,
    ) -> None:
        self._venue = venue
        self._settings = settings
        self._options = options
        self._parts = parts
        self._rest = rest
        self._latest = latest
        self._clock = clock
        self._primary = settings.feeds[0]
        self._boards = {feed: self._board(feed) for feed in settings.feeds}
        counts = self._boards[self._primary].count
        self._outbox = Outbox(producer, clock, counts, self._kafka_is)
        counts.queue.set_function(lambda: float(self._outbox.frames))

    async def run(self) -> None:
        """Run until cancelled, then publish the last state and drain."""
        sending = asyncio.create_task(self._outbox.run())
        end = State.STOPPED, "a bug"
        try:
            async with asyncio.TaskGroup() as group:
                for runner in self._runners():
                    group.create_task(runner.run())
                group.create_task(self._heartbeat())
                group.create_task(_until(sending))
        except asyncio.CancelledError:
            end = State.STOPPED, "asked to stop"
            raise
        except ExceptionGroup as group:
            error = group.exceptions[0]
            refused = isinstance(error, VenueRefused)
            end = State.REFUSED if refused else State.STOPPED, str(error)
            raise
        finally:
            for board in self._boards.values():
                board.set(*end)
            drained = asyncio.create_task(self._outbox.drained())
            await asyncio.wait(
                {drained, sending},
                timeout=DRAIN_S_MAX,
                return_when=asyncio.FIRST_COMPLETED,
            )
            drained.cancel()
            sending.cancel()

    def _runners(self) -> list[StreamRunner | PollRunner]:
        settings = self._settings
        key = Credentials(
            settings.api_key.get_secret_value(),
            settings.api_secret.get_secret_value(),
            settings.api_passphrase.get_secret_value()
            if settings.api_passphrase
            else "",
        )
        nonces = Nonces(self._clock, self._venue.nonces_per_s)
        runners: list[StreamRunner | PollRunner] = []
        for feed in settings.feeds:
            if feed == "ws":
                runners.append(self._stream(key, nonces))
            else:
                runners.append(self._polls(*self._poll_key(key, nonces)))
        return runners

    def _poll_key(self, key: Credentials, nonces: Nonces) -> tuple[Credentials, Nonces]:
        """Return the second key with nonces of its own where it is set."""
        settings = self._settings
        if settings.rest_api_key is None or settings.rest_api_secret is None:
            return key, nonces
        second = Credentials(
            settings.rest_api_key.get_secret_value(),
            settings.rest_api_secret.get_secret_value(),
            key.passphrase,
        )
        return second, Nonces(self._clock, self._venue.nonces_per_s)

    def _stream(self, key: Credentials, nonces: Nonces) -> StreamRunner:
        board = self._boards["ws"]
        return StreamRunner(
            self._venue,
            url_of(self._venue, self._settings, "ws"),
            key,
            self._options,
            self._rest,
            nonces,
            self._memory("ws"),
            self._teller(board),
            self._outbox,
            board,
            self._clock,
            connected,
        )

    def _polls(self, key: Credentials, nonces: Nonces) -> PollRunner:
        board = self._boards["rest"]
        return PollRunner(
            self._venue,
            key,
            self._options,
            self._rest,
            nonces,
            self._memory("rest"),
            self._teller(board),
            self._outbox,
            board,
            self._clock,
            primary=self._primary == "rest",
            interval_s=self._settings.poll_interval_s,
        )

    def _memory(self, feed: str) -> Memory:
        """Return what readers believe in; a second feed tells them nothing."""
        return Memory(self._latest if feed == self._primary else _nothing, self._clock)

    def _teller(self, board: Board) -> Teller:
        return Teller(self._account, board, self._outbox, self._clock)

    @property
    def _account(self) -> Account:
        return Account(self._venue.name, self._settings.account)

    def _board(self, feed: str) -> Board:
        return Board(self._account, feed, self._clock, self._publish_status)

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
        """Publish the states now and then, so that silence means a dead process."""
        while True:
            await self._clock.sleep(HEARTBEAT_S)
            for board in self._boards.values():
                board.publish()


async def _until(task: asyncio.Task[None]) -> None:
    """Raise what a task raises; the task outlives us if we are cancelled."""
    await asyncio.shield(task)


async def _nothing() -> Collection[BalanceEvent]:
    return ()


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


def options_of(settings: ConnectorSettings) -> Options:
    """Return what venues give a meaning to.

    Raises:
        SettingsError: the file of aliases cannot be read.
    """
    aliases: dict[str, str] = {}
    path = settings.asset_aliases_file
    if path is not None:
        try:
            aliases = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError) as error:
            raise SettingsError(
                f"{PREFIX}ASSET_ALIASES_FILE: cannot read {path} as a JSON object of "
                f"venue code to asset: {error}"
            ) from error
    return Options(aliases, settings.kraken_users_all, settings.kraken_rebased)
