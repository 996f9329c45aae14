"""Polls of wallets: names, pictures, changes, faults."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from bitfinex_conversation import KEY, NOW, conf_answer, row, seed, told
from msgspec.structs import replace

from balance_connector.books import Account, Books, Holding
from balance_connector.poll import Rounds
from balance_connector.venue import Note, Response
from balance_connector.venues.bitfinex.options import BitfinexOptions
from balance_connector.venues.bitfinex.poll import BitfinexPoll
from balance_shared.errors import FrameInvalid, VenueRefused, VenueUnavailable


class Polls(BitfinexPoll):
    """The protocol, and the rounds that tell what it reads."""

    def __init__(self, options: BitfinexOptions, known: dict[str, Holding]) -> None:
        super().__init__(KEY, options, known.values())
        self.rounds = Rounds(Books(Account("bitfinex", "main"), "rest", 9, known))


def polls(known: dict[str, Holding] | None = None, **options) -> Polls:
    """Return a protocol at the start of an epoch."""
    return Polls(BitfinexOptions(**options), {} if known is None else known)


def answer(*rows: str) -> bytes:
    """Return an answer of wallets."""
    return f"[{','.join(rows)}]".encode()


def round_of(poll: Polls, body: bytes, *, status=200, names=None, at=NOW):
    """Run one round; return the step of its balances with the events it makes."""
    step = None
    poll.begin(at)
    while (request := poll.request(1, at)) is not None:
        wallets = request.source == "wallets"
        response = Response(status, body) if wallets else names or conf_answer()
        step = poll.receive(response, at)
    if step.picture is None:
        return step
    return replace(step, events=list(poll.rounds.tell(step.picture, at)))


def test_names_come_first_and_then_once_a_day():
    """The maps, then the wallets with a signed empty object."""
    poll = polls()
    poll.begin(NOW)
    first = poll.request(1, NOW)
    poll.receive(conf_answer(), NOW)
    second = poll.request(2, NOW)

    assert ("GET", "conf") == (first.method, first.source)
    assert ("POST", "/v2/auth/r/wallets", "wallets", b"{}") == (
        second.method,
        second.path,
        second.source,
        second.body,
    )
    assert "2" == second.headers["bfx-nonce"]
    assert poll.request(3, NOW) is None
    poll.begin(NOW + timedelta(hours=1))
    assert "wallets" == poll.request(4, NOW).source
    poll.begin(NOW + timedelta(days=2))
    assert "conf" == poll.request(5, NOW).source


@pytest.mark.parametrize(
    "names", [Response(429, b""), Response(200, b"<html>"), Response(200, b"[]")]
)
def test_failed_names_do_not_stop_the_round(names):
    """The table at hand serves, and they are asked for again later."""
    poll = polls()
    step = round_of(poll, answer(row("exchange", "UST", "1")), names=names)

    assert [("snapshot", "spot", "exchange", "USDT", "1")] == told(step)
    poll.begin(NOW + timedelta(minutes=11))
    assert "conf" == poll.request(1, NOW).source


def test_names_told_before_serve_until_the_venue_answers():
    """A balance keeps its key through a restart, and a corrected name is taken."""
    known: dict[str, Holding] = {}
    maps = json.dumps([[["ABX", "ABCOIN"]], [["ABXF0", "ABX"]], []]).encode()
    body = answer(row("exchange", "ABX", "1"), row("margin", "ABXF0", "2"))
    before = told(round_of(polls(known), body, names=Response(200, maps)))
    poll = polls(known)

    assert before == told(round_of(poll, body, names=Response(503, b"")))
    assert ("snapshot", "derivatives", "margin", "ABCOIN", "2") == before[1]
    later = NOW + timedelta(minutes=11)
    step = round_of(poll, body, names=Response(200, b"[[],[],[]]"), at=later)
    assert {"ABX", "ABXF0", "ABCOIN"} == {asset for *_, asset, _ in told(step)}


def test_captured_answer_is_a_picture():
    """What is available is told here, and the last change is no news."""
    (event,) = round_of(polls(), seed("rest_wallets")).events

    assert ("snapshot", "USDT", Decimal("19788.6529257"), Decimal("19788.6529257")) == (
        event.kind,
        event.asset,
        event.balance,
        event.available,
    )
    assert () == event.movements
    assert "Exchange 2.0 UST for USD @ 11.696" == event.attributes["description"]
    assert 1189740779 == json.loads(event.attributes["meta"])["order_id"]


def test_later_answers_tell_changes_only():
    """What changed is an update with its delta, what vanished is absent."""
    poll = polls()
    round_of(poll, answer(row("exchange", "BTC", "1.5"), row("margin", "USD", "10")))
    step = round_of(poll, answer(row("exchange", "BTC", "1.25")))

    assert [("update", "BTC", "1.25", "-0.25"), ("absent", "USD", "0", "-10")] == [
        (e.kind, e.asset, str(e.balance), str(e.delta)) for e in step.events
    ]


def test_empty_account_is_an_answer():
    """A list of nothing is a picture of nothing."""
    poll = polls()
    round_of(poll, answer(row("exchange", "BTC", "1.5")))

    assert [("absent", "spot", "exchange", "BTC", "0")] == told(round_of(poll, b"[]"))


@pytest.mark.parametrize("bad", ["NaN", "0.1234567890123456789", "true", '"x"', "null"])
def test_unreadable_balance_is_spared(bad):
    """It is neither changed nor absent; the others are told; the state names it."""
    poll = polls()
    rows = row("exchange", "UST", "1"), row("margin", "USD", "10")
    round_of(poll, answer(*rows))
    step = round_of(
        poll, answer(row("exchange", "UST", bad), row("margin", "USD", "11"))
    )

    assert [("update", "margin", "margin", "USD", "11")] == told(step)
    assert frozenset({"|exchange/UST"}) == step.invalid.names
    assert step.demand is None


def test_unknown_code_is_counted_once_and_asks_for_names_sooner():
    """A code that no list knows is passed through; the names are asked for again."""
    poll = polls()
    body = answer(row("exchange", "QQQ", "1"))
    first, second = round_of(poll, body), round_of(poll, body)

    assert ((Note.UNMAPPED_ASSET,), ()) == (first.notes, second.notes)
    assert frozenset({"QQQ"}) == first.picture.unmapped
    poll.begin(NOW + timedelta(minutes=11))
    assert "conf" == poll.request(1, NOW).source


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>busy</html>", FrameInvalid),
        (200, b"{}", FrameInvalid),
        (200, b"null", FrameInvalid),
        (500, b'["error",20060,"maintenance"]', VenueUnavailable),
        (500, b'["error",10114,"nonce: small"]', VenueUnavailable),
        (429, b'{"error":"ERR_RATE_LIMIT"}', VenueUnavailable),
        (503, b"<html>", VenueUnavailable),
        (500, b'["error",10100,"apikey: digest invalid"]', VenueRefused),
        (500, b'["error",10001,"action: unauthorized"]', VenueRefused),
    ],
)
def test_faulty_answer_is_never_no_balances(status, body, error):
    """No error or page makes a balance vanish."""
    poll = polls()
    round_of(poll, answer(row("exchange", "BTC", "1")))
    step = round_of(poll, body, status=status)

    assert error is type(step.demand)
    assert step.picture is None
