"""Operations by name, with arguments as the control interface takes them.

The list of names and arguments is in the docstring of ``venue``.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from balance_simulator.arguments import Arguments, prepared
from balance_simulator.bitfinex.currencies import Currency
from balance_simulator.bitfinex.ledger import (
    WALLET_TYPES,
    ZERO,
    LedgerError,
    LedgerLine,
    Wallet,
)
from balance_simulator.bitfinex.operations import FEE_RATE
from balance_simulator.bitfinex.state import State
from balance_simulator.exact import EXACT, plain, unit

_COMMON = frozenset({"announce"})
LINES_MAX = 3
"""Most lines of one random operation."""

_PICTURE_DECIMALS = (8, 15, 18, 2)


class Done(NamedTuple):
    """What an operation wrote, and what else its caller wants to know."""

    lines: list[LedgerLine]
    more: dict[str, Any]


_Prepared = Callable[[int], Done]


class _Arguments(Arguments):
    """The arguments of one operation, which find wallets."""

    def __init__(self, state: State, given: Mapping[str, Any]) -> None:
        super().__init__(given, _COMMON)
        self._state = state

    def wallet(
        self, default: str = "exchange", name: str = "wallet", asset: str = "asset"
    ) -> Wallet:
        """Return the wallet whose type and currency are given by name."""
        kind = self.text(name, default)
        # Wallets of other types are not known of the real venue; a test may want one.
        if not kind.isalnum():
            raise LedgerError(f"{kind!r} is no wallet; there are {WALLET_TYPES}")
        return self._state.operations.wallet(kind, self.text(asset))


def run(state: State, name: str, given: Mapping[str, Any], at_us: int) -> Done:
    """Run one operation.

    Raises:
        ValueError, TypeError: when a name or an argument is wrong, or the books refuse.
    """
    return prepared(_OPERATIONS, name, state, _Arguments(state, given))(at_us)


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


def _trade(state: State, arguments: _Arguments) -> _Prepared:
    wallets = arguments.wallet(asset="base"), arguments.wallet(asset="quote")
    volume, price = arguments.amount("volume"), arguments.amount("price")
    fee_rate = arguments.amount("fee_rate", FEE_RATE)
    return lambda at_us: _written(
        state.operations.trade(wallets, volume, price, at_us, fee_rate)
    )


def _transfer(state: State, arguments: _Arguments) -> _Prepared:
    source, to = arguments.wallet(name="from"), arguments.wallet("margin", "to")
    amount = arguments.amount("amount")
    return lambda at_us: _written(state.operations.transfer(source, to, amount, at_us))


def _collateral(state: State, arguments: _Arguments) -> _Prepared:
    code, amount = arguments.text("asset", "USTF0"), arguments.amount("amount")
    return lambda at_us: _written(state.operations.collateral(amount, at_us, code))


def _funding(state: State, arguments: _Arguments) -> _Prepared:
    wallet, amount = arguments.wallet("funding"), arguments.amount("amount")
    return lambda at_us: _written(state.operations.funding(wallet, amount, at_us))


def _adjust(state: State, arguments: _Arguments) -> _Prepared:
    wallet, amount = arguments.wallet(), arguments.amount("amount")
    words = arguments.text("description", "Adjustment"), arguments.text("meta", "")
    return lambda at_us: _written(state.operations.adjust(wallet, amount, at_us, words))


def _hold(state: State, arguments: _Arguments) -> _Prepared:
    wallet, amount = arguments.wallet(), arguments.amount("amount")

    def hold(_at_us: int) -> Done:
        state.ledger.hold(wallet, amount)
        return Done([], {"available": plain(state.ledger.available(wallet))})

    return hold


def _interest(state: State, arguments: _Arguments) -> _Prepared:
    wallet, amount = arguments.wallet("margin"), arguments.amount("amount")

    def accrue(_at_us: int) -> Done:
        state.ledger.interest[wallet] = amount
        return Done([], {"interest": plain(amount)})

    return accrue


def _rename(state: State, arguments: _Arguments) -> _Prepared:
    code, to = arguments.text("asset"), arguments.text("to")
    return lambda _at_us: Done([], {"asset": state.currencies.rename(code, to).code})


def _map(state: State, arguments: _Arguments) -> _Prepared:
    code, symbol = arguments.text("asset"), arguments.text("to")
    return lambda _at_us: Done(
        [], {"symbol": state.currencies.map(code, symbol).symbol}
    )


def _list(state: State, arguments: _Arguments) -> _Prepared:
    code, decimals = arguments.text("asset"), int(arguments.amount("decimals"))
    symbol = arguments.text("symbol", "")
    underlying = arguments.text("underlying", "")

    def listing(_at_us: int) -> Done:
        state.currencies.add(
            Currency(code, code, symbol, underlying, decimals=decimals)
        )
        return Done([], {"asset": code})

    return listing


_OPERATIONS: Mapping[str, Callable[[State, _Arguments], _Prepared]] = {
    "deposit": _deposit,
    "withdrawal": _withdrawal,
    "trade": _trade,
    "transfer": _transfer,
    "collateral": _collateral,
    "funding": _funding,
    "adjust": _adjust,
    "hold": _hold,
    "interest": _interest,
    "rename": _rename,
    "map": _map,
    "list": _list,
}


def load_picture(
    state: State, given: Mapping[str, Any], at_us: int
) -> list[LedgerLine]:
    """List many new currencies and credit each, in one or more types of wallet."""
    kinds = WALLET_TYPES[: int(given.get("wallets", 1))]
    lines: list[LedgerLine] = []
    already = sum(1 for _ in state.currencies)
    for position in range(already, already + int(given.get("assets", 20_000))):
        decimals = _PICTURE_DECIMALS[position % len(_PICTURE_DECIMALS)]
        code = f"SIM{position:06d}"
        state.currencies.add(Currency(code, code, decimals=decimals))
        for kind in kinds:
            steps = Decimal(state.rng.randrange(1, 10 ** (decimals + 4)))
            amount = EXACT.multiply(steps, unit(decimals))
            wallet = Wallet(kind, code)
            lines += state.operations.deposit(wallet, amount, ZERO, at_us)
    return lines
