"""One client's conversation on the private socket feed, as text in and text out.

Source: pages "Balances" (private socket feed: subscribe, ``initial-balance``,
``balance-updated``) and "Websocket FAQ" (a ping every 20 s, or the venue closes). There
is no login: every message carries its own signature. No sockets, no clock: the server
calls in with the time.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from balance_simulator.connections import due_us
from balance_simulator.delivery import Delivery, Outlet
from balance_simulator.exact import MICROSECONDS
from balance_simulator.faults import Fault
from balance_simulator.sessions import Goodbye, Said
from balance_simulator.zerohash import frames, pictures
from balance_simulator.zerohash.pictures import Scope
from balance_simulator.zerohash.signing import ApiKey, RefusedError
from balance_simulator.zerohash.state import State

_POLICY_VIOLATION = 1008
_GOING_AWAY = 1001


@dataclass(slots=True)
class Subscription:
    """A subscription to ``balances``.

    Attributes:
        scope: what it covers.
        picture_due_us: when the picture is to be told, or None once it was.
    """

    scope: Scope
    picture_due_us: int | None = None


@dataclass(slots=True)
class Session:
    """One connection's conversation.

    Attributes:
        state: the venue.
        subscriptions: one, or more where the settings let them add up.
        outlet: where its updates go out, or astray.
        pinged_us: time of the last ping, or of the connection.
        late: pongs that are to be told, and when.
        ended: whether the goodbye was said.
    """

    state: State
    subscriptions: list[Subscription] = field(default_factory=list)
    outlet: Outlet = field(default_factory=Outlet)
    pinged_us: int = 0
    late: list[int] = field(default_factory=list)
    ended: bool = False

    @property
    def subscribed(self) -> bool:
        """Whether there is a subscription."""
        return bool(self.subscriptions)

    @property
    def last_text(self) -> str:
        """The last update or picture told."""
        return self.outlet.last_text

    def opened(self, now_us: int) -> list[Said]:
        """Say nothing: the client begins."""
        self.pinged_us = now_us
        return []

    def closed(self) -> None:
        """End the subscriptions."""
        self.subscriptions.clear()
        self.outlet.held.clear()

    def receive(self, text: str, now_us: int) -> Sequence[Said]:
        """Return the answers to one message of the client."""
        if self.ended:
            return []
        try:
            message = json.loads(text)
        except ValueError:
            return [self._error("Message is not JSON")]
        if not isinstance(message, dict):
            return [self._error("Message is not an object")]
        kind = message.get("messageType")
        if kind == "ping":
            return self._ping(message, now_us)
        answer = {"subscribe": self._subscribe, "info": self._info}.get(str(kind))
        if answer is None:
            return [self._error("Unknown messageType")]
        try:
            if self.state.faults.take(Fault.PERMISSION_DENIED, to="stream"):
                raise RefusedError(403, "Forbidden")
            key = self.state.keys.check_message(message, self.state.time_us(now_us))
        except RefusedError as refused:
            self.state.statistics.subscribes[str(refused)] += 1
            return self._refused(str(refused))
        return answer(message, key, now_us)

    def _error(self, text: str) -> str:
        self.state.statistics.frames["error"] += 1
        return frames.notice("error", text)

    def _refused(self, text: str) -> list[Said]:
        """Say why and close, or say nothing: which of the two is not documented."""
        if self.state.settings.refusal == "silent":
            return []
        return [self._error(text), self._goodbye(_POLICY_VIOLATION, text)]

    def _goodbye(self, code: int, reason: str) -> Goodbye:
        self.ended = True
        return Goodbye(code, reason)

    def _ping(self, message: Mapping[str, Any], now_us: int) -> Sequence[Said]:
        form = self.state.settings.ping_form
        signed = "signature" in message
        outcome = "signed" if signed and form != "bare" else "bare"
        if outcome == "signed":
            try:
                self.state.keys.check_message(message, self.state.time_us(now_us))
            except RefusedError as refused:
                self.state.pings[str(refused)] += 1
                if self.state.settings.refusal == "error":
                    return self._refused(str(refused))
        elif form == "signed":
            self.state.pings["unsigned"] += 1
            return [self._error("Missing signature")]
        self.state.pings[outcome] += 1
        self.pinged_us = now_us
        return self._pong(now_us)

    def _pong(self, now_us: int) -> Sequence[Said]:
        """Answer a ping, unless the answer is lost or late."""
        faults = self.state.faults
        if faults.is_mute(now_us) or faults.take(Fault.ANSWER_LOST):
            return []
        late = faults.take(Fault.ANSWER_LATE)
        if late:
            self.late.append(due_us(now_us, late.arguments["seconds"]))
            return []
        self.state.statistics.frames["pong"] += 1
        return [frames.PONG]

    def _info(
        self, message: Mapping[str, Any], key: ApiKey, now_us: int
    ) -> Sequence[Said]:
        """Answer ``available-symbols``, which exists for prices only."""
        if message.get("topic") != "available-symbols":
            return [self._error("Unknown topic")]
        quote = self.state.settings.quote
        symbols = [
            frames.quoted(f"{asset.plain}/{quote}")
            for asset in self.state.assets
            if asset.code != quote
        ]
        body = frames.COMPACT.put(symbols, 1, "[]")
        return [frames.COMPACT.message("info", body)]

    def _subscribe(
        self, message: Mapping[str, Any], key: ApiKey, now_us: int
    ) -> Sequence[Said]:
        """Begin a subscription; its picture is the ack."""
        body = message.get("body")
        if message.get("topic", "balances") != "balances":
            return [self._error("Unknown topic")]
        narrowed = body.get("filter", {}) if isinstance(body, dict) else None
        multi_chain = message.get("useMultiChainAssetFormat", False)
        if not isinstance(narrowed, dict) or not isinstance(multi_chain, bool):
            return [self._error("Invalid body")]
        if self.state.faults.take(Fault.UNANSWERED):
            self.state.statistics.subscribes["unanswered"] += 1
            return []
        if self.state.settings.subscriptions == "replace":
            self.subscriptions.clear()
        subscription = Subscription(Scope(key.owner, multi_chain, narrowed))
        self.subscriptions.append(subscription)
        self.state.statistics.subscribes["success"] += 1
        acked = self.state.settings.subscribe_ack
        text = "successfully subscribed to the balances feed"
        ack: list[Said] = [frames.notice("subscribe", text)] if acked else []
        slow = self.state.faults.take(Fault.SLOW_SNAPSHOT)
        if slow:
            subscription.picture_due_us = due_us(now_us, slow.arguments["seconds"])
            return ack
        return [*ack, self._picture(subscription)]

    def _picture(self, subscription: Subscription) -> str:
        subscription.picture_due_us = None
        self.state.statistics.frames["picture"] += 1
        text = pictures.initial_balance(self.state, subscription.scope)
        self.outlet.last_text = text
        return text

    def due(self, now_us: int, quiet_us: int) -> Sequence[Said]:
        """Return pictures whose time has come, and the close when no ping came."""
        if self.ended:
            return []
        told: list[Said] = [
            self._picture(subscription)
            for subscription in self.subscriptions
            if (subscription.picture_due_us or now_us + 1) <= now_us
        ]
        told += [frames.PONG for at_us in self.late if at_us <= now_us]
        self.late = [at_us for at_us in self.late if at_us > now_us]
        limit_us = self.state.settings.ping_timeout_s * MICROSECONDS
        if now_us - self.pinged_us > limit_us:
            self.state.pings["missed"] += 1
            told.append(self._goodbye(_GOING_AWAY, "no ping"))
        return told

    def listening(self) -> list[Subscription]:
        """Return the subscriptions that are told of updates now."""
        early = self.state.settings.early_updates
        return [
            subscription
            for subscription in self.subscriptions
            if early or subscription.picture_due_us is None
        ]

    def tell(self, text: str, delivery: Delivery) -> list[str]:
        """Return what reaches the client now that an update is on its way to it."""
        if delivery in {Delivery.WHOLE, Delivery.CUT}:
            self.state.statistics.frames["update"] += 1
        return self.outlet.pass_on(text, delivery)
