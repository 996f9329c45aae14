"""What is in transit is shown by asset, and goes away with its arrival."""

from decimal import Decimal

from prometheus_client import REGISTRY

from balance_proof.transfers import Transfers
from balance_shared.settings import ProofSettings
from balance_shared.transit import Leg


def shown(name, asset):
    """Return what Prometheus sees."""
    return REGISTRY.get_sample_value(f"balancebus_{name}", {"asset": asset})


def leg(make, seconds, amount, asset="ETH"):
    """Return a withdrawal."""
    return Leg(
        make.at(seconds), f"e{seconds}", "key", "a|b", asset, Decimal(amount), True
    )


def test_amount_and_oldest_are_shown_by_asset(make):
    """The sum of what is on its way, and since when."""
    transfers = Transfers(ProofSettings())
    transfers.show((leg(make, 1, "1.5"), leg(make, 2, "2"), leg(make, 3, "7", "SOL")))
    assert (3.5, make.at(1).timestamp()) == (
        shown("transit_amount", "ETH"),
        shown("transit_oldest_timestamp_seconds", "ETH"),
    )
    assert 7 == shown("transit_amount", "SOL")
    transfers.show((leg(make, 3, "7", "SOL"),))
    assert None is shown("transit_amount", "ETH")
    transfers.show(())
    assert None is shown("transit_oldest_timestamp_seconds", "SOL")
