"""What a client asked to hear: the ``filter`` of its ``auth``.

Source: page "ws-auth", section on filters: ``trading``, ``trading-tBTCUSD``,
``funding``, ``funding-fBTC``, ``wallet``, ``wallet-exchange-BTC``, ``algo``,
``balance``, ``notify``; without a filter a client hears everything. Specific ones are
sent instead of the general one, not beside it.
"""

from dataclasses import dataclass

CATEGORIES = frozenset({"trading", "funding", "wallet", "algo", "balance", "notify"})
_PARTS = {"trading": 2, "funding": 2, "wallet": 3}


@dataclass(frozen=True, slots=True)
class Filters:
    """What one client wants to hear.

    Attributes:
        names: as asked for; None for everything.
        unknown: names that the pages do not list; they match nothing.
        mixed: whether a general name stands beside a specific one of its kind, which
            the vendor calls wrong; only the specific ones count then.
    """

    names: tuple[str, ...] | None = None

    @property
    def unknown(self) -> list[str]:
        """Names that are no filters."""
        return [name for name in self.names or () if not _is_known(name)]

    @property
    def mixed(self) -> bool:
        """Whether a general name stands beside a specific one."""
        names = self.names or ()
        return any(_general(name) in names for name in names if "-" in name)

    def wants(self, category: str) -> bool:
        """Tell whether frames of a category are told at all."""
        if self.names is None:
            return True
        return any(_general(name) == category for name in self.names)

    def wants_wallet(self, kind: str, code: str) -> bool:
        """Tell whether one wallet is told about."""
        if self.names is None:
            return True
        specific = {name for name in self.names if name.startswith("wallet-")}
        if specific:
            return f"wallet-{kind}-{code}" in specific
        return "wallet" in self.names


def _general(name: str) -> str:
    return name.partition("-")[0]


def _is_known(name: str) -> bool:
    if name in CATEGORIES:
        return True
    return name.count("-") + 1 == _PARTS.get(_general(name))
