"""What REST says of balances at rest, and of those that were not."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof_records import Make

from balance_proof.book import RECONCILIATION, Dispute, Evidence
from balance_proof.comparison import compare, in_runs
from balance_proof.ledger import MOVED, Ledger

UNITS = 10**18
KEY = "kraken|main||spot/main|BTC"


@pytest.fixture
def ledger(make):
    """Give the books of a wallet that was pictured once, at noon."""
    ledger = Ledger({})
    ledger.take(make.row("1", 1, epoch=make.epoch(0)))
    return ledger


def test_agreement_proves_what_was_at_rest(ledger, make):
    """As of the time at which REST was asked."""
    compare(ledger, ledger.books.values(), [make.comparison(30)[0]], went_on=True)
    assert Evidence(RECONCILIATION, make.at(30)) == ledger.books[KEY].evidence


@pytest.mark.parametrize("moved", [28.5, 30, 32])
def test_what_moved_meanwhile_is_not_proven(ledger, make, moved):
    """From just before the request until a settle time after the answer."""
    ledger.take(make.update("2", None, moved))
    compare(ledger, ledger.books.values(), [make.comparison(30)[0]], went_on=True)
    assert (None, MOVED) == (ledger.books[KEY].evidence, ledger.books[KEY].why)


def test_what_moved_afterwards_was_right_before(ledger, make):
    """The agreement is of the figure before: of the present one it says nothing."""
    ledger.take(make.update("2", None, 33))
    compare(ledger, ledger.books.values(), [make.comparison(30)[0]], went_on=True)
    book = ledger.books[KEY]
    assert (None, make.at(30)) == (book.evidence, book.proven_through)


def test_agreement_that_may_be_of_lost_records_proves_nothing(ledger, make):
    """Nobody knows whether the connection that it speaks of went on."""
    compare(ledger, ledger.books.values(), [make.comparison(30)[0]], went_on=False)
    assert None is ledger.books[KEY].evidence


def test_agreement_of_an_epoch_before_proves_nothing(ledger, make):
    """A gap lies between it and the present figures."""
    ledger.take(make.row("1", 60, balance_scope="wallet"))
    before = ledger.books[KEY].evidence
    compare(ledger, ledger.books.values(), [make.comparison(30)[0]], went_on=True)
    assert before == ledger.books[KEY].evidence


def test_agreement_explains_nothing(ledger, make):
    """The figure may be right while a movement is missing."""
    ledger.take(make.update("3", "0.5", 5))
    before = ledger.books[KEY].evidence
    compare(ledger, ledger.books.values(), [make.comparison(30)[0]], went_on=True)
    assert ledger.books[KEY].question is not None
    assert before == ledger.books[KEY].evidence


def test_undecided_comparison_says_nothing(ledger, make):
    """Neither for nor against."""
    rows = (make.difference("1", "2"),)
    record = make.comparison(30, "inconclusive", differences=rows)[0]
    compare(ledger, ledger.books.values(), [record], went_on=True)
    assert (None, None) == (ledger.books[KEY].evidence, ledger.books[KEY].dispute)


def test_difference_is_a_dispute_until_both_agree(ledger, make):
    """Ours, REST's, and when it was found."""
    record = make.comparison(
        30, "inconsistent", differences=(make.difference("1", "1.5"),)
    )[0]
    compare(ledger, ledger.books.values(), [record], went_on=True)
    found = Dispute(UNITS, 3 * UNITS // 2, UNITS // 2, make.epoch(0), make.at(30))
    assert found == ledger.books[KEY].dispute
    compare(ledger, ledger.books.values(), [make.comparison(90)[0]], went_on=True)
    assert None is ledger.books[KEY].dispute


def test_dispute_lasts_if_a_new_picture_does_not_end_it(ledger, make):
    """Two epochs say otherwise than REST: the venue contradicts itself."""
    rows = (make.difference("1", "1.5"),)
    compare(
        ledger,
        ledger.books.values(),
        [make.comparison(30, "inconsistent", differences=rows)[0]],
        went_on=True,
    )
    ledger.take(make.row("1", 60))
    compare(
        ledger,
        ledger.books.values(),
        [make.comparison(90, "inconsistent", differences=rows)[0]],
        went_on=True,
    )
    assert ledger.books[KEY].dispute.lasting


def test_picture_that_says_what_rest_said_ends_a_dispute(ledger, make):
    """Now the question is where the difference came from."""
    rows = (make.difference("1", "1.5"),)
    compare(
        ledger,
        ledger.books.values(),
        [make.comparison(30, "inconsistent", differences=rows)[0]],
        went_on=True,
    )
    ledger.take(make.row("1.5", 60))
    book = ledger.books[KEY]
    assert (None, UNITS // 2) == (book.dispute, book.question.amount)


@pytest.mark.parametrize(
    "other",
    [
        {"asset": "ETH"},
        {"subaccount": "u"},
        {"wallet": "earn"},
        {"wallet": "spot", "wallet_id": "other"},
        {"cause": "venue_lag"},
    ],
)
def test_other_differences_are_no_dispute_of_this_balance(ledger, make, other):
    """Another balance, or a cause that says nothing of the books."""
    rows = (make.difference("1", "2", **other),)
    compare(
        ledger,
        ledger.books.values(),
        [make.comparison(30, "inconsistent", differences=rows)[0]],
        went_on=True,
    )
    assert None is ledger.books[KEY].dispute


@given(
    st.lists(st.sampled_from([0.5, 1, 2, 5, 40]), max_size=50),
    st.lists(
        st.tuples(st.sampled_from(["consistent"] * 6 + ["inconsistent", "doubtful"]))
        .map(lambda one: one[0])
        .flatmap(lambda verdict: st.tuples(st.just(verdict), st.integers(1, 20))),
        min_size=1,
        max_size=30,
    ),
)
def test_run_says_what_its_comparisons_say(moves, told):
    """Whether they are taken at once or one by one."""
    make, ledger, now = Make(), Ledger({}), 1.0
    ledger.take(make.row("1", 1, epoch=make.epoch(0)))
    for number, pause in enumerate(moves):
        now += pause
        ledger.take(make.update(str(number + 2), None, now))
    records, asked = [], -5
    for verdict, pause in told:
        asked += pause
        rows = (make.difference("1", "2"),) if verdict == "inconsistent" else ()
        records.append(make.comparison(asked, verdict, differences=rows)[0])
    single = deepcopy(ledger)
    for run in in_runs(records):
        compare(ledger, ledger.books.values(), run, went_on=True)
    for record in records:
        for run in in_runs([record]):
            compare(single, single.books.values(), run, went_on=True)
    assert single.books == ledger.books
