"""Up to when the books of the whole firm are proven: the least of all accounts.

An account is known by its state on the bus; one that is known and of which nothing is
proven holds the watermark back, and is named. An account without a state was given up:
its verdicts do not count.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from balance_schemas.records import BalanceProof

AccountName = tuple[str, str]
"""Venue and account."""

WORST_FIRST = ("VIOLATED", "UNPROVEN", "PROVEN")
"""Verdicts, the worst first."""


@dataclass(slots=True)
class Standing:
    """How one account stands.

    Attributes:
        venue: where it is.
        account: our name of it.
        counts: verdict → number of balances.
        through: up to when all its balances are proven; None if one never was, or if
            none is known.
        held_by: the proof that holds it back most; None if no balance is known.
    """

    venue: str
    account: str
    counts: dict[str, int] = field(default_factory=dict)
    through: datetime | None = None
    held_by: BalanceProof | None = None


def standings(
    proofs: Iterable[BalanceProof], accounts: Collection[AccountName]
) -> list[Standing]:
    """Return how each known account stands, by name.

    Args:
        proofs: the last verdict on each balance.
        accounts: those that are known.
    """
    found = {name: Standing(*name) for name in sorted(accounts)}
    for proof in proofs:
        standing = found.get((proof.venue, proof.account))
        if standing is None:
            continue
        counts, held_by = standing.counts, standing.held_by
        counts[proof.verdict] = counts.get(proof.verdict, 0) + 1
        if held_by is None or _is_behind(proof, held_by):
            standing.held_by, standing.through = proof, proof.proven_through
    return list(found.values())


def watermark(found: Iterable[Standing]) -> datetime | None:
    """Return up to when all accounts are proven; None if one never was, or none is."""
    times = [standing.through for standing in found]
    known = [time for time in times if time is not None]
    return min(known) if known and len(known) == len(times) else None


def _is_behind(proof: BalanceProof, other: BalanceProof) -> bool:
    if proof.proven_through is None or other.proven_through is None:
        return proof.proven_through is None and other.proven_through is not None
    return proof.proven_through < other.proven_through
