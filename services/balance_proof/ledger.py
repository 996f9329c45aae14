"""The books of one account, folded from its events.

Theory of operation. Every figure that a venue tells is compared with what the figures
and changes before it lead us to expect:

- an *update* with a change: previous + change = figure (method ``chain``);
- a row of a *picture*: what was told up to now = figure (method ``snapshot``);
- an update without a change (Bitfinex ``wu``, polls) says nothing of what was before:
  it is believed, and proven only by a later picture or comparison.

What differs opens a `Question`; lines of the venue's history (``backfill``) answer it.
A balance that a whole picture did not name was 0. An update that was told late by a
history before is not counted twice, and an event with a known id is not counted at all.

Histories may name a wallet in other words than the stream does (Kraken: ``.F`` and
``earn/liquid``). Lines of a balance that nothing else names are therefore laid together
with those of all balances of the same subaccount and asset that wait for an answer.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from balance_proof.book import CHAIN, SNAPSHOT, Book, Evidence, Place, place_of
from balance_proof.question import Line, Question
from balance_proof.remembered import Remembered
from balance_proof.search import Search
from balance_schemas.decimals import to_unscaled
from balance_schemas.keys import balance_key
from balance_schemas.records import BalanceEvent

LATE = timedelta(seconds=60)
"""How long a ledger line that was overtaken on its way may take to arrive."""

HISTORY = timedelta(minutes=30)
"""How long the venue's history may take after a picture: a thousand accounts are asked
for, one a second, and calls that fail are tried again."""

SKEW = timedelta(seconds=60)
"""How far the venue's clock and ours may differ."""

ONE_PICTURE = "told once: nothing to compare it with yet"
POLLED = "polled: waits until the next answers say the same"
MOVED = "moved, and the venue does not say by how much: waits for a comparison"
SCOPE = "scope unknown: the venue's figure fits neither the wallet nor the account"
TOTAL = "the venue's figure covers the account and is not the sum of its wallets"
ACKNOWLEDGED = "acknowledged: waits for new evidence"

_SINCE_1970 = datetime(1970, 1, 1, tzinfo=UTC)


def time_of_epoch(epoch: int) -> datetime:
    """Return when an epoch began; its picture is not older."""
    return _SINCE_1970 + timedelta(microseconds=epoch)


@dataclass(slots=True)
class Picture:
    """One full picture, as far as it is told."""

    name: str
    size: int
    seen: int = 0

    @property
    def whole(self) -> bool:
        """Whether every row was told."""
        return self.seen >= self.size


class Ledger:
    """The books of one account.

    Args:
        acknowledged: balance key → up to when whatever did not add up is settled.

    Attributes:
        books: balance key → what is known of the balance.
        epoch: of the last connection that told anything.
        picture: the picture of that epoch; None while none was told.
    """

    def __init__(self, acknowledged: Mapping[str, datetime]) -> None:
        self._acknowledged = acknowledged
        self.books: dict[str, Book] = {}
        self.epoch = 0
        self.picture: Picture | None = None
        self._was_whole = False
        self._groups: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._told = Remembered()
        self._late = Remembered()
        self._used = Remembered()
        self._lines: dict[str, dict[str, Line]] = defaultdict(dict)
        self._searches: dict[str | tuple[str, str], Search] = {}

    def take(self, event: BalanceEvent) -> None:
        """Take an event, in the order of the topic."""
        if event.kind == "backfill":
            self._take_line(event)
            return
        if event.event_id in self._told or event.epoch < self.epoch:
            return
        self._told.add(event.event_id)
        if event.epoch > self.epoch:
            self.begin(event.epoch)
        if event.snapshot_id is not None:
            self._count(event)
        book, is_known = self._book(event)
        if event.kind == "update":
            self._updated(book, event, is_known=is_known)
        else:
            self._pictured(book, event, is_known=is_known)
        book.event_id, book.epoch = event.event_id, event.epoch
        book.absent = event.kind == "absent"
        book.told_at = event.received_at
        if book.question is not None:
            self._explain(book.place.group)

    def alike(self, event: BalanceEvent) -> set[str]:
        """Return the keys of all balances that an update or a line may speak of."""
        return {event.key, *self._groups.get((event.subaccount, event.asset), ())}

    def begin(self, epoch: int, picture: Picture | None = None) -> None:
        """Start an epoch; lines of long before it are settled."""
        self._was_whole = self.picture is not None and self.picture.whole
        self.epoch, self.picture = epoch, picture
        settled = time_of_epoch(epoch) - SKEW
        for key, lines in self._lines.items():
            if not self._is_asked(key):
                for line in [line for line in lines.values() if line.at <= settled]:
                    del lines[line.event_id]
        self._searches.clear()

    def is_pictured(self, book: Book) -> bool:
        """Whether the latest picture told a balance, or had no need to."""
        if self.picture is None or book.absent or book.epoch == self.epoch:
            return True
        return book.epoch is None and not self._was_whole

    def settle(self, key: str, through: datetime) -> None:
        """Give up on explaining what did not add up until a time."""
        book = self.books.get(key)
        if book is None:
            return
        if book.question is not None and book.question.settle(through):
            book.question = None
            book.doubt(ACKNOWLEDGED)
        if book.dispute is not None and book.dispute.at <= through:
            book.dispute = None

    def add(self, key: str, book: Book) -> None:
        """Take over a balance that an earlier verdict names and no event does."""
        self.books[key] = book
        self._groups[book.place.group].add(key)

    def _count(self, event: BalanceEvent) -> None:
        """Count a row of a picture; a whole one is silent of what is absent still."""
        name, size = event.snapshot_id or "", event.snapshot_size or 0
        if self.picture is None or self.picture.name != name:
            if self.picture is not None:
                self._was_whole = self.picture.whole
            self.picture = Picture(name, size)
        self.picture.seen += 1
        if self.picture.whole and event.feed != "rest":
            since = time_of_epoch(self.epoch)
            for book in self.books.values():
                if book.absent and book.question is None and book.balance == 0:
                    book.prove(Evidence(SNAPSHOT, since))

    def _book(self, event: BalanceEvent) -> tuple[Book, bool]:
        """Return the balance of an event, and whether its figure before is known."""
        key = event.key
        book = self.books.get(key)
        if book is not None:
            return book, event.kind != "update" or self.is_pictured(book)
        book = Book(place_of(event), 0, event.event_id, event.epoch, why=ONE_PICTURE)
        self.add(key, book)
        if event.kind == "update":
            return book, self.picture is not None and self.picture.whole
        return book, self._was_whole

    def _updated(self, book: Book, event: BalanceEvent, *, is_known: bool) -> None:
        before, book.balance = book.balance, to_unscaled(event.balance)
        delta = self._delta(event)
        if book.balance != before or delta:
            book.moved_at.append(event.received_at)
        if event.feed == "rest":
            book.doubt(POLLED)
        elif event.balance_scope == "unknown":
            book.doubt(SCOPE)
        elif delta is None:
            if book.balance != before:
                book.doubt(MOVED)
        elif not is_known:
            book.doubt(ONE_PICTURE)
        elif not self._adds_up(book, before, delta, event):
            book.doubt(TOTAL)
        else:
            book.evidence = Evidence(CHAIN, _time_of(event))
            self._compare(book, before + delta, event.received_at, LATE)

    def _delta(self, event: BalanceEvent) -> int | None:
        """Return the change of an update; 0 where a history told of it before."""
        if event.event_id in self._used:
            return 0
        if event.event_id in self._late:
            line = self._lines[event.key].pop(event.event_id, None)
            if line is not None:
                for search in self._searching(event):
                    search.remove(line)
        return None if event.delta is None else to_unscaled(event.delta)

    def _adds_up(
        self, book: Book, before: int, delta: int, event: BalanceEvent
    ) -> bool:
        """Whether a figure that covers the account is the sum of its wallets."""
        if event.balance_scope != "account" or event.reported_balance is None:
            return True
        wallets = (self.books.get(key) for key in self._groups[book.place.group])
        total = sum(one.balance for one in wallets if one) - book.balance + before
        return to_unscaled(event.reported_balance) == total + delta

    def _pictured(self, book: Book, event: BalanceEvent, *, is_known: bool) -> None:
        before, book.balance = book.balance, to_unscaled(event.balance)
        moved_at = book.moved_at[-1] if book.moved_at else time_of_epoch(0)
        evidence = Evidence(SNAPSHOT, max(time_of_epoch(event.epoch), moved_at))
        if book.balance != before:
            book.moved_at.append(event.received_at)
        if book.dispute is not None and book.dispute.observed == book.balance:
            book.dispute = None
        if event.feed == "rest":
            book.doubt(POLLED)
        elif not is_known:
            book.doubt(ONE_PICTURE)
        elif book.balance == before:
            book.prove(evidence)
        else:
            book.evidence = evidence
            self._compare(book, before, event.received_at, HISTORY)

    def _compare(
        self, book: Book, expected: int, at: datetime, patience: timedelta
    ) -> None:
        """Open or widen a question where a figure is not what was expected."""
        amount = book.balance - expected
        if not amount:
            return
        key = key_of(book.place)
        if at <= self._acknowledged.get(key, time_of_epoch(0)):
            book.doubt(ACKNOWLEDGED)
            return
        if book.question is None:
            book.question = Question([(at, amount)], at + patience)
        else:
            book.question.widen(at, amount, at + patience)

    def _take_line(self, event: BalanceEvent) -> None:
        if (
            event.delta is None
            or event.event_id in self._told
            or event.event_id in self._late
            or event.event_id in self._lines[event.key]
        ):
            return
        self._late.add(event.event_id)
        line = Line(_time_of(event), event.event_id, to_unscaled(event.delta))
        self._lines[event.key][event.event_id] = line
        for search in self._searching(event):
            search.add(line)
        group = place_of(event).group
        self._groups[group].add(event.key)
        self._explain(group)

    def _searching(self, event: BalanceEvent) -> Iterator[Search]:
        """Yield each search that a line makes a difference to.

        One that has found something would have to begin anew, and is forgotten.
        """
        for name in (event.key, place_of(event).group):
            search = self._searches.get(name)
            if search is None or event.key not in search.keys:
                continue
            if search.found is None:
                yield search
            else:
                del self._searches[name]

    def _explain(self, group: tuple[str, str]) -> None:
        """Answer the questions of one asset as far as the lines do."""
        keys = sorted(self._groups[group])
        for key in keys:
            if self._is_asked(key):
                self._answer(key, [key], [key])
        asked = [key for key in keys if self._is_asked(key)]
        strange = [key for key in keys if key not in self.books and self._lines[key]]
        if asked and strange:
            self._answer(group, asked, asked + strange)

    def _is_asked(self, key: str) -> bool:
        book = self.books.get(key)
        return book is not None and book.question is not None

    def _answer(
        self, name: str | tuple[str, str], asked: Sequence[str], keys: Sequence[str]
    ) -> None:
        """Answer questions by the lines of some keys, if these explain them.

        Args:
            name: of the search: a key for its own lines, a group for those together.
            asked: keys whose questions are open.
            keys: whose lines count.
        """
        books = [self.books[key] for key in asked]
        amount = sum(book.question.amount for book in books if book.question)
        search = self._searches.get(name)
        if search is None or (search.keys, search.amount) != (keys, amount):
            lines = (line for key in keys for line in self._lines[key].values())
            search = self._searches[name] = Search(keys, sorted(lines), amount)
        if search.found is None:
            return
        for line in search.found:
            self._used.add(line.event_id)
            for key in keys:
                self._lines[key].pop(line.event_id, None)
        for book in books:
            book.question = None
        for key in keys:
            self._searches.pop(key, None)
        self._searches.pop(books[0].place.group, None)

    def __iter__(self) -> Iterator[tuple[str, Book]]:
        """Yield (key, book) of every balance that was told."""
        return iter(self.books.items())


def key_of(place: Place) -> str:
    """Return the balance key."""
    return balance_key(*place)


def _time_of(event: BalanceEvent) -> datetime:
    """Return when a change happened; never later than it was known."""
    return min(event.venue_time or event.received_at, event.received_at)
