"""REST polls: ``GET /accounts``, page by page (OpenAPI 1.7.0; 200 rows a page).

The pages of a round are told at different times. An account that moves to a later page
while they are read is told twice, and one that moves to an earlier page is not told at
all. So an account told twice with two figures is not known in this round; and where
there are several pages, one that was there before, or is known from an earlier epoch,
and is missing counts as gone only when it is missing in the next round too. Empty
accounts are not listed.
"""

from collections.abc import Callable, Collection
from datetime import datetime

from balance_connector.books import Holding, Observed, Pocket
from balance_connector.rows import BadRow, invalid_of, unread_of
from balance_connector.venue import (
    Credentials,
    Note,
    Picture,
    Request,
    Response,
    Step,
    unusable,
)
from balance_connector.venues.zerohash import wire
from balance_connector.venues.zerohash.accounts import (
    Accounts,
    Key,
    covers_of,
    is_known,
    key_of,
)
from balance_connector.venues.zerohash.auth import signed_get
from balance_connector.venues.zerohash.observing import pictured
from balance_connector.venues.zerohash.options import Dialect, ZeroHashOptions
from balance_connector.venues.zerohash.refusals import check
from balance_shared.errors import FrameInvalid, VenueError

PAGES_MAX = 5_000
"""Most pages of a round: a million accounts."""


class ZeroHashPoll:
    """Protocol of the polls; see `balance_connector.venue.PollProtocol`."""

    def __init__(
        self,
        credentials: Credentials,
        options: ZeroHashOptions,
        known: Collection[Holding] = (),
        *,
        dialect: Dialect,
    ) -> None:
        self._credentials = credentials
        self._options = options
        self._dialect = dialect
        self._accounts = Accounts(options)
        self._unknown: set[str] = set()
        wanted = covers_of(options)
        self._before: set[Key] = {
            key_of(held.pocket)
            for held in known
            if wanted is None or wanted(held.pocket)
        }
        self._missing: set[Key] = set()
        self._begin()

    def begin(self, now: datetime) -> None:
        """Start a round at its first page."""
        self._begin()

    def _begin(self) -> None:
        self._page = 1
        self._complete = False
        self._rows: dict[Key, tuple[int, Observed]] = {}
        self._torn: set[Key] = set()
        self._bad: list[BadRow] = []

    def request(self, nonce: int, now: datetime) -> Request | None:
        """Return the next page's call."""
        if self._complete:
            return None
        query = {"page": str(self._page), **self._options.filter}
        return signed_get(
            self._credentials, self._options, self._dialect, "/accounts", query, now
        )

    def receive(self, response: Response, received_at: datetime) -> Step:
        """Take in a page; the last one completes the picture."""
        try:
            check(response, self._dialect.name)
            page = wire.read_page(response.body)
            bad = len(self._bad)
            self._check(page)
            self._read(page)
        except VenueError as error:
            return unusable(error)
        new = invalid_of(self._bad[bad:])
        last = self._page >= (page.total_pages or 0)
        self._page += 1
        if not last:
            return Step(invalid=new)
        self._complete = True
        return self._told(max(self._page - 1, page.total_pages or 1))

    def _check(self, page: wire.Page) -> None:
        """Raise `FrameInvalid` if it is not the page that was asked for."""
        if page.total_pages is None:
            raise FrameInvalid("invalid_answer", "the answer has no total_pages")
        if page.page not in {None, self._page}:
            raise FrameInvalid(
                "invalid_answer", f"page {page.page} instead of {self._page}"
            )
        if page.total_pages > PAGES_MAX:
            raise FrameInvalid("invalid_answer", f"{page.total_pages} pages")

    def _read(self, page: wire.Page) -> None:
        for read in wire.read_accounts(page.message):
            if isinstance(read, BadRow):
                self._bad.append(read)
            else:
                self._take(read)

    def _take(self, read: wire.Read) -> None:
        """Take in an account, which an earlier page may have told."""
        row = pictured(self._accounts, read)
        number, before = self._rows.setdefault(read.key, (self._page, row))
        if before is row:
            return
        if number == self._page or before.pocket.reference != read.reference:
            error = "told twice in one answer"
            self._bad.append(BadRow(read.key[0], read.key[2], error, read.key[1]))
        elif before.balance != read.balance:
            self._torn.add(read.key)

    def _told(self, pages: int) -> Step:
        """Return the picture of a complete round."""
        unread = unread_of(self._bad)
        doubtful = self._torn | (unread or frozenset())
        rows = [row for key, (_, row) in self._rows.items() if key not in doubtful]
        before = self._before
        held = self._held(set(self._rows), pages)
        spared = None if unread is None else doubtful | held
        new = {key[1] for key in self._rows if not is_known(key[1])} - self._unknown
        self._unknown |= new
        picture = Picture(rows, spared, covers=self._covers(before))
        return Step(
            picture=picture,
            invalid=invalid_of(self._bad),
            notes=(Note.UNKNOWN_WORD,) * len(new),
        )

    def _covers(self, before: set[Key]) -> Callable[[Pocket], bool] | None:
        """Return what the round covers: what is told belongs to it, filter or not.

        The venue may take a filter for a wider one than it says (``USDC`` for
        ``USDC.SOL``). Balances that were told so must not count as new in each round.
        """
        wanted, told = covers_of(self._options), before | self._rows.keys()
        if wanted is None:
            return None
        return lambda pocket: wanted(pocket) or key_of(pocket) in told

    def _held(self, told: set[Key], pages: int) -> set[Key]:
        """Return the accounts that are missing for the first time."""
        missing = self._before - told
        self._missing = missing - self._missing if pages > 1 else set()
        self._before = told | self._missing
        return self._missing
