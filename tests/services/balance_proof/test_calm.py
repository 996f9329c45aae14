"""What is noted once for all says the same as looking at each balance."""

from hypothesis import example, given
from hypothesis import strategies as st
from lives import Eager
from proof_records import Make

from balance_proof.account import Account

ASSETS = ["BTC", "ETH", "SOL"]
WALLETS = ["main", "other"]

steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "update",
                "told",
                "lost",
                "picture",
                "line",
                "agree",
                "agree",
                "differ",
                "doubt",
                "state",
                "state",
                "stale",
                "copy",
                "settle",
            ]
        ),
        st.sampled_from(ASSETS),
        st.sampled_from(WALLETS),
        st.sampled_from([0.5, 1, 3, 30]),
    ),
    max_size=60,
)


class Told:
    """Records of a random life, told to two accounts alike."""

    def __init__(self, *accounts):
        self.make, self.accounts, self.now = Make(), accounts, 1.0
        self.epoch, self.last, self.held = 0, 0.0, {}

    def each(self, method, *arguments):
        """Tell all accounts."""
        for account in self.accounts:
            getattr(account, method)(*arguments)

    def event(self, event, at=None):
        """Tell an event and its copy."""
        self.each("take_event", event)
        self.each("take_latest", event)
        self.last = self.now if at is None else at

    def picture(self, names):
        """Begin an epoch with all balances."""
        self.epoch = self.make.epoch(self.now - 0.25)
        places = [(asset, wallet) for asset in ASSETS for wallet in WALLETS]
        for number, (asset, wallet) in enumerate(places):
            place = {"snapshot_index": number, "snapshot_size": len(places)}
            balance = str(self.held.get((asset, wallet), 0))
            names = {"asset": asset, "wallet_id": wallet, "epoch": self.epoch}
            self.event(self.make.row(balance, self.now, **names, **place))

    def tell(self, what, asset, wallet, pause):
        """Tell one thing."""
        make, place = self.make, (asset, wallet)
        names = {"asset": asset, "wallet_id": wallet, "epoch": self.epoch}
        self.now += pause
        if what in {"update", "told", "lost", "copy"}:
            self.held[place] = self.held.get(place, 0) + 1
            delta = {"told": None, "lost": "3"}.get(what, "1")
            event = make.update(str(self.held[place]), delta, self.now, **names)
            if what == "copy":
                self.each("take_latest", event)
            else:
                self.event(event)
        elif what == "picture":
            self.picture(names)
        elif what == "line":
            line = make.line("-2", self.now - 5, self.now, **names)
            self.each("take_event", line)
        elif what in {"agree", "differ", "doubt"}:
            verdict = {"agree": "consistent", "differ": "inconsistent"}
            differences = (make.difference("1", "2", asset=asset),)
            record, at_ms = make.comparison(
                self.now,
                verdict.get(what, "inconclusive"),
                differences=differences if what == "differ" else (),
            )
            self.now += 3
            self.each("take_reconciliation", record, at_ms)
        elif what == "settle":
            key = f"kraken|main||spot/{wallet}|{asset}"
            self.each("settle", key, make.at(self.now))
        else:
            state = "live" if what == "state" else "stale"
            status = make.status(self.now, self.last, epoch=self.epoch, state=state)
            self.each("take_status", *status)


@given(steps)
@example([(what, "BTC", "main", 0.5) for what in ("agree", "state", "agree", "differ")])
def test_verdicts_are_those_of_looking_at_each(told):
    """Whatever is told, at each state."""
    calm, eager = Account({}), Eager()
    both = Told(calm, eager)
    both.picture({})
    for what, asset, wallet, pause in told:
        both.tell(what, asset, wallet, pause)
        if what == "stale":
            assert list(eager.proofs()) == list(calm.proofs())
    both.tell("state", "BTC", "main", 1)
    assert list(eager.proofs()) == list(calm.proofs())


def test_comparison_looks_at_what_moved_alone(make):
    """Of all balances only that one is restless which was told since."""
    account = Account({})
    both = Told(account)
    both.picture({})
    for what in ("state", "agree", "state"):
        both.tell(what, "BTC", "main", 1)
    assert set() == account._calm.restless
    both.tell("update", "ETH", "other", 30)
    both.tell("state", "BTC", "main", 1)
    assert {"kraken|main||spot/other|ETH"} == account._calm.restless
    first = {one.asset: one.proven_through for one in account.proofs()}
    both.tell("agree", "BTC", "main", 30)
    both.tell("state", "BTC", "main", 1)
    last = {one.asset: one.proven_through for one in account.proofs()}
    assert set() == account._calm.restless
    assert all(first[asset] < last[asset] for asset in ASSETS)
