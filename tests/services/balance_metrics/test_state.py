"""Records fold into what each series shows."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from balance_metrics.state import UNITS, State


def take(state, *events):
    """Take events in order; returns the series touched by the last."""
    touched = set()
    for event in events:
        touched = state.take_balance(event.key, event)
    return touched


def test_a_balance_is_shown_as_it_is(make):
    """Balance, free part and times of one event."""
    state = State()
    event = make.event(available=Decimal("0.5"), venue_time=make.at(-3))
    assert {make.series()} == take(state, event)
    values = state.values(make.series())
    assert Decimal("1.5") * UNITS == values.balance
    assert Decimal("0.5") * UNITS == values.available
    assert make.at(-3) == values.changed
    assert make.at(0) == values.confirmed


def test_wallets_of_one_kind_are_summed_exactly(make):
    """A tenth and two tenths are three tenths, and no digit is lost to size."""
    state = State()
    amounts = {"a": "0.1", "b": "0.2", "c": "99999999999999999999", "d": "1e-18"}
    for name, amount in amounts.items():
        event = make.event(
            wallet_id=name, balance=Decimal(amount), available=Decimal(amount)
        )
        take(state, event)
    values = state.values(make.series())
    assert values.balance == 99999999999999999999_300000000000000001
    assert values.balance == values.available


def test_free_part_is_unknown_while_one_wallet_has_not_said(make):
    """A sum that leaves something out would be a lie."""
    state = State()
    take(state, make.event(wallet_id="a", available=Decimal(1)))
    take(state, make.event(wallet_id="b"))
    assert state.values(make.series()).available is None
    take(state, make.event(wallet_id="b", kind="absent", balance=Decimal(0)))
    assert state.values(make.series()).available == UNITS


def test_absent_is_zero(make):
    """A balance that is not in the new picture is 0, not gone."""
    state = State()
    absent = make.event(kind="absent", balance=Decimal(0), epoch=2)
    take(state, make.event(), absent)
    assert state.values(make.series()).balance == 0


def test_older_epoch_changes_nothing(make):
    """A process that was paused and speaks late is not believed."""
    state = State()
    take(state, make.event(epoch=2))
    assert set() == take(state, make.event(epoch=1, balance=Decimal(9)))
    assert Decimal("1.5") * UNITS == state.values(make.series()).balance


def test_backfill_changes_nothing(make):
    """History is not the present, should it ever get onto the topic."""
    assert set() == take(State(), make.event(kind="backfill"))


def test_tombstone_takes_the_balance_away(make):
    """The series goes with its last balance; a second tombstone is harmless."""
    state, event = State(), make.event()
    take(state, event)
    assert {make.series()} == state.take_balance(event.key, None)
    assert state.values(make.series()) is None
    assert set() == state.take_balance(event.key, None)


def test_changed_moves_only_with_the_figure(make):
    """The same balance told again is not a change."""
    state = State()
    take(state, make.event(), make.event(received_at=make.at(5), epoch=2))
    assert make.at(0) == state.values(make.series()).changed
    take(state, make.event(received_at=make.at(9), epoch=2, balance=Decimal(2)))
    assert make.at(9) == state.values(make.series()).changed


def test_update_does_not_confirm(make):
    """Only pictures and the feed's status say that all is right."""
    state = State()
    take(state, make.event(kind="update"))
    assert state.values(make.series()).confirmed is None
    take(state, make.event(), make.event(kind="update", received_at=make.at(9)))
    assert make.at(0) == state.values(make.series()).confirmed


def test_status_confirms_the_balances_of_its_feed(make):
    """The primary feed's word counts; the other feed's does not."""
    state = State()
    take(state, make.event())
    rest = make.status(feed="rest", confirmed_at=make.at(90))
    state.take_status(rest.key, rest)
    assert make.at(0) == state.values(make.series()).confirmed
    live = make.status(confirmed_at=make.at(30))
    assert {make.series()} == state.take_status(live.key, live)
    assert make.at(30) == state.values(make.series()).confirmed


def test_confirmation_is_never_taken_back(make):
    """A status that knows less, or is older, leaves the last confirmation."""
    state = State()
    take(state, make.event())
    for seconds in (30, 20, None):
        time = None if seconds is None else make.at(seconds)
        status = make.status(confirmed_at=time)
        touched = state.take_status(status.key, status)
        assert (seconds == 30) == bool(touched)
    assert make.at(30) == state.values(make.series()).confirmed


def test_sum_is_confirmed_when_all_its_parts_are(make):
    """The oldest confirmation counts; one that is missing leaves none."""
    state = State()
    take(state, make.event(wallet_id="a"))
    take(state, make.event(wallet_id="b", received_at=make.at(5)))
    assert make.at(0) == state.values(make.series()).confirmed
    take(state, make.event(wallet_id="c", kind="update"))
    assert state.values(make.series()).confirmed is None


def test_account_goes_with_its_last_feed(make):
    """Its series go, and come back when it does."""
    state, other = State(), make.event(account="other")
    take(state, make.event(), other)
    live, rest = make.status(), make.status(feed="rest")
    state.take_status(live.key, live)
    state.take_status(rest.key, rest)
    assert set() == state.take_status(rest.key, None)
    assert state.values(make.series())
    assert {make.series()} == state.take_status(live.key, None)
    assert state.values(make.series()) is None
    assert state.values(make.series(account="other"))
    assert {make.series()} == state.take_status(live.key, live)
    assert state.values(make.series())


def test_tombstone_of_an_unknown_feed_is_harmless(make):
    """A tombstone may outlive what it deleted."""
    assert set() == State().take_status("kraken|main|ws", None)


def test_assets_off_the_list_are_only_counted(make):
    """Sums over assets mean nothing, so that others have a number, not a sum."""
    state = State({"BTC"})
    take(state, make.event(), make.event(asset="DOGE"), make.event(asset="PEPE"))
    assert state.values(make.series())
    assert state.values(make.series(asset="DOGE")) is None
    assert state.not_exported() == {("kraken", "main"): 2}
    status = make.status()
    state.take_status(status.key, status)
    state.take_status(status.key, None)
    assert state.not_exported() == {}


TOLD = st.tuples(
    st.sampled_from(["a", "b"]),
    st.one_of(st.none(), st.tuples(st.integers(1, 3), st.decimals(-9, 9, places=18))),
)


@given(st.lists(TOLD))
def test_balance_is_the_last_of_the_greatest_epoch(make, told):
    """Whatever the history, the sum is over what each wallet told last."""
    state, held = State(), {}
    for name, what in told:
        key = make.event(wallet_id=name).key
        if what is None:
            held.pop(name, None)
            state.take_balance(key, None)
            continue
        epoch, balance = what
        event = make.event(wallet_id=name, epoch=epoch, balance=balance)
        state.take_balance(key, event)
        if name not in held or epoch >= held[name][0]:
            held[name] = what
    values = state.values(make.series())
    if held:
        assert sum(int(b.scaleb(18)) for _, b in held.values()) == values.balance
    else:
        assert values is None
