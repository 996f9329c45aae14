"""What people read is one line with every digit."""

import pytest


@pytest.mark.parametrize(
    ("rule", "records", "line"),
    [
        (
            "type: negative",
            lambda m: [m.event(0, "-0.000000000000000001")],
            "balance -0.000000000000000001 is negative",
        ),
        (
            "type: available_below, below: 10",
            lambda m: [m.event(0, 50, available=m.amount(9))],
            "available 9 is below 10",
        ),
        (
            "type: balance_above, above: 10",
            lambda m: [m.event(0, 50)],
            "balance 50 is above 10",
        ),
        (
            "type: unexpected_asset, expected: ETH",
            lambda m: [m.event(0, 50)],
            "holds 50 of an asset that is not expected",
        ),
        (
            "type: movement_above, above: 1",
            lambda m: [m.moved(0, 9, -2)],
            "moved 2, more than 1",
        ),
        (
            "type: withdrawal",
            lambda m: [m.moved(0, 9, None, "withdrawal")],
            "withdrew amount not told",
        ),
        (
            "type: drop, percent: 12.5, window: 90s",
            lambda m: [m.event(0, 8), m.event(1, 7)],
            "fell by 1 within 1m 30s, from 8 to 7 (limit 12.5 %)",
        ),
        (
            "type: drop, amount: 1, window: 1h",
            lambda m: [m.event(0, 8), m.event(1, 7)],
            "fell by 1 within 1h, from 8 to 7 (limit 1)",
        ),
    ],
)
def test_line(rule, records, line, make, play):
    """Whose balance it is, then what is wrong with it."""
    stage = play(f"rules: [{{name: it, {rule}}}]")
    stage.tell(*records(make))
    assert f"kraken main spot/main BTC: {line}" == stage.records[0].summary
