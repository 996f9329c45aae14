"""What the settings say to Kraken."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KrakenOptions:
    """The venue's options.

    Attributes:
        aliases: venue code → canonical asset, from ``ASSET_ALIASES_FILE``; they win.
        users_all: ``KRAKEN_USERS_ALL``: the updates of all subaccounts, no picture.
        rebased: ``KRAKEN_REBASED``: tokenized equities as shares, not tokens.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    users_all: bool = False
    rebased: bool = True
