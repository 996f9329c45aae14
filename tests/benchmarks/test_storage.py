"""Storing batches of events, against a bare COPY of the same rows."""

import statistics

import pytest
from storing import BATCH, BATCHES, bare, batches, stored

pytestmark = pytest.mark.benchmark


async def test_storing_against_bare_copy(tables):
    """Prints rows a second of both, and the ratio."""
    pairs = []
    for run in range(5):
        first = run * BATCH * BATCHES
        told = batches(first)
        pairs.append((bare(tables, told), await stored(tables, told, first)))
    count = BATCH * BATCHES
    for name, seconds in zip(
        ("bare COPY", "stored"), zip(*pairs, strict=True), strict=True
    ):
        print(f"\n{name}: {count / statistics.median(seconds):,.0f} rows/s", end="")
    ratios = [bare_s / stored_s for bare_s, stored_s in pairs]
    print(
        f"\nratio to bare COPY: {statistics.median(ratios):.2f} ({[round(r, 2) for r in ratios]})"
    )
