"""Storing batches of events, against a bare COPY of the same rows."""

import statistics

import pytest
from storing import BATCH, BATCHES, bare, batches, indexed, stored

pytestmark = pytest.mark.benchmark


async def test_storing_against_bare_copy(tables):
    """Prints rows a second of each, and the ratios within each run."""
    names = (
        "bare COPY of the same records",
        "bare COPY of text that is ready",
        "COPY of text that is ready into the same tables and indexes",
        "stored",
    )
    runs = []
    for run in range(7):
        first = run * BATCH * BATCHES
        told = batches(first)
        copied = bare(tables, told), bare(tables, told, ready=True)
        copied += (indexed(tables, told),)
        runs.append((*copied, await stored(tables, told, first)))
    for name, seconds in zip(names, zip(*runs, strict=True), strict=True):
        rate = BATCH * BATCHES / statistics.median(seconds)
        print(f"\n{name}: {rate:,.0f} rows/s", end="")
    for at, name in enumerate(names[:-1]):
        ratios = [times[at] / times[-1] for times in runs]
        each = [round(ratio, 2) for ratio in ratios]
        print(f"\nratio to {name}: {statistics.median(ratios):.2f} ({each})", end="")
    print()
