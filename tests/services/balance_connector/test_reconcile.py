"""Comparing a stream with polls: at rest, in motion, twice, and for random histories."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_connector.books import Holding, Observed, Pocket
from balance_connector.reconcile import (
    BEFORE,
    DIFFERENCES_MAX,
    Answered,
    Found,
    compare,
)
from balance_connector.venue import Picture

ASKED = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = ASKED - timedelta(hours=1)
SECOND = timedelta(seconds=1)


def pocket(asset: str, wallet: str = "main", code: str | None = None) -> Pocket:
    """Return a spot wallet, or an earn wallet of that name."""
    kind = "spot" if wallet == "main" else "earn"
    return Pocket("", kind, wallet, asset, code or asset)


def streamed(*, at=LONG_AGO, wallet="main", **amounts: str) -> dict[str, Holding]:
    """Return what the stream told."""
    return {
        f"{wallet}|{asset}": Holding(pocket(asset, wallet), Decimal(amount), at)
        for asset, amount in amounts.items()
    }


def answer(*, spared=(), unmapped=(), calls=1, **amounts: str) -> Answered:
    """Return an answer that took a second."""
    rows = [Observed(pocket(asset), Decimal(text)) for asset, text in amounts.items()]
    picture = Picture(rows, spared, frozenset(unmapped))
    return Answered(picture, ASKED, ASKED + SECOND, calls)


def compared(known, *answers, net_of_pending=False, same_codes=True) -> Found:
    """Return what comparing some answers establishes."""
    found = Found()
    for each in answers:
        found = compare(
            known, each, found, same_codes=same_codes, net_of_pending=net_of_pending
        )
    return found


def causes(found: Found) -> dict[str, str]:
    """Return asset → cause of the differences."""
    return {row.asset: row.cause for row in found.differences}


def test_equal_at_rest_is_consistent():
    """Digits after the last that counts do not matter."""
    found = compared(streamed(BTC="1.50", USD="2"), answer(BTC="1.5", USD="2"))

    assert "consistent" == found.verdict
    assert 2 == len(found.agreed)
    assert () == found.differences


def test_missing_is_zero():
    """Venues leave zeros out on either side."""
    found = compared(streamed(BTC="0", USD="2"), answer(USD="2", ETH="0.00"))

    assert "consistent" == found.verdict


def test_difference_counts_when_it_is_seen_twice():
    """Answers come from caches: one difference proves nothing."""
    known, other = streamed(BTC="1", USD="2"), answer(BTC="1.1", USD="2")
    once, twice = compared(known, other), compared(known, other, other)

    assert "inconclusive" == once.verdict
    assert "inconsistent" == twice.verdict
    (row,) = twice.differences
    assert ("BTC", Decimal(1), Decimal("1.1"), Decimal("0.1"), "missed_event") == (
        row.asset,
        row.streamed,
        row.observed,
        row.residual,
        row.cause,
    )


def test_changing_difference_is_undecided():
    """Two different differences are two first sights."""
    found = compared(streamed(BTC="1"), answer(BTC="2"), answer(BTC="3"))

    assert "inconclusive" == found.verdict


def test_balance_that_moves_untold_is_wrong():
    """No two answers differ alike, and the stream stands still all the same."""
    still = streamed(BTC="1")
    answers = [answer(BTC=text) for text in ("2", "3", "4")]

    assert "inconclusive" == compared(still, *answers[:2]).verdict
    assert "inconsistent" == compared(still, *answers).verdict
    assert {"BTC": "missed_event"} == causes(compared(still, *answers))


def test_balance_that_falls_untold_may_be_withdrawn():
    """Where polls leave out what is pending that is no proof, but it is settled."""
    answers = [answer(BTC=text) for text in ("9", "8", "7")]
    found = compared(streamed(BTC="10"), *answers, net_of_pending=True)

    assert ["pending_withdrawal"] == [row.cause for row in found.confirmed.values()]
    assert "inconclusive" == found.verdict


def test_stream_that_tells_meanwhile_is_not_wrong():
    """One that is merely late stands still for no three answers."""
    found = Found()
    for ours, theirs in (("1", "2"), ("1", "3"), ("2", "4"), ("3", "5"), ("4", "7")):
        found = compare(streamed(BTC=ours), answer(BTC=theirs), found)

    assert {} == found.confirmed


def test_answer_amid_motion_is_counted_anew():
    """What says nothing yet is no answer that differs."""
    found = Found()
    told = [LONG_AGO, LONG_AGO, ASKED, LONG_AGO, LONG_AGO]
    for moment, theirs in zip(told, "23456", strict=True):
        found = compare(streamed(BTC="1", at=moment), answer(BTC=theirs), found)

    assert {} == found.confirmed


def test_difference_that_goes_away_is_none():
    """The cache caught up."""
    found = compared(streamed(BTC="1"), answer(BTC="2"), answer(BTC="1"))

    assert "consistent" == found.verdict


@pytest.mark.parametrize(
    ("at", "calls", "cause"),
    [
        (ASKED - BEFORE, 1, "venue_lag"),
        (ASKED, 1, "venue_lag"),
        (ASKED + SECOND / 2, 3, "torn_answer"),
        (ASKED + SECOND * 2, 3, "venue_lag"),
    ],
)
def test_motion_is_undecided(at, calls, cause):
    """What moved around the answer says nothing, whatever it says."""
    known = streamed(BTC="1", at=at) | streamed(USD="2")
    other = answer(BTC="2", USD="2", calls=calls)
    found = compared(known, other, other)

    assert {"BTC": cause} == causes(found)
    assert "inconclusive" == found.verdict


@pytest.mark.parametrize(
    ("told", "dated", "answered", "cause"),
    [
        (-60, -60, -62, "venue_lag"),  # the answer does not know of it yet
        (-60, -60, -61, "missed_event"),  # two changes in a second, the second lost
        (-60, -60, -60, "missed_event"),
        (-60, -60, -30, "missed_event"),  # it knows of something later
        (-60, 3600, -62, "venue_lag"),
        (-60, 3600, -60, "missed_event"),  # the stream's clock is wrong: arrival counts
        (-3600, -3600, -3602, "missed_event"),  # nothing lags for so long
        (-60, None, -62, "missed_event"),
        (-60, -60, None, "missed_event"),
    ],
)
def test_answer_of_before_what_was_told_is_undecided(told, dated, answered, cause):
    """Where the venue says of when its balances are, an older one is no difference."""

    def at(seconds: int | None) -> datetime | None:
        return None if seconds is None else ASKED + SECOND * seconds

    known = {
        "k": Holding(pocket("BTC"), Decimal(1), at(told), venue_time=at(dated)),
    }
    row = Observed(pocket("BTC"), Decimal(2), venue_time=at(answered))
    other = Answered(Picture([row]), ASKED, ASKED + SECOND, 1)
    found = compared(known, other, other)

    assert {"BTC": cause} == causes(found)
    assert ("inconclusive" if cause == "venue_lag" else "inconsistent") == found.verdict


def test_balance_that_is_not_listed_has_no_date():
    """It may have gone to nothing since: that the message was lost must not be hidden."""
    at = ASKED - SECOND * 60
    known = {
        "gone": Holding(pocket("BTC"), Decimal(1), at, venue_time=at),
        "old": Holding(pocket("USD"), Decimal(5), LONG_AGO, venue_time=LONG_AGO),
    }
    row = Observed(pocket("USD"), Decimal(5), venue_time=LONG_AGO)
    answered = Answered(Picture([row]), ASKED, ASKED + SECOND, 1)

    found = compared(known, answered, answered)

    assert {"BTC": "missed_event"} == causes(found)
    assert "inconsistent" == found.verdict


def test_equal_balance_is_equal_whatever_its_date():
    """A venue may date the same change differently in its two answers."""
    known = {"k": Holding(pocket("BTC"), Decimal(1), LONG_AGO, venue_time=LONG_AGO)}
    row = Observed(pocket("BTC"), Decimal(1), venue_time=LONG_AGO - SECOND)
    found = compared(known, Answered(Picture([row]), ASKED, ASKED + SECOND, 1))

    assert "consistent" == found.verdict


def test_equal_in_motion_is_undecided_too():
    """It may be equal by chance; nothing is listed, since nothing differs."""
    found = compared(streamed(BTC="1", at=ASKED), answer(BTC="1"))

    assert "inconclusive" == found.verdict
    assert () == found.differences


def test_agreement_outlives_later_motion():
    """Each balance has to be seen at rest once, not all at the same time."""
    before = compared(
        streamed(BTC="1") | streamed(USD="2", at=ASKED), answer(BTC="1", USD="2")
    )
    found = compare(
        streamed(BTC="3", at=ASKED) | streamed(USD="2"),
        answer(BTC="1", USD="2"),
        before,
    )

    assert "inconclusive" == before.verdict
    assert "consistent" == found.verdict


def test_pending_withdrawal_is_no_proof_against_the_stream():
    """Polls that leave pending withdrawals out are lower, never higher."""
    lower, higher = answer(BTC="0.9"), answer(BTC="1.1")
    known = streamed(BTC="1")
    pending = compared(known, lower, lower, net_of_pending=True)
    missed = compared(known, higher, higher, net_of_pending=True)

    assert ({"BTC": "pending_withdrawal"}, "inconclusive") == (
        causes(pending),
        pending.verdict,
    )
    assert "inconsistent" == missed.verdict


def test_unknown_code_is_no_proof():
    """A balance under a code that no table knows may be there under another name."""
    other = answer(NEW="1", BTC="1", unmapped=["NEW"])
    found = compared(streamed(BTC="1"), other, other)

    assert ({"NEW": "unknown_asset"}, "inconclusive") == (causes(found), found.verdict)


@pytest.mark.parametrize("spared", [frozenset({("", "BTC")}), None])
def test_unreadable_balance_is_not_confirmed(spared):
    """What could not be read is listed and leaves the comparison open."""
    found = compared(streamed(BTC="1"), answer(spared=spared), answer(spared=spared))

    assert ({"BTC": "unreadable"}, "inconclusive") == (causes(found), found.verdict)


def test_wallets_may_be_summed():
    """Where stream and polls name wallets differently, their sums must agree."""
    known = streamed(BTC="1") | streamed(BTC="2", wallet="liquid")
    rows = [
        Observed(pocket("BTC"), Decimal(1)),
        Observed(pocket("BTC", "F"), Decimal(2)),
    ]
    other = Answered(Picture(rows), ASKED, ASKED + SECOND, 1)
    found = compared(known, other, same_codes=False)

    assert "consistent" == found.verdict


def test_lost_transfer_shows_in_the_wallets():
    """The sums agree and the wallets do not: a new picture is worth it, no more."""
    known = streamed(BTC="3") | streamed(BTC="0", wallet="liquid")
    rows = [
        Observed(pocket("BTC"), Decimal(1)),
        Observed(pocket("BTC", "F"), Decimal(2)),
    ]
    other = Answered(Picture(rows), ASKED, ASKED + SECOND, 1)
    found = compared(known, other, other, same_codes=False)
    accepted = compare(
        known, other, Found(), same_codes=False, accepted=found.confirmed
    )

    assert "inconclusive" == found.verdict
    assert [("earn", Decimal(2)), ("spot", Decimal(-2))] == [
        (row.wallet, row.residual) for row in found.differences
    ]
    assert {"BTC": "other_wallet"} == causes(found)
    assert "consistent" == accepted.verdict


def test_names_do_not_matter_where_codes_are_the_same():
    """A clash or a map that one source lacks changes names, not balances."""
    known = {"k": Holding(pocket("USDT", code="UST"), Decimal(7), LONG_AGO)}
    rows = [Observed(pocket("UST"), Decimal(7))]
    found = compared(known, Answered(Picture(rows), ASKED, ASKED + SECOND, 1))

    assert "consistent" == found.verdict


def test_sum_that_fits_no_record_is_unreadable():
    """Amounts fit one by one, not their sum: nothing is rounded to make it fit."""
    most = "9" * 20
    known = streamed(BTC=most) | streamed(BTC=most, wallet="earn")
    found = compared(known, answer(BTC="3"), same_codes=False)

    assert {"BTC": "unreadable"} == causes(found)


def test_list_of_differences_is_bounded():
    """A record has to fit; the verdict speaks of all."""
    assets = {f"A{number}": "1" for number in range(DIFFERENCES_MAX + 5)}
    found = compared({}, answer(**assets), answer(**assets))

    assert DIFFERENCES_MAX == len(found.differences)
    assert DIFFERENCES_MAX + 5 == len(found.confirmed)


changes = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from("AB"), st.integers(-5, 5)),
    max_size=12,
)


def _sum(history, asset, until) -> Decimal:
    return sum((Decimal(n) for t, a, n in history if a == asset and t <= until), ZERO)


ZERO = Decimal(0)


@given(history=changes, delay=st.floats(0, 1.9), moments=st.lists(st.floats(0, 1)))
def test_healthy_stream_is_never_called_wrong(history, delay, moments):
    """Whatever happens when, with frames up to the settle time late: no false alarm."""
    found = Found()
    for number, moment in enumerate(moments or [0.5]):
        asked = 10.0 * number
        rows = [
            Observed(pocket(asset), _sum(history, asset, asked + moment))
            for asset in "AB"
        ]
        known = {
            asset: Holding(
                pocket(asset),
                _sum(history, asset, asked + 3 - delay),
                LONG_AGO
                + SECOND
                * max(
                    [
                        t + delay
                        for t, a, _ in history
                        if a == asset and t + delay <= asked + 3
                    ],
                    default=0,
                ),
            )
            for asset in "AB"
        }
        at = LONG_AGO + SECOND * asked
        answered = Answered(Picture(rows), at, at + SECOND, 1)
        found = compare(known, answered, found)
        assert "inconsistent" != found.verdict


@given(lost=st.integers(-5, 5).filter(bool), held=st.integers(0, 9))
def test_lost_event_is_found_at_rest(lost, held):
    """The stream missed one change: two answers in a row say so."""
    other = answer(A=str(held + lost))
    found = compared(streamed(A=str(held)), other, other)

    assert "inconsistent" == found.verdict
    assert Decimal(lost) == found.differences[0].residual
