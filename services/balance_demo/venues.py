"""The venues of the demo: one row a venue, and the trouble that they make."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from balance_demo.books import Books, Place
from balance_demo.plays import Play

Truth = Mapping[str, Any]
"""The answer of a stand-in's ``/control/truth``."""

_Line = tuple[str, str, str, str]
"""Subaccount, wallet, asset and the exact text of a balance."""


@dataclass(frozen=True, slots=True)
class DemoVenue:
    """What the demo has to know of a venue.

    Attributes:
        name: as in `balancebus connector NAME` and `balancebus simulate NAME`.
        lines: reads the truth of a stand-in.
        second_key: whether the stand-in's second key is of the same account: then
            polls use it, with nonces of its own.
    """

    name: str
    lines: Callable[[Truth], Iterator[_Line]]
    second_key: bool = False

    def books(self, truth: Truth) -> Books:
        """Return the books of a stand-in."""
        return {
            Place(self.name, subaccount, wallet, asset): Decimal(text)
            for subaccount, wallet, asset, text in self.lines(truth)
        }

    def credentials(self, told: Mapping[str, Any]) -> dict[str, str]:
        """Return the connector's settings for the keys that a stand-in has printed."""
        names = ("api_secret", "api_passphrase", "ws_url", "rest_url")
        found = {name: told[name] for name in names if name in told}
        found["api_key"], *others = told["api_keys"]
        if self.second_key:
            found |= {"rest_api_key": others[0], "rest_api_secret": told["api_secret"]}
        return found


def _kraken(truth: Truth) -> Iterator[_Line]:
    """Read user → asset → ``type/id`` of the wallet → text; the master is no user."""
    for user, assets in truth["balances"].items():
        subaccount = "" if truth["masters"][user] == user else user
        for wallet, asset, text in _flat(assets):
            yield subaccount, wallet.partition("/")[2], asset, text


def _bitfinex(truth: Truth) -> Iterator[_Line]:
    """Read user → currency → wallet → text; there is one user."""
    for assets in truth["balances"].values():
        for line in _flat(assets):
            yield "", *line


def _zerohash(truth: Truth) -> Iterator[_Line]:
    """Read participant/group/label → asset → account type → text."""
    for subaccount, assets in truth["balances"].items():
        for line in _flat(assets):
            yield subaccount, *line


def _flat(assets: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str, str]]:
    for asset, wallets in assets.items():
        for wallet, text in wallets.items():
            yield wallet, asset, text


VENUES = (
    DemoVenue("kraken", _kraken),
    DemoVenue("bitfinex", _bitfinex, second_key=True),
    DemoVenue("zerohash", _zerohash),
    DemoVenue("ndax", _zerohash),
)
"""The venues that the demo runs, side by side."""

PLAYS = (
    Play("kraken", "gap", "gap"),
    Play("bitfinex", "maintenance", "outage", {"seconds": 8}),
    Play("zerohash", "maintenance", "outage", {"seconds": 8}),
    Play("bitfinex", "gap", "gap"),
    Play("kraken", "maintenance", "outage", {"seconds": 8}),
    Play("ndax", "close", "closed connection"),
)
"""What is played, in turn; a demo with a duration has time for the first two."""
