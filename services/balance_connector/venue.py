"""What a venue is: values and protocols without I/O.

A protocol object takes frames or answers and returns steps. It never awaits, never
reads a clock and never touches a socket; the runners (``stream.py``, ``poll.py``) do
all that and know no venue by name. One object lives for one connection.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from balance_connector.books import Books, Covers, Holding, Observed, Spared
from balance_schemas.records import BalanceEvent
from balance_shared.errors import FrameInvalid, VenueError


class State(StrEnum):
    """State of a feed, as published in ``ConnectorStatus``."""

    CONNECTING = "connecting"
    SYNCING = "syncing"
    LIVE = "live"
    DEGRADED = "degraded"
    STALE = "stale"
    MAINTENANCE = "maintenance"
    REFUSED = "refused"
    STOPPED = "stopped"


UNNUMBERED = "the venue numbers no frames: a lost one would not be seen"
"""Why a feed is degraded for as long as its frames have no numbers."""


class Note(StrEnum):
    """Something worth counting that is no error; each has a metric."""

    DUPLICATE = "duplicate"
    UNMAPPED_ASSET = "unmapped_asset"
    UNKNOWN_WORD = "unknown_word"
    PICTURE_DIFFERENCE = "picture_difference"
    ASSET_CLASH = "asset_clash"


class Health(NamedTuple):
    """How a protocol sees its feed: a state, and why in words (empty in live)."""

    state: State
    reason: str = ""


class Picture(NamedTuple):
    """Every balance of an account, as one round of polls told it.

    Attributes:
        rows: each balance once.
        spared: what could not be read: nothing is known of those balances.
        unmapped: venue codes that no table knows: their names are passed through.
        covers: which balances it would tell, where it was asked for with a filter.
    """

    rows: Sequence[Observed]
    spared: Spared = ()
    unmapped: frozenset[str] = frozenset()
    covers: Covers | None = None


class Step(msgspec.Struct, frozen=True):
    """What follows from one frame or answer.

    Attributes:
        events: of a stream, in the order in which they are to be published; iterated
            once.
        picture: of a poll: the balances, with the answer that makes a round complete.
        lines: of a history: ledger lines, oldest first.
        send: frames to send to the venue.
        invalid: the frame, or part of it, cannot be read: dead-letter it.
        demand: end this connection with that error; `classify` says what then.
        confirmed: the balances are complete and right as of this frame.
        keep: the frame belongs on the frames topic (no heartbeat, no secret in it).
        alive: it shows that the feed works. Where a subscription has heartbeats a pong
            shows that the connection does, and no more.
        beat: it is a sign of life that the venue does not promise: it is missed from
            now on.
        notes: what to count.
    """

    events: Iterable[BalanceEvent] = ()
    picture: Picture | None = None
    lines: Sequence[Observed] = ()
    send: tuple[bytes, ...] = ()
    invalid: FrameInvalid | None = None
    demand: VenueError | None = None
    confirmed: bool = False
    keep: bool = True
    alive: bool = True
    beat: bool = False
    notes: tuple[Note, ...] = ()


def doubted(error: VenueError) -> Step:
    """Return the step of a frame after which the balances are in doubt."""
    invalid = error if isinstance(error, FrameInvalid) else None
    return Step(demand=error, invalid=invalid)


def unusable(error: Exception) -> Step:
    """Return the step of an answer that cannot be used; the round is tried again.

    Args:
        error: a `VenueError`, or what reading the answer raised; what cannot be read
            becomes a dead letter.
    """
    if not isinstance(error, VenueError):
        error = FrameInvalid("invalid_answer", str(error))
    step = doubted(error)
    return step if step.invalid else replace(step, keep=False)


@dataclass(frozen=True, slots=True)
class Request:
    """One REST call, signed and ready: the bytes of `body` are what was signed.

    Attributes:
        method: GET or POST.
        path: from the first slash, with the query.
        source: ``RawFrame.source`` of its answer.
        headers: signature and content type.
        body: exact bytes to send.
        secret: the answer holds a credential: it is not kept.
    """

    method: str
    path: str
    source: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    secret: bool = False

    @property
    def asked(self) -> str:
        """Method and path, by which a call is known again in a replay."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a `Request`: HTTP status and body as received."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the HTTP status says success."""
        return 200 <= self.status < 300  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Credentials:
    """One API key; never printed."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    passphrase: str = field(default="", repr=False)


class StreamProtocol(Protocol):
    """One connection to a private stream.

    The runner connects, then calls `login` and, if it asks for a REST call, gives the
    answer to `open`; it sends what `open` returned and calls `receive` for each frame
    in order, until a step demands an end. `due` is called several times a second.
    """

    @property
    def health(self) -> Health:
        """How the feed is, as of the last call."""

    @property
    def sequence(self) -> int | None:
        """The venue's number of the last frame taken in."""

    @property
    def answered(self) -> bool:
        """Whether the venue has shown that it took what `open` sent."""

    @property
    def synced(self) -> bool:
        """Whether the picture is in (or none is to come)."""

    def login(self, nonce: int, now: datetime) -> Request | None:
        """Return the REST call that has to come before the connection, if any."""

    def open(self, answer: Response | None, nonce: int, now: datetime) -> Step:
        """Return the frames that open the feed.

        Raises:
            VenueError: the answer to `login` is a refusal or cannot be read.
        """

    def receive(self, frame: bytes, received_at: datetime) -> Step:
        """Take in one frame. Never raises: what cannot be read is in the step."""

    def due(self, now: datetime) -> tuple[bytes, ...]:
        """Return the frames that it is time to send: pings, questions; often none."""

    def passed(self, sequence: int) -> None:
        """Note that frames up to a number came that are not kept: in a replay only."""


class PollProtocol(Protocol):
    """Polls of the whole account, for one epoch.

    For each round the runner calls `begin`, then `request` until it returns None, and
    `receive` with the answer to each request. A round that fails is not continued.
    """

    def begin(self, now: datetime) -> None:
        """Start a round."""

    def request(self, nonce: int, now: datetime) -> Request | None:
        """Return the next call of this round, or None when the round is complete."""

    def receive(self, response: Response, received_at: datetime) -> Step:
        """Take in the answer to the last request. Never raises."""


class HistoryProtocol(Protocol):
    """Asks a venue's ledger for what happened in one stretch of time.

    Called as the polls are, without `begin`. The lines of a step are told once each;
    what the stream has told before is left out by the runner.
    """

    def request(self, nonce: int, now: datetime) -> Request | None:
        """Return the next call, or None when the stretch is complete."""

    def receive(self, response: Response, received_at: datetime) -> Step:
        """Take in the answer to the last request. Never raises."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which a stream may have missed something.

    Attributes:
        since: before the last frame that was surely taken in.
        until: when the new picture had arrived.
        changed: the balances that differ from what was known before; those that
            vanished as they were.
        epoch: of the stream whose picture ended it.
    """

    since: datetime
    until: datetime
    changed: tuple[Holding, ...] = ()
    epoch: int = 0


StreamFactory = Callable[[Credentials, Any, Books, frozenset[str]], StreamProtocol]
"""Makes the protocol of one connection from the key, the venue's options, the books and
the names of the balances that could not be read lately: if they still cannot, the feed
is degraded, and no new picture is demanded for them."""

PollFactory = Callable[[Credentials, Any, Collection[Holding]], PollProtocol]
"""Makes the protocol of the polls of one epoch from the key, the venue's options and
what readers believe in as it begins; nothing of polls beside a stream, which tell no
balances."""

HistoryFactory = Callable[[Credentials, Any, Stretch], HistoryProtocol]
"""Makes the protocol of one stretch."""


@dataclass(frozen=True, slots=True)
class Venue:
    """One row of ``VENUES``.

    Attributes:
        name: as in keys and commands.
        ws_url: whole URL of the private stream; None if it has to be set.
        rest_url: scheme and host; None if it has to be set.
        options: dataclass of what the settings say to this venue. A field takes the
            setting of its name, or of the venue's and its name; ``aliases`` takes what
            ``ASSET_ALIASES_FILE`` holds.
        stream: makes stream protocols.
        poll: makes poll protocols.
        history: makes history protocols.
        nonces_per_s: resolution of the venue's nonces (10⁹ ns, 10⁶ µs).
        greeting_s_max: seconds from the connect within which a first frame comes; None
            where the venue does not greet.
        connect_interval_s: least seconds between two connections (rate limit).
        heartbeat_s: seconds between two signs of life; after twice that the feed is
            stale until the next number, or a new picture where the next has none.
        heartbeats_promised: whether its pages name those signs. If not they are missed
            from the first that came (`Step.beat`); until then the pongs of the socket
            itself count.
        silence_s_max: seconds without a frame after which the stream is dead.
        picture_s_max: seconds that a picture may take at most: more only where accounts
            may be so large that it does.
        poll_interval_s: seconds between two rounds of polls, unless the settings say.
            Short where only polls tell that the last message was lost.
        needs_passphrase: whether an API key has one.
        login_needed: whether a stream cannot be opened without the answer to `login`.
        same_codes: whether stream, polls and history name wallets and assets with the
            same codes. If not, what a stream and polls tell is compared by asset only.
        net_of_pending: whether polls leave out withdrawals that the stream tells only
            once they are done.
        updates_without_ids: whether updates carry no id of the fact, so that a line of
            the history is known by its balance.
        history_interval_s: seconds between two calls of a history, for the rate limit.
        comparable: says of the options whether polls tell the same balances as a stream
            does then; if not, a stream runs without polls beside it.
    """

    name: str
    ws_url: str | None
    rest_url: str | None
    options: type[Any]
    stream: StreamFactory
    poll: PollFactory
    history: HistoryFactory
    nonces_per_s: int
    heartbeat_s: float
    silence_s_max: float
    picture_s_max: float = 30.0
    heartbeats_promised: bool = True
    poll_interval_s: float = 60.0
    greeting_s_max: float | None = None
    connect_interval_s: float = 0.0
    needs_passphrase: bool = False
    login_needed: bool = True
    same_codes: bool = True
    net_of_pending: bool = False
    updates_without_ids: bool = False
    history_interval_s: float = 1.0
    comparable: Callable[[Any], bool] = lambda _options: True
