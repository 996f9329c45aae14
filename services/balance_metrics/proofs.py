"""What is proven of every balance and of the firm, folded from records. No I/O."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from balance_metrics.state import Series
from balance_schemas.records import BalanceProof, ConnectorStatus
from balance_shared.watermark import (
    WORST_FIRST,
    AccountName,
    standings,
    watermark,
)


@dataclass(frozen=True, slots=True)
class Proven:
    """What one series shows.

    Attributes:
        verdict: the worst of its balances.
        through: up to when all of them are proven; None if one never was.
    """

    verdict: str
    through: datetime | None


class Proofs:
    """The last verdict on every balance, and which accounts are known.

    Records of one key must come in topic order; those of different topics in any.

    Args:
        assets: assets that have series; empty for all. The watermark is of all.

    Attributes:
        changed: whether anything may be another since somebody last set this to False.
    """

    def __init__(self, assets: Collection[str] = ()) -> None:
        self._assets = frozenset(assets)
        self._proofs: dict[str, BalanceProof] = {}
        self._feeds: dict[str, AccountName] = {}
        self.changed = False

    def take_proof(self, key: str, proof: BalanceProof | None) -> None:
        """Take a record of the proofs topic, None for one that cannot be read."""
        self.changed = True
        if proof is None:
            self._proofs.pop(key, None)
        else:
            self._proofs[key] = proof

    def take_status(self, key: str, status: ConnectorStatus | None) -> None:
        """Take a record of the status topic, None for a tombstone: it is given up."""
        if status is None:
            self.changed |= self._feeds.pop(key, None) is not None
        else:
            self.changed |= key not in self._feeds
            self._feeds[key] = status.venue, status.account

    def series(self) -> Mapping[Series, Proven]:
        """Return what each series of the known accounts shows."""
        known = set(self._feeds.values())
        found: dict[Series, Proven] = {}
        for proof in self._proofs.values():
            allowed = not self._assets or proof.asset in self._assets
            if allowed and (proof.venue, proof.account) in known:
                series = Series(
                    proof.venue,
                    proof.account,
                    proof.subaccount,
                    proof.wallet,
                    proof.asset,
                )
                found[series] = _with(found.get(series), proof)
        return found

    def watermark(self) -> datetime | None:
        """Return up to when the books of all known accounts are proven."""
        accounts = set(self._feeds.values())
        return watermark(standings(self._proofs.values(), accounts))


def _with(before: Proven | None, proof: BalanceProof) -> Proven:
    """Return what a series shows with one more balance in it."""
    if before is None:
        return Proven(proof.verdict, proof.proven_through)
    times = before.through, proof.proven_through
    known = [time for time in times if time is not None]
    verdicts = before.verdict, proof.verdict
    return Proven(
        min(verdicts, key=_badness), min(known) if len(known) == len(times) else None
    )


def _badness(verdict: str) -> int:
    """Return a place among verdicts; one that we do not know comes first."""
    return WORST_FIRST.index(verdict) if verdict in WORST_FIRST else -1
