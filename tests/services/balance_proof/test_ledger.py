"""Figures, changes, pictures and late lines: what adds up, and what does not."""

from decimal import Decimal

import pytest

from balance_proof.book import CHAIN, SNAPSHOT, Evidence
from balance_proof.ledger import (
    ACKNOWLEDGED,
    MOVED,
    ONE_PICTURE,
    POLLED,
    SCOPE,
    TOTAL,
    Ledger,
    Picture,
    key_of,
)
from balance_proof.remembered import Remembered
from balance_schemas.decimals import to_unscaled

UNITS = 10**18
KEY = "kraken|main||spot/main|BTC"


@pytest.fixture
def told(make):
    """Give a function that takes events and returns the ledger."""

    def take(*events, acknowledged=None):
        ledger = Ledger(acknowledged or {})
        for event in events:
            ledger.take(event)
        return ledger

    return take


def test_first_picture_proves_nothing(told, make):
    """It is told once, and there is nothing to compare it with."""
    book = told(make.row("1", 1)).books[KEY]
    assert (UNITS, None, ONE_PICTURE) == (book.balance, book.evidence, book.why)
    assert KEY == key_of(book.place)


def test_line_chains_to_the_figure_before(told, make):
    """Previous + change = figure: proven as of the venue's time, not of arrival."""
    update = make.update("1.5", "0.5", 5, venue_time=make.at(4))
    book = told(make.row("1", 1), update).books[KEY]
    assert Evidence(CHAIN, make.at(4)) == book.evidence
    assert None is book.question


def test_venues_clock_may_be_fast(told, make):
    """What happened is not proven for a time that is yet to come."""
    update = make.update("1.5", "0.5", 5, venue_time=make.at(100))
    book = told(make.row("1", 1), update).books[KEY]
    assert Evidence(CHAIN, make.at(5)) == book.evidence


def test_lost_line_opens_a_question(told, make):
    """A figure that is not the one before plus its change has skipped something."""
    book = told(make.row("1", 1), make.update("3", "0.5", 5)).books[KEY]
    assert Decimal("1.5") * UNITS == book.question.amount


def test_late_line_answers_it(told, make):
    """A line that was overtaken, or is found in the history, is what was skipped."""
    events = make.row("1", 1), make.update("3", "0.5", 5), make.line("1.5", 4, 60)
    book = told(*events).books[KEY]
    assert (None, Evidence(CHAIN, make.at(5))) == (book.question, book.evidence)


def test_next_picture_agrees(told, make):
    """Old picture + changes = new picture: proven as of the start of its epoch."""
    events = make.row("1", 1), make.update("1.5", "0.5", 5), make.row("1.5", 60)
    book = told(*events).books[KEY]
    assert Evidence(SNAPSHOT, make.at(59)) == book.evidence


def test_next_picture_differs_and_the_history_explains(told, make):
    """Lines of before and after the stretch do not hinder."""
    first, moved = make.row("1", 1), make.update("1.5", "0.5", 5)
    events = [
        first,
        moved,
        make.row("4", 60),
        make.line("0.5", 5, 70, event_id=moved.event_id),
        make.line("7", 0, 70),
        make.line("2", 30, 70),
    ]
    ledger = told(*events)
    assert ledger.books[KEY].question is not None
    ledger.take(make.line("0.5", 40, 71))
    book = ledger.books[KEY]
    assert (None, Evidence(SNAPSHOT, make.at(59))) == (book.question, book.evidence)
    ledger.take(make.update("4.25", "0.25", 80, epoch=make.epoch(59)))
    assert Evidence(CHAIN, make.at(80)) == ledger.books[KEY].evidence


def test_line_after_the_picture_is_still_to_be_told(told, make):
    """The history may know of it before the stream tells it: it counts once."""
    late = make.line("3", 61, 70)
    update = make.update("5", "3", 75, event_id=late.event_id, epoch=make.epoch(59))
    book = told(
        make.row("1", 1), make.row("2", 60), make.line("1", 30, 70), late, update
    )
    assert None is book.books[KEY].question
    assert 5 * UNITS == book.books[KEY].balance


def test_line_that_explained_a_picture_is_not_counted_again(told, make):
    """A run that the venue repeats after the picture is in the picture."""
    late = make.line("1", 30, 70)
    again = make.update("2", "1", 75, event_id=late.event_id, epoch=make.epoch(59))
    book = told(make.row("1", 1), make.row("2", 60), late, again).books[KEY]
    assert (None, 2 * UNITS) == (book.question, book.balance)


def test_figure_that_a_picture_takes_back_is_no_question(told, make):
    """A wrong figure, then the right one: in the end all adds up."""
    events = make.row("1", 1), make.update("9", "0.5", 5), make.row("1.5", 60)
    assert None is told(*events).books[KEY].question


def test_balance_that_a_whole_picture_did_not_name_was_nothing(told, make):
    """A new one that its first line explains is proven; one out of nowhere is not."""
    first = make.row("1", 1, epoch=make.epoch(0))
    deposit = make.update("2", "2", 5, asset="ETH")
    nowhere = make.update("2", "0.5", 5, asset="SOL")
    books = told(first, deposit, nowhere).books
    assert CHAIN == books[deposit.key].evidence.method
    assert Decimal("1.5") * UNITS == books[nowhere.key].question.amount


def test_balance_before_any_whole_picture_is_not_judged(told, make):
    """Without a picture nobody knows what was there before."""
    book = told(make.update("2", "2", 5)).books[KEY]
    assert (None, ONE_PICTURE, None) == (book.evidence, book.why, book.question)


def test_vanished_balance_is_explained_like_any_other(told, make):
    """Absent is a figure: nothing."""
    gone = make.row("0", 60, kind="absent")
    ledger = told(make.row("1", 1), gone)
    assert -UNITS == ledger.books[KEY].question.amount
    ledger.take(make.line("-1", 30, 70))
    assert (None, True) == (ledger.books[KEY].question, ledger.books[KEY].absent)


def test_whole_picture_confirms_what_is_absent_still(told, make):
    """What is not in it is nothing, as before."""
    other = make.row("5", 120, asset="ETH")
    book = told(make.row("0", 60, kind="absent"), make.row("0", 61), other).books[KEY]
    assert not book.absent
    gone = make.row("0", 60, kind="absent", epoch=make.epoch(59))
    events = make.row("0", 1), gone, other
    assert Evidence(SNAPSHOT, make.at(119)) == told(*events).books[KEY].evidence


def test_update_without_a_change_is_believed_and_not_proven(told, make):
    """A new figure alone says nothing of what was before (Bitfinex)."""
    book = told(make.row("1", 1), make.update("2", None, 5)).books[KEY]
    assert (None, MOVED, None) == (book.evidence, book.why, book.question)


def test_balance_told_more_fully_keeps_its_evidence(told, make):
    """What is available is no movement."""
    events = make.row("1", 1), make.row("1", 60)
    more = make.update("1", None, 70, epoch=make.epoch(59))
    book = told(*events, more).books[KEY]
    assert (SNAPSHOT, more.event_id) == (book.evidence.method, book.event_id)


def test_scope_unknown_is_doubt(told, make):
    """A figure that fits nothing proves nothing; what is predicted is no question."""
    update = make.update("1.5", "0.5", 5, balance_scope="unknown")
    book = told(make.row("1", 1), update).books[KEY]
    assert (None, SCOPE, None) == (book.evidence, book.why, book.question)


def test_account_scope_is_checked_over_the_wallets(told, make):
    """The venue's figure is the sum of the wallets after the change, or it is doubt."""
    size = {"snapshot_size": 2, "epoch": make.epoch(0)}
    rows = make.row("1", 1, **size), make.row("4", 1, wallet="earn", **size)
    whole = {"balance_scope": "account", "reported_balance": Decimal("5.5")}
    assert (
        CHAIN
        == told(*rows, make.update("1.5", "0.5", 5, **whole)).books[KEY].evidence.method
    )
    whole["reported_balance"] = Decimal(6)
    book = told(*rows, make.update("1.5", "0.5", 5, **whole)).books[KEY]
    assert (None, TOTAL) == (book.evidence, book.why)


def test_polls_that_own_the_balances_open_no_questions(told, make):
    """They have no history: what changed is told, and the next answer says it again."""
    rest = {"feed": "rest"}
    events = make.row("1", 1, **rest), make.row("3", 60, **rest)
    book = told(*events).books[KEY]
    assert (None, POLLED, None) == (book.evidence, book.why, book.question)
    again = make.update("4", "1", 70, epoch=make.epoch(59), **rest)
    assert POLLED == told(*events, again).books[KEY].why


def test_same_event_twice_counts_once(told, make):
    """The topic may repeat what an instance wrote before it was stopped."""
    update, newer = make.update("1.5", "0.5", 5), make.update("2", "0.5", 6)
    book = told(make.row("1", 1), update, newer, update, newer).books[KEY]
    assert (2 * UNITS, None) == (book.balance, book.question)


def test_older_epoch_is_over(told, make):
    """A process that speaks late does not change the books."""
    late = make.update("9", "8", 61)
    book = told(make.row("1", 1), make.row("1", 60), late).books[KEY]
    assert UNITS == book.balance


def test_wallets_that_a_history_names_otherwise_are_laid_together(told, make):
    """Lines of `.B` explain what `earn/bonded` gained, where both wait (Kraken)."""
    earn = {"wallet": "earn", "wallet_id": "bonded"}
    events = make.row("1", 1, **earn), make.row("3", 60, **earn)
    ledger = told(*events, make.line("2", 30, 70, wallet="earn", wallet_id="B"))
    assert None is ledger.books[events[0].key].question
    assert 1 == len(ledger.books)


def test_acknowledged_differences_are_settled(told, make):
    """Until the time that was acknowledged; what comes after is a new question."""
    lost = make.update("3", "0.5", 5)
    ledger = told(make.row("1", 1), lost)
    ledger.settle(KEY, make.at(5))
    book = ledger.books[KEY]
    assert (None, ACKNOWLEDGED) == (book.question, book.why)
    again = told(make.row("1", 1), lost, acknowledged={KEY: make.at(5)}).books[KEY]
    assert (None, ACKNOWLEDGED) == (again.question, again.why)
    later = told(make.row("1", 1), lost, acknowledged={KEY: make.at(4)}).books[KEY]
    assert later.question is not None
    ledger.settle("unknown", make.at(5))


def test_balance_that_the_latest_picture_left_out_is_not_pictured(told, make):
    """It was unreadable or filtered out; what is absent need not be told again."""
    ledger = told(make.row("1", 1), make.row("2", 60, asset="ETH"))
    assert not ledger.is_pictured(ledger.books[KEY])
    empty = told(make.row("0", 1, kind="absent"))
    empty.begin(make.epoch(60), Picture("", 0))
    assert empty.is_pictured(empty.books[KEY])


def test_picture_is_whole_with_its_last_row(told, make):
    """Its size is told with every row."""
    ledger = told(make.row("1", 1, snapshot_size=2))
    assert not ledger.picture.whole
    ledger.take(make.row("1", 1, snapshot_size=2, asset="ETH"))
    assert ledger.picture.whole
    ledger.take(make.row("1", 2, epoch=make.epoch(0), snapshot_id="another"))
    assert "another" == ledger.picture.name


def test_old_lines_are_forgotten_with_a_new_epoch(told, make):
    """What was before the first picture explains nothing later."""
    ledger = told(make.row("1", 1), make.line("2", -500, 2))
    ledger.begin(make.epoch(100))
    assert {} == ledger._lines[KEY]


def test_lines_of_a_wallet_that_the_stream_names_too_explain_no_other(told, make):
    """Once the stream tells of it, what is left of its lines is its own."""
    earn = {"wallet": "earn", "wallet_id": "bonded"}
    named, other = earn | {"wallet_id": "B"}, earn | {"wallet_id": "C"}
    lines = [make.line(change, 30 + n, 70, **named) for n, change in enumerate("192")]
    ledger = told(make.row("1", 1, **earn), make.row("4", 60, **earn), *lines)
    book, began = ledger.books[make.row("1", 1, **earn).key], make.epoch(59)
    for line, balance in zip(lines[1:], ("9", "11"), strict=True):
        twin = {"event_id": line.event_id, "epoch": began}
        ledger.take(make.update(balance, str(line.delta), 75, **named, **twin))
        assert 3 * UNITS == book.question.amount
    ledger.take(make.line("3", 40, 80, **other))
    assert None is book.question


def test_line_that_is_kept_is_known_however_many_were_told_since(told, make):
    """It counts once as long as its question is open."""
    line = make.line("1", 30, 70)
    ledger = told(make.row("1", 1), make.row("3", 60), line)
    ledger._late = Remembered()
    ledger.take(line)
    assert ledger.books[KEY].question is not None


class Counted(int):
    """An amount that counts what is done with it and with its sums."""

    work = 0

    def _count(self, result):
        Counted.work += 1
        return Counted(result)

    def __add__(self, other):
        return self._count(int(self) + other)

    def __sub__(self, other):
        return self._count(int(self) - other)

    def __rsub__(self, other):
        return self._count(other - int(self))

    def __hash__(self):
        Counted.work += 1
        return super().__hash__()

    __radd__ = __add__


@pytest.fixture
def work(make, monkeypatch):
    """Give a function that takes late lines in an order, and returns what it took."""
    monkeypatch.setattr(
        "balance_proof.ledger.to_unscaled", lambda amount: Counted(to_unscaled(amount))
    )

    def explain(seconds, wallet):
        ledger, count = Ledger({}), len(seconds)
        ledger.take(make.row("1", 1))
        ledger.take(make.row(str(count + 1), count + 60))
        Counted.work = 0
        for second in seconds:
            ledger.take(make.line("1", second, count + 70, wallet=wallet))
        assert None is ledger.books[KEY].question
        return Counted.work

    return explain


@pytest.mark.parametrize("wallet", ["spot", "strange"])
@pytest.mark.parametrize("page", [1, 50, None], ids=["newest", "pages", "oldest"])
def test_work_grows_as_the_number_of_late_lines(work, page, wallet):
    """Four times as many, oldest first or by pages, newest page first: four times."""

    def told(count):
        size = page or count
        starts = reversed(range(0, count, size))
        return [n for start in starts for n in range(start, start + size)]

    assert work(told(800), wallet) < 5 * work(told(200), wallet)
