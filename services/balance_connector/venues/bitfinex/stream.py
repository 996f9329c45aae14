"""The private stream: WebSocket v2, channel 0, wallets only.

Theory of operation. One object serves one connection. It asks for numbers and times on
every array frame (``conf``), then logs in (``auth``) with the filter ``wallet``; that
subscribes it. ``ws`` tells every wallet and replaces all that was told, each time one
comes. ``wu`` tells one wallet's new balance, absolute, once for each ledger entry. The
venue has no replay, so a missing number ends the connection: the next one begins with a
new ``ws``.

What is available is told as null unless it was asked for (``calc.py``). The answer is a
``wu`` with the balance that is known already: it tells that balance more fully and is
no ledger entry.

After maintenance (20061) a new connection is made. That a ``ws`` follows on the same
connection is said of version 1.1 only, and to wait for it would be to trust balances
of before; a connection costs a second. One that comes all the same is taken.

Source: pages ws-general, ws-auth, "Wallets", "Calc".
"""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from balance_connector.books import Books, Observed, Pocket, Told, is_calculated
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
from balance_connector.venues.bitfinex import refusals, wire
from balance_connector.venues.bitfinex.assets import AssetNames
from balance_connector.venues.bitfinex.auth import auth_event
from balance_connector.venues.bitfinex.calc import CalcQueue, name_of
from balance_connector.venues.bitfinex.events import (
    WALLETS_PERMISSION,
    check_auth,
    check_info,
    flags_of,
)
from balance_connector.venues.bitfinex.names import CONF, maps_told, read_maps
from balance_connector.venues.bitfinex.numbers import Numbers
from balance_connector.venues.bitfinex.observing import (
    moved,
    pocket_of,
    read_list,
    spared_of,
    standing,
    time_of,
)
from balance_connector.venues.bitfinex.options import BitfinexOptions
from balance_connector.venues.bitfinex.wallets import is_known
from balance_schemas.decimals import ZERO
from balance_schemas.records import BalanceEvent
from balance_shared.errors import (
    FrameInvalid,
    PictureNeeded,
    VenueError,
    VenueUnavailable,
)

MAINTENANCE_MAX = timedelta(seconds=120)
"""Longest maintenance without reconnecting (page ws-general, code 20060)."""

_OTHER_KINDS = frozenset(
    {"ats", "bu", "fcc", "fcn", "fcs", "fcu", "fiu", "flc", "fln", "fls", "flu"}
    | {"foc", "fon", "fos", "fou", "hcs", "hls", "hos", "miu", "n", "oc", "on", "os"}
    | {"ou", "pc", "pn", "ps", "pu", "te", "tu", "uac"}
)
"""Types of the account channel that tell no wallet; the filter keeps them away."""

_NOTHING = Step()
_ALIVE = Step(keep=False)


class BitfinexStream:
    """Protocol of one connection; see `balance_connector.venue.StreamProtocol`."""

    def __init__(
        self,
        credentials: Credentials,
        options: BitfinexOptions,
        books: Books,
        tolerated: frozenset[str],
    ) -> None:
        self._credentials = credentials
        self._aliases = options.aliases
        self._books = books
        self._unread = Unread(tolerated)
        self._names = AssetNames(options.aliases)
        self._numbers = Numbers()
        self._calc = CalcQueue() if options.calc else None
        self._held: dict[Pocket, Decimal] = {}
        self._unmapped: set[str] = set()
        self._frames = 0
        self._may_read = False
        self._mended_from: datetime | None = None
        self.answered = self.synced = False
        self.health = Health(State.SYNCING, "waiting for the picture")

    @property
    def sequence(self) -> int | None:
        """MSG_SEQ of the last frame taken in."""
        return self._numbers.last

    def login(self, nonce: int, now: datetime) -> Request | None:
        """Return the public call for the names of currencies."""
        return CONF

    def open(self, answer: Response | None, nonce: int, now: datetime) -> Step:
        """Return the configuration and the login.

        Without readable names the ones told before serve, and the static table.
        """
        try:
            maps = read_maps(answer) if answer is not None else None
        except VenueError:
            maps = None
        if maps is None:
            maps = maps_told(self._books.known.values())
        self._names = AssetNames(self._aliases, maps)
        conf = msgspec.json.encode({"event": "conf", "flags": wire.FLAGS})
        return Step(send=(conf, auth_event(self._credentials, nonce)))

    def due(self, now: datetime) -> tuple[bytes, ...]:
        """Return a request for what is available, where that is unknown."""
        telling = self.health.state in {State.LIVE, State.DEGRADED}
        return self._calc.due(now) if self._calc is not None and telling else ()

    def passed(self, sequence: int) -> None:
        """Go on after a number: heartbeats have one and are not kept."""
        self._numbers.last = sequence

    def receive(self, frame: bytes, received_at: datetime) -> Step:
        """Take in one frame."""
        try:
            read = wire.read_frame(frame)
            self._check_maintenance(received_at)
            if isinstance(read, wire.Event):
                return self._event(read, received_at)
            array = wire.read_array(read, self._numbers.flags)
            if self._numbers.repeats(array, frame):
                keep = array.kind != wire.HEARTBEAT
                return Step(keep=keep, notes=(Note.DUPLICATE,))
            return self._array(array, received_at)
        except VenueError as error:
            return self._doubt(error)

    def _doubt(self, demand: VenueError) -> Step:
        self.health = Health(State.STALE, str(demand))
        return doubted(demand)

    def _check_maintenance(self, received_at: datetime) -> None:
        since = self._mended_from
        if since is not None and received_at - since > MAINTENANCE_MAX:
            raise PictureNeeded(
                "maintenance_over", f"no end of the maintenance since {since} was told"
            )

    def _array(self, array: wire.Array, received_at: datetime) -> Step:
        if array.kind == wire.HEARTBEAT:
            return _ALIVE
        if array.channel != 0:
            text = f"a frame of channel {array.channel}, which we did not ask for"
            return Step(invalid=FrameInvalid("unknown_channel", text))
        if array.kind not in {"ws", "wu"}:
            known = array.kind in _OTHER_KINDS
            return _ALIVE if known else Step(notes=(Note.UNKNOWN_WORD,))
        if not self.answered:
            raise PictureNeeded("not_admitted", "wallets came before the login was OK")
        self._frames += 1
        sequence = array.sequence
        place = f"f{self._frames}" if sequence is None else str(sequence)
        told = Told(received_at, sequence, place)
        rows = wire.read_rows(array.payload)
        self._may_read = self._may_read or bool(rows)
        if array.kind == "ws":
            return self._picture(rows, array, told)
        if not self.synced:
            raise PictureNeeded("no_picture", "an update came before the picture")
        if not rows:
            raise FrameInvalid("invalid_frame", "an update of no wallet")
        return self._updates(rows, array, told)

    def _picture(
        self, rows: list[wire.WalletRow | BadRow], array: wire.Array, told: Told
    ) -> Step:
        if not self._may_read:
            raise VenueUnavailable(
                "Bitfinex: the login does not say what the key may do, and the picture "
                "is empty"
            )
        reading = read_list(rows, self._names, time_of(array.time_ms))
        self._held = {row.pocket: row.balance for row in reading.observed}
        if self._calc is not None:
            self._calc.clear()
        for row in reading.observed:
            self._want_available(row)
        clashes = self._books.clashes
        spared = spared_of(reading.bad, self._names)
        events = self._books.picture(reading.observed, told, spared=spared)
        invalid = invalid_of(reading.bad)
        self.synced = True
        demand = self._unread.pictured(invalid)
        self._weigh(demand)
        notes = [Note.UNKNOWN_WORD] * reading.unknown_words
        notes += self._new_unmapped(reading.unmapped)
        notes += [Note.ASSET_CLASH] * (self._books.clashes - clashes)
        return Step(
            events,
            invalid=invalid,
            demand=demand,
            confirmed=invalid is None,
            notes=tuple(notes),
        )

    def _weigh(self, demand: FrameInvalid | None) -> None:
        """Say how the feed is after a frame."""
        if demand is None:
            self._set_good()
        else:
            self.health = Health(State.STALE, str(demand))

    def _set_good(self) -> None:
        """Live, unless something is known to be missing or figures may still move."""
        if self.health.state is State.MAINTENANCE or not self.synced:
            return
        reason = self._unread.reason
        if not reason and not self._numbers.numbered:
            reason = UNNUMBERED
        state = State.DEGRADED if reason else State.LIVE
        self.health = Health(state, reason)

    def _new_unmapped(self, codes: frozenset[str]) -> list[Note]:
        """Return a note for each code that is met for the first time."""
        new = codes - self._unmapped
        self._unmapped |= new
        return [Note.UNMAPPED_ASSET] * len(new)

    def _updates(
        self, rows: list[wire.WalletRow | BadRow], array: wire.Array, told: Told
    ) -> Step:
        events: list[BalanceEvent] = []
        bad: list[BadRow] = []
        notes: list[Note] = []
        clashes = self._books.clashes
        for position, row in enumerate(rows):
            if isinstance(row, BadRow):
                bad.append(row)
            else:
                events.append(self._update(row, array, told, position))
                if not is_known(row.word):
                    notes.append(Note.UNKNOWN_WORD)
                if not self._names.of(row.code).mapped:
                    notes += self._new_unmapped(frozenset({row.code}))
        invalid = invalid_of(bad)
        demand = self._unread.updated(invalid)
        self._weigh(demand)
        notes += [Note.ASSET_CLASH] * (self._books.clashes - clashes)
        return Step(events, invalid=invalid, demand=demand, notes=tuple(notes))

    def _update(
        self, row: wire.WalletRow, array: wire.Array, told: Told, position: int
    ) -> BalanceEvent:
        """Tell a wallet's new balance, or what is available of the one it has."""
        pocket = pocket_of(row.word, row.code, self._names)
        time = time_of(array.time_ms)
        changed = not row.is_calculated or self._held.get(pocket) != row.balance
        tell = moved if changed else standing
        observed = tell(row, pocket, time, array.account_sequence)
        self._held[pocket] = row.balance
        self._want_available(observed)
        return self._books.update(observed, told, position)

    def _want_available(self, observed: Observed) -> None:
        """Ask for what is available where it is unknown and the wallet is not empty.

        A wallet whose word we do not know has no name that can be asked for.
        """
        pocket = observed.pocket
        if self._calc is None or pocket.wallet == "unspecified":
            return
        if not is_calculated(observed) and observed.balance != ZERO:
            self._calc.want(name_of(pocket))
        else:
            self._calc.told(name_of(pocket))

    def _event(self, event: wire.Event, received_at: datetime) -> Step:
        """Take in an event object."""
        match event.name:
            case "pong":
                return _ALIVE
            case "info":
                check_info(event)
                return self._info(event.number("code"), received_at)
            case "conf":
                self._numbers.flags = flags_of(event)
                self._set_good()
            case "auth":
                self._may_read = check_auth(event) or self._may_read
                self.answered = True
            case "unauth":
                raise PictureNeeded("logged_out", "Bitfinex ended the login")
            case "error":
                return self._error(event, received_at)
            case _:
                text = f"an event of unknown name {event.name[:40]!r}"
                return Step(invalid=FrameInvalid("unknown_event", text))
        return _NOTHING

    def _info(self, code: int | None, received_at: datetime) -> Step:
        if code is None:
            return _NOTHING
        if code == refusals.RESTART:
            raise PictureNeeded("server_restart", "Bitfinex asks to connect again")
        if code == refusals.MAINTENANCE_OVER:
            raise PictureNeeded("maintenance_over", "Bitfinex is back")
        if code == refusals.MAINTENANCE:
            self._mended_from = self._mended_from or received_at
            self.health = Health(State.MAINTENANCE, "Bitfinex is in maintenance")
            return _NOTHING
        return Step(notes=(Note.UNKNOWN_WORD,))

    def _error(self, event: wire.Event, received_at: datetime) -> Step:
        """Act on an error.

        Once the picture is in, requests for what is available are all that we send: an
        error that says nothing of the login is about them, and ends them.
        """
        code, text = event.number("code"), event.text("msg")
        if code in refusals.OF_THE_SERVER:
            return self._info(code, received_at)
        login = code in {refusals.AUTH_FAILED, refusals.NONCE_SMALL}
        if self.synced and self._calc is not None and not login:
            self._calc = None
            said = f"error {event.text('code')[:20]} {text}: no more calc requests"
            return Step(invalid=FrameInvalid("calc_refused", said))
        raise refusals.meaning(code, text, WALLETS_PERMISSION)
