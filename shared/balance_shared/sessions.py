"""Sessions with Kafka, begun anew after each interruption; for reading services."""

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_random_exponential,
)

from balance_shared.errors import BusInterrupted
from balance_shared.service import Parts

BACK_OFF_S_MAX = 5.0
"""Longest wait between two tries, in seconds."""

log = structlog.get_logger(__name__)


def for_ever(parts: Parts, part: str) -> AsyncRetrying:
    """Return attempts at a session that `BusInterrupted` may end; others pass through.

    Args:
        parts: told that ``kafka`` and the part are not ready, before each wait.
        part: what a session reads from its topics, and reads again in the next.
    """

    def note(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        parts.not_ready("kafka", str(error))
        parts.not_ready(part, "reading the topics again")
        log.warning("interrupted", part="kafka", error=repr(error))

    return AsyncRetrying(
        wait=wait_random_exponential(multiplier=0.2, max=BACK_OFF_S_MAX),
        retry=retry_if_exception_type(BusInterrupted),
        before_sleep=note,
        reraise=True,
    )
