"""What is news is written once, whoever wrote before."""

from decimal import Decimal

import msgspec
import pytest

from balance_proof.shard import Shard
from balance_schemas.records import Acknowledgement

KEY = "kraken|main||spot/main|BTC"


@pytest.fixture
def told(make):
    """Give a shard that is caught up with one proven balance."""
    shard = Shard()
    shard.take_event(make.row("1", 1, epoch=make.epoch(0)))
    shard.take_event(make.update("1.5", "0.5", 5))
    shard.take_status(*make.status(10, 5))
    return shard


def test_nothing_is_said_before_all_is_read(told, make):
    """Half a history would be a wrong verdict."""
    assert [] == list(told.due(make.at(11)))
    told.resume()
    (proof,) = told.due(make.at(11))
    assert "PROVEN" == proof.verdict


def test_verdict_is_written_once(told, make):
    """Until it is another one; when it was checked is no news."""
    told.resume()
    list(told.due(make.at(11)))
    told.take_status(*make.status(20, 5))
    assert [] == list(told.due(make.at(21)))
    told.take_reconciliation(*make.comparison(30))
    told.take_status(*make.status(40, 5))
    assert ["reconciliation"] == [one.method for one in told.due(make.at(41))]


def test_what_is_on_the_topic_is_not_written_again(told, make):
    """A restart that comes to the same verdict is silent."""
    known = Shard()
    for proof in due_of(told, make, 11):
        known.take_proof(KEY, msgspec.structs.replace(proof, checked_at=make.at(3)))
    known.take_event(make.row("1", 1, epoch=make.epoch(0), event_id="e1"))
    known.take_event(make.update("1.5", "0.5", 5, event_id="e2"))
    known.take_status(*make.status(10, 5))
    known.resume()
    assert [] == list(known.due(make.at(11)))


def due_of(shard, make, seconds):
    """Return what a shard that has read all has to say."""
    shard.resume()
    return list(shard.due(make.at(seconds)))


def test_foreign_verdict_is_put_right(told, make):
    """An instance that did not know that it had lost the partition wrote late."""
    (proof,) = due_of(told, make, 11)
    told.take_proof(KEY, proof)  # our own, read back
    assert [] == list(told.due(make.at(12)))
    told.take_proof(KEY, make.proof(verdict="UNPROVEN", reason="late"))
    assert [proof] == list(told.due(make.at(13)))
    told.take_proof(KEY, proof)
    told.take_proof(KEY, None)
    assert [] == list(told.due(make.at(14)))


def test_silence_is_news(told, make):
    """Nobody says anything, and that is said."""
    due_of(told, make, 11)
    assert ["UNPROVEN"] == [one.verdict for one in told.due(make.at(100))]
    assert [] == list(told.due(make.at(110)))


def test_acknowledgement_settles_whenever_it_is_read(make):
    """Before the violation, as in a replay, or after it."""
    note = Acknowledgement(
        venue="kraken",
        account="main",
        subaccount="",
        wallet="spot",
        wallet_id="main",
        asset="BTC",
        through=make.at(90),
        acknowledged_at=make.at(95),
        by="treasury",
        note="agreed with the venue",
        residual=Decimal(1),
    )
    lost = [
        make.row("1", 1, epoch=make.epoch(0)),
        make.update("9", "0.5", 5),
    ]
    last = []
    for first in (True, False):
        shard = Shard()
        if first:
            shard.take_acknowledgement(note)
        for event in lost:
            shard.take_event(event)
        shard.take_status(*make.status(90, 5))
        shard.resume()
        said = [one.verdict for one in shard.due(make.at(91))]
        assert ["UNPROVEN" if first else "VIOLATED"] == said
        shard.take_acknowledgement(note)
        list(shard.due(make.at(92)))
        last.append(shard._published[KEY])
    assert last[0] == last[1]
    assert "acknowledged" in last[0].reason


def test_older_violation_is_kept_by_a_restart(make):
    """What the topics do not tell any more stays as it was said."""
    shard = Shard()
    old = make.proof(asset="ETH", verdict="VIOLATED", residual=Decimal(1))
    shard.take_proof(old.key, old)
    shard.resume()
    list(shard.due(make.at(11)))
    shard.take_event(make.row("1", 1, epoch=make.epoch(0)))
    shard.take_status(*make.status(10, 1))
    said = {one.asset: one.verdict for one in shard.due(make.at(12))}
    assert "VIOLATED" == said.get("ETH", "VIOLATED")
    assert "UNPROVEN" == said["BTC"]
