"""The ledger of a stretch: pages, lines, faults."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from bitfinex_conversation import KEY, NOW, conf_answer, seed
from hypothesis import given, settings
from hypothesis import strategies as st

from balance_connector.books import (
    SAME_FACT,
    Account,
    Books,
    Holding,
    Observed,
    Pocket,
    Told,
)
from balance_connector.stretches import told_until
from balance_connector.venue import Response, Stretch
from balance_connector.venues.bitfinex import BITFINEX, history
from balance_connector.venues.bitfinex.history import BitfinexHistory
from balance_connector.venues.bitfinex.observing import time_of
from balance_connector.venues.bitfinex.options import BitfinexOptions
from balance_schemas.records import Movement
from balance_shared.errors import FrameInvalid, VenueRefused, VenueUnavailable

NOW_MS = int(NOW.timestamp() * 1000)
STRETCH = Stretch(NOW - timedelta(minutes=1), NOW)


def asking(stretch=STRETCH) -> BitfinexHistory:
    """Return a protocol that has its names."""
    asked = BitfinexHistory(KEY, BitfinexOptions(), stretch)
    assert "conf" == asked.request(1, NOW).source
    asked.receive(conf_answer(), NOW)
    return asked


def line(line_id, at_ms=NOW_MS, wallet='"exchange"', text="", amount="1") -> str:
    """Return a row of the ledger."""
    return (
        f'[{line_id},"BTC",{wallet},{at_ms},null,{amount},{line_id},null,'
        f"{json.dumps(text)}]"
    )


def receive(asked: BitfinexHistory, *rows: str):
    """Give an answer to the last request."""
    return asked.receive(Response(200, f"[{','.join(rows)}]".encode()), NOW)


def test_request_is_signed_and_bounded():
    """Milliseconds, both ends included, the largest page."""
    request = asking().request(5, NOW)

    assert ("POST", "/v2/auth/r/ledgers/hist") == (request.method, request.path)
    assert {
        "start": NOW_MS - 60_000,
        "end": NOW_MS,
        "limit": 2500,
    } == json.loads(request.body)
    assert "5" == request.headers["bfx-nonce"]


def test_captured_line():
    """The line as captured, whole."""
    asked = asking()
    asked.request(1, NOW)
    step = asked.receive(Response(200, seed("rest_ledgers")), NOW)
    at = time_of(1573521810000)

    assert [
        Observed(
            Pocket("", "margin", "margin", "USD", "USD"),
            Decimal(0),
            delta=Decimal("0.01644445"),
            reported=Decimal(0),
            venue_id="2531822314",
            venue_time=at,
            movements=(
                Movement(
                    movement_id="2531822314",
                    amount=Decimal("0.01644445"),
                    change=Decimal("0.01644445"),
                    occurred_at=at,
                    occurred_at_text="1573521810000",
                    attributes={"description": "Settlement @ 185.79 on wallet margin"},
                ),
            ),
        )
    ] == list(step.lines)
    assert step.invalid is None


def test_line_waits_for_the_name_of_its_code():
    """What changed has its name from the stream; of another the venue has to say it."""
    code = Pocket("", "spot", "exchange", "ABCOIN", "ABX")
    stretch = Stretch(NOW, NOW, (Holding(code, Decimal(1), NOW),))
    unanswered = BitfinexHistory(KEY, BitfinexOptions(), stretch)
    unanswered.request(1, NOW)
    unanswered.receive(Response(503, b""), NOW)
    unanswered.request(1, NOW)
    named = receive(unanswered, line(1).replace("BTC", "ABX"))
    unanswered.request(1, NOW)
    waiting = receive(unanswered, line(2).replace("BTC", "NEWT"))
    answered = asking(stretch)
    answered.request(1, NOW)
    passed = receive(answered, line(2).replace("BTC", "NEWT"))

    assert ["ABCOIN"] == [each.pocket.asset for each in named.lines]
    assert (VenueUnavailable, (), None, False) == (
        type(waiting.demand),
        waiting.lines,
        waiting.invalid,
        waiting.keep,
    )
    assert ["NEWT"] == [each.pocket.asset for each in passed.lines]


def test_wallet_may_stand_in_the_description():
    """Older lines name it there only."""
    asked = asking()
    asked.request(1, NOW)
    step = receive(asked, line(1, wallet="null", text="Deposit on wallet funding"))

    assert ["funding"] == [each.pocket.wallet for each in step.lines]


def test_complete_when_a_page_brings_nothing_new():
    """The next page ends where this one began; lines come once, by time and id."""
    asked = asking()
    asked.request(1, NOW)
    first = receive(asked, line(3), line(2, NOW_MS - 5), line(1, NOW_MS - 5))
    second = json.loads(asked.request(2, NOW).body)
    again = receive(asked, line(2, NOW_MS - 5), line(1, NOW_MS - 5))

    assert ["1", "2", "3"] == [each.venue_id for each in first.lines]
    assert NOW_MS - 5 == second["end"]
    assert [] == list(again.lines)
    assert asked.request(3, NOW) is None


def test_lines_of_one_millisecond_are_told_oldest_first(monkeypatch):
    """By what each starts from, else by their ids; over full pages too."""
    monkeypatch.setattr(history, "PAGE", 3)
    before = NOW_MS - 5
    ledger = [line(20), line(9, before), line(8, before), line(6, before, amount="-3")]
    asked, told = asking(), []
    for page in (ledger[:3], ledger[1:], ledger[3:]):
        asked.request(1, NOW)
        told.append([each.venue_id for each in receive(asked, *page).lines])

    assert [["20"], [], ["8", "9", "6"]] == told


def test_empty_stretch_is_complete():
    """Nothing happened."""
    asked = asking()
    asked.request(1, NOW)
    step = receive(asked)

    assert ([], None) == (list(step.lines), step.demand)
    assert asked.request(2, NOW) is None


@settings(max_examples=100, deadline=None)
@given(
    offsets=st.lists(st.integers(0, 40), max_size=60),
    page=st.integers(8, 20),
)
def test_no_line_is_lost_or_told_twice(offsets, page):
    """Whatever the venue's page size, with lines of one millisecond at its border."""
    times = sorted(offsets, reverse=True)
    crowded = max((times.count(time) for time in times), default=0)
    ledger = [(len(times) - n, NOW_MS - 50 + at) for n, at in enumerate(times)]
    asked, told = asking(), []
    for _ in range(200):
        request = asked.request(1, NOW)
        if request is None:
            break
        body = json.loads(request.body)
        found = [
            line(line_id, at)
            for line_id, at in ledger
            if body["start"] <= at <= body["end"]
        ]
        told += [each.venue_id for each in receive(asked, *found[:page]).lines]

    assert asked.request(1, NOW) is None
    assert len(set(told)) == len(told)
    if crowded < page:
        assert {str(line_id) for line_id, _ in ledger} == set(told)


def test_page_of_one_millisecond_says_so(monkeypatch):
    """What may be missing is not passed over in silence."""
    monkeypatch.setattr(history, "PAGE", 2)
    asked = asking()
    asked.request(1, NOW)
    receive(asked, line(2), line(1))
    asked.request(1, NOW)
    step = receive(asked, line(2), line(1))

    assert "more of it may be missing" in str(step.invalid)
    assert NOW_MS - 1 == json.loads(asked.request(1, NOW).body)["end"]


@pytest.mark.parametrize(
    "bad",
    [
        "5",
        "[]",
        line(1, amount="NaN"),
        line(1, amount="0.1234567890123456789"),
        line(1, wallet="null", text="nobody's"),
        line(1, wallet="5"),
        line('"x"'),
        line(1, at_ms='"x"'),
        line(1, at_ms="9" * 18),
        line(1, text="x" * 60_000),
    ],
)
def test_unreadable_line_does_not_hide_the_others(bad):
    """The rest is told, and what is wrong is said."""
    asked = asking()
    asked.request(1, NOW)
    step = receive(asked, bad, line(2))

    assert ["2"] == [each.venue_id for each in step.lines]
    assert "invalid_row" == step.invalid.reason
    assert step.demand is None


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, b'["error",10001,"action: unauthorized"]', VenueRefused),
        (500, b'["error",10100,"apikey: invalid"]', VenueRefused),
        (500, b'["error",10020,"limit: invalid"]', VenueRefused),
        (429, b"", VenueUnavailable),
        (500, b'["error",20060,"maintenance"]', VenueUnavailable),
        (200, b"<html>", FrameInvalid),
        (200, b"{}", FrameInvalid),
    ],
)
def test_faulty_answer_is_never_an_empty_stretch(status, body, error):
    """The stretch stays open."""
    asked = asking()
    asked.request(1, NOW)
    step = asked.receive(Response(status, body), NOW)

    assert error is type(step.demand)
    assert asked.request(2, NOW) is not None


def test_permission_is_named():
    """Who has to act is told what is missing."""
    asked = asking()
    asked.request(1, NOW)
    body = b'["error",10001,"action: unauthorized"]'

    assert "history: read" in str(asked.receive(Response(500, body), NOW).demand)


@pytest.mark.parametrize(
    ("wallet", "text"),
    [('"trading"', ""), ("null", "Settlement @ 185.79 on wallet trading")],
)
def test_old_word_is_kept_beside_the_new_one(wallet, text):
    """As in the stream: the pocket is margin, what was sent is not dropped."""
    asked = asking()
    asked.request(1, NOW)
    (observed,) = receive(asked, line(7, wallet=wallet, text=text)).lines

    assert ("margin", "margin") == (observed.pocket.wallet, observed.pocket.wallet_id)
    assert {"wallet_type": "trading"} == observed.attributes


def test_line_of_a_told_update_is_not_told_again():
    """Updates have no id: a line is known by its wallet, asset and balance."""
    asked = asking()
    asked.request(1, NOW)
    lines = receive(asked, line(7), line(8)).lines
    books = Books(Account("bitfinex", "main"), "ws", 1, {})
    told = Told(NOW, 2, "2")
    update = Observed(Pocket("", "spot", "exchange", "BTC", "BTC"), Decimal("7.0"))
    books.update(update, told, 0)
    until = told_until(Stretch(NOW, NOW + SAME_FACT), BITFINEX)
    events = books.backfill(lines, Told(NOW, None, "c1"), until)

    assert ["bitfinex|main||8"] == [event.event_id for event in events]
