"""The accounts of one partition, and what the proofs topic says of them.

Records of six topics go in, verdicts that are news come out. A verdict that somebody
else wrote (an instance that did not know yet that the partition was taken from it) is
read back like any other and put right.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from balance_proof.account import Account
from balance_proof.verdicts import Finding, proof_of
from balance_schemas.keys import account_key
from balance_schemas.records import (
    Acknowledgement,
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    Reconciliation,
)

Said = tuple[Finding, datetime | None, str]


@dataclass(slots=True)
class _Kept:
    """One account, and of which state of it everything was said."""

    account: Account
    said: dict[str, Said] = field(default_factory=dict)
    judged: tuple[object, ...] = ()


class Shard:
    """The accounts of one partition.

    Attributes:
        caught_up: whether all that was there at the start is read; no verdict before.
    """

    def __init__(self) -> None:
        self.caught_up = False
        self._acknowledged: dict[str, datetime] = {}
        self._accounts: dict[str, _Kept] = {}
        self._published: dict[str, BalanceProof] = {}
        self._under_way: dict[str, list[BalanceProof]] = defaultdict(list)

    def take_event(self, event: BalanceEvent) -> None:
        """Take a record of the events topic."""
        self._account(event.venue, event.account).account.take_event(event)

    def take_latest(self, event: BalanceEvent) -> None:
        """Take a record of the latest topic."""
        self._account(event.venue, event.account).account.take_latest(event)

    def take_reconciliation(self, record: Reconciliation, time_ms: int) -> None:
        """Take a record of the reconciliations topic, published at a time."""
        kept = self._account(record.venue, record.account)
        kept.account.take_reconciliation(record, time_ms)

    def take_status(
        self, status: ConnectorStatus, time_ms: int, token: int = 0
    ) -> None:
        """Take a record of the status topic; see `Account.take_status`."""
        kept = self._account(status.venue, status.account)
        kept.account.take_status(status, time_ms, token)

    def complete(self, key: str, token: int) -> None:
        """Note that all that was published before a state is taken.

        Args:
            key: of the state: account key and feed.
            token: as it was taken with.
        """
        kept = self._accounts.get(key.rpartition("|")[0])
        if kept is not None:
            kept.account.complete(token)

    def take_acknowledgement(self, record: Acknowledgement) -> None:
        """Take a record of the acknowledgements topic."""
        self._acknowledged[record.key] = record.through
        kept = self._account(record.venue, record.account)
        kept.account.settle(record.key, record.through)
        kept.judged = ()

    def take_proof(self, key: str, proof: BalanceProof | None) -> None:
        """Take a record of the proofs topic, None for a tombstone."""
        under_way = self._under_way.get(key, [])
        if proof is not None and proof in under_way:
            del under_way[: under_way.index(proof) + 1]
            return
        if proof is None:
            self._published.pop(key, None)
        else:
            self._published[key] = proof
            kept = self._account(proof.venue, proof.account)
            kept.said.pop(key, None)
            kept.judged = ()

    def resume(self) -> None:
        """Note that all is read, and take over what only earlier verdicts tell."""
        self.caught_up = True
        for proof in self._published.values():
            self._account(proof.venue, proof.account).account.resume(proof)

    def due(self, now: datetime) -> Iterator[BalanceProof]:
        """Yield the verdicts that are news; each counts as published from then on.

        Args:
            now: to judge by who is silent, UTC.
        """
        for kept in self._accounts.values() if self.caught_up else ():
            account = kept.account
            judged = (account.cuts, account.unwell, account.is_silent(now))
            if judged == kept.judged:
                continue
            kept.judged = judged
            yield from self._news(kept, now)

    def _news(self, kept: _Kept, now: datetime) -> Iterator[BalanceProof]:
        checked_at = kept.account.checked_at
        for key, book, found in kept.account.verdicts(now):
            said = found, book.proven_through, book.event_id
            if kept.said.get(key) == said:
                continue
            kept.said[key] = said
            proof = proof_of(book, found, checked_at)
            known = self._published.get(key)
            if known is not None and _says_the_same(known, proof):
                continue
            self._published[key] = proof
            self._under_way[key].append(proof)
            yield proof

    def _account(self, venue: str, account: str) -> _Kept:
        key = account_key(venue, account)
        kept = self._accounts.get(key)
        if kept is None:
            kept = self._accounts[key] = _Kept(Account(self._acknowledged))
        return kept


def _says_the_same(known: BalanceProof, proof: BalanceProof) -> bool:
    """Whether two proofs differ at most in when they were made."""
    return known == msgspec.structs.replace(proof, checked_at=known.checked_at)
