"""What the settings say to Bitfinex."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BitfinexOptions:
    """The venue's options.

    Attributes:
        aliases: venue code → canonical asset, from ``ASSET_ALIASES_FILE``; they win.
        calc: ``BITFINEX_CALC``: ask for what is available where the venue tells null.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    calc: bool = True
