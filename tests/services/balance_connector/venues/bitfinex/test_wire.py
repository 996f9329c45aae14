"""Frames read by the flags that were acknowledged, rows with every digit."""

from decimal import Decimal

import msgspec
import pytest
from bitfinex_conversation import seed

from balance_connector.rows import BadRow
from balance_connector.venues.bitfinex import wire
from balance_shared.errors import FrameInvalid

NONE, TIMESTAMP, SEQ_ALL = 0, 32_768, 65_536
BOTH = SEQ_ALL | TIMESTAMP
MTS = 1_786_327_545_453


def read(frame: str | bytes, flags: int) -> tuple:
    """Return channel, type, MSG_SEQ, ACCOUNT_SEQ and MTS of a frame."""
    body = frame.encode() if isinstance(frame, str) else frame
    array = wire.read_array(wire.read_frame(body), flags)
    return (
        array.channel,
        array.kind,
        array.sequence,
        array.account_sequence,
        array.time_ms,
    )


@pytest.mark.parametrize(
    ("flags", "frame", "expected"),
    [
        (NONE, '[0,"wu",["exchange"]]', (0, "wu", None, None, None)),
        (NONE, '[0,"hb"]', (0, "hb", None, None, None)),
        (NONE, "[17,[1]]", (17, "", None, None, None)),
        (SEQ_ALL, '[0,"wu",[],143,15214]', (0, "wu", 143, "15214", None)),
        (SEQ_ALL, '[0,"wu",[],143]', (0, "wu", 143, None, None)),
        (SEQ_ALL, '[0,"hb",40]', (0, "hb", 40, None, None)),
        (SEQ_ALL, "[17,[1],9912]", (17, "", 9912, None, None)),
        (BOTH, '[0,"wu",[],143,15214,17]', (0, "wu", 143, "15214", 17)),
        (BOTH, '[0,"wu",[]]', (0, "wu", None, None, None)),
        (BOTH, '[0,"hb",40,17]', (0, "hb", 40, None, 17)),
        (BOTH, '[0,"hb"]', (0, "hb", None, None, None)),
        (BOTH, '[17,"hb",41,17]', (17, "hb", 41, None, 17)),
        (BOTH, "[17,[1],9912,17]", (17, "", 9912, None, 17)),
        (BOTH, '[17,"te",[1],9913,17]', (17, "te", 9913, None, 17)),
        (BOTH, '[0,"n",[1],143,15214,17]', (0, "n", 143, None, None)),
        (BOTH, '[0,"n",[1],12,17]', (0, "n", 12, None, None)),
        (BOTH, '[0,"n",[1],12]', (0, "n", 12, None, None)),
        (BOTH, f'[0,"n",[1],12,{MTS}]', (0, "n", 12, None, None)),
        (BOTH, f'[0,"n",[1],{MTS}]', (0, "n", None, None, None)),
        (BOTH, '[0,"n",[1],null]', (0, "n", None, None, None)),
        (BOTH, '[0,"n",[1]]', (0, "n", None, None, None)),
        (SEQ_ALL, '[0,"n",[1],12]', (0, "n", 12, None, None)),
        (BOTH, f'[0,"wu",[],143,{MTS}]', (0, "wu", 143, None, MTS)),
        (BOTH, f'[0,"wu",[],{MTS}]', (0, "wu", None, None, MTS)),
        (BOTH, f'[0,"wu",[],143,{MTS},"new"]', (0, "wu", 143, None, MTS)),
        (BOTH, f'[0,"hb",{MTS}]', (0, "hb", None, None, MTS)),
        (BOTH, f"[17,[1],{MTS}]", (17, "", None, None, MTS)),
        (SEQ_ALL, f'[0,"wu",[],{MTS},1]', (0, "wu", MTS, "1", None)),
        (TIMESTAMP, '[0,"wu",[],17]', (0, "wu", None, None, 17)),
        (TIMESTAMP, '[0,"hb",17]', (0, "hb", None, None, 17)),
        (BOTH, seed("ws_notice"), (0, "n", 143, None, None)),
        (
            BOTH,
            seed("ws_wallets_update_transfer"),
            (0, "wu", 144, "15215", 1786327545453),
        ),
        (BOTH, seed("ws_heartbeat"), (0, "hb", 40, None, 1786327081453)),
        (BOTH, seed("ws_public_book"), (141234, "", 9912, None, 1786327081453)),
        (NONE, seed("ws_wallets_snapshot"), (0, "ws", None, None, None)),
    ],
)
def test_numbers_are_counted_from_the_front(flags, frame, expected):
    """Each layout of the flags, frames captured with both, and frames without one."""
    assert expected == read(frame, flags)


@pytest.mark.parametrize("mts", ["null", '"x"', "1.5", "-1", "1" * 30])
def test_time_that_is_none_is_left_out(mts):
    """A time says nothing of a balance: the frame is read without it."""
    assert (0, "wu", 5, "1", None) == read(f'[0,"wu",[],5,1,{mts}]', BOTH)


@pytest.mark.parametrize(
    "frame",
    [
        "[]",
        "[0]",
        '["0","wu",[]]',
        "[-1,[]]",
        "[true,[]]",
        "[0,5]",
        '[0,"wu"]',
        '[0,"wu",[],"5",1,2]',
        '[0,"wu",[],1.5,1,2]',
        '[0,"hb",-1,2]',
        '[0,"wu",[],99999999999999999999,1,2]',
    ],
)
def test_array_that_cannot_be_placed_is_invalid(frame):
    """Without channel, type, payload or a readable number nothing can follow."""
    with pytest.raises(FrameInvalid):
        read(frame, BOTH)


def rows(payload: str) -> list:
    """Return what a payload's rows say."""
    return wire.read_rows(msgspec.Raw(payload.encode()))


@pytest.mark.parametrize(
    ("tail", "available", "attributes"),
    [
        ("", None, {}),
        (",0", None, {"unsettled_interest": "0"}),
        (",-0.5e-3,null", None, {"unsettled_interest": "-0.5e-3"}),
        (",null,1.25", Decimal("1.25"), {}),
        (',null,0,null,null,null,{"a":1.10}', Decimal(0), {"8": '{"a":1.10}'}),
        (",null,null,null,null,null", None, {}),
        (',null,null,null,null,"new"', None, {"7": "new"}),
    ],
)
def test_rows_of_three_positions_and_more(tail, available, attributes):
    """What is there is read, null is unknown, what has no name is kept by its place."""
    (read_row,) = rows(f'["exchange","BTC",1.50{tail}]')

    assert ("exchange", "BTC", "1.50") == (
        read_row.word,
        read_row.code,
        str(read_row.balance),
    )
    assert available == read_row.available
    assert attributes == read_row.attributes


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("2.71e-06", "0.00000271"),
        ("4.4E-7", "0.00000044"),
        ("-1e-08", "-0.00000001"),
        ("11.960650700086292", "11.960650700086292"),
        ("0.123456789012345678", "0.123456789012345678"),
        ("99999999999999999999", "99999999999999999999"),
        ("1E+5", "100000"),
        ('"1.50"', "1.50"),
    ],
)
def test_every_digit_and_every_form_of_a_number(text, plain):
    """Amounts become decimals from their text; dust may be negative."""
    (read_row,) = rows(f'[["exchange","BTC",{text},0,null]]')

    assert plain == f"{read_row.balance:f}"


def test_list_of_rows_and_one_row_alone():
    """A list, one flat array, and nothing."""
    flat = '["exchange","BTC",1]'

    assert rows(flat) == rows(f"[{flat}]")
    assert 2 == len(rows(f"[{flat},{flat}]"))
    assert [] == rows("[]")


@pytest.mark.parametrize("payload", ["5", "null", "{}", '"x"'])
def test_payload_that_is_no_list_is_invalid(payload):
    """A payload of another shape may have told a balance."""
    with pytest.raises(FrameInvalid):
        rows(payload)


@pytest.mark.parametrize(
    "bad",
    [
        '["exchange","BTC"]',
        '["exchange","BTC",null]',
        '["exchange","BTC",0.1234567890123456789]',
        '["exchange","BTC",100000000000000000000]',
        '["exchange","BTC","NaN"]',
        '["exchange","BTC",true]',
        '["exchange","BTC",[1]]',
        '["exchange","BTC",1,0,"x"]',
        '["exchange","BTC",1,0,null,"' + "x" * 50_000 + '"]',
    ],
)
def test_row_with_an_unreadable_figure_is_named(bad):
    """The wallet and its currency are known, the figure is not."""
    (read_row,) = rows(f"[{bad}]")

    assert isinstance(read_row, BadRow)
    assert ("exchange", "BTC") == (read_row.wallet, read_row.asset)


@pytest.mark.parametrize("figure", ["0.0011960650700086292", "1e-19", "1e21"])
def test_available_that_fits_no_record_is_kept_as_text(figure):
    """It is calculated, in more digits than are booked: the balance is none the worse."""
    (read_row,) = rows(f'[["margin","USTF0",0.5,0,{figure}]]')

    assert (Decimal("0.5"), None) == (read_row.balance, read_row.available)
    assert read_row.is_calculated
    assert figure == read_row.attributes["available"]


@pytest.mark.parametrize(
    "bad", ["5", "[]", "{}", '["exchange"]', '[5,"BTC",1]', '["","BTC",1]', "null"]
)
def test_row_without_a_name_is_nobodys(bad):
    """Not even whose figure it is can be read."""
    (read_row,) = rows(f"[{bad}]")

    assert read_row.asset is None
