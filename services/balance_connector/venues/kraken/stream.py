"""The private stream: WebSocket v2 channel ``balances``.

Theory of operation. One object serves one connection, on which ``balances`` stands
alone, so that its ``sequence`` must grow by one with each frame. The picture (sequence
1) tells every wallet; each update is one ledger entry. An update's own ``balance`` may
mean the wallet or the whole asset, the documentation and the ledger exports disagree.
So both are predicted from the picture and the entries since, and the figure says itself
which it is: `balance_scope`. Where it is neither, or a number is missing, the balances
are in doubt and a new connection with a new picture is demanded; the venue has no
replay and refuses a second subscription.

With ``users: all`` there is no picture: nothing can be predicted, so the scope stays
unknown, and the first number is taken as it comes.

Source: docs, WebSocket v2 "Balances", "Status", "Heartbeat", "Ping"; guide "WebSocket
authentication".
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from balance_connector.books import Books, Observed, Pocket, Told
from balance_connector.rows import NAMELESS, BadRow, invalid_of, time_of
from balance_connector.venue import (
    Credentials,
    Health,
    Note,
    Request,
    Response,
    State,
    Step,
)
from balance_connector.venues.kraken import wire
from balance_connector.venues.kraken.assets import AssetNames
from balance_connector.venues.kraken.auth import private_call
from balance_connector.venues.kraken.observing import (
    movement_of,
    pictured,
    total_of,
)
from balance_connector.venues.kraken.options import KrakenOptions
from balance_connector.venues.kraken.refusals import meaning, result_of
from balance_connector.venues.kraken.wallets import (
    UNNAMED,
    Wallet,
    is_known,
    wallet_of,
)
from balance_schemas.decimals import ZERO, AmountUnfitError, add, plain, subtract
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
_LEDGER_IDS_MAX = 20_000
_PING_INTERVAL = timedelta(seconds=2)

_SYSTEM_WORDS = frozenset({"online", "maintenance", "cancel_only", "post_only"})
_DUPLICATE = Step(notes=(Note.DUPLICATE,))
_NOTHING = Step()
_ALIVE = Step(keep=False)


class _Token(msgspec.Struct):
    token: str


@dataclass(slots=True)
class _Asset:
    """What one user holds of one asset: by wallet, and the total as last known."""

    total: Decimal = ZERO
    wallets: dict[Wallet, Decimal] = field(default_factory=dict)


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
        self._tolerated = tolerated
        self._names = AssetNames(options.aliases)
        self._assets: dict[tuple[str, str], _Asset] = {}
        self._pockets: dict[tuple[str, str, Wallet, str | None], Pocket] = {}
        self._unreadable: frozenset[tuple[str, str]] = frozenset()
        self._bad_names: frozenset[str] = frozenset()
        self._pictured = 0
        self._ledger_ids: dict[str, int] = {}
        self._frames = 0
        self._pinged_at: datetime | None = None
        self.sequence: int | None = None
        self.synced = False
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
            "token": _token(answer, now),
        }
        if self._options.users_all:
            params["users"] = "all"
        else:
            params["snapshot"] = True
        request = {"method": "subscribe", "params": params, "req_id": 1}
        return Step(send=(msgspec.json.encode(request),))

    def due(self, now: datetime) -> tuple[bytes, ...]:
        """Return an application ping; its pong shows that the venue is there."""
        if self._pinged_at is not None and now - self._pinged_at < _PING_INTERVAL:
            return ()
        self._pinged_at = now
        return (b'{"method":"ping"}',)

    def receive(self, frame: bytes, received_at: datetime) -> Step:
        """Take in one frame."""
        try:
            envelope = wire.read_envelope(frame)
            if envelope.channel == "balances":
                return self._balances(envelope, received_at)
            return self._other(envelope, received_at)
        except FrameInvalid as error:
            return self._doubt(error, invalid=error)
        except VenueError as error:
            return self._doubt(error)

    def _doubt(self, demand: VenueError, invalid: FrameInvalid | None = None) -> Step:
        self.health = Health(State.STALE, str(demand))
        return Step(demand=demand, invalid=invalid)

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
                isinstance(row, wire.Read) and self._was_told(row.row) for row in rows
            )
        if not known:
            raise PictureNeeded(
                "sequence_reused",
                f"sequence {envelope.sequence} after {self.sequence} tells something "
                "new",
            )
        return _DUPLICATE

    def _was_told(self, row: wire.UpdateRow) -> bool:
        return row.ledger_id is None or _fact(row) in self._ledger_ids

    def _follow(self, sequence: int | None) -> None:
        """Check the number of an update against the one before."""
        if not self.synced and not self._options.users_all:
            raise PictureNeeded("no_picture", "an update came before the picture")
        expected = None if self.sequence is None else self.sequence + 1
        if expected is not None and sequence != expected:
            raise SequenceGap(f"sequence {sequence} came where {expected} was due")
        self.sequence = sequence

    def _picture(self, rows: list[wire.Read | BadRow], told: Told) -> Step:
        self._assets.clear()
        self._ledger_ids.clear()
        observed: list[Observed] = []
        notes: list[Note] = []
        bad: list[BadRow] = []
        seen: set[str] = set()
        for row in rows:
            if isinstance(row, BadRow):
                bad.append(row)
                continue
            try:
                observed += self._picture_row(row, notes, seen)
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
        spared = self._spared(bad)
        events = self._books.picture(observed, told, spared=spared)
        invalid = invalid_of(bad)
        demand = None
        if invalid is None:
            self._set_live(Health(State.LIVE))
        elif invalid.names <= self._tolerated:
            self._bad_names = invalid.names
            self._set_live(Health(State.DEGRADED, str(invalid)))
        else:
            demand = invalid
            self.health = Health(State.STALE, str(invalid))
        notes += [Note.ASSET_CLASH] * (self._books.clashes - clashes)
        return Step(
            events,
            invalid=invalid,
            demand=demand,
            confirmed=invalid is None,
            notes=tuple(notes),
        )

    def _set_live(self, health: Health) -> None:
        """Live, unless the venue is in maintenance and figures may still move."""
        if self.health.state is not State.MAINTENANCE:
            self.health = health

    def _spared(self, bad: list[BadRow]) -> frozenset[tuple[str, str]] | None:
        """Return whose balances are not known; None if that cannot be told."""
        if any(row.asset is None for row in bad):
            return None
        codes = {(row.user, row.asset) for row in bad if row.asset is not None}
        named = {(user, self._names.display(code)) for user, code in codes}
        self._unreadable = frozenset(codes | named)
        return self._unreadable

    def _picture_row(
        self, read: wire.Read, notes: list[Note], seen: set[str]
    ) -> list[Observed]:
        """Return what a row tells of each wallet.

        Raises:
            ValueError: the asset or a wallet is told twice, or the sum does not fit.
        """
        row: wire.PictureRow = read.row
        wallets = {wallet_of(told.type, told.id) for told in row.wallets or ()}
        if row.asset in seen or len(wallets) < len(row.wallets or ()):
            raise ValueError("a wallet is told twice")
        total = total_of(row.wallets or ())
        seen.add(row.asset)
        attributes = dict(read.extras)
        if not row.wallets:
            self._assets["", row.asset] = _Asset(row.balance, {UNNAMED: row.balance})
            pocket = self._pocket("", row.asset, UNNAMED, row.asset_class)
            return [pictured(pocket, row.balance, attributes, scope="account")]
        if total != row.balance:
            attributes["account_balance"] = f"{row.balance:f}"
            notes.append(Note.PICTURE_DIFFERENCE)
        asset = self._assets["", row.asset] = _Asset(row.balance)
        observed = []
        of_wallets = read.of_wallets or ({},) * len(row.wallets)
        for told, extras in zip(row.wallets, of_wallets, strict=True):
            wallet = wallet_of(told.type, told.id) or UNNAMED
            if not is_known(wallet) and wallet != UNNAMED:
                notes.append(Note.UNKNOWN_WORD)
            asset.wallets[wallet] = told.balance
            pocket = self._pocket("", row.asset, wallet, row.asset_class)
            observed.append(pictured(pocket, told.balance, attributes | extras))
        return observed

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
                observed = self._update(row, notes)
                if observed is not None:
                    events.append(self._books.update(observed, told, position))
                    self._doubt_scope(row.row, observed)
            except (AmountUnfitError, FrameInvalid) as error:
                bad.append(BadRow(row.row.user or "", row.row.asset, str(error)))
            except PictureNeeded as error:
                demand = error
        invalid = invalid_of(bad)
        if invalid is not None and not self._is_degraded_by(invalid):
            demand = invalid
        if demand is not None:
            self.health = Health(State.STALE, str(demand))
        notes += [Note.ASSET_CLASH] * (self._books.clashes - clashes)
        return Step(events, invalid=invalid, demand=demand, notes=tuple(notes))

    def _is_degraded_by(self, invalid: FrameInvalid) -> bool:
        """Whether the picture could not tell the same balances either."""
        return invalid.names <= self._bad_names - {NAMELESS}

    def _update(self, read: wire.Read, notes: list[Note]) -> Observed | None:
        """Return what an entry says of its wallet; None if it was told before."""
        row: wire.UpdateRow = read.row
        if self._repeats(row):
            notes.append(Note.DUPLICATE)
            return None
        user = row.user or ""
        delta = subtract(row.amount, row.fee or ZERO)
        asset = self._assets.setdefault((user, row.asset), _Asset())
        wallet = wallet_of(row.wallet_type, row.wallet_id) or _only_wallet(row, asset)
        if not is_known(wallet) and wallet != UNNAMED:
            notes.append(Note.UNKNOWN_WORD)
        balance, scope = self._establish(asset, wallet, delta, row)
        asset.total = add(asset.total, delta)
        asset.wallets[wallet] = balance
        occurred_at = time_of(row.timestamp)
        return Observed(
            self._pocket(user, row.asset, wallet, row.asset_class),
            balance,
            delta=delta,
            reported=row.balance,
            scope=scope,
            venue_id=row.ledger_id,
            venue_time=occurred_at,
            movements=(movement_of(row, delta, occurred_at),),
            attributes=read.extras,
        )

    def _repeats(self, row: wire.UpdateRow) -> bool:
        """Note the entry; whether it was told before on this connection.

        Raises:
            PictureNeeded: it was, with other figures.
        """
        if row.ledger_id is None:
            return False
        fact, content = _fact(row), hash(msgspec.structs.astuple(row))
        before = self._ledger_ids.get(fact)
        self._ledger_ids[fact] = content
        if len(self._ledger_ids) > _LEDGER_IDS_MAX:
            del self._ledger_ids[next(iter(self._ledger_ids))]
        if before not in {None, content}:
            raise PictureNeeded(
                "ledger_entry_changed",
                f"ledger entry {row.ledger_id} was told again with other content",
            )
        return before is not None

    def _establish(
        self, asset: _Asset, wallet: Wallet, delta: Decimal, row: wire.UpdateRow
    ) -> tuple[Decimal, str]:
        """Return the wallet's balance after the entry, and what its figure covers."""
        previous = asset.wallets.get(wallet)
        expected = row.balance if previous is None else add(previous, delta)
        if not self._has_base(row):
            return expected, "unknown"
        if row.balance == add(previous or ZERO, delta):
            return row.balance, "wallet"
        if row.balance == add(asset.total, delta):
            return add(previous or ZERO, delta), "account"
        return expected, "unknown"

    def _has_base(self, row: wire.UpdateRow) -> bool:
        """Whether the picture told what this asset's wallets held."""
        return (
            not self._options.users_all
            and (row.user or "", row.asset) not in self._unreadable
        )

    def _doubt_scope(self, row: wire.UpdateRow, observed: Observed) -> None:
        """Ask for a new picture where a figure fits nothing that we know."""
        if observed.scope == "unknown" and self._has_base(row):
            raise PictureNeeded(
                "scope_unknown",
                f"entry {row.ledger_id}: the figure {plain(row.balance)} {row.asset} "
                f"is neither the wallet's nor the account's balance "
                f"(expected {plain(observed.balance)})",
            )

    def _pocket(
        self, user: str, code: str, wallet: Wallet, asset_class: str | None
    ) -> Pocket:
        key = user, code, wallet, asset_class
        pocket = self._pockets.get(key)
        if pocket is None:
            pocket = self._pockets[key] = Pocket(
                user,
                wallet.wallet,
                wallet.wallet_id,
                self._names.display(code),
                code,
                asset_class or "currency",
            )
        return pocket

    def _other(self, envelope: wire.Envelope, received_at: datetime) -> Step:
        """Take in a frame that carries no balances."""
        if envelope.channel == "heartbeat" or envelope.method == "pong":
            return _ALIVE
        if envelope.channel == "status":
            return self._status(wire.read_status(envelope.data))
        if envelope.method == "subscribe":
            return self._acknowledged(envelope, received_at)
        if envelope.channel is None and envelope.method == "unsubscribe":
            return _NOTHING
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
        if self._options.users_all and not self.synced:
            self.synced = True
            self._set_live(Health(State.LIVE))
        return _NOTHING

    def _status(self, system: str) -> Step:
        if system == "maintenance":
            self.health = Health(State.MAINTENANCE, "Kraken is in maintenance")
        elif self.health.state is State.MAINTENANCE:
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


def _fact(row: wire.UpdateRow) -> str:
    return f"{row.user or ''}|{row.ledger_id}"


def _only_wallet(row: wire.UpdateRow, asset: _Asset) -> Wallet:
    """Return the wallet of an entry that names none.

    Raises:
        FrameInvalid: the asset has several.
    """
    if len(asset.wallets) > 1:
        raise FrameInvalid(
            "wallet_unknown",
            f"entry {row.ledger_id} names no wallet and {row.asset} has several",
        )
    return next(iter(asset.wallets), UNNAMED)
