"""Random ledgers, random frames: what always holds."""

import json
from decimal import Decimal

from bitfinex_conversation import (
    KEY,
    MTS,
    NOW,
    conf_answer,
    connection,
    fresh,
    hb,
    row,
    seed,
    ws,
    wu,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from balance_connector.books import Account, Books, Told
from balance_connector.poll import Rounds
from balance_connector.venue import Response, State, Stretch
from balance_connector.venues.bitfinex.history import BitfinexHistory
from balance_connector.venues.bitfinex.options import BitfinexOptions
from balance_connector.venues.bitfinex.poll import BitfinexPoll
from balance_schemas.codec import encode_body

POCKETS = {
    ("exchange", "BTC"): "spot/exchange|BTC",
    ("exchange", "UST"): "spot/exchange|USDT",
    ("margin", "UST"): "margin/margin|USDT",
    ("margin", "USTF0"): "derivatives/margin|USDT",
    ("funding", "USD"): "funding/funding|USD",
    ("vault", "WEI"): "unspecified/vault|WEI",
}
amounts = st.decimals(min_value=-(10**12), max_value=10**12, places=18, allow_nan=False)
steps = st.lists(
    st.tuples(
        st.sampled_from(sorted(POCKETS)),
        amounts,
        st.sampled_from(["once", "twice", "beat", "calc", "picture", "reconnect"]),
    ),
    max_size=30,
)


def keyed(ledger: dict) -> dict[str, Decimal]:
    """Return balance key → balance."""
    return {f"bitfinex|main||{POCKETS[p]}": amount for p, amount in ledger.items()}


@settings(max_examples=200, deadline=None)
@given(story=steps)
def test_picture_and_updates_equal_the_next_picture(story):
    """Whatever is repeated, asked, beaten or connected again, the books are equal."""
    ledger, known, told = {}, {}, {}
    stream, number = connection(known), 1

    def take(step) -> None:
        assert step.demand is None
        for event in step.events:
            told[event.key] = event.balance

    def picture() -> bytes:
        rows = [row(*pocket, f"{amount:E}") for pocket, amount in ledger.items()]
        return ws(rows, number)

    take(stream.receive(picture(), NOW))
    for epoch, (pocket, amount, how) in enumerate(story, start=2):
        ledger[pocket] = amount
        number += 1
        if how == "reconnect":
            stream, number = connection(known, epoch=epoch), 1
        if how in {"picture", "reconnect"}:
            take(stream.receive(picture(), NOW))
            continue
        if how == "beat":
            take(stream.receive(hb(number), NOW))
            number += 1
        update = wu(row(*pocket, f"{amount:f}"), number)
        for _ in range(2 if how == "twice" else 1):
            take(stream.receive(update, NOW))
        if how == "calc":
            number += 1
            take(stream.receive(wu(row(*pocket, f"{amount:f}", "0"), number), NOW))

        assert State.LIVE is stream.health.state
        assert keyed(ledger) == {key: told[key] for key in keyed(ledger)}

    assert keyed(ledger) == told
    assert keyed(ledger) == {key: held.balance for key, held in known.items()}


@settings(max_examples=200, deadline=None)
@given(story=steps, lost=st.integers(0, 29))
def test_lost_frame_is_never_live(story, lost):
    """A frame that got lost, a heartbeat too, is seen with the next one."""
    stream = connection()
    list(stream.receive(ws([], 1), NOW).events)
    for place, (pocket, amount, how) in enumerate(story):
        number = place + 2
        update = wu(row(*pocket, f"{amount:f}"), number)
        frame = hb(number) if how == "beat" else update
        if place == lost:
            continue
        step = stream.receive(frame, NOW)
        if place > lost:
            assert step.demand is not None
            assert [] == list(step.events)
            assert State.LIVE is not stream.health.state
            return


WORDS = st.sampled_from(["exchange", "margin", "vault", "BTC", "UST", "USTF0", "x", ""])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4) | st.just("reason"), inner, max_size=4)
    ),
    max_leaves=12,
)
wallet_rows = st.tuples(
    WORDS | json_values, WORDS | json_values, amounts.map(float) | json_values
).flatmap(lambda head: st.lists(json_values, max_size=6).map(lambda t: [*head, *t]))
arrays = st.tuples(
    st.just(0) | st.integers(-1, 3) | json_values,
    st.sampled_from(["ws", "wu", "hb", "n", "bu", "zz"]) | json_values,
    st.lists(wallet_rows, max_size=3) | wallet_rows | json_values,
    st.integers(1, 5) | json_values,
    st.integers() | json_values,
    st.just(MTS) | json_values,
).flatmap(lambda frame: st.integers(0, 6).map(lambda size: list(frame[:size])))
NAMES = ["info", "conf", "auth", "error", "pong", "unauth", "x"]
objects = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(NAMES) | json_values,
        "version": st.just(2) | json_values,
        "platform": json_values,
        "status": st.sampled_from(["OK", "FAILED"]) | json_values,
        "flags": st.sampled_from([0, 98_304]) | json_values,
        "caps": json_values,
        "code": st.sampled_from([10100, "10114", 20051, 20060, 20061]) | json_values,
        "msg": st.text(max_size=8) | json_values,
    },
)
frames = (arrays | objects | json_values).map(
    lambda value: json.dumps(value).encode()
) | st.binary()


@settings(max_examples=1000, deadline=None)
@given(received=st.lists(frames, max_size=5), logged_in=st.booleans())
def test_stream_takes_in_anything(received, logged_in):
    """No frame raises, every event is a checked record, unreadable wallets doubt."""
    stream = connection() if logged_in else fresh()
    for each in received:
        step = stream.receive(each, NOW)
        assert all(encode_body(event) for event in step.events)
        assert isinstance(stream.due(NOW), tuple)
        wallets = each.startswith((b'[0, "ws"', b'[0, "wu"'))
        if step.invalid is not None and wallets:
            assert step.demand is not None


WHOLE = [
    ws([row("exchange", "BTC", "1.5", "1", "text", '{"reason":"TRADE","a":[1]}')], 1),
    wu(row("margin", "USTF0", "1e-8", "null", "text", '{"reason":"TRADE"}'), 2),
    seed("ws_auth"),
    seed("ws_notice"),
    seed("rest_ledgers"),
    b'["error",10100,"apikey: invalid"]',
    b'{"error":"ERR_RATE_LIMIT"}',
]
spoiled = st.builds(
    lambda whole, at, cut, put: (
        whole[: at % len(whole)] + put + whole[at % len(whole) + cut :]
    ),
    st.sampled_from(WHOLE),
    st.integers(0, 300),
    st.integers(0, 3),
    st.binary(max_size=4) | st.sampled_from([rb"\ud800", b"NaN", b'"', b"null", b"-"]),
)


@settings(max_examples=1000, deadline=None)
@given(received=spoiled)
def test_spoiled_bytes_raise_nothing(received):
    """A documented frame or answer with any bytes put into it."""
    stream = connection()
    list(stream.receive(ws([], 1), NOW).events)
    step = stream.receive(received.replace(b"]],1,", b"]],2,"), NOW)
    assert all(encode_body(event) for event in step.events)
    poll = BitfinexPoll(KEY, BitfinexOptions())
    poll.begin(NOW)
    while poll.request(1, NOW) is not None:
        poll.receive(Response(200, received), NOW)
    asked = BitfinexHistory(KEY, BitfinexOptions(), Stretch(NOW, NOW))
    for _ in range(2):
        asked.request(1, NOW)
        asked.receive(Response(200, received), NOW)


@settings(max_examples=500, deadline=None)
@given(
    bodies=st.lists(
        st.binary()
        | (st.lists(wallet_rows) | json_values).map(lambda v: json.dumps(v).encode()),
        max_size=4,
    ),
    status=st.sampled_from([200, 500, 429]),
)
def test_polls_and_history_take_in_anything(bodies, status):
    """No answer raises, and every event is a checked record."""
    books = Books(Account("bitfinex", "main"), "rest", 1, {})
    rounds, poll = Rounds(books), BitfinexPoll(KEY, BitfinexOptions())
    for body in bodies:
        poll.begin(NOW)
        while poll.request(1, NOW) is not None:
            step = poll.receive(Response(status, body), NOW)
            if step.picture is not None:
                events = rounds.tell(step.picture, NOW)
                assert all(encode_body(event) for event in events)
    asked = BitfinexHistory(KEY, BitfinexOptions(), Stretch(NOW, NOW))
    asked.request(1, NOW)
    asked.receive(conf_answer(), NOW)
    for number, body in enumerate(bodies):
        asked.request(1, NOW)
        step = asked.receive(Response(status, body), NOW)
        told = books.backfill(step.lines, Told(NOW, None, f"c{number}"))
        assert all(encode_body(event) for event in told)
