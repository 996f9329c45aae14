"""Operations by name, with arguments as the control interface takes them.

The list of names and arguments is in the docstring of ``venue``.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from balance_simulator.arguments import Arguments, prepared
from balance_simulator.exact import EXACT, unit
from balance_simulator.kraken.assets import Asset
from balance_simulator.kraken.ledger import ZERO, LedgerLine, Wallet
from balance_simulator.kraken.operations import FEE_RATE
from balance_simulator.kraken.state import State, add_subaccount

_COMMON = frozenset({"user", "announce", "together"})
_PICTURE_WALLETS = (
    ("spot", "main"),
    ("earn", "liquid"),
    ("earn", "bonded"),
    ("earn", "flexible"),
    ("earn", "locked"),
)
_PICTURE_DECIMALS = (10, 8, 18, 4)


class Done(NamedTuple):
    """What an operation wrote, and what else its caller wants to know."""

    lines: list[LedgerLine]
    more: dict[str, Any]


class _Arguments(Arguments):
    """The arguments of one operation, which know the user."""

    def __init__(self, state: State, given: Mapping[str, Any]) -> None:
        super().__init__(given, _COMMON)
        self._state = state
        self.user = state.user(given.get("user"))

    def wallet(self, default: str = "spot/main", asset: str | None = None) -> Wallet:
        kind, _, wallet_id = self.text("wallet", default).partition("/")
        name = self.text("asset", asset)
        return self._state.operations.wallet(self.user, name, (kind, wallet_id))


def run(state: State, name: str, given: Mapping[str, Any], at_us: int) -> Done:
    """Run one operation.

    Raises:
        ValueError, TypeError: when a name or an argument is wrong, or the books refuse.
    """
    return prepared(_OPERATIONS, name, state, _Arguments(state, given))(at_us)


_Prepared = Callable[[int], Done]


def _written(lines: list[LedgerLine]) -> Done:
    return Done(lines, {})


def _deposit(state: State, arguments: _Arguments) -> _Prepared:
    wallet = arguments.wallet()
    amount, fee = arguments.amount("amount"), arguments.amount("fee", ZERO)
    return lambda at_us: _written(state.operations.deposit(wallet, amount, fee, at_us))


def _withdrawal(state: State, arguments: _Arguments) -> _Prepared:
    wallet = arguments.wallet()
    amount, fee = arguments.amount("amount"), arguments.amount("fee", ZERO)
    return lambda at_us: _written(state.operations.withdraw(wallet, amount, fee, at_us))


def _request_withdrawal(state: State, arguments: _Arguments) -> _Prepared:
    wallet = arguments.wallet()
    amount, fee = arguments.amount("amount"), arguments.amount("fee", ZERO)

    def request(_at_us: int) -> Done:
        ref = state.operations.request_withdrawal(wallet, amount, fee)
        return Done([], {"ref_id": ref})

    return request


def _complete_withdrawal(state: State, arguments: _Arguments) -> _Prepared:
    ref = arguments.text("ref_id")
    return lambda at_us: _written(state.operations.complete_withdrawal(ref, at_us))


def _cancel_withdrawal(state: State, arguments: _Arguments) -> _Prepared:
    ref = arguments.text("ref_id")

    def cancel(_at_us: int) -> Done:
        state.ledger.take_pending(ref)
        return Done([], {})

    return cancel


def _trade(state: State, arguments: _Arguments) -> _Prepared:
    base, quote = arguments.text("base"), arguments.text("quote")
    volume, price = arguments.amount("volume"), arguments.amount("price")
    fee_rate = arguments.amount("fee_rate", FEE_RATE)
    in_credits = arguments.flag("fee_in_credits", default=False)
    return lambda at_us: _written(
        state.operations.trade(
            arguments.user,
            base,
            quote,
            volume,
            price,
            at_us,
            fee_rate=fee_rate,
            fee_in_credits=in_credits,
        )
    )


def _stake(state: State, arguments: _Arguments) -> _Prepared:
    earn, amount = arguments.wallet("earn/bonded"), arguments.amount("amount")
    spot = earn._replace(type="spot", id="main")
    return lambda at_us: _written(
        state.operations.stake(spot, amount, at_us, wallet_id=earn.id)
    )


def _allocate(state: State, arguments: _Arguments) -> _Prepared:
    earn, amount = arguments.wallet("earn/liquid"), arguments.amount("amount")
    automatic = arguments.flag("automatic", default=True)
    spot = earn._replace(type="spot", id="main")
    return lambda at_us: _written(
        state.operations.allocate(
            spot, amount, at_us, wallet_id=earn.id, automatic=automatic
        )
    )


def _reward(state: State, arguments: _Arguments) -> _Prepared:
    wallet, amount = arguments.wallet("earn/liquid"), arguments.amount("amount")
    return lambda at_us: _written(state.operations.reward(wallet, amount, at_us))


def _fee(state: State, arguments: _Arguments) -> _Prepared:
    wallet, fee = arguments.wallet(asset="KFEE"), arguments.amount("fee")
    return lambda at_us: _written(state.operations.fee(wallet, fee, at_us))


def _adjust(state: State, arguments: _Arguments) -> _Prepared:
    wallet, amount = arguments.wallet(), arguments.amount("amount")
    words = (
        arguments.text("type", "adjustment"),
        arguments.text("subtype", ""),
        arguments.text("category", ""),
    )
    return lambda at_us: _written(state.operations.adjust(wallet, amount, at_us, words))


def _subaccount(state: State, arguments: _Arguments) -> _Prepared:
    return lambda at_us: Done(
        [], {"user": add_subaccount(state, arguments.user, at_us)}
    )


def _rename(state: State, arguments: _Arguments) -> _Prepared:
    name, display = arguments.text("asset"), arguments.text("to")
    return lambda _at_us: Done(
        [], {"asset": state.assets.rename(name, display).display}
    )


def _rebase(state: State, arguments: _Arguments) -> _Prepared:
    name, multiplier = arguments.text("asset"), arguments.amount("multiplier")
    return lambda _at_us: Done(
        [], {"asset": state.assets.rebase(name, multiplier).display}
    )


def _list(state: State, arguments: _Arguments) -> _Prepared:
    name, decimals = arguments.text("asset"), int(arguments.amount("decimals"))

    def listing(_at_us: int) -> Done:
        state.assets.add(Asset(name, name, name, decimals))
        return Done([], {"asset": name})

    return listing


_OPERATIONS: Mapping[str, Callable[[State, _Arguments], _Prepared]] = {
    "deposit": _deposit,
    "withdrawal": _withdrawal,
    "request_withdrawal": _request_withdrawal,
    "complete_withdrawal": _complete_withdrawal,
    "cancel_withdrawal": _cancel_withdrawal,
    "trade": _trade,
    "stake": _stake,
    "allocate": _allocate,
    "reward": _reward,
    "fee": _fee,
    "adjust": _adjust,
    "subaccount": _subaccount,
    "rename": _rename,
    "rebase": _rebase,
    "list": _list,
}


def users(state: State, wanted: object) -> list[str]:
    """Return the users that "masters", "all" or a list of ids names."""
    if isinstance(wanted, list):
        return [state.user(user) for user in wanted]
    if wanted == "masters":
        return [
            user.id for user in state.ledger.users.values() if user.id == user.master
        ]
    if wanted == "all":
        return list(state.ledger.users)
    raise ValueError(f"users is 'masters', 'all' or a list of ids, not {wanted!r}")


def load_picture(
    state: State, given: Mapping[str, Any], at_us: int
) -> list[LedgerLine]:
    """List many new assets and credit each to a user, in one or more wallets."""
    user = state.user(given.get("user"))
    wallets = _PICTURE_WALLETS[: int(given.get("wallets", 1))]
    lines: list[LedgerLine] = []
    already = sum(1 for _ in state.assets)
    for number in range(already, already + int(given.get("assets", 20_000))):
        decimals = _PICTURE_DECIMALS[number % len(_PICTURE_DECIMALS)]
        name = f"SIM{number:06d}X"
        state.assets.add(Asset(name, name, name, decimals))
        for kind, wallet_id in wallets:
            steps = Decimal(state.rng.randrange(1, 10 ** (decimals + 4)))
            wallet = Wallet(user, name, kind, wallet_id)
            amount = EXACT.multiply(steps, unit(decimals))
            lines += state.operations.deposit(wallet, amount, ZERO, at_us)
    return lines
