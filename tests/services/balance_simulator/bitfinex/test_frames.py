"""Every form of frame, against the table of the notes and the seed page."""

import json
from decimal import Decimal

import pytest

from balance_simulator.bitfinex import frames
from balance_simulator.bitfinex.currencies import CurrencyList
from balance_simulator.bitfinex.ledger import Entry, Ledger, Wallet

_AT_US = 1_577_836_800_123_456


@pytest.mark.parametrize(
    ("flags", "data", "heartbeat"),
    [
        (0, '[0,"wu",[]]', '[0,"hb"]'),
        (65_536, '[0,"wu",[],143,15214]', '[0,"hb",143]'),
        (
            98_304,
            '[0,"wu",[],143,15214,1577836800123]',
            '[0,"hb",143,1577836800123]',
        ),
        (32_768, '[0,"wu",[],1577836800123]', '[0,"hb",1577836800123]'),
        (8 | 32 | 131_072, '[0,"wu",[]]', '[0,"hb"]'),
    ],
)
def test_extra_elements_follow_from_the_flags(flags, data, heartbeat):
    """Section A1.3: MSG_SEQ, then ACCOUNT_SEQ where there is one, then the time."""
    assert data == frames.array("wu", "[]", flags, (143, 15_214), _AT_US)
    assert heartbeat == frames.array("hb", None, flags, (143,), _AT_US)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("19.760000000000000000", "19.76"),
        ("0E-18", "0"),
        ("-0", "0"),
        ("1000", "1000"),
        ("0.000001", "0.000001"),
        ("0.00000057", "5.7e-7"),
        ("-0.00000001", "-1e-8"),
        ("0.000000000000000001", "1e-18"),
        ("11.960650700086292", "11.960650700086292"),
        ("-1234567890.123456789012345678", "-1234567890.123456789012345678"),
    ],
)
def test_numbers_keep_every_digit(value, expected):
    """Section A1.9: exponents below a millionth, fifteen decimals and more, dust."""
    assert expected == frames.number(Decimal(value))
    assert Decimal(value) == Decimal(expected)


def test_info_is_the_first_frame_of_the_page():
    """Section A1.1: version 2, a server id, platform status 1 or 0."""
    expected = '{"event":"info","version":2,"serverId":"id","platform":{"status":%d}}'
    assert expected % 1 == frames.info(2, "id", operative=True)
    assert expected % 0 == frames.info(2, "id", operative=False)


def test_caps_come_as_objects_or_as_text():
    """Section A1.1: digits as numbers, or in the older form as strings in a string."""
    caps = frames.caps(frozenset({"wallets"}), as_text=False)
    assert {"read": 1, "write": 0} == caps["wallets"]
    assert {"read": 0, "write": 0} == caps["orders"]
    older = frames.caps(frozenset({"wallets"}), as_text=True)
    assert older.startswith('{"orders":{"read":"0","write":"0"},')
    assert {"read": "1", "write": "0"} == json.loads(older)["wallets"]


_SEVEN = (
    '["exchange","BTC",1.61169184,0,1.5,"Exchange 0.01 BTC for USD @ 7804.6",'
    '{"reason":"TRADE","order_id":34988418651}]'
)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (3, '["exchange","BTC",1.61169184]'),
        (5, '["exchange","BTC",1.61169184,0,1.5]'),
        (7, _SEVEN),
        (8, f"{_SEVEN[:-1]},null]"),
    ],
)
def test_wallet_arrays_have_three_to_eight_positions(fields, expected):
    """The seven positions of the seed page, and the other lengths that were seen."""
    ledger, wallet = Ledger(CurrencyList()), Wallet("exchange", "BTC")
    ledger.post([Entry(wallet, Decimal("1.61169184"), "deposit", "Deposit")], 0)
    ledger.hold(wallet, Decimal("0.11169184"))
    words = (
        "Exchange 0.01 BTC for USD @ 7804.6",
        '{"reason":"TRADE","order_id":34988418651}',
    )
    row = frames.wallet_row(
        ledger, wallet, "1.61169184", fields, available=True, words=words
    )
    assert expected == row


def test_snapshot_row_is_that_of_the_seed_page():
    """Available, description and meta are null where nothing is said."""
    ledger, wallet = Ledger(CurrencyList()), Wallet("exchange", "SAN")
    row = frames.wallet_row(ledger, wallet, "19.76", 7)
    assert '["exchange","SAN",19.76,0,null,null,null]' == row


def test_ledger_rows_have_nine_positions():
    """Section A2: 0 id, 1 currency, 2 wallet or null, 3 mts, 5 amount, 6 balance, 8."""
    ledger = Ledger(CurrencyList())
    entry = Entry(Wallet("margin", "USD"), Decimal("-0.5"), "transfer", "Transfer")
    (line,) = ledger.post([entry], _AT_US)
    rest = ',1577836800123,null,-0.5,-0.5,null,"Transfer on wallet margin"]'
    assert f'[{line.id},"USD","margin"{rest}' == frames.ledger_row(
        line, "USD", with_wallet=True
    )
    assert f'[{line.id},"USD",null{rest}' == frames.ledger_row(
        line, "USD", with_wallet=False
    )


def test_rest_errors_are_lists_of_three():
    """Section A2: the word error, a code and a text."""
    assert '["error",10100,"apikey: invalid"]' == frames.rest_error(
        10100, "apikey: invalid"
    )
