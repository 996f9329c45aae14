"""One client's conversation, without sockets."""

import json
from decimal import Decimal

import pytest

from balance_simulator.kraken.auth import CREATE_WS_TOKEN, TOKEN_LIFE_US
from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.state import new_state
from balance_simulator.kraken.stream import Delivery, Session


def _session(**settings) -> Session:
    return Session(new_state(KrakenSettings(subaccounts=1, **settings), 0), 1 << 63)


def _token(session, now_us=0):
    state = session.state
    return state.tokens.issue(next(iter(state.keys.keys.values())), now_us)


def _ask(session, method, now_us=0, **params):
    request = {"method": method, "params": {"channel": "balances", **params}}
    answers = session.receive(json.dumps(request | {"req_id": 7}), now_us)
    return [json.loads(text) for text in answers]


def _line(session, user=0):
    operations = session.state.operations
    wallet = operations.wallet(session.state.user(user), "BTC")
    (line,) = operations.withdraw(wallet, Decimal(1), Decimal(0), 5)
    return line


def test_subscribe_is_acked_then_pictured():
    """The ack echoes req_id, the snapshot has number 1."""
    session = _session()
    ack, snapshot = _ask(session, "subscribe", token=_token(session))
    assert (ack["success"], ack["req_id"], ack["result"]["snapshot"]) == (True, 7, True)
    assert (snapshot["type"], snapshot["sequence"]) == ("snapshot", 1)
    assert session.subscription


def test_snapshot_may_come_before_the_ack():
    """The order is not documented, so both can be had."""
    session = _session(ack_first=False)
    first, second = _ask(session, "subscribe", token=_token(session))
    assert (first["type"], second["method"]) == ("snapshot", "subscribe")


def test_no_snapshot_when_none_is_asked_for():
    """With snapshot false only the ack comes, and updates count from the setting."""
    session = _session(first_sequence=41)
    (ack,) = _ask(session, "subscribe", token=_token(session), snapshot=False)
    assert ack["result"]["snapshot"] is False
    (told,) = session.tell(["{}"], Delivery.WHOLE)
    assert json.loads(told)["sequence"] == 41


def test_users_all_has_no_snapshot_and_sees_subaccounts():
    """All users of the master are told; without it only the master."""
    session, other = _session(), _session()
    (ack,) = _ask(session, "subscribe", token=_token(session), users="all")
    assert ack["result"]["snapshot"] is False
    _ask(other, "subscribe", token=_token(other))
    for subscribed, seen in ((session, True), (other, False)):
        line = _line(subscribed, user=1)
        master = subscribed.state.user(0)
        assert subscribed.subscription.wants(line, master) is seen
        assert subscribed.subscription.wants(_line(subscribed), master) is True
        assert subscribed.subscription.wants(line, "ANOTHER") is False


def test_second_subscribe_is_refused():
    """The connection has one subscription; the refusal is the venue's word."""
    session = _session()
    _ask(session, "subscribe", token=_token(session))
    (ack,) = _ask(session, "subscribe", token=_token(session))
    assert (ack["success"], ack["error"]) == (False, "Already subscribed")


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"token": "bad"}, "ESession:Invalid session"),
        ({}, "ESession:Invalid session"),
        ({"snapshot": None}, "EGeneral:Invalid arguments:snapshot"),
        ({"rebased": "yes"}, "EGeneral:Invalid arguments:rebased"),
        ({"channel": "executions"}, "EGeneral:Invalid arguments:channel"),
    ],
)
def test_wrong_subscribes_are_refused(params, error):
    """Each wrong request has its error, and no subscription comes of it."""
    session = _session()
    (ack,) = _ask(session, "subscribe", **params)
    assert (ack["success"], ack["error"]) == (False, error)
    assert session.subscription is None
    assert session.state.statistics.subscribes == {error: 1}


def test_unknown_users_word_is_refused():
    """Only the word all is known."""
    session = _session()
    (ack,) = _ask(session, "subscribe", token=_token(session), users="some")
    assert ack["error"] == "EGeneral:Invalid arguments:users"


def test_expired_token_is_refused():
    """A token unused for 15 minutes opens nothing."""
    session = _session()
    token = _token(session)
    (ack,) = _ask(session, "subscribe", now_us=TOKEN_LIFE_US + 1, token=token)
    assert ack["error"] == "ESession:Invalid session"


def test_missing_permission_is_refused():
    """A key that may not query funds gets a token, and no balances."""
    session = _session(permissions=frozenset({CREATE_WS_TOKEN}))
    (ack,) = _ask(session, "subscribe", token=_token(session))
    assert ack["error"] == "EGeneral:Permission denied"


def test_unsubscribe_needs_the_token_and_a_subscription():
    """After it nothing is told, and a second one fails."""
    session = _session()
    token = _token(session)
    _ask(session, "subscribe", token=token)
    assert _ask(session, "unsubscribe")[0]["error"] == "ESession:Invalid session"
    (ack,) = _ask(session, "unsubscribe", token=token)
    assert (ack["success"], ack["result"]) == (True, {"channel": "balances"})
    assert session.tell(["{}"], Delivery.WHOLE) == []
    assert _ask(session, "unsubscribe", token=token)[0]["success"] is False


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"method":"dance"}', '{"method":"ping","req_id":"x"}']
)
def test_nonsense_is_answered_with_a_failure(text):
    """Whatever is sent, the answer is one failure."""
    (answer,) = _session().receive(text, 0)
    assert json.loads(answer)["success"] is False


def test_subscribe_without_parameters_is_refused():
    """Parameters are an object."""
    (answer,) = _session().receive('{"method":"subscribe"}', 0)
    assert json.loads(answer)["error"] == "EGeneral:Invalid arguments:params"


def test_ping_is_answered_with_its_number():
    """Pong echoes req_id when one was sent."""
    (pong,) = _session().receive('{"method":"ping","req_id":101}', 0)
    assert json.loads(pong)["req_id"] == 101


def test_frames_go_astray_while_the_sequence_counts_on():
    """Dropped, cut and held frames each use up a number."""
    session = _session()
    _ask(session, "subscribe", token=_token(session))
    assert session.tell(["{}"], Delivery.DROPPED) == []
    (cut,) = session.tell(["{}"], Delivery.CUT)
    with pytest.raises(ValueError, match=r"delimiter|Expecting|Unterminated"):
        json.loads(cut)
    assert session.tell(["{}"], Delivery.HELD) == []
    told = [json.loads(text)["sequence"] for text in session.tell([], Delivery.WHOLE)]
    assert told == [5, 4]


def test_slow_snapshot_comes_when_it_is_due():
    """Until the snapshot is told, no update is for this subscriber."""
    session = _session()
    session.state.faults.arm("slow_snapshot", {"seconds": 2}, 0)
    (ack,) = _ask(session, "subscribe", token=_token(session))
    assert ack["success"] is True
    line = _line(session)
    assert not session.subscription.wants(line, session.state.user(0))
    assert session.due(1_999_999) == []
    (snapshot,) = session.due(2_000_000)
    assert json.loads(snapshot)["sequence"] == 1
    assert session.due(2_000_000) == []
