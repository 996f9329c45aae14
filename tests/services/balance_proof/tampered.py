"""Lives of connectors of which one record is lost, twice or altered on the bus.

Run as a program: ``python tests/services/balance_proof/tampered.py LIVES [FIRST]``. Each
life is quiet, so that every claim on it is right as the connector told it; then it is
read again many times, each time with one record of a topic removed, repeated or with
one figure altered, and every claim is judged by what the venue held.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

sys.path.insert(0, str(Path(__file__).parent))  # for lives

from lives import DIALECTS, TYPES, Life, live

from balance_proof.account import Account
from balance_schemas.codec import decode, frame
from balance_schemas.topics import EVENTS, LATEST, RECONCILIATIONS, Topic
from balance_shared.testing import run_virtually

EACH = 30
"""How often each life is read with a record that is not as it was."""

REMOVED, REPEATED, ALTERED = "removed", "repeated", "altered"
HOW = (REMOVED, REPEATED, ALTERED)

FIGURES = ("balance", "delta", "reported_balance")
"""Figures of an event that a verdict rests on."""


class Told(NamedTuple):
    """One record that proof reads, and when it was written."""

    topic: Topic
    value: Any
    time_ms: int


class Outcome(NamedTuple):
    """What came of one alteration.

    Attributes:
        how: what was done.
        kind: of the event, or the name of the topic.
        noticed: whether any verdict but PROVEN came that did not come before.
        wrong: a PROVEN that is wrong; empty if there is none.
    """

    how: str
    kind: str
    noticed: bool
    wrong: str


def told_of(life: Life) -> list[Told]:
    """Return all that proof reads of a life, in the order in which it was written."""
    return [
        Told(
            record.topic,
            decode(TYPES[record.topic], frame(1, record.body)),
            record.time_ms,
        )
        for record in life.published
        if record.topic in TYPES
    ]


def alterations(told: list[Told], rng: random.Random) -> Iterator[tuple[str, int]]:
    """Yield (how, place) for ever, each kind of record as often as any other."""
    kinds: dict[str, list[int]] = {}
    for place, one in enumerate(told):
        kinds.setdefault(_kind(one), []).append(place)
    while True:
        how = rng.choice(HOW)
        figures = [kind for kind in kinds if _has_figures(kind)]
        kind = rng.choice(figures if how == ALTERED else sorted(kinds))
        yield how, rng.choice(kinds[kind])


def altered(told: list[Told], how: str, place: int, rng: random.Random) -> list[Told]:
    """Return the records with one of them not as it was."""
    one = told[place]
    if how == REMOVED:
        return [*told[:place], *told[place + 1 :]]
    if how == REPEATED:
        later = rng.choice([place + 1, rng.randint(place + 1, len(told))])
        return [*told[:later], one, *told[later:]]
    names = [name for name in FIGURES if getattr(one.value, name) is not None]
    name = rng.choice(names)
    by = rng.choice(["1", "-1", "0.000000000000000001", "1000"])
    figure = getattr(one.value, name) + Decimal(by)
    wrong = msgspec.structs.replace(one.value, **{name: figure})
    return [*told[:place], one._replace(value=wrong), *told[place + 1 :]]


def judged(life: Life, told: list[Told]) -> tuple[str, set[tuple[str, str, str]]]:
    """Read records, judge each claim; return a wrong one, and all that was not PROVEN."""
    account = life.account = Account({})
    life.said, life.wrong, doubts = {}, [], set()
    for topic, value, time_ms in told:
        if topic is EVENTS:
            account.take_event(value)
        elif topic is LATEST:
            account.take_latest(value)
        elif topic is RECONCILIATIONS:
            account.take_reconciliation(value, time_ms)
        else:
            account.take_status(value, time_ms)
            for proof in account.proofs():
                life.judge(proof)
                if proof.verdict != "PROVEN":
                    doubts.add((proof.key, proof.verdict, str(proof.checked_at)))
    return "".join(life.wrong[:1]), doubts


def _kind(one: Told) -> str:
    return one.value.kind if one.topic is EVENTS else one.topic.name


def _has_figures(kind: str) -> bool:
    return kind not in {"status", "reconciliations"}


def outcomes(name: str, seed: int, each: int = EACH) -> list[Outcome]:
    """Live once and read it many times; return what came of each alteration."""
    life = run_virtually(live(name, seed, faults=False))
    told, rng = told_of(life), random.Random(seed)
    wrong, doubts = judged(life, told)
    if wrong:
        raise AssertionError(f"{name} {seed}: wrong as it was: {wrong}")
    found, ways = [], alterations(told, rng)
    for _ in range(each):
        how, place = next(ways)
        bad, after = judged(life, altered(told, how, place, rng))
        found.append(Outcome(how, _kind(told[place]), bool(after - doubts), bad))
    return found


def main() -> None:
    """Run many lives on all cores, each venue in its turn."""
    count, first = int(sys.argv[1]), int((sys.argv[2:] or ["0"])[0])
    names, table, bad = list(DIALECTS), Counter[tuple[str, ...]](), list[str]()
    with ProcessPoolExecutor() as pool:
        runs = {
            pool.submit(outcomes, names[seed % len(names)], seed): seed
            for seed in range(first, first + count)
        }
        for run in as_completed(runs):
            seed = runs[run]
            for one in run.result():
                came = "WRONG" if one.wrong else "noticed" if one.noticed else "nothing"
                table[names[seed % len(names)], one.how, one.kind, came] += 1
                if one.wrong:
                    bad.append(f"{names[seed % len(names)]} {seed} {one}"[:1500])
    for line, number in sorted(table.items()):
        print(*line, number)
    for line in bad[:20]:
        print(line)
    print(f"{table.total()} alterations, {len(bad)} with a PROVEN that is wrong")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
