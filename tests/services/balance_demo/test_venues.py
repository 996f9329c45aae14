"""The one table that knows venues."""

from decimal import Decimal

import pytest

from balance_connector.venues import VENUES as CONNECTED
from balance_demo.books import Place
from balance_demo.venues import PLAYS, VENUES
from balance_simulator.faults import read_fault

ROWS = {row.name: row for row in VENUES}
EXACT = "123456789.123456789012345678"


def test_every_venue_is_shown():
    """Each venue that can be connected to has a row, and plays name only those."""
    assert set(CONNECTED) == set(ROWS)
    assert {play.venue for play in PLAYS} <= set(ROWS)


def test_plays_are_faults_and_the_first_two_a_gap_and_an_outage():
    """They are at two venues, and the stand-ins know all of them."""
    assert ["gap", "outage"] == [play.words for play in PLAYS[:2]]
    assert PLAYS[0].venue != PLAYS[1].venue
    for play in PLAYS:
        read_fault(play.fault, play.arguments)


@pytest.mark.parametrize(
    ("venue", "truth", "places"),
    [
        (
            "kraken",
            {
                "masters": {"M": "M", "S": "M"},
                "balances": {
                    "M": {"BTC": {"spot/main": EXACT}},
                    "S": {"BTC": {"spot/main": EXACT, "earn/liquid": EXACT}},
                },
            },
            [("", "main", "BTC"), ("S", "main", "BTC"), ("S", "liquid", "BTC")],
        ),
        (
            "bitfinex",
            {"balances": {"2": {"UST": {"exchange": EXACT, "margin": EXACT}}}},
            [("", "exchange", "UST"), ("", "margin", "UST")],
        ),
        (
            "zerohash",
            {"balances": {"P/P/general": {"USDC.SOL": {"payable": EXACT}}}},
            [("P/P/general", "payable", "USDC.SOL")],
        ),
    ],
)
def test_truth_is_read_exactly(venue, truth, places):
    """Each balance has its place, and every digit."""
    assert {Place(venue, *one): Decimal(EXACT) for one in places} == (
        ROWS[venue].books(truth)
    )


def test_keys_are_handed_on():
    """A second key of the same account is for the polls, a passphrase goes along."""
    told = {
        "api_keys": ["one", "two"],
        "api_secret": "s",
        "ws_url": "ws://venue",
        "rest_url": "http://venue",
    }
    common = {name: told[name] for name in ("api_secret", "ws_url", "rest_url")}
    common["api_key"] = "one"
    rest = {"rest_api_key": "two", "rest_api_secret": "s"}
    assert common == ROWS["kraken"].credentials(told)
    assert common | rest == ROWS["bitfinex"].credentials(told)
    assert common | {"api_passphrase": "p"} == (
        ROWS["ndax"].credentials(told | {"api_passphrase": "p"})
    )
