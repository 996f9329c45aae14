"""How one feed is doing: state for people, metrics and the status topic."""

import os
import socket
from collections.abc import Callable
from datetime import datetime
from secrets import token_hex

import structlog
from prometheus_client import Counter

from balance_connector.books import Account
from balance_connector.venue import Health, Note, State
from balance_schemas.records import ConnectorStatus
from balance_shared import VERSION, telemetry
from balance_shared.clock import Clock

HEARTBEAT_S = 10.0
"""How often a status is published although nothing changed, in seconds."""

INSTANCE = f"{socket.gethostname()}-{os.getpid()}-{token_hex(2)}"
"""Names this process among all: in containers host names and pids may be the same."""

_EXPECTED = {State.CONNECTING, State.SYNCING, State.LIVE, State.STOPPED}
"""States of a feed that nothing is wrong with."""

log = structlog.get_logger(__name__)


class Board:
    """Status and metrics of one feed of one account.

    Attributes that runners set as they go: `epoch`, `sequence`, `last_message_at`,
    `last_event_at`, `confirmed_at`.

    Args:
        account: whose feed.
        feed: ws or rest.
        clock: for `since`.
        publish: called with each status that is to go out.
        owed_since: returns since when the venue's history is owed, or None.
        instance: which process this is.
    """

    def __init__(
        self,
        account: Account,
        feed: str,
        clock: Clock,
        publish: Callable[[ConnectorStatus], None],
        owed_since: Callable[[], datetime | None] = lambda: None,
        instance: str = INSTANCE,
    ) -> None:
        self.account = account
        self._names = account.venue, account.alias, feed
        self._clock = clock
        self._publish = publish
        self._owed_since = owed_since
        self._instance = instance
        self.health = Health(State.CONNECTING, "starting")
        self.since = clock.now()
        self.epoch = 0
        self.sequence: int | None = None
        self.last_message_at: datetime | None = None
        self.last_event_at: datetime | None = None
        self.confirmed_at: datetime | None = None
        self.count = Counts(self._names)

    def set(self, state: State, reason: str = "") -> None:
        """Publish a state if it or its reason is new."""
        health = Health(state, reason)
        if health == self.health:
            return
        if state is not self.health.state:
            self.since = self._clock.now()
            level = log.info if state in _EXPECTED else log.warning
            level("state", feed=self._names[2], state=state.value, reason=reason)
        self.health = health
        self.publish()

    def publish(self) -> None:
        """Publish the status as it is, on the bus and as metrics."""
        self._export()
        venue, account, feed = self._names
        self._publish(
            ConnectorStatus(
                venue=venue,
                account=account,
                feed=feed,
                state=self.health.state.value,
                reason=self.health.reason,
                epoch=self.epoch,
                since=self.since,
                last_message_at=self.last_message_at,
                last_event_at=self.last_event_at,
                confirmed_at=self.confirmed_at,
                sequence=self.sequence,
                instance=self._instance,
                version=VERSION,
                backfill_since=self._owed_since(),
            )
        )

    @property
    def feed(self) -> str:
        """Ws or rest."""
        return self._names[2]

    def _export(self) -> None:
        for state in State:
            gauge = telemetry.CONNECTOR_STATE.labels(*self._names, state.value)
            gauge.set(state is self.health.state)
        telemetry.LAST_MESSAGE.labels(*self._names).set_function(
            lambda: _seconds(self.last_message_at)
        )
        telemetry.LAST_EVENT.labels(*self._names).set_function(
            lambda: _seconds(self.last_event_at)
        )


class Counts:
    """The feed's counters, looked up once."""

    def __init__(self, names: tuple[str, str, str]) -> None:
        self._names = names
        self.frames = telemetry.FRAMES_RECEIVED.labels(*names)
        self.gaps = telemetry.SEQUENCE_GAPS.labels(*names)
        self.publish_s = telemetry.PUBLISH_SECONDS.labels(*names)
        self.venue_to_bus_s = telemetry.VENUE_TO_BUS_SECONDS.labels(*names)
        self.queue = telemetry.PUBLISH_QUEUE_FRAMES.labels(*names)
        self._notes: dict[Note, Counter] = {
            Note.UNMAPPED_ASSET: telemetry.UNMAPPED_ASSETS.labels(*names),
            Note.UNKNOWN_WORD: telemetry.UNKNOWN_WORDS.labels(*names),
            Note.PICTURE_DIFFERENCE: telemetry.PICTURE_DIFFERENCES.labels(*names),
            Note.ASSET_CLASH: telemetry.ASSET_CLASHES.labels(*names),
            Note.DUPLICATE: telemetry.FRAMES_REJECTED.labels(*names, "duplicate"),
        }
        self._events: dict[str, Counter] = {}

    def note(self, note: Note) -> None:
        """Count something worth counting."""
        self._notes[note].inc()

    def rejected(self, reason: str) -> None:
        """Count a frame that cannot be read."""
        telemetry.FRAMES_REJECTED.labels(*self._names, reason).inc()
        telemetry.DEAD_LETTERS.labels("connector", reason).inc()

    def reconnect(self, reason: str) -> None:
        """Count a connection that was given up."""
        telemetry.RECONNECTS.labels(*self._names, reason).inc()

    def events(self, kind: str) -> Counter:
        """Return the counter of acknowledged events of a kind."""
        counter = self._events.get(kind)
        if counter is None:
            counter = telemetry.EVENTS_PUBLISHED.labels(*self._names, kind)
            self._events[kind] = counter
        return counter


def _seconds(time: datetime | None) -> float:
    return 0.0 if time is None else time.timestamp()
