"""Everything that the venue remembers, without sockets and clock."""

import random
from collections import Counter
from dataclasses import dataclass, field

from balance_simulator.bitfinex.auth import ApiKey, KeyRing, MinuteLimit
from balance_simulator.bitfinex.currencies import CurrencyList
from balance_simulator.bitfinex.ledger import Ledger
from balance_simulator.bitfinex.operations import Operations
from balance_simulator.bitfinex.random_traffic import RandomTraffic, open_account
from balance_simulator.bitfinex.settings import BitfinexSettings
from balance_simulator.exact import MICROSECONDS
from balance_simulator.faults import Fault, Faults
from balance_simulator.statistics import Statistics

ATTEMPTS_WINDOW_US = 15 * MICROSECONDS
"""Connections are limited to 5 in 15 seconds (ws-auth)."""

MEANINGLESS = frozenset(
    {
        Fault.THROTTLE,
        Fault.CLOCK_SKEW,
        Fault.TORN,
        Fault.LAPSE,
    }
)
"""Faults of other venues: Kraken's words, signed times, answers in pages; a login that
ends says so."""


@dataclass(slots=True)
class State:
    """One venue's memory.

    Attributes:
        settings: the choices made.
        rng: the seeded source of everything random.
        user: the account's number.
        currencies, ledger, operations, traffic: the books and who writes them.
        keys: who may ask.
        limits: endpoint → its calls of the last minute.
        account_seq: number of the account's last event.
        calc_peak: most calculations that one client asked for in a second.
        inputs: array frames sent by clients, by type, and what their ``auth`` asked.
        faults: what is armed.
        statistics: what was counted.
    """

    settings: BitfinexSettings
    rng: random.Random
    user: int
    currencies: CurrencyList
    ledger: Ledger
    operations: Operations
    traffic: RandomTraffic
    keys: KeyRing = field(default_factory=KeyRing)
    limits: dict[str, MinuteLimit] = field(default_factory=dict)
    account_seq: int = 0
    calc_peak: int = 0
    inputs: Counter[str] = field(default_factory=Counter)
    faults: Faults = field(default_factory=lambda: Faults(meaningless=MEANINGLESS))
    statistics: Statistics = field(
        default_factory=lambda: Statistics(window_us=ATTEMPTS_WINDOW_US)
    )

    def operative(self, now_us: int) -> bool:
        """Tell whether the platform works, or is under maintenance."""
        return self.faults.active(Fault.MAINTENANCE, now_us) is None

    def limit(self, endpoint: str) -> MinuteLimit:
        """Return the calls of one endpoint within the last minute."""
        if endpoint not in self.limits:
            blocked_us = int(self.settings.blocked_s * MICROSECONDS)
            self.limits[endpoint] = MinuteLimit(
                self.settings.rest_per_minute, blocked_us
            )
        return self.limits[endpoint]

    def server_id(self) -> str:
        """Draw the id of a server, shaped as a UUID."""
        text = f"{self.rng.getrandbits(128):032x}"
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def new_state(settings: BitfinexSettings, now_us: int) -> State:
    """Open a venue's books with the account and keys that the settings ask for."""
    # The traffic of tests has to repeat; nothing here guards a secret.
    rng = random.Random(settings.seed)  # noqa: S311
    currencies = CurrencyList()
    ledger = Ledger(currencies, settings.lines_max)
    operations = Operations(ledger, rng)
    state = State(
        settings,
        rng,
        rng.randrange(100_000, 10_000_000),
        currencies,
        ledger,
        operations,
        RandomTraffic(operations, rng),
        account_seq=settings.account_seq,
    )
    for number in range(1, settings.keys + 1):
        name = settings.api_key if number == 1 else f"{settings.api_key}-{number}"
        state.keys.add(ApiKey(name, settings.api_secret, settings.permissions))
    if settings.funded:
        open_account(operations, now_us)
    return state
