"""Everything that the venue remembers, without sockets and clock."""

import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from balance_simulator.faults import Fault, Faults
from balance_simulator.statistics import Statistics
from balance_simulator.zerohash.assets import AssetList
from balance_simulator.zerohash.identifiers import Identifiers
from balance_simulator.zerohash.ledger import Account, Ledger
from balance_simulator.zerohash.operations import Operations
from balance_simulator.zerohash.random_traffic import RandomTraffic, open_account
from balance_simulator.zerohash.settings import ZeroHashSettings
from balance_simulator.zerohash.signing import ApiKey, KeyRing

_CUSTOMER_SHARE = Decimal("0.1")
MEANINGLESS = frozenset(
    {
        # No login, token or nonce: every message and call carries its own signature.
        Fault.INVALID_SESSION,
        Fault.NONCE,
        # Words of other venues; here a limit is a 429 (``rate_limit``).
        Fault.THROTTLE,
        Fault.LOCKOUT,
        # Nobody is told of one here; what is left of it is a close with 1012.
        Fault.RESTART,
    }
)


@dataclass(slots=True)
class State:
    """One venue's memory.

    Attributes:
        settings: the choices made.
        rng: the seeded source of everything random.
        assets, ledger, operations, traffic: the books and who writes them.
        groups: participant → the group that its accounts are in.
        keys: who may ask.
        faults: what is armed.
        statistics: what was counted.
        pings: pings by outcome: ``signed``, ``bare`` or why it was none.
        emptied: an account that a torn REST answer is about to empty.
    """

    settings: ZeroHashSettings
    rng: random.Random
    identifiers: Identifiers
    assets: AssetList
    ledger: Ledger
    operations: Operations
    traffic: RandomTraffic
    keys: KeyRing
    groups: dict[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=lambda: Faults(meaningless=MEANINGLESS))
    statistics: Statistics = field(default_factory=Statistics)
    pings: Counter[str] = field(default_factory=Counter)
    emptied: Account | None = None

    def time_us(self, now_us: int) -> int:
        """Return the venue's own time, which a fault can put wrong."""
        skew = self.faults.active(Fault.CLOCK_SKEW, now_us)
        if skew is None:
            return now_us
        return now_us + int(Decimal(str(skew.arguments["by_s"])) * 1_000_000)

    def participant(self, name: object) -> str:
        """Return a participant's code from it, its number in order, or None (first).

        Raises:
            ValueError: when there is no such participant.
        """
        codes = list(self.groups)
        if name is None:
            return codes[0]
        if isinstance(name, int) and 0 <= name < len(codes):
            return codes[name]
        if name in self.groups:
            return str(name)
        raise ValueError(f"there is no participant {name!r}")

    def add_customer(self, group: str, code: str | None, at_us: int) -> str:
        """Take on a customer below a platform, funded with a tenth; return its code."""
        count = sum(1 for other in self.groups.values() if other == group)
        code = code or f"{group}C{count:05d}"
        if code in self.groups:
            raise ValueError(f"there is a participant {code} already")
        self.groups[code] = group
        if self.settings.funded:
            open_account(self.operations, code, group, at_us, _CUSTOMER_SHARE)
        return code


def new_state(settings: ZeroHashSettings, now_us: int) -> State:
    """Open a venue's books with the platforms and keys that the settings ask for."""
    # The traffic of tests has to repeat; nothing here guards a secret.
    rng = random.Random(settings.seed)  # noqa: S311
    identifiers = Identifiers(rng, runs_in_order=settings.runs_in_order)
    assets = AssetList(settings.assets)
    ledger = Ledger(assets, identifiers, rng, settings.time_digits, settings.runs_max)
    operations = Operations(ledger, identifiers, settings, rng)
    state = State(
        settings,
        rng,
        identifiers,
        assets,
        ledger,
        operations,
        RandomTraffic(operations, rng),
        KeyRing(settings),
    )
    for number in range(1, settings.accounts + 1):
        _open(state, number, now_us)
    return state


def _open(state: State, number: int, now_us: int) -> None:
    settings = state.settings
    first = number == 1
    code = settings.platform if first else f"{settings.platform}-{number}"
    key = settings.api_key if first else f"{settings.api_key}-{number}"
    state.groups[code] = code
    state.keys.add(ApiKey(key, settings.api_secret, settings.api_passphrase, code))
    if settings.funded:
        open_account(state.operations, code, code, now_us)
    for _ in range(settings.subaccounts):
        state.add_customer(code, None, now_us)
