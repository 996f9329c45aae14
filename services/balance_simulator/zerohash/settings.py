"""What can be chosen about a Zero Hash or NDAX stand-in."""

import base64
from dataclasses import dataclass
from typing import Literal

from balance_simulator.zerohash.amounts import AmountForm
from balance_simulator.zerohash.assets import NDAX_ASSETS, ZEROHASH_ASSETS, Asset

DEFAULT_KEY = "simulated-key"
DEFAULT_SECRET = base64.b64encode(b"a secret of the stand-in venue, not of a real one")
DEFAULT_PASSPHRASE = "simulated-passphrase"  # noqa: S105 - of no real account

IdForm = Literal["int", "text", "mixed"]
NDAX_TYPES = (
    "available",
    "collateral",
    "payable",
    "receivable",
    "collateral_deficiency",
)
ZEROHASH_TYPES = (*NDAX_TYPES, "staked")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroHashSettings:
    """All choices; each default is what the pages say, or the likeliest reading.

    Attributes:
        header_prefix: of the REST headers, ``X-SCX-`` or ``X-NDAX-``.
        quote: what trades are paid in.
        assets: what is listed.
        account_types: what an account can be; without ``staked``, stakes are kept as
            collateral.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        api_key: key of the first platform; the others are ``api_key-2`` and so on.
        api_secret: secret of every key, base64.
        api_passphrase: of every key.
        seed: of everything random: ids, times' digits, traffic.
        rate: balance updates a second of background traffic; 0 is quiet.
        platform: code of the first platform; the others get numbers behind it.
        accounts: number of platforms, each with its own key.
        subaccounts: number of customers below each platform.
        funded: whether platforms and customers are opened with balances.
        signed_content: what a message's signature covers: its ``body``, the whole
            ``message`` but for the signature, or the ``unsigned`` one, as it is before
            key, passphrase and timestamp are added. Not documented.
        ping_content: what a ping signs under ``body``, as it has none: "{}" or "".
        ping_form: ``signed`` (reference page: a bare ping is no ping), ``bare`` (guide
            pages: nobody looks at a signature) or ``any`` (a signature is checked when
            there is one).
        ping_timeout_s: seconds without a ping before the venue closes.
        time_window_s: how far a timestamp may be from the venue's time.
        refusal: what follows a wrong key, passphrase, timestamp or signature:
            ``error`` (a message, then the close) or ``silent`` (no answer to the
            subscription, while pings are answered). Not documented.
        subscribe_ack: whether a ``subscribe`` message comes before the picture, as on
            the prices feed.
        subscriptions: whether a second one on a socket replaces the first or is added
            to it (``replace``, ``add``). Not documented.
        early_updates: whether updates are told while a picture is still awaited.
        snapshot_zeros: whether a picture tells empty accounts; the real one does not.
        snapshot_run: what a picture says of the last run: ``known``, ``unknown``
            (``run_type``), ``missing`` (neither field) or ``mixed``.
        snapshot_run_id: form of ``run_id`` in pictures; its table says int.
        update_run_id: form of ``run_id`` in updates; its table says string, its sample
            is a number.
        update_account_id: whether updates tell ``account_id``: the seeds' samples do
            not, the guide's do.
        runs_in_order: whether run ids grow; not documented.
        chains: under ``useMultiChainAssetFormat: false``, whether holdings of one asset
            on several chains are ``summed`` or ``repeated`` under one name. Not
            documented.
        movement_extras: whether movements carry what other pages and the webhook name
            beyond the seed: parent, origin, order.
        indent: whether messages are printed with four spaces, as the pages do.
        amount_form: how amounts are written (see ``amounts``).
        time_digits: fraction digits of times: 6, 9, or 0 for a seeded mix.
        rest_multi_chain: whether REST names assets with their chain.
        rest_zeros: whether ``GET /accounts`` lists empty accounts.
        page_rows: rows on a page of REST.
        epoch_units: of ``GET /time``; the pages contradict each other.
        rate_limit: calls of a key in ``rate_window_s`` before REST answers 429.
        rate_window_s: seconds that such a call counts (the advice: wait 10 s).
        connections_max: connection attempts in ten minutes before the handshake is
            refused with 429; None counts only.
        queue_max: messages that may wait for a slow reader before it is cut off.
        runs_max: runs to remember at least.
    """

    header_prefix: str = "X-SCX-"
    quote: str = "USD"
    assets: tuple[Asset, ...] = ZEROHASH_ASSETS
    account_types: tuple[str, ...] = ZEROHASH_TYPES
    host: str = "127.0.0.1"
    port: int = 0
    api_key: str = DEFAULT_KEY
    api_secret: str = DEFAULT_SECRET.decode()
    api_passphrase: str = DEFAULT_PASSPHRASE
    seed: int = 1
    rate: float = 0.0
    platform: str = "PLAT01"
    accounts: int = 1
    subaccounts: int = 0
    funded: bool = True
    signed_content: Literal["body", "message", "unsigned"] = "body"
    ping_content: str = "{}"
    ping_form: Literal["signed", "bare", "any"] = "signed"
    ping_timeout_s: float = 20.0
    time_window_s: int = 60
    refusal: Literal["error", "silent"] = "error"
    subscribe_ack: bool = False
    subscriptions: Literal["replace", "add"] = "replace"
    early_updates: bool = False
    snapshot_zeros: bool = False
    snapshot_run: Literal["known", "unknown", "missing", "mixed"] = "mixed"
    snapshot_run_id: IdForm = "int"
    update_run_id: IdForm = "mixed"
    update_account_id: bool = False
    runs_in_order: bool = True
    chains: Literal["summed", "repeated"] = "summed"
    movement_extras: bool = True
    indent: bool = False
    amount_form: AmountForm = "mixed"
    time_digits: Literal[0, 6, 9] = 0
    rest_multi_chain: bool = True
    rest_zeros: bool = False
    page_rows: int = 200
    epoch_units: Literal["seconds", "milliseconds"] = "milliseconds"
    rate_limit: int = 1_000_000
    rate_window_s: float = 10.0
    connections_max: int | None = None
    queue_max: int = 500_000
    runs_max: int = 100_000

    @property
    def heartbeat_s(self) -> float:
        """How often, in seconds times four, to look whether something is due."""
        return min(self.ping_timeout_s, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NdaxSettings(ZeroHashSettings):
    """The choices of an NDAX v3 stand-in: the same ones with other defaults.

    Source: docs.ndax.in: headers ``X-NDAX-``, quote asset ``e₹``, five account types.
    """

    header_prefix: str = "X-NDAX-"
    quote: str = "e₹"
    assets: tuple[Asset, ...] = NDAX_ASSETS
    account_types: tuple[str, ...] = NDAX_TYPES
