"""What a consumer shows of itself, on a consumer that answers as it is told."""

import uuid

import pytest
from prometheus_client import REGISTRY

from balance_shared.errors import BusInterrupted
from balance_shared.kafka import Watch
from balance_shared.kafka.watch import LOOK_EVERY_S, UNANSWERED_S_MAX
from balance_shared.service import Parts


class Answers:
    """A consumer that is behind, or whose Kafka does not answer."""

    def __init__(self):
        self.behind = {("t", 0): 5}
        self.silent = False

    async def end(self):
        """Ask Kafka."""
        if self.silent:
            raise BusInterrupted("gone")

    async def lag(self):
        """Return how far behind it is."""
        return self.behind


@pytest.fixture
def watched():
    """Give a consumer, its watch, its parts, and what its metric shows."""
    service, consumer, parts = uuid.uuid4().hex, Answers(), Parts("kafka")

    def shown(partition):
        labels = {"service": service, "topic": "t", "partition": partition}
        return REGISTRY.get_sample_value("balancebus_consumer_lag_records", labels)

    return consumer, Watch(service, consumer, parts), parts, shown


async def test_lag_is_shown_while_kafka_answers(watched):
    """The part is ready, and a partition that moved away shows nothing more."""
    consumer, watch, parts, shown = watched
    assert await watch.look() == {("t", 0): 5}
    assert not parts.missing()
    assert shown("0") == 5
    consumer.behind = {("t", 1): 0}
    watch._due -= LOOK_EVERY_S
    await watch.look()
    assert (None, 0) == (shown("0"), shown("1"))


async def test_kafka_is_not_asked_all_the_time(watched):
    """Between two looks nothing is asked."""
    consumer, watch, _, shown = watched
    await watch.look()
    consumer.behind = {("t", 0): 9}
    assert await watch.look() is None
    assert shown("0") == 5


async def test_silence_is_told_and_then_ends_the_consumer(watched):
    """First the part is not ready; a consumer that stays silent is given up."""
    consumer, watch, parts, _ = watched
    consumer.silent = True
    assert await watch.look() is None
    assert parts.missing() == {"kafka": "no answer gone"}
    watch._due -= LOOK_EVERY_S
    watch._answered -= UNANSWERED_S_MAX
    with pytest.raises(BusInterrupted, match="no answer for 15 s"):
        await watch.look()
