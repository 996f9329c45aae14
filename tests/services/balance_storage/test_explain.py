"""Picture and changes make the figure, or the explanation says where they do not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_shared.errors import SettingsError
from balance_storage.explain import Fact, Line, Proof, explain, frame_of, key_of

START = datetime(2026, 3, 1, tzinfo=UTC)
KEY = "kraken|main||spot/main|BTC"
AMOUNTS = st.decimals(
    min_value=Decimal("-1e19"), max_value=Decimal("1e19"), places=18, allow_nan=False
)


def fact(number, balance, delta=None, **fields):
    """Return one event as stored."""
    told = {
        "event_id": f"id-{number}",
        "feed": "ws",
        "kind": "update",
        "available": None,
        "reported_balance": None,
        "balance_scope": "wallet",
        "venue_time": None,
        "received_at": START + timedelta(seconds=number),
        "epoch": 1,
        "sequence": number,
        "snapshot_id": None,
        "snapshot_index": None,
        "snapshot_size": None,
        "topic": "balances.events.v1",
        "topic_partition": 3,
        "topic_offset": number,
        "effective_at": START + timedelta(seconds=number),
        "again": False,
    }
    given = {"balance": Decimal(balance), "delta": delta and Decimal(delta)}
    return Fact(**told | given | fields)


def picture(number, balance):
    """Return a row of a picture."""
    of = {"snapshot_id": f"p{number}", "snapshot_index": 0, "snapshot_size": 1}
    return fact(number, balance, kind="snapshot", **of)


def line(number, change):
    """Return a ledger line of an event."""
    amount = None if change is None else Decimal(change)
    return Line(
        f"id-{number}", f"L{number}", None, "deposit", None, amount, None, amount, None
    )


@pytest.mark.parametrize(
    ("verdict", "observed", "event", "is_judged"),
    [
        ("PROVEN", "3", "id-2", True),
        ("PROVEN", None, "id-2", True),
        ("PROVEN", "3", "id-1", False),
        ("PROVEN", "3.000000000000000001", "id-2", False),
        ("VIOLATED", "7", "id-2", True),
        ("VIOLATED", "7", "id-1", False),
    ],
)
def test_verdict_is_of_the_figure_or_of_another(verdict, observed, event, is_judged):
    """A proof that has not seen the event, or saw another balance, proves another."""
    seen = None if observed is None else Decimal(observed)
    proof = Proof(verdict, "chain", "", None, seen, None, None, START, event)
    facts = [picture(1, "1"), fact(2, "3", "2")]
    assert is_judged is explain(KEY, facts, proof=proof).is_judged
    assert not explain(KEY, facts).is_judged


def history(start, deltas):
    """Return a picture and updates that add up."""
    facts, balance = [picture(0, start)], start
    for number, delta in enumerate(deltas, start=1):
        balance += delta
        facts.append(fact(number, balance, delta))
    return facts


@given(AMOUNTS, st.lists(AMOUNTS, max_size=8))
def test_picture_and_changes_make_the_figure(start, deltas):
    """To the last digit, however many there are."""
    with localcontext(prec=60):
        facts = history(start, deltas)
        found = explain(KEY, facts)
        assert found.adds_up
        assert found.figure == facts[-1]
        assert start + found.change == found.figure.balance
    assert () == found.breaks


@given(
    AMOUNTS,
    st.lists(AMOUNTS, min_size=1, max_size=8),
    AMOUNTS.filter(bool),
    st.data(),
)
def test_unexplained_change_is_found_where_it_is(start, deltas, lost, data):
    """One lost movement: that step breaks, by that much, and no other."""
    at = data.draw(st.integers(0, len(deltas) - 1))
    with localcontext(prec=60):
        facts = history(start, deltas)
        for number in range(at + 1, len(facts)):
            moved = facts[number].balance + lost
            facts[number] = fact(number, moved, deltas[number - 1])
        found = explain(KEY, facts)
    assert found.adds_up is False
    (step,) = found.breaks
    assert (at + 1, lost) == (step.fact.sequence, step.residual)


def test_last_picture_is_what_a_figure_stands_on():
    """What came before it is no part of the explanation."""
    facts = [*history(Decimal(1), [Decimal(2)]), picture(5, 7), fact(6, 8, 1)]
    found = explain(KEY, facts)
    assert (Decimal(7), True) == (found.base.balance, found.stands_on_picture)
    assert [Decimal(8)] == [step.fact.balance for step in found.steps]


def test_figure_without_a_picture_begins_with_the_first_fact():
    """That is said, and not called a picture."""
    found = explain(KEY, [fact(1, 5, 5), fact(2, 6, 1)])
    assert not found.stands_on_picture
    assert found.adds_up


def test_change_that_was_not_told_cannot_be_added():
    """No difference of balances is taken for the venue's own word."""
    found = explain(KEY, [picture(0, 1), fact(1, 3), fact(2, 4, 1)])
    assert (None, 1) == (found.adds_up, found.untold)
    assert Decimal(2) == found.steps[0].difference


def test_ledger_lines_belong_to_their_event():
    """Their sum is the change, unless one of them does not tell it."""
    facts = [picture(0, 1), fact(1, 4, 3), fact(2, 5, 1)]
    found = explain(KEY, facts, [line(1, 1), line(1, 2), line(2, 1), line(2, None)])
    assert [Decimal(3), None] == [step.of_lines for step in found.steps]


def test_frame_is_found_by_feed_epoch_and_arrival():
    """All events of a frame share them."""
    assert ("ws", 1, START) == frame_of(picture(0, 1))


KEYS = (
    KEY,
    "kraken|main||spot/main|ETH",
    "kraken|main||earn/liquid|ETH",
    "bitfinex|main||spot/exchange|BTC",
    "zerohash|main|A%2FB/C/general|spot/available|USDC.SOL",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (KEY, KEY),
        ("kraken|main|BTC", KEY),
        ("KRAKEN|btc", KEY),
        ("kraken|earn|ETH", KEYS[2]),
        ("kraken|earn/liquid", KEYS[2]),
        ("usdc.sol", KEYS[4]),
    ],
)
def test_parts_of_a_key_name_it(text, expected):
    """Where only one balance has them, in that order, whatever the case."""
    assert expected == key_of(text, KEYS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kraken|ETH", r"may be .*earn/liquid\|ETH, .*spot/main\|ETH"),
        ("BTC", "may be bitfinex"),
        ("kraken|main||spot/main|BTT", r"did you mean kraken\|main\|\|spot/main\|BTC"),
        ("BTC|kraken", r"no balance 'BTC\|kraken'"),
        ("", "no balance ''"),
        ("zzzzzz", "`balancebus balances` lists"),
    ],
)
def test_other_keys_are_refused_with_what_may_be_meant(text, message):
    """One line."""
    with pytest.raises(SettingsError, match=message) as caught:
        key_of(text, KEYS)
    assert "\n" not in str(caught.value)
