"""Structured logs on standard error: JSON for machines, colours for people."""

import logging
import sys
from typing import Any, Literal

import structlog

from balance_shared.remembered import Remembered

SELDOM_S = 60.0
"""How often one text of a library that repeats itself is let through, in seconds."""

_REPEATING = "aiokafka"
"""Tries ten times a second while no broker is there, and says so each time."""


def configure(level: str, style: Literal["json", "console"], service: str) -> None:
    """Set up logging of the process; called once, at the start.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        style: ``json``, one object a line, or ``console``.
        service: put on every line.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if style == "console"
        else [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *renderers,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(_Seldom())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("aiokafka", "aiohttp.access", "websockets", "alembic"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.root.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


class _Seldom(logging.Filter):
    """Lets a text of the library that repeats itself through now and then.

    Texts are told apart by what they are made from and by their first value, which is a
    broker or a partition.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: Remembered[tuple[str, str], float] = Remembered(1_000)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is logged."""
        if record.name.split(".")[0] != _REPEATING:
            return True
        first = record.args[0] if isinstance(record.args, tuple) and record.args else ""
        name = str(record.msg), str(first)
        before = self._told.get(name)
        if before is not None and record.created < before + SELDOM_S:
            return False
        self._told.remember(name, record.created)
        return True
