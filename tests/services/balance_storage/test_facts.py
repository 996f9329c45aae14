"""Which records count, and when each took effect."""

from datetime import UTC, datetime, timedelta

import pytest

from balance_storage import facts, rows
from balance_storage.facts import Head

NOW = datetime(2026, 3, 2, tzinfo=UTC)
TEN = datetime(2026, 3, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def settled(make_event):
    """Give a function that settles events told at ten unless they say otherwise."""

    def settle(*told, known=None, heads=None):
        events = [make_event(**({"received_at": TEN} | fields)) for fields in told]
        placed = [rows.Placed(event, "t", 0, at) for at, event in enumerate(events)]
        batch = [rows.row_of(one) for one in placed]
        return facts.settle(batch, known or {}, heads or {}, NOW)

    return settle


def effects(settled):
    """Return (event id, when it took effect) of what counts."""
    return [(one.row.placed.event.event_id, one.effective_at) for one in settled.told]


def kinds(settled, *, again):
    """Return the kinds of the first records of their ids, or of the others."""
    return [one.row.placed.event.kind for one in settled.told if one.again is again]


KEY = "kraken|main||spot/main|BTC"


def test_fact_takes_effect_at_the_venues_time_or_on_arrival(settled):
    """The venue's word on when it happened counts; without one, our clock does."""
    told = settled({"event_id": "a", "venue_time": TEN - HOUR}, {"event_id": "b"})
    assert [("a", TEN - HOUR), ("b", TEN)] == effects(told)


def test_nothing_happens_after_it_is_known(settled):
    """A venue's clock that is ahead moves nothing into the future, nor does ours."""
    told = settled(
        {"event_id": "a", "venue_time": TEN + HOUR},
        {"event_id": "b", "received_at": NOW + HOUR},
    )
    assert [("a", TEN), ("b", NOW)] == effects(told)


def test_fact_does_not_take_effect_before_what_it_replaces(settled):
    """The order in which a feed tells is the order of the balances."""
    told = settled(
        {"event_id": "a"},
        {"event_id": "b", "venue_time": TEN - HOUR},
        heads={KEY: Head(1, TEN - 2 * HOUR)},
    )
    assert [("a", TEN), ("b", TEN)] == effects(told)
    assert told.current[KEY].row.placed.event.event_id == "b"


def test_backfill_takes_effect_at_its_time_and_never_holds_now(settled):
    """A late fact belongs where it happened."""
    told = settled(
        {"kind": "backfill", "venue_time": TEN - HOUR}, heads={KEY: Head(1, TEN)}
    )
    assert [TEN - HOUR] == [at for _, at in effects(told)]
    assert {} == told.current


def test_record_of_an_older_epoch_never_holds(settled):
    """A connector that lives on after its successor changes nothing."""
    told = settled({"epoch": 1}, heads={KEY: Head(2, TEN)})
    assert [None] == [at for _, at in effects(told)]
    assert {} == told.current


def test_live_record_that_repeats_a_backfill_counts(settled):
    """The first record is kept, and the live one beside it."""
    told = settled({"kind": "backfill", "venue_time": TEN - HOUR}, {"sequence": 1})
    assert ["backfill"] == kinds(told, again=False)
    assert ["update"] == kinds(told, again=True)
    assert told.current[KEY].effective_at == TEN


def test_stored_id_counts_in_a_greater_epoch_only(settled):
    """An echo is no news; a new connection's own word is."""
    known = {"kraken|main||L1": 1}
    assert settled({"epoch": 1}, known=known) == facts.Settled()
    told = settled({"epoch": 2}, known=known)
    assert told.live_epochs == {"kraken|main||L1": 2}
    assert ["update"] == kinds(told, again=True)


def test_new_ids_come_with_the_greatest_epoch_that_told_them_live(settled):
    """An id that only backfill tells has none."""
    told = settled(
        {"event_id": "a", "epoch": 1},
        {"event_id": "a", "epoch": 2},
        {"event_id": "b", "kind": "backfill"},
        {"event_id": "c", "epoch": 3},
        known={"c": None},
    )
    assert {"a": 2, "b": None} == told.new_ids
    assert {"c": 3} == told.live_epochs


def test_months_are_those_of_utc():
    """A partition begins with the month in UTC."""
    assert {datetime(2026, 3, 1, tzinfo=UTC)} == facts.months([TEN, NOW])
