"""Records of three topics, in any order of reading, come to the same verdicts."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof_records import Make

from balance_proof.account import SILENT, Account
from balance_proof.ledger import HISTORY, LATE

KEY = "kraken|main||spot/main|BTC"


class Told:
    """An account, and what was said of it last."""

    def __init__(self, *records, acknowledged=None):
        self.account = Account(acknowledged or {})
        self.take(*records)

    def take(self, *records):
        """Take records: events as they are, others with their timestamp."""
        for record in records:
            if not isinstance(record, tuple):
                self.account.take_event(record)
            elif hasattr(record[0], "state"):
                self.account.take_status(*record)
            else:
                self.account.take_reconciliation(*record)
        return self

    def proof(self, key=KEY, now=None):
        """Return the verdict on one balance."""
        return {one.key: one for one in self.account.proofs(now)}[key]


@pytest.fixture
def start(make):
    """Give a picture, an update that chains, and the state that makes them count."""
    return [
        make.row("1", 1, epoch=make.epoch(0)),
        make.update("1.5", "0.5", 5),
        make.status(10, 5),
    ]


def test_events_count_with_the_state_that_names_them(start, make):
    """Until then nothing is said; then the chain proves the figure."""
    told = Told(*start[:2])
    assert [] == list(told.account.proofs())
    proof = told.take(start[2]).proof()
    assert ("PROVEN", "chain", Decimal("1.5")) == (
        proof.verdict,
        proof.method,
        proof.observed,
    )
    assert (make.at(5), make.at(10)) == (proof.proven_through, proof.checked_at)


def test_state_waits_for_the_event_that_it_names(start, make):
    """What it says of the books is not yet read."""
    told = Told(start[0], start[2])
    assert "told once" in told.proof().reason
    assert "PROVEN" == told.take(start[1]).proof().verdict


def test_comparison_counts_with_a_later_state_of_its_epoch(start, make):
    """Else records may have been lost between the two."""
    told = Told(*start, make.comparison(30), make.status(32, 5))
    assert "chain" == told.proof().method
    proof = told.take(make.status(33, 5)).proof()
    assert ("reconciliation", make.at(30)) == (proof.method, proof.proven_through)


def test_comparison_before_a_lost_connection_does_not_count(start, make):
    """Its epoch ended before anybody said that it went on."""
    told = Told(*start, make.comparison(30), make.status(33, 5, state="stale"))
    later = make.row("1.5", 41, epoch=make.epoch(40))
    told.take(later, make.status(42, 41, epoch=make.epoch(40)))
    assert ("snapshot", make.at(40)) == (
        told.proof().method,
        told.proof().proven_through,
    )


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("stale", "stale"),
        ("connecting", "stale"),
        ("maintenance", "maintenance"),
        ("degraded", "degraded"),
        ("refused", "refuses"),
        ("stopped", "stopped"),
    ],
)
def test_feed_that_is_not_live_is_unproven_at_once(start, make, state, reason):
    """And what was proven before stays proven up to then."""
    proof = Told(*start, make.status(20, 5, state=state)).proof()
    assert ("UNPROVEN", make.at(5)) == (proof.verdict, proof.proven_through)
    assert reason in proof.reason


def test_connector_that_is_silent_is_unproven(start, make):
    """It says something every ten seconds, or it is gone."""
    told = Told(*start)
    assert "PROVEN" == told.proof(now=make.at(10) + SILENT).verdict
    proof = told.proof(now=make.at(10.001) + SILENT)
    assert ("UNPROVEN", True) == (proof.verdict, "nothing is heard" in proof.reason)


def test_unexplained_line_becomes_a_violation(start, make):
    """After the time in which a line that was overtaken arrives."""
    lost = make.update("9", "0.5", 20)
    told = Told(*start, lost, make.status(30, 20))
    proof = told.proof()
    assert ("UNPROVEN", Decimal(7)) == (proof.verdict, proof.residual)
    late = 20 + LATE.total_seconds()
    assert "VIOLATED" == told.take(make.status(late, 20)).proof().verdict
    explained = told.take(make.line("7", 19, 90), make.status(95, 20)).proof()
    assert ("PROVEN", "chain") == (explained.verdict, explained.method)


def test_unexplained_picture_becomes_a_violation(start, make):
    """After the time that the history may take; an acknowledgement ends it."""
    new = {"epoch": make.epoch(40)}
    told = Told(*start, make.row("9", 41, **new), make.status(42, 41, **new))
    assert "UNPROVEN" == told.proof().verdict
    late = 41 + HISTORY.total_seconds()
    proof = told.take(make.status(late, 41, **new)).proof()
    assert ("VIOLATED", Decimal("1.5"), Decimal(9)) == (
        proof.verdict,
        proof.expected,
        proof.observed,
    )
    assert make.at(5) == proof.proven_through
    told.account.settle(KEY, proof.checked_at)
    assert ("UNPROVEN", "acknowledged") == (
        told.proof().verdict,
        told.proof().reason.split(":")[0],
    )
    again = make.comparison(late + 10), make.status(late + 20, 41, **new)
    assert "PROVEN" == told.take(*again).proof().verdict


def test_empty_picture_is_an_epoch_too(make):
    """A live state of an epoch that told nothing says that all is nothing."""
    gone = make.row("0", 1, kind="absent", epoch=make.epoch(0))
    told = Told(gone, make.status(2, 1), make.status(42, 1, epoch=make.epoch(40)))
    told.take(make.comparison(50), make.status(60, 1, epoch=make.epoch(40)))
    assert "PROVEN" == told.proof().verdict


def test_polls_prove_by_saying_it_three_times(make):
    """What whole answers in a row say was so when the first of them had arrived."""
    rest = {"feed": "rest"}
    told = Told(make.row("1", 1, epoch=make.epoch(0), **rest))
    told.take(make.status(2, 1, confirmed_at=make.at(1), **rest))
    told.take(make.status(70, 1, confirmed_at=make.at(61), **rest))
    told.take(make.status(80, 1, confirmed_at=make.at(61), **rest))
    assert "polled" in told.proof().reason
    proof = told.take(make.status(120, 1, confirmed_at=make.at(111), **rest)).proof()
    assert ("PROVEN", "snapshot", make.at(1)) == (
        proof.verdict,
        proof.method,
        proof.proven_through,
    )
    moved = make.update("2", "1", 121, **rest)
    told.take(moved, make.status(130, 121, confirmed_at=make.at(121), **rest))
    assert ("UNPROVEN", make.at(1)) == (
        told.proof().verdict,
        told.proof().proven_through,
    )
    told.take(make.status(190, 121, confirmed_at=make.at(181), **rest))
    assert make.at(111) > told.proof().proven_through
    told.take(make.status(250, 121, confirmed_at=make.at(241), **rest))
    assert make.at(121) == told.proof().proven_through


def test_states_of_the_other_feed_are_no_cut(start, make):
    """Beside a stream the polls own no balances."""
    told = Told(*start[:2], make.status(10, 5, feed="rest"))
    assert [] == list(told.account.proofs())
    assert "no state of the feed" in told.account.unwell


def test_what_only_an_earlier_verdict_tells_is_kept(start, make):
    """The events are gone from the topic, and the balance is still there."""
    told = Told()
    told.account.resume(make.proof(asset="ETH"))
    told.account.resume(
        make.proof(asset="SOL", verdict="VIOLATED", residual=Decimal(2))
    )
    told.account.resume(
        make.proof(asset="XRP", verdict="UNPROVEN", observed=Decimal(0))
    )
    told.take(make.update("1.5", "0.5", 5), make.status(10, 5))
    assert "PROVEN" == told.proof(KEY.replace("BTC", "ETH")).verdict
    violated = told.proof(KEY.replace("BTC", "SOL"))
    assert ("VIOLATED", Decimal(2)) == (violated.verdict, violated.residual)
    told.take(make.comparison(30), make.status(40, 5))
    assert make.at(30) == told.proof(KEY.replace("BTC", "ETH")).proven_through


def test_violation_from_before_the_topics_stays(start, make):
    """A replay that cannot see what was wrong does not call it right."""
    old = make.proof(
        verdict="VIOLATED",
        residual=Decimal(1),
        checked_at=make.at(-60),
        proven_through=make.at(-90),
    )
    told = Told(*start)
    told.account.resume(old)
    assert "VIOLATED" == told.proof().verdict
    fresh = Told(*start)
    fresh.account.resume(make.proof(verdict="VIOLATED", checked_at=make.at(10)))
    assert "PROVEN" == fresh.proof().verdict


def test_what_was_proven_before_is_not_forgotten(start, make):
    """Though the state that once confirmed it is compacted away."""
    told = Told(*start)
    told.account.resume(make.proof(proven_through=make.at(7)))
    assert make.at(7) == told.proof().proven_through


@given(st.randoms(use_true_random=True))
def test_order_of_reading_does_not_matter(rng):
    """A state is taken after all before it; what else is taken by then is chance."""
    make = Make()
    new = {"epoch": make.epoch(40)}
    events = [
        (make.row("1", 1, epoch=make.epoch(0)), make.ms(1)),
        (make.update("1.5", "0.5", 5), make.ms(5)),
        (make.update("9", "0.5", 20), make.ms(20)),
        (make.row("9.5", 41, **new), make.ms(41)),
        (make.line("7", 19, 50), make.ms(50)),
        (make.line("0.5", 30, 50), make.ms(50)),
        (make.update("9", "-0.5", 60, **new), make.ms(60)),
    ]
    states = [
        make.status(2, 1),
        make.status(12, 5),
        make.status(25, 20),
        make.status(39, 20, state="stale"),
        make.status(42, 41, **new),
        make.status(70, 60, **new),
        make.status(100, 60, **new),
    ]
    comparisons = [make.comparison(8), make.comparison(30), make.comparison(80)]
    told = sorted(
        [(at_ms, 0, record) for record, at_ms in events]
        + [(at_ms, 1, (record, at_ms)) for record, at_ms in comparisons]
        + [(at_ms, 2, (record, at_ms)) for record, at_ms in states],
        key=lambda one: one[:2],
    )
    expected = list(Told(*(record for *_, record in told)).account.proofs())
    queues = [[one for one in told if one[1] == kind] for kind in range(3)]
    read = Told()
    while any(queues):
        kind = rng.choice([kind for kind in range(3) if queues[kind]])
        others = [queue[0][0] for queue in queues[:2] if queue]
        if kind < 2 or queues[2][0][0] < min(others, default=10**15):
            read.take(queues[kind].pop(0)[2])
    assert expected == list(read.account.proofs())
    assert "PROVEN" == expected[0].verdict


def test_patience_is_in_the_right_order():
    """A line that was overtaken comes sooner than a history."""
    assert timedelta(0) < LATE < HISTORY


ETH = {"asset": "ETH", "venue_asset": "ETH"}


def lossy(make, kept, copies):
    """Return an account that read some of its events, and some copies on latest."""
    told = Told(make.row("1", 1, epoch=make.epoch(0)), *kept)
    for copy in (make.row("1", 1, epoch=make.epoch(0)), *copies):
        told.account.take_latest(copy)
    told.take(make.update("9", "9", 8, **ETH), make.status(10, 8))
    return told.take(make.comparison(15), make.status(20, 8), make.status(30, 8))


def test_a_lost_event_leaves_its_balance_unproven(make):
    """REST agrees with what the connector has, and that is not what was read."""
    moved = make.update("1.5", "0.5", 5)
    proof = lossy(make, [], [moved]).proof()
    assert ("UNPROVEN", Decimal(1), None) == (
        proof.verdict,
        proof.observed,
        proof.proven_through,
    )
    assert proof.reason.startswith("lost on the bus")
    assert "PROVEN" == lossy(make, [moved], [moved]).proof().verdict


def test_an_altered_event_leaves_its_balance_unproven(make):
    """The copy has the same id and another figure; which is right is not known."""
    events = make.update("1.5", "0.5", 5), make.update("1.6", "0.6", 5)
    for event, copy in (events, events[::-1]):
        assert "UNPROVEN" == lossy(make, [event], [copy]).proof().verdict


def test_a_copy_that_is_older_or_not_there_says_nothing(make):
    """Latest keeps the last of each key: what is between is taken away."""
    moved = make.update("1.5", "0.5", 5)
    assert "PROVEN" == lossy(make, [moved], []).proof().verdict


def test_the_next_event_of_a_balance_asks_what_was_lost(make):
    """The copies agree again, and the chain says what is missing."""
    told = lossy(make, [], [make.update("1.5", "0.5", 5)])
    later = make.update("1.7", "0.2", 35)
    told.account.take_latest(later)
    told.take(later, make.status(40, 35), make.status(35 + LATE.seconds, 35))
    assert ("VIOLATED", Decimal("0.5")) == (
        told.proof().verdict,
        told.proof().residual,
    )
