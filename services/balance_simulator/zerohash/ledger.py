"""The true books of the venue: every account's balance and the runs that led to it.

An account is the tuple of participant, group, label, type and asset (vendor's page
"What is an account type"). A run applies movements together; each account that it
touches has one balance after the run, which is what an update tells. Nothing is
rounded, and nothing is checked for sense: an overdrawn account or 19 decimals are ways
to make trouble.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from balance_simulator.exact import EXACT, plain
from balance_simulator.zerohash.assets import AssetList
from balance_simulator.zerohash.identifiers import Identifiers

ZERO = Decimal(0)
Extra = tuple[tuple[str, str | int | None], ...]
_NS = 1_000
_SHORT, _LONG = 6, 9


class LedgerError(ValueError):
    """The books cannot take this operation; nothing was written."""


class Account(NamedTuple):
    """What a balance belongs to; ``asset`` is the code in the books."""

    participant_code: str
    account_group: str
    account_label: str
    account_type: str
    asset: str


class Leg(NamedTuple):
    """One movement to be written: ``change`` is signed; ``movement_id`` is shared."""

    account: Account
    change: Decimal
    movement_type: str
    movement_id: str
    extra: Extra = ()


class Movement(NamedTuple):
    """One movement as written; ``at_ns`` is in nanoseconds since 1970 (UTC)."""

    movement_id: str
    movement_type: str
    change: Decimal
    at_ns: int
    order: int
    extra: Extra


class Change(NamedTuple):
    """What one run did to one account.

    ``balance`` is the state after the run, ``named_balance`` that of all chains of the
    asset together.
    """

    account: Account
    balance: Decimal
    named_balance: Decimal
    change: Decimal
    movements: Sequence[Movement]


class Run(NamedTuple):
    """A group of movements applied together; ``digits`` of its times: 6 or 9."""

    run_id: int
    run_type: str
    at_ns: int
    digits: int
    changes: Sequence[Change]


@dataclass(slots=True)
class Record:
    """What is known of an account.

    Attributes:
        account_id: the venue's id.
        number: its place in order of opening, from 0.
        balance: what it holds.
        run_id, run_type: the last run that touched it.
        at_ns: when that was.
    """

    account_id: str
    number: int
    balance: Decimal = ZERO
    run_id: int = 0
    run_type: str = ""
    at_ns: int = 0


class Ledger:
    """All accounts and runs.

    Args:
        assets: the venue's assets.
        identifiers: the source of ids.
        rng: the seeded source of nanoseconds and of the digits of times.
        digits: 6, 9, or 0 for a mix (see ``Run``).
        runs_max: runs to remember at least; older ones are forgotten, their sums stay.
    """

    def __init__(
        self,
        assets: AssetList,
        identifiers: Identifiers,
        rng: random.Random,
        digits: int = 0,
        runs_max: int = 100_000,
    ) -> None:
        self.assets = assets
        self.records: dict[Account, Record] = {}
        self.by_id: dict[str, Account] = {}
        self.runs: list[Run] = []
        self.runs_written = 0
        self.changes_written = 0
        self._identifiers = identifiers
        self._rng = rng
        self._digits = digits
        self._runs_max = runs_max

    def record(self, account: Account) -> Record:
        """Return an account's record, opening it at first."""
        record = self.records.get(account)
        if record is None:
            record = Record(self._identifiers.uuid(), len(self.records))
            self.records[account] = record
            self.by_id[record.account_id] = account
        return record

    def balance(self, account: Account) -> Decimal:
        """Return what an account holds; 0 when it was never used."""
        record = self.records.get(account)
        return record.balance if record else ZERO

    def named_balance(self, account: Account) -> Decimal:
        """Return what is held on all chains of the account's asset together."""
        total = ZERO
        for code in self.assets.chains(account.asset):
            total = EXACT.add(total, self.balance(account._replace(asset=code)))
        return total

    def post(
        self, run_type: str, legs: Iterable[Leg], at_us: int, *, settled_s: int = 0
    ) -> Run:
        """Write one run.

        Args:
            run_type: its type.
            legs: its movements in order; accounts may come up more than once.
            at_us: when, in microseconds since 1970 (UTC).
            settled_s: seconds by which the movements are older than the run; samples
                have them older and younger.
        """
        digits = self._digits or (_SHORT, _LONG)[self._rng.getrandbits(1)]
        rest_ns = self._rng.getrandbits(10) % _NS if digits == _LONG else 0
        at_ns = at_us * _NS + rest_ns
        run_id = self._identifiers.run_id()
        moved_ns = at_ns - settled_s * 1_000_000_000
        touched: dict[Account, list[Movement]] = {}
        for order, leg in enumerate(legs):
            account, change, movement_type, movement_id, extra = leg
            touched.setdefault(account, []).append(
                Movement(movement_id, movement_type, change, moved_ns, order, extra)
            )
        changes = [
            self._apply(account, movements, (run_id, run_type, at_ns))
            for account, movements in touched.items()
        ]
        run = Run(run_id, run_type, at_ns, digits, self._with_names(changes))
        self._remember(run)
        return run

    def _apply(
        self, account: Account, movements: list[Movement], run: tuple[int, str, int]
    ) -> Change:
        net = ZERO if len(movements) > 1 else movements[0].change
        if len(movements) > 1:
            for movement in movements:
                net = EXACT.add(net, movement.change)
        record = self.record(account)
        record.balance = EXACT.add(record.balance, net)
        record.run_id, record.run_type, record.at_ns = run
        return Change(account, record.balance, record.balance, net, movements)

    def _with_names(self, changes: list[Change]) -> list[Change]:
        """Work out the sums over chains, once all of the run is written."""
        return [
            change._replace(named_balance=self.named_balance(change.account))
            if len(self.assets.chains(change.account.asset)) > 1
            else change
            for change in changes
        ]

    def _remember(self, run: Run) -> None:
        self.runs.append(run)
        self.runs_written += 1
        self.changes_written += len(run.changes)
        if len(self.runs) > 2 * self._runs_max:
            del self.runs[: -self._runs_max]

    def truth(self) -> dict[str, dict[str, dict[str, str]]]:
        """Return ``participant/group/label`` → asset → account type → balance.

        ``%`` and ``/`` inside a part are percent-encoded. Empty accounts are there.
        """
        books: dict[str, dict[str, dict[str, str]]] = {}
        for account, record in self.records.items():
            owner = books.setdefault(subaccount(account), {})
            name = self.assets.name(account.asset, multi_chain=True)
            owner.setdefault(name, {})[account.account_type] = plain(record.balance)
        return books


def subaccount(account: Account) -> str:
    """Return ``participant/group/label`` of an account."""
    return "/".join(
        part.replace("%", "%25").replace("/", "%2F") for part in account[:3]
    )
