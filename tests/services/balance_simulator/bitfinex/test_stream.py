"""One client's conversation, frame by frame."""

import json
from decimal import Decimal

import pytest

from balance_simulator.sessions import Goodbye

_ALL = ["ps", "ws", "os", "fos", "fcs", "fls"]
_CALC = [["wallet_exchange_LTC"]]


def _kinds(told):
    return [frame[1] for frame in told if isinstance(frame, list)]


def test_first_frame_tells_the_platform(desk):
    """Before anything is asked, version and status are told, and nothing more."""
    session = desk.venue.new_session()
    (text,) = session.opened(desk.now_us)
    told = json.loads(text)
    assert ("info", 2, {"status": 1}) == (
        told["event"],
        told["version"],
        told["platform"],
    )
    desk.venue.fault("maintenance", seconds=5)
    (text,) = desk.venue.new_session().opened(desk.now_us)
    assert {"status": 0} == json.loads(text)["platform"]


def test_login_tells_caps_and_all_pictures(desk):
    """The event comes first, then each picture with its number and ACCOUNT_SEQ 0."""
    _, (auth, *pictures) = desk.log_in()
    assert ("OK", 0, desk.state.user) == (
        auth["status"],
        auth["chanId"],
        auth["userId"],
    )
    assert 1 == auth["caps"]["wallets"]["read"]
    assert _ALL == _kinds(pictures)
    at_ms = desk.now_us // 1000
    assert [[n, 0, at_ms] for n in range(1, 7)] == [frame[3:] for frame in pictures]


@pytest.mark.parametrize(
    ("flags", "tails"),
    [
        (None, ([], [])),
        (65_536, ([1, 0], [2])),
        (98_304, ([1, 0, 1_577_836_800_000], [2, 1_577_836_815_000])),
        (32_768, ([1_577_836_800_000], [1_577_836_815_000])),
    ],
)
def test_flags_decide_the_extra_elements(desk, flags, tails):
    """Of a picture and of the heartbeat after it, as the table of the notes says."""
    ear, (_, picture) = desk.log_in(flags, filter=["wallet"])
    desk.wait(15)
    (beat,) = ear.heard()
    assert ([0, "ws"], [0, "hb"]) == (picture[:2], beat[:2])
    assert tails == (picture[3:], beat[2:])


def test_conf_is_the_whole_mask_each_time(desk):
    """A later mask replaces the earlier one; what is no number is refused."""
    ear, _ = desk.log_in(98_304, filter=["wallet"])
    expected = {"event": "conf", "status": "OK", "flags": 32_768}
    assert [expected] == desk.say(ear, {"event": "conf", "flags": 32_768})
    desk.wait(15)
    assert [[0, "hb", desk.now_us // 1000]] == ear.heard()
    (refused,) = desk.say(ear, {"event": "conf", "flags": "all"})
    assert 10_020 == refused["code"]


def test_numbers_grow_by_one_over_all_array_frames(desk):
    """Pictures, updates and heartbeats count; events and pongs do not."""
    ear, told = desk.log_in()
    for _ in range(3):
        desk.wait(15)
        desk.venue.operate("deposit", {"asset": "BTC", "amount": "1"})
        told += ear.heard() + desk.say(ear, {"event": "ping", "cid": 5})
    numbers = [
        frame[2 if frame[1] == "hb" else 3] for frame in told if isinstance(frame, list)
    ]
    assert list(range(1, len(numbers) + 1)) == numbers
    assert 3 == _kinds(told).count("hb")


def test_account_numbers_start_anywhere_and_may_repeat(desk):
    """After the pictures the account's last number is told, which others move too."""
    ear, _ = desk.log_in(filter=["wallet"])
    desk.venue.operate("deposit", {"asset": "BTC", "amount": "1"})
    desk.venue.operate("deposit", {"asset": "BTC", "amount": "1", "announce": False})
    (wu,) = desk.say(ear, [0, "calc", None, _CALC])
    desk.wait(1)
    (calculated,) = ear.heard()
    assert 15_214 == wu[4] == calculated[4]


def test_pong_repeats_the_cid(desk):
    """A ping is answered with the time in milliseconds, logged in or not."""
    expected = {"event": "pong", "ts": desk.now_us // 1000, "cid": 1234}
    assert [expected] == desk.say(desk.join(), {"event": "ping", "cid": 1234})


@pytest.mark.parametrize(
    ("settings", "members", "expected"),
    [
        (
            {},
            {"secret": "wrong"},
            {
                "event": "auth",
                "status": "FAILED",
                "chanId": 0,
                "code": 10_100,
                "msg": "apikey: digest invalid",
            },
        ),
        (
            {"codes_as_text": True},
            {"nonce": 0},
            {
                "event": "auth",
                "status": "FAILED",
                "chanId": 0,
                "code": "10114",
                "msg": "nonce: small",
            },
        ),
        (
            {"failure": "error"},
            {"key": "nobody"},
            {"event": "error", "code": 10_100, "msg": "apikey: invalid"},
        ),
        (
            {"failure_word": "FAIL", "failure_code": False},
            {"key": "nobody"},
            {
                "event": "auth",
                "status": "FAIL",
                "chanId": 0,
                "msg": "apikey: invalid",
            },
        ),
    ],
)
def test_refused_login_is_told_in_every_form(desk_with, settings, members, expected):
    """Section A1.1: as auth or error, with a code as number or text, or without."""
    desk = desk_with(**settings)
    assert ([expected]) == desk.log_in(**members)[1]


@pytest.mark.parametrize(
    ("fault", "arguments", "code"),
    [
        ("nonce", {}, 10_114),
        ("invalid_session", {}, 10_100),
        ("maintenance", {"seconds": 5}, 20_060),
    ],
)
def test_login_is_refused_by_faults(desk, fault, arguments, code):
    """A right login is refused once; after the fault it succeeds."""
    ear = desk.join()
    desk.venue.fault(fault, **arguments)
    ear.heard()
    assert code == desk.say(ear, desk.auth())[-1]["code"]
    desk.wait(6)
    ear.heard()
    assert "OK" == desk.say(ear, desk.auth())[0]["status"]


def test_login_may_stay_unanswered(desk):
    """A lost login is answered by nothing at all, not even heartbeats."""
    desk.venue.fault("unanswered")
    ear, told = desk.log_in()
    desk.wait(60)
    assert [] == told == ear.heard()


def test_second_login_is_refused(desk):
    """One connection is one account channel."""
    ear, _ = desk.log_in()
    (refused,) = desk.say(ear, desk.auth())
    assert "FAILED" == refused["status"]


def test_key_without_wallets_logs_in_and_hears_nothing(desk_with):
    """Section A1.1: caps tell it; there is no picture, but heartbeats."""
    desk = desk_with(permissions=frozenset({"orders"}))
    ear, (auth,) = desk.log_in()
    assert ("OK", 0) == (auth["status"], auth["caps"]["wallets"]["read"])
    desk.venue.operate("deposit", {"asset": "BTC", "amount": "1"})
    assert [] == ear.heard() == desk.say(ear, [0, "calc", None, _CALC])
    desk.wait(15)
    assert ["hb"] == _kinds(ear.heard())


def test_permission_is_denied_by_a_fault(desk):
    """Once, the key looks as if it could not read wallets."""
    desk.venue.fault("permission_denied")
    assert 0 == desk.log_in()[1][0]["caps"]["wallets"]["read"]
    assert 1 == desk.log_in()[1][0]["caps"]["wallets"]["read"]


def test_picture_may_be_slow(desk):
    """Nothing is told about wallets before the picture, which has what happened."""
    desk.venue.fault("slow_snapshot", seconds=20)
    ear, told = desk.log_in(filter=["wallet"])
    desk.venue.operate("adjust", {"asset": "SAN", "amount": "7"})
    desk.wait(15)
    desk.wait(6)
    beat, picture = ear.heard()
    assert ([1], [2, 0]) == (beat[2:3], picture[3:5])
    assert ["exchange", "SAN", 7, 0, None, None, None] in picture[2]
    assert 1 == len(told)


def test_maintenance_ends_with_new_pictures_on_the_same_connection(desk):
    """Info 20060, silence about wallets, info 20061 and everything anew."""
    ear, _ = desk.log_in(filter=["wallet"])
    desk.venue.fault("maintenance", seconds=30)
    desk.venue.operate("adjust", {"asset": "SAN", "amount": "7"})
    assert [20_060] == [event["code"] for event in ear.heard()]
    desk.wait(15)
    assert ["hb"] == _kinds(ear.heard())
    desk.wait(16)
    ended, picture, beat = ear.heard()
    assert (20_061, "ws", "hb") == (ended["code"], picture[1], beat[1])
    assert [3, 4] == [picture[3], beat[2]]
    assert ["exchange", "SAN", 7, 0, None, None, None] in picture[2]


def test_maintenance_may_end_without_a_picture(desk_with):
    """What happened meanwhile is then told to nobody, and no number is missing."""
    desk = desk_with(picture_after_maintenance=False, codes_as_text=True)
    ear, _ = desk.log_in(filter=["wallet"])
    desk.venue.fault("maintenance", seconds=3)
    desk.venue.operate("deposit", {"asset": "BTC", "amount": "1"})
    desk.wait(4)
    assert ["20060", "20061"] == [event["code"] for event in ear.heard()]
    desk.venue.operate("deposit", {"asset": "BTC", "amount": "1"})
    assert [2] == [frame[3] for frame in ear.heard()]


def test_calculation_is_answered_with_what_is_available(desk):
    """The same total comes again, with a number where null was; bu for balance."""
    ear, _ = desk.log_in(filter=["wallet"])
    desk.venue.operate("hold", {"asset": "LTC", "amount": "200.125"})
    names = [["wallet_exchange_LTC"], ["balance"], ["margin_base"]]
    unknown = [["wallet_exchange_NO"], ["wallet_margin_LTC"]]
    assert [] == desk.say(ear, [0, "calc", None, names + unknown])
    desk.wait(0.1)
    bu, wu = sorted(ear.heard(), key=lambda frame: frame[1])
    expected = ["exchange", "LTC", Decimal("4200.125"), 0, 4000, None, None]
    assert expected == wu[2]
    assert ("bu", 2) == (bu[1], len(bu[2]))


def test_calculations_are_limited(desk_with):
    """Above eight a second an error is told, and in the end goodbye."""
    desk = desk_with(calc_abuses_max=1, calc_delay_s=0.0)
    ear, _ = desk.log_in(filter=["wallet"])
    asked = [0, "calc", None, _CALC * 8]
    assert ["wu"] * 8 == _kinds(desk.say(ear, asked))
    (error,) = desk.say(ear, [0, "calc", None, _CALC])
    assert ("error", 10_001) == (error["event"], error["code"])
    assert () == ear.ended
    desk.say(ear, [0, "calc", None, _CALC])
    assert Goodbye(1008, "calc: limit exceeded") == ear.ended
    stats = desk.venue.statistics()
    assert (9, 2, 10) == (
        stats["calc_peak_per_s"],
        stats["inputs"]["calc_refused"],
        stats["inputs"]["calculations"],
    )


def test_calculations_may_be_lost_or_late(desk):
    """One answer never comes, the next one after its delay; a bad form is an error."""
    ear, _ = desk.log_in(filter=["wallet"])
    desk.venue.fault("answer_lost")
    desk.venue.fault("answer_late", seconds=5)
    for _ in range(2):
        desk.say(ear, [0, "calc", None, _CALC])
    desk.wait(4)
    assert [] == ear.heard()
    desk.wait(2)
    assert ["wu"] == _kinds(ear.heard())
    assert 10_020 == desk.say(ear, [0, "calc", None, "x"])[0]["code"]


def test_orders_are_refused_and_counted(desk):
    """Whoever sends an order is told no, by a frame with one number, and counted."""
    ear, _ = desk.log_in(65_536, filter=["wallet"])
    (told,) = desk.say(ear, [0, "on", None, {"symbol": "tBTCUSD"}])
    assert ("n", "on-req", "ERROR") == (told[1], told[2][1], told[2][6])
    assert [2] == told[3:]
    assert 1 == desk.venue.statistics()["inputs"]["on"]


def test_mistakes_are_errors_with_codes(desk):
    """Unknown events, public channels and inputs before the login are refused."""
    ear = desk.join()
    messages = ["x", {"event": "dance"}, {"event": "subscribe"}, [0, "calc"]]
    codes = [desk.say(ear, message)[0]["code"] for message in messages]
    assert [10_000, 10_000, 10_302, 10_100] == codes
    desk.venue.connections.heard(ear, "{")
    assert 10_000 == ear.heard()[0]["code"]


def test_dangerous_wishes_are_counted(desk):
    """A dead man's switch and wrong filters are remembered in the statistics."""
    desk.log_in(dms=4, filter=["wallet", "wallet-exchange-BTC", "wallets"])
    inputs = desk.venue.statistics()["inputs"]
    assert (1, 1, 1) == (
        inputs["dms"],
        inputs["filter_unknown"],
        inputs["filter_mixed"],
    )


def test_closed_session_forgets_what_was_to_come(desk):
    """Nothing is said to a connection that is gone."""
    ear, _ = desk.log_in()
    desk.say(ear, [0, "calc", None, _CALC])
    desk.venue.connections.leave(ear)
    desk.wait(60)
    assert [] == ear.heard()
