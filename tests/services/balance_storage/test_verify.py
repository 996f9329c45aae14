"""Whatever is changed, lost, added or moved is found and named; nothing else is."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balance_storage import rows
from balance_storage.chain import End, link_of
from balance_storage.verify import (
    UNDER_WAY,
    ChainCheck,
    Indexed,
    Kind,
    Known,
    OnLatest,
    Report,
    Stored,
    Tally,
    judge,
    judge_latest,
    summary,
)

ACCOUNT = "kraken|main"
NOW = datetime(2026, 3, 2, tzinfo=UTC)
ONE, TWO = UUID(int=1), UUID(int=2)


def line(number, figure="1"):
    """Return a line as COPY writes it."""
    return f"key\tt\t0\t{number}\tid-{number}\t{figure}"


def chain(count):
    """Return rows whose links fit, and where they end."""
    links, link = [], bytes(16)
    for number in range(1, count + 1):
        link = link_of(link, line(number), ())
        links.append(Stored(number, link, line(number)))
    return links, End(count, link)


def found(told, end, starts=None):
    """Return what a walk over rows finds: kind and where."""
    report = Report()
    check = ChainCheck(ACCOUNT, starts or {}, end, report)
    check.take(told)
    check.finish()
    assert {ACCOUNT} >= {finding.account for finding in report.findings}
    return [(finding.kind, finding.where.split(":")[0]) for finding in report.findings]


@given(st.integers(0, 9))
def test_clean_chain_says_nothing(count):
    """Rows that nobody touched agree, however many there are."""
    assert [] == found(*chain(count))


@given(st.data())
def test_any_single_damage_is_found_and_named(data):
    """A changed, lost or added row is named by its number, and no other row is."""
    count = data.draw(st.integers(1, 8))
    at = data.draw(st.integers(1, count))
    told, end = chain(count)
    changed = Stored(at, told[at - 1].link, line(at, "2"))
    assert [(Kind.CHANGED, f"row {at}")] == found(
        [*told[: at - 1], changed, *told[at:]], end
    )
    assert [(Kind.MISSING, f"row {at}")] == found([*told[: at - 1], *told[at:]], end)
    beyond = Stored(count + 1, bytes(16), line(count + 1))
    assert [(Kind.ADDED, f"row {count + 1}")] == found([*told, beyond], end)
    twice = Stored(at, bytes(16), line(at))
    assert [(Kind.ADDED, f"row {at}")] == found([*told[:at], twice, *told[at:]], end)


def test_swapped_rows_are_both_named():
    """What each row says is chained with its place."""
    told, end = chain(4)
    swapped = [
        told[0],
        Stored(2, told[1].link, told[2].line),
        Stored(3, told[2].link, told[1].line),
        told[3],
    ]
    assert [(Kind.CHANGED, "row 2"), (Kind.CHANGED, "row 3")] == found(swapped, end)


def test_changed_link_is_found():
    """Whoever changes a link makes two rows that do not fit."""
    told, end = chain(3)
    told[1] = Stored(2, bytes(16), told[1].line)
    assert [(Kind.CHANGED, "row 2"), (Kind.CHANGED, "row 3")] == found(told, end)


def test_changed_end_is_found():
    """The end in the table of accounts is the last row's link."""
    told, end = chain(2)
    assert [(Kind.CHANGED, "the link of row 2")] == found(told, End(2, bytes(16)))
    assert [(Kind.MISSING, "rows 3 to 5")] == found(told, End(5, end.link))


def test_chain_goes_on_behind_what_retention_dropped():
    """Rows that stay are checked by the links that stood before them."""
    told, end = chain(6)
    starts = {2: told[0].link, 5: told[3].link}
    kept = [told[1], told[4], told[5]]
    assert [(Kind.MISSING, "row 3")] == found(
        [*kept[:1], told[3], *kept[1:]], end, starts
    )
    assert [] == found(kept, end, starts)
    assert [] == found([], end, {7: end.link})
    assert [(Kind.CHANGED, "the link of row 6")] == found([], end, {7: bytes(16)})


def test_chain_without_an_end_is_walked_as_far_as_there_are_rows():
    """Who deletes an account hides nothing of what was done to its rows."""
    told, _ = chain(3)
    assert [] == found(told, None)
    changed = Stored(2, told[1].link, line(2, "2"))
    assert [(Kind.CHANGED, "row 2")] == found([told[0], changed, told[2]], None)


def test_rows_before_the_first_are_added():
    """Numbers begin at 1."""
    told, end = chain(2)
    before = [Stored(number, bytes(16), line(number)) for number in (-5, 0)]
    expected = [(Kind.ADDED, "row -5"), (Kind.ADDED, "row 0")]
    assert expected == found([*before, *told], end)


def test_start_counts_only_where_rows_were_dropped():
    """Else whoever writes one could have the chain go on behind any row."""
    told, end = chain(3)
    forged = Stored(2, told[1].link, line(2, "2"))
    start = {2: bytes(16)}
    assert [(Kind.CHANGED, "row 2")] == found([told[0], forged, told[2]], end, start)
    assert [] == found(told, end, start)


@pytest.mark.parametrize(
    ("indexed", "expected"),
    [
        ((None, None, None, ONE, 1), "an id stands for it, and it is not there"),
        (("a", ONE, 1, None, None), "a is not in the index of ids"),
        (("a", ONE, 1, TWO, 1), "a has another id in the index"),
        (("a", ONE, None, ONE, 3), "a was told live in epoch none, 3 is held"),
    ],
)
def test_id_that_does_not_fit_is_told_in_words(indexed, expected):
    """People read which row it stands for, and what is wrong."""
    assert f"row 7: {expected}" == str(Indexed(7, *indexed))


@pytest.fixture
def judged(make_event):
    """Give a function that judges a record, and returns the findings and the tally."""

    def run(known, horizon=None, **fields):
        report = Report()
        row = rows.row_of(rows.Placed(make_event(**fields), "t", 0, 5))
        judge(row, known(row) if known else None, horizon, report)
        kinds = [finding.kind for finding in report.findings]
        return kinds, report.of(ACCOUNT)

    return run


def stored(row):
    """Return what is stored of a row's id, if it is the row."""
    return Known(1, ("t", 0, 5), row.line)


def test_record_that_is_stored_agrees(judged):
    """The row at its place is the record."""
    assert ([], Tally(on_topic=1)) == judged(stored)


def test_record_unlike_its_row_is_found(judged):
    """One digit is enough."""
    kinds, _ = judged(lambda row: Known(1, ("t", 0, 5), row.line.replace("1.5", "1.6")))
    assert [Kind.OTHER] == kinds


def test_repetition_is_counted(judged):
    """An echo and a late backfill change nothing."""
    elsewhere = Known(1, ("t", 0, 2), "")
    assert ([], Tally(on_topic=1, repeated=1)) == judged(lambda _: elsewhere)
    late = judged(lambda _: Known(None, ("t", 0, 2), ""), kind="backfill")
    assert ([], Tally(on_topic=1, repeated=1)) == late


def test_telling_that_should_count_and_is_not_stored_is_found(judged):
    """A greater epoch tells its own truth; the database has to know of it."""
    kinds, _ = judged(lambda _: Known(1, ("t", 0, 2), ""), epoch=2)
    assert [Kind.NOT_STORED] == kinds


def test_record_that_is_not_stored_is_found_unless_retention_dropped_it(judged):
    """What arrived before the horizon may be gone."""
    assert [Kind.NOT_STORED] == judged(None)[0]
    assert ([], Tally(on_topic=1, expired=1)) == judged(None, NOW)


def holds(**fields):
    """Return what holds for a key."""
    values = {
        "venue": "kraken",
        "account": "main",
        "event_id": "a",
        "epoch": 1,
        "balance": Decimal(1),
        "received_at": NOW - timedelta(hours=1),
    }
    return OnLatest(**(values | fields))


@pytest.mark.parametrize(
    ("latest", "held", "lag", "kinds"),
    [
        (holds(), holds(), 0, []),
        (holds(balance=Decimal("1.000000000000000001")), holds(), 0, [Kind.LATEST]),
        (holds(), None, 0, [Kind.LATEST]),
        (None, holds(), 0, [Kind.LATEST]),
        (holds(event_id="b"), holds(), 3, []),
        (holds(), holds(event_id="b", received_at=NOW - UNDER_WAY / 2), 0, []),
    ],
)
def test_latest_is_what_holds_unless_storage_is_behind(latest, held, lag, kinds):
    """Lag, and what is under way, are no disagreements."""
    report = Report()
    report.of(ACCOUNT).lag = lag
    judge_latest(
        {"k": latest} if latest else {}, {"k": held} if held else {}, NOW, report
    )
    assert kinds == [finding.kind for finding in report.findings]
    assert 1 == report.of(ACCOUNT).balances


def test_summary_counts_what_was_found():
    """People read one line for each kind."""
    report = Report()
    assert ["PostgreSQL and Kafka agree"] == list(summary(report))
    for _ in range(2):
        report.add(Kind.MISSING, ACCOUNT, "row 1")
    assert ["missing: 2"] == list(summary(report))
