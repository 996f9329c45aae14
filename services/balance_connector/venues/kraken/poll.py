"""REST polls: ``Balance``, with ``Assets`` for the names (docs, "Get Account Balance").

Each answer is the whole account, net of pending withdrawals. The first is a picture;
later ones tell what changed and what vanished. The names are asked for at the start,
once a day, and when a code is met that they do not know; without them the static table
serves.
"""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from balance_connector.amounts import amount_of
from balance_connector.books import Books, Observed, Pocket, Told
from balance_connector.venue import (
    Credentials,
    Health,
    Note,
    Options,
    Request,
    Response,
    State,
    Step,
)
from balance_connector.venues.kraken.assets import AssetNames, join
from balance_connector.venues.kraken.auth import private_call
from balance_connector.venues.kraken.refusals import result_of
from balance_shared.errors import FrameInvalid, VenueError, VenueUnavailable

NAME_CHARS_MAX = 200
"""Most characters of an asset code."""

_PERMISSION = "Query Funds"
_NAMES_AGE_MAX = timedelta(days=1)
_NAMES_RETRY = timedelta(minutes=10)
_UNREADABLE = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
_ASSETS = Request("GET", "/0/public/Assets", "Assets")
_ASSETS_DISPLAY = Request("GET", "/0/public/Assets?assetVersion=1", "Assets")


class _Asset(msgspec.Struct):
    altname: str


_assets = msgspec.json.Decoder(dict[str, _Asset])
_balances = msgspec.json.Decoder(dict[str, msgspec.Raw])


class KrakenPoll:
    """Protocol of the polls; see `balance_connector.venue.PollProtocol`."""

    def __init__(
        self, credentials: Credentials, options: Options, books: Books
    ) -> None:
        self._credentials = credentials
        self._options = options
        self._books = books
        self._names = AssetNames(options.aliases)
        self._names_due_at: datetime | None = None
        self._internal: dict[str, str] = {}
        self._pending: list[str] = []
        self._asked = ""
        self._polls = 0
        self._unmapped: set[str] = set()
        self.sequence: int | None = None
        self.health = Health(State.SYNCING, "waiting for the first answer")

    def begin(self, now: datetime) -> None:
        """Start a round: the names where they are due, then the balances."""
        due = self._names_due_at is None or now >= self._names_due_at
        self._pending = ["Assets", "AssetsDisplay"] if due else []
        self._pending.append("Balance")

    def request(self, nonce: int) -> Request | None:
        """Return the next call of this round."""
        if not self._pending:
            return None
        self._asked = self._pending.pop(0)
        if self._asked == "Balance":
            multiplier = "rebased" if self._options.rebased else "base"
            return private_call(
                self._credentials, "Balance", nonce, rebase_multiplier=multiplier
            )
        return _ASSETS if self._asked == "Assets" else _ASSETS_DISPLAY

    def receive(self, response: Response, received_at: datetime) -> Step:
        """Take in the answer to the last request."""
        if self._asked == "Balance":
            return self._take_balances(response, received_at)
        return self._take_names(response, received_at)

    def _take_names(self, response: Response, received_at: datetime) -> Step:
        """Take in names; without them the tables at hand go on serving."""
        self._names_due_at = received_at + _NAMES_RETRY
        try:
            result = result_of(response, "none", received_at.timestamp())
            answer = {
                name: asset.altname for name, asset in _assets.decode(result).items()
            }
        except FrameInvalid as error:
            return Step(invalid=error)
        except VenueError:
            return Step(keep=False)
        except _UNREADABLE as error:
            return Step(invalid=FrameInvalid("invalid_names", str(error)))
        if self._asked == "Assets":
            self._internal = answer
        elif self._internal:
            names = join(self._internal, answer)
            self._names = AssetNames(self._options.aliases, names)
            self._names_due_at = received_at + _NAMES_AGE_MAX
            self._unmapped.clear()
        return Step()

    def _take_balances(self, response: Response, received_at: datetime) -> Step:
        try:
            result = result_of(response, _PERMISSION, received_at.timestamp())
            rows = _balances.decode(result)
        except VenueUnavailable as error:
            state = State.MAINTENANCE if error.maintenance else State.STALE
            self.health = Health(state, str(error))
            return Step(demand=error, keep=False)
        except FrameInvalid as error:
            return self._unreadable(error)
        except VenueError as error:
            self.health = Health(State.STALE, str(error))
            return Step(demand=error, keep=False)
        except _UNREADABLE as error:
            return self._unreadable(FrameInvalid("invalid_answer", str(error)))
        return self._tell(rows, received_at)

    def _unreadable(self, error: FrameInvalid) -> Step:
        self.health = Health(State.STALE, str(error))
        return Step(invalid=error, demand=error)

    def _tell(self, rows: dict[str, msgspec.Raw], received_at: datetime) -> Step:
        observed: list[Observed] = []
        bad: dict[str, str] = {}
        clashes = self._books.clashes
        notes: list[Note] = []
        for code, raw in rows.items():
            try:
                balance = amount_of(raw)
                _check_name(code)
            except _UNREADABLE as error:
                bad[code] = str(error)
                continue
            observed.append(self._observed(code, balance, received_at, notes))
        told = Told(received_at, self._polls, str(self._polls))
        spared = self._spared(bad)
        tell = self._books.changes if self._polls else self._books.picture
        events = tell(observed, told, spared=spared)
        self.sequence = self._polls
        self._polls += 1
        invalid = _invalid(bad)
        self.health = (
            Health(State.LIVE)
            if invalid is None
            else Health(State.DEGRADED, str(invalid))
        )
        notes += [Note.ASSET_CLASH] * (self._books.clashes - clashes)
        return Step(
            events, invalid=invalid, confirmed=invalid is None, notes=tuple(notes)
        )

    def _observed(
        self, code: str, balance: Decimal, received_at: datetime, notes: list[Note]
    ) -> Observed:
        name = self._names.of_balance(code)
        if not name.mapped and code not in self._unmapped:
            self._unmapped.add(code)
            notes.append(Note.UNMAPPED_ASSET)
            self._ask_names_soon(received_at)
        pocket = Pocket(
            "", name.wallet, name.wallet_id, name.asset, code, name.asset_class
        )
        return Observed(pocket, balance, reported=balance)

    def _ask_names_soon(self, received_at: datetime) -> None:
        soon = received_at + _NAMES_RETRY
        self._names_due_at = min(self._names_due_at or soon, soon)

    def _spared(self, bad: dict[str, str]) -> frozenset[tuple[str, str]]:
        """Return whose balances are not known: the codes and their assets."""
        assets = {self._names.of_balance(code).asset for code in bad}
        return frozenset(("", name) for name in assets | set(bad))


def _check_name(code: str) -> None:
    if not 0 < len(code) <= NAME_CHARS_MAX:
        raise ValueError(f"a code of {len(code)} characters")


def _invalid(bad: dict[str, str]) -> FrameInvalid | None:
    if not bad:
        return None
    listed = "; ".join(f"{code[:40]}: {error}" for code, error in list(bad.items())[:5])
    return FrameInvalid("invalid_row", f"unreadable: {listed}", frozenset(bad))
