"""Confirms or disputes what the stream told, by the answers of polls beside it.

The comparing is in ``reconcile.py``; here is what it waits for and what follows. Only a
comparison in which every balance agreed moves the stream's `confirmed_at`. A difference
that is confirmed makes the stream take a new picture, a missed event at once, whatever
else is undecided; if the new one does not mend it, the stream is degraded until both
agree again, and no further picture is taken for it.
What may be a pending withdrawal, a code that is not mapped yet, or another name of a
wallet, is asked of a new picture too: if that says the same, nothing is wrong.

A stream that does not tell (it connects, is stale, or its venue is in maintenance) is
neither confirmed nor accused. How far its last word is from what polls say is told all
the same, once an answer, with the cause ``stale_stream``: it is the figure to ask for
while the stream is away.
"""

from datetime import datetime
from decimal import Decimal

import structlog

from balance_connector.feed import Feed
from balance_connector.outbox import Entry
from balance_connector.reconcile import (
    OTHER_WALLET,
    Answered,
    Found,
    Group,
    blamed_on_silence,
    compare,
)
from balance_connector.stream import StreamRunner
from balance_connector.venue import State
from balance_schemas.decimals import plain
from balance_schemas.records import Difference, Reconciliation
from balance_schemas.topics import RECONCILIATIONS
from balance_shared import telemetry
from balance_shared.errors import PictureNeeded
from balance_shared.kafka import outgoing

SETTLE_S = 2.0
"""How long after an answer the stream may take to tell what was in it, in seconds."""

TRIES_MAX = 5
"""Answers that are compared before an undecided comparison is published as such."""

_DOUBTFUL = frozenset(
    {"missed_event", "pending_withdrawal", "unknown_asset", OTHER_WALLET}
)
"""Causes that a new picture tells apart from a message that was lost."""

LISTED_MAX = 3
"""Most differences that a reason lists."""

log = structlog.get_logger(__name__)


class StreamWitness:
    """Compares the polls of one account with its stream.

    Args:
        polls: the feed of the polls.
        stream: the feed of the stream.
        runner: of the stream.
    """

    def __init__(self, polls: Feed, stream: Feed, runner: StreamRunner) -> None:
        self._polls = polls
        self._stream = stream
        self._runner = runner
        self._clock = polls.clock
        self._found = Found()
        self._began_at: datetime | None = None
        self._epoch = 0
        self._tries = 0
        self._pictured: frozenset[tuple[object, ...]] = frozenset()
        self._accepted: set[Group] = set()

    async def hear(self, answered: Answered) -> bool:
        """Compare one answer; return whether another is wanted soon."""
        board = self._stream.board
        epoch = board.epoch
        await self._clock.sleep(SETTLE_S)
        if not self._is_telling():
            self._begin_anew()
            self._tell_of_silence(answered)
            return False
        if board.epoch != epoch:
            self._begin_anew()
            return False
        if epoch != self._epoch:
            self._begin_anew()
            self._epoch = epoch
        self._began_at = self._began_at or answered.requested_at
        self._found = self._compared(answered)
        self._tries += 1
        is_wrong = self._found.verdict == "inconsistent"
        if self._found.open and self._tries < TRIES_MAX and not is_wrong:
            return True
        self._conclude(answered)
        self._begin_anew()
        return False

    def _compared(self, answered: Answered) -> Found:
        venue = self._stream.venue
        return compare(
            self._stream.memory.balances,
            answered,
            self._found,
            same_codes=venue.same_codes,
            net_of_pending=venue.net_of_pending,
            accepted=self._accepted,
        )

    def _tell_of_silence(self, answered: Answered) -> None:
        """Publish how far the stream's last word is from an answer, if it had one."""
        if self._stream.memory.balances:
            found = blamed_on_silence(self._compared(answered))
            self._publish(found, "inconclusive", answered)

    def _is_telling(self) -> bool:
        """Whether the stream says that its balances are good."""
        return self._stream.board.health.state in {State.LIVE, State.DEGRADED}

    def _begin_anew(self) -> None:
        self._found, self._began_at, self._tries = Found(), None, 0

    def _conclude(self, answered: Answered) -> None:
        """Publish the verdict and act on it."""
        found = self._found
        began_at = self._began_at or answered.requested_at
        self._publish(found, found.verdict, answered._replace(requested_at=began_at))
        if found.verdict == "consistent":
            self._stream.board.confirmed_at = began_at
            self._polls.board.confirmed_at = began_at
        doubted = [row for row in found.confirmed.values() if row.cause in _DOUBTFUL]
        wrong = [row for row in doubted if row.cause == "missed_event"]
        differences = frozenset(map(_difference, doubted))
        self._runner.dispute = None
        if not differences <= self._pictured:
            text = f"REST says otherwise: {_listed(doubted)}"
            log.error("inconsistent", balances=len(doubted), text=text)
            self._runner.doubt = PictureNeeded("inconsistent", text)
            self._pictured = differences
            return
        self._accepted |= {
            group for group, row in found.confirmed.items() if row.cause == OTHER_WALLET
        }
        if wrong:
            self._runner.dispute = f"REST says otherwise: {_listed(wrong)}"
        self._pictured = differences

    def _publish(self, found: Found, verdict: str, answered: Answered) -> None:
        account = self._polls.board.account
        record = Reconciliation(
            venue=account.venue,
            account=account.alias,
            requested_at=answered.requested_at,
            answered_at=answered.answered_at,
            verdict=verdict,
            checked=found.checked(same_codes=self._stream.venue.same_codes),
            differences=found.differences,
        )
        names = account.venue, account.alias, verdict
        telemetry.RECONCILIATIONS.labels(*names).inc()
        time_ms = int(self._clock.now().timestamp() * 1000)
        entry = outgoing(RECONCILIATIONS, account.key, record, time_ms)
        self._polls.outbox.put(Entry([entry], self._clock.monotonic()))


def _difference(row: Difference) -> tuple[object, ...]:
    return row.subaccount, row.wallet, row.wallet_id, row.asset, row.residual


def _listed(wrong: list[Difference]) -> str:
    listed = "; ".join(
        f"{row.subaccount} {row.wallet}/{row.wallet_id} {row.asset} "
        f"{_text(row.observed)} (streamed {_text(row.streamed)})".strip()
        for row in wrong[:LISTED_MAX]
    )
    more = f" and {len(wrong) - LISTED_MAX} more" if len(wrong) > LISTED_MAX else ""
    return listed + more


def _text(amount: Decimal | None) -> str:
    return "none" if amount is None else plain(amount)
