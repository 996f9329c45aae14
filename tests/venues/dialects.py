"""What the tests have to know of each venue: keys, truth, and how to move a balance."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from balance_schemas.records import BalanceEvent
from balance_simulator.bitfinex.settings import BitfinexSettings
from balance_simulator.bitfinex.venue import BitfinexVenue
from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.venue import KrakenVenue
from balance_simulator.zerohash.settings import NdaxSettings, ZeroHashSettings
from balance_simulator.zerohash.venue import NdaxVenue, ZeroHashVenue

Books = dict[tuple[str, ...], Decimal]
MAIN = "spot/main"
LINES = 10**9
"""More than any test writes."""


@dataclass(frozen=True)
class Dialect:
    """One venue in the words of the tests.

    Attributes:
        name: of the row in ``VENUES``.
        settings: of the stand-in.
        venue: the stand-in.
        truth: reads the books of the connector's account: pocket → balance, no zeros.
        pocket: names an event's balance as `truth` does.
        move: makes one random movement.
        empty: takes everything out of one balance, telling whoever listens.
        edit: changes the books upwards and tells nobody.
        credit: adds an amount of any digits to some balance.
        novelty: moves a balance of an asset, with words, that nobody has seen before.
        polled: what polls tell of the books, where that is less than the stream.
        heartbeat_s: seconds between two signs of life of the venue.
        untold: faults, by title, of which nothing that the venue sends ever tells: where
            no number follows, only polls find what was lost.
        silence_s: seconds of silence that the venue's row allows.
        unpermitted: choices of a venue whose keys may not read balances.
        unpermitted_fault: or a fault that says so whatever the key.
        permission: what has to be named then.
        limited: choices of a venue that counts and refuses what is too much.
        limits_hit: how often it did, by its statistics.
        passphrase: whether keys have one.
        lines: names the lines of the venue's ledger, each with its time.
        tells: names the lines that events tell. Both None where a venue's stream has
            no numbers, so that a lost message may stay unknown.
        paged: choices of a venue that tells the balances of polls in several pages.
    """

    name: str
    settings: Callable[..., Any]
    venue: Callable[..., Any]
    truth: Callable[[Any], Books]
    pocket: Callable[[BalanceEvent], tuple[str, ...]]
    move: Callable[[Any, random.Random], None]
    empty: Callable[[Any], None]
    edit: Callable[[Any], None]
    credit: Callable[[Any, str], None]
    novelty: Callable[[Any], None]
    heartbeat_s: float
    silence_s: float
    unpermitted: Mapping[str, Any]
    permission: str
    limited: Mapping[str, Any]
    limits_hit: Callable[[Mapping[str, Any]], int]
    unpermitted_fault: str | None = None
    polled: Callable[[Books], Books] = dict
    compared: Callable[[Books], Books] = dict
    untold: frozenset[str] = frozenset()
    passphrase: bool = False
    lines: Callable[[Any], list[tuple[str, object]]] | None = None
    tells: Callable[[Iterable[BalanceEvent]], list[object]] | None = None
    paged: Mapping[str, Any] = field(default_factory=dict)

    def stand_in(self, clock: Callable[[], int], **choices: Any) -> Any:
        """Return a stand-in venue."""
        return self.venue(self.settings(**choices), clock=clock)

    def credentials(self, venue: Any) -> dict[str, str]:
        """Return the settings with the key of the first account."""
        settings = venue.state.settings
        found = {"api_key": settings.api_key, "api_secret": settings.api_secret}
        if self.passphrase:
            found["api_passphrase"] = settings.api_passphrase
        return found


def _books(rows: Iterable[tuple[tuple[str, ...], str]]) -> Books:
    return {pocket: Decimal(text) for pocket, text in rows if Decimal(text)}


def _kraken_truth(venue: KrakenVenue) -> Books:
    balances: Mapping[str, Any] = venue.truth()["balances"]
    (user, *_) = balances
    return _books(
        ((asset, wallet), amount)
        for asset, wallets in balances[user].items()
        for wallet, amount in wallets.items()
    )


def _kraken_pocket(event: BalanceEvent) -> tuple[str, ...]:
    if event.wallet == "unspecified":
        return event.asset, event.wallet_id.replace(":", "/")
    return event.asset, f"{event.wallet}/{event.wallet_id}"


def _kraken_move(venue: KrakenVenue, rng: random.Random) -> None:
    amount = f"{rng.randint(1, 10**9)}e-8"
    moves = [
        ("deposit", {"asset": "BTC", "amount": amount}),
        ("withdrawal", {"asset": "ETH", "amount": amount, "fee": "0.000001"}),
        (
            "trade",
            {"base": "BTC", "quote": "USD", "volume": "0.01", "price": "26599.9"},
        ),
        ("allocate", {"asset": "BTC", "amount": "0.000001"}),
    ]
    venue.operate(*rng.choice(moves))


def _kraken_empty(venue: KrakenVenue) -> None:
    balances = venue.truth()["balances"]
    (user, *_) = balances
    amount = balances[user]["ETH"]["spot/main"]
    venue.operate("withdrawal", {"asset": "ETH", "amount": amount})


def _kraken_novelty(venue: KrakenVenue) -> None:
    venue.operate("list", {"asset": "NEWCOIN", "decimals": 18})
    words = {"type": "nfttrade", "subtype": "new word", "category": "another"}
    line = {"asset": "NEWCOIN", "amount": "1.5", "wallet": "vault/deep"}
    venue.operate("adjust", line | words)


def _kraken_credit(venue: KrakenVenue, amount: str) -> None:
    venue.operate("list", {"asset": "FINE", "decimals": 18})
    venue.operate("deposit", {"asset": "FINE", "amount": amount})


def _kraken_lines(venue: KrakenVenue) -> list[tuple[str, object]]:
    return [
        (line["timestamp"], line["ledger_id"])
        for line in venue.lines(LINES, None)["lines"]
    ]


def _kraken_tells(events: Iterable[BalanceEvent]) -> list[object]:
    """Return the entries; one that history told first is the same fact as an update."""
    told = list(events)
    updates = [_entry(event) for event in told if event.kind == "update"]
    late = [_entry(event) for event in told if event.kind == "backfill"]
    live = set(updates)
    return [*updates, *(entry for entry in late if entry not in live)]


def _entry(event: BalanceEvent) -> object:
    return event.movements[0].movement_id


def _by_asset(books: Books) -> Books:
    sums: Books = {}
    for (asset, _), amount in books.items():
        sums[asset,] = sums.get((asset,), Decimal(0)) + amount
    return sums


KRAKEN = Dialect(
    name="kraken",
    settings=KrakenSettings,
    venue=KrakenVenue,
    truth=_kraken_truth,
    pocket=_kraken_pocket,
    move=_kraken_move,
    empty=_kraken_empty,
    edit=lambda venue: venue.operate(
        "deposit", {"asset": "BTC", "amount": "0.5", "announce": False}
    ),
    credit=_kraken_credit,
    novelty=_kraken_novelty,
    polled=_by_asset,
    compared=_by_asset,
    heartbeat_s=1.0,
    untold=frozenset({"gap count=99"}),
    silence_s=5.0,
    unpermitted={"permissions": frozenset({"create-ws-token"})},
    permission="Query Funds",
    limited={"rate_limit": 15.0, "connections_max": 150},
    limits_hit=lambda counted: (
        counted["rest_errors"].get("EAPI:Rate limit exceeded", 0)
        + max(0, counted["connection_attempts_10min"] - 150)
    ),
    lines=_kraken_lines,
    tells=_kraken_tells,
)


def _bitfinex_truth(venue: BitfinexVenue) -> Books:
    (wallets,) = venue.truth()["balances"].values()
    return _books(
        ((code, wallet), amount)
        for code, amounts in wallets.items()
        for wallet, amount in amounts.items()
    )


def _bitfinex_move(venue: BitfinexVenue, rng: random.Random) -> None:
    amount = f"{rng.randint(1, 10**9)}e-8"
    codes = sorted({code for code, wallet in _bitfinex_truth(venue)})
    moves = [
        ("deposit", {"asset": rng.choice(codes), "amount": "1"}),
        ("deposit", {"asset": rng.choice(codes), "amount": "2.5"}),
        ("withdrawal", {"asset": "ETH", "amount": amount, "fee": "0.000001"}),
        ("trade", {"base": "BTC", "quote": "UST", "volume": "0.01", "price": "7804.6"}),
        ("transfer", {"asset": "BTC", "amount": "0.000001"}),
        ("collateral", {"amount": "0.000000000000001"}),
    ]
    venue.operate(*rng.choice(moves))


def _bitfinex_empty(venue: BitfinexVenue) -> None:
    amount = _bitfinex_truth(venue)["ETH", "exchange"]
    venue.operate("withdrawal", {"asset": "ETH", "amount": f"{amount:f}"})


def _bitfinex_novelty(venue: BitfinexVenue) -> None:
    venue.operate("list", {"asset": "NEWCOIN", "decimals": 18})
    words = {"description": "A new word", "meta": '{"reason":"NEW","deep":[1]}'}
    line = {"asset": "NEWCOIN", "amount": "1.5", "wallet": "vault"}
    venue.operate("adjust", line | words)


def _bitfinex_lines(venue: BitfinexVenue) -> list[tuple[str, object]]:
    return [
        (
            line["timestamp"],
            (line["asset"], line["wallet"], Decimal(line["balance"]).normalize()),
        )
        for line in venue.lines(LINES, None)["lines"]
    ]


def _bitfinex_tells(events: Iterable[BalanceEvent]) -> list[object]:
    """Return the balances after lines: answers to calculations have none."""
    return [
        (event.venue_asset, event.wallet_id, event.balance.normalize())
        for event in events
        if event.kind in {"backfill", "update"} and event.movements
    ]


BITFINEX = Dialect(
    name="bitfinex",
    settings=BitfinexSettings,
    venue=BitfinexVenue,
    truth=_bitfinex_truth,
    pocket=lambda event: (event.venue_asset, event.wallet_id),
    move=_bitfinex_move,
    empty=_bitfinex_empty,
    edit=lambda venue: venue.operate(
        "deposit", {"asset": "BTC", "amount": "0.5", "announce": False}
    ),
    credit=lambda venue, amount: venue.operate(
        "adjust", {"asset": "UST", "amount": amount, "description": "A fine one"}
    ),
    novelty=_bitfinex_novelty,
    heartbeat_s=15.0,
    silence_s=37.0,
    unpermitted={"permissions": frozenset({"orders", "history"})},
    permission="wallets",
    limited={"connections_max": 5, "rest_per_minute": 10, "calc_abuses_max": 0},
    limits_hit=lambda counted: (
        sum(limit["refused"] for limit in counted["rate_limit"].values())
        + counted["inputs"].get("calc_refused", 0)
        + max(0, counted["connection_attempts_15s"] - 5)
    ),
    lines=_bitfinex_lines,
    tells=_bitfinex_tells,
)


def _zerohash_truth(venue: ZeroHashVenue) -> Books:
    return _books(
        ((subaccount, asset, kind), amount)
        for subaccount, assets in venue.truth()["balances"].items()
        for asset, kinds in assets.items()
        for kind, amount in kinds.items()
    )


def _zerohash_move(venue: ZeroHashVenue, rng: random.Random) -> None:
    amount = f"{rng.randint(1, 10**9)}e-8"
    quote = venue.settings.quote
    kinds = sorted({asset for _, asset, kind in _zerohash_truth(venue)})
    moves = [
        ("deposit", {"asset": rng.choice(kinds), "amount": "1"}),
        ("deposit", {"asset": rng.choice(kinds), "amount": "2"}),
        ("withdrawal", {"asset": "ETH", "amount": amount}),
        ("trade", {"base": "BTC", "volume": "0.01", "price": "7804.6"}),
        ("net_zero", {"asset": quote, "amount": "0.35"}),
        ("stake", {"asset": "ETH", "amount": "0.000001"}),
    ]
    venue.operate(*rng.choice(moves))


def _zerohash_novelty(venue: ZeroHashVenue) -> None:
    venue.operate("list", {"asset": "NEWCOIN", "decimals": 18, "chain": "new chain"})
    words = {"run_type": "new_run", "movement_type": "new_word", "type": "vault"}
    venue.operate("adjust", {"asset": "NEWCOIN", "amount": "1.5"} | words)


def _zerohash(name: str, settings: Any, venue: Any) -> Dialect:
    return Dialect(
        name=name,
        settings=settings,
        venue=venue,
        truth=_zerohash_truth,
        pocket=lambda event: (event.subaccount, event.venue_asset, event.wallet_id),
        move=_zerohash_move,
        empty=lambda venue: venue.operate("empty", {"asset": "ETH"}),
        edit=lambda venue: venue.operate(
            "deposit", {"asset": "BTC", "amount": "0.5", "announce": False}
        ),
        credit=lambda venue, amount: venue.operate(
            "adjust", {"asset": "ETH", "amount": amount}
        ),
        novelty=_zerohash_novelty,
        heartbeat_s=15.0,
        untold=frozenset({"gap", "gap count=99", "lapse"}),
        silence_s=37.0,
        unpermitted={},
        unpermitted_fault="permission_denied",
        permission="permission",
        limited={"rate_limit": 20, "connections_max": 150},
        limits_hit=lambda counted: sum(
            key["refused"] for key in counted["rate_limit"].values()
        ),
        passphrase=True,
        paged={"page_rows": 3},
    )


ZEROHASH = _zerohash("zerohash", ZeroHashSettings, ZeroHashVenue)
NDAX = _zerohash("ndax", NdaxSettings, NdaxVenue)

DIALECTS: Mapping[str, Dialect] = {
    row.name: row for row in (KRAKEN, BITFINEX, ZEROHASH, NDAX)
}
"""Name → dialect, one for each row of ``VENUES``."""
