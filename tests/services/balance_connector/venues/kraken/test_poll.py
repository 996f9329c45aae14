"""Polls of REST Balance: names, pictures, changes, faults."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from conversation import KEY, NOW, seed, told
from msgspec.structs import replace

from balance_connector.books import Account, Books, Holding
from balance_connector.poll import Rounds
from balance_connector.venue import Note, Response
from balance_connector.venues.kraken.options import KrakenOptions
from balance_connector.venues.kraken.poll import KrakenPoll
from balance_shared.errors import (
    FrameInvalid,
    PictureNeeded,
    VenueRefused,
    VenueUnavailable,
)

PLAIN = b'{"error":[],"result":{"XXBT":{"altname":"XBT"},"ZARS":{"altname":"ARS"}}}'
DISPLAY = b'{"error":[],"result":{"BTC":{"altname":"XBT"},"ARS":{"altname":"ARS"}}}'


class Polls(KrakenPoll):
    """The protocol, and the rounds that tell what it reads."""

    def __init__(self, options: KrakenOptions, known: dict[str, Holding]) -> None:
        super().__init__(KEY, options, known.values())
        account = Account("kraken", "main")
        self.rounds = Rounds(Books(account, "rest", 9, known))


def polls(known: dict[str, Holding] | None = None, **options) -> Polls:
    """Return a protocol at the start of an epoch."""
    return Polls(KrakenOptions(**options), {} if known is None else known)


def balance(**amounts: str) -> bytes:
    """Return an answer of Balance; `_` in a code stands for the dot."""
    rows = {code.replace("_", "."): amount for code, amount in amounts.items()}
    return msgspec.json.encode({"error": [], "result": rows})


def round_of(poll: Polls, answer: bytes, *, names=(PLAIN, DISPLAY), at=NOW):
    """Run one round; return the step of its balances with the events it makes."""
    names = list(names)
    step = None
    poll.begin(at)
    while (request := poll.request(1, at)) is not None:
        body = answer if request.source == "Balance" else names.pop(0)
        step = poll.receive(Response(200, body), at)
    if step.picture is None:
        return step
    events = list(poll.rounds.tell(step.picture, at))
    return replace(step, events=events)


def test_names_come_first_and_then_once_a_day():
    """Two calls of Assets, then Balance; the next rounds ask only for balances."""
    poll = polls()
    first = []
    poll.begin(NOW)
    while (request := poll.request(1, NOW)) is not None:
        first.append((request.method, request.path, request.source))
        poll.receive(Response(200, PLAIN if "=1" not in request.path else DISPLAY), NOW)

    assert [
        ("GET", "/0/public/Assets", "Assets"),
        ("GET", "/0/public/Assets?assetVersion=1", "Assets"),
        ("POST", "/0/private/Balance", "Balance"),
    ] == first
    poll.begin(NOW + timedelta(hours=1))
    assert "Balance" == poll.request(1, NOW).source
    assert poll.request(1, NOW) is None
    poll.begin(NOW + timedelta(days=2))
    assert "Assets" == poll.request(1, NOW).source


def test_failed_round_is_begun_anew():
    """A round that broke off leaves nothing behind."""
    poll = polls()
    round_of(poll, b"<html>")
    poll.begin(NOW)
    poll.request(1, NOW)
    poll.begin(NOW)

    assert "Balance" == poll.request(1, NOW).source


@pytest.mark.parametrize(("rebased", "word"), [(True, "rebased"), (False, "base")])
def test_rebasing_is_said_explicitly(rebased, word):
    """The same switch as on the stream."""
    poll = polls(rebased=rebased)
    poll.begin(NOW)
    poll.request(1, NOW)
    poll.request(1, NOW)

    assert f"rebase_multiplier={word}".encode() in poll.request(1, NOW).body


def test_documented_answer_is_a_picture():
    """The documentation's example, names by the static table alone."""
    html = [b"<html>", b"<html>"]
    events = list(round_of(polls(), seed("rest_balance"), names=html).events)

    assert [
        ("spot", "main", "USD", "171288.6158", "ZUSD"),
        ("spot", "main", "EUR", "504861.8946", "ZEUR"),
        ("spot", "main", "BTC", "1011.1908877900", "XXBT"),
        ("spot", "main", "ETH", "818.5500000000", "XETH"),
        ("spot", "main", "USDT", "500000.00000000", "USDT"),
        ("spot", "main", "DAI", "9999.9999999999", "DAI"),
        ("spot", "main", "DOT", "2.5000000000", "DOT"),
        ("earn", "S", "ETH2", "198.3970800000", "ETH2.S"),
        ("spot", "main", "ETH2", "2.5885574330", "ETH2"),
        ("earn", "M", "USD", "1213029.2780", "USD.M"),
    ] == [
        (e.wallet, e.wallet_id, e.asset, str(e.reported_balance), e.venue_asset)
        for e in events
    ]
    assert {"snapshot"} == {event.kind for event in events}
    assert list(range(10)) == [event.snapshot_index for event in events]
    assert {10} == {event.snapshot_size for event in events}


def test_display_names_that_are_internal_codes_are_none():
    """A venue that does not heed the version must not rename what is known."""
    poll = polls()
    step = round_of(poll, balance(XXBT="1.5", ZUSD="10"), names=(PLAIN, PLAIN))

    assert [("BTC", "XXBT"), ("USD", "ZUSD")] == [
        (event.asset, event.venue_asset) for event in step.events
    ]
    poll.begin(NOW + timedelta(minutes=11))
    assert "Assets" == poll.request(1, NOW).source


def test_names_told_before_serve_until_the_venue_answers():
    """A balance keeps its key through a restart, suffixes and terms too."""
    known: dict[str, Holding] = {}
    plain = b'{"error":[],"result":{"ZMXN":{"altname":"MXN"},"XNEW":{"altname":"NEW"}}}'
    shown = b'{"error":[],"result":{"MXN":{"altname":"MXN"},"NEW":{"altname":"NEW"}}}'
    codes = "ZMXN", "NEW07_S", "XNEW_F", "NEW_M", "AAPLx_T", "XXBT"
    answer = balance(**dict.fromkeys(codes, "1"))
    before = told(round_of(polls(known), answer, names=(plain, shown)))
    poll = polls(known)

    assert before == told(round_of(poll, answer, names=(b"", b"")))
    assert [
        ("spot", "main", "MXN"),
        ("earn", "07.S", "NEW"),
        ("earn", "liquid", "NEW"),
        ("earn", "M", "NEW"),
        ("spot", "main", "AAPLx"),
        ("spot", "main", "BTC"),
    ] == [event[1:4] for event in before]
    later = NOW + timedelta(minutes=11)
    assert [] == told(round_of(poll, answer, names=(plain, shown), at=later))


def test_later_answers_tell_changes_only():
    """What changed is an update with its delta, what vanished is absent."""
    poll = polls()
    list(round_of(poll, balance(XXBT="1.5", ZUSD="10", ETH="3")).events)
    step = round_of(poll, balance(XXBT="1.25", ZUSD="10.0", DOT="2"))
    events = list(step.events)

    assert [
        ("update", "BTC", "1.25", "-0.25"),
        ("update", "DOT", "2", "2"),
        ("absent", "ETH", "0", "-3"),
    ] == [(e.kind, e.asset, str(e.balance), str(e.delta)) for e in events]
    assert {None} == {event.snapshot_id for event in events}
    assert {1} == {event.sequence for event in events}
    assert step.invalid is None
    assert 3 == len({event.event_id for event in events})


def test_unchanged_answer_confirms_and_tells_nothing():
    """Quiet is not dead."""
    poll = polls()
    list(round_of(poll, balance(ZUSD="10")).events)
    step = round_of(poll, balance(ZUSD="10"))

    assert [] == told(step)
    assert step.picture is not None
    assert step.invalid is None


def test_balance_that_comes_back_is_an_update():
    """Absent, then there again."""
    poll = polls()
    list(round_of(poll, balance(ETH="3", ZUSD="1")).events)
    list(round_of(poll, balance(ZUSD="1")).events)
    (event,) = round_of(poll, balance(ZUSD="1", ETH="4")).events

    assert ("update", Decimal(4), Decimal(4)) == (
        event.kind,
        event.balance,
        event.delta,
    )


@pytest.mark.parametrize("order", [("XXBT", "XBT"), ("XBT", "XXBT")])
def test_two_codes_of_one_name_do_not_merge(order):
    """The later one keeps the venue's code, and the clash is counted."""
    first, second = order
    poll = polls()
    step = round_of(poll, balance(**{first: "1", second: "2"}))

    assert [
        ("snapshot", "spot", "main", "BTC", "1"),
        ("snapshot", "spot", "main", second, "2"),
    ] == told(step)
    assert 1 == poll.rounds.books.clashes


def test_clash_is_decided_once():
    """The order of a later answer changes no key."""
    poll = polls()
    list(round_of(poll, balance(XXBT="1", XBT="2")).events)

    assert [] == told(round_of(poll, balance(XBT="2", XXBT="1")))


@pytest.mark.parametrize(
    "codes", [("XXBT", "XBT", "BTC"), ("BTC", "XBT", "XXBT"), ("XBT", "BTC", "XXBT")]
)
def test_canonical_code_owns_its_name(codes):
    """A code that is the name itself could not go under another; the others can."""
    rows = {code: f"{number}" for number, code in enumerate(codes, start=1)}
    poll = polls()
    events = list(round_of(poll, balance(**rows)).events)

    assert {code: code for code in codes} == {
        event.venue_asset: event.asset for event in events
    }
    assert [] == told(round_of(poll, balance(**dict(reversed(rows.items())))))


def test_change_that_does_not_fit_is_told_without_it():
    """Both figures fit; their difference does not, and is unknown."""
    poll = polls()
    list(round_of(poll, balance(ZUSD="99999999999999999999")).events)
    (event,) = round_of(poll, balance(ZUSD="-99999999999999999999")).events

    assert event.delta is None
    assert Decimal(-99999999999999999999) == event.balance


@pytest.mark.parametrize("text", ["ESession:Invalid session", "EAPI:Invalid token"])
def test_session_error_is_not_live(text):
    """Whatever the error, what is not answered is asked again."""
    poll = polls()
    list(round_of(poll, balance(ZUSD="1")).events)
    step = round_of(poll, f'{{"error":["{text}"]}}'.encode())

    assert isinstance(step.demand, PictureNeeded)
    assert step.picture is None


@pytest.mark.parametrize("code", ["", "X" * 300])
def test_code_that_is_no_name_is_unreadable(code):
    """An empty or endless code names nothing."""
    body = f'{{"error":[],"result":{{"{code}":"1","ZUSD":"2"}}}}'.encode()
    step = round_of(polls(), body)

    assert [("snapshot", "spot", "main", "USD", "2")] == told(step)
    assert step.invalid is not None


def test_unknown_code_is_counted_once_and_asks_for_names_sooner():
    """A code that no table knows is passed through; the names are asked for again."""
    poll = polls()
    first = round_of(poll, balance(NEWCOIN="1"))
    list(first.events)
    second = round_of(poll, balance(NEWCOIN="1"))

    assert (Note.UNMAPPED_ASSET,) == first.notes
    assert () == second.notes
    poll.begin(NOW + timedelta(minutes=11))
    assert "Assets" == poll.request(1, NOW).source


@pytest.mark.parametrize(
    "bad", ["NaN", "Infinity", "0.1234567890123456789", "abc", "", "1e400"]
)
def test_unreadable_balance_is_spared(bad):
    """It is neither changed nor absent; the others are told; the state names it."""
    poll = polls()
    list(round_of(poll, balance(XXBT="1", ZUSD="10")).events)
    step = round_of(poll, balance(XXBT=bad, ZUSD="11"))

    assert [("update", "spot", "main", "USD", "11")] == told(step)
    assert frozenset({"XXBT"}) == step.invalid.names
    assert "XXBT" in str(step.invalid)
    assert step.demand is None


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<html>busy</html>", FrameInvalid),
        (b'{"error":[]}', FrameInvalid),
        (b'{"result":{}}', FrameInvalid),
        (b'{"error":null,"result":{}}', FrameInvalid),
        (b'{"error":[],"result":[]}', FrameInvalid),
        (b'{"error":[],"result":{"A":"1"', FrameInvalid),
        (b'{"error":["EService:Unavailable"]}', VenueUnavailable),
        (b'{"error":["EAPI:Rate limit exceeded"],"result":{}}', VenueUnavailable),
        (b'{"error":["EAPI:Invalid key"]}', VenueRefused),
        (b'{"error":["EGeneral:Permission denied"]}', VenueRefused),
    ],
)
def test_faulty_answer_is_never_no_balances(body, error):
    """No error, page or missing result makes a balance vanish."""
    poll = polls()
    list(round_of(poll, balance(XXBT="1")).events)
    step = round_of(poll, body)

    assert error is type(step.demand)
    assert [] == told(step)
    assert step.picture is None


def test_maintenance_is_told():
    """Maintenance is told from other failures."""
    down = round_of(polls(), b'{"error":["EService:Unavailable"]}')
    failed = round_of(polls(), b'{"error":["EGeneral:Internal error"]}')

    assert down.demand.maintenance
    assert not failed.demand.maintenance


def test_numbers_are_taken_too():
    """The venue's examples show texts and numbers both."""
    step = round_of(polls(), b'{"error":[],"result":{"ZUSD":1.50,"XXBT":"2"}}')

    assert ["1.50", "2"] == [str(event.balance) for event in step.events]


def test_tokenized_asset_has_its_class():
    """`.T` is an asset class on the spot wallet."""
    (event,) = round_of(polls(), b'{"error":[],"result":{"AAPLx.T":"1"}}').events

    assert ("AAPLx", "spot", "main", "tokenized_asset") == (
        event.asset,
        event.wallet,
        event.wallet_id,
        event.asset_class,
    )
