"""The firm is as far as its last account."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from balance_schemas.records import BalanceProof
from balance_shared.watermark import standings, watermark

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KRAKEN, NDAX = ("kraken", "main"), ("ndax", "main")


def proof(account=KRAKEN, asset="BTC", minutes: int | None = 0, **fields: Any):
    """Return a balance that is proven up to some minutes after noon, or never was."""
    through = None if minutes is None else NOON + timedelta(minutes=minutes)
    defaults: dict[str, Any] = {
        "venue": account[0],
        "account": account[1],
        "subaccount": "",
        "wallet": "spot",
        "wallet_id": "main",
        "asset": asset,
        "verdict": "PROVEN",
        "method": "chain",
        "reason": "",
        "proven_through": through,
        "checked_at": NOON,
        "last_event_id": "e",
    }
    return BalanceProof(**(defaults | fields))


def test_last_balance_of_the_last_account_decides():
    """The watermark is the minimum, and each account names what holds it back."""
    proofs = [proof(minutes=5), proof(asset="ETH", minutes=3), proof(NDAX, minutes=4)]
    kraken, ndax = standings(proofs, [NDAX, KRAKEN])
    assert kraken.through == NOON + timedelta(minutes=3)
    assert "ETH" == kraken.held_by.asset
    assert {"PROVEN": 2} == kraken.counts
    assert watermark([kraken, ndax]) == NOON + timedelta(minutes=3)


def test_balance_that_never_was_proven_holds_all_back():
    """Nothing is said of a firm while one balance is open."""
    proofs = [proof(minutes=5), proof(asset="ETH", minutes=None, verdict="UNPROVEN")]
    found = standings(proofs, [KRAKEN])
    assert "ETH" == found[0].held_by.asset
    assert None is watermark(found)


def test_account_of_which_nothing_is_proven_holds_all_back():
    """It is known by its state, and named though it has no balance."""
    found = standings([proof()], [KRAKEN, NDAX])
    assert [KRAKEN, NDAX] == [(one.venue, one.account) for one in found]
    assert None is found[1].held_by
    assert None is watermark(found)


def test_account_that_was_given_up_does_not_count():
    """Verdicts outlive an account; without a state they are history."""
    found = standings([proof(), proof(NDAX, minutes=None)], [KRAKEN])
    assert NOON == watermark(found)


def test_firm_without_accounts_has_no_watermark():
    """Nothing is known, so nothing is proven."""
    assert None is watermark(standings([], []))


@given(st.lists(st.tuples(st.sampled_from([KRAKEN, NDAX]), st.integers(0, 9))))
def test_order_does_not_matter(told):
    """The same verdicts in any order give the same watermark."""
    proofs = [proof(name, str(n), n) for n, (name, _) in enumerate(told)]
    forward = watermark(standings(proofs, [KRAKEN, NDAX]))
    assert forward == watermark(standings(reversed(proofs), [NDAX, KRAKEN]))
