"""One client's conversation on WebSocket v2, as text in and text out.

Source: page "Balances" (WebSocket v2): subscribe, snapshot, update, unsubscribe; pages
"Status", "Heartbeat" and "Ping". The sequence counts the frames of one subscription and
the snapshot has number 1. No sockets, no clock: the server calls in with the time.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from balance_simulator.delivery import Delivery, Outlet
from balance_simulator.exact import MICROSECONDS
from balance_simulator.faults import Fault
from balance_simulator.kraken import frames
from balance_simulator.kraken.auth import QUERY_FUNDS, ApiKey, RefusedError
from balance_simulator.kraken.ledger import LedgerLine
from balance_simulator.kraken.state import State


@dataclass(slots=True)
class Subscription:
    """A subscription to ``balances``.

    Attributes:
        token: the token that it was made with.
        key: whose.
        everyone: whether events of sub-accounts are told too (``users=all``).
        rebased: whether tokenized assets are told in shares.
        sequence: number of the last frame, 0 before the first.
        snapshot_due_us: when the snapshot is to be told, or None once it was.
    """

    token: str
    key: ApiKey
    everyone: bool
    rebased: bool
    sequence: int = 0
    snapshot_due_us: int | None = None

    def wants(self, line: LedgerLine, master: str) -> bool:
        """Tell whether a line of a user below ``master`` is for this subscriber."""
        if self.snapshot_due_us is not None:
            return False
        user = line.entry.wallet.user
        return user == self.key.user or (self.everyone and master == self.key.user)


@dataclass(slots=True)
class Session:
    """One connection's conversation.

    Attributes:
        state: the venue.
        connection_id: unsigned 64 bits, above 2**63 - 1.
        subscription: the one subscription, if any.
        outlet: where its frames go out, or astray.
        system_told: the engine's state in the last status frame.
    """

    state: State
    connection_id: int
    subscription: Subscription | None = None
    outlet: Outlet = field(default_factory=Outlet)
    system_told: str = "online"

    @property
    def subscribed(self) -> bool:
        """Whether there is a subscription."""
        return self.subscription is not None

    @property
    def last_text(self) -> str:
        """The last update or snapshot told."""
        return self.outlet.last_text

    def opened(self, now_us: int) -> list[str]:
        """Return what is said right after the connection is made."""
        return [self.status(now_us)]

    def status(self, now_us: int) -> str:
        """Return the status frame; under maintenance it has no connection id."""
        self.state.statistics.frames["status"] += 1
        system = self.system_told = self.state.system(now_us)
        online = system == "online"
        return frames.status(system, self.connection_id if online else None)

    def receive(self, text: str, now_us: int) -> list[str]:
        """Return the answers to one frame of the client."""
        try:
            request = json.loads(text)
        except ValueError:
            return [frames.failure("Malformed request", "", None, (now_us, now_us))]
        if not isinstance(request, dict):
            return [frames.failure("Malformed request", "", None, (now_us, now_us))]
        method = str(request.get("method"))
        req_id = request.get("req_id")
        times = (now_us, now_us + 245)
        if not (req_id is None or type(req_id) is int):
            error = "EGeneral:Invalid arguments:req_id"
            return [frames.failure(error, method, None, times)]
        answer = {"subscribe": self._subscribe, "unsubscribe": self._unsubscribe}
        try:
            if method == "ping":
                if self.state.faults.is_mute(now_us):
                    return []
                self.state.statistics.frames["pong"] += 1
                return [frames.pong(req_id, times)]
            if method not in answer:
                raise RefusedError("EGeneral:Unknown method")
            return answer[method](_parameters(request), req_id, times)
        except RefusedError as refused:
            if method == "subscribe":
                self.state.statistics.subscribes[str(refused)] += 1
            return [frames.failure(str(refused), method, req_id, times)]

    def _subscribe(
        self, params: Mapping[str, Any], req_id: int | None, times: tuple[int, int]
    ) -> list[str]:
        now_us = times[0]
        wanted = _flag(params, "snapshot")
        rebased = _flag(params, "rebased")
        key = self._admit(params, now_us)
        everyone = _everyone(params)
        if everyone and self.state.ledger.users[key.user].master != key.user:
            raise RefusedError("EGeneral:Permission denied")
        if self.subscription:
            raise RefusedError("Already subscribed")
        token = str(params["token"])
        self.subscription = Subscription(token, key, everyone, rebased)
        self.state.tokens.hold(token)
        self.state.statistics.subscribes["success"] += 1
        asked = "true" if wanted and not everyone else "false"
        result = f'{{"channel":"balances","snapshot":{asked}}}'
        ack = frames.ack("subscribe", result, req_id, times)
        if everyone or not wanted:
            self.subscription.sequence = self.state.settings.first_sequence - 1
            return [ack]
        return self._with_snapshot(self.subscription, ack, now_us)

    def _with_snapshot(
        self, subscription: Subscription, ack: str, now_us: int
    ) -> list[str]:
        slow = self.state.faults.take(Fault.SLOW_SNAPSHOT)
        if slow:
            wait_us = int(float(slow.arguments["seconds"]) * MICROSECONDS)
            subscription.snapshot_due_us = now_us + wait_us
            return [ack]
        answers = [ack, self._snapshot(subscription)]
        return answers if self.state.settings.ack_first else answers[::-1]

    def _snapshot(self, subscription: Subscription) -> str:
        subscription.snapshot_due_us = None
        subscription.sequence = 1
        self.state.statistics.frames["snapshot"] += 1
        text = frames.snapshot(
            self.state.ledger,
            subscription.key.user,
            1,
            zeros=self.state.settings.snapshot_zeros,
            rebased=subscription.rebased,
        )
        figure = self.state.faults.take(Fault.FIGURE, to="snapshot")
        if figure:
            text = frames.with_figure(text, str(figure.arguments["text"]))
        self.outlet.last_text = text
        return text

    def _admit(self, params: Mapping[str, Any], now_us: int) -> ApiKey:
        """Return the key behind the token of a request about ``balances``."""
        faults = self.state.faults
        if self.state.system(now_us) != "online":
            raise RefusedError("EService:Unavailable")
        if params.get("channel") != "balances":
            raise RefusedError("EGeneral:Invalid arguments:channel")
        if faults.take(Fault.INVALID_SESSION):
            raise RefusedError("ESession:Invalid session")
        key = self.state.tokens.check(params.get("token"), now_us)
        if faults.take(Fault.PERMISSION_DENIED, to="stream"):
            raise RefusedError("EGeneral:Permission denied")
        # Which permission the channel asks for is not documented; this is the guess.
        key.require(QUERY_FUNDS)
        return key

    def _unsubscribe(
        self, params: Mapping[str, Any], req_id: int | None, times: tuple[int, int]
    ) -> list[str]:
        self._admit(params, times[0])
        if not self.subscription:
            raise RefusedError("Subscription Not Found")
        self.closed()
        return [frames.ack("unsubscribe", '{"channel":"balances"}', req_id, times)]

    def closed(self) -> None:
        """End the subscription, if there is one."""
        if self.subscription:
            self.state.tokens.release(self.subscription.token)
        self.subscription = None
        self.outlet.held.clear()

    def due(self, now_us: int, quiet_us: int = 0) -> list[str]:
        """Return a changed status, the slow snapshot once its time has come, or a beat.

        A heartbeat is told to subscribers only, after a second without anything else.
        """
        told = []
        if self.system_told != self.state.system(now_us):
            told.append(self.status(now_us))
        subscription = self.subscription
        if subscription is None:
            return told
        if (subscription.snapshot_due_us or now_us + 1) <= now_us:
            told.append(self._snapshot(subscription))
        beat_us = self.state.settings.heartbeat_s * MICROSECONDS
        if not told and quiet_us >= beat_us and not self.state.faults.is_mute(now_us):
            self.state.statistics.frames["heartbeat"] += 1
            told.append(frames.HEARTBEAT)
        return told

    def tell(self, rows: list[str], delivery: Delivery) -> list[str]:
        """Number an update of these rows and return what reaches the client now."""
        if self.subscription is None:
            return []
        self.subscription.sequence += 1
        text = frames.update(rows, self.subscription.sequence)
        if delivery in {Delivery.WHOLE, Delivery.CUT}:
            self.state.statistics.frames["update"] += 1
        return self.outlet.pass_on(text, delivery)


def _parameters(request: Mapping[str, Any]) -> Mapping[str, Any]:
    params = request.get("params")
    if not isinstance(params, dict):
        raise RefusedError("EGeneral:Invalid arguments:params")
    return params


def _flag(params: Mapping[str, Any], name: str) -> bool:
    """Read an optional boolean, true by default; null is refused as on the real one."""
    value = params.get(name, True)
    if not isinstance(value, bool):
        raise RefusedError(f"EGeneral:Invalid arguments:{name}")
    return value


def _everyone(params: Mapping[str, Any]) -> bool:
    if "users" not in params:
        return False
    if params["users"] != "all":
        raise RefusedError("EGeneral:Invalid arguments:users")
    return True
