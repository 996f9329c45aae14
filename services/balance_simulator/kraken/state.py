"""Everything that the venue remembers, without sockets and clock."""

import random
from dataclasses import dataclass, field
from decimal import Decimal

from balance_simulator.faults import Fault, Faults
from balance_simulator.kraken.assets import AssetList
from balance_simulator.kraken.auth import ApiKey, KeyRing, TokenStore
from balance_simulator.kraken.identifiers import Identifiers
from balance_simulator.kraken.ledger import Ledger
from balance_simulator.kraken.operations import Operations
from balance_simulator.kraken.random_traffic import RandomTraffic, open_account
from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.statistics import Statistics

MEANINGLESS = frozenset(
    {
        Fault.RESTART,
        Fault.UNANSWERED,
        Fault.ANSWER_LOST,
        Fault.ANSWER_LATE,
        Fault.FORBIDDEN,
        Fault.CLOCK_SKEW,
        Fault.TORN,
    }
)
"""Faults of other venues."""

_SUBACCOUNT_SHARE = Decimal("0.1")


@dataclass(slots=True)
class State:
    """One venue's memory.

    Attributes:
        settings: the choices made.
        rng: the seeded source of everything random.
        assets, ledger, operations, traffic: the books and who writes them.
        keys, tokens: who may ask.
        faults: what is armed.
        statistics: what was counted.
    """

    settings: KrakenSettings
    rng: random.Random
    identifiers: Identifiers
    assets: AssetList
    ledger: Ledger
    operations: Operations
    traffic: RandomTraffic
    keys: KeyRing
    tokens: TokenStore
    faults: Faults = field(default_factory=lambda: Faults(meaningless=MEANINGLESS))
    statistics: Statistics = field(default_factory=Statistics)

    def system(self, now_us: int) -> str:
        """Return the engine's state in the status channel's words."""
        under = self.faults.active(Fault.MAINTENANCE, now_us)
        return "maintenance" if under else "online"

    def user(self, name: object) -> str:
        """Return a user's id from its id, its number in order, or None (the first).

        Raises:
            ValueError: when there is no such user.
        """
        users = list(self.ledger.users)
        if name is None:
            return users[0]
        if isinstance(name, int) and 0 <= name < len(users):
            return users[name]
        if name in self.ledger.users:
            return str(name)
        raise ValueError(f"there is no user {name!r}")


def new_state(settings: KrakenSettings, now_us: int) -> State:
    """Open a venue's books with the accounts and keys that the settings ask for."""
    # The traffic of tests has to repeat; nothing here guards a secret.
    rng = random.Random(settings.seed)  # noqa: S311
    identifiers = Identifiers(rng)
    assets = AssetList()
    ledger = Ledger(assets, identifiers, settings.lines_max)
    operations = Operations(ledger, identifiers)
    state = State(
        settings,
        rng,
        identifiers,
        assets,
        ledger,
        operations,
        RandomTraffic(operations, rng),
        KeyRing(settings.rate_limit, settings.rate_decay),
        TokenStore(identifiers),
    )
    for number in range(1, settings.accounts + 1):
        _open(state, number, now_us)
    return state


def _open(state: State, number: int, now_us: int) -> None:
    settings = state.settings
    master = state.ledger.add_user(state.identifiers.user_id()).id
    name = settings.api_key if number == 1 else f"{settings.api_key}-{number}"
    state.keys.add(ApiKey(name, settings.api_secret, master, settings.permissions))
    if settings.funded:
        open_account(state.operations, master, now_us)
    for _ in range(settings.subaccounts):
        add_subaccount(state, master, now_us)


def add_subaccount(state: State, master: str, now_us: int) -> str:
    """Open a sub-account below a master, funded with a tenth; return its id."""
    user = state.ledger.add_user(state.identifiers.user_id(), master).id
    if state.settings.funded:
        open_account(state.operations, user, now_us, _SUBACCOUNT_SHARE)
    return user
