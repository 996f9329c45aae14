"""Operations by name, and their arguments by name and kind: common to all venues."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

S = TypeVar("S")
A = TypeVar("A", bound="Arguments")
P = TypeVar("P")


class Arguments:
    """What was given to an operation; whatever is not read is refused at the end.

    Args:
        given: name → value, as the control interface read it.
        common: names that every operation takes.
    """

    def __init__(self, given: Mapping[str, Any], common: frozenset[str]) -> None:
        self._given = given
        self._read = set(common)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text.

        Raises:
            TypeError: it is missing or something else.
        """
        self._read.add(name)
        value = self._given.get(name, default)
        if not isinstance(value, str):
            raise TypeError(f"{name!r} is needed, as text")
        return value

    def amount(self, name: str, default: Decimal | None = None) -> Decimal:
        """Return a finite decimal number with all its digits.

        Raises:
            ValueError: it is missing or something else.
        """
        self._read.add(name)
        value = self._given.get(name, default)
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite():
            raise ValueError(f"{name!r} is needed, as a decimal number in a string")
        return amount

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a yes or no."""
        self._read.add(name)
        return bool(self._given.get(name, default))

    def finish(self) -> None:
        """Refuse arguments that the operation does not take.

        Raises:
            ValueError: there are such.
        """
        unknown = set(self._given) - self._read
        if unknown:
            raise ValueError(f"not taken: {', '.join(sorted(unknown))}")


def prepared(
    operations: Mapping[str, Callable[[S, A], P]], name: str, state: S, arguments: A
) -> P:
    """Return an operation that has taken its arguments.

    Raises:
        ValueError, TypeError: its name or an argument is wrong.
    """
    if name not in operations:
        raise ValueError(f"no operation {name!r}; there are: {', '.join(operations)}")
    operation = operations[name](state, arguments)
    arguments.finish()
    return operation
