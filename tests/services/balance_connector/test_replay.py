"""What a replay says of epochs that it cannot make again.

That it makes all others again is in ``tests/venues/test_replay.py``.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from balance_connector.books import Account
from balance_connector.opening import OPENING, Opening, digest
from balance_connector.replay import NO_BEGINNING, NOT_KNOWN, NOT_READABLE, Replay
from balance_connector.venues import VENUES
from balance_schemas.records import RawFrame

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NOTHING_KNOWN = digest({})


def replay():
    """Return a replay of Kraken."""
    return Replay(VENUES["kraken"], Account("kraken", "main"))


def frame(opening=None, text=""):
    """Return a first frame."""
    told = {OPENING: opening.written()} if opening else {OPENING: text} if text else {}
    return RawFrame(
        venue="kraken",
        account="main",
        feed="ws",
        epoch=5,
        index=0,
        received_at=NOW,
        source="stream",
        part=0,
        parts=1,
        payload=b'{"channel":"balances","type":"snapshot","data":[],"sequence":1}',
        attributes=told,
    )


def opening(of="stream", **fields):
    """Return an opening of a process that has just begun."""
    told = {"run": NOW, "read": True, "known": NOTHING_KNOWN}
    return Opening(of=of, **told | fields)


def test_epoch_without_its_beginning_cannot_be_judged():
    """Retention took it, or a release that kept none."""
    assert NO_BEGINNING == replay().take(frame()).unjudged


def test_beginning_of_another_release_cannot_be_read():
    """It is no reason to fail."""
    assert NOT_READABLE == replay().take(frame(text="{}")).unjudged
    odd = opening(options=msgspec.Raw(b'{"aliases":1}'))
    assert NOT_READABLE == replay().take(frame(odd)).unjudged


def test_what_was_known_has_to_be_known_again():
    """A digest that events do not give means that some are missing."""
    assert NOT_KNOWN == replay().take(frame(opening(known="other"))).unjudged
    assert "" == replay().take(frame(opening())).unjudged


def test_history_of_an_unknown_stream_cannot_be_judged():
    """What a picture changed decides what is asked for."""
    late = opening("history", stretch=(NOW, NOW, 4))
    assert NOT_KNOWN == replay().take(frame(late)).unjudged


def test_what_a_history_told_that_cannot_be_judged_is_not_known_to_the_next():
    """One began after records were lost, before a stream had read back which."""
    one, late = replay(), NOW + timedelta(hours=2)

    def began(epoch, of, **fields):
        first = frame(opening(of, losses=1, **fields))
        return one.take(msgspec.structs.replace(first, epoch=epoch)).unjudged

    one.take(frame(opening()))
    assert NOT_KNOWN == began(6, "history", read=False, stretch=(NOW, NOW, 5))
    assert "" == began(7, "stream")
    assert NOT_KNOWN == began(8, "history", read=False, stretch=(NOW, NOW, 7))
    assert "" == began(9, "history", read=False, stretch=(late, late, 7))


def test_stream_outlasts_the_stretches_that_history_is_asked_for():
    """While it is quiet there may be any number of them."""
    one = replay()
    one.take(frame(opening()))
    late = frame(opening("history", stretch=(NOW, NOW, 4)))
    for epoch in range(100, 200):
        one.take(msgspec.structs.replace(late, epoch=epoch))
    assert "" == one.take(frame()).unjudged


def test_events_of_earlier_epochs_are_needed_first():
    """A picture can be made once all that was told before is known."""
    assert replay().needs(frame(opening()))
    assert not replay().needs(frame(opening("witness")))
    assert not replay().needs(frame())


def test_witness_tells_no_events():
    """Its frames are no mistake."""
    remade = replay().take(frame(opening("witness")))
    assert ([], "") == (list(remade.events), remade.unjudged)
