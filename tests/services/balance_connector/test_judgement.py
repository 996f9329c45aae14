"""Whatever is not as it was told is found; see also ``tests/venues/test_replay.py``."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_connector.judgement import Judgement, Telling
from balance_connector.replay import NO_BEGINNING, Remade
from balance_schemas.codec import encode_body
from balance_schemas.records import BalanceEvent, Movement, RawFrame

START = datetime(2026, 3, 1, tzinfo=UTC)
RUN = (START, 0)


def event(number, **fields):
    """Return the event that follows from a frame."""
    told = {
        "event_id": f"kraken|main|ws|1|{number}|0",
        "venue": "kraken",
        "account": "main",
        "subaccount": "",
        "feed": "ws",
        "wallet": "spot",
        "wallet_id": "main",
        "nature": "asset",
        "asset": "BTC",
        "venue_asset": "XXBT",
        "asset_class": "currency",
        "network": "",
        "kind": "update",
        "balance": Decimal(number),
        "balance_scope": "wallet",
        "received_at": START + timedelta(seconds=number),
        "epoch": 1,
    }
    return BalanceEvent(**told | fields)


def frame(number, part=0, parts=1):
    """Return a frame, which the scripted replay knows by its index."""
    return RawFrame(
        venue="kraken",
        account="main",
        feed="ws",
        epoch=1,
        index=number,
        received_at=START + timedelta(seconds=number),
        source="stream",
        part=part,
        parts=parts,
        payload=b"x",
    )


class Scripted:
    """A replay that makes one event of each frame."""

    def __init__(self, unjudged="") -> None:
        self.unjudged = unjudged
        self.payloads = []

    def needs(self, _frame):
        """Need nothing."""
        return False

    def told(self, event):
        """Learn nothing."""

    def take(self, frame):
        """Return the event of a frame."""
        self.payloads.append(frame.payload)
        return Remade([event(frame.index)], RUN, self.unjudged)


def telling(event, offset=0):
    """Return an event as it lies on the topic."""
    return Telling(event, encode_body(event), (0, offset))


def judged(events, frames=10, unjudged="", **window):
    """Return the judgement on events, each told after its frame."""
    judgement = Judgement(Scripted(unjudged), **window)
    for number in range(frames):
        judgement.frame(frame(number), (0, number))
    for offset, told in enumerate(events):
        judgement.told(telling(told, offset))
    judgement.end()
    return judgement


def whats(judgement):
    """Return what differs and of which event."""
    return [
        (found.what, int(found.event.event_id.split("|")[4]))
        for found in judgement.differences
    ]


ALL = [event(number) for number in range(10)]


def test_all_equal():
    """Ten of ten."""
    found = judged(ALL)
    assert (10, [], 0) == (found.equal, found.differences, found.unjudged.total())


@given(st.integers(0, 8))
def test_missing_event_is_found_wherever_it_was(at):
    """Made today, not on the topic, and others come after it."""
    assert [("missing", at)] == whats(judged(ALL[:at] + ALL[at + 1 :]))


@given(st.integers(0, 9))
def test_extra_event_is_found_wherever_it_is(at):
    """On the topic, not made today, and others come after it."""
    strange = event(99)
    found = judged([*ALL[:at], strange, *ALL[at:]])
    assert [("extra", 99)] == whats(found)


@given(st.integers(0, 8), st.data())
def test_other_order_is_found(at, data):
    """All the same events, one of them elsewhere."""
    to = data.draw(st.integers(at + 1, 9))
    events = [*ALL[:at], *ALL[at + 1 : to + 1], ALL[at], *ALL[to + 1 :]]
    found = judged(events)
    assert {"order"} == {what for what, _ in whats(found)}
    assert 10 == found.equal + len(found.differences)


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"balance": Decimal("4.5")}, {"balance": ("4.5", "4")}),
        ({"available": Decimal(1)}, {"available": ("1", "")}),
        ({"attributes": {"a": "b"}}, {"attributes.a": ("b", "")}),
        (
            {"movements": (Movement(movement_id="L"),)},
            {"movements[0]": (None, "")},
        ),
        ({"event_id": "other"}, {"event_id": ("other", ALL[4].event_id)}),
    ],
)
def test_changed_field_is_shown(fields, shown):
    """As told, and as made today; a changed id too."""
    (found,) = judged([*ALL[:4], event(4, **fields), *ALL[5:]]).differences
    assert "changed" == found.what
    assert shown.keys() == found.fields.keys()
    for name, (told, made) in shown.items():
        assert made == found.fields[name][1]
        assert told in {None, found.fields[name][0]}


def test_changed_field_within_a_ledger_line_is_named():
    """Which line, which field."""
    lines = [(Movement(movement_id="L", fee=Decimal(fee)),) for fee in (1, 2)]

    class Lined(Scripted):
        def take(self, frame):
            return Remade([event(frame.index, movements=lines[1])], RUN)

    judgement = Judgement(Lined())
    judgement.frame(frame(0), (0, 0))
    judgement.told(telling(event(0, movements=lines[0])))
    judgement.end()
    (found,) = judgement.differences
    assert {"movements[0].fee": ("1", "2")} == found.fields


def test_end_that_is_cut_is_counted_apart():
    """The last frames of a process may have reached the bus without their events."""
    found = judged(ALL[:7])
    assert (7, {"cut": 3}, []) == (found.equal, found.unjudged, found.differences)


def test_events_that_cannot_be_judged_are_never_equal():
    """They are counted by reason."""
    found = judged(ALL, unjudged=NO_BEGINNING)
    assert (0, {NO_BEGINNING: 10}) == (found.equal, found.unjudged)


def test_events_before_the_frames_are_counted_apart():
    """Frames are kept for a shorter time."""
    early = event(-100, balance=Decimal(1), epoch=0)
    found = judged([early, *ALL])
    assert (10, {"no_frame": 1}) == (found.equal, found.unjudged)


def test_only_the_window_counts():
    """From its beginning, up to but without its end."""
    since, until = START + timedelta(seconds=2), START + timedelta(seconds=5)
    assert 3 == judged(ALL, since=since, until=until).equal


def test_parts_are_joined():
    """A frame that was split is taken once, whole."""
    replay = Scripted()
    judgement = Judgement(replay)
    judgement.frame(frame(0, 0, 2), (0, 0))
    judgement.frame(frame(0, 1, 2), (0, 1))
    assert ([b"xx"], 1) == (replay.payloads, judgement.frames)


def test_events_before_any_frame_do_not_wait():
    """Frames of other accounts say from when on there are frames."""
    judgement = Judgement(Scripted(), first=START)
    judgement.told(telling(event(-100)))
    assert {"no_frame": 1} == judgement.unjudged
