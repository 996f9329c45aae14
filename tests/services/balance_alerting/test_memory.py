"""An alert comes back from its record as it was."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from balance_alerting.memory import Episode, Read, episode_of, facts, spoken
from balance_alerting.selectors import Subject
from balance_schemas.codec import decode, encode
from balance_schemas.records import Alert


@pytest.fixture
def episode(make):
    """Give an alert with every field set."""
    return Episode(
        alert_id="low|kraken|main||spot/main|BTC",
        rule="low",
        severity="critical",
        subject=Subject("kraken", "main", "", "spot", "main", "BTC"),
        labels={"team": "treasury"},
        state="resolved",
        started_at=make.at(0),
        updated_at=make.at(9.5),
        resolved_at=make.at(9),
        value=Decimal("9.000000000000000001"),
        limit=Decimal(10),
        worst=Decimal("8.999999999999999999"),
        summary="s",
        description="d",
        kind="again",
        count=3,
        last_at=make.at(8.123456),
        notice=4,
        noticed_at=make.at(9),
        told={"am": 4, "hook": 2},
        read=Read(17, 3),
    )


def test_it_comes_back_from_the_topic(episode):
    """Through Avro, with every digit and time."""
    record = decode(Alert, encode(episode.record(), 1))
    assert episode == episode_of(record)
    assert ["hook"] == episode.untold()


@pytest.mark.parametrize("name", ["kind", "count", "notice"])
def test_records_of_others_are_left_alone(episode, name):
    """Nothing can be gone on with."""
    record = episode.record()
    without = {k: v for k, v in record.attributes.items() if k != name}
    assert episode_of(msgspec.structs.replace(record, attributes=without)) is None


def test_a_route_is_told_of_the_beginning_first(episode):
    """With the number 1, whatever came since; of what is over, only the end."""
    assert (4, "resolved") == episode.owed("hook")[1:]
    episode.state, episode.told = "firing", {"am": 3, "hook": 0, "chat": 4}
    kinds = [episode.owed(name) for name in ("am", "hook", "chat", "nobody")]
    assert [(4, "again"), (1, "new")] == [owed[1:] for owed in kinds[:2]]
    assert [None, None] == kinds[2:]


def test_an_end_that_is_owed_goes_with_the_next_beginning(episode):
    """In one record; who was never offered the old one is told of it no more."""
    episode.told, episode.offered = {"am": 4, "hook": 0, "chat": 0}, {"am", "hook"}
    later = replace(episode, state="firing", started_at=episode.resolved_at, notice=1)
    later.told, later.before = dict.fromkeys(episode.told, 0), []
    later.follow(episode)
    found = episode_of(decode(Alert, encode(later.record(), 1)))
    found.take_back({"am", "hook", "chat"})
    kinds = [found.owed(name)[2] for name in ("am", "hook", "chat")]
    assert ["new", "resolved", "new"] == kinds
    assert {"am", "chat"} == found.offered


def test_a_record_with_a_past_that_cannot_be_read_is_left_alone(episode):
    """It is not one of ours."""
    record = episode.record()
    wrong = record.attributes | {"before": "{}"}
    assert episode_of(msgspec.structs.replace(record, attributes=wrong)) is None


def test_facts_are_texts_with_every_digit(episode):
    """They go into people's words as they are."""
    found = facts(episode, "resolved")
    assert ("9.000000000000000001", "9s", "BTC") == (
        found["value"],
        found["duration"],
        found["asset"],
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (45, "45s"), (60, "1m"), (7384, "2h 3m"), (90061, "1d 1h"), (-5, "0s")],
)
def test_lengths_of_time_are_spoken(seconds, text):
    """In the two largest units."""
    assert text == spoken(timedelta(seconds=seconds))
