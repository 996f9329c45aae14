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
from typing import Any, Self

from balance_simulator.exact import plain, rfc3339
from balance_simulator.kraken import operate
from balance_simulator.kraken.ledger import Ledger, LedgerLine
from balance_simulator.kraken.pulse import Pulse
from balance_simulator.kraken.server import KrakenServer
from balance_simulator.kraken.settings import KrakenSettings
from balance_simulator.kraken.state import State, new_state
from balance_simulator.kraken.stream import Session
from balance_simulator.kraken.telling import Telling
from balance_simulator.kraken.troubles import Troubles
from balance_simulator.pace import Clock, Pace, venue_clock

Answer = dict[str, Any]
# Frames that may wait for the slowest reader before `wait` traffic pauses.
_CROWD = 2_000


class KrakenVenue:
    """A venue that can be run, driven and asked for the truth.

    Args:
        settings: the choices; the defaults listen on a free port of 127.0.0.1.
        clock: the venue's time in microseconds since 1970, UTC.
    """

    def __init__(
        self, settings: KrakenSettings | None = None, clock: Clock = venue_clock
    ) -> None:
        self.settings = settings or KrakenSettings()
        self.clock = clock
        self.state: State = new_state(self.settings, clock())
        self.server = KrakenServer(self.state, clock, self)
        self.telling = Telling(self.state, self.server)
        self.troubles = Troubles(self.state, self.server)
        self.pace = Pace()

    @property
    def ledger(self) -> Ledger:
        """The books."""
        return self.state.ledger

    @property
    def rest_url(self) -> str:
        """Scheme, host and port for REST, without a path."""
        return f"http://{self.server.listener.host}:{self.server.listener.port}"

    @property
    def ws_url(self) -> str:
        """The whole WebSocket address."""
        return f"ws://{self.server.listener.host}:{self.server.listener.port}/v2"

    async def start(self) -> None:
        """Listen, and begin the background traffic that the settings ask for."""
        await self.server.start()
        if self.settings.rate:
            self.traffic({"rate": self.settings.rate})

    async def stop(self) -> None:
        """Stop traffic, close every connection and stop listening."""
        self.pace.stop()
        await self.server.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

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
        newest = [line for line, _ in zip(own, range(limit), strict=False)]
        return {"lines": [self._line(line) for line in reversed(newest)]}

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

    def statistics(self) -> Answer:
        """Return what was counted since the start."""
        now_us, counted = self.clock(), self.state.statistics
        keys = self.state.keys
        return {
            "connections": len(self.server.sessions),
            "connections_made": counted.connections,
            "connection_attempts": counted.attempts,
            "connection_attempts_10min": counted.attempts_in_window(now_us),
            "slow_readers_cut_off": self.server.cut_off,
            "subscribes": dict(counted.subscribes),
            "subscriptions": [
                _subscription(session) | {"queued": client.queued, "sent": client.sent}
                for client, session in self.server.subscribed()
            ],
            "rest_calls": dict(counted.rest_calls),
            "rest_errors": dict(counted.rest_errors),
            "tokens_issued": self.state.tokens.issued,
            "invalid_nonces": keys.invalid_nonces,
            "rate_limit": {
                name: {
                    "counter": round(rate.level(now_us), 3),
                    "peak": round(rate.peak, 3),
                }
                for name, rate in keys.rates.items()
            },
            "frames": dict(counted.frames),
            "faults_used": dict(self.state.faults.used),
            "faults_armed": [armed.fault for armed in self.state.faults.armed],
        }

    def operate(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        """Run one operation (see the module) and tell subscribers about it."""
        done = operate.run(self.state, operation, arguments, self.clock())
        if arguments.get("announce", True):
            together = bool(arguments.get("together", self.settings.together))
            self.telling.publish(done.lines, together=together)
        return {"lines": [self._line(line) for line in done.lines], **done.more}

    def fault(self, name: str, **arguments: Any) -> Answer:
        """Arm or run a fault; names and arguments are in ``faults.ARGUMENTS``."""
        armed = self.state.faults.arm(name, arguments, self.clock())
        self.troubles.run(armed)
        return {"fault": armed.fault, **armed.arguments}

    def traffic(self, arguments: Mapping[str, Any]) -> Answer:
        """Start or stop random traffic; without arguments tell how it is.

        ``rate`` lines a second (0: as fast as possible), ``count`` lines in all,
        ``users`` ("masters", "all" or a list of ids), ``seed`` to begin again from a
        seed, ``wait`` to pause while a reader is far behind, ``stop``; ``load`` makes
        the cheapest frames there are (see ``pulse``) and meets no update faults.
        """
        if arguments.get("stop"):
            self.pace.stop()
        elif arguments:
            self._start_traffic(arguments)
        return {
            "running": self.pace.running,
            "done": self.pace.done,
            "wanted": self.pace.wanted,
            "rate": self.pace.rate,
        }

    def _start_traffic(self, arguments: Mapping[str, Any]) -> None:
        if "seed" in arguments:
            self.state.rng.seed(int(arguments["seed"]))
        users = operate.users(self.state, arguments.get("users", "all"))
        count = arguments.get("count")
        wait = bool(arguments.get("wait", False))
        together = bool(arguments.get("together", self.settings.together))

        pulse = Pulse(self.state, users, self.settings.balance_scope)

        def load(_wanted: int) -> int:
            self.telling.publish_row(*pulse.step(self.clock()))
            return 1

        def produce(wanted: int) -> int:
            drawn = self.state.traffic
            step = drawn.step if wanted > 1 else drawn.single
            lines = step(users, self.clock())
            self.telling.publish(lines, together=together)
            return len(lines)

        self.pace.start(
            load if arguments.get("load") else produce,
            float(arguments.get("rate", 0)),
            None if count is None else int(count),
            lambda: wait and self._crowded(),
        )

    def _crowded(self) -> bool:
        return any(client.queued > _CROWD for client in self.server.sessions)

    async def traffic_finished(self) -> None:
        """Wait until the traffic asked for has been produced."""
        await self.pace.finished()

    def picture(self, arguments: Mapping[str, Any]) -> Answer:
        """Load a big account: ``assets`` new assets, each with a balance.

        ``wallets`` (1) wallets for each, ``user``, ``announce`` (false: subscribers do
        not hear of it).
        """
        lines = operate.load_picture(self.state, arguments, self.clock())
        if arguments.get("announce", False):
            self.telling.publish(lines, together=False)
        return {"loaded": len(lines), "lines": self.ledger.lines_written}


def _subscription(session: Session) -> Answer:
    subscription = session.subscription
    if subscription is None:
        return {}
    return {
        "user": subscription.key.user,
        "everyone": subscription.everyone,
        "sequence": subscription.sequence,
    }
