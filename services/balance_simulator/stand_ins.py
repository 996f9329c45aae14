"""Which venues can be stood in for: one row a venue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from balance_simulator.bitfinex.settings import BitfinexSettings
from balance_simulator.bitfinex.venue import BitfinexVenue
from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.venue import KrakenVenue
from balance_simulator.venue import Venue
from balance_simulator.zerohash.settings import NdaxSettings, ZeroHashSettings
from balance_simulator.zerohash.venue import NdaxVenue, ZeroHashVenue


@dataclass(frozen=True, slots=True)
class StandIn:
    """What a program has to know to run one stand-in venue.

    Attributes:
        title: the venue's name for people, and what is stood in for.
        settings: the dataclass of its choices.
        venue: makes the venue from them.
        options: settings that a command line offers → what each means.
    """

    title: str
    settings: type[Any]
    venue: Callable[[Any], Venue[Any, Any]]
    options: Mapping[str, str]


COMMON: Mapping[str, str] = {
    "host": "Address to listen on.",
    "port": "Port; 0 takes a free one.",
    "api_key": "Key of the first account.",
    "api_secret": "Secret of all keys.",
    "seed": "Of all ids and traffic.",
    "rate": "Updates a second of background traffic; 0 is quiet.",
    "connections_max": "Refuse connection attempts above this in the venue's window.",
}
"""Options of every venue."""

_ZEROHASH: Mapping[str, str] = {
    **COMMON,
    "api_key": "Key of the first platform; others get -2, -3, ...",
    "api_secret": "Secret of all keys, base64.",
    "api_passphrase": "Passphrase of all keys.",
    "accounts": "Platforms, each with its own key.",
    "subaccounts": "Customers below each platform.",
    "signed_content": "What a message's signature covers.",
    "ping_form": "Which pings count.",
    "ping_timeout_s": "Seconds without a ping before the venue closes.",
    "refusal": "What follows wrong credentials.",
    "chains": "What becomes of an asset's chains without their names.",
    "snapshot_zeros": "Tell empty accounts in pictures.",
    "update_account_id": "Tell account_id in updates.",
    "indent": "Print messages with four spaces, as the pages do.",
    "rate_limit": "Calls of a key in 10 s before REST answers 429.",
}

STAND_INS: Mapping[str, StandIn] = {
    "kraken": StandIn(
        "Kraken spot: WebSocket v2 balances and the private REST calls",
        KrakenSettings,
        KrakenVenue,
        {
            **COMMON,
            "api_key": "Key of the first account; others get -2, -3, ...",
            "api_secret": "Secret of all keys, base64.",
            "balance_scope": "What an update's balance covers.",
            "accounts": "Master accounts, each with its own key.",
            "subaccounts": "Sub-accounts below each master.",
            "together": "Tell all lines of one operation in one frame.",
            "ack_first": "Send the ack before the snapshot.",
            "snapshot_zeros": "Tell empty wallets in snapshots.",
            "rate_limit": "Most of a key's REST counter (Starter: 15).",
            "rate_decay": "What the counter loses in a second.",
        },
    ),
    "bitfinex": StandIn(
        "Bitfinex: the account channel of WebSocket v2 and the REST calls",
        BitfinexSettings,
        BitfinexVenue,
        {
            **COMMON,
            "api_key": "First key of the account; the others get -2, -3, ...",
            "api_secret": "Secret of all keys, plain text.",
            "keys": "Keys of the one account, each with nonces of its own.",
            "heartbeat_s": "Seconds between heartbeats.",
            "noise": "Tell frames about orders and trades too.",
            "row_fields": "Positions of a wallet array: 3, 5, 7 or 8.",
            "flat_ws": "Tell a single wallet without the outer list.",
            "funded": "Open the account with balances.",
            "caps_as_text": "Tell caps as JSON in a string.",
            "codes_as_text": "Tell codes of events as strings.",
            "failure": "Event that a refused auth is told as.",
            "picture_after_maintenance": "Tell a new picture when it has ended.",
            "calc_delay_s": "Seconds before a calc is answered.",
            "rest_available": "Tell in REST what is available.",
            "rest_per_minute": "Calls of one endpoint a minute before 429.",
            "ledger_wallets": "Name the wallet in history rows.",
        },
    ),
    "zerohash": StandIn(
        "Zero Hash: the balances feed and the account calls of REST",
        ZeroHashSettings,
        ZeroHashVenue,
        _ZEROHASH,
    ),
    "ndax": StandIn(
        "NDAX v3 (docs.ndax.in): the balances feed and the account calls of REST",
        NdaxSettings,
        NdaxVenue,
        _ZEROHASH,
    ),
}
"""Name, as in ``balancebus simulate NAME`` → how to run it."""
