"""One client's conversation on ``/ws/2``, as text in and text out.

Source: pages "ws-general" (info, conf, ping, heartbeats), "ws-auth" (auth, filters,
account channel), the seed page "Wallets". MSG_SEQ counts every array frame of the
connection from 1, heartbeats too; events carry no number. ACCOUNT_SEQ is 0 until the
first pictures are told, then the number of the account's last event, which does not
move with every frame (frames captured in 2026). No sockets, no clock.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from balance_simulator.bitfinex import auth, frames, pictures
from balance_simulator.bitfinex.calc import CalcBudget, calc_names, wallet_of
from balance_simulator.bitfinex.filters import Filters
from balance_simulator.bitfinex.ledger import LedgerLine, Wallet
from balance_simulator.bitfinex.state import State
from balance_simulator.connections import due_us
from balance_simulator.delivery import Delivery, Outlet
from balance_simulator.faults import Fault
from balance_simulator.sessions import Goodbye, Said

RESTARTING = 20051
STARTED = 20060
ENDED = 20061
_UNKNOWN_EVENT = 10000
_UNKNOWN_CHANNEL = 10302
_WORDS = {
    RESTARTING: "Stopping. Please try to reconnect",
    STARTED: "Entering in maintenance mode",
    ENDED: "Maintenance ended",
}


@dataclass(slots=True)
class Session:
    """One connection's conversation.

    Attributes:
        state: the venue.
        server_id: told in the first frame.
        budget: what may still be calculated.
        flags: the whole mask of the last ``conf``.
        key: whose, once logged in.
        filters: what the client wants to hear.
        sequence: MSG_SEQ of the last array frame, 0 before the first.
        live: whether the first picture was told.
        operative: what the client was last told about the platform.
        pending: calculations to be told: when, and their name.
        outlet: where wallet updates go out, or astray.
    """

    state: State
    server_id: str
    budget: CalcBudget
    flags: int = 0
    key: auth.ApiKey | None = None
    filters: Filters = field(default_factory=Filters)
    sequence: int = 0
    live: bool = False
    operative: bool = True
    beat_due_us: int = 0
    picture_due_us: int | None = None
    pending: list[tuple[int, str]] = field(default_factory=list)
    outlet: Outlet = field(default_factory=Outlet)

    @property
    def subscribed(self) -> bool:
        """Whether the client is logged in, which opens the account channel."""
        return self.key is not None

    @property
    def last_text(self) -> str:
        """The last wallet update or picture told."""
        return self.outlet.last_text

    def opened(self, now_us: int) -> list[str]:
        """Return the frame that is sent right after the connection is made."""
        self.operative = self.state.operative(now_us)
        self._count("info")
        return [
            frames.info(
                self.state.settings.version, self.server_id, operative=self.operative
            )
        ]

    def info(self, code: int) -> str:
        """Return an info event with a code: 20051, 20060 or 20061."""
        self._count("info")
        return frames.event("info", {"code": self._code(code), "msg": _WORDS[code]})

    def receive(self, text: str, now_us: int) -> Sequence[Said]:
        """Return the answers to one frame of the client."""
        try:
            request = json.loads(text)
        except ValueError:
            request = None
        if isinstance(request, list):
            return self._input(request, now_us)
        name = str(request.get("event")) if isinstance(request, dict) else ""
        self.state.inputs[name] += 1
        if name == "ping":
            mute = self.state.faults.is_mute(now_us)
            return [] if mute else [self._pong(request, now_us)]
        if name == "conf":
            return [self._conf(request)]
        if name == "auth":
            return self._auth(request, now_us)
        if name == "subscribe":
            return [self._error(_UNKNOWN_CHANNEL, "channel: unknown")]
        return [self._error(_UNKNOWN_EVENT, "event: unknown")]

    def _count(self, kind: str) -> None:
        self.state.statistics.frames[kind] += 1

    def _code(self, code: int) -> int | str:
        return str(code) if self.state.settings.codes_as_text else code

    def _error(self, code: int, words: str) -> str:
        self._count("error")
        return frames.event("error", {"msg": words, "code": self._code(code)})

    def _pong(self, request: Mapping[str, Any], now_us: int) -> str:
        self._count("pong")
        return frames.event("pong", {"ts": now_us // 1000, "cid": request.get("cid")})

    def _conf(self, request: Mapping[str, Any]) -> str:
        flags = request.get("flags")
        if type(flags) is not int:
            return self._error(auth.BAD_PARAMETER, "flags: invalid")
        self.flags = flags
        return frames.event("conf", {"status": "OK", "flags": flags})

    def _auth(self, request: Mapping[str, Any], now_us: int) -> list[str]:
        counted = self.state.statistics.subscribes
        if self.state.faults.take(Fault.UNANSWERED):
            counted["unanswered"] += 1
            return []
        try:
            key = self._admit(request, now_us)
        except auth.RefusedError as refused:
            counted[str(refused)] += 1
            return [self._failure(refused)]
        counted["success"] += 1
        self.key = key
        self.filters = self._filters(request)
        self.beat_due_us = due_us(now_us, self.state.settings.heartbeat_s)
        told = [self._success(key)]
        if not self._reads_wallets():
            return told
        slow = self.state.faults.take(Fault.SLOW_SNAPSHOT)
        if slow:
            self.picture_due_us = due_us(now_us, slow.arguments["seconds"])
            return told
        return told + self._pictures(now_us)

    def _admit(self, request: Mapping[str, Any], now_us: int) -> auth.ApiKey:
        """Return the key of an ``auth`` that is right, after the armed faults."""
        faults, keys = self.state.faults, self.state.keys
        if request.get("dms") is not None:
            self.state.inputs["dms"] += 1
        # What maintenance answers to an auth is not documented; REST says this.
        if not self.state.operative(now_us):
            raise auth.RefusedError(auth.MAINTENANCE, "maintenance")
        if self.key is not None:
            raise auth.RefusedError(auth.BAD_KEY, "auth: dup")
        if faults.take(Fault.INVALID_SESSION):
            raise auth.RefusedError(auth.BAD_KEY, "auth: invalid")
        if faults.take(Fault.NONCE, endpoint="auth"):
            keys.refuse_nonce()
        key = keys.check_stream(request)
        if faults.take(Fault.PERMISSION_DENIED, to="stream"):
            return auth.ApiKey(key.key, key.secret, key.readable - {"wallets"})
        return key

    def _filters(self, request: Mapping[str, Any]) -> Filters:
        asked = request.get("filter")
        if not isinstance(asked, list) or not asked:
            return Filters()
        filters = Filters(tuple(str(name) for name in asked))
        self.state.inputs["filter_unknown"] += len(filters.unknown)
        self.state.inputs["filter_mixed"] += filters.mixed
        return filters

    def _success(self, key: auth.ApiKey) -> str:
        self._count("auth")
        as_text = self.state.settings.caps_as_text
        return frames.event(
            "auth",
            {
                "status": "OK",
                "chanId": 0,
                "userId": self.state.user,
                "auth_id": self.server_id,
                "caps": frames.caps(key.readable, as_text=as_text),
            },
        )

    def _failure(self, refused: auth.RefusedError) -> str:
        settings = self.state.settings
        self._count("auth")
        code = {"code": self._code(refused.code)} if settings.failure_code else {}
        if settings.failure == "error":
            return frames.event("error", {**code, "msg": refused.words})
        status = {"status": settings.failure_word, "chanId": 0}
        return frames.event("auth", status | code | {"msg": refused.words})

    def _reads_wallets(self) -> bool:
        return self.key is not None and "wallets" in self.key.readable

    def array(
        self, kind: str, payload: str | None, now_us: int, *, account: bool = True
    ) -> str:
        """Number and return an array frame.

        Args:
            kind: such as ``wu``.
            payload: JSON text, or None for a heartbeat.
            now_us: told where the client asked for times.
            account: whether it carries ACCOUNT_SEQ too.
        """
        self.sequence += 1
        self._count(kind)
        last = self.state.account_seq if self.live else 0
        numbers = (self.sequence, last) if account else (self.sequence,)
        return frames.array(kind, payload, self.flags, numbers, now_us)

    def numbered(self, text: str, now_us: int) -> str:
        """Number an array frame that somebody else wrote: any text in brackets."""
        self.sequence += 1
        numbers = (self.sequence, self.state.account_seq)
        return frames.numbered(text, self.flags, numbers, now_us)

    def _pictures(self, now_us: int) -> list[str]:
        """Return pictures of all that is wanted: each replaces what was known."""
        self.picture_due_us = None
        told = []
        for category, kind in pictures.ORDER:
            if not self.filters.wants(category):
                continue
            if kind == "ws":
                payload = pictures.wallets(self.state, self.filters)
                text = self.outlet.last_text = self.array(kind, payload, now_us)
                told.append(text)
            elif self.state.settings.noise:
                told.append(self.array(kind, "[]", now_us))
        self.live = True
        return told

    def wants(self, line: LedgerLine) -> bool:
        """Tell whether a line is told to this client."""
        if not self.live or not self.operative:
            return False
        wallet = line.entry.wallet
        code = self.state.currencies.internal(wallet.currency).code
        return self.filters.wants_wallet(wallet.type, code)

    def hears(self, category: str) -> bool:
        """Tell whether other frames of a category are told to this client."""
        noise = self.state.settings.noise and self.live and self.operative
        return noise and self.filters.wants(category)

    def tell(self, payload: str, delivery: Delivery, now_us: int) -> list[str]:
        """Number a wallet update and return what reaches the client now."""
        return self.outlet.pass_on(self.array("wu", payload, now_us), delivery)

    def _input(self, request: Sequence[Any], now_us: int) -> Sequence[Said]:
        """Answer an array frame: a calculation, or something about orders."""
        kind = str(request[1]) if len(request) > 1 else ""
        self.state.inputs[kind] += 1
        if self.key is None:
            return [self._error(auth.BAD_KEY, "auth: invalid")]
        if kind == "calc":
            return self._calc(request, now_us)
        payload = pictures.refused_request(kind, now_us)
        # Captured ones of this kind carry one number only.
        return [self.array("n", payload, now_us, account=False)]

    def _calc(self, request: Sequence[Any], now_us: int) -> Sequence[Said]:
        try:
            names = calc_names(request)
        except auth.RefusedError as refused:
            return [self._error(refused.code, refused.words)]
        self.state.inputs["calculations"] += len(names)
        allowed = self.budget.take(len(names), now_us)
        self.state.calc_peak = max(self.state.calc_peak, self.budget.peak)
        if not allowed:
            return self._abused()
        for name in names:
            if not self.state.faults.take(Fault.ANSWER_LOST):
                self._schedule(name, now_us)
        return self._calculated(now_us)

    def _abused(self) -> Sequence[Said]:
        """Refuse a request over the limits, and in the end the client."""
        self.state.inputs["calc_refused"] += 1
        error = self._error(auth.GENERIC, "calc: limit exceeded")
        most = self.state.settings.calc_abuses_max
        if most is not None and self.budget.refused > most:
            return [error, Goodbye(1008, "calc: limit exceeded")]
        return [error]

    def _schedule(self, name: str, now_us: int) -> None:
        wait_s = self.state.settings.calc_delay_s
        late = self.state.faults.take(Fault.ANSWER_LATE)
        if late:
            wait_s += float(late.arguments["seconds"])
        self.pending.append((due_us(now_us, wait_s), name))

    def _calculated(self, now_us: int) -> list[str]:
        """Return the answers whose time has come, with what is true now."""
        ripe = sorted(item for item in self.pending if item[0] <= now_us)
        self.pending = [item for item in self.pending if item[0] > now_us]
        return [text for _, name in ripe for text in self._answer(name, now_us)]

    def _answer(self, name: str, now_us: int) -> list[str]:
        """Return the frame that answers a name; none for names that are unknown."""
        if name == "balance":
            return [self.array("bu", pictures.totals(self.state), now_us)]
        asked = wallet_of(name)
        if asked is None or not self._reads_wallets():
            return []
        try:
            currency = self.state.currencies.find(asked[1])
        except ValueError:
            return []
        wallet = Wallet(asked[0], currency.internal)
        if self.state.ledger.last(wallet) is None:
            return []
        payload = pictures.calculated(self.state, wallet)
        return [self.array("wu", payload, now_us)]

    def due(self, now_us: int, quiet_us: int = 0) -> list[str]:
        """Return maintenance news, a late picture, a heartbeat and ripe calculations.

        Heartbeats come every 15 s whatever else is told (ws-general).
        """
        told = self._maintenance(now_us)
        if self.key is None:
            return told
        if self.picture_due_us is not None and self.picture_due_us <= now_us:
            told += self._pictures(now_us)
        if self.beat_due_us <= now_us:
            if not self.state.faults.is_mute(now_us):
                told.append(self.array("hb", None, now_us, account=False))
            self.beat_due_us = due_us(now_us, self.state.settings.heartbeat_s)
        return told + self._calculated(now_us)

    def _maintenance(self, now_us: int) -> list[str]:
        """Return the news of a platform that stopped or works again.

        After it has ended, new pictures may follow on the same connection (the
        vendor's blog on version 1.1).
        """
        operative = self.state.operative(now_us)
        if operative == self.operative:
            return []
        self.operative = operative
        told = [self.info(ENDED if operative else STARTED)]
        again = self.state.settings.picture_after_maintenance
        if operative and again and self.live:
            told += self._pictures(now_us)
        return told

    def closed(self) -> None:
        """Forget what was still to be told."""
        self.pending.clear()
        self.outlet.held.clear()
