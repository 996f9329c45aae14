"""Why a figure is what it is: the picture it stands on and each change since. No I/O.

Theory of operation. Of the facts of one key that took effect up to a time, by what was
known then (`balance_storage.facts` says when each did), the last is the figure. It
stands on the last picture among them, or on the first fact there is. Each fact since is
a step: the balance before and the change that was told make the balance that is
expected; what was told beside it is the residual. Picture and changes make the figure
where every step tells its change and no residual is left; where the venue tells no
change (Bitfinex, ``wu``) nothing can be added, and the explanation says so.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from difflib import get_close_matches
from functools import reduce
from typing import NamedTuple

from balance_schemas.decimals import ZERO
from balance_shared.errors import SettingsError

_WIDE = Context(prec=100, traps=[Inexact, InvalidOperation])
"""Sums of many amounts may be wider than one that fits a record, and stay exact."""

LISTED_MAX = 6
"""Most keys that an error lists."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One event as stored; fields as of ``BalanceEvent``.

    Attributes:
        effective_at: when it took effect, UTC.
        topic, topic_partition, topic_offset: where it lies.
        again: its id was told before, and it counts all the same.
    """

    event_id: str
    feed: str | None
    kind: str
    balance: Decimal
    available: Decimal | None
    delta: Decimal | None
    reported_balance: Decimal | None
    balance_scope: str | None
    venue_time: datetime | None
    received_at: datetime
    epoch: int
    sequence: int | None
    snapshot_id: str | None
    snapshot_index: int | None
    snapshot_size: int | None
    topic: str | None
    topic_partition: int | None
    topic_offset: int
    effective_at: datetime
    again: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One ledger line behind an event; fields as of ``Movement``."""

    event_id: str
    movement_id: str
    reference_id: str | None
    type: str
    subtype: str | None
    amount: Decimal | None
    fee: Decimal | None
    change: Decimal | None
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison of the account with REST; the last four are of this balance.

    Attributes:
        residual: observed less streamed; None where nothing differed.
    """

    requested_at: datetime
    answered_at: datetime
    verdict: str
    checked: int
    streamed: Decimal | None = None
    observed: Decimal | None = None
    residual: Decimal | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """The verdict on the balance; fields as of ``BalanceProof``."""

    verdict: str
    method: str
    reason: str
    expected: Decimal | None
    observed: Decimal | None
    residual: Decimal | None
    proven_through: datetime | None
    checked_at: datetime
    last_event_id: str


class FrameName(NamedTuple):
    """By what the frame of an event is found within its account."""

    feed: str
    epoch: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class FrameAt:
    """Where a raw frame lies, and what it says.

    Attributes:
        index: its number in the epoch.
        payload: its first part, as received.
    """

    topic: str
    topic_partition: int
    topic_offset: int
    index: int
    source: str
    parts: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """One fact after another.

    Attributes:
        fact: what was told.
        before: the balance before it.
        expected: that and the change that was told; None where none was.
        lines: the ledger lines behind it.
    """

    fact: Fact
    before: Decimal
    expected: Decimal | None
    lines: tuple[Line, ...] = ()

    @property
    def residual(self) -> Decimal | None:
        """What was told beside what is expected; None where no change was told."""
        if self.expected is None:
            return None
        return _WIDE.subtract(self.fact.balance, self.expected)

    @property
    def difference(self) -> Decimal:
        """The balance after less the one before, whatever was told."""
        return _WIDE.subtract(self.fact.balance, self.before)

    @property
    def of_lines(self) -> Decimal | None:
        """The change by the ledger lines; None where one of them does not tell it."""
        changes = [line.change for line in self.lines]
        told = [change for change in changes if change is not None]
        whole = told and len(told) == len(changes)
        return reduce(_WIDE.add, told, ZERO) if whole else None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a figure is what it is.

    Attributes:
        key: balance key.
        at, known_at: of when; None: now.
        base: the picture that it stands on, or the first fact there is.
        steps: each fact since, in the order in which they took effect.
        compared: comparisons of the account with REST since, newest first.
        proof: the present verdict on the balance, None if there is none.
        frames: the raw frame of each fact that was asked for, or why it is not there.
    """

    key: str
    at: datetime | None
    known_at: datetime | None
    base: Fact
    steps: tuple[Step, ...] = ()
    compared: tuple[Compared, ...] = ()
    proof: Proof | None = None
    frames: Mapping[FrameName, FrameAt | str] = field(default_factory=dict)

    @property
    def figure(self) -> Fact:
        """The fact that says the figure."""
        return self.steps[-1].fact if self.steps else self.base

    @property
    def is_judged(self) -> bool:
        """Whether the verdict of proof is of this figure, and not of another event's.

        PROVEN is of the balance that was observed, too; the observed amount of other
        verdicts may be what REST said.
        """
        proof, figure = self.proof, self.figure
        if proof is None or proof.last_event_id != figure.event_id:
            return False
        proven = proof.verdict == "PROVEN" and proof.observed is not None
        return not proven or proof.observed == figure.balance

    @property
    def stands_on_picture(self) -> bool:
        """Whether the base is a picture."""
        return self.base.snapshot_id is not None

    @property
    def untold(self) -> int:
        """How many steps tell no change."""
        return sum(step.expected is None for step in self.steps)

    @property
    def change(self) -> Decimal:
        """The sum of the changes that were told."""
        told = [step.fact.delta or ZERO for step in self.steps]
        return reduce(_WIDE.add, told, ZERO)

    @property
    def breaks(self) -> tuple[Step, ...]:
        """The steps whose change does not lead to the balance that was told."""
        return tuple(step for step in self.steps if step.residual)

    @property
    def adds_up(self) -> bool | None:
        """Whether base and changes make the figure; None: not all changes are told."""
        if self.breaks:
            return False
        return None if self.untold else True


def explain(
    key: str,
    facts: Sequence[Fact],
    lines: Iterable[Line] = (),
    compared: Sequence[Compared] = (),
    proof: Proof | None = None,
    *,
    at: datetime | None = None,
    known_at: datetime | None = None,
) -> Explanation:
    """Return the explanation of the last of some facts.

    Args:
        key: whose facts.
        facts: in the order in which they took effect, one at least; what comes before
            the last picture is left out.
        lines: ledger lines of the facts, in the order of each.
        compared: comparisons, newest first.
        proof: the verdict.
        at: what was asked for.
        known_at: likewise.
    """
    pictures = [n for n, fact in enumerate(facts) if fact.snapshot_id is not None]
    base, *later = facts[pictures[-1] if pictures else 0 :]
    of_event: dict[str, list[Line]] = {}
    for line in lines:
        of_event.setdefault(line.event_id, []).append(line)
    steps: list[Step] = []
    before = base.balance
    for fact in later:
        expected = None if fact.delta is None else _WIDE.add(before, fact.delta)
        told = tuple(of_event.get(fact.event_id, ()))
        steps.append(Step(fact, before, expected, told))
        before = fact.balance
    return Explanation(key, at, known_at, base, tuple(steps), tuple(compared), proof)


def frame_of(fact: Fact) -> FrameName:
    """Return by what the frame of a fact is found."""
    return FrameName(fact.feed or "", fact.epoch, fact.received_at)


def key_of(text: str, keys: Collection[str]) -> str:
    """Return the one key that is meant: itself, or parts of it in their order.

    ``kraken|main|BTC`` means ``kraken|main||spot/main|BTC`` where no other key has
    these parts; a wallet may be given without its id. Case does not matter.

    Raises:
        SettingsError: none is, or several are; the text names them.
    """
    if text in keys:
        return text
    wanted = [part for part in text.casefold().split("|") if part]
    found = sorted(key for key in keys if wanted and _has(key, wanted))
    if len(found) == 1:
        return found[0]
    if found:
        more = f" and {len(found) - LISTED_MAX} more" if len(found) > LISTED_MAX else ""
        listed = ", ".join(found[:LISTED_MAX])
        raise SettingsError(f"KEY: {text!r} may be {listed}{more}")
    folded = {key.casefold(): key for key in keys}
    near = get_close_matches(text.casefold(), folded, LISTED_MAX // 2, 0.5)
    hint = ", ".join(folded[one] for one in near)
    if hint:
        raise SettingsError(f"KEY: no balance {text!r}; did you mean {hint}?")
    raise SettingsError(
        f"KEY: no balance {text!r}: `balancebus balances` lists what is stored, a key "
        "is venue|account|subaccount|wallet/wallet_id|asset"
    )


def _has(key: str, wanted: Sequence[str]) -> bool:
    """Whether a key has some parts, in this order."""
    parts = iter(key.casefold().split("|"))
    return all(
        any(part == one or part.split("/")[0] == one for part in parts)
        for one in wanted
    )
