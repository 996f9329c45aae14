"""Polls of GET /accounts: pages, pictures, torn rounds, faults."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from accounts_feed import (
    KEY,
    NOW,
    SUB,
    account,
    connection,
    live,
    page,
    picture,
    row,
    told,
)

from balance_connector.books import Account, Books, Holding
from balance_connector.poll import Rounds
from balance_connector.venue import Note, Response
from balance_connector.venues.zerohash import ZEROHASH
from balance_connector.venues.zerohash.options import ZeroHashOptions
from balance_shared.errors import FrameInvalid, VenueRefused, VenueUnavailable


def polls(known=(), **options):
    """Return a protocol at the start of an epoch."""
    return ZEROHASH.poll(KEY, ZeroHashOptions(**options), known)


def round_of(poll, *answers: Response):
    """Run one round; return the paths asked for and the last step."""
    paths, answers, step = [], list(answers), None
    poll.begin(NOW)
    while (request := poll.request(1, NOW)) is not None:
        paths.append(request.path)
        step = poll.receive(answers.pop(0), NOW)
        if step.demand is not None:
            break
    return paths, step


def balances(step) -> list[tuple[str, str]]:
    """Return (asset, balance) of a step's picture."""
    return [(r.pocket.asset, str(r.balance)) for r in step.picture.rows]


def test_pages_make_one_picture():
    """The last page completes it; earlier ones tell nothing."""
    poll = polls(filter_account_type="available", filter_asset="e₹")
    first, last = page(account("A"), of=2), page(account("B", ".5"), number=2, of=2)
    poll.begin(NOW)
    early = (poll.request(1, NOW), poll.receive(first, NOW))[1]
    paths, step = round_of(poll, first, last)

    query = "account_type=available&asset=e%E2%82%B9"
    assert [f"/accounts?page=1&{query}", f"/accounts?page=2&{query}"] == paths
    assert (None, None, None) == (early.picture, early.invalid, early.demand)
    assert [("A", "1.00"), ("B", "0.5")] == balances(step)
    assert (frozenset(), None) == (step.picture.spared, step.invalid)


def test_row():
    """Owner, time in milliseconds and all attributes."""
    _, step = round_of(polls(), page(account("USDC.SOL", extra=1)))
    (found,) = step.picture.rows

    assert (SUB, "spot", "available", "USDC.SOL", "SOL", "12345") == (
        found.pocket.subaccount,
        found.pocket.wallet,
        found.pocket.wallet_id,
        found.pocket.asset,
        found.pocket.network,
        found.pocket.reference,
    )
    assert datetime(2026, 1, 2, 3, 4, 5, 123000, UTC) == found.venue_time
    assert {
        "account_id": "12345",
        "last_update": "1767323045123",
        "extra": "1",
        "base_asset": "USDC",
    } == found.attributes
    assert (Decimal("1.00"), "wallet") == (found.reported, found.scope)


def _wallet(pocket):
    return pocket.subaccount, pocket.wallet_id, pocket.venue_asset


def test_stream_and_polls_name_the_same_groups():
    """What is compared is named alike on both sides, chains included."""
    known = {}
    rows = [("USDC.SOL", "staked"), ("BTC", "available"), ("X", "vault")]
    stream = connection(known)
    list(
        stream.receive(picture(*(row(a, account_type=t) for a, t in rows)), NOW).events
    )
    _, step = round_of(polls(), page(*(account(a, account_type=t) for a, t in rows)))

    assert {_wallet(held.pocket) for held in known.values()} == {
        _wallet(found.pocket) for found in step.picture.rows
    }


def test_no_accounts_is_an_answer():
    """An empty list is an empty platform, if the venue says so in full."""
    _, step = round_of(polls(), page())

    assert ([], None) == (step.picture.rows, step.demand)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"<html>",
        b'{"message":[]}',
        b'{"message":{},"total_pages":1}',
        b'{"message":null,"total_pages":1}',
        b'{"message":[],"page":2,"total_pages":2}',
        b'{"message":[],"page":1,"total_pages":100000000}',
        b'{"message":[],"page":"x","total_pages":1}',
    ],
)
def test_answer_that_is_not_as_documented(body):
    """It is never an empty success."""
    _, step = round_of(polls(), Response(200, body))

    assert isinstance(step.demand, FrameInvalid)
    assert (None, step.demand) == (step.picture, step.invalid)


def test_numbers_of_pages_may_be_texts():
    """Forms differ by surface."""
    body = b'{"message":[],"page":"1","total_pages":"1"}'

    assert round_of(polls(), Response(200, body))[1].picture is not None


def test_page_that_fails_fails_the_round():
    """Nothing of a round that is not complete is told; the next starts afresh."""
    poll = polls()
    _, failed = round_of(
        poll, page(account("A"), of=2), Response(429, b'{"error":"x"}')
    )
    paths, step = round_of(poll, page(account("B")))

    assert isinstance(failed.demand, VenueUnavailable)
    assert (10.0, None, False) == (
        failed.demand.retry_after_s,
        failed.picture,
        failed.keep,
    )
    assert (["/accounts?page=1"], [("B", "1.00")]) == (paths, balances(step))


def test_refusal_is_final():
    """A key that may not read accounts ends the process."""
    denied = Response(403, b'{"error":true,"message":"no read permission"}')

    assert isinstance(round_of(polls(), denied)[1].demand, VenueRefused)


@pytest.mark.parametrize("of", [1, 2, 4])
def test_number_of_pages_may_change(of):
    """Accounts open and empty while the pages are read."""
    pages = [
        page(account(str(n)), number=n, of=3 if n < 3 else of) for n in range(1, 4)
    ]
    if of == 4:
        pages.append(page(account("4"), number=4, of=4))
    _, step = round_of(polls(), *pages)

    assert max(3, of) == len(step.picture.rows)


class TestTornRounds:
    """Pages of different moments."""

    def test_account_that_moved_to_a_later_page_is_told_once(self):
        """Two equal tellings of one account are one."""
        _, step = round_of(
            polls(), page(account("A"), of=2), page(account("A"), number=2, of=2)
        )

        assert ([("A", "1.00")], None) == (balances(step), step.invalid)

    def test_account_with_two_figures_is_not_known(self):
        """It moved while it was read: the next round tells it."""
        _, step = round_of(
            polls(),
            page(account("A"), account("B"), of=2),
            page(account("A", "2"), number=2, of=2),
        )

        assert [("B", "1.00")] == balances(step)
        assert (frozenset({(SUB, "available", "A")}), None) == (
            step.picture.spared,
            step.invalid,
        )

    @pytest.mark.parametrize("of", [1, 2])
    def test_two_accounts_of_one_name_are_not_known(self, of):
        """Equal or not, another number is another account: neither can be chosen."""
        rows = [account("A"), account("A", account_id="2")]
        pages = [page(*rows)]
        if of == 2:
            pages = [page(rows[0], of=2), page(rows[1], number=2, of=2)]
        _, step = round_of(polls(), *pages)

        assert ([], frozenset({(SUB, "available", "A")})) == (
            balances(step),
            step.picture.spared,
        )
        assert "told twice" in str(step.invalid)

    def test_missing_account_is_gone_when_it_is_missing_twice(self):
        """It may have moved to a page that was read already."""
        poll = polls()
        books = Books(Account("zerohash", "main"), "rest", 1, {})
        rounds = Rounds(books)
        last = page(account("B"), number=2, of=2)
        whole = page(account("A"), of=2), last
        seen = []
        for answers in (whole, (page(of=2), last), (page(of=2), last), whole):
            _, step = round_of(poll, *answers)
            seen.append(told(rounds.tell(step.picture, NOW)))

        assert [
            [],
            [("absent", SUB, "available", "A", "0")],
            [("update", SUB, "available", "A", "1.00")],
        ] == seen[1:]

    def test_known_account_is_held_in_the_first_round_of_an_epoch(self):
        """A new process knows from the bus what a torn round may have missed."""
        known: dict[str, Holding] = {}
        whole = page(account("A"), account("B"), of=2), page(number=2, of=2)
        torn = page(account("A"), of=2), page(number=2, of=2)
        seen = []
        for epoch, answers in enumerate([[whole], [torn, whole], [torn, torn]]):
            books = Books(Account("zerohash", "main"), "rest", epoch, known)
            poll, rounds = polls(known.values()), Rounds(books)
            for pages in answers:
                picture = round_of(poll, *pages)[1].picture
                events = told(rounds.tell(picture, NOW))
                seen.append((picture.spared, [row for row in events if row[3] == "B"]))

        open_, complete = frozenset({(SUB, "available", "B")}), frozenset()
        assert [
            (complete, [("snapshot", SUB, "available", "B", "1.00")]),
            (open_, []),
            (complete, []),
            (open_, []),
            (complete, [("absent", SUB, "available", "B", "0")]),
        ] == seen

    def test_known_account_outside_the_filter_is_not_waited_for(self):
        """No round would tell it."""
        known: dict[str, Holding] = {}
        live(row("A"), row("B"), known=known)
        poll = polls(known.values(), filter_asset="A")
        _, step = round_of(poll, page(account("A"), of=2), page(number=2, of=2))

        assert frozenset() == step.picture.spared

    def test_known_account_missing_from_one_page_is_gone_at_once(self):
        """One page is of one moment, in the first round too."""
        known: dict[str, Holding] = {}
        live(row("A"), row("B"), known=known)
        _, step = round_of(polls(known.values()), page(account("A")))

        assert frozenset() == step.picture.spared

    def test_missing_account_of_one_page_is_gone_at_once(self):
        """One page is of one moment."""
        poll = polls()
        round_of(poll, page(account("A"), account("B")))
        _, step = round_of(poll, page(account("B")))

        assert frozenset() == step.picture.spared


class TestUnreadableRows:
    """One bad row does not hide the others."""

    def test_row_is_spared_and_named(self):
        """The last step of the round says which it was, whatever page it was on."""
        _, step = round_of(
            polls(),
            page(account("A", "NaN"), account("B"), of=2),
            page(account("C"), number=2, of=2),
        )

        assert [("B", "1.00"), ("C", "1.00")] == balances(step)
        assert frozenset({(SUB, "available", "A")}) == step.picture.spared
        assert frozenset({f"{SUB}|available/A"}) == step.invalid.names

    def test_page_of_an_unreadable_row_is_a_dead_letter(self):
        """Each page for its own rows."""
        poll = polls()
        poll.request(1, NOW)
        step = poll.receive(page(account("A", "NaN"), of=2), NOW)

        assert ("invalid_row", None) == (step.invalid.reason, step.demand)

    def test_nameless_row_spares_all(self):
        """It may be anybody's."""
        _, step = round_of(polls(), page(account("A", participant_code=None)))

        assert step.picture.spared is None

    def test_bare_nan_is_one_bad_row(self):
        """It is no JSON, and hides nothing."""
        _, step = round_of(polls(), page(account("A", float("nan")), account("B")))

        assert [("B", "1.00")] == balances(step)


def test_unknown_words_are_counted_once():
    """Not with every round."""
    poll = polls()
    answer = page(account("A", account_type="vault"))
    notes = [round_of(poll, answer)[1].notes for _ in range(2)]

    assert [(Note.UNKNOWN_WORD,), ()] == notes


def test_picture_says_what_its_filter_covers():
    """So that what it does not cover is not taken for empty."""
    _, step = round_of(polls(filter_asset="A"), page(account("A")))
    (found,) = step.picture.rows

    assert step.picture.covers(found.pocket)
    assert not step.picture.covers(found.pocket._replace(venue_asset="B"))
    assert round_of(polls(), page())[1].picture.covers is None
