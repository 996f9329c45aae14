"""The rows of REST answers, with the fields of the OpenAPI description: pure.

Times are whole milliseconds here, though the stream has nanoseconds; ``account_owner``
is what the stream calls ``participant_code``; ``run_id`` is text.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from balance_simulator.exact import MICROSECONDS
from balance_simulator.zerohash.amounts import written
from balance_simulator.zerohash.assets import Asset
from balance_simulator.zerohash.ledger import (
    Account,
    Change,
    Ledger,
    Movement,
    Record,
    Run,
)
from balance_simulator.zerohash.signing import RefusedError
from balance_simulator.zerohash.state import State

Known = tuple[Account, Record, str]
"""An account, its record and the name told of its asset."""

TWO_MONTHS_US = 61 * 86_400 * MICROSECONDS
_MS_IN_NS = 1_000_000
# A time in a filter may be in milliseconds or nanoseconds; none in between is likely.
_NANOSECONDS_FROM = 10**16
_COMPARED: Mapping[str, Callable[[int, int], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "e": operator.eq,
    "lt": operator.lt,
    "lte": operator.le,
}


class Moved(NamedTuple):
    """One movement with where it belongs."""

    run: Run
    change: Change
    movement: Movement


def asset(listed: Asset) -> dict[str, Any]:
    """Return a row of ``GET /assets``."""
    return {
        "symbol": listed.name,
        "name": listed.plain,
        "chain_code": listed.chain,
        "type": "crypto" if listed.chain else "fiat",
        "stablecoin": listed.stablecoin,
        "precision": listed.decimals,
        "ticker": listed.plain,
    }


def account(state: State, key: Account, record: Record, name: str) -> dict[str, Any]:
    """Return a row of ``GET /accounts``."""
    return {
        "asset": name,
        "account_owner": key.participant_code,
        "account_type": key.account_type,
        "account_group": key.account_group,
        "account_label": key.account_label,
        "balance": written(record.balance, state.settings.amount_form, record.number),
        "account_id": record.account_id,
        "last_update": record.at_ns // _MS_IN_NS,
    }


def run(state: State, of: Run, change: Change) -> dict[str, Any]:
    """Return a row of ``GET /accounts/{id}/run_history``."""
    form = state.settings.amount_form
    return {
        "run_timestamp": of.at_ns // _MS_IN_NS,
        "run_type": of.run_type,
        "run_id": str(of.run_id),
        "change": written(change.change, form, of.run_id),
        "new_balance": written(change.balance, form, of.run_id + 1),
    }


def movements(ledger: Ledger) -> Iterator[Moved]:
    """Go through all movements remembered, newest first."""
    for of in reversed(ledger.runs):
        for change in of.changes:
            for moved in reversed(change.movements):
                yield Moved(of, change, moved)


def fits(row: Moved, query: Mapping[str, str]) -> bool:
    """Tell whether a movement meets the filters of a query.

    Raises:
        RefusedError: 400 when a time in them is no number.
    """
    extra = dict(row.movement.extra)
    for name in ("parent_link_id", "transfer_type"):
        if name in query and query[name] != extra.get(name):
            return False
    if query.get("movement_type", row.movement.movement_type) != (
        row.movement.movement_type
    ):
        return False
    for word, compared in _COMPARED.items():
        name = f"movement_timestamp[{word}]"
        if name in query and not _compared(row, query[name], compared, name):
            return False
    return True


def _compared(
    row: Moved, text: str, compared: Callable[[int, int], bool], name: str
) -> bool:
    if not (text.isascii() and text.isdecimal()):
        raise RefusedError(400, f"querystring/{name} must be number")
    limit, at_ns = int(text), row.movement.at_ns
    if limit >= _NANOSECONDS_FROM:
        return compared(at_ns, limit)
    return compared(at_ns // _MS_IN_NS, limit)


def account_movement(state: State, row: Moved) -> dict[str, Any]:
    """Return a row of ``GET /accounts/{id}/movements``."""
    told = {"order_id": row.movement.order, "run_id": str(row.run.run_id)}
    return told | _common(state, row)


def movement(state: State, row: Moved) -> dict[str, Any]:
    """Return a row of ``GET /movements``."""
    extra = dict(row.movement.extra)
    return {
        "account_id": state.ledger.records[row.change.account].account_id,
        **_common(state, row),
        "transfer_type": extra.get("transfer_type"),
        "transfer_id": extra.get("transfer_request_id"),
    }


def _common(state: State, row: Moved) -> dict[str, Any]:
    moved = row.movement
    extra = dict(moved.extra)
    number = row.run.run_id + moved.order
    return {
        "movement_timestamp": moved.at_ns // _MS_IN_NS,
        "movement_id": moved.movement_id,
        "movement_type": moved.movement_type,
        "trade_id": extra.get("trade_id"),
        "deposit_reference_id": extra.get("deposit_reference_id"),
        "withdrawal_request_id": extra.get("withdrawal_request_id"),
        "change": written(moved.change, state.settings.amount_form, number),
        "parent_link_id": extra.get("parent_link_id"),
        "origin": extra.get("origin"),
    }
