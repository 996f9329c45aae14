"""The runs of one stretch of time: ``GET /accounts/{account_id}/run_history``.

The call has no documented filter by time: pages are read until one ends before the
stretch. That needs the newest run first, which is how the venue answers but not what it
documents; where a page says otherwise, all pages are read. Only accounts whose balance
differs are asked for. One whose number is not known is looked up first; if it is not
listed, it is empty and its runs stay unknown. What the venue answers is of one account:
one that it refuses costs the others nothing. Source: OpenAPI 1.7.0.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from balance_connector.amounts import amount_of
from balance_connector.books import REFERENCE, Observed, Pocket
from balance_connector.lines import Lines
from balance_connector.rows import UNREADABLE, BadRow
from balance_connector.venue import (
    Credentials,
    Request,
    Response,
    Step,
    Stretch,
    unusable,
)
from balance_connector.venues.zerohash import wire
from balance_connector.venues.zerohash.accounts import (
    Accounts,
    covers_of,
    fact_id,
    parts_of,
)
from balance_connector.venues.zerohash.auth import signed_get
from balance_connector.venues.zerohash.observing import venue_time_of
from balance_connector.venues.zerohash.options import Dialect, ZeroHashOptions
from balance_connector.venues.zerohash.refusals import check, concerns_all
from balance_shared.errors import FrameInvalid, VenueError

LOST = timedelta(minutes=15)
"""How long before a stretch runs are told: messages have no numbers, so that one that
got lost is seen by the polls alone, some rounds later, while pongs went on coming."""

PAGES_MAX = 50
"""Most pages that are read of one account."""

ACCOUNTS_MAX = 1_000
"""Most accounts that are asked for in one stretch: one call a second, and more wait."""

_BAD_REQUEST, _FORBIDDEN, _NOT_FOUND, _FAILED = 400, 403, 404, 500
_NULL = msgspec.Raw(b"null")


class ZeroHashHistory:
    """Protocol of one stretch; see `balance_connector.venue.HistoryProtocol`."""

    def __init__(
        self,
        credentials: Credentials,
        options: ZeroHashOptions,
        stretch: Stretch,
        *,
        dialect: Dialect,
    ) -> None:
        self._credentials = credentials
        self._options = options
        self._dialect = dialect
        self._since = stretch.since - LOST
        self._until = stretch.until
        self._accounts = Accounts(options)
        covers = covers_of(options)
        pockets = [holding.pocket for holding in stretch.changed]
        asked = [pocket for pocket in pockets if covers is None or covers(pocket)]
        self._more = len(asked) - ACCOUNTS_MAX
        self._pending = deque(asked[:ACCOUNTS_MAX])
        self._pocket: Pocket | None = None
        self._page = 1
        self._oldest: datetime | None = None
        self._ordered = Lines()
        self._answered = False
        self._put_off: set[Pocket] = set()

    def request(self, nonce: int, now: datetime) -> Request | None:
        """Return the next call: an account's number where it is not known, its runs."""
        while self._pocket is None and self._pending:
            pocket = self._pending.popleft()
            if pocket.reference or parts_of(pocket.subaccount):
                self._pocket, self._page, self._oldest = pocket, 1, None
        if self._pocket is None:
            return None
        if not self._pocket.reference:
            return self._get("/accounts", _exactly(self._pocket), now)
        number = quote(self._pocket.reference, safe="")
        return self._get(f"/accounts/{number}/run_history", {}, now)

    def _get(self, path: str, query: Mapping[str, str], now: datetime) -> Request:
        query = {"page": str(self._page), **query}
        return signed_get(
            self._credentials, self._options, self._dialect, path, query, now
        )

    def receive(self, response: Response, received_at: datetime) -> Step:
        """Take in the answer to the last request."""
        pocket = self._pocket
        if pocket is None:
            return Step(keep=False)
        if response.status == _NOT_FOUND:
            return self._left()
        try:
            check(response, self._dialect.name)
            page = wire.read_page(response.body)
            step = self._runs(pocket, page) if pocket.reference else self._find(page)
        except VenueError as error:
            return self._failed(pocket, response.status, error)
        self._answered = True
        return self._cut_short(step)

    def _failed(self, pocket: Pocket, status: int, error: VenueError) -> Step:
        """Return what follows from a refusal, which may be of one account alone.

        A request that is called wrong is wrong the next time too, and so is one that is
        forbidden where others are not. What failed is asked for again after the others.
        """
        bad = status == _BAD_REQUEST and not concerns_all(error)
        others = self._answered or bool(self._pending)
        if bad or (status == _FORBIDDEN and others):
            text = f"the runs of account {pocket.reference} are not told: {error}"
            return self._left(FrameInvalid("history_refused", text))
        if status == _FAILED and self._pending and pocket not in self._put_off:
            self._put_off.add(pocket)
            self._pending.append(pocket)
            return self._left()
        return unusable(error)

    def _left(self, invalid: FrameInvalid | None = None) -> Step:
        """Go on to the next account."""
        self._pocket = None
        return Step(lines=self._ordered.page((), last=True), invalid=invalid)

    def _cut_short(self, step: Step) -> Step:
        """Say once that not all accounts are asked for."""
        more, self._more = self._more, 0
        if more <= 0 or step.invalid is not None:
            return step
        text = f"the runs of {more} more accounts that changed are not asked for"
        return replace(step, invalid=FrameInvalid("history_cut", text))

    def _find(self, page: wire.Page) -> Step:
        """Note the number of the account that was looked up; without one it is left."""
        pocket, self._pocket = self._pocket, None
        for read in wire.read_accounts(page.message):
            if isinstance(read, BadRow) or pocket is None or not read.reference:
                continue
            if read.key == (pocket.subaccount, pocket.wallet_id, pocket.venue_asset):
                self._pocket = pocket._replace(reference=read.reference)
                break
        return Step()

    def _runs(self, pocket: Pocket, page: wire.Page) -> Step:
        """Return the runs within the stretch that are complete, oldest first."""
        told: list[tuple[datetime, Observed]] = []
        bad: list[str] = []
        for raw in wire.read_rows(page.message):
            try:
                told.append(self._line(pocket, raw))
            except UNREADABLE as error:
                bad.append(str(error))
        last = self._page >= (page.total_pages or 1) or not (told or bad)
        if not last and self._page >= PAGES_MAX:
            bad.append(f"more than {PAGES_MAX} pages of runs")
            last = True
        if last or self._is_past([time for time, _ in told]):
            self._pocket = None
        self._page += 1
        listed = [row for time, row in told if self._since <= time <= self._until]
        lines = self._ordered.page(listed, last=self._pocket is None)
        invalid = FrameInvalid("invalid_row", "; ".join(bad[:5])) if bad else None
        return Step(lines=lines, invalid=invalid)

    def _is_past(self, times: list[datetime]) -> bool:
        """Whether a page, newest run first as all before, ends before the stretch."""
        before = [self._oldest] if self._oldest else []
        ordered = [*before, *times]
        self._oldest = times[-1] if times else self._oldest
        newest_first = ordered == sorted(ordered, reverse=True)
        return bool(times) and newest_first and times[-1] < self._since

    def _line(self, pocket: Pocket, raw: msgspec.Raw) -> tuple[datetime, Observed]:
        """Return one run and its time.

        Raises:
            UNREADABLE: its id, time or figure cannot be read.
        """
        fields = wire.read_fields(raw)
        texts = {
            name: wire.text_or_json(value)
            for name, value in fields.items()
            if name not in {"change", "new_balance"}
        }
        run_id, at = texts.get("run_id", "null"), texts.get("run_timestamp", "")
        time = venue_time_of(at)
        if run_id in {"", "null"} or time is None:
            raise ValueError(f"run {run_id[:60]!r} at {at[:60]!r}: no id or no time")
        balance = amount_of(fields.get("new_balance", _NULL))
        base = self._accounts.code(pocket.venue_asset).base
        named = {REFERENCE: pocket.reference} | ({"base_asset": base} if base else {})
        change = fields.get("change", _NULL)
        row = Observed(
            pocket,
            balance,
            delta=None if bytes(change) == b"null" else amount_of(change),
            reported=balance,
            venue_id=fact_id(pocket, run_id),
            venue_time=time,
            attributes=texts | named,
        )
        return time, row


def _exactly(pocket: Pocket) -> dict[str, str]:
    """Return the query that asks for one account."""
    owner, group, label = parts_of(pocket.subaccount) or ("", "", "")
    return {
        "account_owner": owner,
        "account_group": group,
        "account_label": label,
        "account_type": pocket.wallet_id,
        "asset": pocket.venue_asset,
    }
