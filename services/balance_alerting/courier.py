"""Handing notices to routes: one hand-over under way for each, and none is lost.

Theory of operation. There is no queue that could run full or die with the process: what
a route has not been told stands in its alert, on the topic. A courier that is free is
given the next few of them as they stand then, so that a route that was away for hours
is told how things are, and not how they were. What it took is noted in the alert.

A process that dies between the two tells some again; the id of the notice is the same.

What was collected grows old: a hand-over begins no try after `HAND_OVER_S_MAX`, so that
a process that stood still, or a route that is slow, tells nothing that is over or that
another process tells by now. What it has left is collected anew.

A notice that a route refuses is tried again after `REFUSED_S`, and stops no other.
"""

import asyncio
from collections import OrderedDict
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import suppress
from datetime import datetime
from itertools import islice

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from balance_alerting.alerts import Alerts
from balance_alerting.memory import Owed
from balance_alerting.notices import Notice, notice_of
from balance_alerting.routes import Route
from balance_shared import telemetry
from balance_shared.clock import Clock
from balance_shared.errors import NotDelivered
from balance_shared.service import Parts

AT_ONCE = 256
"""Most notices of one hand-over."""

ATTEMPTS = 4
"""Tries of one hand-over; then what is to be told by then is collected anew."""

BACK_OFF_S_MAX = 5.0
"""Longest wait between two tries, in seconds."""

HAND_OVER_S_MAX = 5.0
"""How long after it was collected something may be told, in seconds."""

REFUSED_S = 60.0
"""How long a notice that was refused is not tried again, in seconds."""

REMEMBERED = 10_000
"""Alerts of which a courier knows what it told, though the topic may not yet."""

log = structlog.get_logger(__name__)


class Courier:
    """Tells one route.

    Args:
        name: of the route.
        route: the way.
        parts: told whether the route takes what it is given.
        clock: the service's.
    """

    def __init__(self, name: str, route: Route, parts: Parts, clock: Clock) -> None:
        self.name = name
        self._route = route
        self._parts = parts
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._done: list[Notice] = []
        self._not_wanted: list[Notice] = []
        self._refused: dict[tuple[str, datetime, int], float] = {}
        self._told: OrderedDict[str, tuple[datetime, int]] = OrderedDict()
        self._resend_at = 0.0

    def change(self, route: Route) -> None:
        """Take another way from the next hand-over on."""
        self._route = route

    def under_way(self) -> asyncio.Task[None] | None:
        """Return the hand-over that is not noted yet."""
        return self._task

    def take_done(self) -> list[Notice]:
        """Return what the route took since the last call."""
        if self._task is not None and self._task.done():
            self._task.result()  # a bug in there ends the service
            self._task = None
        done, self._done = self._done, []
        return done

    def take_refused(self) -> list[Notice]:
        """Return what the route refused since the last call."""
        refused, self._not_wanted = self._not_wanted, []
        return refused

    def collect(self, alerts: Collection[Alerts]) -> list[Notice]:
        """Return what the route is to be told; nothing while it is still busy."""
        if self._task is not None:
            return []
        now = self._clock.monotonic()
        self._refused = {one: at for one, at in self._refused.items() if at > now}
        found = islice(self._owed(alerts), AT_ONCE)
        new = [notice for notice in found if not self._was_told(notice)]
        return new + self._resends(alerts)

    def hand_over(self, notices: Sequence[Notice]) -> None:
        """Begin to tell the route what was just collected."""
        until = self._clock.monotonic() + HAND_OVER_S_MAX
        self._task = asyncio.create_task(self._tell(notices, until))

    def _owed(self, alerts: Collection[Alerts]) -> Iterator[Notice]:
        for one in alerts:
            for owed in one.owed(self.name):
                episode, number, _ = owed
                place = episode.alert_id, episode.started_at, number
                if place not in self._refused:
                    episode.offered.add(self.name)
                    yield notice_of(owed, one.rule(episode.rule))

    async def recall(self) -> None:
        """Give up what is under way; the route may have taken it, or not."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def stop(self) -> None:
        """Tell nothing any more; what was under way stands on the topic as not told."""
        await self.recall()
        self._parts.ready(self._part)

    @property
    def _part(self) -> str:
        return f"route {self.name}"

    def _was_told(self, notice: Notice) -> bool:
        """Return whether it was told before a new start, which cannot know of it."""
        alert = notice.alert
        if self._told.get(alert.alert_id) != (alert.started_at, notice.number):
            return False
        self._done.append(notice)
        return True

    def _resends(self, alerts: Collection[Alerts]) -> list[Notice]:
        """Return all that lasts, when it is time: the route forgets."""
        every, now = self._route.resend_s, self._clock.monotonic()
        if every is None or now < self._resend_at:
            return []
        self._resend_at = now + every
        return [
            notice_of(
                Owed(episode, episode.notice, episode.kind),
                one.rule(episode.rule),
                resent=True,
            )
            for one in alerts
            for episode in one.lasting()
            if episode.told.get(self.name) == episode.notice
        ]

    async def _tell(self, notices: Sequence[Notice], until: float) -> None:
        size = self._route.together
        for start in range(0, len(notices), size):
            part = notices[start : start + size]
            refused = await self._try(part, until)
            if refused and len(part) > 1:  # one that is not liked must not stop all
                for one in part:
                    if await self._try([one], until):
                        self._put_off(one)
            elif refused:
                self._put_off(*part)

    async def _try(self, notices: Sequence[Notice], until: float) -> bool:
        """Tell some alerts; returns whether the route refused them."""
        retrying = AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.2, max=BACK_OFF_S_MAX),
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(ATTEMPTS),
            before_sleep=self._note,
            sleep=self._clock.sleep,
            reraise=True,
        )
        try:
            await retrying(self._send, notices, until)
        except NotDelivered as error:
            self._failed(error, len(notices))
            return error.refused
        except _TooLateError:
            return False
        self._parts.ready(self._part)
        for one in notices:
            outcome = "resent" if one.resent else "delivered"
            telemetry.NOTIFICATIONS.labels(self.name, outcome).inc()
            if not one.resent:
                self._remember(one)
        return False

    async def _send(self, notices: Sequence[Notice], until: float) -> None:
        if self._clock.monotonic() >= until:
            raise _TooLateError
        await self._route.send(notices)

    def _put_off(self, *notices: Notice) -> None:
        """Note that the route refused something, and do not try it again at once."""
        again_at = self._clock.monotonic() + REFUSED_S
        for one in notices:
            alert = one.alert
            if not one.resent:
                place = alert.alert_id, alert.started_at, one.number
                self._refused[place] = again_at
                self._not_wanted.append(one)

    def _remember(self, notice: Notice) -> None:
        alert = notice.alert
        self._done.append(notice)
        self._told[alert.alert_id] = alert.started_at, notice.number
        self._told.move_to_end(alert.alert_id)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)

    def _note(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, NotDelivered):
            self._failed(error, 1)

    def _failed(self, error: NotDelivered, count: int) -> None:
        outcome = "refused" if error.refused else "failed"
        telemetry.NOTIFICATIONS.labels(self.name, outcome).inc(count)
        self._parts.not_ready(self._part, str(error))
        log.warning("not_delivered", route=self.name, error=str(error))


class _TooLateError(Exception):
    """A hand-over is too old to go on."""


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, NotDelivered) and not error.refused


class Couriers:
    """The couriers of all routes.

    Args:
        parts: told which routes take what they are given.
        clock: the service's.
    """

    def __init__(self, parts: Parts, clock: Clock) -> None:
        self._parts = parts
        self._clock = clock
        self._couriers: dict[str, Courier] = {}

    async def use(self, routes: Mapping[str, Route]) -> None:
        """Tell these routes from now on; what is under way goes on."""
        for name in self._couriers.keys() - routes.keys():
            await self._couriers.pop(name).stop()
        for name, route in routes.items():
            if name in self._couriers:
                self._couriers[name].change(route)
            else:
                new = Courier(name, route, self._parts, self._clock)
                self._couriers[name] = new

    async def hand_over(
        self, alerts: Collection[Alerts], allow: Callable[[], Awaitable[None]]
    ) -> None:
        """Give routes what they do not know.

        Alerts that are not yet written must not be told, and what was told must be
        noted and written before more is: `note`, then publish, then this.

        Args:
            alerts: of all partitions that are ours.
            allow: asked before anything is told; raises if the alerts are not ours.
        """
        found = [(one, one.collect(alerts)) for one in self._couriers.values()]
        if any(notices for _, notices in found):
            await allow()
        for courier, notices in found:
            if notices:
                courier.hand_over(notices)

    def note(self, alerts: Collection[Alerts]) -> None:
        """Note what routes took, and what they refused."""
        for courier in self._couriers.values():
            name, done = courier.name, courier.take_done()
            for notice in done:
                alert = notice.alert
                for one in alerts:
                    one.told(name, alert.alert_id, alert.started_at, notice.number)
            for notice in courier.take_refused():
                alert = notice.alert
                for one in alerts:
                    one.refused(name, alert.alert_id, alert.started_at)

    async def recall(self) -> None:
        """Give up what is under way, as others may tell it from now on."""
        for courier in self._couriers.values():
            await courier.recall()

    async def settle(self, seconds: float) -> None:
        """Wait for what is under way, not longer than that."""
        tasks = [task for one in self._couriers.values() if (task := one.under_way())]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def stop(self) -> None:
        """Give up what is under way."""
        for courier in self._couriers.values():
            await courier.stop()
