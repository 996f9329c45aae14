"""How feeds come back: with back-off and jitter, for ever, in the venue's limits."""

from collections.abc import Callable

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.wait import wait_random_exponential

from balance_shared.clock import Clock
from balance_shared.errors import Verdict, classify

WAIT_S_MAX = 5.0
"""Longest back-off unless the venue asks for more, in seconds."""

STABLE_S = 30.0
"""A connection that lasted this long starts the back-off anew, in seconds."""

_PASSING = {Verdict.RETRY, Verdict.RESUBSCRIBE}


def is_passing(error: BaseException) -> bool:
    """Whether trying again may help."""
    return classify(error) in _PASSING


def retrying(
    clock: Clock,
    note: Callable[[BaseException, float], None],
    passing: Callable[[BaseException], bool] = is_passing,
    least_s: float = 0.0,
) -> AsyncRetrying:
    """Return the retry policy of a feed.

    The waits are random up to 0.5, 1, 2, 4, 5, 5 ... seconds (full jitter), and at
    least what the venue asked for; what a venue allows is kept by
    `Venue.connect_interval_s`. So a feed is back within seconds of the venue.

    Args:
        clock: waits.
        note: called with the error and the wait in seconds, before each wait.
        passing: says which errors are retried; others are raised.
        least_s: shortest wait, in seconds.
    """
    jitter = wait_random_exponential(multiplier=0.5, max=WAIT_S_MAX)

    def wait(state: RetryCallState) -> float:
        asked_s = float(getattr(_error(state), "retry_after_s", 0.0))
        return asked_s + max(least_s, float(jitter(state)))

    return AsyncRetrying(
        wait=wait,
        retry=retry_if_exception(passing),
        sleep=clock.sleep,
        before_sleep=lambda state: note(_error(state), state.upcoming_sleep),
        reraise=True,
    )


def _error(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    return error or RuntimeError("retried without an error")
