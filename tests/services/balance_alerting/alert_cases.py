"""What makes each type of rule fire, and what leaves it silent.

`docs/alerting.md` lists the same cases; a test holds the two together.
"""

from collections.abc import Callable
from typing import Any, NamedTuple


class Case(NamedTuple):
    """One case.

    Attributes:
        type: of the rule.
        says: what happens, as the docs say it.
        rule: its fields beside name and type.
        records: given the builders, returns what is told; numbers are ticks.
        fires: whether there is an alert at the end.
    """

    type: str
    says: str
    rule: str
    records: Callable[[Any], list[Any]]
    fires: bool


LOW = "below: 10, clear: 12, for: 5s, keep_firing_for: 0s"
HIGH = "above: 10, clear: 8, keep_firing_for: 0s"
HALF = "percent: 50, window: 60s, keep_firing_for: 0s"
NEAR = "0.000000000000000001"


CASES = [
    Case(
        "balance_below",
        "below the limit for as long as `for`",
        LOW,
        lambda m: [m.event(0, 9), 5],
        True,
    ),
    Case(
        "balance_below",
        "less by the last of 18 digits",
        "below: 10",
        lambda m: [m.event(0, "9.999999999999999999")],
        True,
    ),
    Case(
        "balance_below",
        "vanished from the picture: 0",
        "below: 10",
        lambda m: [m.event(0, 20), m.event(1, 0, kind="absent")],
        True,
    ),
    Case(
        "balance_below",
        "back above the limit, not above `clear`",
        LOW,
        lambda m: [m.event(0, 9), 5, m.event(6, 11), 9],
        True,
    ),
    Case(
        "balance_below",
        "exactly at the limit",
        LOW,
        lambda m: [m.event(0, 10), 60],
        False,
    ),
    Case(
        "balance_below",
        "below for less than `for`",
        LOW,
        lambda m: [m.event(0, 9), m.event(4, 10), 60],
        False,
    ),
    Case(
        "balance_below",
        "again at `clear`",
        LOW,
        lambda m: [m.event(0, 9), 5, m.event(6, 12), 60],
        False,
    ),
    Case(
        "balance_below",
        "a lower figure of an older epoch",
        LOW,
        lambda m: [m.event(0, 20, epoch=2), m.event(1, 1), 60],
        False,
    ),
    Case(
        "balance_below",
        "a lower figure learned late",
        LOW,
        lambda m: [m.event(0, 20), m.event(1, 1, kind="backfill"), 60],
        False,
    ),
    Case(
        "balance_above",
        "above the limit",
        HIGH,
        lambda m: [m.event(0, "10.000000000000000001")],
        True,
    ),
    Case(
        "balance_above",
        "below the limit again, not below `clear`",
        HIGH,
        lambda m: [m.event(0, 11), m.event(1, 9)],
        True,
    ),
    Case(
        "balance_above", "exactly at the limit", HIGH, lambda m: [m.event(0, 10)], False
    ),
    Case(
        "balance_above",
        "again at `clear`",
        HIGH,
        lambda m: [m.event(0, 11), m.event(1, 8), 2],
        False,
    ),
    Case(
        "available_below",
        "the free part is below the limit",
        "below: 10",
        lambda m: [m.event(0, 50, available=m.amount(9))],
        True,
    ),
    Case(
        "available_below",
        "vanished: nothing is free",
        "below: 10",
        lambda m: [
            m.event(0, 50, available=m.amount(50)),
            m.event(1, 0, kind="absent"),
        ],
        True,
    ),
    Case(
        "available_below",
        "the venue does not tell the free part",
        "below: 10",
        lambda m: [m.event(0, 5)],
        False,
    ),
    Case(
        "available_below",
        "the free part is at the limit",
        "below: 10",
        lambda m: [m.event(0, 50, available=m.amount(10))],
        False,
    ),
    Case(
        "drop",
        "half of the peak is gone, in steps",
        HALF,
        lambda m: [m.event(0, 100), m.event(20, 70), m.event(40, 50)],
        True,
    ),
    Case(
        "drop",
        "the amount is gone at once",
        "amount: 30, window: 60s",
        lambda m: [m.event(0, 100), m.event(1, 70)],
        True,
    ),
    Case(
        "drop",
        "from a figure that was told before the window and held in it",
        HALF,
        lambda m: [m.event(0, 100), m.event(300, 50)],
        True,
    ),
    Case(
        "drop",
        "less than half, by the last digit",
        HALF,
        lambda m: [m.event(0, 100), m.event(2, "50.000000000000000001")],
        False,
    ),
    Case(
        "drop",
        "as much, but slower than the window",
        HALF,
        lambda m: [m.event(0, 100), m.event(1, 70), m.event(62, 50)],
        False,
    ),
    Case(
        "drop",
        "the peak has left the window",
        HALF,
        lambda m: [m.event(0, 100), m.event(1, 40), 62],
        False,
    ),
    Case("drop", "a rise", HALF, lambda m: [m.event(0, 50), m.event(1, 100)], False),
    Case(
        "movement_above",
        "one movement in, larger than the limit",
        "above: 5",
        lambda m: [m.moved(0, 20, 6)],
        True,
    ),
    Case(
        "movement_above",
        "one movement out, larger than the limit",
        "above: 5",
        lambda m: [m.moved(0, 20, -6)],
        True,
    ),
    Case(
        "movement_above",
        "learned late",
        "above: 5",
        lambda m: [m.moved(0, 20, -6, kind="backfill")],
        True,
    ),
    Case(
        "movement_above",
        "no movement told, but the balance jumped",
        "above: 5",
        lambda m: [m.event(0, 20), m.event(1, 27)],
        True,
    ),
    Case(
        "movement_above",
        "exactly the limit",
        "above: 5",
        lambda m: [m.moved(0, 20, 5)],
        False,
    ),
    Case(
        "movement_above",
        "a picture with another figure",
        "above: 5",
        lambda m: [m.event(0, 20), m.event(1, 40, kind="snapshot")],
        False,
    ),
    Case(
        "movement_above",
        "over: `keep_firing_for` after it",
        "above: 5, keep_firing_for: 30s",
        lambda m: [m.moved(0, 20, 6), 30],
        False,
    ),
    Case(
        "withdrawal",
        "the venue calls it a withdrawal",
        "",
        lambda m: [m.moved(0, 20, "-0.1", "withdrawal")],
        True,
    ),
    Case(
        "withdrawal",
        "larger than `above`",
        "above: 5",
        lambda m: [m.moved(0, 20, -6, "withdrawal")],
        True,
    ),
    Case(
        "withdrawal",
        "of an amount that is not told",
        "above: 5",
        lambda m: [m.moved(0, 20, None, "withdrawal")],
        True,
    ),
    Case(
        "withdrawal",
        "a trade that takes as much",
        "",
        lambda m: [m.moved(0, 20, -6, "trade")],
        False,
    ),
    Case(
        "withdrawal",
        "one that is given back",
        "",
        lambda m: [m.moved(0, 20, 6, "withdrawal")],
        False,
    ),
    Case(
        "withdrawal",
        "not larger than `above`",
        "above: 5",
        lambda m: [m.moved(0, 20, -5, "withdrawal")],
        False,
    ),
    Case("negative", "less than nothing", "", lambda m: [m.event(0, f"-{NEAR}")], True),
    Case("negative", "nothing", "", lambda m: [m.event(0, 0)], False),
    Case("negative", "minus nothing", "", lambda m: [m.event(0, "-0")], False),
    Case(
        "unexpected_asset",
        "some of an asset that no glob takes",
        "expected: [ETH, USD*]",
        lambda m: [m.event(0, NEAR)],
        True,
    ),
    Case(
        "unexpected_asset",
        "some of an asset that a glob takes",
        "expected: [ETH, B*]",
        lambda m: [m.event(0, 5)],
        False,
    ),
    Case(
        "unexpected_asset",
        "nothing of another asset",
        "expected: ETH",
        lambda m: [m.event(0, 0)],
        False,
    ),
    Case(
        "proof_violated",
        "the verdict is VIOLATED",
        "",
        lambda m: [m.proof(0, "VIOLATED")],
        True,
    ),
    Case(
        "proof_violated",
        "VIOLATED, then UNPROVEN: nothing is explained",
        "keep_firing_for: 0s",
        lambda m: [m.proof(0, "VIOLATED"), m.proof(1, "UNPROVEN"), 9],
        True,
    ),
    Case(
        "proof_violated",
        "VIOLATED, then PROVEN",
        "keep_firing_for: 0s",
        lambda m: [m.proof(0, "VIOLATED"), m.proof(1), 2],
        False,
    ),
    Case(
        "proof_violated",
        "UNPROVEN alone",
        "",
        lambda m: [m.proof(0, "UNPROVEN"), 99],
        False,
    ),
    Case(
        "unproven_for",
        "a balance is UNPROVEN for as long as `for`",
        "for: 60s",
        lambda m: [m.proof(0, "UNPROVEN"), 60],
        True,
    ),
    Case(
        "unproven_for",
        "a balance is VIOLATED for as long as `for`",
        "for: 60s",
        lambda m: [m.proof(0, "VIOLATED"), 60],
        True,
    ),
    Case(
        "unproven_for",
        "proven again before that",
        "for: 60s",
        lambda m: [m.proof(0, "UNPROVEN"), m.proof(59), 99],
        False,
    ),
    Case(
        "unproven_for",
        "two balances in turn, none for so long",
        "for: 60s",
        lambda m: [
            m.proof(0, "UNPROVEN"),
            m.proof(40, "UNPROVEN", asset="ETH"),
            m.proof(50),
            m.proof(90, asset="ETH"),
            99,
        ],
        False,
    ),
    Case(
        "stale_for",
        "the feed says for so long that it is not live",
        "for: 60s",
        lambda m: [m.status(0, "stale"), m.status(30, "syncing", since=m.at(0)), 60],
        True,
    ),
    Case(
        "stale_for",
        "the connector says nothing any more",
        "for: 60s",
        lambda m: [m.status(0), 60],
        True,
    ),
    Case(
        "stale_for",
        "live again before that",
        "for: 60s",
        lambda m: [m.status(0, "stale"), m.status(59), 99],
        False,
    ),
    Case(
        "stale_for",
        "degraded: most can be trusted, proofs say what cannot",
        "for: 60s",
        lambda m: [m.status(0, "degraded"), m.status(40, "degraded"), 80],
        False,
    ),
    Case(
        "stale_for",
        "the account is given up",
        "for: 60s",
        lambda m: [m.status(0, "stale"), m.given_up(30), 99],
        False,
    ),
    Case(
        "reconciliation_failed",
        "stream and REST differ",
        "",
        lambda m: [m.compared(0, "inconsistent")],
        True,
    ),
    Case(
        "reconciliation_failed",
        "an inconclusive one after that",
        "keep_firing_for: 0s",
        lambda m: [m.compared(0, "inconsistent"), m.compared(1, "inconclusive"), 9],
        True,
    ),
    Case(
        "reconciliation_failed",
        "they agree again",
        "keep_firing_for: 0s",
        lambda m: [m.compared(0, "inconsistent"), m.compared(1), 2],
        False,
    ),
    Case(
        "reconciliation_failed",
        "they differ in an asset that is not selected",
        "match: {asset: ETH}",
        lambda m: [m.compared(0, "inconsistent")],
        False,
    ),
    Case(
        "reconciliation_failed",
        "inconclusive alone",
        "",
        lambda m: [m.compared(0, "inconclusive")],
        False,
    ),
    Case(
        "transit_older_than",
        "what left has not arrived anywhere by then",
        "older_than: 60s",
        lambda m: [m.out(0, 1), 60],
        True,
    ),
    Case(
        "transit_older_than",
        "another amount arrived",
        "older_than: 60s",
        lambda m: [m.out(0, 1), m.came(30, "0.5"), 60],
        True,
    ),
    Case(
        "transit_older_than",
        "it has not been so long",
        "older_than: 60s",
        lambda m: [m.out(0, 1), 59],
        False,
    ),
    Case(
        "transit_older_than",
        "it arrived at another account, less a fee",
        "older_than: 60s",
        lambda m: [m.out(0, 1), m.came(30, "0.999"), 60],
        False,
    ),
    Case(
        "transit_older_than",
        "it arrives late",
        "older_than: 60s, keep_firing_for: 0s",
        lambda m: [m.out(0, 1), 60, m.came(70, 1), 71],
        False,
    ),
    Case(
        "transit_older_than",
        "a withdrawal of an asset that is not selected",
        "older_than: 60s, match: {asset: ETH}",
        lambda m: [m.out(0, 1), 60],
        False,
    ),
]
