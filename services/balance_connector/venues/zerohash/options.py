"""What the settings say to Zero Hash and NDAX, and what tells the two apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class ZeroHashOptions:
    """The options of both venues; several settle what the documentation leaves open.

    Attributes:
        aliases: venue code → canonical asset, from ``ASSET_ALIASES_FILE``; they win.
        filter_account_owner: only accounts of this participant.
        filter_account_group: only accounts of this group.
        filter_account_type: only accounts of this type, in the venue's word.
        filter_asset: only accounts of this asset, by the code as the venue tells it
            (with chains: ``USDC.SOL``).
        multi_chain_assets: codes name their chain (``USDC.SOL``). Without, holdings on
            several chains may come under one name, and the polls, which name chains by
            the venue's own choice, may not agree with the stream.
        signed_content: what a message of the stream signs: its ``body`` member, or the
            whole ``message`` as sent but for the signature.
        ping_form: ``signed`` with credentials, or ``bare``.
        ping_interval_s: seconds from one ping to the next; the venue closes after 20.
        rest_header_prefix: of the REST headers; None is the venue's own.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    filter_account_owner: str | None = None
    filter_account_group: str | None = None
    filter_account_type: str | None = None
    filter_asset: str | None = None
    multi_chain_assets: bool = True
    signed_content: Literal["body", "message"] = "body"
    ping_form: Literal["signed", "bare"] = "signed"
    ping_interval_s: float = 15.0
    rest_header_prefix: str | None = None

    @property
    def filter(self) -> dict[str, str]:
        """The filter in the venue's words, of subscription and query alike."""
        given = {
            "account_owner": self.filter_account_owner,
            "account_group": self.filter_account_group,
            "account_type": self.filter_account_type,
            "asset": self.filter_asset,
        }
        return {name: value for name, value in given.items() if value}


class Dialect(NamedTuple):
    """What differs between the venues that speak alike.

    Attributes:
        name: as people write it, for error texts.
        header_prefix: of the REST headers.
    """

    name: str
    header_prefix: str
