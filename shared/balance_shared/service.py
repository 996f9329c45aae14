"""The life of every service: start, signals, health, drain, exit code.

A service is one coroutine that runs until it is cancelled and sees to its own drain on
the way out. SIGTERM and SIGINT cancel it; a second signal ends the process at once.
"""

import asyncio
import gc
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog
import uvloop

from balance_shared import VERSION, logs, telemetry
from balance_shared.errors import (
    BalanceBusError,
    ExitCode,
    SettingsError,
    exit_code,
)
from balance_shared.http import serve
from balance_shared.settings import ServiceSettings

GC_ALLOCATIONS = 20_000
"""Containers made between two runs of the cycle collector: records make many and leave
no cycles, and a collection in the middle of a hand-over shows in the latency."""

DRAIN_S_MAX = 20.0
"""How long a stopping service may take, in seconds, before it is ended."""

STALL_S_MAX = 30.0
"""How long the event loop may stand still before the service counts as unhealthy."""

_KEYS = (
    "BALANCEBUS_API_KEY, BALANCEBUS_API_SECRET and BALANCEBUS_API_PASSPHRASE (or "
    "those with REST_API); at the venue: what the key may do, and from where"
)
"""What whoever reads of a refusal looks at."""

log = structlog.get_logger(__name__)


class Parts:
    """What a service depends on, and which parts are not ready, for /readyz."""

    def __init__(self, *names: str) -> None:
        self._missing = dict.fromkeys(names, "starting")

    def ready(self, name: str) -> None:
        """Say that a part does its job."""
        self._missing.pop(name, None)

    def not_ready(self, name: str, reason: str) -> None:
        """Say that a part does not, and why."""
        self._missing[name] = reason

    def missing(self) -> Mapping[str, str]:
        """Return the parts that are not ready, each with why."""
        return self._missing


class Pulse:
    """Whether the event loop turns: beats once a second."""

    def __init__(self) -> None:
        self._beat = time.monotonic()

    async def run(self) -> None:
        """Beat for ever."""
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(1)

    def failing(self) -> str | None:
        """Return why the process cannot work, or None."""
        age = time.monotonic() - self._beat
        return f"event loop stood still for {age:.0f} s" if age > STALL_S_MAX else None


def run_service(
    name: str,
    settings: ServiceSettings,
    main: Callable[[Parts], Awaitable[None]],
) -> ExitCode:
    """Run a service until it ends or is asked to stop; returns the exit code.

    Args:
        name: for logs and metrics.
        settings: already loaded.
        main: the service; gets the parts to report its readiness on. It runs until it
            is cancelled, and raises errors of `balance_shared.errors` to end itself.
    """
    logs.configure(settings.log_level, settings.log_format, name)
    telemetry.BUILD_INFO.labels(name, VERSION).set(1)
    try:
        gc.freeze()
        gc.set_threshold(GC_ALLOCATIONS, 20, 50)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_live(settings, main))
    except Exception as error:  # noqa: BLE001 — the one place that ends a process
        return _end(error)


def _end(error: BaseException) -> ExitCode:
    """Say why the process ends, in one line; returns the exit code."""
    error = _cause(error)
    code = exit_code(error)
    if isinstance(error, BalanceBusError) and code is not ExitCode.BUG:
        hint = {"check": _KEYS} if code is ExitCode.REFUSED else {}
        log.error("stopped", error=str(error), exit_code=int(code), **hint)
    else:
        log.error("stopped", error=repr(error), exit_code=int(code), exc_info=error)
    return code


def _cause(error: BaseException) -> BaseException:
    """Return what ended a service: of several errors at once a bug, else the first.

    Two feeds of one account may be refused in the same moment.
    """
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [_cause(part) for part in error.exceptions]
    return next((one for one in causes if exit_code(one) is ExitCode.BUG), causes[0])


async def _live(
    settings: ServiceSettings,
    main: Callable[[Parts], Awaitable[None]],
) -> ExitCode:
    pulse, parts = Pulse(), Parts()
    async with serve(settings, health=pulse.failing, readiness=parts.missing) as url:
        log.info("started", version=VERSION, http=url)
        async with asyncio.TaskGroup() as group:
            beat = group.create_task(pulse.run())
            work = group.create_task(_work(main, parts))
            _stop_on_signals(work)
            await asyncio.wait([work])
            beat.cancel()
    log.info("stopped", exit_code=int(ExitCode.DONE))
    return ExitCode.DONE


async def _work(main: Callable[[Parts], Awaitable[None]], parts: Parts) -> None:
    """Run the service; being asked to stop is a good end."""
    task = asyncio.current_task()
    try:
        await main(parts)
    except asyncio.CancelledError:
        if task is None or not task.cancelling():
            raise RuntimeError("the service was cancelled from within") from None


def _stop_on_signals(work: asyncio.Task[None]) -> None:
    loop = asyncio.get_running_loop()
    heard: list[str] = []

    def stop(name: str) -> None:
        if heard:
            os._exit(ExitCode.BUG)
        heard.append(name)
        log.info("stopping", signal=name)
        work.cancel()
        loop.call_later(DRAIN_S_MAX, _overdue)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number.name)


def _overdue() -> None:
    log.error("drain_overdue", seconds=DRAIN_S_MAX)
    os._exit(ExitCode.BUG)


def refuse(error: SettingsError) -> ExitCode:
    """Print what is wrong with the settings, a line each; returns the exit code."""
    for line in str(error).splitlines():
        print(f"balancebus: {line}", flush=True)  # noqa: T201
    return ExitCode.SETTINGS
