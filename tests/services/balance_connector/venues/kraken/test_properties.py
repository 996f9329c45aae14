"""Random ledgers, random frames: what always holds."""

import json
from dataclasses import dataclass, field
from decimal import Decimal

from conversation import KEY, NOW, asset, connection, entry, frame
from hypothesis import given, settings
from hypothesis import strategies as st

from balance_connector.books import Account, Books
from balance_connector.poll import Rounds
from balance_connector.venue import Response, State
from balance_connector.venues.kraken.options import KrakenOptions
from balance_connector.venues.kraken.poll import KrakenPoll
from balance_schemas.codec import encode_body
from balance_schemas.decimals import ZERO, add, subtract

WALLETS = [("spot", "main"), ("earn", "liquid"), ("earn", "bonded")]
ASSETS = ["BTC", "ETH", "WEI"]
amounts = st.decimals(min_value=-(10**12), max_value=10**12, places=18, allow_nan=False)
steps = st.lists(
    st.tuples(
        st.sampled_from(ASSETS),
        st.sampled_from(WALLETS),
        amounts,
        st.decimals(min_value=0, max_value=10, places=8),
        st.sampled_from(["once", "twice", "reconnect"]),
    ),
    max_size=30,
)


@dataclass
class Ledger:
    """The venue's books: what is really there."""

    scope: str
    wallets: dict = field(default_factory=dict)
    lines: int = 0

    def picture(self) -> list[str]:
        """Return the rows of a snapshot."""
        rows = []
        for code in ASSETS:
            held = [(*w, f"{b:f}") for (a, w), b in self.wallets.items() if a == code]
            if held:
                rows.append(asset(code, f"{self.total(code):f}", *held))
        return rows

    def total(self, code: str) -> Decimal:
        """Return an asset's balance over its wallets."""
        total = ZERO
        for (name, _), balance in self.wallets.items():
            total = add(total, balance) if name == code else total
        return total

    def enter(self, code: str, wallet: tuple, amount: Decimal, fee: Decimal) -> str:
        """Book a line and return its row of an update."""
        self.lines += 1
        held = self.wallets.get((code, wallet), ZERO)
        held = add(held, subtract(amount, fee))
        self.wallets[code, wallet] = held
        figure = held if self.scope == "wallet" else self.total(code)
        return entry(
            code,
            f"{amount:f}",
            f"{figure:f}",
            fee=f"{fee:f}",
            wallet=wallet,
            ledger_id=f"L{self.lines}",
        )

    def keyed(self) -> dict[str, Decimal]:
        """Return balance key → balance."""
        return {
            f"kraken|main||{kind}/{name}|{code}": balance
            for (code, (kind, name)), balance in self.wallets.items()
        }


@settings(max_examples=200, deadline=None)
@given(scope=st.sampled_from(["wallet", "account"]), story=steps)
def test_picture_and_updates_equal_the_next_picture(scope, story):
    """Whatever the scope, repetitions and reconnects, the books equal the venue's."""
    ledger, known = Ledger(scope), {}
    stream, sequence, told = connection(known), 1, {}

    def take(step) -> None:
        assert step.demand is None
        for event in step.events:
            told[event.key] = event.balance

    take(stream.receive(frame("snapshot", ledger.picture(), 1), NOW))
    for epoch, (code, wallet, amount, fee, how) in enumerate(story, start=2):
        if how == "reconnect":
            ledger.enter(code, wallet, amount, fee)
            stream, sequence = connection(known, epoch=epoch), 1
            take(stream.receive(frame("snapshot", ledger.picture(), 1), NOW))
            continue
        sequence += 1
        update = frame("update", [ledger.enter(code, wallet, amount, fee)], sequence)
        for _ in range(2 if how == "twice" else 1):
            take(stream.receive(update, NOW))

        assert State.LIVE is stream.health.state
        assert ledger.keyed() == {key: told[key] for key in ledger.keyed()}

    assert ledger.keyed() == told
    assert ledger.keyed() == {key: held.balance for key, held in known.items()}


@settings(max_examples=200, deadline=None)
@given(story=steps, lost=st.integers(0, 29))
def test_lost_frame_is_never_live(story, lost):
    """A frame that got lost is seen with the next one."""
    ledger = Ledger("wallet")
    stream = connection()
    list(stream.receive(frame("snapshot", [], 1), NOW).events)
    for number, (code, wallet, amount, fee, _) in enumerate(story):
        update = frame("update", [ledger.enter(code, wallet, amount, fee)], number + 2)
        if number == lost:
            continue
        step = stream.receive(update, NOW)
        if number > lost:
            assert step.demand is not None
            assert [] == list(step.events)
            return


NAMES = [
    *("asset", "balance", "wallets", "amount", "fee", "type", "id", "user"),
    *("ledger_id", "wallet_type", "wallet_id", "data", "x"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


def _frames():
    envelope = st.fixed_dictionaries(
        {},
        optional={
            "channel": st.sampled_from(["balances", "status", "heartbeat", "x"])
            | json_values,
            "type": st.sampled_from(["snapshot", "update"]) | json_values,
            "data": st.lists(json_values, max_size=3) | json_values,
            "sequence": st.integers(-3, 5) | json_values,
            "method": st.sampled_from(["subscribe", "pong"]) | json_values,
            "success": st.booleans() | json_values,
            "error": st.text(max_size=20) | json_values,
            "Error": st.text(max_size=20),
            "result": json_values,
        },
    )
    return envelope.map(lambda value: json.dumps(value).encode()) | st.binary()


@settings(max_examples=1000, deadline=None)
@given(frames=st.lists(_frames(), max_size=4), users_all=st.booleans())
def test_stream_takes_in_anything(frames, users_all):
    """No frame raises, and every event is a checked record."""
    stream = connection(users_all=users_all)
    for each in frames:
        step = stream.receive(each, NOW)
        assert all(encode_body(event) for event in step.events)
        if step.invalid is not None and each.startswith(b'{"channel": "balances"'):
            assert step.demand is not None


@settings(max_examples=500, deadline=None)
@given(
    bodies=st.lists(
        st.binary() | json_values.map(lambda value: repr(value).encode()), max_size=4
    ),
    results=st.lists(json_values, max_size=3),
)
def test_polls_take_in_anything(bodies, results):
    """No answer raises, and every event is a checked record."""
    rounds = Rounds(Books(Account("kraken", "main"), "rest", 1, {}))
    poll = KrakenPoll(KEY, KrakenOptions())
    answers = [*bodies, *(json.dumps({"result": r}).encode() for r in results)]
    for body in answers:
        poll.begin(NOW)
        while poll.request(1, NOW) is not None:
            step = poll.receive(Response(200, body), NOW)
            if step.picture is not None:
                events = rounds.tell(step.picture, NOW)
                assert all(encode_body(event) for event in events)
