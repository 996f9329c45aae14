"""Messages, byte for byte as the pages print them."""

from decimal import Decimal

import pytest

from balance_simulator.zerohash import frames
from balance_simulator.zerohash.ledger import Account, Change, Movement, Record, Run
from balance_simulator.zerohash.settings import ZeroHashSettings

_ACCOUNT = Account("ABC123", "XXX456", "general", "available", "BTC")
# 2022-11-04T02:51:16Z and 02:50:16Z
_RUN_NS = 1_667_530_276_202_911_633
_MOVED_NS = 1_667_530_216_202_915_702
_PICTURE = """{
    "messageType": "initial-balance",
    "body": [
        {
            "account_id": "12345",
            "participant_code": "ABC123",
            "account_group": "XXX456",
            "account_label": "general",
            "account_type": "available",
            "asset": "BTC",
            "balance": "1.00",
            "run_id": 1,
            "run_type": "unknown"
        }
    ]
}"""
_UPDATE = """{
    "messageType": "balance-updated",
    "body": {
        "participant_code": "ABC123",
        "account_group": "XXX456",
        "account_label": "general",
        "account_type": "available",
        "asset": "BTC",
        "balance": "1.01",
        "run_id": 1,
        "run_type": "settlement",
        "movements": [
            {
                "movement_timestamp": "2022-11-04T02:50:16.202915702Z",
                "movement_id": "EFG456",
                "movement_type": "final_settlement",
                "deposit_reference_id": "deposit 123",
                "change": "123.123",
                "source": "deposit 123 sending address",
                "received_address": "deposit 123 received address"
            }
        ],
        "run_timestamp": "2022-11-04T02:51:16.202911633Z"
    }
}"""


def _settings(**changed):
    """Return the choices that the pages' samples show."""
    shown = {
        "indent": True,
        "amount_form": "kept",
        "snapshot_run": "unknown",
        "update_run_id": "int",
        "movement_extras": False,
    }
    return ZeroHashSettings(**(shown | changed))


def _picture(**changed):
    settings = _settings(**changed)
    record = Record("12345", 0, Decimal("1.00"), 1, "deposit")
    setting = frames.layout(settings)
    row = frames.picture_row(_ACCOUNT, record, "BTC", "1.00", settings, setting)
    return frames.picture([row], setting)


def _run(digits=9, **extra):
    moved = Movement(
        "EFG456",
        "final_settlement",
        Decimal("123.123"),
        _MOVED_NS,
        0,
        tuple(
            extra.items()
            or (
                ("deposit_reference_id", "deposit 123"),
                ("source", "deposit 123 sending address"),
                ("received_address", "deposit 123 received address"),
            )
        ),
    )
    balance = Decimal("1.01")
    change = Change(_ACCOUNT, balance, balance, moved.change, [moved])
    return Run(1, "settlement", _RUN_NS, digits, [change])


def _update(run, **changed):
    settings = _settings(**changed)
    return frames.update(run, run.changes[0], "BTC", "1.01", settings, "12345")


def test_picture_is_the_sample_of_the_page():
    """The page "Balances", section Subscription Response, byte for byte."""
    assert _PICTURE == _picture()


def test_update_is_the_sample_of_the_page():
    """The page "Balances", section Balance Update, byte for byte."""
    assert _UPDATE == _update(_run())


def test_compact_messages_say_the_same():
    """Without indentation there is not one space outside of strings."""
    squeezed = _PICTURE.replace(" ", "").replace("\n", "")
    assert squeezed == _picture(indent=False)
    assert '"movements":[{"movement_timestamp":"2022' in _update(_run(), indent=False)


@pytest.mark.parametrize(
    ("told", "form", "expected"),
    [
        ("known", "int", '"run_id":1,"run_type":"deposit"}'),
        ("known", "text", '"run_id":"1","run_type":"deposit"}'),
        ("unknown", "mixed", '"run_id":"1","run_type":"unknown"}'),
        ("missing", "int", '"balance":"1.00"}'),
        ("mixed", "int", '"run_id":1,"run_type":"deposit"}'),
    ],
)
def test_last_run_of_a_picture_is_a_choice(told, form, expected):
    """Known, unknown or not told at all, as a number or as text."""
    picture = _picture(indent=False, snapshot_run=told, snapshot_run_id=form)
    assert picture.endswith(f"{expected}]}}")


def test_more_of_an_update_is_a_choice():
    """The account's id, the run's id as text, the order and nulls, where asked for."""
    run = _run(digits=6, trade_id="t", parent_link_id=None)
    text = _update(
        run,
        indent=False,
        update_account_id=True,
        update_run_id="text",
        movement_extras=True,
    )
    assert '"body":{"account_id":"12345","participant_code"' in text
    assert '"run_id":"1",' in text
    assert (
        '"change":"123.123","trade_id":"t","parent_link_id":null,"order_id":0}' in text
    )
    assert '"run_timestamp":"2022-11-04T02:51:16.202911Z"' in text


def test_empty_picture_has_an_empty_body():
    """No account is an empty list."""
    expected = '{"messageType":"initial-balance","body":[]}'
    assert expected == frames.picture([], frames.COMPACT)


def test_rupee_sign_is_not_escaped():
    """The text of an asset is UTF-8 as it is."""
    assert '{"messageType":"error","body":"e₹"}' == frames.notice("error", "e₹")
