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
        stored = {rows.digest_of(name): epoch for name, epoch in (known or {}).items()}
        return list(facts.settle(batch, stored, heads or {}, NOW))

    return settle


def effects(settled):
    """Return (event id, when it took effect) of what counts."""
    return [(one.row.placed.event.event_id, one.effective_at) for one in settled]


def kinds(settled, *, again):
    """Return the kinds of the first records of their ids, or of the others."""
    return [one.row.placed.event.kind for one in settled if one.again is again]


def holding(settled):
    """Return the ids of what holds, each until the next."""
    return [one.row.placed.event.event_id for one in settled if one.head]


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
    assert ["a", "b"] == holding(told)


def test_backfill_takes_effect_at_its_time_and_never_holds_now(settled):
    """A late fact belongs where it happened."""
    told = settled(
        {"kind": "backfill", "venue_time": TEN - HOUR}, heads={KEY: Head(1, TEN)}
    )
    assert [TEN - HOUR] == [at for _, at in effects(told)]
    assert [] == holding(told)


def test_record_of_an_older_epoch_never_holds(settled):
    """A connector that lives on after its successor changes nothing."""
    told = settled({"epoch": 1}, heads={KEY: Head(2, TEN)})
    assert [None] == [at for _, at in effects(told)]
    assert [] == holding(told)


def test_live_record_that_repeats_a_backfill_counts(settled):
    """The first record is kept, and the live one beside it."""
    told = settled({"kind": "backfill", "venue_time": TEN - HOUR}, {"sequence": 1})
    assert ["backfill"] == kinds(told, again=False)
    assert ["update"] == kinds(told, again=True)
    assert [(False, None), (True, TEN)] == [
        (one.head is not None, one.effective_at if one.head else None) for one in told
    ]


def test_stored_id_counts_in_a_greater_epoch_only(settled):
    """An echo is no news; a new connection's own word is."""
    known = {"kraken|main||L1": 1}
    assert [] == settled({"epoch": 1}, known=known)
    told = settled({"epoch": 2}, {"epoch": 2}, {"epoch": 3}, known=known)
    assert [(True, 2), (True, 3)] == [
        (one.again, one.row.placed.event.epoch) for one in told
    ]


def test_months_are_those_of_utc():
    """A partition begins with the month in UTC."""
    assert {datetime(2026, 3, 1, tzinfo=UTC)} == facts.months([TEN, NOW])
