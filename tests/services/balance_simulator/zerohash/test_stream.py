"""The conversation on the stream, without sockets."""

import json

import pytest

_BAD = {
    "Invalid API key": {"key": "other"},
    "Invalid passphrase": {"passphrase": "other"},
    "Invalid signature": {"signature": "AAAA"},
}


def test_picture_is_the_ack(desk):
    """A subscription is answered by the picture alone, a ping by a pong."""
    desk = desk()
    peer = desk.connect()
    assert [] == peer.take()
    (picture,) = desk.say(peer, desk.message("subscribe", {}, topic="balances"))
    assert "initial-balance" == picture["messageType"]
    assert 13 == len(picture["body"])
    assert [{"messageType": "pong"}] == desk.say(peer, desk.message("ping"))


def test_acks_come_first_where_asked_for(desk):
    """A tolerated message of the prices feed may precede the picture."""
    desk = desk(subscribe_ack=True)
    told = desk.say(desk.connect(), desk.message("subscribe", {}))
    assert ["subscribe", "initial-balance"] == [word["messageType"] for word in told]


@pytest.mark.parametrize(("expected", "wrong"), list(_BAD.items()))
def test_wrong_credentials_end_the_conversation(desk, expected, wrong):
    """The reason is told, the connection closed, and nothing is heard any more."""
    desk = desk()
    for kind in ("subscribe", "ping", "info"):
        peer = desk.connect()
        told = desk.say(peer, desk.message(kind, {}, **wrong))
        assert [{"messageType": "error", "body": expected}, (1008, expected)] == told
        assert [] == desk.say(peer, desk.message("subscribe", {}))


@pytest.mark.parametrize(("expected", "wrong"), list(_BAD.items()))
def test_wrong_credentials_may_meet_silence(desk, expected, wrong):
    """By setting, there is no answer at all, while pings have theirs."""
    desk = desk(refusal="silent")
    peer = desk.connect()
    assert [] == desk.say(peer, desk.message("subscribe", {}, **wrong))
    assert [{"messageType": "pong"}] == desk.say(peer, desk.message("ping", **wrong))
    assert {expected: 1} == desk.venue.statistics()["subscribes"]


def test_timestamp_is_within_a_minute_of_the_venue(desk):
    """An old signature is refused, and every one is while the venue's clock is wrong."""
    desk = desk()
    now_s = desk.now_us // 1_000_000
    old = desk.say(desk.connect(), desk.message("subscribe", {}, at_s=now_s - 62))
    assert "Timestamp is not within 60 seconds" == old[0]["body"]
    desk.venue.fault("clock_skew", by_s=120)
    skewed = desk.say(desk.connect(), desk.message("subscribe", {}))
    assert "Timestamp is not within 60 seconds" == skewed[0]["body"]


def test_signature_may_cover_the_whole_message(desk):
    """By setting, all members but the credentials are signed, in the order sent."""
    desk = desk(signed_content="unsigned")
    body = {"filter": {"asset": "BTC"}}
    content = '{"messageType":"subscribe","body":{"filter":{"asset":"BTC"}}}'
    told = desk.say(desk.connect(), desk.message("subscribe", body, content=content))
    assert ["BTC"] * 2 == [row["asset"] for row in told[0]["body"]]
    told = desk.say(desk.connect(), desk.message("subscribe", body))
    assert "Invalid signature" == told[0]["body"]


@pytest.mark.parametrize(
    ("form", "signed", "expected"),
    [
        ("signed", False, {"messageType": "error", "body": "Missing signature"}),
        ("bare", False, {"messageType": "pong"}),
        ("any", False, {"messageType": "pong"}),
        ("signed", True, {"messageType": "pong"}),
        ("bare", True, {"messageType": "pong"}),
        ("any", True, {"messageType": "pong"}),
    ],
)
def test_pings_are_signed_bare_or_either(desk, form, signed, expected):
    """A ping that is none keeps nothing alive."""
    desk = desk(ping_form=form)
    peer = desk.connect()
    desk.wait(15)
    text = desk.message("ping") if signed else '{"messageType":"ping"}'
    assert [expected] == desk.say(peer, text)
    desk.wait(15)
    closed = [] if expected["messageType"] == "pong" else [(1001, "no ping")]
    assert closed == peer.take()


def test_no_ping_for_twenty_seconds_ends_the_connection(desk):
    """Other messages do not count, and neither do those of the venue."""
    desk = desk()
    peer, _ = desk.subscribe()
    desk.wait(20)
    assert [] == peer.take()
    desk.subscribe(peer=peer)
    desk.operate("deposit", asset="BTC", amount="1")
    peer.take()
    desk.wait(0.25)
    desk.wait(0.25)
    assert [(1001, "no ping")] == peer.take()
    assert {"missed": 1} == desk.venue.statistics()["pings"]


def test_second_subscription_replaces_the_first_or_is_added(desk):
    """An update comes as often as there are subscriptions that see it."""
    for choice, count in (("replace", 1), ("add", 2)):
        one = desk(subscriptions=choice)
        peer, _ = one.subscribe(asset="BTC")
        one.subscribe(peer=peer)
        one.operate("deposit", asset="BTC", amount="1")
        assert count == len(peer.take())
        assert count == len(one.venue.statistics()["subscriptions"][0]["scopes"])


def test_slow_picture_may_be_preceded_by_updates(desk):
    """While a picture is awaited, updates are held to be of no use, or told early."""
    for early, before in ((False, []), (True, ["balance-updated"])):
        one = desk(early_updates=early)
        one.venue.fault("slow_snapshot", seconds=3)
        peer = one.connect()
        assert [] == one.say(peer, one.message("subscribe", {}))
        one.operate("deposit", asset="BTC", amount="1")
        one.wait(2.9)
        assert before == [word["messageType"] for word in peer.take()]
        one.wait(0.1)
        assert ["initial-balance"] == [word["messageType"] for word in peer.take()]


def test_subscription_is_left_unanswered_while_pongs_arrive(desk):
    """The fault swallows one subscription; nothing is told of updates, either."""
    desk = desk()
    desk.venue.fault("unanswered")
    peer = desk.connect()
    assert [] == desk.say(peer, desk.message("subscribe", {}))
    desk.operate("deposit", asset="BTC", amount="1")
    assert [{"messageType": "pong"}] == desk.say(peer, desk.message("ping"))
    desk.subscribe(peer=peer)


def test_pongs_are_lost_or_late(desk):
    """The venue heard the ping, and does not close."""
    one = desk()
    peer = one.connect()
    one.venue.fault("answer_lost")
    one.venue.fault("answer_late", seconds=15)
    one.wait(15)
    assert [] == one.say(peer, one.message("ping"))
    assert [] == one.say(peer, one.message("ping"))
    one.wait(14.9)
    assert [] == peer.take()
    one.wait(0.1)
    assert [{"messageType": "pong"}] == peer.take()
    one.wait(0.1)
    assert [] == peer.take()


def test_permission_is_denied_once(desk):
    """The fault refuses a subscription that is signed rightly."""
    desk = desk()
    desk.venue.fault("permission_denied")
    told = desk.say(desk.connect(), desk.message("subscribe", {}))
    assert [{"messageType": "error", "body": "Forbidden"}, (1008, "Forbidden")] == told
    desk.subscribe()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "Message is not JSON"),
        ("[]", "Message is not an object"),
        ("{}", "Unknown messageType"),
        ('{"messageType":"dance"}', "Unknown messageType"),
    ],
)
def test_nonsense_is_answered_with_an_error(desk, text, expected):
    """The connection stays open over what is no message."""
    one = desk()
    assert [{"messageType": "error", "body": expected}] == one.say(one.connect(), text)


@pytest.mark.parametrize(
    ("kind", "body", "members", "expected"),
    [
        ("subscribe", {}, {"topic": "weather"}, "Unknown topic"),
        ("subscribe", None, {}, "Invalid body"),
        ("subscribe", [], {}, "Invalid body"),
        ("subscribe", {"filter": 1}, {}, "Invalid body"),
        ("subscribe", {}, {"useMultiChainAssetFormat": "yes"}, "Invalid body"),
        ("info", {}, {}, "Unknown topic"),
    ],
)
def test_signed_nonsense_is_an_error_too(desk, kind, body, members, expected):
    """The body must be there, and topic and format have their words."""
    one = desk()
    told = one.say(one.connect(), one.message(kind, body, **members))
    assert [{"messageType": "error", "body": expected}] == told


def test_info_lists_symbols(desk):
    """The topic of the prices feed is answered in the quote asset."""
    one = desk()
    told = one.say(one.connect(), one.message("info", {}, topic="available-symbols"))
    assert "info" == told[0]["messageType"]
    assert {"BTC/USD", "USDC/USD"} <= set(told[0]["body"])


def test_closed_connection_has_no_subscription(desk):
    """After the end nothing is told."""
    one = desk()
    peer, _ = one.subscribe()
    one.venue.connections.leave(peer)
    one.operate("deposit", asset="BTC", amount="1")
    assert [] == peer.take()


def test_asset_is_named_by_its_chain_only_when_asked_for(desk):
    """The default of useMultiChainAssetFormat is false."""
    one = desk()
    told = one.say(one.connect(), one.message("subscribe", {}))
    names = {row["asset"] for row in told[0]["body"]}
    assert {"USDC", "ETH"} <= names
    assert not [name for name in names if "." in name]
    assert "USDC.SOL" in {row["asset"] for row in one.subscribe()[1]}


def test_picture_is_one_message_with_all_its_texts(desk):
    """Amounts come in all their forms and read as they are in the books."""
    one = desk(subaccounts=3)
    peer = one.connect()
    text = one.message("subscribe", {}, useMultiChainAssetFormat=True)
    one.venue.connections.heard(peer, text)
    (picture,) = peer.told
    rows = json.loads(picture)["body"]
    books = one.venue.truth()["balances"]
    assert len(rows) == sum(len(k) for held in books.values() for k in held.values())
