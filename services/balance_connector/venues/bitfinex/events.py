"""What the venue's event objects say: greeting, configuration, login.

Source: pages ws-general (info, conf) and ws-auth (auth); that a failed login says
``FAILED`` where the page says ``FAIL``, and that ``caps`` may be JSON in a text, is
from captured frames and older pages.
"""

from typing import Any

import msgspec

from balance_connector.rows import UNREADABLE
from balance_connector.venues.bitfinex import wire
from balance_connector.venues.bitfinex.refusals import lacking, meaning
from balance_shared.errors import VenueRefused, VenueUnavailable

WALLETS_PERMISSION = "wallets: read"
"""The permission that the stream and the polls need, in the words of ``caps``."""

_VERSION = 2


def check_info(event: wire.Event) -> None:
    """Take in a greeting; other info events say neither version nor platform.

    Raises:
        VenueRefused: the server speaks another version of the protocol.
        VenueUnavailable: the platform is in maintenance.
    """
    if event.text("version") and event.number("version") != _VERSION:
        raise VenueRefused(
            f"Bitfinex: version {event.text('version')[:20]} of the protocol where "
            f"{_VERSION} is spoken: see WS_URL"
        )
    platform = event.value("platform")
    if isinstance(platform, dict) and wire.code_of(platform.get("status")) == 0:
        raise VenueUnavailable("Bitfinex is in maintenance", maintenance=True)


def flags_of(event: wire.Event) -> int:
    """Return the flags that are in force; as asked for if the event has none.

    A configuration that is not accepted leaves none: balances are told all the same,
    without numbers, and the feed says so.
    """
    if event.text("status") != "OK":
        return 0
    flags = event.number("flags")
    return wire.FLAGS if flags is None else flags & wire.FLAGS


def check_auth(event: wire.Event) -> bool:
    """Take in the answer to a login.

    Returns:
        Whether it says that the key may read wallets. One that does not say what the
        key may do is shown right by the first wallet told; an empty picture would mean
        nothing.

    Raises:
        VenueRefused: the key is not accepted, or may not read wallets.
        VenueUnavailable: it failed for another reason.
    """
    if event.text("status") != "OK":
        text = event.text("msg") or "the login failed without a reason"
        raise meaning(event.number("code"), text, WALLETS_PERMISSION)
    caps = _object(event.value("caps"))
    if caps is None:
        return False
    wallets = _object(caps.get("wallets")) or {}
    read = wallets.get("read")
    if read is not True and wire.code_of(read) != 1:
        raise lacking(WALLETS_PERMISSION)
    return True


def _object(value: Any) -> dict[str, Any] | None:
    """Return an object, or one that is JSON in a text; None for any other value."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except UNREADABLE:
            return None
    return value if isinstance(value, dict) else None
