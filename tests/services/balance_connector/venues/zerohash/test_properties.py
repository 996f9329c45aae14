"""Random ledgers, random messages: what always holds."""

import json
from dataclasses import dataclass, field
from decimal import Decimal

from accounts_feed import (
    KEY,
    NOW,
    account,
    connection,
    moved,
    page,
    picture,
    row,
    update,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from balance_connector.books import Account, Books, Told
from balance_connector.poll import Rounds
from balance_connector.venue import Response, State, Stretch
from balance_connector.venues.zerohash import ZEROHASH
from balance_connector.venues.zerohash.accounts import parts_of, subaccount_of
from balance_connector.venues.zerohash.options import ZeroHashOptions
from balance_schemas.codec import encode_body
from balance_schemas.decimals import ZERO, add

OWNERS = ["P", "P/Q", "P%2FQ", "P|Q"]
WORDS = ["available", "collateral", "vault"]
ASSETS = ["BTC", "USDC.SOL", "e₹"]
amounts = st.decimals(min_value=-(10**12), max_value=10**12, places=18, allow_nan=False)
stories = st.lists(
    st.tuples(
        st.sampled_from(OWNERS),
        st.sampled_from(WORDS),
        st.sampled_from(ASSETS),
        st.lists(amounts, min_size=1, max_size=3),
        st.sampled_from(["once", "twice", "lost", "reconnect", "empty"]),
    ),
    max_size=30,
)


@dataclass
class Ledger:
    """The venue's books: what is really there."""

    balances: dict = field(default_factory=dict)
    runs: int = 0

    def rows(self) -> list[dict]:
        """Return the rows of a picture: no empty accounts."""
        return [
            row(asset, f"{held:f}", participant_code=owner, account_type=word)
            for (owner, word, asset), held in self.balances.items()
            if held
        ]

    def run(self, key: tuple, changes: list[Decimal]) -> bytes:
        """Book a run and return its update."""
        self.runs += 1
        for change in changes:
            self.balances[key] = add(self.balances.get(key, ZERO), change)
        owner, word, asset = key
        return update(
            asset,
            f"{self.balances[key]:f}",
            run_id=self.runs,
            at=None,
            participant_code=owner,
            account_type=word,
            movements=[moved(f"{change:f}") for change in changes],
        )

    def held(self) -> dict:
        """Return what is not empty."""
        return {key: held for key, held in self.balances.items() if held}


def _believed(known: dict) -> dict:
    return {
        (parts_of(p.subaccount)[0], p.wallet_id, p.venue_asset): held.balance
        for held in known.values()
        if held.balance
        for p in [held.pocket]
    }


@settings(max_examples=200, deadline=None)
@given(story=stories)
def test_picture_and_updates_equal_the_next_picture(story):
    """Whatever is repeated, emptied or lost before a new picture, books are equal."""
    ledger, known = Ledger(), {}
    stream = connection(known)

    def take(step) -> None:
        assert step.demand is None
        for event in step.events:
            assert event.delta is None or event.kind == "update"

    take(stream.receive(picture(), NOW))
    for epoch, (owner, word, asset, changes, how) in enumerate(story, start=2):
        key = owner, word, asset
        emptying = [-ledger.balances.get(key, ZERO)]
        message = ledger.run(key, emptying if how == "empty" else changes)
        if how in {"lost", "reconnect"}:
            stream = connection(known, epoch=epoch)
            take(stream.receive(picture(*ledger.rows()), NOW))
        else:
            for _ in range(2 if how == "twice" else 1):
                take(stream.receive(message, NOW))

        assert State.LIVE is stream.health.state
        assert ledger.held() == _believed(known)


names = st.text(alphabet="A/%|2F5C", min_size=1, max_size=6)


@given(first=st.tuples(names, names, names), second=st.tuples(names, names, names))
def test_names_never_collide(first, second):
    """Two accounts have two subaccounts, whatever is in their names, and back."""
    assert first == parts_of(subaccount_of(*first))
    assert (first == second) == (subaccount_of(*first) == subaccount_of(*second))


@settings(max_examples=200)
@given(
    given=st.lists(
        st.tuples(names, names, names, names, names),
        min_size=2,
        max_size=6,
        unique=True,
    )
)
def test_facts_and_keys_never_collide(given):
    """As many keys and ids as there are accounts, under one run."""
    stream = connection(multi_chain_assets=False)
    list(stream.receive(picture(), NOW).events)
    events = [
        event
        for owner, group, label, word, asset in given
        for event in stream.receive(
            update(
                asset,
                participant_code=owner,
                account_group=group,
                account_label=label,
                account_type=word,
            ),
            NOW,
        ).events
    ]

    assert len(given) == len({event.key for event in events})
    assert len(given) == len({event.event_id for event in events})


NAMES = [
    *("participant_code", "account_owner", "account_group", "account_label"),
    *("account_type", "asset", "balance", "account_id", "run_id", "run_type"),
    *("run_timestamp", "movements", "change", "movement_timestamp", "new_balance"),
    *("last_update", "x"),
]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["1.5", ".25", "1767323045123", "2026-01-02T03:04:05.123456789Z"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=12,
)
rows = st.dictionaries(st.sampled_from(NAMES), values, max_size=8).map(
    lambda more: row(run_id="1", movements=[moved("1")]) | more
)


def _messages():
    envelope = st.fixed_dictionaries(
        {},
        optional={
            "messageType": st.sampled_from(
                [
                    "initial-balance",
                    "balance-updated",
                    "pong",
                    "subscribe",
                    "error",
                    "x",
                ]
            )
            | values,
            "body": rows | st.lists(rows | values, max_size=3) | values,
            "error": values,
            "errors": values,
            "message": values,
        },
    )
    return envelope.map(lambda value: json.dumps(value).encode()) | st.binary()


@settings(max_examples=1000, deadline=None)
@given(messages=st.lists(_messages(), max_size=4), pictured=st.booleans())
def test_stream_takes_in_anything(messages, pictured):
    """No message raises, and every event is a checked record."""
    stream = connection()
    for each in [picture(row()), *messages] if pictured else messages:
        step = stream.receive(each, NOW)
        assert all(encode_body(event) for event in step.events)
        assert step.keep or step.invalid is None


def _answers():
    body = st.fixed_dictionaries(
        {},
        optional={
            "message": st.lists(rows | values, max_size=3) | values,
            "page": st.integers(0, 3) | values,
            "total_pages": st.integers(0, 3) | values,
            "error": values,
            "errors": values,
        },
    )
    bodies = body.map(lambda value: json.dumps(value).encode()) | st.binary()
    return st.builds(Response, st.sampled_from([200, 200, 400, 403, 404, 500]), bodies)


@settings(max_examples=500, deadline=None)
@given(answers=st.lists(_answers(), max_size=6))
def test_polls_take_in_anything(answers):
    """No answer raises, and every event is a checked record."""
    rounds = Rounds(Books(Account("zerohash", "main"), "rest", 1, {}))
    poll = ZEROHASH.poll(KEY, ZeroHashOptions())
    poll.begin(NOW)
    for answer in answers:
        if poll.request(1, NOW) is None:
            poll.begin(NOW)
            poll.request(1, NOW)
        step = poll.receive(answer, NOW)
        if step.picture is not None:
            events = rounds.tell(step.picture, NOW)
            assert all(encode_body(event) for event in events)
        if step.demand is not None:
            poll.begin(NOW)


@settings(max_examples=500, deadline=None)
@given(answers=st.lists(_answers(), max_size=6))
def test_history_takes_in_anything(answers):
    """No answer raises, and every line makes a checked record."""
    known = {}
    first = connection(known).receive(
        picture(row("A"), row("B"), row("C", account_id=None)), NOW
    )
    list(first.events)
    stretch = Stretch(NOW, NOW, tuple(known.values()))
    history = ZEROHASH.history(KEY, ZeroHashOptions(), stretch)
    books = Books(Account("zerohash", "main"), "rest", 2, {})
    for number, answer in enumerate(answers):
        if history.request(1, NOW) is None:
            break
        step = history.receive(answer, NOW)
        told = Told(NOW, None, f"c{number}")
        assert all(encode_body(event) for event in books.backfill(step.lines, told))


@settings(max_examples=100, deadline=None)
@given(
    balances=st.lists(amounts, max_size=9), size=st.integers(1, 4), kinds=st.booleans()
)
def test_pages_of_any_size_make_the_same_picture(balances, size, kinds):
    """However the accounts are cut into pages."""
    accounts = [account(f"A{n}", f"{b:f}") for n, b in enumerate(balances)]
    cut = [accounts[at : at + size] for at in range(0, len(accounts), size)] or [[]]
    poll = ZEROHASH.poll(KEY, ZeroHashOptions())
    poll.begin(NOW)
    for number, some in enumerate(cut, start=1):
        poll.request(1, NOW)
        step = poll.receive(page(*some, number=number, of=len(cut)), NOW)

    assert poll.request(1, NOW) is None
    assert balances == [found.balance for found in step.picture.rows]
