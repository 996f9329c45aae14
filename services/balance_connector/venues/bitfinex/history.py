"""The ledger of one stretch of time: ``ledgers/hist`` (page rest-auth-ledgers).

A page holds the newest lines first, 2500 at most. The next one ends where the last one
began, in the same millisecond: lines come twice then, and are told apart by their ids.
The stretch is complete with a page that brings nothing new. A deal and its fee are two
lines of one millisecond: where their balances do not say which came first, their ids,
which grow, do.

Positions of a line (official Node and Python models): 0 id, 1 currency, 2 wallet, 3
milliseconds, 5 amount, 6 balance, 8 description. The wallet may be null; then the
description ends in `` on wallet exchange``.

Where the venue does not answer for the names of its codes, those of the balances that
changed serve: the lines belong to the same balances as the stream's. A line is told
once and for good, and it can wait: one of a code that has no name so is asked for again
later.
"""

import math
import re
from datetime import datetime
from typing import NamedTuple

import msgspec

from balance_connector.amounts import amount_of
from balance_connector.books import Observed
from balance_connector.lines import Lines
from balance_connector.rows import TEXT_CHARS_MAX, UNREADABLE, text_of
from balance_connector.venue import (
    Credentials,
    Note,
    Request,
    Response,
    Step,
    Stretch,
    unusable,
)
from balance_connector.venues.bitfinex.auth import private_call
from balance_connector.venues.bitfinex.names import AskedNames, maps_told
from balance_connector.venues.bitfinex.observing import (
    pocket_of,
    time_of,
    word_kept,
)
from balance_connector.venues.bitfinex.options import BitfinexOptions
from balance_connector.venues.bitfinex.refusals import rows_of
from balance_connector.venues.bitfinex.wallets import is_known
from balance_connector.venues.bitfinex.wire import read_name, read_whole
from balance_schemas.records import Movement
from balance_shared.errors import FrameInvalid, VenueError, VenueUnavailable

PAGE = 2500
"""Most lines of a page."""

_PERMISSION = "history: read"
_ID, _CODE, _WALLET, _TIME, _AMOUNT, _BALANCE, _DESCRIPTION = 0, 1, 2, 3, 5, 6, 8
_TOLD = frozenset({_ID, _CODE, _WALLET, _TIME, _AMOUNT, _BALANCE, _DESCRIPTION})

_items = msgspec.json.Decoder(list[msgspec.Raw])
_wallet_in = re.compile(r" on wallet (\S+)\Z").search


class _Line(NamedTuple):
    """One line that was read: its id, its time in milliseconds, what it says."""

    line_id: str
    time_ms: int
    observed: Observed
    word: str


class BitfinexHistory:
    """Protocol of one stretch; see `balance_connector.venue.HistoryProtocol`."""

    def __init__(
        self, credentials: Credentials, options: BitfinexOptions, stretch: Stretch
    ) -> None:
        self._credentials = credentials
        self._start_ms = math.floor(stretch.since.timestamp() * 1000)
        self._end_ms = math.ceil(stretch.until.timestamp() * 1000)
        self._names = AskedNames(options.aliases, maps_told(stretch.changed))
        self._named = False
        self._pending: list[Request] = []
        self._asked: Request | None = None
        self._ids: set[str] = set()
        self._ordered = Lines()
        self._complete = False

    def request(self, nonce: int, now: datetime) -> Request | None:
        """Return the next call: the names, then page after page."""
        if not self._named:
            self._named, self._pending = True, self._names.calls(now)
        if self._complete:
            return None
        self._asked = self._pending.pop(0) if self._pending else None
        if self._asked is not None:
            return self._asked
        body = msgspec.json.encode(
            {"start": self._start_ms, "end": self._end_ms, "limit": PAGE}
        )
        return private_call(self._credentials, "ledgers/hist", nonce, body)

    def receive(self, response: Response, received_at: datetime) -> Step:
        """Take in the answer to the last request."""
        if self._asked is not None:
            return self._names.take(response, received_at)
        try:
            return self._page(rows_of(response, _PERMISSION))
        except VenueError as error:
            return unusable(error)

    def _page(self, rows: list[msgspec.Raw]) -> Step:
        lines: list[_Line] = []
        bad: list[str] = []
        for raw in rows:
            try:
                lines.append(self._line(raw))
            except UNREADABLE as error:
                bad.append(f"{bytes(raw)[:40]!r}: {error}")
        new = [line for line in lines if line.line_id not in self._ids]
        self._ids |= {line.line_id for line in new}
        reason = self._turn(rows, lines, new)
        if reason:
            bad.insert(0, reason)
        new.sort(key=lambda line: (line.time_ms, int(line.line_id)), reverse=True)
        listed = [line.observed for line in new]
        words = sum(not is_known(line.word) for line in new)
        return Step(
            lines=self._ordered.page(listed, last=len(rows) < PAGE or self._complete),
            invalid=FrameInvalid("invalid_row", "; ".join(bad[:5])) if bad else None,
            notes=(Note.UNKNOWN_WORD,) * words,
        )

    def _turn(
        self, rows: list[msgspec.Raw], lines: list[_Line], new: list[_Line]
    ) -> str:
        """Go on to the next page; return what is wrong with this one, or ""."""
        times = [line.time_ms for line in lines]
        oldest_ms = min(times, default=self._end_ms)
        if new and self._start_ms <= oldest_ms <= self._end_ms:
            self._end_ms = oldest_ms
            return ""
        if len(rows) < PAGE or self._end_ms <= self._start_ms:
            self._complete = True
            return ""
        at_ms, self._end_ms = self._end_ms, self._end_ms - 1
        return f"a whole page of the millisecond {at_ms}: more of it may be missing"

    def _line(self, raw: msgspec.Raw) -> _Line:
        """Return one line.

        Raises:
            one of `UNREADABLE`: it cannot be read.
            VenueUnavailable: its code has no name yet.
        """
        items = _items.decode(raw)
        if len(items) <= _BALANCE or len(bytes(raw)) > TEXT_CHARS_MAX:
            raise ValueError(f"{len(items)} positions, {len(bytes(raw))} bytes")
        line_id, time_ms = str(read_whole(items[_ID])), read_whole(items[_TIME])
        code = read_name(items[_CODE])
        amount, balance = amount_of(items[_AMOUNT]), amount_of(items[_BALANCE])
        description = _text_at(items, _DESCRIPTION)
        word = _word(items[_WALLET], description)
        at = time_of(time_ms)
        if at is None:
            raise ValueError(f"no time is {time_ms} ms")
        if not (self._names.table.of(code).mapped or self._names.answered):
            raise VenueUnavailable(f"Bitfinex: no answer yet to what {code} is")
        movement = Movement(
            movement_id=line_id,
            amount=amount,
            change=amount,
            occurred_at=at,
            occurred_at_text=str(time_ms),
            attributes={"description": description} if description else {},
        )
        observed = Observed(
            pocket_of(word, code, self._names.table),
            balance,
            delta=amount,
            reported=balance,
            venue_id=line_id,
            venue_time=at,
            movements=(movement,),
            attributes={
                str(at): text
                for at in range(len(items))
                if at not in _TOLD and (text := _text_at(items, at))
            }
            | word_kept(word),
        )
        return _Line(line_id, time_ms, observed, word)


def _text_at(items: list[msgspec.Raw], at: int) -> str:
    """Return a position as text, "" where there is none or null."""
    if at >= len(items) or bytes(items[at]) == b"null":
        return ""
    return text_of(items[at])


def _word(raw: msgspec.Raw, description: str) -> str:
    """Return the venue's word for the wallet of a line.

    Raises:
        ValueError: neither the line nor its description names one.
    """
    if bytes(raw) != b"null":
        return read_name(raw)
    match = _wallet_in(description)
    if match is None:
        raise ValueError("the line names no wallet")
    return match[1]
