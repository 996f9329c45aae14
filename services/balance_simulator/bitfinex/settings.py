"""What can be chosen about a Bitfinex stand-in."""

from dataclasses import dataclass
from typing import Literal

from balance_simulator.bitfinex.auth import SCOPES

DEFAULT_KEY = "simulated-key"
DEFAULT_SECRET = "a-secret-of-the-stand-in-venue"  # noqa: S105 - of no real account
_ROW_FIELDS = (3, 5, 7, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class BitfinexSettings:
    """All choices; each default is what the pages say, or the likeliest reading.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        api_key: the first key of the account; others are ``api_key-2`` and so on.
        api_secret: secret of every key, used as its plain bytes.
        keys: keys of the one account, each with nonces of its own.
        permissions: what the keys may read, in the words of ``caps``.
        seed: of everything random: ids and traffic.
        rate: ledger lines a second of background traffic; 0 is quiet.
        funded: whether the account is opened with balances.
        version: of the protocol, told in the first frame.
        heartbeat_s: seconds between heartbeats of the account channel.
        noise: whether frames about orders, trades and notifications are told too, to
            whom no filter keeps them from.
        row_fields: positions of a wallet array: 3, 5, 7 or 8.
        flat_ws: whether a picture of a single wallet is told without the outer list.
        ws_descriptions: whether a picture describes each wallet's last change.
        ws_available: whether a picture tells what is available.
        caps_as_text: whether ``caps`` is JSON in a string, its digits strings.
        codes_as_text: whether the codes of events are strings.
        failure: how a refused ``auth`` is told: as an event ``auth`` or ``error``.
        failure_word: the status of a refused ``auth``; the pages print FAIL.
        failure_code: whether it carries a code.
        picture_after_maintenance: whether a new picture follows info 20061.
        account_seq: number of the last account event before the start.
        calc_delay_s: seconds before a ``calc`` is answered.
        calc_batch_max: most calculations in one request.
        calc_per_s: most calculations of one client in any second.
        calc_abuses_max: requests over these limits before the connection is closed;
            None never closes it.
        calc_describes: whether answers to ``calc`` repeat the last change's text.
        rest_available: whether REST tells what is available.
        rest_per_minute: calls of one endpoint a minute before 429; the pages name 10
            to 90.
        blocked_s: seconds for which an offender is blocked.
        ledgers_limit: rows of a history answer where the call names no limit.
        ledger_wallets: whether history rows name the wallet; else it is null, and at
            the end of the description.
        connections_max: connection attempts in 15 seconds before the handshake is
            refused with 429 (the real venue: 5); None counts only.
        queue_max: frames that may wait for a slow reader before it is cut off.
        lines_max: ledger lines to remember at least (about 0.5 kB each).
    """

    host: str = "127.0.0.1"
    port: int = 0
    api_key: str = DEFAULT_KEY
    api_secret: str = DEFAULT_SECRET
    keys: int = 2
    permissions: frozenset[str] = SCOPES
    seed: int = 1
    rate: float = 0.0
    funded: bool = True
    version: int = 2
    heartbeat_s: float = 15.0
    noise: bool = True
    row_fields: int = 7
    flat_ws: bool = False
    ws_descriptions: bool = False
    ws_available: bool = False
    caps_as_text: bool = False
    codes_as_text: bool = False
    failure: Literal["auth", "error"] = "auth"
    failure_word: str = "FAILED"
    failure_code: bool = True
    picture_after_maintenance: bool = True
    account_seq: int = 15_213
    calc_delay_s: float = 0.05
    calc_batch_max: int = 30
    calc_per_s: int = 8
    calc_abuses_max: int | None = None
    calc_describes: bool = False
    rest_available: bool = True
    rest_per_minute: int = 90
    blocked_s: float = 60.0
    ledgers_limit: int = 125
    ledger_wallets: bool = True
    connections_max: int | None = None
    queue_max: int = 500_000
    lines_max: int = 250_000

    def __post_init__(self) -> None:
        """Refuse what no account looks like."""
        if self.keys < 1:
            raise ValueError("keys is at least 1")
        if self.row_fields not in _ROW_FIELDS:
            raise ValueError("row_fields is 3, 5, 7 or 8")
