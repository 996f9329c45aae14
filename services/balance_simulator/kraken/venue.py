"""The Kraken stand-in as one object: start it, drive it, read its truth.

For tests in the same process::

    async with KrakenVenue(KrakenSettings(seed=7)) as venue:
        ...  # connect to venue.ws_url and venue.rest_url
        venue.operate("deposit", {"asset": "BTC", "amount": "0.01"})
        venue.fault("gap", count=2)
        assert venue.truth()["balances"] == ...

The same calls are open to other processes under ``/control/`` (see ``control``).

Operations (``operate``), all with optional ``user`` (id or number), ``announce`` (false
changes the books without telling anybody) and ``together`` (all lines in one frame)::

    deposit, withdrawal   asset, amount, fee="0", wallet="spot/main"
    request_withdrawal    asset, amount, fee="0": REST leaves it out, no line yet
    complete_withdrawal   ref_id
    cancel_withdrawal     ref_id
    trade                 base, quote, volume (negative sells), price,
                          fee_rate="0.0026", fee_in_credits=false
    stake                 asset, amount (negative: back), wallet="earn/bonded"
    allocate              asset, amount (negative: back), wallet="earn/liquid",
                          automatic=true
    reward                asset, amount, wallet="earn/liquid"
    fee                   asset="KFEE", fee
    adjust                asset, amount, wallet, type, subtype, category
    subaccount            (none): opens one below ``user``
    rename                asset, to: another display name from now on
    rebase                asset, multiplier: shares behind a token change, with no line
    list                  asset, decimals: a new asset
"""

from collections.abc import Mapping
from typing import Any

from balance_simulator.calls import Answer as RestAnswer
from balance_simulator.calls import Call
from balance_simulator.exact import plain, rfc3339
from balance_simulator.faults import Fault
from balance_simulator.kraken import operate, rest
from balance_simulator.kraken.ledger import Ledger, LedgerLine
from balance_simulator.kraken.pulse import Pulse
from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.state import State, new_state
from balance_simulator.kraken.stream import Session
from balance_simulator.kraken.telling import Telling
from balance_simulator.pace import Clock, venue_clock
from balance_simulator.sessions import Peer
from balance_simulator.troubles import AtOnce
from balance_simulator.venue import Answer, Produce, Venue, newest


class KrakenVenue(Venue[State, Session]):
    """A venue that can be run, driven and asked for the truth.

    Args:
        settings: the choices; the defaults listen on a free port of 127.0.0.1.
        clock: the venue's time in microseconds since 1970, UTC.
    """

    name = "kraken"
    stream_paths = ("/v2", "/v2/private")

    def __init__(
        self, settings: KrakenSettings | None = None, clock: Clock = venue_clock
    ) -> None:
        self.settings = settings or KrakenSettings()
        super().__init__(new_state(self.settings, clock()), clock)
        self.telling = Telling(self.state, self.connections)

    @property
    def ledger(self) -> Ledger:
        """The books."""
        return self.state.ledger

    def new_session(self) -> Session:
        """Open the conversation of a new connection."""
        return Session(self.state, self.state.identifiers.connection_id())

    def answer(self, call: Call, now_us: int) -> RestAnswer:
        """Answer one REST call, after the faults that are armed for it."""
        return rest.answer(self.state, call, now_us)

    def own_troubles(self) -> AtOnce:
        """Return what an invalid session does at once: old tokens are worthless."""
        return {Fault.INVALID_SESSION: lambda _armed: self.state.tokens.invalidate()}

    def api_keys(self) -> list[str]:
        """Return the public parts of all API keys."""
        return list(self.state.keys.keys)

    def truth(self) -> Answer:
        """Return user → asset → wallet → exact balance, and how far the books are."""
        ledger = self.ledger
        return {
            "balances": ledger.truth(),
            "masters": {user.id: user.master for user in ledger.users.values()},
            "lines": ledger.lines_written,
            "last_ledger_id": dict(ledger.last_ledger_id),
            "pending": {
                ref: [item.wallet.user, item.wallet.asset, plain(item.amount)]
                for ref, item in ledger.pending.items()
            },
        }

    def lines(self, limit: int, user: str | None) -> Answer:
        """Return the newest lines, newest last, amounts as exact strings."""
        own = (
            line
            for line in reversed(self.ledger.lines)
            if user in {None, line.entry.wallet.user}
        )
        return newest(own, limit, self._line)

    def _line(self, line: LedgerLine) -> Answer:
        entry, wallet = line.entry, line.entry.wallet
        return {
            "ledger_id": line.ledger_id,
            "ref_id": entry.ref_id,
            "timestamp": rfc3339(line.at_us),
            "user": wallet.user,
            "asset": self.state.assets.internal(wallet.asset).display,
            "wallet": f"{wallet.type}/{wallet.id}",
            "type": entry.type,
            "subtype": entry.subtype,
            "category": entry.category,
            "amount": plain(entry.amount),
            "fee": plain(entry.fee),
            "wallet_balance": plain(line.wallet_balance),
            "account_balance": plain(line.account_balance),
        }

    def own_statistics(self, now_us: int) -> Answer:
        """Return tokens, nonces and rate counters."""
        keys = self.state.keys
        return {
            "tokens_issued": self.state.tokens.issued,
            "invalid_nonces": keys.invalid_nonces,
            "rate_limit": {
                name: {
                    "counter": round(rate.level(now_us), 3),
                    "peak": round(rate.peak, 3),
                }
                for name, rate in keys.rates.items()
            },
        }

    def describe(self, peer: Peer, session: Session) -> Answer:
        """Return whose subscription it is, and its last number."""
        subscription = session.subscription
        if subscription is None:
            return {}
        return {
            "user": subscription.key.user,
            "everyone": subscription.everyone,
            "sequence": subscription.sequence,
        }

    def operate(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        """Run one operation (see the module) and tell subscribers about it."""
        done = operate.run(self.state, operation, arguments, self.clock())
        if arguments.get("announce", True):
            together = bool(arguments.get("together", self.settings.together))
            self.telling.publish(done.lines, together=together)
        return {"lines": [self._line(line) for line in done.lines], **done.more}

    def producer(self, arguments: Mapping[str, Any]) -> Produce:
        """Return what makes random lines, or with ``load`` the cheapest ones."""
        users = operate.users(self.state, arguments.get("users", "all"))
        together = bool(arguments.get("together", self.settings.together))

        def produce(wanted: int) -> int:
            drawn = self.state.traffic
            step = drawn.step if wanted > 1 else drawn.single
            lines = step(users, self.clock())
            self.telling.publish(lines, together=together)
            return len(lines)

        if not arguments.get("load"):
            return produce
        pulse = Pulse(self.state, users, self.settings.balance_scope)

        def load(_wanted: int) -> int:
            self.telling.publish_row(*pulse.step(self.clock()))
            return 1

        return load

    def picture(self, arguments: Mapping[str, Any]) -> Answer:
        """Load a big account: ``assets`` new assets, each with a balance.

        ``wallets`` (1) wallets for each, ``user``, ``announce`` (false: subscribers do
        not hear of it).
        """
        lines = operate.load_picture(self.state, arguments, self.clock())
        if arguments.get("announce", False):
            self.telling.publish(lines, together=False)
        return {"loaded": len(lines), "lines": self.ledger.lines_written}
