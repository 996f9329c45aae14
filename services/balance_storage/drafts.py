"""Batches drafted ahead of their transactions, and what they stand on. No I/O.

Theory of operation. While PostgreSQL takes in one batch, the next is drafted: settled,
chained and written as COPY takes it. It stands on what will be once the batches before
it are stored: where the chains of its accounts end and what holds of its balances, the
ground. Its ids are taken for new.

Nothing of this is trusted. A draft is stored in a transaction that has locked the ends
of its accounts and found them where the draft stands. Whoever stores anything of an
account moves its end, and an end is a digest of all before it: so what holds is as the
draft has it. And an id that is not new breaks the index of ids. Where either is found,
nothing of the draft is stored, the ground is given up, and the batch is drafted again
from what PostgreSQL says; so is every batch that was drafted on that ground.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import cast

from balance_storage.chain import End, chained
from balance_storage.facts import Head, settle
from balance_storage.lines import Beside, Numbers, copied_ids, lines, merged
from balance_storage.rows import Row

ROWS_AT_ONCE = 25
"""How many rows are drafted, a fraction of a millisecond, before others may go on."""


@dataclass(slots=True)
class Draft:
    """What a batch writes, and on what condition.

    Attributes:
        before: id of each of its accounts → where the chain has to end.
        after: where it ends then.
        heads: balance key → what holds then, where that is changed.
        tellings: for `sql.COPY_TELLINGS`.
        ids: for `sql.COPY_IDS`; empty if none is new.
        holding: the values of `sql.MERGE`; empty if nothing new holds.
        beside: what is written beside them.
    """

    before: dict[int, End]
    after: dict[int, End]
    heads: dict[str, Head]
    tellings: bytes
    ids: bytes
    holding: tuple[str, ...]
    beside: Beside


@dataclass(slots=True)
class Ground:
    """What is so once all that was drafted is stored, as far as we know it.

    Attributes:
        ends: id of an account → where its chain ends.
        heads: balance key → what holds; None: nothing does.
    """

    ends: dict[int, End] = field(default_factory=dict)
    heads: dict[str, Head | None] = field(default_factory=dict)

    def covers(self, rows: Sequence[Row], numbers: Numbers) -> bool:
        """Return whether a batch can be drafted on it."""
        at = {(row.placed.topic, row.placed.partition) for row in rows}
        keys = {row.key for row in rows}
        return keys <= self.heads.keys() and at <= numbers.places.keys()

    def advance(self, draft: Draft) -> None:
        """Let it be what it is after a draft."""
        self.ends.update(draft.after)
        self.heads.update(draft.heads)

    def learn(self, found: "Ground") -> None:
        """Take in what PostgreSQL says; others may have stored what we do not know."""
        if any(self.ends.get(owner, end) != end for owner, end in found.ends.items()):
            self.ends.clear()
            self.heads.clear()
        self.ends.update(found.ends)
        self.heads.update(found.heads)


def drafting(
    rows: Sequence[Row],
    numbers: Numbers,
    ground: Ground,
    known: Mapping[str, int | None],
    now: datetime,
) -> Generator[None, None, Draft]:
    """Draft a batch; a generator, so that others may go on meanwhile.

    Args:
        rows: in topic order for each partition.
        numbers: of all that they name.
        ground: covers them; is not changed.
        known: digests of ids that are stored → see `facts.settle`.
        now: time of the storing, UTC.

    Returns:
        The draft, as the generator's value.
    """
    keys = {row.key for row in rows}
    before = {owner: ground.ends[owner] for owner in owners(keys, numbers)}
    heads = {key: head for key in keys if (head := ground.heads[key]) is not None}
    after, beside = dict(before), Beside()
    told = settle(rows, known, heads, now)
    making = lines(chained(told, numbers.accounts, after), numbers, beside)
    tellings = []
    while text := "".join(islice(making, ROWS_AT_ONCE)):
        tellings.append(text.encode())
        yield
    written = copied_ids(beside.ids) if beside.ids else b""
    yield
    holding = merged(beside.current)
    texts = b"".join(tellings)
    return Draft(before, after, beside.heads, texts, written, holding, beside)


def drafted(steps: Generator[None, None, Draft]) -> Draft:
    """Return the draft that `drafting` makes, without a turn for anybody else."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return cast("Draft", done.value)


def owners(keys: set[str], numbers: Numbers) -> list[int]:
    """Return the ids of the accounts of balance keys, in the order of locking."""
    return sorted({numbers.accounts[key] for key in keys})
