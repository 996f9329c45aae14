"""What can be chosen about a Kraken stand-in."""

import base64
from dataclasses import dataclass

from balance_simulator.kraken.auth import ALL_PERMISSIONS
from balance_simulator.kraken.ledger import BalanceScope

DEFAULT_KEY = "simulated-key"
DEFAULT_SECRET = base64.b64encode(b"a secret of the stand-in venue, not of a real one")


@dataclass(frozen=True, slots=True, kw_only=True)
class KrakenSettings:
    """All choices; each default is what the pages say, or the likeliest reading.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        api_key: key of the first account; the others are ``api_key-2`` and so on.
        api_secret: secret of every key, base64.
        permissions: what the keys may do.
        seed: of everything random: ids, tokens, traffic.
        rate: ledger lines a second of background traffic; 0 is quiet.
        accounts: number of master accounts, each with its own key.
        subaccounts: number of sub-accounts below each master.
        funded: whether accounts are opened with balances.
        balance_scope: what an update's ``balance`` covers; not known of the real one.
        ack_first: whether the ack comes before the snapshot.
        snapshot_zeros: whether a snapshot tells empty wallets.
        together: whether the lines of one operation share one update frame.
        first_sequence: number of the first update where there is no snapshot.
        heartbeat_s: seconds without traffic before a heartbeat.
        rate_limit: most that a key's REST counter may reach (Starter: 15).
        rate_decay: what the counter falls by in a second (Starter: 0.33).
        connections_max: connection attempts in ten minutes before the handshake is
            refused with 429 (the real venue: about 150); None counts only.
        queue_max: frames that may wait for a slow reader before it is cut off.
        lines_max: ledger lines to remember at least (about 0.5 kB each).
    """

    host: str = "127.0.0.1"
    port: int = 0
    api_key: str = DEFAULT_KEY
    api_secret: str = DEFAULT_SECRET.decode()
    permissions: frozenset[str] = ALL_PERMISSIONS
    seed: int = 1
    rate: float = 0.0
    accounts: int = 1
    subaccounts: int = 0
    funded: bool = True
    balance_scope: BalanceScope = "wallet"
    ack_first: bool = True
    snapshot_zeros: bool = True
    together: bool = False
    first_sequence: int = 1
    heartbeat_s: float = 1.0
    rate_limit: float = 1_000_000.0
    rate_decay: float = 0.33
    connections_max: int | None = None
    queue_max: int = 500_000
    lines_max: int = 250_000

    def __post_init__(self) -> None:
        """Refuse numbers of accounts that cannot be."""
        if self.accounts < 1 or self.subaccounts < 0:
            raise ValueError("accounts is at least 1, subaccounts at least 0")
