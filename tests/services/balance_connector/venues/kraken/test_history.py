"""The ledger of a stretch: calls, pages, entries, refusals."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from conversation import KEY, NOW
from hypothesis import given, settings
from hypothesis import strategies as st

from balance_connector.books import Holding, Pocket
from balance_connector.venue import Response, Stretch
from balance_connector.venues import VENUES
from balance_connector.venues.kraken.history import PAGE, KrakenHistory
from balance_connector.venues.kraken.options import KrakenOptions
from balance_shared.errors import FrameInvalid, VenueRefused, VenueUnavailable
from strategies import json_values

HTML = b"<html>"
ENTRY = {
    "refid": "TWCIFQ-N4FPW-6V53J5",
    "time": 1767225600.1234,
    "type": "trade",
    "subtype": "",
    "aclass": "currency",
    "asset": "XXBT",
    "amount": "-0.5000000000",
    "fee": "0.0010000000",
    "balance": "1.4990000000",
}


def history(changed=(), **options) -> KrakenHistory:
    """Return the protocol of an hour."""
    stretch = Stretch(NOW - timedelta(hours=1), NOW, changed)
    return KrakenHistory(KEY, KrakenOptions(**options), stretch)


def page(**entries) -> bytes:
    """Return an answer of Ledgers."""
    return msgspec.json.encode({"error": [], "result": {"ledger": entries, "count": 9}})


def asked(protocol: KrakenHistory, *pages: bytes):
    """Return the requests for ledgers, and the steps that their answers make."""
    requests, steps, pages = [], [], list(pages)
    while (request := protocol.request(7, NOW)) is not None:
        if request.source != "Ledgers":
            protocol.receive(Response(200, HTML), NOW)
            continue
        requests.append(request)
        steps.append(protocol.receive(Response(200, pages.pop(0)), NOW))
        if steps[-1].demand is not None:
            break
    return requests, steps


def test_stretch_is_asked_for_with_a_fixed_end():
    """Whole seconds around it, the switch of rebasing, and the nonce."""
    (request,), _ = asked(history(), page())
    body = dict(pair.split("=") for pair in request.body.decode().split("&"))

    assert ("POST", "/0/private/Ledgers") == (request.method, request.path)
    assert str(int(NOW.timestamp()) - 3600) == body["start"]
    assert int(body["end"]) >= NOW.timestamp()
    assert ("0", "rebased", "7") == (
        body["ofs"],
        body["rebase_multiplier"],
        body["nonce"],
    )


def test_pages_follow_until_one_is_not_full():
    """Fifty entries a page; nothing is asked twice, the oldest wait for the next."""
    ledger = {f"L{number}": ENTRY | {"time": 200 - number} for number in range(101)}
    names = list(ledger)
    pages = [
        page(**{name: ledger[name] for name in names[at : at + PAGE]})
        for at in (0, 50, 100)
    ]
    requests, steps = asked(history(), *pages)

    assert [b"ofs=0", b"ofs=50", b"ofs=100"] == [
        next(part for part in request.body.split(b"&") if part.startswith(b"ofs"))
        for request in requests
    ]
    assert [49, 50, 2] == [len(step.lines) for step in steps]
    assert set(names) == {line.venue_id for step in steps for line in step.lines}


def test_entry_is_a_line_with_every_digit():
    """The wallet is told by the code's suffix; what is not ours is an attribute."""
    _, (step,) = asked(history(), page(LMKZCZ=ENTRY))
    (line,) = step.lines

    assert ("spot", "main", "BTC", "XXBT") == (
        line.pocket.wallet,
        line.pocket.wallet_id,
        line.pocket.asset,
        line.pocket.venue_asset,
    )
    assert ("1.4990000000", "-0.5010000000") == (str(line.balance), str(line.delta))
    assert ("LMKZCZ", "unknown") == (line.venue_id, line.scope)
    assert 123400 == line.venue_time.microsecond
    assert {"aclass": "currency"} == line.attributes
    (movement,) = line.movements
    assert ("TWCIFQ-N4FPW-6V53J5", "trade", None, Decimal("0.001")) == (
        movement.reference_id,
        movement.type,
        movement.subtype,
        movement.fee,
    )


def test_lines_are_told_oldest_first():
    """The venue's pages have no order."""
    _, (step,) = asked(
        history(), page(B=ENTRY | {"time": 20}, A=ENTRY | {"time": 10.5})
    )

    assert ["A", "B"] == [line.venue_id for line in step.lines]


def test_line_waits_for_the_name_of_its_code():
    """What changed has its name from the stream; of another the venue has to say it."""
    pocket = Pocket("", "spot", "main", "NEW", "NEW")
    changed = (Holding(pocket, Decimal(1), NOW),)
    known = page(B=ENTRY | {"asset": "NEW07.S"}, A=ENTRY)
    _, (named,) = asked(history(changed), known)
    waiting = history(changed)
    _, (step,) = asked(waiting, page(A=ENTRY, C=ENTRY | {"asset": "ZMXN"}))

    assert [("BTC", "main"), ("NEW", "07.S")] == [
        (line.pocket.asset, line.pocket.wallet_id) for line in named.lines
    ]
    assert (VenueUnavailable, (), None, False) == (
        type(step.demand),
        step.lines,
        step.invalid,
        step.keep,
    )


def test_line_of_a_code_that_the_venue_does_not_list_is_told():
    """Once it has told its names, there is nothing to wait for."""
    names = b'{"error":[],"result":{"BTC":{"altname":"XBT"}}}'
    answers = {"Ledgers": page(C=ENTRY | {"asset": "ZMXN"}), "Assets": names}
    protocol = history()
    while (request := protocol.request(7, NOW)) is not None:
        step = protocol.receive(Response(200, answers[request.source]), NOW)

    assert ["ZMXN"] == [line.pocket.asset for line in step.lines]


def test_fills_of_one_instant_are_told_oldest_first():
    """Each goes on from the balance that the one before it led to."""
    fills = [("C", "3", "6"), ("B", "2", "3"), ("A", "1", "1")]
    ledger = {
        name: ENTRY | {"amount": amount, "fee": "0", "balance": balance}
        for name, amount, balance in fills
    }
    _, (step,) = asked(history(), page(**ledger))

    assert ["A", "B", "C"] == [line.venue_id for line in step.lines]


def test_unreadable_entry_is_a_dead_letter():
    """The others are told."""
    _, (step,) = asked(history(), page(A=ENTRY | {"amount": "NaN"}, B=ENTRY))

    assert ["B"] == [line.venue_id for line in step.lines]
    assert "A" in str(step.invalid)
    assert step.demand is None


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (HTML, FrameInvalid),
        (b'{"error":[],"result":{}}', FrameInvalid),
        (b'{"error":["EAPI:Rate limit exceeded"]}', VenueUnavailable),
        (b'{"error":["EGeneral:Permission denied"]}', VenueRefused),
    ],
)
def test_faulty_answer_is_asked_again_or_refused(body, error):
    """A refusal names the permission."""
    _, (step,) = asked(history(), body)

    assert error is type(step.demand)
    assert () == step.lines
    if error is VenueRefused:
        assert "Query Ledger Entries" in str(step.demand)


def test_all_users_have_no_history():
    """The ledger is the key's own, and tells no user."""
    assert history(users_all=True).request(1, NOW) is None


@settings(max_examples=300, deadline=None)
@given(entries=st.dictionaries(st.text(max_size=8), json_values(*ENTRY), max_size=3))
def test_history_takes_in_anything(entries):
    """No answer raises."""
    body = msgspec.json.encode({"error": [], "result": {"ledger": entries}})
    protocol = history()
    while protocol.request(1, NOW) is not None:
        step = protocol.receive(Response(200, body), NOW)
        if step.demand is not None:
            break


def test_calls_stay_within_the_lowest_limit():
    """A history of many pages, with polls beside it: 0.33 points a second come back."""
    row = VENUES["kraken"]
    points_per_s = 2 / row.history_interval_s + 1 / row.poll_interval_s
    assert points_per_s < 0.33
