"""What a venue is: values and protocols without I/O.

A protocol object takes frames or answers and returns steps. It never awaits, never
reads a clock and never touches a socket; the runners (``stream.py``, ``poll.py``) do
all that and know no venue by name. One object lives for one connection.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from balance_connector.books import Books
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


class Step(NamedTuple):
    """What follows from one frame or answer.

    Attributes:
        events: in the order in which they are to be published; iterated once.
        send: frames to send to the venue.
        invalid: the frame, or part of it, cannot be read: dead-letter it.
        demand: end this connection with that error; `classify` says what then.
        confirmed: the balances are complete and right as of this frame.
        keep: the frame belongs on the frames topic (no heartbeat, no secret in it).
        notes: what to count.
    """

    events: Iterable[BalanceEvent] = ()
    send: tuple[bytes, ...] = ()
    invalid: FrameInvalid | None = None
    demand: VenueError | None = None
    confirmed: bool = False
    keep: bool = True
    notes: tuple[Note, ...] = ()


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


@dataclass(frozen=True, slots=True)
class Options:
    """Settings that venues give a meaning to.

    Attributes:
        aliases: venue code → canonical asset, from ``ASSET_ALIASES_FILE``; they win.
        users_all: Kraken ``KRAKEN_USERS_ALL``.
        rebased: Kraken ``KRAKEN_REBASED``.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    users_all: bool = False
    rebased: bool = True


class StreamProtocol(Protocol):
    """One connection to a private stream.

    The runner calls `login` first and, if it asks for a REST call, gives the answer to
    `open`; then it connects, sends what `open` returned, and calls `receive` for each
    frame in order, until a step demands an end. `ping` is called every
    `Venue.ping_interval_s`.
    """

    @property
    def health(self) -> Health:
        """How the feed is, as of the last call."""

    @property
    def sequence(self) -> int | None:
        """The venue's number of the last frame taken in."""

    @property
    def synced(self) -> bool:
        """Whether the picture is in (or none is to come)."""

    def login(self, nonce: int) -> Request | None:
        """Return the REST call that has to come before the connection, if any."""

    def open(self, answer: Response | None, nonce: int, now: datetime) -> Step:
        """Return the frames that open the feed.

        Raises:
            VenueError: the answer to `login` is a refusal or cannot be read.
        """

    def receive(self, frame: bytes, received_at: datetime) -> Step:
        """Take in one frame. Never raises: what cannot be read is in the step."""

    def ping(self, now: datetime) -> bytes | None:
        """Return the frame that keeps the connection alive, if the venue has one."""


class PollProtocol(Protocol):
    """Polls of a REST endpoint, for the life of a process.

    For each round the runner calls `begin`, then `request` until it returns None, and
    `receive` with the answer to each request. A round that fails is not continued.
    """

    @property
    def health(self) -> Health:
        """How the feed is, as of the last round."""

    @property
    def sequence(self) -> int | None:
        """Number of the last poll that made a round complete."""

    def begin(self, now: datetime) -> None:
        """Start a round."""

    def request(self, nonce: int) -> Request | None:
        """Return the next call of this round, or None when the round is complete."""

    def receive(self, response: Response, received_at: datetime) -> Step:
        """Take in the answer to the last request. Never raises."""


StreamFactory = Callable[[Credentials, Options, Books, frozenset[str]], StreamProtocol]
"""Makes the protocol of one connection. The last argument names the balances that could
not be read in the last picture: if they still cannot, the feed is degraded, and no new
picture is demanded for them."""

PollFactory = Callable[[Credentials, Options, Books], PollProtocol]
"""Makes the protocol of the polls of one process."""


@dataclass(frozen=True, slots=True)
class Venue:
    """One row of ``VENUES``.

    Attributes:
        name: as in keys and commands.
        ws_url: whole URL of the private stream; None if it has to be set.
        rest_url: scheme and host; None if it has to be set.
        stream: makes stream protocols.
        poll: makes poll protocols.
        nonces_per_s: resolution of the venue's nonces (10⁹ ns, 10⁶ µs).
        silence_s_max: seconds without a frame after which the stream counts as dead.
        ping_interval_s: seconds between pings.
        picture_s_max: seconds from the subscription within which the picture comes.
    """

    name: str
    ws_url: str | None
    rest_url: str | None
    stream: StreamFactory
    poll: PollFactory
    nonces_per_s: int
    silence_s_max: float
    ping_interval_s: float
    picture_s_max: float = 30.0
