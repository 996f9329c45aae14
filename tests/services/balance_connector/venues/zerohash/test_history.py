"""The runs of a stretch: which accounts, which pages, which facts."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from accounts_feed import KEY, NOW, account, live, page, row, update

from balance_connector.books import (
    RECENT_MAX,
    Account,
    Books,
    Holding,
    Observed,
    Told,
)
from balance_connector.venue import Response, Stretch
from balance_connector.venues.zerohash import ZEROHASH, history
from balance_connector.venues.zerohash.options import ZeroHashOptions
from balance_shared.errors import FrameInvalid, VenueRefused, VenueUnavailable
from balance_shared.remembered import Remembered

SINCE, UNTIL = NOW, NOW + timedelta(minutes=5)


def holding(asset: str = "BTC", **more: object) -> Holding:
    """Return a balance as the stream came to know it."""
    known = {}
    live(row(asset, **more), known=known)
    return next(iter(known.values()))


def run(run_id: object, seconds: float, balance: str = "1", change: object = "0.5"):
    """Return a row of run_history, so many seconds after what is told begins."""
    return {
        "run_timestamp": int((SINCE.timestamp() + seconds) * 1000),
        "run_type": "deposit",
        "run_id": run_id,
        "change": change,
        "new_balance": balance,
    }


def protocol(*changed: Holding, **options):
    """Return the protocol of one stretch."""
    stretch = Stretch(SINCE + history.LOST, UNTIL, changed)
    return ZEROHASH.history(KEY, ZeroHashOptions(**options), stretch)


def fetched(asking, *answers: Response):
    """Run a stretch; return the paths asked for, the lines and the last step."""
    answers, paths, lines, steps = list(answers), [], [], []
    while (request := asking.request(1, NOW)) is not None:
        paths.append(request.path)
        steps.append(asking.receive(answers.pop(0), NOW))
        lines += steps[-1].lines
        if steps[-1].demand is not None:
            break
    return paths, lines, steps


def test_line():
    """A run in the words of the stream."""
    paths, (line,), _ = fetched(protocol(holding("USDC.SOL")), page(run("9", 1)))

    assert ["/accounts/12345/run_history?page=1"] == paths
    assert (
        Observed(
            holding("USDC.SOL").pocket,
            Decimal(1),
            delta=Decimal("0.5"),
            reported=Decimal(1),
            venue_id="available/USDC.SOL/9",
            venue_time=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
            attributes={
                "run_timestamp": "1767323046000",
                "run_type": "deposit",
                "run_id": "9",
                "account_id": "12345",
                "base_asset": "USDC",
            },
        )
        == line
    )


@pytest.mark.parametrize("run_id", [9, "9", "a/b|%"])
def test_run_has_the_id_that_the_stream_gives_it(run_id):
    """The same fact told by both is one fact, and is not told again."""
    known, recent = {}, Remembered(RECENT_MAX)
    stream = live(row(), known=known, recent=recent)
    (event,) = stream.receive(update(run_id=run_id), NOW).events
    _, lines, _ = fetched(protocol(*known.values()), page(run(run_id, 1)))
    told = Told(NOW, None, "c0")
    books = Books(Account("zerohash", "main"), "rest", 9, {})
    (late,) = books.backfill(lines, told)
    knowing = Books(Account("zerohash", "main"), "rest", 9, {}, recent)

    assert event.event_id == late.event_id
    assert [] == list(knowing.backfill(lines, told))


def test_only_runs_of_the_stretch_oldest_first():
    """With a while before it; what was earlier or came after is not told."""
    rows = [run(5, 301), run(4, 300), run(3, 2), run(2, 0), run(1, -1)]
    _, lines, _ = fetched(protocol(holding()), page(*rows))

    assert ["2", "3", "4"] == [line.attributes["run_id"] for line in lines]


def test_runs_of_one_millisecond_are_told_oldest_first():
    """Over pages too, and where the rest of the account is not there any more."""
    pages = [
        page(run(4, 2, "10", "4"), run(3, 1, "6", "3"), of=2),
        page(run(2, 1, "3", "2"), run(1, 1, "1", "1"), number=2, of=2),
    ]
    _, lines, _ = fetched(protocol(holding()), *pages)
    _, cut, _ = fetched(protocol(holding()), pages[0], Response(404, b""))

    assert ["4", "1", "2", "3"] == [line.attributes["run_id"] for line in lines]
    assert ["4", "3"] == [line.attributes["run_id"] for line in cut]


def test_pages_are_read_until_one_ends_before_the_stretch():
    """Newest first: what follows is older still."""
    pages = [
        page(run(9, 9), run(8, 8), of=9),
        page(run(7, 7), run(6, -1), number=2, of=9),
    ]
    paths, lines, _ = fetched(protocol(holding()), *pages)

    assert (2, 3) == (len(paths), len(lines))


def test_all_pages_are_read_where_the_order_is_another():
    """The order is not documented: oldest first costs pages, not facts."""
    pages = [
        page(run(1, -9), run(2, -8), of=3),
        page(run(3, -7), run(4, 1), number=2, of=3),
        page(run(5, 2), number=3, of=3),
    ]
    _, lines, _ = fetched(protocol(holding()), *pages)

    assert ["4", "5"] == [line.attributes["run_id"] for line in lines]


def test_empty_page_ends_an_account():
    """Whatever it says of further pages."""
    paths, lines, _ = fetched(protocol(holding()), page(of=9))

    assert (1, []) == (len(paths), lines)


def test_pages_are_bounded(monkeypatch):
    """What was left out is said."""
    monkeypatch.setattr(history, "PAGES_MAX", 2)
    pages = [page(run(9 - n, 9 - n), number=n, of=9) for n in (1, 2)]
    paths, _, steps = fetched(protocol(holding()), *pages)

    assert 2 == len(paths)
    assert "more than 2 pages" in str(steps[-1].invalid)


def test_accounts_are_bounded(monkeypatch):
    """What is not asked for is said, once."""
    monkeypatch.setattr(history, "ACCOUNTS_MAX", 2)
    changed = [holding(asset, account_id=asset) for asset in "ABC"]
    paths, _, steps = fetched(protocol(*changed), page(), page())

    assert [f"/accounts/{asset}/run_history?page=1" for asset in "AB"] == paths
    assert ["history_cut", None] == [
        step.invalid.reason if step.invalid else None for step in steps
    ]


def test_account_without_a_number_is_looked_up():
    """By all five parts of its name, as sent; another one is not taken for it."""
    held = holding("e₹", account_id=None, participant_code="A/B", account_label="l")
    other = account("e₹", participant_code="A/B", account_label="L", account_id="6")
    found = other | {"account_label": "l", "account_id": "7/8"}
    paths, lines, _ = fetched(protocol(held), page(other, found), page(run(1, 1)))

    assert [
        (
            "/accounts?page=1&account_owner=A%2FB&account_group=XXX456"
            "&account_label=l&account_type=available&asset=e%E2%82%B9"
        ),
        "/accounts/7%2F8/run_history?page=1",
    ] == paths
    assert ["7/8"] == [line.attributes["account_id"] for line in lines]


def test_empty_account_without_a_number_is_left():
    """It is not listed, so its number cannot be known; the next is asked for."""
    changed = holding("A", account_id=None), holding("B")
    paths, lines, _ = fetched(protocol(*changed), page(), page(run(1, 1)))

    assert (2, 1) == (len(paths), len(lines))


def test_account_that_is_not_ours_is_left():
    """A subaccount of another form cannot be asked for."""
    pocket = holding(account_id=None).pocket._replace(subaccount="x")

    assert [] == fetched(protocol(Holding(pocket, Decimal(1), NOW)))[0]


def test_account_outside_of_the_filter_is_left():
    """It is another connector's, if anybody's."""
    assert [] == fetched(protocol(holding("A"), filter_asset="B"))[0]


def test_account_that_is_gone_is_left():
    """HTTP 404 concerns one account, not the stretch."""
    changed = holding("A"), holding("B")
    answers = Response(404, b'{"error":"Not Found"}'), page(run(1, 1))
    paths, lines, _ = fetched(protocol(*changed), *answers)

    assert (2, 1) == (len(paths), len(lines))


REFUSED = b'{"error":true,"message":"no such thing"}'


@pytest.mark.parametrize("status", [400, 403])
def test_account_that_is_refused_costs_the_others_nothing(status):
    """It is a dead letter, and the stretch goes on."""
    changed = holding("A"), holding("B")
    answers = Response(status, REFUSED), page(run(1, 1))
    paths, lines, steps = fetched(protocol(*changed), *answers)

    assert (2, 1) == (len(paths), len(lines))
    assert "history_refused" == steps[0].invalid.reason
    assert [None, None] == [step.demand for step in steps]


def test_request_that_is_wrong_stays_wrong():
    """One account alone does not hold up later stretches."""
    _, _, (step,) = fetched(protocol(holding()), Response(400, REFUSED))

    assert ("history_refused", None) == (step.invalid.reason, step.demand)


def test_clock_concerns_all_accounts():
    """All is asked for again once it is right."""
    body = b'{"error":true,"message":"timestamp expired"}'
    _, _, (step,) = fetched(protocol(holding()), Response(400, body))

    assert VenueUnavailable is type(step.demand)


def test_account_that_fails_is_asked_for_after_the_others():
    """Then the stretch begins anew, with the others told."""
    changed = holding("A"), holding("B")
    failed = Response(500, REFUSED)
    paths, lines, steps = fetched(protocol(*changed), failed, page(run(1, 1)), failed)

    assert paths[0] == paths[2]
    assert 1 == len(lines)
    assert [None, None, VenueUnavailable] == [
        step.demand and type(step.demand) for step in steps
    ]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Response(429, b'{"error":"x"}'), VenueUnavailable),
        (Response(403, b'{"error":true,"message":"permission"}'), VenueRefused),
        (Response(200, b"<html>"), FrameInvalid),
        (Response(200, b'{"message":5}'), FrameInvalid),
    ],
)
def test_faults(answer, error):
    """They are classified as those of polls are."""
    _, _, (step,) = fetched(protocol(holding()), answer)

    assert error is type(step.demand)


@pytest.mark.parametrize(
    "bad",
    [
        {"new_balance": "NaN"},
        {"new_balance": None},
        {"run_id": None},
        {"run_id": ""},
        {"run_timestamp": "x"},
        {"run_timestamp": None},
        {"change": "x"},
    ],
)
def test_run_that_cannot_be_read(bad):
    """It is a dead letter; the others are told."""
    rows = page(run(2, 2), run(1, 1) | bad)
    _, lines, (step,) = fetched(protocol(holding()), rows)

    assert ["2"] == [line.attributes["run_id"] for line in lines]
    assert ("invalid_row", None) == (step.invalid.reason, step.demand)


def test_run_without_a_change():
    """Its balance stands, its delta is unknown."""
    body = json.dumps({"message": [run(1, 1, change=None)]}).encode()
    _, (line,), _ = fetched(protocol(holding()), Response(200, body))

    assert line.delta is None
