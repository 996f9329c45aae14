"""Operations by name, with arguments as the control interface takes them.

The list of names and arguments is in the docstring of ``venue``.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple

from balance_simulator.arguments import Arguments, prepared
from balance_simulator.exact import EXACT, unit
from balance_simulator.zerohash.assets import Asset
from balance_simulator.zerohash.ledger import Account, Leg, Run
from balance_simulator.zerohash.operations import AVAILABLE, FEE_RATE
from balance_simulator.zerohash.state import State

_COMMON = frozenset({"participant", "group", "announce"})
_DEPOSIT_WORDS = ("deposit_reference_id", "source", "received_address")
_PICTURE_LABELS = ("general", "trading")


class Done(NamedTuple):
    """What an operation wrote, and what else its caller wants to know."""

    runs: list[Run]
    more: dict[str, Any]


class _Arguments(Arguments):
    """The arguments of one operation, which know the participant."""

    def __init__(self, state: State, given: Mapping[str, Any]) -> None:
        super().__init__(given, _COMMON)
        self._state = state
        self.code = state.participant(given.get("participant"))
        self.group = str(given.get("group", state.groups[self.code]))

    def account(self, name: str = "asset", kind: str = AVAILABLE) -> Account:
        """Return the account that ``label``, ``type`` and an asset's name mean."""
        asset = self._state.assets.find(self.text(name))
        label, kind = self.text("label", "general"), self.text("type", kind)
        return Account(self.code, self.group, label, kind, asset.code)


_Prepared = Callable[[int], Done]


def run(state: State, name: str, given: Mapping[str, Any], at_us: int) -> Done:
    """Run one operation.

    Raises:
        ValueError, TypeError: when a name or an argument is wrong, or the books refuse.
    """
    return prepared(_OPERATIONS, name, state, _Arguments(state, given))(at_us)


def _deposit(state: State, arguments: _Arguments) -> _Prepared:
    account, amount = arguments.account(), arguments.amount("amount")
    words = tuple((word, arguments.text(word, "")) for word in _DEPOSIT_WORDS)
    extra = tuple((word, text) for word, text in words if text)
    return lambda at_us: Done(
        state.operations.deposit(account, amount, at_us, extra), {}
    )


def _request_withdrawal(state: State, arguments: _Arguments) -> _Prepared:
    account, amount = arguments.account(), arguments.amount("amount")

    def ask(at_us: int) -> Done:
        request, runs = state.operations.request_withdrawal(account, amount, at_us)
        return Done(runs, {"request": request})

    return ask


def _withdrawal(state: State, arguments: _Arguments) -> _Prepared:
    ask = _request_withdrawal(state, arguments)

    def withdraw(at_us: int) -> Done:
        runs, more = ask(at_us)
        more_runs = state.operations.confirm_withdrawal(more["request"], at_us)
        return Done(runs + more_runs, more)

    return withdraw


def _confirm_withdrawal(state: State, arguments: _Arguments) -> _Prepared:
    request = arguments.text("request")
    return lambda at_us: Done(state.operations.confirm_withdrawal(request, at_us), {})


def _cancel_withdrawal(state: State, arguments: _Arguments) -> _Prepared:
    request = arguments.text("request")
    return lambda at_us: Done(state.operations.cancel_withdrawal(request, at_us), {})


def _trade(state: State, arguments: _Arguments) -> _Prepared:
    base, volume = arguments.account("base"), arguments.amount("volume")
    price = arguments.amount("price")
    fee_rate = arguments.amount("fee_rate", FEE_RATE)
    return lambda at_us: Done(
        state.operations.trade(base, volume, price, at_us, fee_rate), {}
    )


def _execute_trade(state: State, arguments: _Arguments) -> _Prepared:
    base, volume = arguments.account("base"), arguments.amount("volume")
    price = arguments.amount("price")

    def execute(at_us: int) -> Done:
        trade, runs = state.operations.execute(base, volume, price, at_us)
        return Done(runs, {"trade": trade})

    return execute


def _settle_trade(state: State, arguments: _Arguments) -> _Prepared:
    trade = arguments.text("trade")
    return lambda at_us: Done(state.operations.settle(trade, at_us), {})


def _transfer(state: State, arguments: _Arguments) -> _Prepared:
    source, amount = arguments.account(), arguments.amount("amount")
    code = state.participant(arguments.text("to_participant", source.participant_code))
    own = code == source.participant_code
    target = Account(
        code,
        source.account_group if own else state.groups[code],
        arguments.text("to_label", source.account_label),
        arguments.text("to_type", source.account_type),
        state.assets.find(arguments.text("to_asset", source.asset)).code,
    )
    return lambda at_us: Done(
        state.operations.transfer(source, target, amount, at_us), {}
    )


def _fee(kind: str) -> Callable[[State, _Arguments], _Prepared]:
    def prepare(state: State, arguments: _Arguments) -> _Prepared:
        account, amount = arguments.account(), arguments.amount("amount")
        return lambda at_us: Done(
            [state.operations.fee(account, amount, kind, at_us)], {}
        )

    return prepare


def _stake(state: State, arguments: _Arguments) -> _Prepared:
    account, amount = arguments.account(), arguments.amount("amount")
    return lambda at_us: Done(state.operations.stake(account, amount, at_us), {})


def _reward(state: State, arguments: _Arguments) -> _Prepared:
    account, amount = arguments.account(), arguments.amount("amount")
    return lambda at_us: Done(state.operations.reward(account, amount, at_us), {})


def _adjust(state: State, arguments: _Arguments) -> _Prepared:
    account, amount = arguments.account(), arguments.amount("amount")
    words = (
        arguments.text("run_type", "transfer"),
        arguments.text("movement_type", "transfer"),
    )
    return lambda at_us: Done(
        state.operations.adjust(account, [amount], words, at_us), {}
    )


def _net_zero(state: State, arguments: _Arguments) -> _Prepared:
    account, amount = arguments.account(), arguments.amount("amount")
    changes, words = [amount, EXACT.minus(amount)], ("settlement", "final_settlement")
    return lambda at_us: Done(
        state.operations.adjust(account, changes, words, at_us), {}
    )


def _empty(state: State, arguments: _Arguments) -> _Prepared:
    account = arguments.account()

    def empty(at_us: int) -> Done:
        gone = EXACT.minus(state.ledger.balance(account))
        words = ("withdrawal", "withdrawal")
        return Done(state.operations.adjust(account, [gone], words, at_us), {})

    return empty


def _subaccount(state: State, arguments: _Arguments) -> _Prepared:
    code, group = arguments.text("code", ""), arguments.group
    return lambda at_us: Done(
        [], {"participant": state.add_customer(group, code or None, at_us)}
    )


def _rename(state: State, arguments: _Arguments) -> _Prepared:
    name, to = arguments.text("asset"), arguments.text("to")
    return lambda _at_us: Done([], {"asset": state.assets.rename(name, to).name})


def _list(state: State, arguments: _Arguments) -> _Prepared:
    name, decimals = arguments.text("asset"), int(arguments.amount("decimals"))
    chain = arguments.text("chain", "ethereum")
    listed = Asset(name, decimals, chain)
    return lambda _at_us: Done([], {"asset": state.assets.add(listed).name})


_OPERATIONS: Mapping[str, Callable[[State, _Arguments], _Prepared]] = {
    "deposit": _deposit,
    "withdrawal": _withdrawal,
    "request_withdrawal": _request_withdrawal,
    "confirm_withdrawal": _confirm_withdrawal,
    "cancel_withdrawal": _cancel_withdrawal,
    "trade": _trade,
    "execute_trade": _execute_trade,
    "settle_trade": _settle_trade,
    "transfer": _transfer,
    "execution_fee": _fee("execution_fee"),
    "network_fee": _fee("network_fee"),
    "stake": _stake,
    "reward": _reward,
    "adjust": _adjust,
    "net_zero": _net_zero,
    "empty": _empty,
    "subaccount": _subaccount,
    "rename": _rename,
    "list": _list,
}


def owners(state: State, wanted: object) -> list[tuple[str, str]]:
    """Return participant and group of "masters", "all" or a list of participants."""
    if isinstance(wanted, list):
        codes = [state.participant(name) for name in wanted]
        return [(code, state.groups[code]) for code in codes]
    if wanted == "masters":
        return [(code, group) for code, group in state.groups.items() if code == group]
    if wanted == "all":
        return list(state.groups.items())
    raise ValueError(f"users is 'masters', 'all' or a list of codes, not {wanted!r}")


def load_picture(state: State, given: Mapping[str, Any], at_us: int) -> list[Run]:
    """Open many accounts, each with a balance, below one platform.

    Every customer has each asset under two labels; a customer's accounts are funded in
    one run.
    """
    group = state.groups[state.participant(given.get("participant"))]
    left = int(given.get("accounts", 20_000))
    assets = list(state.assets)
    already = sum(1 for code in state.groups if code.startswith(f"{group}S"))
    runs: list[Run] = []
    while left > 0:
        code = f"{group}S{already + len(runs):06d}"
        state.groups[code] = group
        legs = [
            Leg(
                Account(code, group, label, AVAILABLE, asset.code),
                EXACT.multiply(
                    Decimal(state.rng.randrange(1, 10 ** (asset.decimals + 4))),
                    unit(asset.decimals),
                ),
                "deposit",
                state.identifiers.uuid(),
            )
            for label, asset in list(product(_PICTURE_LABELS, assets))[:left]
        ]
        left -= len(legs)
        runs.append(state.ledger.post("deposit", legs, at_us))
    return runs
