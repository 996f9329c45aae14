"""The private stream: topic ``balances``.

Theory of operation. One object serves one connection. There is no login: each message
carries its own signature. The first answer to the subscription is the picture, the only
one of the connection; it leaves out empty accounts, so that what was known and is not
in it has become zero. Each update tells one account after one run; its ``balance`` is
the state after the run and is told on as it is. Changes are never added up: they need
not fit.

The messages have no numbers and no documented order. What can be seen is seen: a run
that was told before on this connection is a duplicate if it says the same, else the
balances are in doubt. A run whose ``run_timestamp`` is older than that of the run told
last for the account was overtaken on its way: its balance is not the current one, so it
is told as ``backfill``, and a new picture is demanded, since nobody knows what else
came in the wrong order. Run ids are no help: nothing says that they grow. A message
that got lost is seen by the polls alone.

A run that an earlier connection told, and that comes again after the picture, is in the
picture. A run that comes before the picture may be in it or not: where the picture says
what the last such run said, it is, and they are told as ``backfill``; else a new
picture is demanded.

Source: page "Balances" (private socket feed) of the Zero Hash and NDAX v3 docs;
"Websocket FAQ" (pings; no replay); guide "Balances websocket" (non-zero accounts only).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain

from msgspec.structs import replace

from balance_connector.books import Books, Observed, Told
from balance_connector.rows import BadRow, Unread, invalid_of, unread_of
from balance_connector.venue import (
    Credentials,
    Health,
    Note,
    Request,
    Response,
    State,
    Step,
    doubted,
)
from balance_connector.venues.zerohash import wire
from balance_connector.venues.zerohash.accounts import (
    Accounts,
    Key,
    covers_of,
    is_known,
    key_of,
)
from balance_connector.venues.zerohash.auth import signed_message
from balance_connector.venues.zerohash.observing import pictured, updated
from balance_connector.venues.zerohash.options import Dialect, ZeroHashOptions
from balance_connector.venues.zerohash.refusals import meaning, refuses, text_in
from balance_connector.venues.zerohash.runs import Runs
from balance_schemas.decimals import ZERO
from balance_shared.errors import FrameInvalid, PictureNeeded, VenueError

_EARLY_MAX = 10_000
_PING = {"messageType": "ping"}
_BARE_PING = b'{"messageType":"ping"}'
_PICTURE, _UPDATE = "initial-balance", "balance-updated"
_DUPLICATE = Step(notes=(Note.DUPLICATE,))
_ALIVE = Step(keep=False)
_PONG = Step(keep=False, beat=True)
_PING_UNHEARD = timedelta(seconds=1.5)
"""From one ping to the next until the venue's first word: it may be away."""

_PONG_BYTES_MAX = 200


class ZeroHashStream:
    """Protocol of one connection; see `balance_connector.venue.StreamProtocol`."""

    def __init__(
        self,
        credentials: Credentials,
        options: ZeroHashOptions,
        books: Books,
        tolerated: frozenset[str],
        *,
        dialect: Dialect,
    ) -> None:
        self._credentials = credentials
        self._options = options
        self._books = books
        self._unread = Unread(tolerated)
        self._dialect = dialect
        self._accounts = Accounts(options)
        self._ping_interval = timedelta(seconds=options.ping_interval_s)
        self._pinged_at: datetime | None = None
        self._heard = False
        self._references: dict[Key, str] = {}
        self._twice: set[Key] = set()
        self._runs = Runs(books.account.key, books.recent)
        self._early: list[tuple[wire.Update, Told]] = []
        self._pictured = 0
        self._frames = 0
        self.sequence: int | None = None
        self.answered = self.synced = False  # the picture is the only answer
        self.health = Health(State.SYNCING, "waiting for the picture")

    def login(self, nonce: int, now: datetime) -> Request | None:
        """Return no call: each message is signed for itself."""
        return None

    def open(self, answer: Response | None, nonce: int, now: datetime) -> Step:
        """Return the subscription; a ping is due at once.

        Raises:
            SettingsError: the secret is not base64.
        """
        wanted = self._options.filter
        subscription = {
            "messageType": "subscribe",
            "topic": "balances",
            "body": {"filter": wanted} if wanted else {},
            "useMultiChainAssetFormat": self._options.multi_chain_assets,
        }
        self._pinged_at = now - self._ping_interval
        return Step(send=(self._signed(subscription, now),))

    def due(self, now: datetime) -> tuple[bytes, ...]:
        """Return a ping when it is time for one, the picture being there or not.

        The first follows the subscription, and they are frequent until the venue's
        first word: from then on its picture is waited for.
        """
        if self._pinged_at is None:
            return ()
        interval = self._ping_interval
        if not self._heard:
            interval = min(interval, _PING_UNHEARD)
        if timedelta(0) <= now - self._pinged_at < interval:
            return ()
        self._pinged_at = now
        bare = self._options.ping_form == "bare"
        return (_BARE_PING if bare else self._signed(_PING, now),)

    def _signed(self, message: Mapping[str, object], now: datetime) -> bytes:
        return signed_message(self._credentials, self._options, message, now)

    def passed(self, sequence: int) -> None:
        """Do nothing: no message has a number."""

    def receive(self, frame: bytes, received_at: datetime) -> Step:
        """Take in one message."""
        self._heard = True
        try:
            if _is_odd_pong(frame):
                return _PONG
            envelope = wire.read_envelope(frame)
            if envelope.kind == _PICTURE:
                return self._picture(envelope, self._told(received_at))
            if envelope.kind == _UPDATE:
                return self._update(envelope, self._told(received_at))
            if envelope.kind == "pong":
                return _PONG
            return self._other(envelope)
        except VenueError as error:
            return self._doubt(error)

    def _doubt(self, demand: VenueError) -> Step:
        self.health = Health(State.STALE, str(demand))
        return doubted(demand)

    def _told(self, received_at: datetime) -> Told:
        self._frames += 1
        return Told(received_at, None, f"f{self._frames}")

    def _picture(self, envelope: wire.Envelope, told: Told) -> Step:
        content = hash(bytes(envelope.body))
        if self.synced:
            if content == self._pictured:
                return _DUPLICATE
            raise PictureNeeded(
                "second_picture", "a second picture came, unlike the first"
            )
        observed: dict[Key, Observed] = {}
        bad: list[BadRow] = []
        twice = self._twice
        unknown = 0
        for read in wire.read_accounts(envelope.body):
            if isinstance(read, BadRow):
                bad.append(read)
                continue
            if read.key in observed:
                twice.add(read.key)
            unknown += not is_known(read.key[1])
            observed[read.key] = pictured(self._accounts, read)
        for key in twice:
            del observed[key]
            bad.append(_told_twice(key))
        self._pictured = content
        self._remember_references(observed)
        early = self._early_lines(observed)
        self.synced = True
        step = self._picture_step(list(observed.values()), bad, unknown, told)
        lines = (self._books.backfill([row], at) for row, at in early)
        return replace(step, events=chain(step.events, *lines))

    def _early_lines(
        self, observed: dict[Key, Observed]
    ) -> list[tuple[Observed, Told]]:
        """Return the runs that came before the picture, which is newer than they are.

        Raises:
            PictureNeeded: it says otherwise than the last of them, and may be older.
        """
        lines: dict[Key, list[tuple[Observed, Told]]] = {}
        for update, told in self._early:
            key = update.read.key
            row = updated(self._accounts, update, self._references.get(key, ""))
            self._runs.is_overtaken(row)
            lines.setdefault(key, []).append((row, told))
        for key, rows in lines.items():
            pictured_as = observed[key].balance if key in observed else ZERO
            if rows[-1][0].balance != pictured_as:
                raise PictureNeeded(
                    "no_picture",
                    f"a run of {key[1]} {key[2]} came before the picture, which says "
                    "otherwise",
                )
        return list(chain.from_iterable(lines.values()))

    def _remember_references(self, observed: dict[Key, Observed]) -> None:
        """Keep the accounts' numbers, of those that are empty now too."""
        for holding in self._books.known.values():
            if holding.pocket.reference:
                reference = holding.pocket.reference
                self._references[key_of(holding.pocket)] = reference
        for key, row in observed.items():
            if row.pocket.reference:
                self._references[key] = row.pocket.reference

    def _picture_step(
        self, observed: list[Observed], bad: list[BadRow], unknown: int, told: Told
    ) -> Step:
        clashes = self._books.clashes
        events = self._books.picture(
            observed, told, spared=unread_of(bad), covers=covers_of(self._options)
        )
        invalid = invalid_of(bad)
        demand = self._unread.pictured(invalid)
        if demand is not None:
            self.health = Health(State.STALE, str(demand))
        elif self._unread.reason:
            self.health = Health(State.DEGRADED, self._unread.reason)
        else:
            self.health = Health(State.LIVE)
        notes = [Note.UNKNOWN_WORD] * unknown
        notes += [Note.ASSET_CLASH] * (self._books.clashes - clashes)
        return Step(
            events,
            invalid=invalid,
            demand=demand,
            confirmed=invalid is None,
            notes=tuple(notes),
        )

    def _update(self, envelope: wire.Envelope, told: Told) -> Step:
        update = wire.read_update(envelope.body)
        if isinstance(update, BadRow):
            return self._unreadable(update)
        key = update.read.key
        if key in self._twice:
            return self._unreadable(_told_twice(key))
        row = updated(self._accounts, update, self._references.get(key, ""))
        if self._runs.repeats(update, row):
            return _DUPLICATE
        if not self.synced:
            return self._before_picture(update, told)
        if self._runs.is_pictured(update, row):
            return _DUPLICATE
        if row.pocket.reference:
            self._references[key] = row.pocket.reference
        if self._runs.is_overtaken(row):
            demand = PictureNeeded(
                "run_overtaken",
                f"run {update.run_id or 'without an id'} of {key[1]} {key[2]} came "
                "after a newer one",
            )
            self.health = Health(State.STALE, str(demand))
            return Step(list(self._books.backfill([row], told)), demand=demand)
        clashes = self._books.clashes
        events = [self._books.update(row, told, 0)]
        notes = [Note.ASSET_CLASH] * (self._books.clashes - clashes)
        if not is_known(key[1]):
            notes.append(Note.UNKNOWN_WORD)
        return Step(events, notes=tuple(notes))

    def _before_picture(self, update: wire.Update, told: Told) -> Step:
        if len(self._early) >= _EARLY_MAX:
            raise PictureNeeded(
                "no_picture", f"{_EARLY_MAX} updates came before the picture"
            )
        self._early.append((update, told))
        return Step()

    def _unreadable(self, row: BadRow) -> Step:
        """Doubt, unless a new picture could not tell the same balance either."""
        invalid = invalid_of([row])
        demand = self._unread.updated(invalid)
        if demand is not None:
            return self._doubt(demand)
        if self.synced:
            self.health = Health(State.DEGRADED, self._unread.reason)
        return Step(invalid=invalid)

    def _other(self, envelope: wire.Envelope) -> Step:
        """Take in a message that carries no balances."""
        text = _refusal(envelope)
        if text is not None:
            raise meaning(self._dialect.name, text)
        if envelope.kind == "subscribe":  # it may repeat our credentials
            return _ALIVE
        invalid = FrameInvalid(
            "unknown_message", f"message of type {str(envelope.kind)[:60]!r}"
        )
        if envelope.kind is None or _tells_balances(envelope):
            raise invalid
        return Step(invalid=invalid)


def _told_twice(key: Key) -> BadRow:
    """Return the error of an account with two rows in one picture.

    That may be holdings on two chains under one name, where codes name no chain: a sum
    would be a guess, and so would be either of the two.
    """
    return BadRow(key[0], key[2], "told twice in one picture", key[1])


def _is_odd_pong(frame: bytes) -> bool:
    """Whether a short message is a pong in another form: no page prints NDAX's."""
    if len(frame) > _PONG_BYTES_MAX or b"messageType" in frame:
        return False
    said = frame.lower()
    return b"pong" in said and b"error" not in said and b"balance" not in said


def _tells_balances(envelope: wire.Envelope) -> bool:
    """Whether a message of a type that we do not know seems to tell a balance."""
    kind = (envelope.kind or "").lower()
    return "balance" in kind or b'"balance"' in bytes(envelope.body)


def _refusal(envelope: wire.Envelope) -> str | None:
    """Return the text of a message that looks like an error, else None.

    The form is not documented: members ``error`` and ``errors`` and messages of these
    types count, and any text that clearly refuses.
    """
    for value in (envelope.error, envelope.errors):
        if value:
            return text_in(envelope.message if value is True else value)
    body = wire.text_or_json(envelope.body)
    if envelope.kind in {"error", "errors"}:
        told = body if body != "null" else "an error without a text"
        return text_in(envelope.message) if envelope.message else told
    for text in (text_in(envelope.message) if envelope.message else "", body):
        if envelope.kind in {None, "subscribe", "message"} and refuses(text):
            return text
    return None
