"""Balances that agree with each comparison: what a further one says is noted once.

Theory of operation. An account is compared every minute, and most of its balances rest
for hours. A balance that was proven by the last comparison, and of which nothing was
told since, is *calm*: the next comparison that agrees proves it again, as it is at rest
still. So that comparison is looked at balance by balance for the restless ones alone,
and noted once for the calm ones. A balance is stirred, and gets what was noted, before
anything is told that it hangs on; all are where that is a picture or a disagreement.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from balance_proof.book import RECONCILIATION, Book, Evidence
from balance_proof.comparison import compare
from balance_proof.ledger import Ledger
from balance_schemas.records import Reconciliation


class Calm:
    """Which balances of an account are calm, and up to when they are proven.

    Args:
        ledger: the account's books.

    Attributes:
        restless: keys of all others; they have to be looked at one by one.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._calm: set[str] = set()
        self._through: datetime | None = None
        self._judged: datetime | None = None
        self.restless: set[str] = set()

    def stir(self, keys: Iterable[str]) -> None:
        """Expect to be told something that the verdicts on balances hang on."""
        for key in keys:
            if key in self._calm:
                self._calm.remove(key)
                self._settle(key)
            self.restless.add(key)

    def stir_all(self) -> None:
        """Expect to be told something that all verdicts hang on."""
        self.stir(list(self._calm))

    def compare(self, records: Sequence[Reconciliation], *, went_on: bool) -> None:
        """Take comparisons; see `comparison.compare`."""
        first, since = records[0], self._through
        if first.verdict == "inconsistent" or (since and first.requested_at < since):
            self.stir_all()
        books = self._ledger.books
        restless = [books[key] for key in self.restless if key in books]
        through = compare(self._ledger, restless, records, went_on=went_on)
        if through is not None:
            self._through = through

    def proven(self, key: str, book: Book) -> None:
        """Note that a balance is proven, as of a cut."""
        if book.evidence is None:
            return
        book.proven(book.evidence.through)
        if book.evidence == (RECONCILIATION, self._through):
            self._calm.add(key)
            self.restless.discard(key)

    def judged(self) -> None:
        """Note the end of a cut: what the last comparison said stands until now."""
        self._judged = self._through

    def settle(self) -> None:
        """Write what was noted into the books."""
        for key in self._calm:
            self._settle(key)

    def _settle(self, key: str) -> None:
        book = self._ledger.books[key]
        if self._through is not None:
            book.prove(Evidence(RECONCILIATION, self._through))
        if self._judged is not None:
            book.proven(self._judged)
