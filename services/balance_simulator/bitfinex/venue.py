"""The Bitfinex stand-in as one object: start it, drive it, read its truth.

For tests in the same process::

    async with BitfinexVenue(BitfinexSettings(seed=7)) as venue:
        ...  # connect to venue.ws_url and venue.rest_url
        venue.operate("deposit", {"asset": "BTC", "amount": "0.01"})
        venue.fault("gap", count=2)
        assert venue.truth()["balances"] == ...

or without sockets, in virtual time, over ``loopback``. The same calls are open to other
processes under ``/control/`` (see ``control``).

Operations (``operate``), all with optional ``announce`` (false changes the books
without telling anybody); ``wallet`` is a type and "exchange" where none is named::

    deposit, withdrawal   asset, amount, fee="0", wallet: the fee is a line of its own
    trade                 base, quote, volume (negative sells), price,
                          fee_rate="0.002", wallet: two legs and a fee, three updates
    transfer              asset, amount, from="exchange", to="margin"
    collateral            amount (negative: back), asset="USTF0": UST of the exchange
                          wallet to USTF0 of the margin wallet
    funding               asset, amount, wallet="funding": interest that is paid
    adjust                asset, amount, wallet, description, meta (JSON text): any line
    hold                  asset, amount (negative: release), wallet: less is available,
                          no line is written
    interest              asset, amount, wallet="margin": what is not settled yet
    rename                asset, to: another code from now on
    map                   asset, to: another symbol in the venue's map, "" for none
    list                  asset, decimals, symbol="", underlying="": a new currency

Faults that mean something special here: ``raw`` with ``numbered`` takes any array
frame, such as ``[0,"wu",["exchange"]]``, and adds what the flags ask for; ``nonce`` and
``html`` and the like take an ``endpoint``: ``auth`` (the login), ``wallets``, ``hist``;
``invalid_session`` refuses a login with 10100; ``answer_lost`` and ``answer_late`` are
about ``calc``; ``restart`` is info 20051 and a close; ``maintenance`` is 20060 and, at
its end or after ``clear``, 20061 with a new picture on the same connection.
"""

from collections.abc import Mapping
from typing import Any

from balance_simulator.bitfinex import operate, rest
from balance_simulator.bitfinex.calc import CalcBudget
from balance_simulator.bitfinex.ledger import Ledger, LedgerLine
from balance_simulator.bitfinex.pulse import Pulse
from balance_simulator.bitfinex.settings import BitfinexSettings
from balance_simulator.bitfinex.state import State, new_state
from balance_simulator.bitfinex.stream import RESTARTING, Session
from balance_simulator.bitfinex.telling import Telling
from balance_simulator.calls import Answer as RestAnswer
from balance_simulator.calls import Call
from balance_simulator.exact import plain, rfc3339
from balance_simulator.faults import Armed, Fault
from balance_simulator.pace import Clock, venue_clock
from balance_simulator.sessions import Peer
from balance_simulator.troubles import AtOnce
from balance_simulator.venue import Answer, Produce, Venue, newest


class BitfinexVenue(Venue[State, Session]):
    """A venue that can be run, driven and asked for the truth.

    Args:
        settings: the choices; the defaults listen on a free port of 127.0.0.1.
        clock: the venue's time in microseconds since 1970, UTC.
    """

    name = "bitfinex"
    stream_paths = ("/ws/2",)

    def __init__(
        self, settings: BitfinexSettings | None = None, clock: Clock = venue_clock
    ) -> None:
        self.settings = settings or BitfinexSettings()
        super().__init__(new_state(self.settings, clock()), clock)
        self.telling = Telling(self.state, self.connections, clock)

    @property
    def ledger(self) -> Ledger:
        """The books."""
        return self.state.ledger

    def new_session(self) -> Session:
        """Open the conversation of a new connection."""
        budget = CalcBudget(self.settings.calc_batch_max, self.settings.calc_per_s)
        return Session(self.state, self.state.server_id(), budget)

    def answer(self, call: Call, now_us: int) -> RestAnswer:
        """Answer one REST call, after the faults that are armed for it."""
        return rest.answer(self.state, call, now_us)

    def own_troubles(self) -> AtOnce:
        """Return what a restart does at once, and any text with its turn's number."""
        return {Fault.RESTART: self._restart, Fault.RAW: self._raw}

    def _raw(self, armed: Armed) -> None:
        """Say any text; with ``numbered`` an array frame gets what the flags add."""
        asked = armed.arguments
        if not asked["numbered"] or asked["to"] != "stream":
            self.troubles.raw(armed)
            return
        self.state.faults.armed.remove(armed)
        now_us = self.clock()
        for peer, session in self.connections.subscribed():
            for _ in range(int(asked["count"])):
                peer.send(session.numbered(str(asked["text"]), now_us))

    def _restart(self, armed: Armed) -> None:
        """Tell everybody to reconnect, and close the connections unless told not to."""
        for peer, session in list(self.connections.sessions.items()):
            peer.send(session.info(RESTARTING))
            if armed.arguments["close"]:
                peer.close(int(armed.arguments["code"]), "restart")

    def api_keys(self) -> list[str]:
        """Return the public parts of all API keys."""
        return list(self.state.keys.keys)

    def truth(self) -> Answer:
        """Return account → currency → wallet → exact balance, and what is available."""
        ledger, user = self.ledger, str(self.state.user)
        return {
            "balances": {user: ledger.truth()},
            "available": {user: ledger.truth(available=True)},
            "lines": ledger.lines_written,
            "last_ledger_id": {user: ledger.lines[-1].id if ledger.lines else None},
        }

    def lines(self, limit: int, user: str | None) -> Answer:
        """Return the newest lines, newest last, amounts as exact strings."""
        own = (
            reversed(self.ledger.lines) if user in {None, str(self.state.user)} else []
        )
        return newest(own, limit, self._line)

    def _line(self, line: LedgerLine) -> Answer:
        entry = line.entry
        return {
            "ledger_id": line.id,
            "timestamp": rfc3339(line.at_us),
            "type": entry.kind,
            "asset": self.state.currencies.internal(entry.wallet.currency).code,
            "wallet": entry.wallet.type,
            "amount": plain(entry.amount),
            "balance": plain(line.balance),
            "description": entry.description,
        }

    def own_statistics(self, now_us: int) -> Answer:
        """Return nonces, inputs, calculations and limits.

        ``inputs`` counts what clients sent: events and array frames by name, ``dms``
        (an ``auth`` that would cancel orders), ``calculations`` (names asked for),
        ``calc_refused``, ``filter_unknown`` and ``filter_mixed``.
        """
        return {
            "invalid_nonces": self.state.keys.invalid_nonces,
            "inputs": dict(self.state.inputs),
            "calc_peak_per_s": self.state.calc_peak,
            "rate_limit": {
                name: {"peak": limit.peak, "refused": limit.refused}
                for name, limit in self.state.limits.items()
            },
        }

    def describe(self, peer: Peer, session: Session) -> Answer:
        """Return what a client asked for, and its last number."""
        names = session.filters.names
        return {
            "key": session.key.key if session.key else "",
            "flags": session.flags,
            "filter": None if names is None else list(names),
            "sequence": session.sequence,
        }

    def operate(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        """Run one operation (see the module) and tell the clients about it."""
        done = operate.run(self.state, operation, arguments, self.clock())
        if arguments.get("announce", True):
            self.telling.publish(done.lines)
        return {"lines": [self._line(line) for line in done.lines], **done.more}

    def producer(self, arguments: Mapping[str, Any]) -> Produce:
        """Return what makes random lines, or with ``load`` the cheapest ones."""

        def produce(wanted: int) -> int:
            drawn = self.state.traffic
            step = drawn.step if wanted > operate.LINES_MAX else drawn.single
            lines = step(self.clock())
            self.telling.publish(lines)
            return len(lines)

        if not arguments.get("load"):
            return produce
        pulse = Pulse(self.state)

        def load(_wanted: int) -> int:
            self.telling.publish_payload(*pulse.step(self.clock()))
            return 1

        return load

    def picture(self, arguments: Mapping[str, Any]) -> Answer:
        """Load a big account: ``assets`` new currencies, each with a balance.

        ``wallets`` (1 to 3) types of wallet for each, ``announce`` (false: clients do
        not hear of it).
        """
        lines = operate.load_picture(self.state, arguments, self.clock())
        if arguments.get("announce", False):
            for line in lines:
                self.telling.publish([line])
        return {"loaded": len(lines), "lines": self.ledger.lines_written}
