"""What the venue says, as text: stream frames and REST answers.

The shapes and the order of keys are those of the examples on the pages "Balances"
(WebSocket v2), "Get Account Balance", "Get Asset Info" and "Get Ledgers Info". Amounts
on the stream are JSON numbers and in REST strings; both are written from decimals with
all digits of the asset's scale, and never pass through float.
"""

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from balance_simulator.exact import (
    CUT,
    EXACT,
    MICROSECONDS,
    cut_to_scale,
    plain,
    rfc3339,
)
from balance_simulator.kraken.assets import LISTED_VIEWS, Asset, AssetList
from balance_simulator.kraken.ledger import (
    ZERO,
    BalanceScope,
    Ledger,
    LedgerLine,
    Wallet,
)

HEARTBEAT = '{"channel":"heartbeat"}'
_ONE = Decimal(1)
_FIGURE = re.compile(r'("balance":)[^,}]+')

quoted = functools.lru_cache(maxsize=65_536)(json.dumps)


def shown(value: Decimal, asset: Asset, *, rebased: bool) -> str:
    """Write an amount; tokenized assets in shares (rebased) or in tokens (base)."""
    if rebased and asset.multiplier != _ONE:
        shares = CUT.multiply(value, asset.multiplier)
        return plain(cut_to_scale(shares, asset.decimals))
    return plain(value)


def status(system: str, connection_id: int | None) -> str:
    """Return the frame sent after connect and on each change of the engine's state.

    Without ``connection_id`` the field is left out, as captured maintenance frames do.
    """
    identity = "" if connection_id is None else f',"connection_id":{connection_id}'
    return (
        '{"channel":"status","type":"update","data":[{"version":"2.0.10",'
        f'"system":{quoted(system)},"api_version":"v2"{identity}}}]}}'
    )


def _request_id(req_id: int | None) -> str:
    return "" if req_id is None else f'"req_id":{req_id},'


def _times(in_us: int, out_us: int) -> str:
    return f'"time_in":"{rfc3339(in_us)}","time_out":"{rfc3339(out_us)}"'


def ack(method: str, result: str, req_id: int | None, times_us: tuple[int, int]) -> str:
    """Return the answer to a request that was done; ``result`` is JSON text."""
    return (
        f'{{"method":"{method}",{_request_id(req_id)}"result":{result},'
        f'"success":true,{_times(*times_us)}}}'
    )


def failure(
    error: str, method: str, req_id: int | None, times_us: tuple[int, int]
) -> str:
    """Return the answer to a refused request: no result, ``error`` a string."""
    return (
        f'{{"error":{quoted(error)},"method":{quoted(method)},{_request_id(req_id)}'
        f'"success":false,{_times(*times_us)}}}'
    )


def pong(req_id: int | None, times_us: tuple[int, int]) -> str:
    """Return the answer to a ping; captured ones carry no ``success``."""
    return f'{{"method":"pong",{_request_id(req_id)}{_times(*times_us)}}}'


def update_row(
    line: LedgerLine,
    assets: AssetList,
    scope: BalanceScope,
    *,
    with_user: bool,
    rebased: bool,
) -> str:
    """Return one row of an update's ``data``: a ledger line."""
    entry = line.entry
    wallet = entry.wallet
    asset = assets.internal(wallet.asset)
    subtype = f'"subtype":{quoted(entry.subtype)},' if entry.subtype else ""
    category = f'"category":{quoted(entry.category)},' if entry.category else ""
    user = f',"user":"{wallet.user}"' if with_user else ""
    balance = line.balance(scope)
    if rebased and asset.multiplier != _ONE:
        amount, fee, total = (
            shown(value, asset, rebased=True)
            for value in (entry.amount, entry.fee, balance)
        )
    else:
        amount, fee, total = f"{entry.amount:f}", f"{entry.fee:f}", f"{balance:f}"
    return (
        f'{{"ledger_id":"{line.ledger_id}","ref_id":"{entry.ref_id}",'
        f'"timestamp":"{rfc3339(line.at_us)}","type":{quoted(entry.type)},{subtype}'
        f'"asset":{quoted(asset.display)},"asset_class":"{asset.kind}",{category}'
        f'"wallet_type":{quoted(wallet.type)},"wallet_id":{quoted(wallet.id)},'
        f'"amount":{amount},"fee":{fee},"balance":{total}{user}}}'
    )


def with_figure(text: str, figure: str) -> str:
    """Return a row or frame with its first balance replaced by a figure as it is."""
    return _FIGURE.sub(lambda found: f"{found[1]}{figure}", text, count=1)


def update(rows: Sequence[str], sequence: int) -> str:
    """Return an update frame around rows that were written already."""
    return (
        '{"channel":"balances","type":"update","data":['
        f'{",".join(rows)}],"sequence":{sequence}}}'
    )


def snapshot(
    ledger: Ledger, user: str, sequence: int, *, zeros: bool, rebased: bool
) -> str:
    """Return the picture of a user's account: each asset with its wallets.

    Args:
        ledger: the books.
        user: whose picture.
        sequence: the frame's number, 1 on a real subscription.
        zeros: whether empty wallets and assets are told.
        rebased: see ``shown``.
    """
    rows = (
        _snapshot_row(ledger, ledger.assets.internal(asset), wallets, rebased=rebased)
        for asset, held in ledger.wallets(user).items()
        if (wallets := [w for w in held if zeros or ledger.balance(w)])
    )
    return (
        f'{{"channel":"balances","data":[{",".join(rows)}],'
        f'"type":"snapshot","sequence":{sequence}}}'
    )


def _snapshot_row(
    ledger: Ledger, asset: Asset, wallets: Sequence[Wallet], *, rebased: bool
) -> str:
    parts = ",".join(
        f'{{"type":{quoted(wallet.type)},"id":{quoted(wallet.id)},'
        f'"balance":{shown(ledger.balance(wallet), asset, rebased=rebased)}}}'
        for wallet in wallets
    )
    total = ledger.total(wallets[0].user, asset.internal)
    return (
        f'{{"asset":{quoted(asset.display)},"asset_class":"{asset.kind}",'
        f'"balance":{shown(total, asset, rebased=rebased)},"wallets":[{parts}]}}'
    )


def rest_result(result: object) -> str:
    """Return the envelope of a REST answer."""
    return json.dumps({"error": [], "result": result}, separators=(",", ":"))


def rest_error(error: str) -> str:
    """Return the envelope of a refusal: one string in ``error`` and no result."""
    return json.dumps({"error": [error]}, separators=(",", ":"))


def rest_balances(ledger: Ledger, user: str, *, rebased: bool) -> dict[str, str]:
    """Return code → balance as ``Balance`` does, net of pending withdrawals.

    Wallets which REST does not tell apart (bonded, flexible and locked are all ``.B``)
    are added up.
    """
    sums: dict[str, tuple[Asset, Decimal]] = {}
    for internal, wallets in ledger.wallets(user).items():
        asset = ledger.assets.internal(internal)
        for wallet in wallets:
            code = asset.rest_code(wallet.type, wallet.id)
            net = EXACT.subtract(ledger.balance(wallet), ledger.pending_total(wallet))
            _, so_far = sums.get(code, (asset, ZERO))
            sums[code] = (asset, EXACT.add(so_far, net))
    return {
        code: shown(value, asset, rebased=rebased)
        for code, (asset, value) in sums.items()
    }


def rest_ledger_row(
    line: LedgerLine, assets: AssetList, *, rebased: bool
) -> dict[str, object]:
    """Return one row of ``Ledgers``; ``time`` is text here and unquoted by the caller.

    The asset is the code of the wallet, as in exports: ``XXBT``, ``XBT.F``.
    """
    wallet = line.entry.wallet
    asset = assets.internal(wallet.asset)
    return {
        "refid": line.entry.ref_id,
        "time": f"{line.at_us // MICROSECONDS}.{line.at_us % MICROSECONDS:06d}",
        "type": line.entry.type,
        "subtype": line.entry.subtype,
        "aclass": asset.kind,
        "asset": asset.rest_code(wallet.type, wallet.id),
        "amount": shown(line.entry.amount, asset, rebased=rebased),
        "fee": shown(line.entry.fee, asset, rebased=rebased),
        "balance": shown(line.wallet_balance, asset, rebased=rebased),
    }


def rest_ledgers(rows: Mapping[str, Mapping[str, object]], count: int | None) -> str:
    """Return the answer of ``Ledgers``: an unordered map, times as JSON numbers."""
    members = ",".join(
        f"{quoted(ledger_id)}:{{{_ledger_members(row)}}}"
        for ledger_id, row in sorted(rows.items())
    )
    counted = "" if count is None else f',"count":{count}'
    return f'{{"error":[],"result":{{"ledger":{{{members}}}{counted}}}}}'


def _ledger_members(row: Mapping[str, object]) -> str:
    return ",".join(
        f'"{name}":{value}' if name == "time" else f'"{name}":{json.dumps(value)}'
        for name, value in row.items()
    )


def rest_assets(
    assets: Iterable[Asset], *, by_display_name: bool, kind: str = "currency"
) -> dict[str, dict[str, object]]:
    """Return what ``/0/public/Assets`` lists, suffixed views included.

    Args:
        assets: all assets of the venue.
        by_display_name: whether the caller asked with ``assetVersion=1``.
        kind: the asset class to list; tokenized assets only when asked for.
    """
    listed = {
        asset.display if by_display_name else asset.internal: _asset_row(
            asset.altname, asset.decimals, asset.display_decimals, asset.kind
        )
        for asset in assets
        if asset.kind == kind
    }
    if kind == "currency":
        for name, display, decimals in LISTED_VIEWS:
            key = display if by_display_name else name
            listed[key] = _asset_row(name, decimals, min(decimals, 5), kind)
    return listed


def _asset_row(
    altname: str, decimals: int, display_decimals: int, kind: str
) -> dict[str, object]:
    return {
        "aclass": kind,
        "altname": altname,
        "decimals": decimals,
        "display_decimals": display_decimals,
        "status": "enabled",
    }


def no_hold(balance: str) -> str:
    """Return zero at the scale of a balance, for ``hold_trade``."""
    _, point, decimals = balance.partition(".")
    return "0" + point + "0" * len(decimals)
