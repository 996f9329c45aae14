"""Handing notices to routes: one hand-over under way for each, and none is lost.

Theory of operation. There is no queue that could run full or die with the process: what
a route has not been told stands in its alert, on the topic. A courier that is free is
given the next few of them as they stand then, so that a route that was away for hours
is told how things are, and not how they were. What it took is noted in the alert.

A process that dies between the two tells some again; the id of the notice is the same.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from balance_alerting.alerts import Alerts
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

    def hand_over(self, alerts: Collection[Alerts]) -> None:
        """Tell the route what is to be told, unless it is still busy."""
        if self._task is not None:
            return
        found = [
            notice_of(episode, one.rule(episode.rule), episode.kind_for(self.name))
            for one in alerts
            for episode in islice(one.untold(self.name), AT_ONCE)
        ]
        new = [one for one in found[:AT_ONCE] if not self._was_told(one)]
        notices = new + self._resends(alerts)
        if notices:
            self._task = asyncio.create_task(self._tell(notices))

    async def stop(self) -> None:
        """Give up what is under way; it stands on the topic as not told."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
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
                episode,
                one.rule(episode.rule),
                episode.kind_for(self.name),
                resent=True,
            )
            for one in alerts
            for episode in one.lasting()
            if episode.told.get(self.name) == episode.notice
        ]

    async def _tell(self, notices: Sequence[Notice]) -> None:
        size = self._route.together
        for start in range(0, len(notices), size):
            part = notices[start : start + size]
            refused = await self._try(part)
            if refused and len(part) > 1:  # one that is not liked must not stop all
                for one in part:
                    await self._try([one])

    async def _try(self, notices: Sequence[Notice]) -> bool:
        """Tell some alerts; returns whether the route refused them."""
        retrying = AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.2, max=BACK_OFF_S_MAX),
            retry=retry_if_exception_type(NotDelivered),
            stop=stop_after_attempt(ATTEMPTS),
            before_sleep=self._note,
            sleep=self._clock.sleep,
            reraise=True,
        )
        try:
            await retrying(self._route.send, notices)
        except NotDelivered as error:
            self._failed(error, len(notices))
            return error.refused
        self._parts.ready(self._part)
        for one in notices:
            outcome = "resent" if one.resent else "delivered"
            telemetry.NOTIFICATIONS.labels(self.name, outcome).inc()
            if not one.resent:
                self._remember(one)
        return False

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

    def work(self, alerts: Collection[Alerts]) -> None:
        """Note what routes took, and give them what they do not know.

        Alerts that are not yet written must not be told: publish first.
        """
        self.note(alerts)
        for courier in self._couriers.values():
            courier.hand_over(alerts)

    def note(self, alerts: Collection[Alerts]) -> None:
        """Note what routes took."""
        for courier in self._couriers.values():
            for notice in courier.take_done():
                alert = notice.alert
                for one in alerts:
                    one.told(
                        courier.name, alert.alert_id, alert.started_at, notice.number
                    )

    async def settle(self, seconds: float) -> None:
        """Wait for what is under way, not longer than that."""
        tasks = [task for one in self._couriers.values() if (task := one.under_way())]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def stop(self) -> None:
        """Give up what is under way."""
        for courier in self._couriers.values():
            await courier.stop()
