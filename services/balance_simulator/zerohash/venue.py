"""The Zero Hash and NDAX stand-ins as objects: start them, drive them, read the truth.

For tests in the same process::

    async with ZeroHashVenue(ZeroHashSettings(seed=7)) as venue:
        ...  # connect to venue.ws_url and venue.rest_url
        venue.operate("deposit", {"asset": "BTC", "amount": "0.01"})
        venue.fault("gap", count=2)
        assert venue.truth()["balances"] == ...

The same calls are open to other processes under ``/control/`` (see ``control``).

Operations (``operate``), all with optional ``participant`` (code or number), ``group``
and ``announce`` (false changes the books without telling anybody); those with an asset
also take ``label="general"`` and ``type="available"``, any words::

    deposit               asset, amount, deposit_reference_id, source,
                          received_address
    withdrawal            asset, amount: the next two at once
    request_withdrawal    asset, amount: available to collateral; returns ``request``
    confirm_withdrawal    request: collateral goes; available up and down in one run
    cancel_withdrawal     request: collateral to available
    trade                 base, volume (negative sells), price, fee_rate="0.0026"
    execute_trade         base, volume, price: payable and receivable; returns ``trade``
    settle_trade          trade: obligations end, available moves, in one run
    transfer              asset, amount, to_participant, to_label, to_type, to_asset
    execution_fee         asset, amount
    network_fee           asset, amount
    stake                 asset, amount (negative: back)
    reward                asset, amount
    adjust                asset, amount (any digits), run_type, movement_type: any words
    net_zero              asset, amount: up and down in one run, which is told
    empty                 asset: the account holds nothing from now on
    subaccount            code: a new customer below ``group``
    rename                asset, to: another name from now on
    list                  asset, decimals, chain="ethereum": a new asset
"""

from collections.abc import Mapping
from typing import Any

from balance_simulator.calls import Answer as RestAnswer
from balance_simulator.calls import Call
from balance_simulator.exact import plain
from balance_simulator.faults import Armed, Fault
from balance_simulator.pace import Clock, venue_clock
from balance_simulator.sessions import Peer
from balance_simulator.troubles import AtOnce
from balance_simulator.venue import Answer, Produce, Venue, newest
from balance_simulator.zerohash import frames, operate, rest
from balance_simulator.zerohash.ledger import Change, Ledger, Run
from balance_simulator.zerohash.pulse import Pulse
from balance_simulator.zerohash.settings import NdaxSettings, ZeroHashSettings
from balance_simulator.zerohash.state import State, new_state
from balance_simulator.zerohash.stream import Session
from balance_simulator.zerohash.telling import Telling

_SERVICE_RESTART = 1012
# The most accounts that one random operation touches: a trade that settles.
_STEP_MAX = 4


class ZeroHashVenue(Venue[State, Session]):
    """A venue that can be run, driven and asked for the truth.

    Args:
        settings: the choices; the defaults listen on a free port of 127.0.0.1.
        clock: the venue's time in microseconds since 1970, UTC.
    """

    name = "zerohash"
    stream_paths = ("/",)

    def __init__(
        self, settings: ZeroHashSettings | None = None, clock: Clock = venue_clock
    ) -> None:
        self.settings = settings or ZeroHashSettings()
        super().__init__(new_state(self.settings, clock()), clock)
        self.telling = Telling(self.state, self.connections)

    @property
    def ledger(self) -> Ledger:
        """The books."""
        return self.state.ledger

    def new_session(self) -> Session:
        """Open the conversation of a new connection."""
        return Session(self.state)

    def answer(self, call: Call, now_us: int) -> RestAnswer:
        """Answer one REST call; a torn one is followed by a change of the books."""
        answer = rest.answer(self.state, call, now_us)
        emptied, self.state.emptied = self.state.emptied, None
        if emptied:
            given = {
                "participant": emptied.participant_code,
                "group": emptied.account_group,
                "label": emptied.account_label,
                "type": emptied.account_type,
                "asset": emptied.asset,
            }
            self.operate("empty", given)
        return answer

    def own_troubles(self) -> AtOnce:
        """Return what maintenance and a refused address do at once: close all."""
        return {Fault.MAINTENANCE: self._shut, Fault.FORBIDDEN: self._cut}

    def _shut(self, armed: Armed) -> None:
        seconds = {"seconds": armed.arguments["seconds"]}
        self.state.faults.arm(Fault.REFUSE_CONNECTIONS, seconds, self.clock())
        for peer in list(self.connections.sessions):
            peer.close(_SERVICE_RESTART, "service restart")

    def _cut(self, _armed: Armed) -> None:
        for peer in list(self.connections.sessions):
            peer.abort()

    def api_keys(self) -> list[str]:
        """Return the public parts of all API keys."""
        return list(self.state.keys.keys)

    def truth(self) -> Answer:
        """Return all balances as exact strings, and how far the books are.

        ``balances``: participant/group/label → asset → account type → balance, empty
        accounts included; ``plain``: asset → its name without chain; ``owners``: key →
        platform, whose accounts have its code as participant or as group.
        """
        ledger, operations = self.ledger, self.state.operations
        return {
            "balances": ledger.truth(),
            "plain": {asset.name: asset.plain for asset in self.state.assets},
            "owners": {key.key: key.owner for key in self.state.keys.keys.values()},
            "lines": ledger.changes_written,
            "runs": ledger.runs_written,
            "pending": {
                request: [*item.account, plain(item.amount)]
                for request, item in operations.withdrawals.items()
            },
            "unsettled": list(operations.trades),
        }

    def lines(self, limit: int, user: str | None) -> Answer:
        """Return the newest changes of accounts, newest last."""
        own = (
            (run, change)
            for run in reversed(self.ledger.runs)
            for change in reversed(run.changes)
            if user in {None, change.account.participant_code}
        )
        return newest(own, limit, self._line)

    def _line(self, line: tuple[Run, Change]) -> Answer:
        run, change = line
        account = change.account
        return {
            "account_id": self.ledger.record(account).account_id,
            **account._asdict(),
            "asset": self.state.assets[account.asset].name,
            "run_id": run.run_id,
            "run_type": run.run_type,
            "run_timestamp": frames.timestamp(run.at_ns, run.digits),
            "change": plain(change.change),
            "balance": plain(change.balance),
            "movements": [
                [moved.movement_id, moved.movement_type, plain(moved.change)]
                for moved in change.movements
            ],
        }

    def own_statistics(self, now_us: int) -> Answer:
        """Return pings by outcome and how near each key came to its rate limit."""
        return {
            "pings": dict(self.state.pings),
            "rate_limit": {
                name: {
                    "counter": rate.level(now_us),
                    "peak": rate.peak,
                    "refused": rate.refused,
                }
                for name, rate in self.state.keys.rates.items()
            },
        }

    def describe(self, peer: Peer, session: Session) -> Answer:
        """Return what the subscriptions of one connection cover."""
        return {
            "scopes": [
                {
                    "owner": subscription.scope.owner,
                    "multi_chain": subscription.scope.multi_chain,
                    "filter": dict(subscription.scope.filter),
                }
                for subscription in session.subscriptions
            ],
            "pinged_us": session.pinged_us,
        }

    def operate(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        """Run one operation (see the module) and tell subscribers about it."""
        at_us = self.state.time_us(self.clock())
        done = operate.run(self.state, operation, arguments, at_us)
        if arguments.get("announce", True):
            self.telling.publish(done.runs)
        lines = [self._line((run, part)) for run in done.runs for part in run.changes]
        return {"lines": lines, **done.more}

    def producer(self, arguments: Mapping[str, Any]) -> Produce:
        """Return what makes random runs, or with ``load`` the cheapest ones.

        Counted are the accounts touched, each of which is told in a message.
        """
        owners = operate.owners(self.state, arguments.get("users", "all"))

        def produce(wanted: int) -> int:
            drawn = self.state.traffic
            enough = wanted >= _STEP_MAX
            step = drawn.step if enough else drawn.single
            return self.telling.publish(step(owners, self._now_us()))

        if not arguments.get("load"):
            return produce
        pulse = Pulse(self.state, [code for code, _ in owners])

        def load(_wanted: int) -> int:
            return self.telling.publish([pulse.step(self._now_us())], faulty=False)

        return load

    def _now_us(self) -> int:
        return self.state.time_us(self.clock())

    def picture(self, arguments: Mapping[str, Any]) -> Answer:
        """Load a big platform: ``accounts`` (20,000) new accounts with a balance each.

        ``participant``: below whom; ``announce`` (false: subscribers do not hear of
        it).
        """
        runs = operate.load_picture(self.state, arguments, self._now_us())
        if arguments.get("announce", False):
            self.telling.publish(runs)
        loaded = sum(len(run.changes) for run in runs)
        return {"loaded": loaded, "lines": self.ledger.changes_written}


class NdaxVenue(ZeroHashVenue):
    """The same dialect under NDAX v3's name, headers and assets."""

    name = "ndax"

    def __init__(
        self, settings: ZeroHashSettings | None = None, clock: Clock = venue_clock
    ) -> None:
        super().__init__(settings or NdaxSettings(), clock)
