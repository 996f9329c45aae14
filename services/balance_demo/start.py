"""Everything before and after the show: the stack, the services, and their end."""

import asyncio
import logging
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import structlog
from rich.console import Console

from balance_demo import bus, summary
from balance_demo.children import Children, children
from balance_demo.output import output
from balance_demo.show import Plan, Show, World
from balance_demo.standin import StandIn
from balance_demo.summary import Summary
from balance_demo.venues import VENUES, DemoVenue
from balance_shared.settings import PREFIX, ServiceSettings
from balance_stack.endpoints import Endpoints, named_endpoints
from balance_stack.layout import Layout
from balance_stack.running import running_stack

POLL_INTERVAL_S = 5
"""How often connectors ask for balances by REST, in seconds."""

AT_ONCE = 4
"""How many things are started at a time: more only wait for each other."""

Started = dict[str, str]
"""Name of what was started → its base URL, or ``control_url`` of a stand-in."""


class Demo:
    """One run from nothing to nothing.

    Args:
        plan: what is to be shown.
        console: where to show it.
        keep_logs: whether the logs stay after a good end; after a bad one they do.
    """

    def __init__(self, plan: Plan, console: Console, *, keep_logs: bool) -> None:
        self._plan = plan
        self._console = console
        self._keep_logs = keep_logs
        self._born_s = time.monotonic()
        self._account = "demo"
        self._prefix = "balances"
        if named_endpoints(os.environ):
            # Not our own bus: stay apart from what is there.
            run = f"demo-{time.time_ns() // 1_000_000}"
            self._account, self._prefix = run, f"balances-{run}"

    def run(self) -> Summary:
        """Start everything, show it, end it.

        Returns:
            What was found at the end; every process has ended.

        Raises:
            StackError: a process did not come up, or ended on its own.
            BalanceBusError: the bus failed; in an exception group.
            KeyboardInterrupt: asked to stop before there was anything to compare.
        """
        signal.signal(signal.SIGTERM, _interrupt)
        with self._home() as home:
            _log_to(home)
            self._tell(f"logs are in {home}/logs")
            self._tell("starting Kafka, a schema registry and PostgreSQL ...")
            with running_stack(home) as running:
                self._tell("Kafka, schema registry and PostgreSQL: ready")
                with children(
                    Layout(home),
                    self._environment(running.endpoints),
                    guarded=running.local is not None,
                ) as family:
                    return self._run_on(running.endpoints, family)

    def _run_on(self, endpoints: Endpoints, family: Children) -> Summary:
        settings = ServiceSettings(
            kafka_bootstrap_servers=endpoints.kafka_bootstrap_servers,
            schema_registry_url=endpoints.schema_registry_url,
            topic_prefix=self._prefix,
        )
        started = self._start(family, settings)
        world = World(
            settings=settings,
            postgres_dsn=endpoints.postgres_dsn,
            account=self._account,
            stand_ins={
                row.name: StandIn(row, started[f"stand-in {row.name}"])
                for row in VENUES
            },
            urls=_pages(started),
            children=family,
            born_s=self._born_s,
        )
        try:
            found = asyncio.run(Show(self._plan, world, output(self._console)).run())
        except Exception:
            family.require_alive()  # a dead process explains all other errors
            raise
        self._console.print(summary.render(found))
        return found

    def _start(self, family: Children, settings: ServiceSettings) -> Started:
        """Make the topics, and start services and venues, some at a time."""
        started: Started = {}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = [
                pool.submit(_topics, settings),
                *(pool.submit(self._venue, family, row) for row in VENUES),
                pool.submit(_service, family, "storage"),
                pool.submit(_service, family, "metrics"),
                pool.submit(_service, family, "proof"),
            ]
            try:
                for each in as_completed(waiting):
                    found = each.result()
                    self._tell(f"{' and '.join(found)}: ready")
                    started |= found
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                family.end()  # the others stop waiting for theirs
                raise
        return started

    def _venue(self, family: Children, row: DemoVenue) -> Started:
        """Start a stand-in and its connector."""
        told = family.stand_in(row.name, "--seed", str(self._plan.seed))
        url = family.service(
            f"connector-{row.name}",
            "connector",
            row.name,
            account=self._account,
            poll_interval_s=str(POLL_INTERVAL_S),
            **row.credentials(told),
        )
        return {
            f"stand-in {row.name}": told["control_url"],
            f"connector {row.name}": url,
        }

    def _environment(self, endpoints: Endpoints) -> dict[str, str]:
        return endpoints.environment() | {f"{PREFIX}TOPIC_PREFIX": self._prefix}

    def _tell(self, text: str) -> None:
        seconds = time.monotonic() - self._born_s
        self._console.print(
            f"{seconds:6.1f} s  {text}", highlight=False, markup=False, soft_wrap=True
        )

    @contextmanager
    def _home(self) -> Iterator[Path]:
        """Give a directory for logs and data; logs of a bad end stay."""
        home = Path(tempfile.mkdtemp(prefix="balance-bus-demo-"))
        try:
            yield home
        except BaseException:
            self._tell(f"logs stay in {home}/logs")
            raise
        if self._keep_logs:
            self._tell(f"logs stay in {home}/logs")
        else:
            shutil.rmtree(home, ignore_errors=True)
        self._tell("all processes have ended")


def _log_to(home: Path) -> None:
    """Send what libraries log to a file: the screen is not theirs."""
    Layout(home).make_directories()
    logging.basicConfig(
        filename=Layout(home).log("demo"), level=logging.WARNING, force=True
    )
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def _topics(settings: ServiceSettings) -> Started:
    return {asyncio.run(bus.prepare(settings)): ""}


def _service(family: Children, name: str) -> Started:
    return {name: family.service(name, name)}


def _pages(started: Started) -> dict[str, str]:
    """Return what is worth a look in a browser: services first, then the venues."""
    names = sorted(started, key=lambda name: (name.startswith("stand-in"), name))
    return {
        name: f"{started[name]}/{'truth' if name.startswith('stand-in') else 'metrics'}"
        for name in names
        if started[name]
    }


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
