"""The private stream: WebSocket v2 channel ``balances``.

Theory of operation. One object serves one connection, on which ``balances`` stands
alone, so that its ``sequence`` must grow by one with each frame. The picture (sequence
1) tells every wallet; each update is one ledger entry, whose figure is compared with
what was predicted (``ledger.py``). Where it fits nothing, or a number is missing, the
balances are in doubt and a new connection with a new picture is demanded; the venue has
no replay and refuses a second subscription.

With ``users: all`` there is no picture: nothing can be predicted, so the scope stays
unknown, and the first number is taken as it comes.

Source: docs, WebSocket v2 "Balances", "Status", "Heartbeat", "Ping"; guide "WebSocket
authentication".
"""

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from balance_connector.books import Books, Observed, Told
from balance_connector.rows import BadRow, Unread, invalid_of
from balance_connector.venue import (
    UNNUMBERED,
    Credentials,
    Health,
    Note,
    Request,
    Response,
    State,
    Step,
    doubted,
)
from balance_connector.venues.kraken import wire
from balance_connector.venues.kraken.auth import private_call
from balance_connector.venues.kraken.ledger import AccountLedger
from balance_connector.venues.kraken.options import KrakenOptions
from balance_connector.venues.kraken.refusals import meaning, result_of
from balance_schemas.decimals import AmountUnfitError
from balance_schemas.records import BalanceEvent
from balance_shared.errors import (
    FrameInvalid,
    PictureNeeded,
    SequenceGap,
    VenueError,
    VenueUnavailable,
)

_TOKEN_PERMISSION = "WebSocket interface - On"  # noqa: S105
_CHANNEL_PERMISSION = "Query Funds"
_PING_INTERVAL, _MENDING_PING = timedelta(seconds=30), timedelta(seconds=1)
_SYSTEM_WORDS = frozenset({"online", "maintenance", "cancel_only", "post_only"})
_DUPLICATE = Step(notes=(Note.DUPLICATE,))
_NOTHING = Step()


class _Token(msgspec.Struct):
    token: str


class KrakenStream:
    """Protocol of one connection; see `balance_connector.venue.StreamProtocol`."""

    def __init__(
        self,
        credentials: Credentials,
        options: KrakenOptions,
        books: Books,
        tolerated: frozenset[str],
    ) -> None:
        self._credentials = credentials
        self._options = options
        self._books = books
        self._unread = Unread(tolerated)
        self._ledger = AccountLedger(options, books)
        self._pictured = 0
        self._frames = 0
        self._token: bytes | None = None
        self._pinged_at: datetime | None = None
        self.sequence: int | None = None
        self.answered = self.synced = False
        self.health = Health(State.SYNCING, "waiting for the picture")

    def login(self, nonce: int, now: datetime) -> Request | None:
        """Return the call for a fresh token; each connection needs its own."""
        return private_call(self._credentials, "GetWebSocketsToken", nonce, secret=True)

    def open(self, answer: Response | None, nonce: int, now: datetime) -> Step:
        """Return the subscription."""
        if answer is None:
            raise TypeError("Kraken's stream needs the answer to login")
        params: dict[str, object] = {
            "channel": "balances",
            "rebased": self._options.rebased,
            "token": (token := _token(answer, now)),
        }
        self._token = token.encode()
        if self._options.users_all:
            params["users"] = "all"
        else:
            params["snapshot"] = True
        request = {"method": "subscribe", "params": params, "req_id": 1}
        return Step(send=(msgspec.json.encode(request),))

    def due(self, now: datetime) -> tuple[bytes, ...]:
        """Return a ping in maintenance: heartbeats may stay away then."""
        return self._ping(now, _MENDING_PING) if self._is_mending else ()

    def _ping(self, now: datetime, interval: timedelta) -> tuple[bytes, ...]:
        if self._pinged_at and timedelta(0) <= now - self._pinged_at < interval:
            return ()
        self._pinged_at = now
        return (b'{"method":"ping"}',)

    @property
    def _is_mending(self) -> bool:
        return self.health.state is State.MAINTENANCE

    def passed(self, sequence: int) -> None:
        """Go on after a number; frames with numbers are all kept."""
        self.sequence = sequence

    def receive(self, frame: bytes, received_at: datetime) -> Step:
        """Take in one frame; an answer that repeats the token is not kept."""
        try:
            envelope = wire.read_envelope(frame)
            if envelope.channel == "balances":
                return self._balances(envelope, received_at)
        except VenueError as error:
            return self._doubt(error)
        try:
            step = self._other(envelope, received_at)
        except VenueError as error:
            step = self._doubt(error)
        is_secret = self._token is not None and self._token in frame
        return replace(step, keep=False) if is_secret else step

    def _doubt(self, demand: VenueError) -> Step:
        self.health = Health(State.STALE, str(demand))
        return doubted(demand)

    def _balances(self, envelope: wire.Envelope, received_at: datetime) -> Step:
        if envelope.type == "snapshot":
            rows = wire.read_picture(envelope.data)
        elif envelope.type == "update":
            rows = wire.read_updates(envelope.data)
        else:
            raise FrameInvalid(
                "unknown_type", f"balances of unknown type {envelope.type!r}"
            )
        sequence = envelope.sequence
        if self._is_old(sequence):
            return self._old(envelope, rows)
        self._frames += 1
        place = f"f{self._frames}" if sequence is None else str(sequence)
        told = Told(received_at, sequence, place)
        if envelope.type == "snapshot":
            if self.synced:
                self._expect(sequence)
            self.sequence = sequence
            self._pictured = hash(bytes(envelope.data))
            return self._picture(rows, told)
        self._follow(sequence)
        return self._updates(rows, told)

    def _is_old(self, sequence: int | None) -> bool:
        return (
            sequence is not None
            and self.sequence is not None
            and sequence <= self.sequence
        )

    def _old(self, envelope: wire.Envelope, rows: list[wire.Read | BadRow]) -> Step:
        """Drop what was told before; doubt what comes under an old number only now."""
        if envelope.type == "snapshot":
            known = hash(bytes(envelope.data)) == self._pictured
        else:
            known = all(
                isinstance(row, wire.Read) and self._ledger.was_told(row.row)
                for row in rows
            )
        if not known:
            raise PictureNeeded(
                "sequence_reused",
                f"sequence {envelope.sequence} after {self.sequence} tells something "
                "new",
            )
        return _DUPLICATE

    def _follow(self, sequence: int | None) -> None:
        """Take an update for the one after what came before."""
        if not self.synced and not self._options.users_all:
            raise PictureNeeded("no_picture", "an update came before the picture")
        self._expect(sequence)
        self.sequence = sequence

    def _expect(self, sequence: int | None) -> None:
        expected = None if self.sequence is None else self.sequence + 1
        if expected is not None and sequence != expected:
            raise SequenceGap(f"sequence {sequence} came where {expected} was due")

    def _picture(self, rows: list[wire.Read | BadRow], told: Told) -> Step:
        self._ledger.clear()
        observed: list[Observed] = []
        notes: list[Note] = []
        bad: list[BadRow] = []
        seen: set[str] = set()
        for row in rows:
            if isinstance(row, BadRow):
                bad.append(row)
                continue
            try:
                observed += self._ledger.picture_row(row, notes, seen)
            except ValueError as error:
                bad.append(BadRow("", row.row.asset, str(error)))
        self.synced = True
        return self._picture_step(observed, bad, notes, told)

    def _picture_step(
        self,
        observed: list[Observed],
        bad: list[BadRow],
        notes: list[Note],
        told: Told,
    ) -> Step:
        clashes = self._books.clashes
        spared = self._ledger.spared(bad)
        self._ledger.unmoved = self._books.unmoved(observed)
        if self._options.users_all:
            spared = None  # it is no word of the other users
        events = self._books.picture(observed, told, spared=spared)
        invalid = invalid_of(bad)
        demand = self._unread.pictured(invalid)
        if demand is not None:
            self.health = Health(State.STALE, str(demand))
        elif self._unread.reason:
            self._set_live(Health(State.DEGRADED, self._unread.reason))
        elif told.sequence is None:
            self._set_live(Health(State.DEGRADED, UNNUMBERED))
        elif self._options.users_all:
            self._set_live(self._unpictured())
        else:
            self._set_live(Health(State.LIVE))
        notes += [Note.ASSET_CLASH] * (self._books.clashes - clashes)
        return Step(
            events,
            invalid=invalid,
            demand=demand,
            confirmed=invalid is None and not self._options.users_all,
            notes=tuple(notes),
        )

    def _set_live(self, health: Health) -> None:
        """Live, unless the venue is in maintenance and figures may still move."""
        if not self._is_mending:
            self.health = health

    def _updates(self, rows: list[wire.Read | BadRow], told: Told) -> Step:
        events: list[BalanceEvent] = []
        bad: list[BadRow] = []
        notes: list[Note] = []
        demand: VenueError | None = None
        clashes = self._books.clashes
        for position, row in enumerate(rows):
            if isinstance(row, BadRow):
                bad.append(row)
                continue
            try:
                observed = self._ledger.update(row, notes)
                if observed is not None:
                    events.append(self._books.update(observed, told, position))
                    self._ledger.doubt_scope(row.row, observed)
            except (AmountUnfitError, FrameInvalid) as error:
                bad.append(BadRow(row.row.user or "", row.row.asset, str(error)))
            except PictureNeeded as error:
                demand = error
        invalid = invalid_of(bad)
        demand = self._unread.updated(invalid) or demand
        if demand is not None:
            self.health = Health(State.STALE, str(demand))
        elif self._unread.reason:
            self._set_live(Health(State.DEGRADED, self._unread.reason))
        notes += [Note.ASSET_CLASH] * (self._books.clashes - clashes)
        return Step(events, invalid=invalid, demand=demand, notes=tuple(notes))

    def _other(self, envelope: wire.Envelope, received_at: datetime) -> Step:
        """Take in a frame that carries no balances."""
        if envelope.channel == "heartbeat":
            # A pong may put off the next heartbeat, at any other time for too long.
            return Step(keep=False, send=self._ping(received_at, _PING_INTERVAL))
        if envelope.method == "pong":
            # Heartbeats come for as long as there is a subscription; pongs always do.
            return Step(keep=False, alive=self._is_mending or not self.synced)
        if envelope.channel == "status":
            return self._status(wire.read_status(envelope.data))
        if envelope.method == "subscribe":
            return self._acknowledged(envelope, received_at)
        if envelope.channel is None and envelope.method == "unsubscribe":
            return _NOTHING  # its heartbeats end with a subscription
        if text := envelope.error or envelope.abuse:
            raise meaning(str(text), _CHANNEL_PERMISSION, received_at.timestamp())
        what = envelope.channel or envelope.method
        return Step(
            invalid=FrameInvalid("unknown_channel", f"channel or method {what!r}")
        )

    def _acknowledged(self, envelope: wire.Envelope, received_at: datetime) -> Step:
        if envelope.success is not True:
            text = str(envelope.error or "the subscription failed without a reason")
            if text.startswith("Already subscribed"):
                return _NOTHING
            raise meaning(text, _CHANNEL_PERMISSION, received_at.timestamp())
        self.answered = True
        if self._options.users_all and not self.synced:
            self.synced = True
            self._set_live(self._unpictured())
        return _NOTHING

    def _unpictured(self) -> Health:
        """Return how a feed is that gets updates alone, and no history."""
        if not self._books.known:
            return Health(State.LIVE)
        reason = "there is no picture of all users: what was missed is not known"
        return Health(State.DEGRADED, reason)

    def _status(self, system: str) -> Step:
        if system == "maintenance":
            self.health = Health(State.MAINTENANCE, "Kraken is in maintenance")
        elif self._is_mending:
            raise PictureNeeded("maintenance_over", f"Kraken is {system} again")
        known = system in _SYSTEM_WORDS
        return _NOTHING if known else Step(notes=(Note.UNKNOWN_WORD,))


def _token(answer: Response, now: datetime) -> str:
    """Return the token of the answer to ``GetWebSocketsToken``.

    An answer that cannot be read may hold the token: it is not shown, only retried.
    """
    try:
        result = result_of(answer, _TOKEN_PERMISSION, now.timestamp())
        return msgspec.json.decode(result, type=_Token).token
    except (FrameInvalid, msgspec.MsgspecError):
        raise VenueUnavailable(
            "Kraken: the answer to GetWebSocketsToken has no token"
        ) from None
