"""Who is told what about the ledger's lines."""

import json

import pytest

_DEPOSIT = {"asset": "BTC", "amount": "1"}
_TRADE = {"base": "BTC", "quote": "USD", "volume": "-0.01", "price": "7804.6"}


def _kinds(ear):
    return [frame[1] for frame in ear.heard()]


def test_other_frames_surround_updates_where_nothing_filters_them(desk):
    """Trades, totals and notifications come too, all of them numbered."""
    everything, _ = desk.log_in()
    wallets, _ = desk.log_in(filter=["wallet"])
    desk.venue.operate("trade", _TRADE)
    frames = everything.heard()
    assert ["te", "wu", "wu", "wu", "tu", "bu"] == [frame[1] for frame in frames]
    assert list(range(7, 13)) == [frame[3] for frame in frames]
    assert "tBTCUSD" == frames[0][2][1] == frames[4][2][1]
    assert frames[0][2][9] is None
    assert frames[4][2][9] < 0
    assert ["wu"] * 3 == _kinds(wallets)
    move = {"asset": "USD", "amount": "1"}
    desk.venue.operate("transfer", move)
    (note,) = [frame for frame in everything.heard() if frame[1] == "n"]
    assert "wallet_transfer" == note[2][1]
    assert 3 == len(note[3:])


def test_noise_can_be_switched_off(desk_with):
    """Without it only wallets are told."""
    ear, told = desk_with(noise=False).log_in()
    assert ["ws"] == [frame[1] for frame in told[1:]]
    assert [] == ear.heard()


def test_filters_choose_wallets(desk):
    """A client hears of the one wallet that it asked for."""
    ear, _ = desk.log_in(filter=["wallet-exchange-USD"])
    desk.venue.operate("trade", _TRADE)
    assert [["exchange", "USD"]] * 2 == [frame[2][:2] for frame in ear.heard()]


def test_silent_changes_are_told_to_nobody(desk):
    """An operation that is not announced moves the books and no number."""
    ear, _ = desk.log_in(filter=["wallet"])
    desk.venue.operate("deposit", _DEPOSIT | {"announce": False})
    desk.venue.operate("deposit", _DEPOSIT)
    (frame,) = ear.heard()
    assert 2 == frame[3]
    assert 22 == desk.venue.truth()["lines"]


@pytest.mark.parametrize(
    ("fault", "numbers"),
    [("gap", [3, 4]), ("reorder", [3, 2, 4]), ("duplicate", [1, 2, 3, 4])],
)
def test_frames_go_astray(desk, fault, numbers):
    """A lost frame leaves a gap, a held one comes late, another one twice."""
    ear, _ = desk.log_in(filter=["wallet"])
    desk.venue.fault(fault)
    for _ in range(3):
        desk.venue.operate("deposit", _DEPOSIT)
    assert numbers == [frame[3] for frame in ear.heard()]


def test_frames_can_be_cut_and_figures_wrong(desk):
    """One frame cannot be read at all, the next has nineteen decimals."""
    ear, _ = desk.log_in(filter=["wallet"])
    desk.venue.fault("truncate")
    desk.venue.fault("figure", text="0.1234567890123456789")
    desk.venue.fault("figure", text="NaN")
    for _ in range(3):
        desk.venue.operate("deposit", _DEPOSIT)
    cut, long, good = ear.texts
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut)
    assert '"BTC",NaN,' in long
    assert '"BTC",1014.19088779,' in good


def test_any_array_frame_can_be_told_with_its_number(desk):
    """A frame of another shape has the number of its turn; events have none."""
    ear, _ = desk.log_in(filter=["wallet"])
    desk.venue.fault("raw", text='[0,"wu",["exchange"]]', numbered=True, count=2)
    desk.venue.fault("raw", text='{"event":"info","code":20061}')
    desk.venue.fault("raw", text="[]", to="rest", numbered=True)
    first, second, event = ear.heard()
    assert ([0, "wu", ["exchange"], 2, 15_213], 3) == (first[:5], second[3])
    assert 20_061 == event["code"]
    assert ["raw"] == desk.venue.statistics()["faults_armed"]


def test_load_rows_are_numbered_for_each_client(desk):
    """Prepared rows reach everybody whose filter lets them by."""
    everything, _ = desk.log_in()
    one, _ = desk.log_in(filter=["wallet-exchange-BTC"])
    produce = desk.venue.producer({"load": True})
    assert 40 == sum(produce(1) for _ in range(40))
    assert list(range(7, 47)) == [frame[3] for frame in everything.heard()]
    assert [2, 3] == [frame[3] for frame in one.heard()]
