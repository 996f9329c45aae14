"""Sessions begin anew after an interruption, and after nothing else."""

import pytest

from balance_shared.errors import BusInterrupted, PublishError
from balance_shared.service import Parts
from balance_shared.sessions import for_ever


async def test_interruption_is_told_and_tried_again():
    """What is read from the topics is not ready meanwhile."""
    parts, missing = Parts(), []
    async for attempt in for_ever(parts, "books"):
        with attempt:
            missing.append(dict(parts.missing()))
            if attempt.retry_state.attempt_number == 1:
                raise BusInterrupted("gone")
    told = {"kafka": "gone", "books": "reading the topics again"}
    assert [{}, told] == missing


async def test_other_errors_end_it():
    """Who is refused by Kafka is not to try for ever."""

    async def refused() -> None:
        async for attempt in for_ever(Parts(), "books"):
            with attempt:
                raise PublishError("refused")

    with pytest.raises(PublishError):
        await refused()
