"""The ledger of one stretch of time: ``Ledgers`` (docs, "Get Ledgers Info").

Pages hold the 50 newest entries first; with a fixed end they are stable. An entry names
no wallet: its asset code has the suffix, as in ``Balance``. Its balance is as the
ledger says; what it covers cannot be established afterwards.

A line is told once and for good, and it can wait: while the venue does not tell the
names of its codes, a line of a code that neither the table nor the balances that
changed can name is asked for again later.
"""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from balance_connector.amounts import amount_of
from balance_connector.books import Observed, Pocket
from balance_connector.lines import Lines
from balance_connector.rows import UNREADABLE, text_of
from balance_connector.venue import (
    Credentials,
    Request,
    Response,
    Step,
    Stretch,
    unusable,
)
from balance_connector.venues.kraken.auth import private_call
from balance_connector.venues.kraken.names import AskedNames, names_told
from balance_connector.venues.kraken.options import KrakenOptions
from balance_connector.venues.kraken.refusals import result_of
from balance_schemas.decimals import subtract
from balance_schemas.records import Movement
from balance_shared.errors import FrameInvalid, VenueError, VenueUnavailable

PAGE = 50
"""Entries of a page."""

_PERMISSION = "Query Ledger Entries"
_SINCE_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_AMOUNTS = frozenset({"amount", "balance", "fee", "time", "asset"})
_TOLD = frozenset({"refid", "type", "subtype"})


class _Page(msgspec.Struct):
    ledger: dict[str, dict[str, msgspec.Raw]]


_page = msgspec.json.Decoder(_Page)


class KrakenHistory:
    """Protocol of one stretch; see `balance_connector.venue.HistoryProtocol`."""

    def __init__(
        self, credentials: Credentials, options: KrakenOptions, stretch: Stretch
    ) -> None:
        self._credentials = credentials
        self._options = options
        self._start = math.floor(stretch.since.timestamp())
        self._end = math.ceil(stretch.until.timestamp())
        self._names = AskedNames(options.aliases, names_told(stretch.changed))
        self._named = False
        self._pending: list[Request] = []
        self._asked: Request | None = None
        self._offset = 0
        self._ordered = Lines()
        # The ledger tells the key's own account only, and no user to tell it by.
        self._complete = options.users_all

    def request(self, nonce: int, now: datetime) -> Request | None:
        """Return the next call: the names, then page after page."""
        if not self._named:
            self._named, self._pending = True, self._names.calls(now)
        if self._complete:
            return None
        self._asked = self._pending.pop(0) if self._pending else None
        if self._asked is not None:
            return self._asked
        return private_call(
            self._credentials,
            "Ledgers",
            nonce,
            start=str(self._start),
            end=str(self._end),
            ofs=str(self._offset),
            rebase_multiplier="rebased" if self._options.rebased else "base",
        )

    def receive(self, response: Response, received_at: datetime) -> Step:
        """Take in the answer to the last request."""
        if self._asked is not None:
            return self._names.take(self._asked, response, received_at)
        try:
            result = result_of(response, _PERMISSION, received_at.timestamp())
            entries = _page.decode(result).ledger
            step = self._lines(entries)
        except (VenueError, *UNREADABLE) as error:
            return unusable(error)
        self._offset += len(entries)
        self._complete = len(entries) < PAGE
        return step

    def _lines(self, entries: dict[str, dict[str, msgspec.Raw]]) -> Step:
        lines: list[Observed] = []
        bad: list[str] = []
        for ledger_id, fields in entries.items():
            try:
                lines.append(self._line(ledger_id, fields))
            except (KeyError, *UNREADABLE) as error:
                bad.append(f"{ledger_id[:40]}: {error}")
        lines.sort(key=lambda line: line.venue_time or _SINCE_1970, reverse=True)
        lines = self._ordered.page(lines, last=len(entries) < PAGE)
        invalid = FrameInvalid("invalid_row", "; ".join(bad[:5])) if bad else None
        return Step(lines=lines, invalid=invalid)

    def _line(self, ledger_id: str, fields: dict[str, msgspec.Raw]) -> Observed:
        """Return one entry.

        Raises:
            ValueError, KeyError, ArithmeticError: it cannot be read.
            VenueUnavailable: its code has no name yet.
        """
        code = msgspec.json.decode(fields["asset"], type=str)
        amount, fee = amount_of(fields["amount"]), amount_of(fields["fee"])
        balance, time = amount_of(fields["balance"]), amount_of(fields["time"])
        name = self._names.table.of_balance(code)
        if not (name.mapped or self._names.answered):
            raise VenueUnavailable(f"Kraken: no answer yet to what {code[:40]} is")
        at = _time(time)
        delta = subtract(amount, fee)
        texts = {
            key: text_of(raw) for key, raw in fields.items() if key not in _AMOUNTS
        }
        movement = Movement(
            movement_id=ledger_id,
            reference_id=texts.get("refid"),
            type=texts.get("type", ""),
            subtype=texts.get("subtype") or None,
            amount=amount,
            fee=fee,
            change=delta,
            occurred_at=at,
            occurred_at_text=f"{time:f}",
        )
        return Observed(
            Pocket("", name.wallet, name.wallet_id, name.asset, code, name.asset_class),
            balance,
            delta=delta,
            reported=balance,
            scope="unknown",
            venue_id=ledger_id,
            venue_time=at,
            movements=(movement,),
            attributes={key: text for key, text in texts.items() if key not in _TOLD},
        )


def _time(seconds: Decimal) -> datetime:
    """Return seconds since 1970 as a time, exact to the microsecond."""
    return _SINCE_1970 + timedelta(microseconds=int(seconds * 1_000_000))
