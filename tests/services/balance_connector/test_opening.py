"""What a connector knew is kept with the first frame, and read back."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from balance_connector.books import Holding, Pocket
from balance_connector.opening import OPENING, Opening, digest, opening_in
from balance_schemas.records import RawFrame
from balance_shared.errors import RecordInvalid

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def frame(attributes):
    """Return a frame with attributes."""
    return RawFrame(
        venue="kraken",
        account="main",
        feed="ws",
        epoch=1,
        index=0,
        received_at=NOW,
        source="stream",
        part=0,
        parts=1,
        payload=b"{}",
        attributes=attributes,
    )


def held(balance, available=None):
    """Return a holding of bitcoin."""
    pocket = Pocket("", "spot", "main", "BTC", "XXBT")
    return Holding(pocket, Decimal(balance), NOW, available)


def test_opening_is_read_back_as_written():
    """Every field survives."""
    opening = Opening(of="history", run=NOW, losses=2, stretch=(NOW, NOW, 7))
    assert opening == opening_in(frame({OPENING: opening.written()}))


def test_other_frames_have_none():
    """Only the first frame of an epoch carries one."""
    assert opening_in(frame({"asked": "GET /"})) is None


def test_opening_of_another_release_is_refused():
    """What cannot be read is never guessed."""
    with pytest.raises(RecordInvalid, match=r"kraken\|main ws epoch 1"):
        opening_in(frame({OPENING: '{"of":"dream"}'}))


def test_digest_is_of_figures_not_of_their_order_or_writing():
    """1.50 is 1.5, and dictionaries have no order."""
    one, other = held("1.50"), held("2")
    assert digest({"a": one, "b": other}) == digest({"b": other, "a": held("1.5")})


@pytest.mark.parametrize(
    "known",
    [{}, {"b": held("1")}, {"a": held("2")}, {"a": held("1", Decimal(1))}],
)
def test_digest_sees_every_difference(known):
    """Another key, balance or available part is another digest."""
    assert digest({"a": held("1")}) != digest(known)
