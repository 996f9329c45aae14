"""Events from what was told: ids, places, zeros, clashes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from balance_connector.books import (
    Account,
    Books,
    Fact,
    Facts,
    Observed,
    Pocket,
    Told,
    known_from,
    nature_of,
)
from balance_shared.remembered import Remembered

TOLD = Told(datetime(2026, 1, 1, tzinfo=UTC), 3, "3")


def books(known=None, epoch=5) -> Books:
    """Return the books of an epoch."""
    return Books(Account("v", "a|b"), "ws", epoch, {} if known is None else known)


def observed(asset: str, balance: str = "1", code: str | None = None, **more):
    """Return one balance as told."""
    pocket = Pocket("s/1", "spot", "main", asset, code or asset)
    return Observed(pocket, Decimal(balance), **more)


@pytest.mark.parametrize(
    ("wallet", "wallet_id", "nature"),
    [
        ("spot", "main", "asset"),
        ("staked", "x", "asset"),
        ("payable", "payable", "liability"),
        ("collateral_deficiency", "x", "liability"),
        ("receivable", "x", "claim"),
        ("unspecified", "", "asset"),
        ("unspecified", "vault:cold", "unknown"),
        ("brandnew", "x", "unknown"),
    ],
)
def test_nature(wallet, wallet_id, nature):
    """What may be summed with what."""
    assert nature == nature_of(wallet, wallet_id)


def test_key_parts_are_encoded():
    """Separators inside of names cannot make two balances one."""
    event = books().update(observed("B|C"), TOLD, 0)

    assert "v|a%7Cb|s%2F1|spot/main|B%7CC" == event.key


def test_fact_with_an_id_has_the_same_id_in_every_epoch():
    """The same fact told twice is one fact."""
    first = books(epoch=5).update(observed("X", venue_id="L/1"), TOLD, 0)
    again = books(epoch=6).update(observed("X", venue_id="L/1"), TOLD, 9)

    assert "v|a%7Cb|s%2F1|L%2F1" == first.event_id == again.event_id


def test_fact_without_an_id_is_named_by_its_place():
    """Feed, epoch, sequence and position."""
    assert "v|a%7Cb|ws|5|3|7" == books().update(observed("X"), TOLD, 7).event_id


def test_picture_counts_its_absents():
    """Size is everything that is told; the absent come last, with no figure."""
    known = {}
    list(books(known).picture([observed("A"), observed("B")], TOLD))
    events = list(books(known, epoch=6).picture([observed("B", "2")], TOLD))

    assert [("snapshot", "B", 0, 2), ("absent", "A", 1, 2)] == [
        (e.kind, e.asset, e.snapshot_index, e.snapshot_size) for e in events
    ]
    assert events[1].reported_balance is None
    assert Decimal(0) == events[1].balance
    assert 1 == len({event.snapshot_id for event in events})


@pytest.mark.parametrize("tell", ["picture", "changes"])
def test_what_a_filtered_picture_does_not_cover_is_left_alone(tell):
    """It is neither zero nor ours any more; what is covered and missing is zero."""
    known = {}
    list(books(known).picture([observed("A"), observed("B"), observed("C")], TOLD))
    account = books(known, epoch=6)
    rows = [observed("A", "2")]
    events = getattr(account, tell)(rows, TOLD, covers=lambda p: p.asset != "C")

    assert [("A", "2"), ("B", "0")] == [(e.asset, str(e.balance)) for e in events]
    assert {"v|a%7Cb|s%2F1|spot/main|A"} == set(known)


@pytest.mark.parametrize(
    ("spared", "gone"),
    [
        ((), {"hold", "spot"}),
        ({("s/1", "A")}, set()),
        ({("s/1", "hold-id", "A")}, {"spot"}),
        ({("other", "A"), ("s/1", "hold-id", "B")}, {"hold", "spot"}),
        (None, set()),
    ],
)
def test_what_could_not_be_read_is_not_absent(spared, gone):
    """Where the wallet is known that balance alone is spared, else the asset's all."""
    known = {}
    wallets = [("spot", "main"), ("hold", "hold-id")]
    rows = [Observed(Pocket("s/1", *w, "A", "A"), Decimal(1)) for w in wallets]
    list(books(known).picture(rows, TOLD))
    events = books(known, epoch=6).picture([], TOLD, spared=spared)

    assert gone == {event.wallet for event in events}


def test_absent_is_told_once():
    """What is gone is not told again with every picture."""
    known = {}
    list(books(known).picture([observed("A")], TOLD))
    list(books(known, epoch=6).picture([], TOLD))

    assert [] == list(books(known, epoch=7).picture([], TOLD))


def test_update_under_a_taken_key_keeps_its_code():
    """Two codes of one name in one epoch never share a key."""
    account = books()
    account.update(observed("BTC", code="XXBT"), TOLD, 0)
    event = account.update(observed("BTC", code="XBT"), TOLD, 1)

    assert ("XBT", "XBT", 1) == (event.asset, event.venue_asset, account.clashes)


def test_other_feeds_code_is_no_clash():
    """A key that another feed told under another code is taken over."""
    known = {}
    books(known).update(observed("BTC", code="XXBT"), TOLD, 0)
    account = books(known, epoch=6)
    (event,) = account.picture([observed("BTC", code="BTC")], TOLD)

    assert ("BTC", "snapshot", 0) == (event.asset, event.kind, account.clashes)


def test_latest_gives_back_what_was_known():
    """What lies on the bus is what the next process starts from."""
    known = {}
    events = list(books(known).picture([observed("A"), observed("B", "2")], TOLD))

    assert known == known_from(events)


def test_change_of_what_is_available_is_a_change():
    """A reader sees both figures; polls tell what differs in either."""
    held = {}
    ours = books(held)
    list(ours.picture([observed("X", "5", available=Decimal(5))], TOLD))
    same = list(ours.changes([observed("X", "5", available=Decimal(5))], TOLD))
    (event,) = ours.changes([observed("X", "5", available=Decimal(2))], TOLD)

    assert [] == same
    assert (Decimal(5), Decimal(2), Decimal(0)) == (
        event.balance,
        event.available,
        event.delta,
    )


def test_facts_are_read_back_as_they_were_remembered():
    """Pictures tell none, lines have ids; a fuller or calculated figure has no line."""
    ours = books()
    one = Decimal(1)
    known = observed("Y", "7", available=one)
    told = [
        *ours.picture([observed("X", "5"), known, observed("W", "3")], TOLD),
        ours.update(observed("X", "5", available=one), TOLD, 0),
        ours.update(observed("X", "6"), TOLD, 1),
        ours.update(observed("X", "6", available=one), TOLD, 2),
        ours.update(observed("Y", "8", available=one), TOLD, 3),
        ours.update(observed("Z", "1", venue_id="L1"), TOLD, 4),
        ours.update(observed("W", "4", available=one), TOLD, 5),
        *ours.backfill([observed("Y", "9", venue_id="L2")], TOLD),
    ]
    facts = Facts()
    for event in told:
        facts.take(event)

    assert ours.recent.items() <= facts.told.items()
    assert {event.event_id for event in told[3:]} == set(facts.told)
    assert ["X6", "Y8", "Z1"] == [
        f"{fact.key[-1]}{fact.balance}" for fact in facts.told.values() if fact.key
    ]


def moved(ours: Books, *told: tuple[str, float]):
    """Tell updates without an id: each a balance, and so many seconds from now."""
    return [
        ours.update(observed("X", balance, venue_time=at(seconds)), TOLD, position)
        for position, (balance, seconds) in enumerate(told)
    ]


def at(seconds: float) -> datetime:
    """Return a time, so many seconds from now."""
    return TOLD.received_at + timedelta(seconds=seconds)


def late(ours: Books, *lines: tuple[str, float], until: float = 600) -> list[float]:
    """Return when the lines of a history were that are told late."""
    rows = [
        observed("X", balance, venue_id=f"{balance}@{when}", venue_time=at(when))
        for balance, when in lines
    ]
    events = ours.backfill(rows, TOLD, at(until))
    return [(event.venue_time - TOLD.received_at).total_seconds() for event in events]


def test_balance_that_comes_back_is_told_as_often_as_it_was():
    """A line is of the update of its own time, not of the last with its balance."""
    ours = books()
    lines = [("9", 0), ("10", 2), ("9", 4)]
    moved(ours, *lines)

    assert [4.2] == late(
        ours, *[(each, when + 0.1) for each, when in lines], ("9", 4.2)
    )


def test_lost_line_is_not_taken_for_an_earlier_one_of_its_balance():
    """Seconds apart they may be one, but not half a minute."""
    ours = books()
    moved(ours, ("9", 60), ("10", 65))

    assert [91, 91] == late(ours, ("9", 91), ("6", 91))


def test_update_is_of_the_nearest_line():
    """Of two lines within seconds the one that was lost is told late."""
    ours = books()
    moved(ours, ("9", 4))

    assert [1] == late(ours, ("9", 1), ("9", 3.9))


def test_update_is_not_of_a_lost_line_whose_own_comes_after_the_end():
    """What lies beyond a stretch keeps its updates, and is told by a later one."""
    ours = books()
    moved(ours, ("3", 11), ("0", 11.5))
    lost, own = ("0", 9.5), ("0", 11.4)

    assert [9.5] == late(ours, lost, ("3", 10.9), own, until=10)
    assert [] == late(ours, lost, ("3", 10.9), own, until=40)


def test_lost_line_beyond_the_end_is_told_by_a_later_stretch():
    """It is neither told nor counted as told."""
    ours = books()

    assert [] == late(ours, ("0", 10.5), until=10)
    assert [10.5] == late(ours, ("0", 10.5), until=40)


def test_more_lines_than_are_remembered_are_all_told():
    """What is forgotten while one answer is told is told all the same."""
    ours = Books(books().account, "ws", 6, {}, Remembered(2))

    assert [1, 2, 3] == late(ours, ("7", 1), ("8", 2), ("9", 3))


def test_line_that_was_not_asked_for_is_told():
    """A venue that answers more than it was asked leaves it to no later stretch."""
    assert [600] == late(books(), ("0", 600), until=10)


def test_answer_to_a_calculation_stands_for_no_line_after_zero_either():
    """It may have been asked for before the balance was zero."""
    ours = books()
    moved(ours, ("0", 0))
    calculated = observed("X", "2", available=Decimal(2), venue_time=at(1))
    ours.update(calculated, TOLD, 1)

    assert [1] == late(ours, ("2", 1))


def test_line_is_told_of_one_update_after_a_restart_too():
    """What is read back serves as what was remembered does."""
    ours = books()
    lines = [("9", 0), ("10", 2), ("9", 4)]
    facts = Facts()
    for event in moved(ours, *lines):
        facts.take(event)
    again = Books(ours.account, "ws", 6, {}, facts.told)

    assert ours.recent == facts.told
    assert [30] == late(again, *lines, ("9", 30))
    assert [] == late(again, *lines, ("9", 30))


def test_picture_says_which_balances_stood_still():
    """By figure and by code: another code's balance under the key is another one."""
    known = {}
    list(books(known).picture([observed("A"), observed("B"), observed("C")], TOLD))
    rows = [observed("A"), observed("B", "2"), observed("C", code="XC"), observed("D")]
    ours = books(known, epoch=6)

    assert {ours.key(rows[0].pocket)} == ours.unmoved(rows)


def test_fact_is_known_by_its_id():
    """Where it was told, what it led to; nothing of what was not."""
    ours = books()
    event = ours.update(observed("X", "3", venue_id="L/1", venue_time=at(1)), TOLD, 0)

    assert Fact(at(1), event.key, Decimal(3)) == ours.fact("s/1", "L/1")
    assert ours.fact("s/1", "L/2") is None


def test_memory_of_facts_is_bounded():
    """The oldest are forgotten, of one balance as of many."""
    ours = Books(Account("v", "a"), "ws", 5, {}, Remembered(2))
    moved(ours, ("9", 0), ("9", 1), ("9", 2))

    assert [at(1), at(2)] == [fact.at for fact in ours.recent.values()]


@pytest.mark.parametrize("asset", ["USDC.SOL", "USDC-ALIAS"])
def test_absent_says_which_account_it_was(asset):
    """The venue's number and the coin below the chain stay with the zero."""
    pocket = Pocket("s", "spot", "a", asset, "USDC.SOL", "currency", "SOL", "id-7")
    held = {}
    list(books(held).picture([Observed(pocket, Decimal(1))], TOLD))
    (event,) = books(held, epoch=6).picture([], TOLD)

    assert {"account_id": "id-7", "base_asset": "USDC"} == event.attributes


def test_late_line_of_a_clashing_code_keeps_its_own_key():
    """The key belongs to the balance that had it, in a history too."""
    held = {}
    list(books(held).picture([observed("USDT", code="USDT")], TOLD))
    late = books(dict(held), epoch=6)
    (event,) = late.backfill([observed("USDT", code="UST", venue_id="L1")], TOLD)

    assert "UST" == event.asset
