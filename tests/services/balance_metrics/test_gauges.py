"""The gauges follow the state, and no series outlives its balance."""

from decimal import Decimal

import pytest

from balance_metrics.gauges import Gauges
from balance_metrics.state import State
from balance_shared import telemetry


@pytest.fixture(autouse=True)
def _no_series():
    yield
    for gauge in (
        telemetry.BALANCE,
        telemetry.BALANCE_AVAILABLE,
        telemetry.BALANCE_CHANGED,
        telemetry.BALANCE_CONFIRMED,
        telemetry.BALANCES_NOT_EXPORTED,
    ):
        gauge.clear()


def test_values_become_floats_at_the_gauge(make, shown):
    """The nearest float of the exact sum."""
    state, event = State(), make.event(balance=Decimal("0.1"), available=Decimal(0))
    Gauges().show(state, state.take_balance(event.key, event))
    assert shown("balance") == 0.1
    assert shown("balance_available") == 0
    assert make.at(0).timestamp() == shown("balance_changed_timestamp_seconds")
    assert make.at(0).timestamp() == shown("balance_confirmed_timestamp_seconds")


def test_free_part_has_no_series_while_unknown(make, shown):
    """No series says "unknown"; 0 would say "nothing is free"."""
    state, gauges = State(), Gauges()
    for free in (Decimal(1), None):
        event = make.event(available=free)
        gauges.show(state, state.take_balance(event.key, event))
    assert shown("balance_available") is None
    assert shown("balance") == 1.5


def test_series_go_away_with_the_balance(make, shown):
    """A tombstone leaves nothing behind, and may be shown twice."""
    state, gauges, event = State(), Gauges(), make.event(available=Decimal(1))
    gauges.show(state, state.take_balance(event.key, event))
    gauges.show(state, state.take_balance(event.key, None))
    gauges.show(state, {make.series()})
    for name in (
        "balance",
        "balance_available",
        "balance_changed_timestamp_seconds",
        "balance_confirmed_timestamp_seconds",
    ):
        assert shown(name) is None


def test_new_state_replaces_the_old_one(make, shown):
    """What was deleted while we were not looking goes away."""
    old, new, gauges = State(), State(), Gauges()
    event, other = make.event(), make.event(asset="ETH")
    gauges.show(old, old.take_balance(event.key, event))
    new.take_balance(other.key, other)
    gauges.replace(new)
    assert shown("balance") is None
    assert shown("balance", asset="ETH") == 1.5


def test_balances_off_the_list_are_counted_until_they_go(make):
    """One number for each account, under the asset "other"."""
    state, gauges, event = State({"ETH"}), Gauges(), make.event()
    gauges.show(state, state.take_balance(event.key, event))
    count = telemetry.BALANCES_NOT_EXPORTED.labels("kraken", "main", "other")
    assert count._value.get() == 1
    gauges.show(state, state.take_balance(event.key, None))
    assert not list(telemetry.BALANCES_NOT_EXPORTED.collect()[0].samples)
